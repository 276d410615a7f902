//! A bank with a JSON API behind the switch: what it answers, whatever it answers, and what it tells by
//! itself.

mod confirm;
mod notifications;
mod one_time_key;
mod refunds;
mod restarts;
mod site;
mod wrong_answers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use codecs::http_signature::{
    SIGNATURE, SIGNATURE_INPUT, SignatureParameters, SignatureRules, SignedParts, SigningKey,
    TrustedKey, VerifyingKey, content_digest, sign,
};
use http::{HeaderMap, Method, Uri};
use loadtest::simulator::json_bank::{
    BankKeys, JsonBank, JsonBankHandle, JsonBankSettings, Misconduct,
};
use router::id::PaymentId;
use router::outcome::{Cause, Outcome};
use router::payment::{Payment, PaymentState};
use router::secret::Secret;
use serde_json::{Value, json};
use switch::clock;
use tempfile::TempDir;

use crate::api::{Api, Reply};
use crate::harness::{CONFIG, House, counted, eventually};

/// A deadline that nothing misses by chance.
const LONG_MS: u64 = 15_000;
/// A deadline for banks that are silent.
pub const SHORT_MS: u64 = 400;
/// The keys of RFC 9421 appendix B.1.4, which are nobody's.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n";
/// The same as 32 bytes, in hexadecimal digits.
const PUBLIC: &str = "26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb";
const SECRET: &[u8] = b"a shared secret of the tests alone";

/// A switch with a JSON bank beside its issuer.
pub struct JsonHouse {
    pub house: House,
    bank: JsonBankHandle,
    _files: TempDir,
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/participants/json/example-bank.toml")
}

fn secret_key() -> SigningKey {
    SigningKey::hmac_sha256(Secret::new(SECRET)).expect("long enough")
}

fn keys() -> BankKeys {
    let public = hex::decode(PUBLIC).expect("digits");
    let key =
        TrustedKey { id: "switch".to_owned(), key: VerifyingKey::ed25519(&public).expect("a key") };
    let rules = SignatureRules { keys: vec![key], tolerance_s: 300, needs_nonce: true };
    BankKeys { sign: Some(("bank".to_owned(), secret_key())), verify: Some(rules) }
}

/// The entry of a JSON bank at an address, with its routes.
fn entry(files: &Path, url: &str, timeout_ms: u64, dialect: &Path) -> String {
    std::fs::write(files.join("switch.pem"), PRIVATE).expect("a file");
    std::fs::write(files.join("bank.secret"), SECRET).expect("a file");
    let (files, dialect) = (files.display(), dialect.display());
    format!(
        r#"
[[participants]]
id = "bank-j"
codec = "json"
response_timeout_ms = {timeout_ms}
partial_reversals = true
[participants.json]
url = "{url}"
dialect = "{dialect}"
constants = {{ terminal = "TEST0001" }}
[participants.json.sign]
kind = "ed25519"
key_file = "{files}/switch.pem"
key_id = "switch"
nonce = true
expires_s = 60
[participants.json.verify]
kind = "hmac-sha256"
key_file = "{files}/bank.secret"
key_id = "bank"
answers = true
[[routes]]
rails = ["wallet"]
to = ["bank-j"]
[[routes]]
rails = ["c2p", "card"]
to = ["bank-j", "bank-b"]
"#
    )
}

impl JsonHouse {
    async fn start(timeout_ms: u64) -> Self {
        Self::start_with(timeout_ms, &example()).await
    }

    /// One that all payments by card go to.
    pub async fn for_cards(timeout_ms: u64) -> Self {
        let to = "rails = [\"account\", \"cash_float\"]\nto = [\"bank-b\"]";
        let text = CONFIG.replace(to, "rails = [\"account\"]\nto = [\"bank-j\"]");
        Self::start_text(&text, timeout_ms, &example()).await
    }

    /// Has the bank tell, signed, that a payment was approved.
    pub async fn tell_approved(&self, id: PaymentId, minor: i64) {
        let body = told(id, "APPROVED", minor);
        assert_eq!(self.notify("bank-j", &body, &secret_key()).await, 204);
    }

    async fn start_with(timeout_ms: u64, dialect: &Path) -> Self {
        Self::start_text(CONFIG, timeout_ms, dialect).await
    }

    async fn start_text(text: &str, timeout_ms: u64, dialect: &Path) -> Self {
        let files = TempDir::new().expect("a folder");
        let late_after = Duration::from_millis(timeout_ms + 300);
        let settings =
            JsonBankSettings { late_after, keys: keys(), ..JsonBankSettings::new("bank-j") };
        let bank = JsonBank::start(settings).await.expect("a bank");
        let extra = entry(files.path(), &bank.url(), timeout_ms, dialect);
        let house = House::start_text(text, &extra).await;
        Self { house, bank, _files: files }
    }

    fn api(&self) -> Api {
        Api::of(&self.house, "isp-ve")
    }

    async fn pay(&self, key: &str, minor: i64) -> (Reply, Payment) {
        let reply = self.api().pay(key, &wallet(minor)).await;
        let payment = self.payment(id_of(&reply)).await;
        (reply, payment)
    }

    async fn payment(&self, id: PaymentId) -> Payment {
        let found = self.house.engine().store.payment(id).await.expect("the journal");
        found.expect("a payment")
    }

    /// What the payer has lost at the bank.
    fn stands(&self, id: PaymentId) -> Option<u64> {
        self.bank.debit(&id.to_string()).map(|debit| debit.stands_minor())
    }

    /// Sends what the bank would tell by itself, signed with a key.
    async fn notify(&self, to: &str, body: &Value, key: &SigningKey) -> u16 {
        self.send(to, body, &signed(to, body, key)).await
    }

    async fn send(&self, to: &str, body: &Value, headers: &[(&'static str, String)]) -> u16 {
        let path = path_of(to);
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        let body = body.to_string();
        self.api().send(Method::POST, &path, &all, body.as_bytes()).await.status
    }
}

fn path_of(participant: &str) -> String {
    format!("/v1/participants/{participant}/notifications")
}

fn signed(to: &str, body: &Value, key: &SigningKey) -> Vec<(&'static str, String)> {
    let digest = content_digest(body.to_string().as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("content-digest", digest.parse().expect("a header"));
    let uri: Uri = path_of(to).parse().expect("a path");
    let parts = SignedParts::Request { method: &Method::POST, uri: &uri, headers: &headers };
    let parameters = SignatureParameters {
        label: "bank",
        created: clock::now(),
        expires_in_s: None,
        nonce: None,
        key_id: "bank",
    };
    let covered = ["@method", "@path", "content-digest"].map(|name| name.parse().expect("a part"));
    let made = sign(parts, &covered, &parameters, key).expect("a signature");
    vec![("content-digest", digest), (SIGNATURE_INPUT, made.input), (SIGNATURE, made.signature)]
}

/// What the example bank tells of a payment.
fn told(id: PaymentId, state: &str, minor: i64) -> Value {
    let value = format!("{}.{:02}", minor / 100, minor % 100);
    json!({
        "id": "B1", "order": id.to_string(), "status": state,
        "amount": { "value": value, "currency": "VES" },
    })
}

fn wallet(minor: i64) -> Value {
    let bill = format!("F-{minor}");
    json!({ "rail": "wallet", "amount": { "currency": "VES", "minor": minor }, "bill": bill })
}

fn c2p(minor: i64) -> Value {
    let bill = format!("F-{minor}");
    json!({
        "rail": "c2p", "amount": { "currency": "VES", "minor": minor }, "bill": bill,
        "payer": { "doc": "V12345678", "phone": "04140000000", "bank_code": "0105" },
    })
}

fn id_of(reply: &Reply) -> PaymentId {
    reply.text("/id").parse().unwrap_or_else(|_| panic!("no id in {reply:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_bank_approves_and_declines() {
    let house = JsonHouse::start(LONG_MS).await;
    let (reply, payment) = house.pay("k-1", 15_000).await;
    assert_eq!((reply.status, reply.text("/state")), (201, "approved"), "{reply:?}");
    let Some(Outcome::Approved(approval)) = payment.outcome else { panic!("{payment:?}") };
    assert_eq!((approval.authorisation.len(), approval.bank_reference.len()), (6, 13));
    assert_eq!(house.stands(payment.id), Some(15_000));
    let (reply, payment) = house.pay("k-2", 15_051).await;
    assert_eq!(
        (reply.text("/state"), reply.text("/reason/code")),
        ("declined", "insufficient_funds")
    );
    assert_eq!(house.stands(payment.id), Some(0));
    let again = house.api().pay("k-1", &wallet(15_000)).await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(house.bank.counts().payments, 2, "a repeat is told what is known");
    assert_eq!(house.bank.counts().refused, 0, "the bank believed every signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_at_a_json_bank_is_undone_in_part_and_whole() {
    let house = JsonHouse::start(LONG_MS).await;
    let (_, payment) = house.pay("k-1", 15_000).await;
    let path = format!("/v1/payments/{}/reverse", payment.id);
    let part = json!({ "amount": { "currency": "VES", "minor": 4_000 } });
    let reply = house.api().post(&path, &part).await;
    assert!(reply.status < 300, "{reply:?}");
    eventually("the part to be given back", async || {
        (house.stands(payment.id) == Some(11_000)).then_some(())
    })
    .await;
    let reply = house.api().post(&path, &json!({})).await;
    assert!(reply.status < 300, "{reply:?}");
    house.house.wait_for_state(payment.id, PaymentState::Reversed).await;
    assert_eq!(house.stands(payment.id), Some(0));
}

/// A payment whose answer goes wrong is unknown, is undone at the bank, and disturbs nobody.
async fn goes_wrong(
    misconduct: Misconduct,
    timeout_ms: u64,
    cause: Cause,
    counted_as: Option<&str>,
) {
    let house = JsonHouse::start(timeout_ms).await;
    house.bank.misbehave(Some(misconduct));
    let before = counted_as.map(counted);
    let (reply, payment) = house.pay("k-1", 15_000).await;
    assert_eq!((reply.status, reply.text("/state")), (202, "unknown"), "{misconduct:?}: {reply:?}");
    assert_eq!(payment.outcome, Some(Outcome::Unknown(cause)), "{misconduct:?}");
    house.house.wait_for_state(payment.id, PaymentState::Reversed).await;
    assert_eq!(house.stands(payment.id), Some(0), "{misconduct:?}: the reversal undid it");
    let after = counted_as.map(counted);
    assert!(counted_as.is_none() || before < after, "{misconduct:?}: {counted_as:?} is counted");
    let other = house.api().pay("k-2", &crate::api::card_payment(20_000, "F-2")).await;
    assert_eq!(other.text("/state"), "approved", "another bank's payment: {other:?}");
    house.bank.misbehave(None);
    let (reply, _) = house.pay("k-3", 15_000).await;
    assert_eq!(reply.text("/state"), "approved", "the same bank's next payment: {reply:?}");
}

/// What is counted of an answer that says nothing.
fn not_understood(problem: &str) -> String {
    format!(
        "cauce_json_answers_not_understood_total{{participant=\"bank-j\",operation=\"start\",\
         problem=\"{problem}\"}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_another_amount_is_unknown() {
    let series = not_understood("contradicts");
    goes_wrong(Misconduct::OtherAmount, LONG_MS, Cause::ContradictsRequest, Some(&series)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_somebody_else_s_reference_is_unknown() {
    let series = not_understood("contradicts");
    goes_wrong(Misconduct::OtherReference, LONG_MS, Cause::ContradictsRequest, Some(&series)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_a_broken_signature_is_unknown() {
    let series =
        "cauce_json_signatures_refused_total{participant=\"bank-j\",message=\"answer\",why=";
    goes_wrong(Misconduct::BrokenSignature, LONG_MS, Cause::BadAnswer, Some(series)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_with_an_error_inside_is_unknown() {
    let series = not_understood("not_known");
    goes_wrong(Misconduct::ErrorInside, LONG_MS, Cause::BadAnswer, Some(&series)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_garbage_is_unknown() {
    let series = not_understood("not_json");
    goes_wrong(Misconduct::Garbage, LONG_MS, Cause::BadAnswer, Some(&series)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_unknown_though_its_body_says_declined() {
    let series = not_understood("silent");
    goes_wrong(Misconduct::ServerError, LONG_MS, Cause::BadAnswer, Some(&series)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_a_hundred_megabytes_is_broken_off_and_unknown() {
    let series = not_understood("too_long");
    goes_wrong(Misconduct::LongBody, LONG_MS, Cause::BadAnswer, Some(&series)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_one_byte_a_second_is_given_up_at_the_deadline() {
    goes_wrong(Misconduct::SlowBody, 3_000, Cause::Timeout, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_dropped_leaves_the_payment_unknown() {
    goes_wrong(Misconduct::Dropped, LONG_MS, Cause::LineLost, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_twice_counts_once_and_is_nobody_else_s() {
    let house = JsonHouse::start(LONG_MS).await;
    house.bank.misbehave(Some(Misconduct::Twice));
    for number in 0..5 {
        let (reply, payment) = house.pay(&format!("k-{number}"), 15_000 + number).await;
        // The second copy may reach the next request on its connection: it is another payment's.
        let ends = eventually("an end", async || {
            let payment = house.payment(payment.id).await;
            matches!(payment.state, PaymentState::Approved | PaymentState::Reversed)
                .then_some(payment.state)
        })
        .await;
        let expected = match ends {
            PaymentState::Approved => u64::try_from(15_000 + number).expect("an amount"),
            _ => 0,
        };
        assert_eq!(house.stands(payment.id), Some(expected), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_lateness_of_a_json_bank_are_unknown_and_undone() {
    let house = JsonHouse::start(SHORT_MS).await;
    for (key, minor) in [("k-1", 15_068), ("k-2", 15_069)] {
        let (reply, payment) = house.pay(key, minor).await;
        assert_eq!((reply.status, reply.text("/state")), (202, "unknown"), "{minor}: {reply:?}");
        assert_eq!(payment.outcome, Some(Outcome::Unknown(Cause::Timeout)), "{minor}");
        house.house.wait_for_state(payment.id, PaymentState::Reversed).await;
        assert_eq!(house.stands(payment.id), Some(0), "{minor}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_cannot_be_reached_leaves_the_payment_to_the_next_route() {
    let files = TempDir::new().expect("a folder");
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", gone.local_addr().expect("an address"));
    drop(gone);
    let house = House::start_with(&entry(files.path(), &url, LONG_MS, &example())).await;
    let payment = json!({
        "rail": "card", "amount": { "currency": "VES", "minor": 15_000 }, "bill": "F-1",
        "payer": { "card": { "number": "4111111111111111", "expiry": "3012" } },
    });
    let reply = Api::of(&house, "isp-ve").pay("k-1", &payment).await;
    assert_eq!((reply.status, reply.text("/state")), (201, "approved"), "{reply:?}");
    let alone = Api::of(&house, "isp-ve").pay("k-2", &wallet(15_000)).await;
    assert_eq!(alone.text("/state"), "declined", "nothing was sent: {alone:?}");
    assert_eq!(alone.text("/reason/code"), "issuer_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_without_what_the_bank_needs_is_refused_before_anything_leaves() {
    let text = std::fs::read_to_string(example()).expect("the example");
    let files = TempDir::new().expect("a folder");
    let dialect = files.path().join("strict.toml");
    std::fs::write(&dialect, text.replace("{payer.phone?}", "{payer.phone}")).expect("a file");
    let house = JsonHouse::start_with(LONG_MS, &dialect).await;
    let reply = house.api().pay("k-1", &wallet(15_000)).await;
    assert_eq!((reply.status, reply.text("/field")), (400, "payer.phone"), "{reply:?}");
    assert_eq!(house.bank.counts().payments, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_a_bank_tells_after_the_reversal_is_recorded_and_owes_another() {
    let house = JsonHouse::start(SHORT_MS).await;
    let (_, payment) = house.pay("k-1", 15_068).await;
    house.house.wait_for_state(payment.id, PaymentState::Reversed).await;
    let copies = "cauce_json_signatures_refused_total{participant=\"bank-j\",\
                  message=\"notification\",why=\"replayed\"}";
    let copies_before = counted(copies);
    let before = house.bank.counts().reversals;
    let body = told(payment.id, "APPROVED", 15_068);
    let headers = signed("bank-j", &body, &secret_key());
    assert_eq!(house.send("bank-j", &body, &headers).await, 204);
    assert!(matches!(house.payment(payment.id).await.late_answer, Some(Outcome::Approved(_))));
    eventually("another reversal", async || (house.bank.counts().reversals > before).then_some(()))
        .await;
    house.house.wait_for_state(payment.id, PaymentState::Reversed).await;
    assert_eq!(house.send("bank-j", &body, &headers).await, 204, "a copy changes nothing");
    assert!(counted(copies) > copies_before, "the copy is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_is_believed_with_its_signature_and_of_its_own_payment_alone() {
    let house = JsonHouse::start(SHORT_MS).await;
    let (_, payment) = house.pay("k-1", 15_068).await;
    let body = told(payment.id, "APPROVED", 15_068);
    let stranger = SigningKey::hmac_sha256(Secret::new(*b"the secret of a stranger")).unwrap();
    assert_eq!(house.notify("bank-j", &body, &stranger).await, 401);
    assert_eq!(house.send("bank-j", &body, &[]).await, 401, "not signed");
    assert_eq!(house.notify("bank-b", &body, &secret_key()).await, 401, "no JSON bank");
    let other_amount = told(payment.id, "APPROVED", 1);
    assert_eq!(house.notify("bank-j", &other_amount, &secret_key()).await, 422);
    let unknown = told(PaymentId(7), "APPROVED", 15_068);
    assert_eq!(house.notify("bank-j", &unknown, &secret_key()).await, 404);
    assert_eq!(house.notify("bank-j", &json!({}), &secret_key()).await, 400);
    let card = house.api().pay("k-2", &crate::api::card_payment(20_000, "F-2")).await;
    let foreign = told(id_of(&card), "DECLINED", 20_000);
    assert_eq!(
        house.notify("bank-j", &foreign, &secret_key()).await,
        404,
        "another bank's payment"
    );
    let got = house.api().get(&path_of("bank-j")).await;
    assert_eq!((got.status, got.header("allow")), (405, "POST"));
    assert_eq!(house.payment(payment.id).await.late_answer, None, "nothing was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_waits_for_its_one_time_key_is_confirmed_and_given_back_in_parts() {
    let house = JsonHouse::start(LONG_MS).await;
    let waiting = house.api().pay("k-1", &c2p(15_000)).await;
    assert_eq!((waiting.status, waiting.text("/state")), (202, "awaiting_payer"), "{waiting:?}");
    let id = id_of(&waiting);
    assert_eq!(house.stands(id), Some(0), "nothing is taken before the payer confirms");
    let path = format!("/v1/payments/{id}/confirm");
    let confirmed = house.api().post(&path, &json!({ "otp": "12345678" })).await;
    assert_eq!(confirmed.text("/state"), "approved", "{confirmed:?}");
    assert_eq!(house.stands(id), Some(15_000));
    let path = format!("/v1/payments/{id}/refunds");
    for (key, minor, left) in [("r-1", 4_000, 11_000), ("r-2", 11_000, 0)] {
        let part = json!({ "amount": { "currency": "VES", "minor": minor } });
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let body = part.to_string();
        let reply = house.api().send(Method::POST, &path, &headers, body.as_bytes()).await;
        assert_eq!((reply.status, reply.text("/state")), (201, "done"), "{reply:?}");
        assert_eq!(house.stands(id), Some(left));
    }
    let payment = house.api().get(&format!("/v1/payments/{id}")).await;
    assert_eq!(payment.text("/state"), "refunded", "{payment:?}");
}
