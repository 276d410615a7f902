//! The switch is killed while a payer confirms a payment, or while payers are at the bank's page.

use std::time::Duration;

use http::Method;
use loadtest::simulator::json_bank::{DebitState, JsonBankSettings};
use router::id::PaymentId;
use rustix::process::Signal;
use serde_json::json;

use super::site::JsonSite;
use super::{LONG_MS, c2p, path_of, secret_key, signed, told, wallet};
use crate::api::Api;
use crate::harness::eventually;
use crate::program::Running;

/// How long the bank waits for a payer at its page: over a restart, on a machine that is busy.
const PAGE_WAIT: Duration = Duration::from_secs(15);

async fn site() -> JsonSite {
    let settings = JsonBankSettings { short_wait: PAGE_WAIT, ..JsonBankSettings::new("bank-j") };
    JsonSite::new(LONG_MS, settings).await
}

/// A payment that waits for its one-time key.
async fn waits(api: &Api, key: &str) -> String {
    let waiting = api.pay(key, &c2p(15_000)).await;
    assert_eq!((waiting.status, waiting.text("/state")), (202, "awaiting_payer"), "{waiting:?}");
    waiting.text("/id").to_owned()
}

/// Confirms a payment, and kills the switch once it is time: nobody gets to hear the answer.
async fn killed_while_confirming(
    mut running: Running,
    (api, id): (&Api, &str),
    is_time: impl AsyncFnMut() -> Option<()>,
) {
    let (path, key) = (format!("/v1/payments/{id}/confirm"), json!({ "otp": "12345678" }));
    let (headers, key) = ([("content-type", "application/json")], key.to_string());
    tokio::select! {
        answer = api.try_send(Method::POST, &path, &headers, key.as_bytes()) => {
            panic!("the bank's answer cannot have come: {answer:?}");
        }
        () = eventually("the key to be passed on", is_time) => {
            running.ended_by(Signal::KILL);
        }
    }
}

/// The payment is undone after the restart, once, and takes no key any more.
async fn is_undone_after_the_restart(site: &JsonSite, id: &str) {
    let running = site.start().await;
    let api = site.api();
    let payment = site.told(&api, id, "reversed").await;
    assert_eq!(payment["amount"]["minor"], 15_000, "{payment}");
    assert_eq!(site.stands(id), Some(0));
    assert!(site.bank.counts().reversals > 0, "{:?}", site.bank.counts());
    let path = format!("/v1/payments/{id}/confirm");
    let again = api.post(&path, &json!({ "otp": "12345678" })).await;
    assert_eq!((again.status, again.text("/code")), (409, "confirmation_not_awaited"));
    running.stop().await;
    storage::verify::verify(&site.site.data()).expect("a whole journal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_the_bank_carried_out_before_a_kill_is_undone_after_the_restart() {
    let site = site().await;
    let (running, api) = (site.start().await, site.api());
    let id = waits(&api, "k-1").await;
    site.cable.cut_towards_client();
    let has_debited = async || (site.stands(&id) == Some(15_000)).then_some(());
    killed_while_confirming(running, (&api, &id), has_debited).await;
    site.cable.heal();
    is_undone_after_the_restart(&site, &id).await;
    assert_eq!(site.bank.counts().confirmations, 1, "the key was told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_never_reached_the_bank_before_a_kill_can_take_no_effect_later() {
    let site = site().await;
    let (running, api) = (site.start().await, site.api());
    let id = waits(&api, "k-1").await;
    site.cable.cut_towards_server();
    let shown = format!("/v1/payments/{id}");
    let is_passed_on = async || (api.get(&shown).await.text("/state") == "sent").then_some(());
    killed_while_confirming(running, (&api, &id), is_passed_on).await;
    site.cable.heal();
    is_undone_after_the_restart(&site, &id).await;
    assert_eq!(site.bank.counts().confirmations, 0, "the key is gone with the process");
    let debit = site.bank.debit(&id).expect("an order");
    assert_eq!(debit.state, DebitState::Declined(*b"05"), "nobody can confirm it any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn payers_at_the_bank_s_page_are_waited_for_over_a_kill_and_each_payment_goes_its_way() {
    let site = site().await;
    let (mut running, api) = (site.start().await, site.api());
    let mut ids = Vec::new();
    for minor in [15_071, 16_071, 17_071] {
        let reply = api.pay(&format!("k-{minor}"), &wallet(minor)).await;
        assert_eq!((reply.status, reply.text("/awaiting/what")), (202, "redirect"), "{reply:?}");
        ids.push(reply.text("/id").to_owned());
    }
    let [notified, found, forgotten] = ids.try_into().expect("three payments");
    running.ended_by(Signal::KILL);
    // Two payers have paid in the meantime; the bank tells of one of them by itself.
    assert!(site.bank.paid_at_page(&notified) && site.bank.paid_at_page(&found));
    let running = site.start().await;
    let api = site.api();
    for id in [&notified, &found, &forgotten] {
        let payment = api.get(&format!("/v1/payments/{id}")).await;
        let url = format!("https://bank.example/pay/{id}");
        assert_eq!(payment.text("/awaiting/url"), url, "it waits as before: {payment:?}");
    }
    let payment: PaymentId = notified.parse().expect("an id");
    let body = told(payment, "APPROVED", 15_071);
    let headers = signed("bank-j", &body, &secret_key());
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let all = [&[("content-type", "application/json")][..], &headers].concat();
    let body = body.to_string();
    let taken = api.send(Method::POST, &path_of("bank-j"), &all, body.as_bytes()).await;
    assert_eq!(taken.status, 204, "{taken:?}");
    site.told(&api, &notified, "approved").await;
    site.told(&api, &found, "approved").await;
    site.told(&api, &forgotten, "reversed").await;
    let stands = [&notified, &found, &forgotten].map(|id| site.stands(id));
    assert_eq!(stands, [Some(15_071), Some(16_071), Some(0)]);
    let counts = site.bank.counts();
    assert_eq!((counts.payments, counts.inquiries), (3, 2), "each was asked for once: {counts:?}");
    running.stop().await;
    storage::verify::verify(&site.site.data()).expect("a whole journal");
}
