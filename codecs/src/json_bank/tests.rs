use std::collections::BTreeMap;

use proptest::prelude::*;
use router::message::{Acceptor, Payer};
use router::money::{Currency, Money};
use router::reason::Reason;
use router::secret::{CardNumber, Pan, Secret};
use router::text::Text;
use router::time::Timestamp;

use super::*;

const EXAMPLE: &str = include_str!("../../../config/participants/json/example-bank.toml");

fn example() -> JsonDialect {
    JsonDialect::load(EXAMPLE, &[]).expect("the example has no mistake")
}

fn payer() -> Payer {
    let card = Pan::new(b"4111111111111111").map(CardNumber::Clear).unwrap();
    Payer { card: Some(card), phone: Text::new("584125550101").ok(), ..Payer::default() }
}

static NO_CONSTANTS: BTreeMap<String, String> = BTreeMap::new();

fn values(payer: &Payer) -> BankValues<'_> {
    let amount = Money::new(1250, Currency::from_code("VES").unwrap());
    BankValues {
        payment: "pay_1",
        attempt: "a 1/ä",
        request: "req_1",
        folio: None,
        amount,
        paid: amount,
        stands: Some(Money::zero(amount.currency)),
        rail: "c2p",
        biller: Some("isp-ve"),
        bill: None,
        client: None,
        reference: None,
        acceptor: Acceptor { terminal: Text::new("TERM0001").unwrap(), ..Acceptor::default() },
        payer,
        one_time_key: None,
        bank_reference: None,
        authorisation: None,
        now: Timestamp(1_796_119_200_000_000),
        constants: &NO_CONSTANTS,
    }
}

fn write(operation: Operation, values: &BankValues<'_>) -> Result<BankRequest, MissingValue> {
    example().write(operation, values).expect("the example has every operation")
}

fn read(operation: Operation, status: u16, body: &str) -> BankReading {
    read_bytes(operation, &values(&payer()), status, body.as_bytes())
}

fn read_bytes(
    operation: Operation,
    values: &BankValues<'_>,
    status: u16,
    body: &[u8],
) -> BankReading {
    let key = Secret::new(*b"123456");
    let asked = BankValues { one_time_key: Some(&key), ..values.clone() };
    let request = write(operation, &asked).expect("nothing is missing");
    example().read(&request.expected, status, body)
}

fn verdict(status: u16, body: &str) -> BankVerdict {
    read(Operation::Start, status, body).verdict
}

fn fault(field: &str, problem: AnswerProblem) -> BankVerdict {
    BankVerdict::NotUnderstood(AnswerFault { field: field.to_owned(), problem })
}

/// An answer to [`values`], as the example bank writes it.
fn answer(state: &str, more: &str) -> String {
    format!(
        r#"{{"id":"B-7","status":"{state}","order":"a 1/ä",
             "amount":{{"value":"12.50","currency":"VES"}}{more}}}"#
    )
}

#[test]
fn a_request_has_the_values_of_the_payment_where_the_file_puts_them() {
    let payer = payer();
    let request = write(Operation::Start, &values(&payer)).unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/payments"));
    assert_eq!(
        String::from_utf8(request.body.clone().unwrap()).unwrap(),
        r#"{"amount":{"currency":"VES","value":"12.50"},"#.to_owned()
            + r#""merchant":{"category":"4814","id":"isp-ve","terminal":"CAUCE001"},"#
            + r#""order":"a 1/ä","payer":{"card":"4111111111111111","phone":"584125550101"},"#
            + r#""rail":"c2p","requested_at":"2026-12-01T10:00:00.000Z"}"#
    );
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), text(value)));
    let headers: Vec<_> = headers.collect();
    let json = "application/json".to_owned();
    assert_eq!(headers, [("idempotency-key", "req_1".to_owned()), ("content-type", json)]);
    assert!(!format!("{request:?}").contains("4111"), "a request never shows its body");
    let inquiry = write(Operation::Inquire, &values(&payer)).unwrap();
    assert_eq!(inquiry.method.as_str(), "GET");
    assert_eq!(inquiry.path, "/v1/payments/a%201%2F%C3%A4", "values in a path are escaped");
    assert!(inquiry.body.is_none());
}

#[test]
fn constants_of_the_entry_win_over_those_of_the_file() {
    let payer = payer();
    let own = BTreeMap::from([("terminal".to_owned(), "T-9".to_owned())]);
    let values = BankValues { constants: &own, ..values(&payer) };
    let body = write(Operation::Start, &values).unwrap().body.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["merchant"]["terminal"], "T-9");
    assert_eq!(body["merchant"]["category"], "4814");
}

#[test]
fn who_takes_the_payment_is_told_where_the_file_puts_it_and_left_out_where_it_is_not_known() {
    let file = EXAMPLE
        .replace("\"{constant.terminal}\"", "\"{acceptor.terminal?}\"")
        .replace("\"{constant.merchant_category}\"", "\"{acceptor.place?}\"");
    let dialect = JsonDialect::load(&file, &[]).expect("no mistake");
    let payer = payer();
    let written = dialect.write(Operation::Start, &values(&payer)).expect("an operation");
    let body: serde_json::Value = serde_json::from_slice(&written.unwrap().body.unwrap()).unwrap();
    assert_eq!(body["merchant"]["terminal"], "TERM0001");
    assert_eq!(body["merchant"]["category"], serde_json::Value::Null);
}

#[test]
fn a_payment_without_what_the_bank_needs_is_not_written() {
    let payer = payer();
    let missing = write(Operation::Confirm, &values(&payer)).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the payment has no `one_time_key`, which the participant's dialect needs"
    );
    let key = Secret::new(*b"123456");
    let confirm =
        write(Operation::Confirm, &BankValues { one_time_key: Some(&key), ..values(&payer) });
    assert_eq!(confirm.unwrap().body.unwrap(), br#"{"one_time_key":"123456"}"#);
}

#[test]
fn an_answer_says_what_its_state_says() {
    let approved = read(Operation::Start, 200, &answer("APPROVED", r#","authorization":"A1""#));
    assert_eq!(
        approved,
        BankReading {
            verdict: BankVerdict::Approved,
            authorisation: Some("A1".to_owned()),
            reference: Some("B-7".to_owned()),
            code: None,
        }
    );
    let declined = read(Operation::Start, 200, &answer("DECLINED", r#","error":{"code":"51"}"#));
    assert_eq!(declined.verdict, BankVerdict::Declined(Reason::InsufficientFunds));
    assert_eq!(declined.code.as_deref(), Some("51"));
    let other = answer("DECLINED", r#","error":{"code":"ZZ"}"#);
    assert_eq!(verdict(201, &other), BankVerdict::Declined(Reason::CardDeclined));
    assert_eq!(
        verdict(202, &answer("OTP_REQUIRED", r#","next":{"expires_at":"2026-12-01T10:05:00Z"}"#)),
        BankVerdict::Awaiting(AwaitedStep::OneTimeKey(Some(Timestamp(1_796_119_500_000_000))))
    );
    assert_eq!(
        verdict(202, &answer("REDIRECT", r#","next":{"url":"https://bank.example/a?b=1"}"#)),
        BankVerdict::Awaiting(AwaitedStep::Redirect("https://bank.example/a?b=1".to_owned(), None))
    );
    assert_eq!(
        read(Operation::Reverse, 200, &answer("REVERSED", "")).verdict,
        BankVerdict::Approved
    );
    assert_eq!(
        read(Operation::Reverse, 200, &answer("APPROVED", "")).verdict,
        fault("/status", AnswerProblem::NotKnown),
        "a state means what its own operation says"
    );
}

#[test]
fn a_status_says_what_is_known_and_what_is_not() {
    let silent = fault("status", AnswerProblem::Silent);
    let declined = r#"{"error":{"code":"51"}}"#;
    for status in [500, 502, 503, 504, 302, 100] {
        assert_eq!(verdict(status, declined), silent, "{status}");
        assert_eq!(verdict(status, &answer("APPROVED", "")), silent, "{status}");
    }
    assert_eq!(verdict(422, declined), BankVerdict::Declined(Reason::InsufficientFunds));
    assert_eq!(verdict(400, &answer("DECLINED", "")), BankVerdict::Declined(Reason::CardDeclined));
    assert_eq!(
        verdict(400, r#"{"error":{"code":"ZZ"}}"#),
        fault("/status", AnswerProblem::Missing)
    );
    assert_eq!(verdict(400, "<html>"), fault("body", AnswerProblem::NotJson));
    let contradicts = fault("status", AnswerProblem::Contradicts);
    assert_eq!(verdict(422, &answer("APPROVED", "")), contradicts, "a failure is no approval");
    assert_eq!(verdict(429, ""), BankVerdict::NotProcessed);
    assert_eq!(read(Operation::Inquire, 404, "").verdict, BankVerdict::NotFound);
    assert_eq!(verdict(404, ""), fault("body", AnswerProblem::NotJson));
}

#[test]
fn an_answer_that_does_not_fit_its_request_says_nothing() {
    use AnswerProblem::{Contradicts, Missing, NotAValue, NotJson, NotKnown};
    let approved = answer("APPROVED", "");
    assert_eq!(verdict(200, &approved), BankVerdict::Approved);
    for (body, field, problem) in [
        ("".to_owned(), "body", NotJson),
        ("garbage".to_owned(), "body", NotJson),
        ("{}".to_owned(), "/status", Missing),
        ("[]".to_owned(), "/status", Missing),
        (approved.replace("APPROVED", "approved"), "/status", NotKnown),
        (approved.replace(r#""APPROVED""#, r#"["APPROVED"]"#), "/status", NotAValue),
        (approved.replace("a 1/ä", "another"), "/order", Contradicts),
        (approved.replace(r#""order""#, r#""orders""#), "/order", Missing),
        (approved.replace("12.50", "12.51"), "/amount/value", Contradicts),
        (approved.replace("12.50", "1250"), "/amount/value", Contradicts),
        (approved.replace("12.50", "1.25e1"), "/amount/value", Contradicts),
        (approved.replace("12.50", "-12.50"), "/amount/value", Contradicts),
        (approved.replace("value", "worth"), "/amount/value", Missing),
        (approved.replace("VES", "USD"), "/amount/currency", Contradicts),
        (answer("APPROVED", r#","status":"DECLINED""#), "/status", NotAValue),
        (answer("REDIRECT", ""), "/next/url", Missing),
        (answer("REDIRECT", r#","next":{"url":"http://bank.example/"}"#), "/next/url", NotAValue),
        (answer("REDIRECT", r#","next":{"url":"https://a\nb"}"#), "/next/url", NotAValue),
        (answer("OTP_REQUIRED", r#","next":{"expires_at":"soon"}"#), "/next/expires_at", NotAValue),
    ] {
        assert_eq!(verdict(200, &body), fault(field, problem), "{body}");
    }
    let foreign = answer("DECLINED", "").replace("a 1/ä", "another");
    assert_eq!(verdict(200, &foreign), fault("/order", Contradicts), "another payment's decline");
    assert_eq!(
        verdict(200, r#"{"status":"DECLINED"}"#),
        BankVerdict::Declined(Reason::CardDeclined),
        "a decline need not repeat the request"
    );
    assert_eq!(
        verdict(200, &approved.replace(r#""12.50""#, "12.5")),
        BankVerdict::Approved,
        "a number, and without its last zero"
    );
}

#[test]
fn what_a_bank_says_of_itself_is_kept_when_it_is_short_and_printable() {
    let long = answer("APPROVED", &format!(r#","authorization":"{}""#, "9".repeat(65)));
    assert_eq!(read(Operation::Start, 200, &long).authorisation, None);
    assert_eq!(verdict(200, &long), BankVerdict::Approved);
    let odd = answer("APPROVED", r#","authorization":"a\u0007""#);
    assert_eq!(read(Operation::Start, 200, &odd).authorisation, None);
}

#[test]
fn a_notification_names_its_payment_and_is_read_as_an_answer() {
    let (dialect, payer) = (example(), payer());
    let body = answer("APPROVED", "");
    let named = dialect.notified_payment(body.as_bytes()).unwrap();
    assert_eq!(named.attempt, "a 1/ä");
    let expected = dialect.expect_notification(&values(&payer)).unwrap();
    assert_eq!(dialect.read(&expected, 200, body.as_bytes()).verdict, BankVerdict::Approved);
    let other = answer("APPROVED", "").replace("12.50", "1.00");
    let reading = dialect.read(&expected, 200, other.as_bytes());
    assert_eq!(reading.verdict, fault("/amount/value", AnswerProblem::Contradicts));
    for bad in ["", "{}", r#"{"order":{}}"#, &format!(r#"{{"order":"{}"}}"#, "x".repeat(65))] {
        assert!(dialect.notified_payment(bad.as_bytes()).is_err(), "{bad}");
    }
}

/// The mistakes of the example with one text of it changed.
fn mistakes(from: &str, to: &str) -> Vec<String> {
    assert!(EXAMPLE.contains(from), "{from}");
    let loaded = JsonDialect::load(&EXAMPLE.replace(from, to), &[]);
    loaded.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_key() {
    let check = |from: &str, to: &str, key: &str| {
        let told = mistakes(from, to);
        assert!(told.iter().any(|it| it.starts_with(key)), "{to}: {told:?}");
    };
    check("\"/v1/payments\"", "\"v1/payments\"", "start.path: begins with one `/`");
    check(
        "\"/v1/payments\"",
        "\"/v1/{payer.card}\"",
        "start.path: `payer.card` may stand in a body alone",
    );
    check(
        "{request}\"\n\n#",
        "{one_time_key}\"\n\n#",
        "headers.idempotency-key: `one_time_key` may",
    );
    check("\"{rail}\"", "\"{rails}\"", "start.body.rail: there is no value `rails`");
    check("\"{rail}\"", "\"{rail:number}\"", "start.body.rail: `rail` is not always a number");
    check(
        "\"{rail}\"",
        "\"{bank_reference}\"",
        "start.body: `bank_reference` is not known to start",
    );
    check("\"{rail}\"", "\"{constant.none}\"", "start.body: there is no constant `none`");
    check("\"{rail}\"", "\"{rail\"", "start.body.rail: has a brace without its pair");
    check("\"{rail}\"", "1.5", "start.body.rail: is neither text");
    check("idempotency-key", "host", "headers.host: is no header that a dialect can set");
    check("\"/status\"", "\"status\"", "start.answer.state: is no JSON Pointer");
    check(
        "= \"awaiting_redirect\"",
        "= \"redirected\"",
        "start.answer.states.REDIRECT: `redirected`",
    );
    check("redirect = \"/next/url\"\n", "", "start.answer.redirect: is missing");
    check("\"insufficient_funds\"", "\"approved\"", "start.answer.codes.51: `approved` is no code");
    check(
        "\"insufficient_funds\"",
        "\"outcome_unknown\"",
        "start.answer.codes.51: `outcome_unknown`",
    );
    check(
        "\"5xx\" = \"unknown\"",
        "\"5xx\" = \"declined\"",
        "start.on.5xx: says nothing of the payment",
    );
    check("timeout = \"unknown\"", "timeout = \"declined\"", "start.on.timeout: says nothing");
    check("APPROVED = \"approved\"\n", "", "start.answer: no state and no status means approved");
    check("[start.on]", "[start.no]", "start.no: unknown field `no`");
    check("name = \"example-bank\"", "name = \"\"", "name: has letters");
    let two = EXAMPLE.replace("\"{rail}\"", "\"{rails}\"").replace("\"/status\"", "\"status\"");
    assert!(JsonDialect::load(&two, &[]).unwrap_err().len() > 1, "all mistakes at once");
}

proptest! {
    #[test]
    fn what_a_bank_reads_of_a_request_and_repeats_is_believed(
        minor in 1_i64..=i64::MAX / 100,
        code in prop::sample::select(vec!["VES", "CLP", "BHD", "EUR"]),
        attempt in "\\PC{1,40}",
    ) {
        let payer = payer();
        let amount = Money::new(minor, Currency::from_code(code).unwrap());
        let asked = BankValues { amount, paid: amount, attempt: &attempt, ..values(&payer) };
        let request = write(Operation::Start, &asked).unwrap().body.unwrap();
        let request: serde_json::Value = serde_json::from_slice(&request).unwrap();
        let answer = serde_json::json!({
            "id": "B-1", "status": "APPROVED", "order": request["order"], "amount": request["amount"],
        });
        let answer = answer.to_string();
        let reading = read_bytes(Operation::Start, &asked, 200, answer.as_bytes());
        prop_assert_eq!(reading.verdict, BankVerdict::Approved);
        let other = BankValues { amount: Money::new(minor - 1, amount.currency), ..asked };
        let reading = read_bytes(Operation::Start, &other, 200, answer.as_bytes());
        prop_assert_eq!(reading.verdict, fault("/amount/value", AnswerProblem::Contradicts));
    }

    #[test]
    fn no_answer_of_a_bank_is_an_approval_by_chance(status in 0_u16..1000, body in any::<Vec<u8>>()) {
        let payer = payer();
        for operation in Operation::ALL {
            let reading = read_bytes(operation, &values(&payer), status, &body);
            prop_assert!(reading.verdict != BankVerdict::Approved);
        }
    }

    #[test]
    fn an_approval_with_one_byte_changed_is_read_or_refused(at in 0_usize..120, byte in any::<u8>()) {
        let payer = payer();
        let mut body = answer("APPROVED", "").into_bytes();
        let at = at.min(body.len() - 1);
        body[at] = byte;
        let reading = read_bytes(Operation::Start, &values(&payer), 200, &body);
        let is_open = matches!(reading.verdict, BankVerdict::Approved | BankVerdict::NotUnderstood(_));
        prop_assert!(is_open, "{:?}", reading.verdict);
    }

    #[test]
    fn any_file_loads_or_is_refused(text in "\\PC{0,200}") {
        prop_assert!(JsonDialect::load(&text, &[]).is_err());
    }
}
