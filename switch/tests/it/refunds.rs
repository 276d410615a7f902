//! Money of a payment is refunded: by requests of their own, once for each key, and never beyond what
//! was paid, whatever happens between.

use futures_util::future::join_all;
use http::Method;
use loadtest::simulator::issuer::Mood;
use router::id::PaymentId;
use router::payment::{Payment, PaymentState};
use serde_json::{Value, json};

use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, eventually, issuer, start_app};

async fn refund(api: &Api, paid: &Reply, key: &str, body: &Value) -> Reply {
    let path = format!("/v1/payments/{}/refunds", paid.text("/id"));
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    api.send(Method::POST, &path, &headers, body.to_string().as_bytes()).await
}

fn ves(minor: i64) -> Value {
    json!({"currency": "VES", "minor": minor})
}

fn so_much(minor: i64) -> Value {
    json!({ "amount": ves(minor) })
}

async fn paid(api: &Api, key: &str, minor: i64) -> (PaymentId, Reply) {
    let paid = api.pay(key, &card_payment(minor, key)).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    (paid.text("/id").parse().expect("an id"), paid)
}

/// The payment, once none of its refunds is pending.
async fn settled(house: &House, id: PaymentId) -> Payment {
    let store = &house.engine().store;
    eventually("no refund to be pending", async || {
        let payment = store.payment(id).await.expect("the journal")?;
        (!payment.is_open()).then_some(payment)
    })
    .await
}

fn refunded(house: &House) -> u64 {
    house.issuer.truth().iter().map(|effect| effect.refunded_minor).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_refunds_parts_and_the_rest_and_the_bank_gives_each_back_once() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let (id, payment) = paid(&api, "order-1", 10_000).await;
    let body = json!({"amount": ves(4_000), "reason": "one item was returned"});
    let first = refund(&api, &payment, "refund-1", &body).await;
    assert_eq!((first.status, first.text("/state")), (201, "done"), "{}", first.body);
    assert!(first.text("/id").starts_with("rfn_"));
    assert_eq!(first.body["amount"], ves(4_000));
    assert_eq!(refunded(&house), 4_000);

    let again = refund(&api, &payment, "refund-1", &body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = refund(&api, &payment, "refund-1", &so_much(3_000)).await;
    assert_eq!((other.status, other.text("/code")), (422, "idempotency_conflict"));
    assert_eq!((refunded(&house), house.issuer.counts().refunds), (4_000, 1));

    let shown = api.get(&format!("/v1/payments/{id}")).await;
    assert_eq!((shown.text("/state"), &shown.body["refunded"]), ("approved", &ves(4_000)));
    assert_eq!(shown.body["refunds"][0]["id"], first.body["id"]);

    let beyond = refund(&api, &payment, "refund-2", &so_much(6_001)).await;
    assert_eq!((beyond.status, beyond.text("/code")), (422, "refund_exceeds_payment"));
    assert_eq!(beyond.text("/field"), "amount.minor");
    assert_eq!(beyond.text("/detail"), "what may be refunded is 60.00 VES");
    let reversed = api.post(&format!("/v1/payments/{id}/reverse"), &json!({})).await;
    assert_eq!((reversed.status, reversed.text("/code")), (409, "reversal_not_allowed"));

    let rest = refund(&api, &payment, "refund-2", &json!({})).await;
    assert_eq!((rest.status, &rest.body["amount"]), (201, &ves(6_000)), "{}", rest.body);
    let whole = settled(&house, id).await;
    assert_eq!((whole.state, refunded(&house)), (PaymentState::Refunded, 10_000));
    let late = refund(&api, &payment, "refund-3", &so_much(1)).await;
    assert_eq!((late.status, late.text("/code")), (422, "refund_exceeds_payment"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_refunds_at_once_give_back_what_was_paid_and_no_more() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let (id, payment) = paid(&api, "order-1", 10_000).await;
    let keys: Vec<String> = (0..64).map(|number| format!("refund-{number}")).collect();
    // Two of each key at once: each key is one refund.
    let body = so_much(300);
    let asked = keys.iter().chain(&keys).map(|key| refund(&api, &payment, key, &body));
    let replies = join_all(asked).await;
    let told = |status| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!(told(201) + told(422), replies.len(), "{replies:?}");
    let payment = settled(&house, id).await;
    let sums = payment.refund_sums().expect("refunds");
    assert_eq!((sums.done_minor, sums.begun), (9_900, 33), "33 times 3.00 fit into 100.00");
    assert_eq!((refunded(&house), payment.state), (9_900, PaymentState::Approved));
    let ids: std::collections::HashSet<_> =
        replies.iter().filter(|it| it.status == 201).map(|it| it.text("/id")).collect();
    assert_eq!(ids.len(), 33);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_the_bank_declines_gives_nothing_back_and_may_be_asked_for_anew() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let (id, payment) = paid(&api, "order-1", 10_000).await;
    // 51: insufficient funds.
    let failed = refund(&api, &payment, "refund-1", &so_much(4_051)).await;
    assert_eq!((failed.status, failed.text("/state")), (201, "failed"), "{}", failed.body);
    let known = settled(&house, id).await;
    assert_eq!((known.state, known.refundable_minor()), (PaymentState::Approved, Some(10_000)));
    let done = refund(&api, &payment, "refund-2", &json!({})).await;
    assert_eq!(done.text("/state"), "done", "{}", done.body);
    assert_eq!(refunded(&house), 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_refunded_is_refused_by_name_and_changes_nothing() {
    let house = House::start().await;
    let (api, stranger) = (Api::of(&house, "isp-ve"), Api::of(&house, "lender-mx"));
    let declined = api.pay("order-1", &card_payment(10_051, "B-1")).await;
    let no = refund(&api, &declined, "refund-1", &json!({})).await;
    assert_eq!((no.status, no.text("/code")), (409, "refund_not_allowed"));

    let (id, payment) = paid(&api, "order-2", 10_000).await;
    let foreign = refund(&stranger, &payment, "refund-1", &json!({})).await;
    assert_eq!(foreign.status, 404);
    let other = json!({"amount": {"currency": "MXN", "minor": 1}});
    let currency = refund(&api, &payment, "refund-1", &other).await;
    assert_eq!((currency.status, currency.text("/code")), (422, "currency_not_allowed"));
    let path = format!("/v1/payments/{id}/refunds");
    let keyless = api.post(&path, &json!({})).await;
    assert_eq!((keyless.status, keyless.text("/field")), (400, "Idempotency-Key"));

    api.post(&format!("/v1/payments/{id}/reverse"), &json!({})).await;
    let reversed = refund(&api, &payment, "refund-1", &json!({})).await;
    assert_eq!((reversed.status, reversed.text("/code")), (409, "already_reversed"));
    assert_eq!(house.issuer.counts().refunds, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_a_deaf_bank_does_not_answer_is_asked_for_again_after_a_restart() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let (id, payment) = paid(&api, "order-1", 10_000).await;
    house.issuer.set_mood(Mood::Deaf);
    let path = format!("/v1/payments/{}/refunds", payment.text("/id"));
    let headers = [("content-type", "application/json"), ("idempotency-key", "refund-1")];
    let body = so_much(4_000).to_string();
    let asking = api.try_send(Method::POST, &path, &headers, body.as_bytes());
    let begun = async {
        eventually("the refund to be begun", async || {
            let known = house.engine().store.payment(id).await.expect("the journal")?;
            (known.state == PaymentState::Refunding).then_some(())
        })
        .await;
    };
    // Its answer is not waited for: the switch stops before the bank hears.
    tokio::select! {
        _ = asking => {}
        () = begun => {}
    }
    let (dir, issuer) = house.stop().await;
    issuer.set_mood(Mood::Working);
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let payment_now = settled(&house, id).await;
    assert_eq!(payment_now.refund_sums().map(|sums| sums.done_minor), Some(4_000));
    assert_eq!(refunded(&house), 4_000, "once, however often it was asked for");
    let api = Api::of(&house, "isp-ve");
    let again = refund(&api, &payment, "refund-1", &so_much(4_000)).await;
    assert_eq!((again.status, again.text("/state")), (201, "done"), "{}", again.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_in_the_reason_of_a_refund_is_kept_masked() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let (id, payment) = paid(&api, "order-1", 10_000).await;
    let body = json!({"amount": ves(100), "reason": "card 4111111111111111 was charged twice"});
    assert_eq!(refund(&api, &payment, "refund-1", &body).await.status, 201);
    let known = house.engine().store.payment(id).await.expect("the journal").expect("a payment");
    assert_eq!(&*known.refunds[0].reason, "card 411111******1111 was charged twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_is_away_refuses_a_refund_and_the_key_stays_free() {
    let issuer = issuer().await;
    let dir = tempfile::TempDir::new().expect("a folder");
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let api = Api::of(&house, "isp-ve");
    let (id, payment) = paid(&api, "order-1", 10_000).await;
    house.issuer.set_mood(Mood::HangingUp);
    eventually("the bank to be away", async || {
        // Whatever is asked drops the line.
        api.pay("order-x", &card_payment(10_001, "B-x")).await;
        let participants = house.engine().participants();
        let is_away = |it: &std::sync::Arc<switch::adapter::iso8583::Iso8583Participant>| {
            it.config.reach.is_none() || !it.is_signed_on()
        };
        participants.iso8583().all(is_away).then_some(())
    })
    .await;
    let away = refund(&api, &payment, "refund-1", &json!({})).await;
    assert_eq!((away.status, away.text("/code")), (503, "issuer_unavailable"), "{}", away.body);
    let known = house.engine().store.payment(id).await.expect("the journal").expect("a payment");
    assert_eq!((known.state, known.refunds.len()), (PaymentState::Approved, 0));
    house.issuer.set_mood(Mood::Working);
    let done = eventually("the refund", async || {
        let reply = refund(&api, &payment, "refund-1", &json!({})).await;
        (reply.status == 201).then_some(reply)
    })
    .await;
    assert_eq!(done.body["amount"], ves(10_000));
}
