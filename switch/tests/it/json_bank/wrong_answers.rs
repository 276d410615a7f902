//! Each way an answer of a bank with a JSON API goes wrong is told in the log with participant and
//! field, is counted, and costs no second request: each in a process of its own.

use loadtest::simulator::json_bank::{JsonBankSettings, Misconduct};
use serde_json::json;

use super::site::JsonSite;
use super::{LONG_MS, c2p, wallet};

/// A deadline that a slow answer misses, and that starting on a busy machine does not.
const DEADLINE_MS: u64 = 3_000;

/// What is counted of answers that did not come whole.
const NOT_WHOLE: [&str; 3] = ["too_long", "timeout", "broken"];

/// What becomes of one kind of wrong answer.
struct WrongAnswer {
    misconduct: Misconduct,
    timeout_ms: u64,
    /// How the log names the field, and what is wrong with it.
    logged: [&'static str; 2],
    /// What is counted, by its labels; operation and participant stand before.
    counted: &'static str,
}

fn not_understood(operation: &str, problem: &str) -> String {
    format!(
        "cauce_json_answers_not_understood_total{{participant=\"bank-j\",\
         operation=\"{operation}\",problem=\"{problem}\"}}"
    )
}

impl WrongAnswer {
    fn of(misconduct: Misconduct, logged: [&'static str; 2], counted: &'static str) -> Self {
        Self { misconduct, timeout_ms: LONG_MS, logged, counted }
    }

    /// The series that counts it.
    fn series(&self, operation: &str) -> String {
        match self.misconduct {
            Misconduct::BrokenSignature => format!(
                "cauce_json_signatures_refused_total{{participant=\"bank-j\",\
                 message=\"answer\",why=\"{}\"}}",
                self.counted
            ),
            Misconduct::Twice
            | Misconduct::OtherAmount
            | Misconduct::OtherReference
            | Misconduct::ErrorInside
            | Misconduct::Garbage
            | Misconduct::ServerError
            | Misconduct::LongBody
            | Misconduct::SlowBody
            | Misconduct::Dropped => not_understood(operation, self.counted),
        }
    }

    /// The answer to a payment goes wrong, then that to a confirmation.
    async fn check(self) {
        let site = JsonSite::new(self.timeout_ms, JsonBankSettings::new("bank-j")).await;
        let (running, api) = (site.start().await, site.api());
        let waiting = api.pay("k-2", &c2p(16_000)).await;
        assert_eq!(waiting.text("/state"), "awaiting_payer", "{waiting:?}");
        let waits = waiting.text("/id");
        let path = format!("/v1/payments/{waits}/confirm");

        site.bank.misbehave(Some(self.misconduct));
        let unknown = api.pay("k-1", &wallet(15_000)).await;
        assert_eq!((unknown.status, unknown.text("/state")), (202, "unknown"), "{unknown:?}");
        self.is_told(&site, "start", unknown.text("/id")).await;
        let unknown = api.post(&path, &json!({ "otp": "12345678" })).await;
        assert_ne!(unknown.text("/state"), "approved", "{unknown:?}");
        self.is_told(&site, "confirm", waits).await;

        let counts = site.bank.counts();
        assert_eq!((counts.payments, counts.confirmations), (2, 1), "{counts:?}");
        running.stop().await;
    }

    /// The payment is undone, and the log and the counter tell of it once.
    async fn is_told(&self, site: &JsonSite, operation: &str, id: &str) {
        let api = site.api();
        site.told(&api, id, "reversed").await;
        assert_eq!(site.stands(id), Some(0));
        let operation_is = format!("operation=\"{operation}\"");
        let [field, problem] = self.logged;
        let texts = ["participant=bank-j", id, &operation_is, field, problem];
        let lines = site.logged(&texts);
        // Of answers that did not come whole, one in ten seconds is told.
        let is_first = operation == "start" || !NOT_WHOLE.contains(&self.counted);
        let is_told = if is_first { lines.len() == 1 } else { lines.len() <= 1 };
        assert!(is_told, "{:?}: {texts:?}: {lines:#?}", self.misconduct);
        let series = self.series(operation);
        // Refused signatures are counted over all operations.
        let is_of_all = self.misconduct == Misconduct::BrokenSignature && operation == "confirm";
        let expected = if is_of_all { 2 } else { 1 };
        assert_eq!(site.counted(&series).await, expected, "{:?}: {series}", self.misconduct);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_is_told_with_its_field_and_counted() {
    let logged = ["field=\"/amount/value\"", "contradicts"];
    WrongAnswer::of(Misconduct::OtherAmount, logged, "contradicts").check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_s_reference_is_told_with_its_field_and_counted() {
    let logged = ["field=\"/order\"", "contradicts"];
    WrongAnswer::of(Misconduct::OtherReference, logged, "contradicts").check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_signature_is_told_with_its_header_and_counted() {
    let logged = ["field=\"signature\"", "answer is not believed"];
    WrongAnswer::of(Misconduct::BrokenSignature, logged, "mismatch").check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_with_an_error_inside_is_told_with_its_field_and_counted() {
    let logged = ["field=\"/status\"", "problem="];
    WrongAnswer::of(Misconduct::ErrorInside, logged, "not_known").check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_told_with_its_field_and_counted() {
    let logged = ["field=\"body\"", "problem="];
    WrongAnswer::of(Misconduct::Garbage, logged, "not_json").check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_told_with_its_field_and_counted() {
    let logged = ["field=\"status\"", "status=503"];
    WrongAnswer::of(Misconduct::ServerError, logged, "silent").check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_hundred_megabytes_is_told_with_its_field_and_counted() {
    let logged = ["field=\"body\"", "the answer is too long"];
    WrongAnswer::of(Misconduct::LongBody, logged, "too_long").check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_one_byte_a_second_is_told_and_counted() {
    let logged = ["field=\"answer\"", "no whole answer in time"];
    let row = WrongAnswer::of(Misconduct::SlowBody, logged, "timeout");
    WrongAnswer { timeout_ms: DEADLINE_MS, ..row }.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_dropped_is_told_and_counted() {
    let logged = ["field=\"answer\"", "the connection broke"];
    WrongAnswer::of(Misconduct::Dropped, logged, "broken").check().await;
}
