//! A configuration that changes while payments are under way.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings, Order};
use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings};
use router::id::ParticipantId;
use rustix::process::Signal;
use switch::config::{self, Config, Layers};
use switch::reload::{ReloadError, Taken};

use crate::harness::{CONFIG, House, PATIENCE, card_order, cash_order, eventually};
use crate::program::Site;

/// Times the configuration changes under load.
const CHANGES: usize = 100;

fn ids(names: &[&str]) -> Vec<ParticipantId> {
    names.iter().map(|name| ParticipantId::new(name).expect("an id")).collect()
}

/// The configuration of a house, changed by replacements, and with more behind it.
fn config(house: &House, changes: &[(&str, &str)], extra: &str) -> Config {
    let issuer = house.issuer.addr().to_string();
    let text = CONFIG.replace("@issuer@", &issuer);
    let changed = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} is there to be changed");
        text.replace(from, to)
    });
    let data = format!("data.dir={}", house.dir.path().display());
    let layers = Layers::compiled_in()
        .with_text("harness.toml", &changed)
        .and_then(|layers| layers.with_text("extra.toml", extra))
        .and_then(|layers| layers.with_set(&data));
    layers.and_then(|layers| config::load(&layers)).expect("a configuration")
}

/// bank-d, and all payments of the lender to it.
fn with_bank_d(house: &House, other: &IssuerHandle) -> Config {
    let routes = "[[routes]]\nrails = [\"account\", \"cash_float\"]\nto = [\"bank-b\"]";
    let of_each = "[[routes]]\nrails = [\"account\"]\nbillers = [\"isp-ve\"]\nto = [\"bank-b\"]\n\
                   [[routes]]\nrails = [\"cash_float\"]\nto = [\"bank-d\"]";
    let extra = format!(
        "[[participants]]\nid = \"bank-d\"\nconnect = \"{}\"\nresponse_timeout_ms = 2000\n",
        other.addr()
    );
    // bank-b itself is configured in another way, too.
    config(house, &[(routes, of_each), ("lines = 2", "lines = 3")], &extra)
}

async fn pay_on(line: &Acquirer, order: impl Fn(usize) -> Order, stop: &AtomicBool) -> Vec<String> {
    let mut folios = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let (_, answer) = line.pay(&order(folios.len())).await.expect("an answer");
        assert_eq!(answer.response_code(), "00", "{answer:?}");
        folios.push(answer.folio().trim().to_owned());
    }
    folios
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_changes_a_hundred_times_under_load_loses_and_misroutes_nothing() {
    let house = House::start().await;
    let settings =
        IssuerSettings { late_after: Duration::from_secs(3), ..IssuerSettings::new("bank-d") };
    let other = Issuer::start(settings).await.expect("an issuer");
    let (card, cash) = (house.bank().await, house.terminal("TERM0002").await);
    let stop = Arc::new(AtomicBool::new(false));
    let load = async {
        let of_card = pay_on(&card, |_| card_order(15_000), &stop);
        let of_cash =
            pay_on(&cash, |number| cash_order(&format!("C-{number}"), 2_000, 9_000_000), &stop);
        tokio::join!(of_card, of_cash)
    };
    let changes = async {
        for change in 0..CHANGES {
            let (config, expect) = match change % 2 {
                0 => (
                    with_bank_d(&house, &other),
                    Taken {
                        added: ids(&["bank-d"]),
                        changed: ids(&["bank-b"]),
                        removed: Vec::new(),
                    },
                ),
                _ => (
                    config(&house, &[], ""),
                    Taken {
                        added: Vec::new(),
                        changed: ids(&["bank-b"]),
                        removed: ids(&["bank-d"]),
                    },
                ),
            };
            let taken = house.app.reload.put_in_force(config).await.expect("taken in");
            assert_eq!(taken, expect);
        }
        stop.store(true, Ordering::Release);
    };
    let ((of_card, of_cash), ()) = tokio::join!(load, changes);
    println!("{} card payments, {} cash payments", of_card.len(), of_cash.len());
    assert!(of_card.len() > CHANGES && of_cash.len() > CHANGES, "there was load");
    // Each payment moved money once, at a bank that it was to go to.
    let (first, second) = (house.issuer.truth(), other.truth());
    for folio in of_card.iter().chain(&of_cash) {
        let is_it = |rrn: &str| rrn.trim_start_matches('0') == folio.trim_start_matches('0');
        let taken = first.iter().chain(&second).filter(|effect| is_it(effect.rrn.as_str()));
        let debits: Vec<_> = taken.map(|effect| (effect.debits, effect.reversals)).collect();
        assert_eq!(debits, [(1, 0)], "folio {folio}");
    }
    assert!(!second.is_empty(), "bank-d had its share");
    assert!(second.iter().all(|effect| effect.currency.as_str() == "484"), "pesos alone");
    assert_eq!(first.len() + second.len(), of_card.len() + of_cash.len(), "and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_that_is_configured_in_another_way_connects_again_and_one_taken_out_cannot() {
    let house = House::start().await;
    let sign_on = async || {
        let settings =
            AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new("00000000099") };
        Acquirer::connect(house.app.addresses.iso8583, settings).await
    };
    let reload = async |more: &str| {
        let extra = "[[participants]]\nid = \"bank-x\"\nacquirer_id = \"00000000099\"\n";
        let config = config(&house, &[], &format!("{extra}{more}"));
        house.app.reload.put_in_force(config).await.expect("taken in")
    };
    assert_eq!(reload("").await, Taken { added: ids(&["bank-x"]), ..Taken::default() });
    let line = sign_on().await.expect("a line");
    let tighter = "requests_max = 7\n";
    assert_eq!(reload(tighter).await, Taken { changed: ids(&["bank-x"]), ..Taken::default() });
    assert!(line.closed().await, "nothing was under way on its line");
    let line = sign_on().await.expect("a line");
    line.pay(&card_order(15_000)).await.expect("an answer");
    // What only the rules need leaves the line alone.
    let limited = format!("{tighter}currencies = [\"VES\"]");
    assert_eq!(reload(&limited).await, Taken::default());
    line.pay(&card_order(15_000)).await.expect("an answer");
    let without = house.app.reload.put_in_force(config(&house, &[], "")).await.expect("taken in");
    assert_eq!(without, Taken { removed: ids(&["bank-x"]), ..Taken::default() });
    assert!(line.closed().await);
    assert!(sign_on().await.is_err(), "nobody of this name is configured");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_one_participant_is_opened_moved_and_closed_while_the_switch_runs() {
    let house = House::start().await;
    let port = || {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("an address")
    };
    let (first, second) = (port(), port());
    let listening = |address: std::net::SocketAddr| {
        let entry = "acquirer_id = \"00000000013\"";
        config(&house, &[(entry, &format!("{entry}\nlisten = \"{address}\""))], "")
    };
    let sign_on = async |address| {
        let settings =
            AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new("00000000013") };
        Acquirer::connect(address, settings).await
    };
    assert!(sign_on(first).await.is_err(), "nobody listens yet");
    house.app.reload.put_in_force(listening(first)).await.expect("taken in");
    let line = sign_on(first).await.expect("a line");
    house.app.reload.put_in_force(listening(second)).await.expect("taken in");
    assert!(line.closed().await);
    assert!(sign_on(first).await.is_err(), "the address has moved");
    sign_on(second).await.expect("a line");
    // An address that somebody else has: nothing is changed.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let refused = house.app.reload.put_in_force(listening(taken.local_addr().unwrap())).await;
    assert!(matches!(refused, Err(ReloadError::Listen { .. })), "{refused:?}");
    sign_on(second).await.expect("a line as before");
    house.app.reload.put_in_force(config(&house, &[], "")).await.expect("taken in");
    assert!(sign_on(second).await.is_err(), "the address is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_is_taken_in_without_a_signal_and_one_with_mistakes_changes_nothing() {
    let issuer = crate::harness::issuer().await;
    let site = Site::new(issuer.addr(), "[reload]\nwatch_ms = 50");
    let mut running = site.start();
    running.listening().await;
    let file = site.root.path().join("site.toml");
    let text = fs::read_to_string(&file).expect("a file");
    let sign_on = async |acquirer: &'static str| {
        let settings = AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(acquirer) };
        Acquirer::connect(site.iso8583, settings).await
    };
    assert!(sign_on("00000000099").await.is_err());
    let bank = "[[participants]]\nid = \"bank-x\"\nacquirer_id = \"00000000099\"\n";
    fs::write(&file, format!("{text}\n{bank}")).expect("a file");
    let line =
        eventually("bank-x to be taken in", async || sign_on("00000000099").await.ok()).await;
    fs::write(&file, format!("{text}\n{bank}nonsense = 1\n")).expect("a file");
    let log = || fs::read_to_string(site.log()).expect("a log");
    eventually("the mistake to be told", async || log().contains("nonsense").then_some(())).await;
    line.pay(&card_order(15_000)).await.expect("an answer");
    fs::write(&file, &text).expect("a file");
    assert!(line.closed().await, "bank-x is taken out");
    let status = tokio::task::block_in_place(|| running.ended_by(Signal::TERM));
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(
        log().contains("a file has changed") && log().contains("removed=\"bank-x\""),
        "{}",
        log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_that_are_counted_are_those_of_the_configuration_in_force() {
    let issuer = crate::harness::issuer().await;
    let site = Site::new(issuer.addr(), "[reload]\nwatch_ms = 50");
    let mut running = site.start();
    site.bank().await;
    let file = site.root.path().join("site.toml");
    let text = fs::read_to_string(&file).expect("a file");
    let retired = || {
        let log = fs::read_to_string(site.log()).expect("a log");
        log.matches("its earlier configuration is out of service").count()
    };
    let counted = async |participant: &str| {
        let series = format!("cauce_participant_lines{{participant=\"{participant}\"}} ");
        let metrics = site.metrics().await;
        metrics.lines().find_map(|line| line.strip_prefix(&series).map(str::to_owned))
    };
    eventually("two lines to be counted", async || {
        (counted("bank-b").await.as_deref() == Some("2")).then_some(())
    })
    .await;
    fs::write(&file, text.replace("lines = 2", "lines = 3")).expect("a file");
    eventually("the two lines before to be gone", async || (retired() == 1).then_some(())).await;
    eventually("three lines to be counted", async || {
        (counted("bank-b").await.as_deref() == Some("3")).then_some(())
    })
    .await;
    // A participant that is taken out has none too few: nobody is to be woken for it.
    let entry = "[[participants]]\nid = \"bank-c\"\nacquirer_id = \"00000000013\"";
    let drawer = text.replace(entry, "").replace(", \"bank-c\"", "").replace("\"bank-c\"", "");
    fs::write(&file, drawer.replace("lines = 2", "lines = 3")).expect("a file");
    eventually("bank-c to be taken out", async || (retired() == 2).then_some(())).await;
    eventually("bank-c to be counted no more", async || {
        (counted("bank-c").await.as_deref() == Some("NaN")).then_some(())
    })
    .await;
    assert_eq!(counted("bank-b").await.as_deref(), Some("3"));
    let status = tokio::task::block_in_place(|| running.ended_by(Signal::TERM));
    assert_eq!(status.code(), Some(0), "{status}");
}
