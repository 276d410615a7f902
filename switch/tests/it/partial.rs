//! A part of a payment is reversed: the rest stands, at the bank, in the journal and in the books.

use std::future::Future;

use futures_util::future::join_all;
use http::Method;
use loadtest::simulator::acquirer::{Acquirer, Answer, Fields};
use loadtest::simulator::issuer::Mood;
use router::id::PaymentId;
use router::payment::{Payment, PaymentState};
use router::posting::account;
use serde_json::{Value, json};
use storage::guard::Balance;
use switch::keys::Role;
use tempfile::TempDir;

use crate::api::{Api, Reply, card_payment};
use crate::harness::{
    CONFIG, House, card_order, cash_order, eventually, issuer, money, net_debits, start_app,
    start_text,
};

/// Replacement amounts after which so much stands, as ISO 8583:1987 lays out DE95.
fn leaving(minor: u64) -> String {
    format!("{minor:012}{:012}C00000000C00000000", 0)
}

async fn reverse(line: &Acquirer, request: &Fields, stands_minor: u64) -> Answer {
    let part = line.reversal_of(request).with(95, leaving(stands_minor));
    line.request("0420", &part).await.expect("an answer")
}

fn said(answer: &Answer) -> (&str, &str) {
    (answer.response_code(), answer.fields.text(44))
}

/// The payment, once nothing is owed to its bank.
async fn settled(house: &House, id: PaymentId) -> Payment {
    let store = &house.engine().store;
    eventually("nothing to be owed", async || {
        let payment = store.payment(id).await.expect("the journal")?;
        (!payment.is_open()).then_some(payment)
    })
    .await
}

/// What the bank gave back of its only payment.
fn given_back(house: &House) -> u64 {
    let truth = house.issuer.truth();
    assert_eq!(truth.len(), 1);
    truth[0].given_back_minor
}

/// A switch whose issuer does not read replacement amounts.
async fn without_parts() -> House {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (dir, issuer) = (TempDir::new().expect("a folder"), issuer().await);
    let text = CONFIG.replace("partial_reversals = true\n", "");
    assert_ne!(text, CONFIG);
    let text = text.replace("@issuer@", &issuer.addr().to_string());
    let app = start_text(dir.path(), &text, "").await;
    House { app, issuer, dir }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bank_gives_back_a_part_and_the_rest_stands_until_all_is_reversed() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(10_000)).await.expect("an answer");
    let id = house.payment(answer.folio()).await.id;

    let part = bank.reversal_of(&request).with(95, leaving(4_000));
    let told = bank.request("0420", &part).await.expect("an answer");
    assert_eq!((told.mti.as_str(), told.response_code()), ("0430", "00"));
    assert_eq!(told.fields.text(95), leaving(4_000), "what stands is repeated");
    let payment = settled(&house, id).await;
    assert_eq!((payment.state, payment.stands_minor()), (PaymentState::Approved, 4_000));
    assert_eq!(given_back(&house), 6_000);

    let again = bank.repeat("0420", &part).await.expect("an answer");
    assert_eq!(again.response_code(), "00");
    settled(&house, id).await;
    assert_eq!((given_back(&house), house.issuer.counts().reversals), (6_000, 1));

    let inquiry = bank.inquiry_about(&request);
    let told = bank.request("0200", &inquiry).await.expect("an answer");
    assert_eq!((told.response_code(), told.fields.text(95)), ("00", &*leaving(4_000)));

    for beyond in [5_000, 10_000, 20_000] {
        let refused = reverse(&bank, &request, beyond).await;
        assert_eq!(said(&refused), ("13", "4013"), "{beyond} cannot stand any more");
    }
    assert_eq!(reverse(&bank, &request, 1_000).await.response_code(), "00");
    settled(&house, id).await;
    assert_eq!(given_back(&house), 9_000);

    let whole = bank.request("0420", &bank.reversal_of(&request)).await.expect("an answer");
    assert_eq!(whole.response_code(), "00");
    house.wait_for_state(id, PaymentState::Reversed).await;
    assert_eq!((given_back(&house), net_debits(&house.issuer.truth()[0])), (10_000, 0));
    assert_eq!(said(&reverse(&bank, &request, 500).await), ("21", "4004"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_of_another_amount_without_replacement_amounts_is_refused() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(20_000)).await.expect("an answer");
    for amount in ["000000010000", "000000030000"] {
        let lower = bank.reversal_of(&request).with(4, amount);
        for reversal in [lower.clone(), lower.without(49)] {
            let told = bank.request("0420", &reversal).await.expect("an answer");
            assert_eq!(said(&told), ("13", "4013"));
        }
    }
    let fee = bank.reversal_of(&request).with(95, "000000004000000000000000D00000100C00000000");
    let told = bank.request("0420", &fee).await.expect("an answer");
    assert_eq!(told.response_code(), "57");
    assert!(told.fields.text(44).starts_with("4012 DE95 @"), "{}", told.fields.text(44));
    let payment = house.payment(answer.folio()).await;
    assert_eq!((payment.state, payment.is_open()), (PaymentState::Approved, false));
    assert_eq!(house.issuer.counts().reversals, 0);

    let without_currency = bank.reversal_of(&request).without(49);
    let told = bank.request("0420", &without_currency).await.expect("an answer");
    assert_eq!(told.response_code(), "00", "the amount is the payment's");
    house.wait_for_state(payment.id, PaymentState::Reversed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_does_not_read_replacement_amounts_is_asked_for_the_whole_alone() {
    let house = without_parts().await;
    let (bank, api) = (house.bank().await, Api::of(&house, "isp-ve"));
    let (request, answer) = bank.pay(&card_order(10_000)).await.expect("an answer");
    assert_eq!(said(&reverse(&bank, &request, 4_000).await), ("57", "4012"));
    let id = house.payment(answer.folio()).await.id;
    let payment = settled(&house, id).await;
    assert_eq!((payment.state, payment.parts.len()), (PaymentState::Approved, 0));

    let paid = api.pay("order-1", &card_payment(10_000, "B-1")).await;
    let reply = give_back(&api, &paid, 4_000, &[]).await;
    assert_eq!((reply.status, reply.text("/code")), (422, "partial_reversal_not_supported"));
    let shown = api.get(&format!("/v1/payments/{}", paid.text("/id"))).await;
    assert_eq!(shown.body, paid.body, "nothing is changed");
    assert_eq!(house.issuer.counts().reversals, 0);

    let all = give_back(&api, &paid, 10_000, &[]).await;
    assert_eq!((all.status, all.text("/state")), (202, "reversing"), "all of it is no part");
}

async fn give_back(api: &Api, paid: &Reply, minor: i64, headers: &[(&str, &str)]) -> Reply {
    let body = json!({"amount": {"currency": "VES", "minor": minor}});
    reverse_with(api, paid, &body.to_string(), headers).await
}

fn reverse_with<'a>(
    api: &'a Api,
    paid: &Reply,
    body: &'a str,
    headers: &[(&'a str, &'a str)],
) -> impl Future<Output = Reply> + 'a {
    let path = format!("/v1/payments/{}/reverse", paid.text("/id"));
    let json = [("content-type", "application/json")];
    let headers: Vec<_> = json.iter().chain(headers).copied().collect();
    async move { api.send(Method::POST, &path, &headers, body.as_bytes()).await }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_has_parts_given_back_once_for_each_key_and_never_beyond() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let paid = api.pay("order-1", &card_payment(10_000, "B-1")).await;
    let id: PaymentId = paid.text("/id").parse().expect("an id");
    let first = give_back(&api, &paid, 4_000, &[("idempotency-key", "part-1")]).await;
    assert_eq!((first.status, first.text("/state")), (202, "approved"), "{}", first.body);
    settled(&house, id).await;
    let ves = |minor: i64| json!({"currency": "VES", "minor": minor});
    let again = give_back(&api, &paid, 4_000, &[("idempotency-key", "part-1")]).await;
    assert_eq!((again.status, &again.body["reversed"]), (200, &ves(4_000)));
    assert_eq!(again.body["reversing"], Value::Null);
    let other = give_back(&api, &paid, 3_000, &[("idempotency-key", "part-1")]).await;
    assert_eq!((other.status, other.text("/code")), (422, "idempotency_conflict"));

    for _ in 0..2 {
        assert_eq!(give_back(&api, &paid, 1_000, &[]).await.status, 202, "each one counts");
    }
    settled(&house, id).await;
    assert_eq!(given_back(&house), 6_000);
    let beyond = give_back(&api, &paid, 4_001, &[]).await;
    assert_eq!((beyond.status, beyond.text("/code")), (422, "reversal_amount_mismatch"));
    assert_eq!(beyond.text("/field"), "amount.minor");
    assert_eq!(beyond.text("/detail"), "what stands is 40.00 VES");

    let rest = give_back(&api, &paid, 4_000, &[("idempotency-key", "rest")]).await;
    assert_eq!((rest.status, rest.text("/state")), (202, "reversing"));
    house.wait_for_state(id, PaymentState::Reversed).await;
    let again = give_back(&api, &paid, 4_000, &[("idempotency-key", "rest")]).await;
    assert_eq!((again.status, again.text("/state")), (200, "reversed"));
    assert_eq!(again.body["reversed"], ves(10_000));
    let late = give_back(&api, &paid, 500, &[]).await;
    assert_eq!((late.status, late.text("/code")), (409, "already_reversed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_asked_for_at_once_never_add_up_to_more_than_the_payment() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let paid = api.pay("order-1", &card_payment(10_000, "B-1")).await;
    let id: PaymentId = paid.text("/id").parse().expect("an id");
    let asked = (0..20).map(|_| give_back(&api, &paid, 700, &[]));
    let statuses: Vec<u16> = join_all(asked).await.iter().map(|reply| reply.status).collect();
    let given = statuses.iter().filter(|status| [200, 202].contains(*status)).count();
    assert_eq!(given, 14, "fourteen times 7.00 fit into 100.00: {statuses:?}");
    assert!(statuses.iter().all(|status| [200, 202, 422].contains(status)), "{statuses:?}");
    let payment = settled(&house, id).await;
    assert_eq!((payment.stands_minor(), payment.parts.len()), (200, 14));
    assert_eq!(given_back(&house), 9_800);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_goes_back_to_the_float_when_it_is_confirmed_and_the_fee_with_the_last_one() {
    let house =
        House::start_with("[[floats]]\nref = \"77\"\nowner = \"bank-a\"\nopening_minor = 100000\ncurrency = \"MXN\"\n")
            .await;
    let bank = house.bank().await;
    let float = async || {
        let balance =
            house.engine().store.account_balance(account("float", "77"), money(0, "MXN").currency);
        let Balance { balance, held } = balance.await.expect("the journal");
        (balance, held)
    };
    let mut order = cash_order("0000000000000001", 50_000, 9_000_000);
    for (tag, value) in &mut order.private {
        if *tag == "05" {
            *value = "77".to_owned();
        }
    }
    let (request, answer) = bank.pay(&order).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    let id = house.payment(answer.folio()).await.id;
    assert_eq!(float().await, (48_800, 0), "500.00 and 12.00 are spent");

    house.issuer.set_mood(Mood::Deaf);
    assert_eq!(reverse(&bank, &request, 20_000).await.response_code(), "00");
    assert_eq!(float().await, (48_800, 0), "nothing is back before the bank has confirmed");
    house.issuer.set_mood(Mood::Working);
    settled(&house, id).await;
    assert_eq!(float().await, (78_800, 0), "the fee stays");
    let (_, second) = bank.pay(&order).await.expect("an answer");
    assert_eq!(said(&second), ("94", "4001"), "the same operation still stands");

    bank.request("0420", &bank.reversal_of(&request)).await.expect("an answer");
    house.wait_for_state(id, PaymentState::Reversed).await;
    assert_eq!(float().await, (100_000, 0), "fee included, nothing stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_owed_is_given_back_after_a_restart() {
    let house = House::start().await;
    let bank = house.bank().await;
    let (request, answer) = bank.pay(&card_order(10_000)).await.expect("an answer");
    house.issuer.set_mood(Mood::Deaf);
    assert_eq!(reverse(&bank, &request, 4_000).await.response_code(), "00");
    assert_eq!(reverse(&bank, &request, 3_000).await.response_code(), "00");
    let id = house.payment(answer.folio()).await.id;
    let (dir, issuer) = house.stop().await;
    assert_eq!(issuer.truth()[0].given_back_minor, 0);

    issuer.set_mood(Mood::Working);
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let payment = settled(&house, id).await;
    assert_eq!((payment.state, payment.stands_minor()), (PaymentState::Approved, 3_000));
    assert_eq!(given_back(&house), 7_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reversal_of_a_declined_payment_undoes_nothing_and_says_so() {
    let house = House::start().await;
    let (bank, api) = (house.bank().await, Api::of(&house, "isp-ve"));
    let (request, answer) = bank.pay(&card_order(1_051)).await.expect("an answer");
    assert_eq!(answer.response_code(), "51");
    let reversal = bank.reversal_of(&request);
    let advised = bank.request("0420", &reversal).await.expect("an answer");
    assert_eq!(said(&advised), ("00", "4011"), "an advice is taken note of");
    assert!(advised.fields.text(48).contains("no se movi"), "{}", advised.fields.text(48));
    let asked = bank.request("0400", &reversal).await.expect("an answer");
    assert_eq!(said(&asked), ("21", "4011"), "a request is told that nothing is done");
    assert_eq!(said(&reverse(&bank, &request, 500).await), ("00", "4011"));

    let declined = api.pay("order-1", &card_payment(1_051, "B-1")).await;
    for body in ["", r#"{"amount":{"currency":"VES","minor":100}}"#] {
        let reply = reverse_with(&api, &declined, body, &[]).await;
        assert_eq!((reply.status, reply.text("/code")), (409, "nothing_to_reverse"));
        assert!(reply.text("/title").contains("no money moved"), "{}", reply.body);
    }
    assert_eq!(house.issuer.counts().reversals, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_s_body_is_read_strictly() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let paid = api.pay("order-1", &card_payment(10_000, "B-1")).await;
    let amount = |currency: &str, minor: i64| {
        json!({"amount": {"currency": currency, "minor": minor}}).to_string()
    };
    let cases = [
        (r#"{"nonsense":true}"#.to_owned(), 400, "format_error", "nonsense"),
        (r#"{"amount":null}"#.to_owned(), 422, "amount_invalid", "amount"),
        (r#"{"amount":"40.00"}"#.to_owned(), 422, "amount_invalid", "amount"),
        (amount("VES", 0), 422, "amount_invalid", "amount.minor"),
        (amount("VES", -1), 422, "amount_invalid", "amount.minor"),
        (amount("MXN", 4_000), 422, "currency_not_allowed", "amount.currency"),
        (amount("VES", 10_001), 422, "reversal_amount_mismatch", "amount.minor"),
        ("[]".to_owned(), 400, "format_error", ""),
        ("all of it".to_owned(), 400, "format_error", ""),
    ];
    for (body, status, code, field) in cases {
        let reply = reverse_with(&api, &paid, &body, &[]).await;
        assert_eq!((reply.status, reply.text("/code")), (status, code), "{body}");
        assert_eq!(reply.text("/field"), field, "{body}");
    }
    let path = format!("/v1/payments/{}/reverse", paid.text("/id"));
    let form = api.send(Method::POST, &path, &[], b"amount=4000").await;
    assert_eq!(form.status, 415);
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_eq!(give_back(&api, &paid, 4_000, &twice).await.text("/field"), "Idempotency-Key");
    assert_eq!(api.get(&format!("/v1/payments/{}", paid.text("/id"))).await.body, paid.body);
    assert_eq!(house.issuer.counts().reversals, 0);

    let whole = reverse_with(&api, &paid, "{}", &[]).await;
    assert_eq!((whole.status, whole.text("/state")), (202, "reversing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_passes_over_a_body() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let paid = api.pay("order-1", &card_payment(10_000, "B-1")).await;
    let payment = format!("/v1/payments/{}", paid.text("/id"));
    let url = json!({"url": "http://127.0.0.1:9/notices"});
    let endpoint = api.post("/v1/endpoints", &url).await;
    let endpoint = format!("/v1/endpoints/{}", endpoint.text("/id"));
    let routes = [
        (Method::GET, "/v1/payments"),
        (Method::GET, &payment),
        (Method::GET, "/v1/endpoints"),
        (Method::GET, &endpoint),
        (Method::DELETE, &endpoint),
        (Method::GET, "/v1/notices"),
        (Method::POST, "/v1/notices/ntc_0/redeliver"),
    ];
    let json = [("content-type", "application/json")];
    for (method, path) in routes {
        let reply = api.send(method.clone(), path, &json, br#"{"force":true}"#).await;
        assert_eq!((reply.status, reply.text("/field")), (400, "force"), "{method} {path}");
        let reply = api.send(method.clone(), path, &[], b"force").await;
        assert_eq!(reply.status, 415, "{method} {path}");
    }
    for body in [&b"{}"[..], br#"{"force":true}"#, b"force"] {
        let reply = api.send(Method::GET, "/openapi.json", &json, body).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "format_error"));
    }
    let operator = Api::with_role(&house, Role::Operator, "ops");
    let shown = operator.send(Method::GET, &payment, &json, b"{}").await;
    assert_eq!(shown.status, 200, "an object without members says nothing");
    assert_eq!(api.get(&endpoint).await.status, 200, "nothing was deleted");
}
