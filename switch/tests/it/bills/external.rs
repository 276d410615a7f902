//! What billers say was paid elsewhere of their bills: it counts once, and can be taken back.

use futures_util::future::join_all;
use loadtest::simulator::issuer::Mood;
use serde_json::{Value, json};

use super::{bill, events_of, house, patch, registered, ves};
use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, eventually};

fn desk(minor: i64, reference: &str) -> Value {
    json!({"method": "cash desk", "amount": ves(minor), "date": "2026-11-30", "reference": reference})
}

async fn said(api: &Api, id: &str, body: &Value) -> Reply {
    api.post(&format!("/v1/bills/{id}/external-payments"), body).await
}

async fn undone(api: &Api, id: &str, external: &str) -> Reply {
    api.delete(&format!("/v1/bills/{id}/external-payments/{external}")).await
}

/// The journal is whole and every balance in it is proved.
async fn verified(house: House) {
    let (dir, _) = house.stop().await;
    storage::verify::verify(dir.path()).expect("a whole journal");
}

#[tokio::test(flavor = "multi_thread")]
async fn u_16_a_payment_made_elsewhere_pays_the_bill_without_fee_and_is_undone_with_an_audit() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let first = said(&api, &id, &desk(15_000, "R-1")).await;
    assert_eq!((first.status, first.text("/bill/state")), (201, "paid_external"), "{first:?}");
    assert_eq!(
        (&first.body["bill"]["paid"], &first.body["bill"]["remaining"]),
        (&ves(15_000), &ves(0))
    );
    let external = first.text("/id").to_owned();
    assert!(external.starts_with("ext_"));
    let shown = api.get(&format!("/v1/payments/{}", external.replace("ext_", "pay_"))).await;
    assert_eq!((shown.text("/rail"), &shown.body["fees"]), ("external", &json!([])), "{shown:?}");
    let late = api.pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!((late.status, late.text("/code")), (409, "bill_already_paid"));
    for _ in 0..2 {
        let taken_back = undone(&api, &id, &external).await;
        assert_eq!((taken_back.status, taken_back.text("/bill/state")), (200, "open"));
        assert_eq!(taken_back.body["bill"]["paid"], ves(0));
    }
    let events = events_of(&api, &id).await;
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let expected = [
        "bill.registered",
        "external_payment.registered",
        "payment.declined",
        "external_payment.undone",
    ];
    assert_eq!(kinds, expected);
    for event in [&events[1], &events[3]] {
        assert!(event["actor"].as_str().is_some_and(|actor| actor.starts_with("key:")), "{event}");
        let detail = format!("{external}: cash desk, 2026-11-30, R-1");
        assert_eq!((&event["detail"], &event["channel"]), (&json!(detail), &json!("api")));
    }
    let paid = api.pay("k-2", &card_payment(15_000, "F-1")).await;
    assert_eq!(paid.status, 201, "what was taken back is payable again: {paid:?}");
    verified(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_external_payment_counts_once_however_often_and_together_it_is_said() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut body = bill("F-1", 15_000);
    body["allow_partial"] = json!(true);
    let id = registered(&api, &body).await;
    let body = desk(5_000, "R-1");
    let together = join_all((0..10).map(|_| said(&api, &id, &body))).await;
    let first = said(&api, &id, &desk(5_000, "R-1")).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, "true"), "{first:?}");
    assert_eq!(first.body["bill"]["paid"], ves(5_000));
    for reply in together {
        let is_told = reply.status == 201 && reply.body["id"] == first.body["id"];
        assert!(is_told || reply.text("/code") == "payment_in_progress", "{reply:?}");
    }
    let other = said(&api, &id, &desk(5_001, "R-1")).await;
    assert_eq!((other.status, other.text("/code")), (422, "idempotency_conflict"));
    let external = first.text("/id").to_owned();
    assert_eq!(undone(&api, &id, &external).await.status, 200);
    let anew = said(&api, &id, &desk(5_000, "R-1")).await;
    assert_eq!((anew.status, anew.header("idempotent-replayed")), (201, ""), "{anew:?}");
    assert_ne!(anew.text("/id"), external, "what was taken back stays so");
    assert_eq!(anew.body["bill"]["paid"], ves(5_000));
    let second = said(&api, &id, &desk(10_000, "R-2")).await;
    assert_eq!((second.status, second.text("/bill/state")), (201, "paid_external"));
    verified(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_payment_that_cannot_be_is_refused_with_what_is_left() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let more = said(&api, &id, &desk(15_001, "R-1")).await;
    assert_eq!((more.status, more.text("/code")), (422, "amount_mismatch"), "{more:?}");
    assert_eq!((more.text("/field"), &more.body["payable_now"]), ("amount", &ves(15_000)));
    let mut wrong = desk(15_000, "R-1");
    wrong["date"] = json!("2999-01-01");
    let future = said(&api, &id, &wrong).await;
    assert_eq!((future.status, future.text("/field")), (400, "date"), "{future:?}");
    wrong["date"] = json!("2026-02-30");
    assert_eq!(said(&api, &id, &wrong).await.text("/field"), "date");
    let card = said(&api, &id, &desk(15_000, "4111 1111 1111 1111")).await;
    assert_eq!((card.status, card.text("/field")), (400, "reference"), "{card:?}");
    let mut dollars = desk(15_000, "R-1");
    dollars["amount"]["currency"] = json!("USD");
    assert_eq!(said(&api, &id, &dollars).await.text("/code"), "currency_not_allowed");
    let other = Api::of(&house, "lender-mx");
    let foreign = said(&other, &id, &desk(15_000, "R-1")).await;
    assert_eq!((foreign.status, foreign.text("/code")), (404, "bill_not_found"));
    let none = undone(&api, &id, "ext_00000000000000000000000000").await;
    assert_eq!((none.status, none.text("/code")), (404, "not_found"));
    let paid = api.pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!(paid.status, 201, "{paid:?}");
    let twice = said(&api, &id, &desk(15_000, "R-1")).await;
    assert_eq!((twice.status, twice.text("/code")), (409, "bill_already_paid"), "{twice:?}");
    let card = paid.text("/id").replace("pay_", "ext_");
    assert_eq!(undone(&api, &id, &card).await.status, 404, "a payment by card is no such one");
    let id = registered(&api, &bill("F-2", 15_000)).await;
    api.post(&format!("/v1/bills/{id}/cancel"), &json!({})).await;
    let cancelled = said(&api, &id, &desk(15_000, "R-1")).await;
    assert_eq!((cancelled.status, cancelled.text("/code")), (410, "bill_cancelled"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_bill_that_was_paid_in_part_elsewhere_is_payable() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let part = said(&api, &id, &desk(5_000, "R-1")).await;
    assert_eq!((part.status, part.text("/bill/state")), (201, "partially_paid"), "{part:?}");
    let whole = api.pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!((whole.status, &whole.body["payable_now"]), (422, &ves(10_000)), "{whole:?}");
    let rest = api.pay("k-2", &card_payment(10_000, "F-1")).await;
    assert_eq!((rest.status, rest.text("/bill/state")), (201, "paid"), "{rest:?}");
    assert_eq!(api.get(&format!("/v1/bills/{id}")).await.text("/state"), "paid");
    verified(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_20_a_payment_made_elsewhere_beside_one_under_way_is_taken_and_both_stand() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    house.issuer.set_mood(Mood::Deaf);
    let open = api.pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!(open.status, 202, "{open:?}");
    let elsewhere = said(&api, &id, &desk(15_000, "R-1")).await;
    assert_eq!((elsewhere.status, &elsewhere.body["bill"]["paid"]), (201, &ves(15_000)));
    assert_eq!(elsewhere.text("/bill/state"), "paid_external");
    house.issuer.set_mood(Mood::Working);
    let payment = open.text("/id").to_owned();
    eventually("the open payment to be reversed", async || {
        let shown = api.get(&format!("/v1/payments/{payment}")).await;
        (shown.text("/state") == "reversed").then_some(())
    })
    .await;
    let shown = api.get(&format!("/v1/bills/{id}")).await;
    assert_eq!((shown.text("/state"), &shown.body["paid"]), ("paid_external", &ves(15_000)));
    verified(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_payment_is_of_the_amount_of_its_day() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut body = bill("F-1", 20_000);
    body["due"] = json!([{"date": "2026-11-30", "amount": ves(15_000)},
        {"date": "2026-12-01", "amount": ves(20_000)}]);
    let id = registered(&api, &body).await;
    let in_time = said(&api, &id, &desk(15_000, "R-1")).await;
    assert_eq!(
        (in_time.status, in_time.text("/bill/state")),
        (201, "paid_external"),
        "{in_time:?}"
    );
    assert_eq!(in_time.body["bill"]["remaining"], ves(0), "it was paid whole on its day");
    let shown = patch(&api, &id, &json!({"version": 1, "amount": ves(30_000)})).await;
    assert_eq!((shown.status, shown.text("/code")), (409, "bill_already_paid"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_payment_is_told_in_a_notice_with_the_bill_s_state() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let hook = api.post("/v1/endpoints", &json!({"url": "http://127.0.0.1:1/"})).await;
    assert_eq!(hook.status, 201, "{hook:?}");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let said = said(&api, &id, &desk(15_000, "R-1")).await;
    let external = said.text("/id").to_owned();
    assert_eq!(undone(&api, &id, &external).await.status, 200);
    let told = super::told(&api, 2).await;
    let states: Vec<(&str, &str)> = told
        .iter()
        .map(|event| {
            let state = event["data"]["bill"]["state"].as_str();
            (event["type"].as_str().expect("text"), state.expect("text"))
        })
        .collect();
    assert_eq!(states, [("payment.approved", "paid_external"), ("payment.reversed", "open")]);
    house.stop().await;
}
