//! The load harness against a real switch.

use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use loadtest::audit::client::{self, ClientClaim};
use loadtest::audit::issuer::IssuerTruth;
use loadtest::audit::journal::Journal;
use loadtest::audit::{Evidence, audit};
use loadtest::drive::api::ApiKey;
use loadtest::drive::ready::{self, NotReady, WaitLimits};
use loadtest::drive::record::Meaning;
use loadtest::drive::{DriveSettings, Entrance, Keep, Run, drive};
use loadtest::report::Report;
use loadtest::simulator::issuer::{
    Issuer, IssuerHandle, IssuerSettings, Latency, Profile, Verdict,
};
use loadtest::workload::Workload;
use loadtest::workload::schedule::Pace;
use router::money::Currency;
use router::payment::PaymentState;
use switch::keys::{self, Role};
use tokio_util::sync::CancellationToken;

use crate::harness::{ACQUIRER, House, PATIENCE, card_order, issuer_with, start_app};

/// No approval is as slow as this.
const NEVER_SLOW: Duration = Duration::from_secs(600);

fn settings(target: SocketAddr, entrance: Entrance, shares: &str) -> DriveSettings {
    DriveSettings {
        target,
        entrance,
        pace: Pace::Constant { per_second: 100 },
        duration: Duration::from_secs(1),
        connections: 16,
        in_flight: 32,
        slow_after: NEVER_SLOW,
        answer_deadline: PATIENCE,
        workload: Workload {
            seed: 5,
            shares: shares.parse().expect("shares"),
            processing_code: "000000".to_owned(),
            currency: Currency::from_code("VES").expect("a currency"),
            major_min: 10,
            major_max: 500,
            biller: Some("isp-ve".to_owned()),
            bin: "400000".to_owned(),
            clients: 0,
        },
        keep: Keep::Answers,
    }
}

fn http(house: &House, shares: &str) -> DriveSettings {
    let key = keys::create(house.dir.path(), Role::Biller, "isp-ve").expect("a key");
    let api_key = ApiKey::new(&key).expect("a key of one line");
    settings(house.app.addresses.http, Entrance::Http { api_key }, shares)
}

fn lines(target: SocketAddr, acquirer_id: &str) -> DriveSettings {
    let acquirer_id = acquirer_id.to_owned();
    settings(target, Entrance::Iso8583 { acquirer_id }, "")
}

async fn load(settings: &DriveSettings) -> Run {
    drive(settings.clone(), &CancellationToken::new(), |_| {}).await.expect("a run")
}

/// The journal of a switch that has stopped, as the program exports it.
fn journal(data: &Path) -> Journal {
    let export = Command::new(env!("CARGO_BIN_EXE_cauce"))
        .args(["journal", "export", "--format", "json", "--data"])
        .arg(data)
        .stderr(Stdio::null())
        .output()
        .expect("the program");
    assert!(export.status.success(), "{}", export.status);
    Journal::read(BufReader::new(export.stdout.as_slice())).expect("an export")
}

/// Waits until whatever the client heard is unknown is undone.
async fn wait_for_rest(house: &House, claims: &[ClientClaim]) {
    let unknown = claims.iter().filter(|claim| claim.response_code.as_deref() == Some("68"));
    for claim in unknown {
        let folio = claim.folio.as_deref().expect("a folio");
        let payment = house.payment(folio).await;
        house.wait_for_state(payment.id, PaymentState::Reversed).await;
    }
}

#[tokio::test]
async fn declines_and_time_outs_over_the_json_api_are_told_apart_and_pass_the_audit() {
    let house = House::start().await;
    let settings = http(&house, "declines=20,silents=5,lates=5,duplicates=10");
    let run = load(&settings).await;
    let counts = run.recorder.counts;
    assert_eq!((run.planned, counts.sent + counts.unsent), (100, 100));
    assert_eq!((counts.no_answer, counts.line_lost, counts.slow), (0, 0, 0));
    assert_eq!((counts.declined_unplanned, counts.lost_unplanned), (0, 0));
    assert_eq!((counts.repeats_differ, counts.repeats_lost), (0, 0));
    assert!(counts.approved > 0 && counts.declined > 0 && counts.unknown > 0, "{counts:?}");
    assert!(counts.repeats > 0, "{counts:?}");
    for answer in run.answers() {
        let expected = match settings.workload.verdict(answer.index.into()) {
            Verdict::Approve => Meaning::Approved,
            Verdict::Decline(code) => {
                assert_eq!(answer.response_code, code);
                Meaning::Declined
            }
            Verdict::Silent | Verdict::Late => Meaning::Unknown,
        };
        assert_eq!(Meaning::of(answer.response_code), expected, "payment {}", answer.index);
    }
    let report = Report::new(&settings, &run);
    let told = |status| report.answers.iter().filter(move |a| a.http_status == Some(status));
    assert!(told(402).any(|answer| answer.reason == "insufficient_funds"), "{report:?}");
    assert_eq!(told(202).map(|answer| answer.count).sum::<u64>(), counts.unknown);
    let claims = client::claims(&run, &settings);
    wait_for_rest(&house, &claims).await;
    let data = house.dir.path().to_owned();
    let mut issuers = IssuerTruth::default();
    let (_dir, issuer) = house.stop().await;
    issuers.add_effects("bank-b", &issuer.truth());
    let journal = journal(&data);
    let keys = claims.iter().filter(|claim| journal.payments.iter().any(|p| p.rrn == claim.rrn));
    assert_eq!(keys.count(), claims.len(), "each request is found by its key");
    let evidence = Evidence { claims, journal, issuers, notices: None };
    assert_eq!(audit(&evidence), []);
}

#[tokio::test]
async fn a_slow_answer_is_an_approval_and_is_counted_as_slow() {
    let latency = Duration::from_millis(150);
    let profile = Profile { latency: Latency::Fixed(latency), ..Profile::default() };
    let issuer = issuer_with(profile).await;
    let dir = tempfile::tempdir().expect("a folder");
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let slow_after = Duration::from_millis(100);
    let run = load(&DriveSettings { slow_after, ..http(&house, "") }).await;
    let counts = run.recorder.counts;
    assert_eq!((counts.slow, counts.no_answer), (counts.approved, 0));
    assert!(counts.approved > 0, "{counts:?}");
    // In microseconds, three digits exact. A refusal, which a loaded machine may bring about, is fast.
    let slow = run.recorder.from_planned.count_between(149_000, u64::MAX);
    assert!(slow >= counts.approved, "{slow} of {counts:?}");
}

#[tokio::test]
async fn a_client_that_gives_up_has_no_answer_and_measures_from_the_planned_instant() {
    let house = House::start().await;
    let answer_deadline = Duration::from_millis(100);
    let settings = DriveSettings { answer_deadline, ..http(&house, "silents=100") };
    // Two connections for ten payments a tenth of a second: most wait for their turn.
    let run = load(&DriveSettings { connections: 2, ..settings }).await;
    let counts = run.recorder.counts;
    assert_eq!((counts.approved, counts.no_answer), (0, counts.sent));
    assert!(counts.unsent > 0, "{counts:?}");
    assert_eq!(run.recorder.from_planned.len(), 100, "what was never sent counts, too");
    let waited = run.recorder.from_planned.value_at_quantile(0.5);
    assert!(waited > 150_000, "the median is {waited} µs");
}

#[tokio::test]
async fn a_wrong_key_is_told_by_the_reason_of_the_refusal() {
    let house = House::start().await;
    let api_key = ApiKey::new("cauce_unknown").expect("a key of one line");
    let settings = settings(house.app.addresses.http, Entrance::Http { api_key }, "");
    let refused = wait(&settings, None, PATIENCE).await.expect_err("a refusal");
    let text = chain(&refused);
    assert!(text.contains("401") && text.contains("operator_unauthorised"), "{text}");
}

#[tokio::test]
async fn a_refused_sign_on_is_told_by_its_reason() {
    let house = House::start().await;
    let settings = lines(house.app.addresses.iso8583, "00000000099");
    let refused = wait(&settings, None, PATIENCE).await.expect_err("a refusal");
    let text = chain(&refused);
    for part in ["00000000099", "(DE32)", "DE39 63", "5001 operator_unauthorised"] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn an_http_address_is_no_line_and_a_line_is_no_http_address() {
    let house = House::start().await;
    let addresses = &house.app.addresses;
    let settings = lines(addresses.http, ACQUIRER);
    let refused = wait(&settings, None, PATIENCE).await.expect_err("no line");
    assert!(chain(&refused).contains("HTTP/1.1 400"), "{}", chain(&refused));
    let other = DriveSettings { target: addresses.iso8583, ..http(&house, "") };
    // A line closes what is no frame of its own, as a switch that starts may: it is tried again.
    let refused = wait(&other, None, Duration::from_secs(1)).await.expect_err("no HTTP");
    assert!(chain(&refused).contains("the connection was closed"), "{}", chain(&refused));
}

#[tokio::test]
async fn a_load_begins_once_the_switch_has_its_line_to_the_hosted_bank() {
    let House { app, issuer, dir: _dir } = House::start().await;
    let listen = issuer.addr();
    issuer.stop().await.expect("an end");
    let issuer = Issuer::start(IssuerSettings { listen, ..IssuerSettings::new("bank-b") }).await;
    let issuer = issuer.expect("an issuer");
    let settings = lines(app.addresses.iso8583, ACQUIRER);
    wait(&settings, Some(&issuer), PATIENCE).await.expect("a line");
    let run = load(&settings).await;
    assert_eq!((run.recorder.counts.declined, run.recorder.counts.unknown), (0, 0));
    assert!(run.recorder.counts.approved > 0);
}

#[tokio::test]
async fn a_bank_that_the_switch_does_not_call_is_told() {
    let house = House::start().await;
    let stranger = Issuer::start(IssuerSettings::new("bank-x")).await.expect("an issuer");
    let settings = lines(house.app.addresses.iso8583, ACQUIRER);
    let patience = Duration::from_millis(500);
    let refused = wait(&settings, Some(&stranger), patience).await.expect_err("no line");
    assert!(matches!(refused, NotReady::NoLineToBank { .. }), "{refused:?}");
    assert!(refused.to_string().contains(&stranger.addr().to_string()), "{refused}");
}

#[tokio::test]
async fn folios_that_start_anew_with_an_empty_data_folder_are_paid_by_the_same_bank() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (_, first) = bank.pay(&card_order(50_000)).await.expect("an answer");
    drop(bank);
    let (_old, issuer) = house.stop().await;
    let dir = tempfile::tempdir().expect("a folder");
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let (_, again) = house.bank().await.pay(&card_order(50_000)).await.expect("an answer");
    assert_eq!(again.folio(), first.folio());
    assert!(first.is_approved() && again.is_approved(), "{again:?}");
}

async fn wait(
    settings: &DriveSettings,
    bank: Option<&IssuerHandle>,
    patience: Duration,
) -> Result<(), NotReady> {
    let limits = WaitLimits { switch: patience, line: patience };
    ready::wait(settings, bank, limits, &CancellationToken::new(), |_| {}).await
}

fn chain(error: &NotReady) -> String {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
