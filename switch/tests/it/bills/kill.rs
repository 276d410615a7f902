//! `kill -9` at random instants while bills are registered, paid, reversed, changed and projected: what
//! was acknowledged is there, and bills, ledger, notices and rows agree, in both engines.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use loadtest::simulator::issuer::IssuerHandle;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use router::id::PaymentId;
use router::message::Rail;
use router::payment::{Payment, PaymentState};
use serde_json::{Value, json};
use storage_backoffice::payment_row::PaymentRow;
use storage_backoffice::{Backoffice, BackofficeLocation, BackofficeSettings};
use switch::keys::{self, Role};
use tempfile::TempDir;

use super::{bill, ves};
use crate::api::{Api, Reply, card_payment};
use crate::harness::{eventually, issuer};
use crate::kill::{Ports, free_ports, write_config};

const KILLS: usize = 100;
const WORKERS: usize = 8;
const PART: i64 = 1_000;

/// What was asked, and what the switch has acknowledged.
#[derive(Default)]
struct Book {
    next: AtomicU64,
    /// Ids of acknowledged bills, by number.
    bills: Mutex<BTreeMap<String, String>>,
    /// Bills whose registration got no answer.
    unsure: Mutex<Vec<Value>>,
    /// Payments that got no answer: key and body.
    pending: Mutex<Vec<(String, Value)>>,
    /// Acknowledged approvals.
    approved: Mutex<Vec<String>>,
    /// Acknowledged external payments: bill and id.
    external: Mutex<Vec<(String, String)>>,
    /// Acknowledged changes: bill and version.
    versions: Mutex<HashMap<String, u64>>,
}

impl Book {
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn some_bill(&self, random: &mut StdRng) -> Option<(String, String)> {
        let bills = self.bills.lock();
        let at = random.random_range(0..bills.len().max(1));
        bills.iter().nth(at).map(|(number, id)| (number.clone(), id.clone()))
    }
}

/// Asks, but not for ever: the switch may be killed at any instant.
async fn asked(api: &Api, method: Method, path: &str, key: &str, body: &Value) -> Option<Reply> {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let headers = if key.is_empty() { &headers[..1] } else { &headers };
    let body = body.to_string();
    api.try_send(method, path, headers, body.as_bytes()).await
}

async fn work(api: &Api, book: &Book, mut random: StdRng) {
    loop {
        let done = match random.random_range(0..10) {
            0 | 1 => register(api, book, &mut random).await,
            2..=5 => pay(api, book, &mut random).await,
            6 => reverse(api, book, &mut random).await,
            7 => amend(api, book, &mut random).await,
            8 => say_external(api, book, &mut random).await,
            _ => undo_external(api, book, &mut random).await,
        };
        // A line that fell: the switch is gone, or is about to be.
        if done.is_none() {
            return;
        }
    }
}

async fn register(api: &Api, book: &Book, random: &mut StdRng) -> Option<()> {
    let unsure = book.unsure.lock().pop();
    let body = unsure.unwrap_or_else(|| {
        // Every third bill is paid elsewhere alone.
        let kind = if random.random_range(0..3) == 0 { "E" } else { "F" };
        let mut body = bill(&format!("{kind}-{}", book.number()), 5 * PART);
        body["allow_partial"] = json!(true);
        body
    });
    book.unsure.lock().push(body.clone());
    let reply = asked(api, Method::POST, "/v1/bills", "", &body).await?;
    let id = match reply.status {
        201 => reply.text("/id"),
        409 => reply.text("/bill/id"),
        503 => return Some(()),
        other => panic!("{other}: {reply:?}"),
    };
    book.unsure.lock().retain(|other| other != &body);
    let number = body["bill_no"].as_str().expect("a number").to_owned();
    book.bills.lock().insert(number, id.to_owned());
    Some(())
}

async fn pay(api: &Api, book: &Book, random: &mut StdRng) -> Option<()> {
    let pending = book.pending.lock().pop();
    let (key, body) = match pending {
        Some(pending) => pending,
        None => match book.some_bill(random).filter(|(number, _)| number.starts_with('F')) {
            Some((number, _)) => (format!("k-{}", book.number()), card_payment(PART, &number)),
            None => return Some(()),
        },
    };
    book.pending.lock().push((key.clone(), body.clone()));
    let reply = asked(api, Method::POST, "/v1/payments", &key, &body).await?;
    let is_decided =
        ![503, 202].contains(&reply.status) && reply.text("/code") != "payment_in_progress";
    if is_decided {
        book.pending.lock().retain(|(other, _)| *other != key);
    }
    if reply.status == 201 {
        book.approved.lock().push(reply.text("/id").to_owned());
    }
    Some(())
}

async fn reverse(api: &Api, book: &Book, random: &mut StdRng) -> Option<()> {
    let some = {
        let approved = book.approved.lock();
        approved.get(random.random_range(0..approved.len().max(1))).cloned()
    };
    let Some(payment) = some else { return Some(()) };
    asked(api, Method::POST, &format!("/v1/payments/{payment}/reverse"), "", &json!({}))
        .await
        .map(drop)
}

async fn amend(api: &Api, book: &Book, random: &mut StdRng) -> Option<()> {
    let Some((_, id)) = book.some_bill(random) else { return Some(()) };
    let path = format!("/v1/bills/{id}");
    let shown = asked(api, Method::GET, &path, "", &json!({})).await?;
    let Some(version) = shown.body["version"].as_u64() else { return Some(()) };
    let body = json!({"version": version, "metadata": {"n": version}});
    let changed = asked(api, Method::PATCH, &path, "", &body).await?;
    if changed.status == 200 {
        let mut versions = book.versions.lock();
        let least = versions.entry(id).or_default();
        *least = (*least).max(version + 1);
    }
    Some(())
}

async fn say_external(api: &Api, book: &Book, random: &mut StdRng) -> Option<()> {
    let Some((number, id)) = book.some_bill(random) else { return Some(()) };
    if !number.starts_with('E') {
        return Some(());
    }
    let reference = format!("R-{}", random.random_range(0..4));
    let body = json!({"method": "desk", "amount": ves(PART), "date": "2026-11-30", "reference": reference});
    let said =
        asked(api, Method::POST, &format!("/v1/bills/{id}/external-payments"), "", &body).await?;
    if said.status == 201 {
        book.external.lock().push((id, said.text("/id").to_owned()));
    }
    Some(())
}

async fn undo_external(api: &Api, book: &Book, random: &mut StdRng) -> Option<()> {
    let some = {
        let external = book.external.lock();
        external.get(random.random_range(0..external.len().max(1))).cloned()
    };
    let Some((bill, external)) = some else { return Some(()) };
    let path = format!("/v1/bills/{bill}/external-payments/{external}");
    asked(api, Method::DELETE, &path, "", &json!({})).await.map(drop)
}

/// What runs, and where it keeps what.
struct Site {
    dir: TempDir,
    config: PathBuf,
    ports: Ports,
    key: String,
    settings: BackofficeSettings,
    _issuer: IssuerHandle,
}

impl Site {
    async fn new(settings: impl FnOnce(&Path) -> (BackofficeSettings, String)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let issuer = issuer().await;
        let ports = free_ports();
        let config = write_config(dir.path(), &issuer, ports);
        let (settings, more) = settings(dir.path());
        let text = std::fs::read_to_string(&config).expect("a file");
        std::fs::write(&config, format!("{text}{more}")).expect("a file");
        let key = keys::create(dir.path(), Role::Biller, "isp-ve").expect("a key");
        Self { dir, config, ports, key, settings, _issuer: issuer }
    }

    fn cauce(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cauce"));
        command.args(words).arg("--config").arg(&self.config);
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        command
    }

    fn start(&self) -> Child {
        self.cauce(&["serve"]).spawn().expect("the program")
    }

    fn api(&self) -> Api {
        Api::at(self.ports.http, &self.key)
    }

    /// Waits until it serves bills.
    async fn up(&self) -> Api {
        let api = self.api();
        eventually("the switch to serve bills", async || {
            let reply = api.try_send(Method::GET, "/v1/bills?limit=1", &[], b"").await?;
            (reply.status == 200).then_some(())
        })
        .await;
        api
    }

    /// Every payment, folded from the journal's files.
    fn journal(&self) -> BTreeMap<PaymentId, Payment> {
        let mut payments: BTreeMap<PaymentId, Payment> = BTreeMap::new();
        for record in storage::verify::records(self.dir.path()) {
            let (_, record) = record.expect("a whole journal");
            let Some(id) = record.payment() else { continue };
            match Payment::begin(&record) {
                Some((payment, _)) => {
                    assert!(payments.insert(id, payment).is_none(), "{id} begins once");
                }
                None => {
                    let payment = payments.get_mut(&id).expect("an intent comes first");
                    payment.apply(&record).expect("a legal step");
                }
            }
        }
        payments
    }

    /// The rows of all payments, in the order of their ids.
    async fn rows(&self, payments: &BTreeMap<PaymentId, Payment>) -> Vec<PaymentRow> {
        let office = Backoffice::open(&self.settings).await.expect("a back office");
        let ids: Vec<PaymentId> = payments.keys().copied().collect();
        let mut rows = office.payment_rows(&ids).await.expect("rows");
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        office.close().await;
        rows
    }
}

fn stands(payment: &Payment) -> i64 {
    let is_approved = payment.state == PaymentState::Approved;
    if is_approved { payment.request.amount.minor } else { 0 }
}

async fn a_hundred_kills(site: Site) {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let book = Book::default();
    for _ in 0..KILLS {
        let mut switch = site.start();
        let _ = site.up().await;
        let life = Duration::from_millis(random.random_range(20..500));
        let workers = (0..WORKERS).map(|_| {
            let (random, book) = (StdRng::seed_from_u64(random.random()), &book);
            let api = site.api();
            async move { work(&api, book, random).await }
        });
        // The load runs until the switch is killed under it.
        tokio::time::timeout(life, join_all(workers)).await.ok();
        switch.kill().expect("a kill");
        switch.wait().expect("an end");
    }
    let mut switch = site.start();
    let api = site.up().await;
    let payments = eventually("every open payment to be resolved", async || {
        let payments = site.journal();
        payments.values().all(|payment| !payment.is_open()).then_some(payments)
    })
    .await;
    what_was_acknowledged_is_there(&api, &book, &payments).await;
    bills_and_ledger_agree(&api, &book, &payments).await;
    each_event_is_told_once(&api, &payments).await;
    switch.kill().expect("a kill");
    switch.wait().expect("an end");
    storage::verify::verify(site.dir.path()).expect("a whole journal");
    let payments = site.journal();
    let before = site.rows(&payments).await;
    assert!(site.cauce(&["backoffice", "rebuild"]).status().expect("the program").success());
    assert_eq!(site.rows(&payments).await, before, "rows made anew are the same");
    let by_id = payments.values().map(|payment| (payment.id.to_string(), payment));
    let by_id: HashMap<String, &Payment> = by_id.collect();
    assert_eq!(before.len(), by_id.len());
    for row in before {
        let payment = by_id[&row.id];
        assert_eq!((row.state.as_str(), row.stands_minor), (payment.state.name(), stands(payment)));
    }
    println!(
        "{KILLS} kills, {} bills, {} payments, {} external",
        book.bills.lock().len(),
        payments.len(),
        book.external.lock().len()
    );
    assert!(KILLS / 2 < payments.len(), "there was a load");
}

async fn what_was_acknowledged_is_there(
    api: &Api,
    book: &Book,
    payments: &BTreeMap<PaymentId, Payment>,
) {
    for id in book.approved.lock().iter() {
        let payment = &payments[&id.parse::<PaymentId>().expect("an id")];
        assert!(payment.was_approved(), "{id} was told as approved");
    }
    for (_, id) in book.external.lock().iter() {
        let id = id.replace("ext_", "pay_");
        let payment = &payments[&id.parse::<PaymentId>().expect("an id")];
        assert_eq!(payment.request.rail, Rail::External);
    }
    let versions = book.versions.lock().clone();
    for (id, version) in versions {
        let shown = api.get(&format!("/v1/bills/{id}")).await;
        let is_there = shown.body["version"].as_u64().is_some_and(|now| version <= now);
        assert!(is_there, "{id} had version {version}: {shown:?}");
    }
}

async fn bills_and_ledger_agree(api: &Api, book: &Book, payments: &BTreeMap<PaymentId, Payment>) {
    let mut paid: HashMap<String, i64> = HashMap::new();
    for payment in payments.values() {
        let number = payment.request.bill.expect("every payment is of a bill").to_string();
        *paid.entry(number).or_default() += stands(payment);
    }
    let bills = book.bills.lock().clone();
    for (number, id) in bills {
        let expected = paid.get(&number).copied().unwrap_or_default();
        assert!(expected <= 5 * PART, "{number} is paid beyond its amount: {expected}");
        eventually(&format!("{number} to agree with the ledger"), async || {
            let shown = api.get(&format!("/v1/bills/{id}")).await;
            (shown.status == 200 && shown.body["paid"] == ves(expected)).then_some(())
        })
        .await;
    }
}

async fn each_event_is_told_once(api: &Api, payments: &BTreeMap<PaymentId, Payment>) {
    let mut told: HashMap<(String, String), usize> = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/v1/events?limit=200{cursor}")).await;
        for event in page.body["data"].as_array().expect("a list") {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            *told.entry((text(&event["data"]["id"]), text(&event["type"]))).or_default() += 1;
        }
        match page.text("/next_cursor") {
            "" => break,
            next => cursor = format!("&cursor={next}"),
        }
    }
    for payment in payments.values() {
        let count = |kind: &str| told.get(&(payment.id.to_string(), kind.to_owned())).copied();
        if payment.was_approved() {
            assert_eq!(count("payment.approved"), Some(1), "{}", payment.id);
        }
        if payment.state == PaymentState::Reversed {
            assert_eq!(count("payment.reversed"), Some(1), "{}", payment.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_leave_bills_ledger_notices_and_rows_in_agreement_in_sqlite() {
    let site = Site::new(|data| (BackofficeSettings::in_folder(data), String::new()));
    a_hundred_kills(site.await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_leave_bills_ledger_notices_and_rows_in_agreement_in_postgresql() {
    let url = rig::shared_postgres().expect("a server").fresh_database().expect("a database");
    let settings = BackofficeSettings::at(BackofficeLocation::Server(url.as_str().into()));
    Backoffice::migrate(&settings).await.expect("a migrated database").close().await;
    let more = format!("[backoffice]\nurl = \"{url}\"\n");
    a_hundred_kills(Site::new(|_| (settings, more)).await).await;
}
