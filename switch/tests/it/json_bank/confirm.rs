//! A confirmation is taken where a payment waits for its one-time key, and nowhere else: in every other
//! state it is refused by name, and nothing is passed on.

use std::time::Duration;

use http::Method;
use loadtest::simulator::json_bank::{JsonBankSettings, Misconduct};
use serde_json::{Value, json};

use super::site::JsonSite;
use super::{c2p, wallet};
use crate::api::{Api, Reply};
use crate::harness::eventually;

/// A deadline that a cut line makes pass, and a busy machine does not.
const DEADLINE_MS: u64 = 3_000;
/// How long the bank waits for payers of amounts ending in 70.
const SHORT_WAIT: Duration = Duration::from_millis(500);

async fn site() -> JsonSite {
    let settings = JsonBankSettings { short_wait: SHORT_WAIT, ..JsonBankSettings::new("bank-j") };
    JsonSite::new(DEADLINE_MS, settings).await
}

async fn confirm(api: &Api, id: &str) -> Reply {
    api.post(&format!("/v1/payments/{id}/confirm"), &json!({ "otp": "12345678" })).await
}

async fn refund(api: &Api, id: &str, body: &Value) -> Reply {
    let path = format!("/v1/payments/{id}/refunds");
    let headers = [("content-type", "application/json"), ("idempotency-key", "refund-1")];
    api.send(Method::POST, &path, &headers, body.to_string().as_bytes()).await
}

/// Asks for a payment; gives its id.
async fn paid(api: &Api, key: &str, body: &Value) -> String {
    let reply = api.pay(key, body).await;
    assert!(!reply.text("/id").is_empty(), "{reply:?}");
    reply.text("/id").to_owned()
}

/// The confirmation of a payment in a state is refused, with the state's name.
async fn is_refused_in(state: &str, site: &JsonSite, id: &str) {
    let api = site.api();
    site.told(&api, id, state).await;
    let passed_on = site.bank.counts().confirmations;
    let refused = confirm(&api, id).await;
    let told = (refused.status, refused.text("/code"), refused.text("/detail"));
    let detail = format!("the payment is {state}");
    assert_eq!(told, (409, "confirmation_not_awaited", detail.as_str()), "{state}");
    assert_eq!(site.bank.counts().confirmations, passed_on, "{state}: nothing was passed on");
    let texts = ["confirmation refused", id, "participant=bank-j", "field=\"state\""];
    assert!(!site.logged(&texts).is_empty(), "{state}: {texts:?}");
    site.told(&api, id, state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_has_ended_takes_no_confirmation() {
    let site = site().await;
    let (running, api) = (site.start().await, site.api());
    let approved = paid(&api, "approved", &c2p(15_000)).await;
    let accepted = confirm(&api, &approved).await;
    assert_eq!((accepted.status, accepted.text("/state")), (200, "approved"), "{accepted:?}");
    is_refused_in("approved", &site, &approved).await;
    let declined = paid(&api, "declined", &c2p(15_051)).await;
    is_refused_in("declined", &site, &declined).await;
    let expired = paid(&api, "expired", &c2p(15_070)).await;
    is_refused_in("expired", &site, &expired).await;
    let whole = refund(&api, &approved, &json!({})).await;
    assert_eq!(whole.text("/state"), "done", "{whole:?}");
    is_refused_in("refunded", &site, &approved).await;
    let reversed = paid(&api, "reversed", &wallet(16_000)).await;
    api.post(&format!("/v1/payments/{reversed}/reverse"), &json!({})).await;
    is_refused_in("reversed", &site, &reversed).await;
    assert_eq!(site.bank.counts().confirmations, 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_waits_for_something_else_or_is_being_undone_takes_no_confirmation() {
    let site = site().await;
    let (running, api) = (site.start().await, site.api());
    let at_page = paid(&api, "redirect", &wallet(15_071)).await;
    let undone = paid(&api, "reversing", &wallet(15_000)).await;
    let refunded = paid(&api, "refunding", &wallet(16_000)).await;
    let refused = confirm(&api, &at_page).await;
    // Its wait may be over already: the bank is asked then, and the payment is undone.
    assert_eq!((refused.status, refused.text("/code")), (409, "confirmation_not_awaited"));
    site.told(&api, &at_page, "reversed").await;
    site.cable.cut_towards_server();
    let part = json!({ "amount": { "currency": "VES", "minor": 1_000 } });
    tokio::join!(refund(&api, &refunded, &part), async {
        is_refused_in("refunding", &site, &refunded).await;
    });
    let path = format!("/v1/payments/{undone}/reverse");
    let empty = json!({});
    tokio::join!(api.post(&path, &empty), async {
        is_refused_in("reversing", &site, &undone).await;
    });
    site.cable.heal();
    site.told(&api, &undone, "reversed").await;
    assert_eq!(site.bank.counts().confirmations, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_confirmation_while_the_first_is_on_its_way_is_told_so_and_not_passed_on() {
    let site = site().await;
    let (running, api) = (site.start().await, site.api());
    let id = paid(&api, "order-1", &c2p(15_000)).await;
    site.bank.misbehave(Some(Misconduct::SlowBody));
    let second = async {
        eventually("the first to be passed on", async || {
            (site.bank.counts().confirmations == 1).then_some(())
        })
        .await;
        confirm(&site.api(), &id).await
    };
    let (first, second) = tokio::join!(confirm(&api, &id), second);
    assert_eq!((second.status, second.text("/code")), (409, "payment_in_progress"), "{second:?}");
    assert!(!second.header("retry-after").is_empty(), "{second:?}");
    assert_eq!((first.status, first.text("/state")), (202, "unknown"), "{first:?}");
    is_refused_in("reversed", &site, &id).await;
    assert_eq!(site.bank.counts().confirmations, 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_the_bank_has_not_answered_yet_takes_no_confirmation() {
    let site = site().await;
    let (running, api) = (site.start().await, site.api());
    // 68: the bank says nothing.
    let asked = c2p(15_068);
    let confirming = async {
        let sent = eventually("the payment to be sent", async || {
            let listed = api.get("/v1/payments?limit=10").await.body;
            let found = listed["items"].as_array()?.iter().find(|it| it["state"] == "sent")?;
            found["id"].as_str().map(str::to_owned)
        })
        .await;
        let refused = confirm(&site.api(), &sent).await;
        assert_eq!((refused.status, refused.text("/code")), (409, "payment_in_progress"));
        sent
    };
    let (unknown, sent) = tokio::join!(api.pay("order-1", &asked), confirming);
    assert_eq!((unknown.status, unknown.text("/state")), (202, "unknown"), "{unknown:?}");
    is_refused_in("reversed", &site, &sent).await;
    assert_eq!(site.bank.counts().confirmations, 0);
    running.stop().await;
}
