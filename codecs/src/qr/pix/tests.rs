use proptest::prelude::*;

use super::*;
use crate::qr::{Reading, crc16};

/// The example of the central bank's manual.
const RANDOM_KEY: &str = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-42665544000052040000\
                          53039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D";

/// A code with one account and, perhaps, more objects, and no reference.
fn sealed(account: &str, more: &str) -> String {
    bare(account, &format!("{more}62070503***"))
}

/// A code with one account and more objects alone.
fn bare(account: &str, more: &str) -> String {
    let body = format!(
        "00020126{:02}{account}5204000053039865802BR5913Fulano de Tal6008BRASILIA{more}6304",
        account.len()
    );
    format!("{body}{:04X}", crc16(body.as_bytes()))
}

fn refused(payload: &str, kind: QrErrorKind, field: &str) {
    let error = PixCode::parse(payload).expect_err(payload);
    assert_eq!((error.kind, error.field.as_str()), (kind, field), "{payload}");
}

#[test]
fn a_static_code_is_read_and_built_as_in_the_manual() {
    let code = PixCode::parse(RANDOM_KEY).expect("the example");
    assert!(!code.is_dynamic());
    assert_eq!((code.amount, code.reference.as_deref()), (None, None));
    assert_eq!(code.build().map(|code| code.to_payload()).as_deref(), Ok(RANDOM_KEY));
}

#[test]
fn a_location_makes_a_code_dynamic() {
    let account = "0014br.gov.bcb.pix2530pix.example.com/qr/v2/9d36b84f";
    let payload = sealed(account, "");
    let code = PixCode::parse(&payload).expect("a code");
    assert!(code.is_dynamic());
    assert_eq!(code.target, PixTarget::Location("pix.example.com/qr/v2/9d36b84f".to_owned()));
    let recurrence = "0014br.gov.bcb.pix2531pix.example.com/qr/v2/rec/3f2a1";
    let alone = sealed("0014br.gov.bcb.pix", &format!("80{:02}{recurrence}", recurrence.len()));
    assert!(matches!(PixCode::parse(&alone).expect("a code").target, PixTarget::Recurrence(_)));
}

#[test]
fn the_rules_of_pix_are_kept() {
    use QrErrorKind::{BadContent, Conflict, Duplicate, Missing};
    let key = "0014br.gov.bcb.pix0111+5511987654";
    assert!(PixCode::parse(&sealed(key, "540510.00")).is_ok());
    assert!(PixCode::parse(&sealed(key, "54040.00")).is_ok_and(|code| code.amount.is_none()));
    refused(&sealed(key, "540610.005"), BadContent, "54");
    refused(&bare(key, "62080504a b!"), BadContent, "62.05");
    refused(&bare(key, "62080504a_b!"), BadContent, "62.05");
    refused(&sealed("0014br.gov.bcb.pix", ""), Missing, "26.01");
    refused(&sealed("0012BR.COM.OUTRO", ""), Missing, "26.00");
    refused(&sealed("0014br.gov.bcb.pix0103a b", ""), BadContent, "26.01");
    refused(&sealed(&format!("{key}2508ex.am/ab"), ""), Conflict, "26.25");
    for url in ["https://pix.example.com/1", "localhost/pix", "pix.example.com"] {
        let account = format!("0014br.gov.bcb.pix25{:02}{url}", url.len());
        refused(&sealed(&account, ""), BadContent, "26.25");
    }
    refused(&sealed(key, &format!("27{:02}{key}", key.len())), Duplicate, "26.00");
    let reseal = |payload: String| {
        let body = &payload[..payload.len() - 4];
        format!("{body}{:04X}", crc16(body.as_bytes()))
    };
    refused(&reseal(sealed(key, "").replace("5303986", "5303840")), BadContent, "53");
    refused(&reseal(sealed(key, "").replace("5802BR", "5802AR")), BadContent, "58");
}

#[test]
fn a_reference_that_is_too_long_is_read_with_a_warning() {
    let key = "0014br.gov.bcb.pix0111+5511987654";
    let payload = bare(key, &format!("62390535{}", "a".repeat(35)));
    refused(&payload, QrErrorKind::TooLong, "62.05");
    let code = EmvCode::read(&payload, Reading::Lenient).expect("a code");
    let fields: Vec<_> = code.warnings().iter().map(|warning| warning.field.as_str()).collect();
    assert_eq!(fields, ["62.05"]);
    let pix = PixCode::from_emv(&code).expect("a Pix code");
    assert_eq!(pix.reference, Some("a".repeat(35)));
    let spaced = bare(key, &format!("62390505a b c6226{}", "a".repeat(26)));
    assert!(EmvCode::read(&spaced, Reading::Lenient).is_err(), "no reference");
}

#[test]
fn a_code_without_a_reference_says_so() {
    let key = "0014br.gov.bcb.pix0111+5511987654";
    refused(&bare(key, ""), QrErrorKind::Missing, "62.05");
    refused(&bare(key, "62050101x"), QrErrorKind::Missing, "62.05");
    assert_eq!(PixCode::parse(&bare(key, "62070503***")).expect("a code").reference, None);
}

#[test]
fn a_dynamic_code_has_no_reference_of_its_own() {
    let account = "0014br.gov.bcb.pix2530pix.example.com/qr/v2/9d36b84f";
    let mut code = PixCode::parse(&bare(account, "62070503abc")).expect("a code");
    assert_eq!(code.reference, None, "what stands there is no reference");
    let built = code.build().expect("a code");
    assert_eq!(built.text_in(62, REFERENCE), Some(NO_REFERENCE));
    code.reference = Some("abc".to_owned());
    assert_eq!(code.build().expect_err("a reference").field, "62.05");
}

#[test]
fn keys_are_told_apart_by_their_form() {
    let kind = PixKeyKind::of;
    assert_eq!(kind("123e4567-e12b-12d1-a456-426655440000"), Some(PixKeyKind::Random));
    assert_eq!(kind("+5511987654321"), Some(PixKeyKind::Phone));
    assert_eq!(kind("fulano@example.com"), Some(PixKeyKind::Email));
    assert_eq!(kind("12345678900"), Some(PixKeyKind::TaxId));
    assert_eq!(kind("12ABC34501DE35"), Some(PixKeyKind::TaxId));
    for none in ["", "123", "12ABC34501DE3X", "a@b", "@example.com", "+55x", "éééé5678901"] {
        assert_eq!(kind(none), None, "{none}");
    }
}

#[test]
fn a_builder_takes_letters_and_digits_as_reference_alone() {
    let mut code = PixCode::parse(RANDOM_KEY).expect("the example");
    code.reference = Some("RP12345678-2019".to_owned());
    assert_eq!(code.build().expect_err("a hyphen").field, "62.05");
    code.reference = Some("a".repeat(26));
    assert_eq!(code.build().expect_err("26 letters").field, "62.05");
    code.reference = None;
    code.target = PixTarget::Key { key: "no key".to_owned(), description: None };
    assert_eq!(code.build().expect_err("no key").field, "26.01");
}

proptest! {
    #[test]
    fn what_is_built_is_read_as_it_was(
        key in "\\+55[0-9]{11}|[0-9]{11}|[a-z]{1,20}@[a-z]{1,20}\\.com",
        description in prop::option::of("[a-zA-Z0-9 ]{1,20}"),
        cents in prop::option::of(1..=9_999_999_999_i64),
        (name, city) in ("[A-Za-z ]{1,25}", "[A-Z]{1,15}"),
        postal_code in prop::option::of("[0-9]{8}"),
        reference in prop::option::of("[A-Za-z0-9]{1,25}"),
    ) {
        let amount = cents.map(|cents| Money::new(cents, brazilian_real()));
        let target = PixTarget::Key { key, description };
        let pix = PixCode { target, amount, name, city, postal_code, reference };
        let code = pix.build().expect("a code");
        prop_assert_eq!(PixCode::parse(&code.to_payload()), Ok(pix));
    }
}
