//! Each way a bank's own message is wrong is refused, told in the log with participant and field, and
//! counted; the payment stands as it was.

use codecs::http_signature::SigningKey;
use http::Method;
use loadtest::simulator::json_bank::JsonBankSettings;
use router::id::PaymentId;
use router::secret::Secret;
use serde_json::{Value, json};

use super::site::JsonSite;
use super::{LONG_MS, path_of, secret_key, signed, told, wallet};
use crate::api::{Api, card_payment};

/// A message that is refused.
struct WrongMessage {
    what: &'static str,
    body: Value,
    key: SigningKey,
    status: u16,
    /// The log's field.
    field: &'static str,
    /// The series that counts it.
    series: &'static str,
}

const NOT_UNDERSTOOD: &str =
    "cauce_json_answers_not_understood_total{participant=\"bank-j\",operation=\"notification\",";
const NOT_BELIEVED: &str =
    "cauce_json_signatures_refused_total{participant=\"bank-j\",message=\"notification\",";

fn wrong_messages(payment: PaymentId, of_other_bank: PaymentId) -> Vec<WrongMessage> {
    let stranger = || SigningKey::hmac_sha256(Secret::new(*b"the secret of a stranger"));
    let wrong = |what, body, status, field, series| WrongMessage {
        what,
        body,
        key: secret_key(),
        status,
        field,
        series,
    };
    let no_payment = "problem=\"no_payment\"}";
    vec![
        WrongMessage {
            key: stranger().expect("long enough"),
            ..wrong(
                "a stranger's signature",
                told(payment, "DECLINED", 15_000),
                401,
                "signature",
                "why=\"mismatch\"}",
            )
        },
        wrong("no reference", json!({}), 400, "/order", "problem=\"unreadable\"}"),
        wrong("no JSON object", json!("text"), 400, "/order", "problem=\"unreadable\"}"),
        wrong(
            "another amount",
            told(payment, "DECLINED", 1),
            422,
            "/amount/value",
            "problem=\"contradicts\"}",
        ),
        wrong(
            "a word that is not known",
            told(payment, "PERHAPS", 15_000),
            422,
            "/status",
            "problem=\"not_known\"}",
        ),
        wrong("nobody's payment", told(PaymentId(7), "DECLINED", 1), 404, "attempt", no_payment),
        wrong(
            "another bank's payment",
            told(of_other_bank, "DECLINED", 20_000),
            404,
            "attempt",
            no_payment,
        ),
    ]
}

async fn send(api: &Api, body: &Value, key: &SigningKey) -> u16 {
    let headers = signed("bank-j", body, key);
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
    let body = body.to_string();
    api.send(Method::POST, &path_of("bank-j"), &all, body.as_bytes()).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_message_of_a_bank_is_told_with_its_field_counted_and_changes_nothing() {
    let site = JsonSite::new(LONG_MS, JsonBankSettings::new("bank-j")).await;
    let (running, api) = (site.start().await, site.api());
    let paid = api.pay("k-1", &wallet(15_000)).await;
    assert_eq!(paid.text("/state"), "approved", "{paid:?}");
    let of_other_bank = api.pay("k-2", &card_payment(20_000, "F-2")).await;
    let id = |text: &str| text.parse::<PaymentId>().expect("an id");
    let (payment, other) = (id(paid.text("/id")), id(of_other_bank.text("/id")));
    for wrong in wrong_messages(payment, other) {
        let what = wrong.what;
        let of = if wrong.series.starts_with("why") { NOT_BELIEVED } else { NOT_UNDERSTOOD };
        let series = format!("{of}{}", wrong.series);
        let texts = ["WARN", "notification", "participant=bank-j", wrong.field];
        let (counted, logged) = (site.counted(&series).await, site.logged(&texts).len());
        assert_eq!(send(&api, &wrong.body, &wrong.key).await, wrong.status, "{what}");
        assert_eq!(site.counted(&series).await, counted + 1, "{what}: {series}");
        let lines = site.logged(&texts);
        assert_eq!(lines.len(), logged + 1, "{what}: {texts:?} {lines:#?}");
        let last = lines.last().expect("a line");
        assert!(last.contains(&format!("field=\"{}\"", wrong.field)), "{what}: {last}");
    }
    let now = api.get(&format!("/v1/payments/{}", paid.text("/id"))).await;
    assert_eq!(now.text("/state"), "approved", "{now:?}");
    assert_eq!(site.stands(paid.text("/id")), Some(15_000));
    assert_eq!(site.bank.counts().reversals, 0);
    running.stop().await;
}
