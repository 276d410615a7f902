//! `kill -9` at random instants under load (invariants I1, I2, I5, I6): after each restart no
//! acknowledged payment is missing, none is sent twice under one key, and in the end every unknown
//! payment is reversed and the four parties agree.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings, Answer, Fields};
use loadtest::simulator::issuer::{IssuerHandle, Profile};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rig::FakeClock;
use router::id::{Folio, PaymentId};
use router::message::IdempotencyKey;
use router::payment::{Payment, PaymentState};
use tokio::time::Instant;

use crate::harness::{ACQUIRER, PATIENCE, card_order, eventually, issuer_with, net_debits};

const KILLS: usize = 100;
const LINES: usize = 4;
const IN_FLIGHT_PER_LINE: usize = 8;
/// Answers that say nothing was kept: the request may be repeated as if it were new.
const NOT_KEPT: [&str; 2] = ["91", "96"];

/// What the acquirer knows: requests without an answer, and every answer it got.
#[derive(Default)]
struct Book {
    pending: Mutex<Vec<(Fields, Tries)>>,
    answered: Mutex<Vec<(Fields, Answer)>>,
    repeats: AtomicUsize,
    asked: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tries {
    None,
    Some,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing_and_double_nothing() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().expect("a folder");
    // One approval of fifty contradicts its request, or is partial.
    let issuer = issuer_with(Profile { contradicting: 200, ..Profile::default() }).await;
    let ports = free_ports();
    let config = write_config(dir.path(), &issuer, ports);
    let clock = FakeClock::new().expect("libfaketime");
    let book = Book::default();

    let mut starting = Duration::ZERO;
    for _ in 0..KILLS {
        let started = Instant::now();
        let mut switch = start(&config, &clock);
        let lines = connect(ports.iso8583).await;
        starting += started.elapsed();
        let life = Duration::from_millis(random.random_range(10..300));
        // The load runs until the switch is killed under it.
        tokio::time::timeout(life, load(&lines, &book, Load::Endless)).await.ok();
        clock.set_ahead(wrong_clock(&mut random)).expect("a clock");
        tokio::time::timeout(life / 4, load(&lines, &book, Load::Endless)).await.ok();
        switch.kill().expect("a kill");
        switch.wait().expect("an end");
        let unanswered = lines.iter().map(|line| line.in_hand.lock().drain().collect::<Vec<_>>());
        for (_, request) in unanswered.flatten() {
            book.pending.lock().push((request, Tries::Some));
        }
    }

    println!("{} ms from start to signed on, on average", starting.as_millis() / KILLS as u128);
    clock.set_ahead(0).expect("a clock");
    let mut switch = start(&config, &clock);
    let lines = connect(ports.iso8583).await;
    load(&lines, &book, Load::WhatIsPending).await;
    let payments = eventually("every open payment to be resolved", async || {
        let payments = journal(dir.path());
        payments.values().all(|payment| !payment.is_open()).then_some(payments)
    })
    .await;
    switch.kill().expect("a kill");
    switch.wait().expect("an end");
    storage::verify::verify(dir.path()).expect("a whole journal");
    reconcile(&book, &payments, &issuer);
}

/// A line and what was asked on it without an answer yet.
struct Line {
    acquirer: Acquirer,
    in_hand: Mutex<HashMap<usize, Fields>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    Endless,
    WhatIsPending,
}

async fn load(lines: &[Line], book: &Book, load: Load) {
    let workers = lines.iter().flat_map(|line| (0..IN_FLIGHT_PER_LINE).map(move |_| line));
    join_all(workers.map(|line| work(line, book, load))).await;
}

async fn work(line: &Line, book: &Book, load: Load) {
    loop {
        let pending = book.pending.lock().pop();
        let (request, tries) = match (pending, load) {
            (Some(pending), _) => pending,
            (None, Load::WhatIsPending) => return,
            (None, Load::Endless) => (new_request(line, book), Tries::None),
        };
        let number = book.asked.fetch_add(1, Ordering::Relaxed);
        line.in_hand.lock().insert(number, request.clone());
        let answer = match tries {
            Tries::None => line.acquirer.request("0200", &request).await,
            Tries::Some => {
                book.repeats.fetch_add(1, Ordering::Relaxed);
                line.acquirer.repeat("0200", &request).await
            }
        };
        // What got no answer stays in hand; the next life repeats it.
        let Ok(answer) = answer else { return };
        line.in_hand.lock().remove(&number);
        match NOT_KEPT.contains(&answer.response_code()) {
            true => book.pending.lock().push((request, Tries::Some)),
            false => book.answered.lock().push((request, answer)),
        }
    }
}

/// Nine of ten approve; the rest declines, is silent or late. The RRN makes each key its own.
fn new_request(line: &Line, book: &Book) -> Fields {
    let number = book.asked.load(Ordering::Relaxed);
    let minor = match number % 20 {
        7 => 10_051,
        11 => 10_068,
        17 => 10_069,
        _ => 10_000,
    };
    // Lines match answers by STAN, and each life's lines would count from 1 again.
    let unique = NEXT_RRN.fetch_add(1, Ordering::Relaxed);
    let request = line.acquirer.payment(&card_order(minor));
    request.with(37, format!("{unique:012}")).with(11, format!("{:06}", unique % 1_000_000))
}

static NEXT_RRN: AtomicUsize = AtomicUsize::new(1);

fn reconcile(book: &Book, payments: &HashMap<PaymentId, Payment>, issuer: &IssuerHandle) {
    let by_folio: HashMap<Folio, &Payment> =
        payments.values().map(|payment| (payment.folio, payment)).collect();
    assert_eq!(by_folio.len(), payments.len(), "each folio is one payment's");
    let keys: HashSet<IdempotencyKey> =
        payments.values().map(|payment| payment.request.key).collect();
    assert_eq!(keys.len(), payments.len(), "each key is one payment's");

    let answered = book.answered.lock();
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for (request, answer) in answered.iter() {
        let folio: Folio = answer.folio().parse().expect("a folio");
        let payment = by_folio.get(&folio).expect("an acknowledged payment is in the journal");
        let code = answer.response_code();
        assert_eq!(
            payment.request.trace.rrn.as_str(),
            request.text(37),
            "{folio} was answered {code} to this very request"
        );
        let expected = match answer.response_code() {
            "00" => PaymentState::Approved,
            "51" => PaymentState::Declined,
            "68" => PaymentState::Reversed,
            other => panic!("unexpected answer {other} to {request:?}"),
        };
        assert_eq!(payment.state, expected, "{folio} was told {}", answer.response_code());
        *told
            .entry(match answer.response_code() {
                "00" => "approved",
                "51" => "declined",
                _ => "unknown",
            })
            .or_default() += 1;
    }
    for effect in issuer.truth() {
        let folio: Folio = effect.rrn.as_str().parse().expect("a folio");
        let payment = by_folio.get(&folio).expect("nothing was sent without a durable intent");
        let wanted = i64::from(payment.state == PaymentState::Approved);
        assert_eq!(net_debits(&effect), wanted, "{folio} is {}", payment.state.name());
    }
    let states = payments.values().fold(BTreeMap::<&str, usize>::new(), |mut all, payment| {
        *all.entry(payment.state.name()).or_default() += 1;
        all
    });
    println!(
        "{KILLS} kills, {} payments in the journal {states:?}, {} answers {told:?}, {} repeats",
        payments.len(),
        answered.len(),
        book.repeats.load(Ordering::Relaxed)
    );
    assert!(KILLS < payments.len(), "there was a load");
}

/// Every payment, folded from the journal's files.
fn journal(dir: &Path) -> HashMap<PaymentId, Payment> {
    let mut payments: HashMap<PaymentId, Payment> = HashMap::new();
    for record in storage::verify::records(dir) {
        let (_, record) = record.expect("a whole journal");
        let Some(id) = record.payment() else { continue };
        match Payment::begin(&record) {
            Some((payment, _)) => {
                let earlier = payments.insert(id, payment);
                assert!(earlier.is_none(), "{id} begins once");
            }
            None => {
                let payment = payments.get_mut(&id).expect("an intent comes first");
                payment.apply(&record).expect("a legal step");
            }
        }
    }
    payments
}

async fn connect(address: SocketAddr) -> Vec<Line> {
    let mut lines = Vec::new();
    for _ in 0..LINES {
        let acquirer = eventually("the switch to be up", async || {
            let settings =
                AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
            Acquirer::connect(address, settings).await.ok()
        });
        lines.push(Line { acquirer: acquirer.await, in_hand: Mutex::default() });
    }
    lines
}

/// Where a process of its own listens.
#[derive(Clone, Copy)]
pub struct Ports {
    pub http: SocketAddr,
    pub iso8583: SocketAddr,
    pub admin: SocketAddr,
}

/// Ports that nobody has.
pub fn free_ports() -> Ports {
    let listeners = [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [http, iso8583, admin] =
        listeners.map(|listener| listener.local_addr().expect("an address"));
    Ports { http, iso8583, admin }
}

/// The configuration of a switch on a folder, as a file in it.
pub fn write_config(dir: &Path, issuer: &IssuerHandle, ports: Ports) -> std::path::PathBuf {
    let text = include_str!("harness.toml")
        .replace("@issuer@", &issuer.addr().to_string())
        .replacen("127.0.0.1:0", &ports.http.to_string(), 1)
        .replacen("127.0.0.1:0", &ports.iso8583.to_string(), 1)
        .replacen("127.0.0.1:0", &ports.admin.to_string(), 1);
    let file = dir.join("kill.toml");
    std::fs::write(&file, format!("{text}\n[data]\ndir = \"{}\"\n", dir.display()))
        .expect("a file");
    file
}

/// Days ahead or behind in one of three lives; the next start finds it so.
fn wrong_clock(random: &mut StdRng) -> i64 {
    match random.random_range(0..3) {
        0 => random.random_range(-10..10) * 86_400,
        _ => 0,
    }
}

fn start(config: &Path, clock: &FakeClock) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cauce"));
    let variables = clock.environment();
    command.envs(variables.iter().filter_map(|variable| variable.split_once('=')));
    command.arg("serve").arg("--config").arg(config);
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    command.spawn().expect("the program")
}
