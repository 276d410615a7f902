//! One business, two dialects: the same payments at a bank that speaks ISO 8583 and at one with a JSON
//! API leave the same journal, but for what names a request at its bank.

use std::time::Duration;

use http::Method;
use loadtest::simulator::issuer::{Issuer, IssuerSettings};
use router::id::PaymentId;
use router::payment::PaymentState;
use serde_json::{Value, json};

use crate::api::{Api, Reply, card_payment};
use crate::endpoint_events::journal;
use crate::harness::{House, eventually};
use crate::json_bank::{JsonHouse, SHORT_MS};

/// Members of a record that name requests, times and rules, and what each bank makes up itself.
const OF_ONE_BANK: [&str; 9] = [
    "sequence",
    "at",
    "folio",
    "participant",
    "participant_stan",
    "authorisation",
    "rules",
    "refund",
    "bank_reference",
];

async fn pay(house: &House, key: &str, minor: i64, state: &str) -> PaymentId {
    let reply = Api::of(house, "isp-ve").pay(key, &card_payment(minor, key)).await;
    assert_eq!(reply.text("/state"), state, "{key}: {reply:?}");
    reply.text("/id").parse().expect("an id")
}

async fn ask(house: &House, id: PaymentId, what: &str, minor: Option<i64>) -> Reply {
    let body = match minor {
        Some(minor) => json!({ "amount": { "currency": "VES", "minor": minor } }),
        None => json!({}),
    };
    let key = format!("{id}-{what}-{minor:?}");
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    let path = format!("/v1/payments/{id}/{what}");
    let api = Api::of(house, "isp-ve");
    let reply = api.send(Method::POST, &path, &headers, body.to_string().as_bytes()).await;
    assert!(reply.status < 300, "{what}: {reply:?}");
    reply
}

/// Once nothing is owed for a payment, so that records of two payments never stand between each other.
async fn at_rest(house: &House, id: PaymentId) {
    let store = &house.engine().store;
    eventually("a payment to be at rest", async || {
        let payment = store.payment(id).await.expect("the journal")?;
        (!payment.is_open()).then_some(())
    })
    .await;
}

/// The script; `late` has the bank tell of an approval that comes after the reversal.
async fn script(house: &House, late: impl AsyncFn(PaymentId)) {
    let first = pay(house, "k-1", 15_000, "approved").await;
    let again = Api::of(house, "isp-ve").pay("k-1", &card_payment(15_000, "k-1")).await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    pay(house, "k-2", 15_051, "declined").await;
    let silent = pay(house, "k-3", 15_068, "unknown").await;
    house.wait_for_state(silent, PaymentState::Reversed).await;
    let slow = pay(house, "k-4", 15_069, "unknown").await;
    house.wait_for_state(slow, PaymentState::Reversed).await;
    late(slow).await;
    let store = &house.engine().store;
    eventually("the late answer", async || {
        let payment = store.payment(slow).await.expect("the journal")?;
        (payment.late_answer.is_some() && payment.state == PaymentState::Reversed).then_some(())
    })
    .await;
    at_rest(house, slow).await;
    ask(house, first, "reverse", Some(4_000)).await;
    at_rest(house, first).await;
    ask(house, first, "reverse", None).await;
    house.wait_for_state(first, PaymentState::Reversed).await;
    let refunded = pay(house, "k-5", 20_000, "approved").await;
    for part in [Some(5_000), None] {
        assert_eq!(ask(house, refunded, "refunds", part).await.text("/state"), "done");
    }
    house.wait_for_state(refunded, PaymentState::Refunded).await;
}

/// Takes out what each bank makes up itself, wherever it stands.
fn forget(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.retain(|name, _| !OF_ONE_BANK.contains(&name.as_str()));
    members.values_mut().for_each(forget);
}

/// The records of a journal, payments named by their order.
fn records(house: &House) -> Vec<Value> {
    let mut payments: Vec<String> = Vec::new();
    let text = journal(house, &["export"]);
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let of_payments = rows.filter(|row| row.get("payment").is_some());
    let named = of_payments.map(|mut row| {
        forget(&mut row);
        let record = row.as_object_mut().expect("an object");
        let payment = record["payment"].as_str().expect("an id").to_owned();
        let known = payments.iter().position(|known| *known == payment);
        let number = known.unwrap_or_else(|| {
            payments.push(payment);
            payments.len() - 1
        });
        record.insert("payment".to_owned(), number.into());
        row
    });
    named.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_payments_leave_the_same_journal_whatever_their_bank_speaks() {
    // Its late approval comes by itself, long after the reversal.
    let settings =
        IssuerSettings { late_after: Duration::from_secs(4), ..IssuerSettings::new("bank-b") };
    let issuer = Issuer::start(settings).await.expect("an issuer");
    let lines = House::beside(issuer).await;
    script(&lines, async |_| {}).await;
    let api = JsonHouse::for_cards(SHORT_MS).await;
    script(&api.house, async |id| api.tell_approved(id, 15_069).await).await;
    let (by_lines, by_api) = (records(&lines), records(&api.house));
    assert!(by_lines.len() > 20, "{by_lines:#?}");
    for (line, api) in by_lines.iter().zip(&by_api) {
        assert_eq!(line, api);
    }
    assert_eq!(by_lines.len(), by_api.len());
}
