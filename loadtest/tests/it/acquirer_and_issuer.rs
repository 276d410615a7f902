//! An acquirer's line straight to a simulated issuer: what magic amounts do, seen from outside.

use std::time::Duration;

use loadtest::simulator::acquirer::{Acquirer, AcquirerError, AcquirerSettings, Fields, Order};
use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings, Latency, Mood, Profile};
use router::money::{Currency, Money};

fn order(minor: i64, rrn: &str) -> Order {
    let currency = Currency::from_code("MXN").unwrap();
    let mut order = Order::card(Money::new(minor, currency), "isp-ve");
    order.extra.set(37, rrn);
    order
}

async fn bank(settings: IssuerSettings) -> (IssuerHandle, Acquirer) {
    let issuer = Issuer::start(settings).await.unwrap();
    let line = AcquirerSettings::new("700001");
    let acquirer = Acquirer::connect(issuer.addr(), line).await.unwrap();
    (issuer, acquirer)
}

async fn plain_bank() -> (IssuerHandle, Acquirer) {
    let late_after = Duration::from_millis(30);
    bank(IssuerSettings { late_after, ..IssuerSettings::new("bank-a") }).await
}

const RRN: &str = "000000000042";

#[tokio::test]
async fn the_amount_says_what_the_bank_answers() {
    let (issuer, acquirer) = plain_bank().await;
    for (minor, code) in [(50_000, "00"), (50_005, "05"), (50_051, "51"), (50_054, "54")] {
        let (_, answer) = acquirer.pay(&order(minor, &format!("{minor:012}"))).await.unwrap();
        assert_eq!((answer.mti.as_str(), answer.response_code()), ("0210", code));
        assert_eq!(answer.authorisation().len(), if code == "00" { 6 } else { 0 });
    }
    let debited: Vec<_> = issuer.truth().iter().map(|effect| effect.debits).collect();
    assert_eq!(debited, [1, 0, 0, 0]);
}

#[tokio::test]
async fn the_authorisation_is_a_function_of_seed_and_reference() {
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let settings = IssuerSettings { seed, ..IssuerSettings::new("bank-a") };
        let (_issuer, acquirer) = bank(settings).await;
        let (_, answer) = acquirer.pay(&order(100, RRN)).await.unwrap();
        seen.push(answer.authorisation().to_owned());
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
}

#[tokio::test]
async fn silence_debits_and_only_a_reversal_undoes_it() {
    let (issuer, acquirer) = plain_bank().await;
    let request = acquirer.payment(&order(50_068, RRN));
    acquirer.send("0200", &request).await.unwrap();
    acquirer.send("0201", &request).await.unwrap();
    // Answers of one line come in the order of its requests: what the echo overtakes is silence.
    assert!(acquirer.echo().await.unwrap().is_approved());
    assert_eq!(issuer.truth()[0].debits, 1);
    let inquiry = acquirer.inquiry_about(&request);
    assert!(acquirer.request("0200", &inquiry).await.unwrap().is_approved());
    let reversal = acquirer.reversal_of(&request);
    let answer = acquirer.request("0420", &reversal).await.unwrap();
    assert_eq!((answer.mti.as_str(), answer.response_code()), ("0430", "00"));
    assert!(acquirer.repeat("0420", &reversal).await.unwrap().is_approved());
    let effect = issuer.truth()[0];
    assert_eq!((effect.debits, effect.reversals, effect.repeats), (1, 1, 1));
    assert_eq!(issuer.counts().not_understood, 0);
}

#[tokio::test]
async fn a_late_answer_comes_after_the_reversal_and_still_says_yes() {
    let (issuer, acquirer) = plain_bank().await;
    let request = acquirer.payment(&order(50_069, RRN));
    acquirer.send("0200", &request).await.unwrap();
    let reversal = acquirer.reversal_of(&request);
    assert!(acquirer.request("0420", &reversal).await.unwrap().is_approved());
    let late = acquirer.unmatched().await.unwrap();
    assert_eq!((late.mti.as_str(), late.response_code(), late.folio()), ("0210", "00", RRN));
    let effect = issuer.truth()[0];
    assert_eq!((effect.debits, effect.reversals), (1, 1));
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_again() {
    let (issuer, acquirer) = plain_bank().await;
    let (request, first) = acquirer.pay(&order(50_000, RRN)).await.unwrap();
    let again = acquirer.repeat("0200", &request).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(issuer.truth().len(), 1);
    assert_eq!(issuer.counts().repeats, 1);
}

#[tokio::test]
async fn a_reversal_that_overtakes_its_original_makes_it_declined() {
    let (issuer, acquirer) = plain_bank().await;
    let request = acquirer.payment(&order(50_000, RRN));
    let reversal = acquirer.reversal_of(&request);
    let unknown = acquirer.request("0420", &reversal).await.unwrap();
    assert_eq!(unknown.response_code(), "25");
    let overtaken = acquirer.request("0200", &request).await.unwrap();
    assert_eq!(overtaken.response_code(), "17");
    assert_eq!(issuer.truth()[0].debits, 0);
}

#[tokio::test]
async fn an_answer_can_come_twice_and_out_of_order() {
    let profile = Profile { twice: 10_000, ..Profile::default() };
    let (_issuer, acquirer) =
        bank(IssuerSettings { profile, ..IssuerSettings::new("bank-a") }).await;
    let (_, first) = acquirer.pay(&order(50_000, RRN)).await.unwrap();
    assert_eq!(acquirer.unmatched().await.unwrap(), first);

    let profile = Profile { out_of_order: 10_000, ..Profile::default() };
    let (_issuer, acquirer) =
        bank(IssuerSettings { profile, ..IssuerSettings::new("bank-a") }).await;
    let request = acquirer.payment(&order(50_000, RRN));
    acquirer.send("0200", &request).await.unwrap();
    let echo = acquirer.echo().await.unwrap();
    assert!(echo.is_approved(), "the echo overtakes the answer");
    assert_eq!(acquirer.unmatched().await.unwrap().fields.text(11), request.text(11));
}

#[tokio::test]
async fn latency_is_at_least_what_the_profile_says() {
    let wanted = Duration::from_millis(20);
    let profile = Profile { latency: Latency::Fixed(wanted), ..Profile::default() };
    let (_issuer, acquirer) =
        bank(IssuerSettings { profile, ..IssuerSettings::new("bank-a") }).await;
    let start = std::time::Instant::now();
    acquirer.pay(&order(50_000, RRN)).await.unwrap();
    assert!(start.elapsed() >= wanted);
}

#[tokio::test]
async fn an_approval_can_be_told_as_one_of_half_the_amount() {
    let profile = Profile { contradicting: 10_000, ..Profile::default() };
    let (issuer, acquirer) =
        bank(IssuerSettings { profile, ..IssuerSettings::new("bank-a") }).await;
    let (request, answer) = acquirer.pay(&order(50_000, RRN)).await.unwrap();
    assert!(["00", "10"].contains(&answer.response_code()));
    assert_eq!(answer.fields.text(4), "000000025000");
    assert_eq!(issuer.truth()[0].amount_minor, 50_000, "debited in full");
    let repeat = acquirer.repeat("0200", &request).await.unwrap();
    assert_eq!((repeat.response_code(), repeat.fields.text(4)), ("00", "000000050000"));
}

#[tokio::test]
async fn a_dropped_line_leaves_the_debit_behind() {
    let profile = Profile { line_drop: 10_000, ..Profile::default() };
    let (issuer, acquirer) =
        bank(IssuerSettings { profile, ..IssuerSettings::new("bank-a") }).await;
    let lost = acquirer.pay(&order(50_000, RRN)).await;
    assert!(matches!(lost, Err(AcquirerError::Closed)), "{lost:?}");
    assert!(acquirer.closed().await);
    assert_eq!(issuer.truth()[0].debits, 1);
}

#[tokio::test]
async fn a_deaf_bank_says_nothing_until_it_works_again() {
    let settings = IssuerSettings::new("bank-a");
    let issuer = Issuer::start(settings).await.unwrap();
    let deadline = Duration::from_millis(30);
    let line = AcquirerSettings { deadline, ..AcquirerSettings::new("700001") };
    let acquirer = Acquirer::connect(issuer.addr(), line).await.unwrap();
    issuer.set_mood(Mood::Deaf);
    assert!(matches!(acquirer.echo().await, Err(AcquirerError::NoAnswer { .. })));
    issuer.set_mood(Mood::Working);
    assert!(acquirer.echo().await.is_ok());
    issuer.set_mood(Mood::HangingUp);
    assert!(matches!(acquirer.echo().await, Err(AcquirerError::Closed)));
}

#[tokio::test]
async fn garbage_is_counted_and_the_line_survives() {
    let (issuer, acquirer) = plain_bank().await;
    acquirer.send_raw(*b"\x00\x05hello").await.unwrap();
    acquirer.send("0600", &Fields::new().with(11, "000001")).await.unwrap();
    assert!(acquirer.echo().await.unwrap().is_approved());
    assert_eq!(issuer.counts().not_understood, 2);
    assert!(acquirer.sign_off().await.unwrap().is_approved());
}

#[tokio::test]
async fn the_log_tells_what_the_bank_saw_and_no_card_number() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("issuer.jsonl");
    let settings = IssuerSettings { truth: Some(truth.clone()), ..IssuerSettings::new("bank-a") };
    let (issuer, acquirer) = bank(settings).await;
    let (request, _) = acquirer.pay(&order(50_051, RRN)).await.unwrap();
    acquirer.request("0420", &acquirer.reversal_of(&request)).await.unwrap();
    issuer.stop().await.unwrap();
    let text = std::fs::read_to_string(truth).unwrap();
    assert!(!text.contains(loadtest::simulator::acquirer::TEST_CARD));
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["mti"], &lines[0]["answer"]), (&"0200".into(), &"51".into()));
    assert_eq!((&lines[1]["mti"], &lines[1]["answer"]), (&"0420".into(), &"00".into()));
    assert_eq!(lines[0]["payment"], RRN);
    assert_eq!(lines[0]["amount"], serde_json::json!({"currency": "MXN", "minor": 50_051}));
}
