//! Payments that wait for their payer: until they expire, over a restart, and what confirms them.

use std::path::Path;

use loadtest::simulator::issuer::Mood;
use router::exchange::{AttemptRef, Awaited, RequestTrace};
use router::id::{BillerId, ParticipantId, PaymentId, Stan};
use router::message::IdempotencyKey;
use router::payment::PaymentState;
use router::plan::plan;
use router::record::{Attempt, Intent, Record, WaitBegun};
use router::text::Text;
use serde_json::{Value, json};
use storage::Admission;
use switch::clock;

use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, PATIENCE, start_app};

/// A payment of `isp-ve` at bank-b that waits so long.
async fn waiting(house: &House, key: u128, awaited: Awaited, millis: i64) -> PaymentId {
    let engine = house.engine();
    let body = card_payment(10_000, &format!("F-{key}")).to_string();
    let body = codecs::api::parse_payment(body.as_bytes()).expect("a body");
    let biller = BillerId::new("isp-ve").expect("an id");
    let mut request = body.to_request(biller, IdempotencyKey(key)).expect("a request");
    request.fingerprint = engine.fingerprint(&request);
    let at = clock::now();
    let plan = plan(&request, &engine.policy(), at).expect("a plan");
    let (payment, folio) = engine.new_payment(at).expect("a folio");
    let stan = Stan::new(u32::try_from(key).expect("a small key")).expect("a STAN");
    let trace = RequestTrace { stan, transmitted_at: Text::new("1123180000").expect("a time") };
    let participant = ParticipantId::new("bank-b").expect("an id");
    let attempt = Attempt { participant, reference: AttemptRef::Trace(trace) };
    let intent = Intent { payment, folio, at, request, plan, attempt };
    let admitted = engine.store.admit(intent).await.expect("the journal");
    assert!(matches!(admitted, Admission::Granted { .. }), "{admitted:?}");
    let (until, reference) =
        (at.plus_micros(millis * 1_000), Text::new("order-7").expect("a text"));
    let wait = WaitBegun { payment, at, awaited, until, reference };
    engine.store.append(Record::Awaiting(Box::new(wait))).await.expect("the journal");
    payment
}

const LONG: i64 = 3_600_000;

async fn confirm(api: &Api, payment: PaymentId, body: &Value) -> Reply {
    api.post(&format!("/v1/payments/{payment}/confirm"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_waits_shows_what_for_and_expires_at_its_time() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let redirect = Awaited::Redirect("https://gateway.example/pay/7".into());
    let long = waiting(&house, 1, redirect, LONG).await;
    let shown = api.get(&format!("/v1/payments/{long}")).await;
    assert_eq!((shown.status, shown.text("/state")), (200, "awaiting_payer"));
    assert_eq!(shown.text("/awaiting/what"), "redirect");
    assert_eq!(shown.text("/awaiting/url"), "https://gateway.example/pay/7");

    let short = waiting(&house, 2, Awaited::OneTimeKey, 300).await;
    house.wait_for_state(short, PaymentState::Expired).await;
    let shown = api.get(&format!("/v1/payments/{short}")).await;
    assert_eq!((shown.text("/state"), shown.text("/reason/code")), ("expired", "payer_timeout"));
    assert_eq!(shown.body["awaiting"], Value::Null);
    let still = house.engine().store.payment(long).await.expect("the journal").expect("it");
    assert_eq!(still.state, PaymentState::AwaitingPayer);
    assert_eq!(house.issuer.counts().reversals, 0, "nothing is undone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_waits_goes_on_waiting_after_a_restart_and_then_expires() {
    let house = House::start().await;
    let long = waiting(&house, 1, Awaited::OneTimeKey, LONG).await;
    let short = waiting(&house, 2, Awaited::OneTimeKey, 1_500).await;
    let (dir, issuer) = house.stop().await;
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let known = house.engine().store.payment(long).await.expect("the journal").expect("it");
    assert_eq!((known.state, known.outcome), (PaymentState::AwaitingPayer, None));
    house.wait_for_state(short, PaymentState::Expired).await;
    assert_eq!(house.engine().store.stats().waiting, 1);
    assert_eq!(house.issuer.counts().reversals, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_is_asked_what_came_of_a_redirect_before_the_payment_expires() {
    let house = House::start().await;
    let redirect = || Awaited::Redirect("https://gateway.example/pay/7".into());
    let unknown_there = waiting(&house, 1, redirect(), 200).await;
    house.wait_for_state(unknown_there, PaymentState::Expired).await;
    assert_eq!(house.issuer.counts().inquiries, 1);

    house.issuer.set_mood(Mood::Deaf);
    let not_answered = waiting(&house, 2, redirect(), 200).await;
    let payment = house.wait_for_state(not_answered, PaymentState::Reversing).await;
    assert!(payment.was_given_up(), "money may have moved: silence is never a decline");
    house.issuer.set_mood(Mood::Working);
    house.wait_for_state(not_answered, PaymentState::Reversed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_key_is_refused_where_none_is_awaited_and_never_kept() {
    let house = House::start().await;
    let (api, stranger) = (Api::of(&house, "isp-ve"), Api::of(&house, "lender-mx"));
    let key = json!({"otp": "73917391"});
    let paid = api.pay("order-1", &card_payment(10_000, "B-9")).await;
    let paid: PaymentId = paid.text("/id").parse().expect("an id");
    let closed = confirm(&api, paid, &key).await;
    assert_eq!((closed.status, closed.text("/code")), (409, "confirmation_not_awaited"));
    assert_eq!(closed.text("/detail"), "the payment is approved");

    let waits = waiting(&house, 1, Awaited::OneTimeKey, LONG).await;
    assert_eq!(confirm(&stranger, waits, &key).await.status, 404);
    for wrong in [json!({"otp": "739173917391x"}), json!({"otp": "73"})] {
        let refused = confirm(&api, waits, &wrong).await;
        assert_eq!((refused.status, refused.text("/code")), (422, "otp_invalid"));
        assert_eq!(refused.text("/field"), "otp");
        assert!(!refused.body.to_string().contains("7391"), "{}", refused.body);
    }
    // This bank takes no confirmation: nothing leaves, and the payment waits as before.
    let passed = confirm(&api, waits, &key).await;
    assert_eq!((passed.status, passed.text("/state")), (202, "awaiting_payer"), "{}", passed.body);

    let expired = waiting(&house, 2, Awaited::OneTimeKey, 100).await;
    house.wait_for_state(expired, PaymentState::Expired).await;
    let late = confirm(&api, expired, &key).await;
    assert_eq!((late.status, late.text("/code")), (409, "confirmation_not_awaited"));
    let (dir, _issuer) = house.stop().await;
    assert!(!holds(dir.path(), b"73917391"), "the key stands in a file");
}

/// Whether a file of a folder, or of one within, holds these bytes.
fn holds(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => holds(&path, bytes),
            false => {
                let content = std::fs::read(&path).expect("a file");
                content.windows(bytes.len()).any(|window| window == bytes)
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_a_payment_that_waits_is_told_that_it_waits() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let body = card_payment(10_000, "B-1");
    let biller = BillerId::new("isp-ve").expect("an id");
    let key = router::message::api_key_of(&biller, "order-1");
    let engine = house.engine();
    let parsed = codecs::api::parse_payment(body.to_string().as_bytes()).expect("a body");
    let mut request = parsed.to_request(biller, key).expect("a request");
    request.fingerprint = engine.fingerprint(&request);
    house.issuer.set_mood(Mood::Deaf);
    let asking = api.pay("order-1", &body);
    let made_to_wait = async {
        let sent = crate::harness::eventually("the payment to be sent", async || {
            let found = engine.store.payment_by_key(key, None).await.expect("the journal")?;
            (found.state == PaymentState::Sent).then_some(found)
        })
        .await;
        let (at, reference) = (clock::now(), Text::EMPTY);
        let until = at.plus_micros(LONG * 1_000);
        let wait =
            WaitBegun { payment: sent.id, at, awaited: Awaited::OneTimeKey, until, reference };
        engine.store.append(Record::Awaiting(Box::new(wait))).await.expect("the journal");
        let repeat = api.pay("order-1", &body).await;
        assert_eq!((repeat.status, repeat.text("/state")), (202, "awaiting_payer"));
        assert_eq!(repeat.text("/awaiting/what"), "one_time_key");
        assert_eq!(repeat.header("idempotent-replayed"), "true");
    };
    let both = async { tokio::join!(asking, made_to_wait) };
    let (first, ()) = tokio::time::timeout(PATIENCE, both).await.expect("in time");
    assert_eq!(first.status, 202, "its own answer did not come");
}
