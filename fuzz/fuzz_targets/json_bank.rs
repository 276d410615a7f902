//! Answers and notifications of a bank with a JSON API: one byte chooses the operation, two are the
//! status, the rest is the body.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use codecs::json_bank::{BankValues, BankVerdict, JsonDialect, Operation};
use libfuzzer_sys::fuzz_target;
use router::message::{Acceptor, Payer};
use router::money::{Currency, Money};
use router::secret::Secret;
use router::time::Timestamp;

const EXAMPLE: &str = include_str!("../../config/participants/json/example-bank.toml");
const ATTEMPT: &str = "pay_01kbd0000000000000000000af";

static DIALECT: LazyLock<JsonDialect> =
    LazyLock::new(|| JsonDialect::load(EXAMPLE, &[]).expect("the example has no mistake"));

fuzz_target!(|input: &[u8]| {
    let [choice, high, low, body @ ..] = input else { return };
    let operation = Operation::ALL[usize::from(*choice) % Operation::ALL.len()];
    let status = u16::from_be_bytes([*high, *low]);
    let (payer, constants, key) = (Payer::default(), BTreeMap::new(), Secret::new(*b"123456"));
    let amount = Money::new(1250, Currency::from_code("VES").expect("a currency"));
    let values = BankValues {
        payment: ATTEMPT,
        attempt: ATTEMPT,
        request: ATTEMPT,
        folio: None,
        amount,
        paid: amount,
        stands: Some(Money::zero(amount.currency)),
        rail: "wallet",
        biller: None,
        bill: None,
        client: None,
        reference: None,
        acceptor: Acceptor::default(),
        payer: &payer,
        one_time_key: Some(&key),
        bank_reference: Some("B-1"),
        authorisation: None,
        now: Timestamp(0),
        constants: &constants,
    };
    let request = DIALECT.write(operation, &values).expect("every operation is there");
    let reading = DIALECT.read(&request.expect("nothing is missing").expected, status, body);
    if reading.verdict == BankVerdict::Approved {
        assert!((200..=299).contains(&status), "an approval under {status}");
        let text = String::from_utf8_lossy(body);
        assert!(text.contains('{'), "an approval without an object");
    }
    let notified = DIALECT.notified_payment(body);
    assert!(notified.is_err() || body.contains(&b':'), "a payment without a member");
    let expected = DIALECT.expect_notification(&values).expect("the example has notifications");
    DIALECT.read(&expected, 200, body);
});
