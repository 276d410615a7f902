use bytes::BytesMut;
use router::id::{Folio, ParticipantId};
use router::message::{Message, PaymentRequest, Rail};
use router::reason::Reason;

use super::*;
use crate::error::{ErrorKind, PackError};

/// A collector's payment, laid out by a script after ISO 8583:1987, not by our packer:
/// bits 3 4 7 11 12 13 18 22 25 32 37 41 42 48 49.
const CASH: &[u8] = b"0200\x32\x38\x44\x81\x08\xC1\x80\x00\
    5100000000000500001123211722000042151722112360120100006123456000000000077TERM0001\
    DESPACHO00000010710106lender0210C000012345040511-220508583411220708credimax7701?090541000484";

/// What approves it: bits 3 4 7 11 12 13 32 37 38 39 41 42 49.
const APPROVED: &[u8] = b"0210\x32\x38\x00\x01\x0E\xC0\x80\x00\
    51000000000005000011232117220000421517221123061234560000000012341A2B3C00TERM0001\
    DESPACHO0000001484";

fn originator() -> ParticipantId {
    ParticipantId::new("collector-a").expect("an id")
}

fn map(bytes: &[u8]) -> Result<Message, MapError> {
    to_message(&read(bytes).expect("well formed"), bytes, originator())
}

fn payment(bytes: &[u8]) -> Box<PaymentRequest> {
    match map(bytes).expect("mapped") {
        Message::Payment(request) => request,
        other => panic!("a payment, not {other:?}"),
    }
}

#[test]
fn a_collector_s_payment_is_read_field_by_field() {
    let request = payment(CASH);
    assert_eq!(request.rail, Rail::CashFloat);
    assert_eq!(request.amount.to_string(), "500.00 MXN");
    assert_eq!(request.biller.map(|id| id.to_string()), Some("lender".to_owned()));
    assert_eq!(request.client.map(|id| id.to_string()), Some("C000012345".to_owned()));
    assert_eq!(request.operator.map(|id| id.to_string()), Some("11-22".to_owned()));
    assert_eq!(request.float_ref.map(|id| id.to_string()), Some("58341122".to_owned()));
    assert_eq!(request.product.map(|id| id.to_string()), Some("credimax".to_owned()));
    assert_eq!(request.remaining_debt.map(|debt| debt.to_string()), Some("410.00 MXN".to_owned()));
    assert_eq!(request.trace.terminal.as_str(), "TERM0001");
    assert_eq!(request.trace.merchant.as_str(), "DESPACHO0000001");
    assert_eq!(request.trace.stan.map(|stan| stan.number()), Some(42));
    assert!(request.payer.card.is_none() && request.transient.is_none());
}

#[test]
fn a_repeat_has_the_key_of_the_first_sending() {
    let repeat = [b"0201", &CASH[4..]].concat();
    assert_eq!(
        read(&repeat).map(|wire| wire.kind),
        Ok(WireKind::PaymentRequest { repeat: Repeat::Again })
    );
    let (first, again) = (payment(CASH), payment(&repeat));
    assert_eq!(first.key, again.key);
}

#[test]
fn an_approval_is_answered_as_the_standard_lays_it_out() {
    let wire = read(CASH).expect("well formed");
    let approval = WireAnswer {
        de39: *b"00",
        folio: Folio::new(1234),
        authorisation: "1A2B3C".parse().ok(),
        ..WireAnswer::default()
    };
    for mti in [b"0200", b"0201"] {
        let mut out = BytesMut::new();
        let request = [mti, &CASH[4..]].concat();
        answer(&wire.index, &request, &approval, &mut out).expect("answered");
        assert_eq!(out.as_ref(), APPROVED);
    }
    let mut out = BytesMut::new();
    let refused =
        answer(&read(APPROVED).expect("well formed").index, APPROVED, &approval, &mut out);
    assert_eq!(refused, Err(PackError::NotARequest { mti: *b"0210" }));
    assert!(out.is_empty());
}

#[test]
fn an_unsupported_processing_code_says_so() {
    let refund = [&CASH[..12], b"20", &CASH[14..]].concat();
    let error = map(&refund).expect_err("refused");
    assert_eq!((error.reason, error.field), (Reason::ServiceNotEnabled, 3));
}

#[test]
fn a_half_message_is_an_error_that_names_the_field() {
    let error = read(&CASH[..30]).expect_err("refused");
    assert_eq!((error.kind, error.field, error.offset), (ErrorKind::ShortData, 7, 30));
}
