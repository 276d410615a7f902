//! What becomes of a bill while a payment of it is under way.

use std::time::Duration;

use loadtest::simulator::issuer::{Latency, Profile};
use serde_json::json;

use super::{bill, events_of, patch, registered, ves};
use crate::api::{Api, card_payment};
use crate::harness::{House, eventually, issuer_with};

/// A house whose bank takes its time, within what the switch waits for.
async fn slow_house() -> House {
    let wait = Duration::from_millis(250);
    let latency = Latency::Uniform { min: wait, max: wait };
    let house = House::beside(issuer_with(Profile { latency, ..Profile::default() }).await).await;
    eventually("the back office to be open", async || house.engine().backoffice.office().ok())
        .await;
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_under_way_goes_on_by_the_terms_it_began_with() {
    let house = slow_house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let path = format!("/v1/bills/{id}");
    let meanwhile = async {
        eventually("the payment to be under way", async || {
            (house.issuer.counts().payments > 0).then_some(())
        })
        .await;
        let second = api.pay("k-2", &card_payment(15_000, "F-1")).await;
        assert_eq!((second.status, second.text("/code")), (409, "bill_in_progress"));
        let cancel = api.post(&format!("{path}/cancel"), &json!({})).await;
        let amended = patch(&api, &id, &json!({"version": 1, "amount": ves(20_000)})).await;
        (cancel, amended)
    };
    let body = card_payment(15_000, "F-1");
    let (paid, (cancel, amended)) = tokio::join!(api.pay("k-1", &body), meanwhile);
    assert_eq!((cancel.status, cancel.text("/code")), (409, "bill_in_progress"), "{cancel:?}");
    assert_eq!((amended.status, amended.text("/state")), (200, "in_payment"), "{amended:?}");
    assert_eq!((paid.status, paid.text("/state")), (201, "approved"), "{paid:?}");
    let shown = api.get(&path).await;
    assert_eq!((&shown.body["paid"], &shown.body["version"]), (&ves(15_000), &json!(2)));
    let events = events_of(&api, &id).await;
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    for kind in ["bill.registered", "payment.sent", "bill.amended", "payment.approved"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_that_expires_while_it_is_paid_is_paid() {
    let house = slow_house().await;
    let api = Api::of(&house, "isp-ve");
    let id = registered(&api, &bill("F-1", 15_000)).await;
    let meanwhile = async {
        eventually("the payment to be under way", async || {
            (house.issuer.counts().payments > 0).then_some(())
        })
        .await;
        patch(&api, &id, &json!({"version": 1, "expires_at": "2020-01-01T00:00:00Z"})).await
    };
    let body = card_payment(15_000, "F-1");
    let (paid, expired) = tokio::join!(api.pay("k-1", &body), meanwhile);
    assert_eq!(expired.status, 200, "{expired:?}");
    assert_eq!((paid.status, paid.text("/state")), (201, "approved"), "{paid:?}");
    assert_eq!(api.get(&format!("/v1/bills/{id}")).await.text("/state"), "paid");
    house.stop().await;
}
