use router::money::Currency;

use super::*;
use crate::iso8583::cauce87::read;

/// Bits 3 4 7 11 49.
const PAYMENT: &[u8] = b"0201\x32\x20\x00\x00\x00\x00\x80\x000000000000000001001123211722000042484";

fn answered(request: &[u8], wire: &WireAnswer<'_>) -> String {
    let mut out = BytesMut::new();
    let index = read(request).expect("well formed").index;
    answer(&index, request, wire, &mut out).expect("answered");
    out.escape_ascii().to_string()
}

#[test]
fn a_decline_says_its_reason_and_the_original() {
    let decline = WireAnswer {
        de39: *b"94",
        folio: Folio::new(13),
        reason_no: Some("4001"),
        text: Some("Transacción duplicada"),
        original_folio: Folio::new(12),
        ..WireAnswer::default()
    };
    // Bits 3 4 7 11 37 39 44 48 49; the bytes of the bitmap are printed escaped.
    let expect = "02102 \\x00\\x00\\n\\x11\\x80\\x00\
                  000000000000000100112321172200004200000000001394\
                  04400104910120000000000121104400112\
                  21Transaccion duplicada484";
    assert_eq!(answered(PAYMENT, &decline), expect);
}

#[test]
fn balances_are_told_with_sign_and_currency() {
    let pesos = |minor| Money::new(minor, Currency::from_code("MXN").expect("known"));
    let balance = |amount| AdditionalAmount { account_type: *b"00", amount_type: *b"02", amount };
    let amounts = [balance(pesos(41000)), balance(pesos(-1))];
    let wire = WireAnswer { de39: *b"00", additional_amounts: &amounts, ..WireAnswer::default() };
    let text = answered(PAYMENT, &wire);
    assert!(
        text.ends_with("0404840400002484C0000000410000002484D000000000001".get(3..).unwrap()),
        "{text}"
    );
}

fn format_error(bytes: &[u8]) -> Option<String> {
    let fault = match read(bytes) {
        Err(error) => Fault::from(&error),
        Ok(_) => panic!("a broken message"),
    };
    let mut out = BytesMut::from(&b"before"[..]);
    let written = format_error_answer(bytes, fault, &mut out);
    assert_eq!(out.len() > 6, written);
    written.then(|| out[6..].escape_ascii().to_string())
}

#[test]
fn a_message_cut_short_is_answered_with_what_could_be_read() {
    let answer = format_error(&PAYMENT[..PAYMENT.len() - 1]).expect("an answer");
    assert!(answer.starts_with("02102 "), "{answer}");
    assert!(answer.contains("1123211722000042"), "{answer}");
    assert!(answer.contains("30136006 DE49 @46"), "{answer}");
    assert!(answer.contains("1243field 49 needs 3 bytes, 2 left at offset 46"), "{answer}");
}

#[test]
fn what_cannot_be_named_is_not_answered() {
    assert_eq!(format_error(b"02"), None);
    assert_eq!(format_error(b"0x00\x00\x20\x00\x00\x00\x00\x00\x00000042"), None);
    assert_eq!(format_error(&PAYMENT[..40]), None, "cut within DE11");
    let answer = [b"0210", &PAYMENT[4..PAYMENT.len() - 1]].concat();
    assert_eq!(format_error(&answer), None, "an answer is not answered");
}

#[test]
fn a_request_that_makes_no_sense_is_answered_with_its_own_reason() {
    let bytes = [&PAYMENT[..46], b"000"].concat();
    let fault = MapError {
        reason: Reason::CurrencyNotAllowed,
        field: 49,
        offset: 46,
        detail: "currency is not known",
    };
    let mut out = BytesMut::new();
    assert!(format_error_answer(&bytes, &fault, &mut out));
    let text = out.escape_ascii().to_string();
    assert!(text.contains("12132005 DE49 @46"), "{text}");
}

#[test]
fn a_message_of_a_type_that_nobody_knows_is_answered_as_a_request() {
    let check = |mti: &[u8; 4], expect: Option<&str>| {
        let bytes = [mti, &PAYMENT[4..PAYMENT.len() - 1]].concat();
        let answer = format_error(&bytes).map(|answer| answer[..4].to_owned());
        assert_eq!(answer.as_deref(), expect, "{}", mti.escape_ascii());
    };
    check(b"0900", Some("0910"));
    check(b"1200", Some("1210"));
    check(b"0840", Some("0850"));
    check(b"0999", None);
    check(b"0610", None);
}

#[test]
fn a_request_with_an_undefined_length_before_its_trace_is_answered() {
    // Bits 2 3 4 7 11 49; the length of DE2 is no number.
    let bytes = [
        b"0200\x72\x20\x00\x00\x00\x00\x80\x00" as &[u8],
        b"1x400000123456789000000000000001500011232117220000424",
        b"84",
    ]
    .concat();
    let answer = format_error(&bytes).expect("an answer");
    assert!(answer.contains("1123211722000042"), "{answer}");
    assert!(answer.contains("6006 DE2 @12"), "{answer}");
}
