//! Many refunds of one payment at once at a bank with a JSON API.

use std::collections::HashSet;

use futures_util::future::join_all;
use http::Method;
use router::id::PaymentId;
use router::payment::{Payment, PaymentState};
use serde_json::json;

use super::{JsonHouse, LONG_MS};
use crate::api::Reply;
use crate::harness::eventually;

/// Requests at once.
const REFUNDS: usize = 64;

async fn refund(house: &JsonHouse, payment: PaymentId, key: &str, minor: i64) -> Reply {
    let path = format!("/v1/payments/{payment}/refunds");
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let body = json!({ "amount": { "currency": "VES", "minor": minor } }).to_string();
    house.api().send(Method::POST, &path, &headers, body.as_bytes()).await
}

/// The payment, once none of its refunds is pending.
async fn settled(house: &JsonHouse, id: PaymentId) -> Payment {
    eventually("no refund to be pending", async || {
        let payment = house.payment(id).await;
        (!payment.is_open()).then_some(payment)
    })
    .await
}

/// Ids of the refunds that were begun, as the replies tell them.
fn begun<'a>(replies: impl Iterator<Item = &'a Reply>) -> HashSet<&'a str> {
    replies.filter(|reply| reply.status == 201).map(|reply| reply.text("/id")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_refunds_at_once_at_a_json_bank_give_back_what_was_paid_and_no_more() {
    let house = JsonHouse::start(LONG_MS).await;
    let (_, paid) = house.pay("order-1", 10_000).await;
    let keys: Vec<String> = (0..REFUNDS).map(|number| format!("refund-{number}")).collect();
    // Two of each key at once: each key is one refund.
    let asked = keys.iter().chain(&keys).map(|key| refund(&house, paid.id, key, 300));
    let replies = join_all(asked).await;
    for reply in &replies {
        match reply.status {
            201 => assert_eq!(reply.body["amount"]["minor"], 300, "{reply:?}"),
            422 => assert_eq!(reply.text("/code"), "refund_exceeds_payment", "{reply:?}"),
            _ => panic!("{reply:?}"),
        }
    }
    let payment = settled(&house, paid.id).await;
    let sums = payment.refund_sums().expect("refunds");
    assert_eq!((sums.done_minor, sums.begun), (9_900, 33), "33 times 3.00 fit into 100.00");
    assert_eq!(payment.state, PaymentState::Approved, "1.00 stands");
    assert_eq!(begun(replies.iter()).len(), 33);
    assert_eq!(house.stands(paid.id), Some(100), "bank and switch agree");
    assert_eq!(house.bank.counts().refunds, 33, "the bank was asked once for each");
    assert_eq!((house.bank.counts().reversals, house.bank.counts().refused), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_refunds_of_different_amounts_at_once_never_exceed_the_payment() {
    let house = JsonHouse::start(LONG_MS).await;
    let (_, paid) = house.pay("order-1", 10_000).await;
    // The amounts add up to 41,600: about a quarter of them fits, which ones is open.
    let amounts: Vec<i64> = (1..).map(|number| 20 * number).take(REFUNDS).collect();
    let asked = amounts.iter().map(async |minor| {
        let key = format!("refund-{minor}");
        (*minor, refund(&house, paid.id, &key, *minor).await)
    });
    let replies = join_all(asked).await;
    let is_begun = |reply: &Reply| reply.status == 201;
    let begun_minor: i64 =
        replies.iter().filter(|(_, reply)| is_begun(reply)).map(|(minor, _)| minor).sum();
    let refused_min = replies.iter().filter(|(_, reply)| !is_begun(reply)).map(|(minor, _)| minor);
    let refused_min = *refused_min.min().expect("not all of them fit");
    let payment = settled(&house, paid.id).await;
    let sums = payment.refund_sums().expect("refunds");
    assert!((1..=10_000).contains(&begun_minor), "{begun_minor}");
    assert_eq!(sums.done_minor, begun_minor, "switch and merchant agree");
    let left = 10_000 - begun_minor;
    assert!(left < refused_min, "{refused_min} was refused, and {left} was left");
    assert_eq!(house.stands(paid.id), Some(u64::try_from(left).expect("no less than nothing")));
    let begun = begun(replies.iter().map(|(_, reply)| reply)).len();
    assert_eq!(house.bank.counts().refunds, u64::try_from(begun).expect("a count"));
}
