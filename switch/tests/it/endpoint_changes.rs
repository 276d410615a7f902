//! Endpoints that are changed: another secret, another address, other types.
//!
//! Source: public report Coolhand-Labs/coolhand-ruby issue 123 (rotation with two signatures);
//! Standard Webhooks 1.0, "Signature scheme".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use jiff::Timestamp;
use router::endpoint::Endpoint;
use router::event::{Actor, Event, EventKind};
use router::record::Record;
use serde_json::{Value, json};
use sha2::Sha256;
use switch::keys::Role;

use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, eventually, start_app};
use crate::receiver::{Received, Receiver};

/// An endpoint of `isp-ve` at a receiver.
struct Shop {
    api: Api,
    receiver: Receiver,
    endpoint: String,
    secret: String,
}

impl Shop {
    async fn open(house: &House) -> Self {
        let (api, receiver) = (Api::of(house, "isp-ve"), Receiver::accepting().await);
        let made = api.post("/v1/endpoints", &json!({"url": receiver.url})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (endpoint, secret) = (made.text("/id").to_owned(), made.text("/secret").to_owned());
        Self { api, receiver, endpoint, secret }
    }

    fn path(&self) -> String {
        format!("/v1/endpoints/{}", self.endpoint)
    }

    async fn rotate(&self) -> Reply {
        self.api.post(&format!("{}/rotate-secret", self.path()), &json!({})).await
    }

    async fn patch(&self, body: &Value) -> Reply {
        let json = [("content-type", "application/json")];
        self.api.send(Method::PATCH, &self.path(), &json, body.to_string().as_bytes()).await
    }

    /// The notice of a payment of a bill.
    async fn notice(&self, bill: &str) -> Received {
        let count = self.receiver.received().len();
        self.api.pay(bill, &card_payment(15_000, bill)).await;
        self.receiver.wait_for(count + 1).await.swap_remove(count)
    }

    /// Checks that the next notice is signed with these secrets, in this order.
    async fn is_signed_with(&self, bill: &str, secrets: &[&str]) {
        let notice = self.notice(bill).await;
        let expected: Vec<String> = secrets.iter().map(|secret| sign(secret, &notice)).collect();
        assert_eq!(notice.header("webhook-signature"), expected.join(" "), "{bill}");
    }
}

/// What a receiver expects, after the text of the specification.
fn sign(secret: &str, notice: &Received) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a prefix")).expect("base 64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    for part in [notice.header("webhook-id"), notice.header("webhook-timestamp")] {
        mac.update(part.as_bytes());
        mac.update(b".");
    }
    mac.update(&notice.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_the_new_and_the_old_secret_sign_and_a_restart_changes_nothing() {
    let house = House::start().await;
    let mut shop = Shop::open(&house).await;
    shop.is_signed_with("B-1", &[&shop.secret]).await;
    let rotated = shop.rotate().await;
    let (secret, until) = (rotated.text("/secret").to_owned(), rotated.text("/old_secret_until"));
    assert_eq!((rotated.status, rotated.text("/id")), (200, &*shop.endpoint), "{}", rotated.body);
    assert!(secret.starts_with("whsec_") && secret != shop.secret);
    let overlap = until.parse::<Timestamp>().expect("a time").duration_since(Timestamp::now());
    assert!((86_000..=86_400).contains(&overlap.as_secs()), "a day: {overlap:?}");
    shop.is_signed_with("B-2", &[&secret, &shop.secret]).await;
    let shown = shop.api.get(&shop.path()).await;
    assert_eq!((shown.text("/old_secret_until"), shown.text("/secret")), (until, ""));

    let (dir, issuer) = house.stop().await;
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    shop.api = Api::of(&house, "isp-ve");
    shop.is_signed_with("B-3", &[&secret, &shop.secret]).await;
    assert_eq!(shop.api.get(&shop.path()).await.text("/old_secret_until"), until);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_secret_signs_no_longer_than_was_told() {
    let house = House::start_with("[notices]\nsecret_overlap_s = 3\n").await;
    let shop = Shop::open(&house).await;
    let rotated = shop.rotate().await;
    let until: Timestamp = rotated.text("/old_secret_until").parse().expect("a time");
    shop.is_signed_with("B-0", &[rotated.text("/secret"), &shop.secret]).await;
    let mut bill = 0;
    let alone = eventually("one signature alone", async || {
        bill += 1;
        let notice = shop.notice(&format!("B-{bill}")).await;
        let is_alone = !notice.header("webhook-signature").contains(' ');
        is_alone.then_some(notice)
    })
    .await;
    assert!(until <= Timestamp::now(), "the old one signed until {until}");
    assert_eq!(alone.header("webhook-signature"), sign(rotated.text("/secret"), &alone));
    assert_eq!(shop.api.get(&shop.path()).await.body.get("old_secret_until"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_overlap_the_new_secret_signs_alone_at_once() {
    let house = House::start_with("[notices]\nsecret_overlap_s = 0\n").await;
    let shop = Shop::open(&house).await;
    let rotated = shop.rotate().await;
    assert_eq!((rotated.status, rotated.text("/old_secret_until")), (200, ""));
    shop.is_signed_with("B-1", &[rotated.text("/secret")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_at_once_each_count_and_ten_old_secrets_sign_at_most() {
    let house = House::start().await;
    let shop = Shop::open(&house).await;
    let rotations = futures_util::future::join_all((0..8).map(|_| shop.rotate())).await;
    let mut signing: Vec<&str> = vec![&shop.secret];
    for rotated in &rotations {
        assert_eq!(rotated.status, 200, "{}", rotated.body);
        signing.push(rotated.text("/secret"));
    }
    let notice = shop.notice("B-1").await;
    let mut expected: Vec<String> = signing.iter().map(|secret| sign(secret, &notice)).collect();
    let mut found: Vec<&str> = notice.header("webhook-signature").split(' ').collect();
    assert_eq!(found.last().copied(), Some(&*expected[0]), "the oldest last");
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!([shop.rotate().await.status, shop.rotate().await.status], [200, 200]);
    let refused = shop.rotate().await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    let signatures = shop.notice("B-2").await.header("webhook-signature").split(' ').count();
    assert_eq!(signatures, 11, "the refusal took no secret away");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_changed_by_its_biller_alone_and_in_known_fields() {
    let house = House::start().await;
    let mut shop = Shop::open(&house).await;
    let own = std::mem::replace(&mut shop.api, Api::of(&house, "lender-mx"));
    assert_eq!((shop.rotate().await.status, shop.patch(&json!({})).await.status), (404, 404));
    shop.api = Api::with_role(&house, Role::Operator, "ops");
    assert_eq!((shop.rotate().await.status, shop.patch(&json!({})).await.status), (403, 403));
    shop.api = own;
    let field = json!({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"});
    let path = format!("{}/rotate-secret", shop.path());
    assert_eq!(shop.api.post(&path, &field).await.status, 400);
    for (body, field) in [
        (field, "secret"),
        (json!({"url": "http://user@127.0.0.1/"}), "url"),
        (json!({"url": "https://a.example/4111111111111111"}), "url"),
        (json!({"types": ["payment.approved", "payment.lost"]}), "types[1]"),
    ] {
        let refused = shop.patch(&body).await;
        assert_eq!((refused.status, refused.text("/field")), (400, field), "{}", refused.body);
    }
    shop.is_signed_with("B-1", &[&shop.secret]).await;
    assert_eq!(shop.api.delete(&shop.path()).await.status, 204);
    assert_eq!((shop.rotate().await.status, shop.patch(&json!({})).await.status), (404, 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_goes_to_the_new_address_at_once_and_in_the_types_that_are_wanted() {
    let house = House::start().await;
    let shop = Shop::open(&house).await;
    let before = shop.api.get(&shop.path()).await;
    // The old address asks for an hour.
    let busy = Receiver::start(|_| (503, Some("3600".to_owned()))).await;
    assert_eq!(shop.patch(&json!({"url": busy.url})).await.text("/url"), busy.url);
    shop.api.pay("order-1", &card_payment(15_000, "B-1")).await;
    busy.wait_for(1).await;
    eventually("the pause to be told", async || {
        let shown = shop.api.get(&shop.path()).await;
        (!shown.text("/paused_until").is_empty()).then_some(())
    })
    .await;
    let types = json!({"url": shop.receiver.url, "types": ["payment.declined"]});
    let changed = shop.patch(&types).await;
    assert_eq!((changed.status, changed.text("/types/0")), (200, "payment.declined"));
    assert_eq!(changed.text("/created_at"), before.text("/created_at"));
    let owed = shop.receiver.wait_for(1).await.swap_remove(0);
    assert_eq!(owed.header("webhook-signature"), sign(&shop.secret, &owed));

    shop.api.pay("order-2", &card_payment(15_000, "B-2")).await;
    shop.api.pay("order-3", &card_payment(1_051, "B-3")).await;
    let told = shop.receiver.wait_for(2).await;
    let body: Value = serde_json::from_slice(&told[1].body).expect("JSON");
    assert_eq!((told.len(), &body["type"]), (2, &json!("payment.declined")));
    assert_eq!(busy.received().len(), 1, "nothing more went to the old address");
}

/// The old address answers so when the endpoint has another one already.
async fn check_late_answer(status: u16, retry_after: Option<&'static str>) {
    let house = House::start().await;
    let shop = Shop::open(&house).await;
    let old = Receiver::holding(move |_| (status, retry_after.map(str::to_owned))).await;
    assert_eq!(shop.patch(&json!({"url": old.url})).await.status, 200);
    shop.api.pay("order-1", &card_payment(15_000, "B-1")).await;
    old.wait_for(1).await;
    assert_eq!(shop.patch(&json!({"url": shop.receiver.url})).await.status, 200);
    old.release();
    shop.receiver.wait_for(1).await;
    shop.notice("B-2").await;
    let shown = shop.api.get(&shop.path()).await;
    assert_eq!((shown.status, shown.body.get("paused_until")), (200, None), "{}", shown.body);
    assert_eq!((old.received().len(), shop.receiver.received().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_410_of_the_old_address_deletes_no_endpoint_that_has_another() {
    check_late_answer(410, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_429_of_the_old_address_pauses_no_endpoint_that_has_another() {
    check_late_answer(429, Some("3600")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_410_that_deleted_nothing_the_endpoint_is_asked_again() {
    let house = House::start_with("[notices]\nretry_after_s = [1, 1, 1]\n").await;
    let shop = Shop::open(&house).await;
    let gone = Receiver::holding(|_| (410, None)).await;
    assert_eq!(shop.patch(&json!({"url": gone.url})).await.status, 200);
    shop.api.pay("order-1", &card_payment(15_000, "B-1")).await;
    gone.wait_for(1).await;
    // The answer is to a version that is not the endpoint's any more.
    let types = json!({"types": ["payment.approved", "payment.declined"]});
    assert_eq!(shop.patch(&types).await.status, 200);
    gone.release();
    eventually("the endpoint to be deleted", async || {
        (shop.api.get(&shop.path()).await.status == 404).then_some(())
    })
    .await;
    assert_eq!(gone.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_types_ends_no_pause_and_a_change_of_nothing_writes_no_version() {
    let house = House::start().await;
    let shop = Shop::open(&house).await;
    let busy = Receiver::start(|_| (503, Some("3600".to_owned()))).await;
    assert_eq!(shop.patch(&json!({"url": busy.url})).await.status, 200);
    shop.api.pay("order-1", &card_payment(15_000, "B-1")).await;
    let paused_until = async || shop.api.get(&shop.path()).await.text("/paused_until").to_owned();
    let until = eventually("the pause to be told", async || {
        Some(paused_until().await).filter(|until| !until.is_empty())
    })
    .await;
    let types = json!({"types": ["payment.approved"]});
    for body in [json!({}), json!({"url": busy.url}), types.clone(), types] {
        assert_eq!(shop.patch(&body).await.status, 200);
    }
    let versions = house.app.engine.store.endpoints().into_iter().map(|set| set.version);
    assert_eq!(versions.collect::<Vec<_>>(), [3], "made, moved, and its types changed once");
    // A paused endpoint has no other sign that its worker was woken: one that ended the pause would
    // send at once.
    shop.api.pay("order-2", &card_payment(15_000, "B-2")).await;
    let other = Receiver::accepting().await;
    let made = shop.api.post("/v1/endpoints", &json!({"url": other.url})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    shop.api.pay("order-3", &card_payment(15_000, "B-3")).await;
    other.wait_for(1).await;
    assert_eq!((busy.received().len(), paused_until().await), (1, until));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_can_be_sent_to_the_new_address_nothing_goes_to_the_old_one() {
    let house = House::start().await;
    let shop = Shop::open(&house).await;
    shop.notice("B-1").await;
    // An address that was allowed when it was set, and is no more.
    let store = &house.app.engine.store;
    let endpoint = store.endpoints().swap_remove(0);
    let url = Some("http://user@127.0.0.1/".into());
    let refused = Endpoint { version: endpoint.version + 1, url, ..endpoint };
    let event = Event::of_endpoint(refused, EventKind::Changed, Actor::Node);
    store.append(Record::Event(Box::new(event))).await.expect("a change");
    shop.api.pay("order-2", &card_payment(15_000, "B-2")).await;
    let other = Receiver::accepting().await;
    let made = shop.api.post("/v1/endpoints", &json!({"url": other.url})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    shop.api.pay("order-3", &card_payment(15_000, "B-3")).await;
    other.wait_for(1).await;
    let new = Receiver::accepting().await;
    assert_eq!(shop.patch(&json!({"url": new.url})).await.status, 200);
    new.wait_for(2).await;
    assert_eq!(shop.receiver.received().len(), 1);
}
