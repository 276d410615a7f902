//! Notices that a merchant asks for: tests of an endpoint, and recovery after an outage.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use loadtest::simulator::merchant::Script;
use serde_json::{Value, json};
use switch::keys::Role;

use crate::api::{Api, card_payment};
use crate::harness::{House, eventually};
use crate::notice::merchant;
use crate::receiver::Receiver;

async fn set(api: &Api, url: &str) -> String {
    let made = api.post("/v1/endpoints", &json!({"url": url})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("/v1/endpoints/{}", made.text("/id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notice_is_signed_and_its_outcome_is_told_and_stands_in_no_log() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let (merchant, endpoints) = merchant(&api, &[("/hook", Script::Accept)]).await;
    let path = format!("/v1/endpoints/{}", endpoints[0]);
    let tested = api.post(&format!("{path}/test"), &json!({})).await;
    assert_eq!((tested.status, &tested.body["accepted"]), (200, &json!(true)), "{}", tested.body);
    assert_eq!((&tested.body["status"], tested.text("/why")), (&json!(200), ""));
    let heard = merchant.heard();
    assert_eq!((heard.len(), merchant.disbelieved()), (1, 0), "the signature was right");
    assert_eq!((&*heard[0].kind, &*heard[0].webhook_id), ("endpoint.test", tested.text("/id")));
    let log = api.get(&format!("/v1/notices?endpoint={}", endpoints[0])).await;
    assert_eq!(log.body["items"], json!([]));

    let lender = Api::of(&house, "lender-mx");
    assert_eq!(lender.post(&format!("{path}/test"), &json!({})).await.status, 404);
    let operator = Api::with_role(&house, Role::Operator, "ops");
    assert_eq!(operator.post(&format!("{path}/test"), &json!({})).await.status, 403);
    assert_eq!(api.post(&format!("{path}/test"), &json!({"type": "x"})).await.status, 400);
    assert_eq!(merchant.heard().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notice_that_is_not_taken_says_why_and_is_not_tried_again() {
    let house = House::start_with("[notices]\ntimeout_ms = 300\n").await;
    let api = Api::of(&house, "isp-ve");
    let gone = Receiver::start(|_| (410, None)).await;
    let path = set(&api, &gone.url).await;
    let tested = api.post(&format!("{path}/test"), &json!({})).await;
    assert_eq!(tested.body["accepted"], json!(false));
    assert_eq!((&tested.body["status"], gone.received().len()), (&json!(410), 1));
    assert_eq!(api.get(&path).await.status, 200, "a test deletes no endpoint");

    let path = set(&api, "http://127.0.0.1:1/").await;
    let tested = api.post(&format!("{path}/test"), &json!({})).await;
    assert_eq!((tested.text("/why"), tested.body.get("status")), ("connect", None));
    let (_hanging, ids) = merchant(&api, &[("/hang", Script::Hang)]).await;
    let tested = api.post(&format!("/v1/endpoints/{}/test", ids[0]), &json!({})).await;
    assert_eq!((tested.status, tested.text("/why")), (200, "timeout"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_in_an_outage_is_counted_and_sent_again_in_order() {
    let house = House::start_with("[notices]\nretry_after_s = []\n").await;
    let api = Api::of(&house, "isp-ve");
    let is_well = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&is_well);
    let receiver = Receiver::start(move |_| match answers.load(Ordering::SeqCst) {
        true => (204, None),
        false => (500, None),
    })
    .await;
    let path = set(&api, &receiver.url).await;
    let since = Timestamp::now().to_string();
    let mut payments = Vec::new();
    for number in 0..3 {
        let paid = api.pay(&format!("order-{number}"), &card_payment(15_000 + number, "B-1")).await;
        payments.push(paid.text("/id").to_owned());
    }
    let log = format!("/v1/notices?endpoint={}", path.rsplit('/').next().expect("an id"));
    eventually("three notices to be given up", async || {
        let page = api.get(&log).await;
        let items = page.body["items"].as_array().expect("items").clone();
        let dead = items.iter().filter(|item| item["state"] == json!("dead")).count();
        (dead == 3).then_some(())
    })
    .await;
    let recover = async |body: Value| api.post(&format!("{path}/recover"), &body).await;
    let counted = recover(json!({"since": since, "dry_run": true})).await;
    assert_eq!((counted.status, &counted.body["given_up"]), (200, &json!(3)), "{}", counted.body);
    assert_eq!((&counted.body["sent_again"], receiver.received().len()), (&json!(0), 3));
    let later = recover(json!({"since": Timestamp::now().to_string()})).await;
    assert_eq!((later.status, &later.body["given_up"]), (202, &json!(0)));

    is_well.store(true, Ordering::SeqCst);
    let sent = recover(json!({"since": since})).await;
    assert_eq!((sent.status, &sent.body["sent_again"]), (202, &json!(3)), "{}", sent.body);
    let all = receiver.wait_for(6).await;
    let told: Vec<String> = all[3..].iter().map(|notice| notice.payment()).collect();
    assert_eq!(told, payments, "the oldest of a bill first");
    let ids = |from: usize| all[from..from + 3].iter().map(|it| it.header("webhook-id"));
    assert!(ids(0).eq(ids(3)), "under the same ids");
    eventually("nothing to be given up any more", async || {
        let counted = recover(json!({"since": since, "dry_run": true})).await;
        (counted.body["given_up"] == json!(0)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_of_another_biller_s_endpoint_or_since_no_time_is_refused() {
    let house = House::start().await;
    let (api, lender) = (Api::of(&house, "isp-ve"), Api::of(&house, "lender-mx"));
    let path = format!("{}/recover", set(&api, "http://127.0.0.1:1/").await);
    let since = json!({"since": "2026-11-30T08:00:00Z"});
    assert_eq!(lender.post(&path, &since).await.status, 404);
    for (body, field) in [
        (json!({}), "since"),
        (json!({"since": "yesterday"}), "since"),
        (json!({"since": "2026-11-30"}), "since"),
        (json!({"since": "2026-11-30T08:00:00Z", "dry_run": "yes"}), "dry_run"),
        (json!({"since": "2026-11-30T08:00:00Z", "until": "x"}), "until"),
    ] {
        let refused = api.post(&path, &body).await;
        assert_eq!((refused.status, refused.text("/field")), (400, field), "{body}");
    }
    assert_eq!(api.post(&path, &since).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_a_pause_in_a_recovery_has_it() {
    let house = House::start_with("[notices]\nretry_after_s = []\n").await;
    let api = Api::of(&house, "isp-ve");
    // Three notices are given up; the first that is sent again is answered by a pause.
    let receiver = Receiver::start(|position| match position {
        0..3 => (500, None),
        _ => (429, Some("3600".to_owned())),
    })
    .await;
    let path = set(&api, &receiver.url).await;
    let since = Timestamp::now().to_string();
    for number in 0..3 {
        api.pay(&format!("order-{number}"), &card_payment(15_000 + number, "B-1")).await;
    }
    receiver.wait_for(3).await;
    let recover = async |dry_run: bool| {
        let body = json!({"since": since, "dry_run": dry_run});
        api.post(&format!("{path}/recover"), &body).await
    };
    eventually("three notices to be given up", async || {
        (recover(true).await.body["given_up"] == json!(3)).then_some(())
    })
    .await;
    assert_eq!(recover(false).await.body["sent_again"], json!(3));
    receiver.wait_for(4).await;
    eventually("the pause to be told", async || {
        (!api.get(&path).await.text("/paused_until").is_empty()).then_some(())
    })
    .await;
    assert_eq!(receiver.received().len(), 4, "the two others wait for the pause's end");
}
