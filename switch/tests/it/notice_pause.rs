//! Pauses that endpoints ask for with `Retry-After`.
//!
//! Source: public reports svix/svix-webhooks issues 2199 and 2200, frain-dev/convoy issue 1927,
//! planningcenter/developers issue 1154; RFC 6585 section 4, RFC 9110 section 10.2.3.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, eventually};
use crate::receiver::{Receiver, since_first};

async fn set(api: &Api, receiver: &Receiver) -> String {
    let made = api.post("/v1/endpoints", &json!({"url": receiver.url})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.text("/id").to_owned()
}

async fn pay(api: &Api, order: &str, bill: &str) -> String {
    let paid = api.pay(order, &card_payment(15_000, bill)).await;
    paid.text("/id").to_owned()
}

async fn shown(api: &Api, endpoint: &str) -> Reply {
    api.get(&format!("/v1/endpoints/{endpoint}")).await
}

/// The first notice is answered so, all others are accepted.
async fn asks_once(
    status: u16,
    retry_after: impl Fn() -> String + Send + Sync + 'static,
) -> Receiver {
    Receiver::start(move |position| match position {
        0 => (status, Some(retry_after())),
        _ => (204, None),
    })
    .await
}

/// One endpoint asks for a pause of three to four seconds at its first notice; three more come to
/// be owed meanwhile.
async fn check(paused: Receiver) {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let well = Receiver::accepting().await;
    let endpoint = set(&api, &paused).await;
    set(&api, &well).await;
    let mut payments = vec![pay(&api, "order-0", "B-1").await];
    eventually("the pause to be told", async || {
        (shown(&api, &endpoint).await.body["paused_until"] != Value::Null).then_some(())
    })
    .await;
    for (order, bill) in [("order-1", "B-1"), ("order-2", "B-2"), ("order-3", "B-1")] {
        payments.push(pay(&api, order, bill).await);
    }
    let others = well.wait_for(4).await;
    assert!(
        others[3].at < paused.received()[0].at + Duration::from_millis(2_900),
        "no other waits"
    );

    let all = paused.wait_for(5).await;
    let after = since_first(&all);
    assert!(after[1] >= Duration::from_millis(2_900), "nothing comes in the pause: {after:?}");
    let told: Vec<String> = all.iter().map(|notice| notice.payment()).collect();
    let of_bill: Vec<&String> = told.iter().filter(|told| **told != payments[2]).collect();
    let order = [&payments[0], &payments[0], &payments[1], &payments[3]];
    assert_eq!(of_bill, order, "the notices of one bill keep their order");
    let ids: HashSet<&str> = all.iter().map(|notice| notice.header("webhook-id")).collect();
    assert_eq!(ids.len(), 4, "one id for each, however often it is sent");
    assert_eq!(shown(&api, &endpoint).await.body.get("paused_until"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_a_pause_in_seconds_hears_of_no_payment_until_it_ends() {
    check(asks_once(429, || "3".to_owned()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_a_pause_by_a_date_hears_of_no_payment_until_then() {
    let in_four_seconds = || {
        let date = (Timestamp::now() + Duration::from_secs(4)).in_tz("UTC").expect("a date");
        date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    check(asks_once(503, in_four_seconds).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_is_asked_for_by_hand_ends_the_pause() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let paused = asks_once(429, || "86400".to_owned()).await;
    let endpoint = set(&api, &paused).await;
    pay(&api, "order-0", "B-1").await;
    let until = eventually("the pause to be told", async || {
        let until: Option<Timestamp> =
            shown(&api, &endpoint).await.text("/paused_until").parse().ok();
        until
    })
    .await;
    let pause = until.duration_since(Timestamp::now());
    assert!((3_500..=3_600).contains(&pause.as_secs()), "an hour at most: {pause:?}");

    let page = api.get(&format!("/v1/notices?endpoint={endpoint}")).await;
    let path = format!("/v1/notices/{}/redeliver", page.text("/items/0/id"));
    assert_eq!(api.post(&path, &json!({})).await.status, 202);
    paused.wait_for(2).await;
    assert_eq!(shown(&api, &endpoint).await.body.get("paused_until"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_pauses_for_ever_has_its_notices_given_up_for_their_age() {
    let house = House::start_with("[notices]\nage_max_s = 3\n").await;
    let api = Api::of(&house, "isp-ve");
    let paused = Receiver::start(|_| (429, Some("86400".to_owned()))).await;
    let endpoint = set(&api, &paused).await;
    let began = std::time::Instant::now();
    pay(&api, "order-0", "B-1").await;
    paused.wait_for(1).await;
    pay(&api, "order-1", "B-1").await;
    pay(&api, "order-2", "B-2").await;
    let path = format!("/v1/notices?endpoint={endpoint}");
    let rows = eventually("all to be given up", async || {
        let rows = api.get(&path).await.body["items"].as_array().expect("items").clone();
        rows.iter().all(|row| row["state"] == json!("dead")).then_some(rows)
    })
    .await;
    assert!(began.elapsed() >= Duration::from_millis(2_900), "not before their age");
    let told = rows.iter().map(|row| json!([row["attempts"], row["last_status"]]));
    let told: Vec<Value> = told.collect();
    assert_eq!(told, [json!([0, null]), json!([0, null]), json!([1, 429])], "newest first");
    assert_eq!(paused.received().len(), 1, "none was tried once more");

    // Asked for by hand its age counts anew, and the endpoint's pause ends.
    let recovered = api
        .post(
            &format!("/v1/endpoints/{endpoint}/recover"),
            &json!({"since": "2020-01-01T00:00:00Z"}),
        )
        .await;
    assert_eq!(recovered.body["sent_again"], json!(3), "{}", recovered.body);
    paused.wait_for(2).await;
}
