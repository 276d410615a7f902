use bytes::BytesMut;

use super::*;
use crate::error::ErrorKind;
use crate::iso8583::cauce87::read;
use crate::iso8583::pack::Packer;
use crate::iso8583::spec::Spec;

const CARD: &str = include_str!("../../../../testdata/cauce87/card-payment.hex");

fn map(bytes: &[u8]) -> Result<Message, MapError> {
    let originator = ParticipantId::new("bank-a").expect("an id");
    to_message(&read(bytes).expect("well formed"), bytes, originator)
}

fn pack(mti: &[u8; 4], fields: &[(u8, &str)]) -> BytesMut {
    let mut out = BytesMut::new();
    let mut packer = Packer::begin(Spec::cauce87(), *mti, &mut out);
    for (number, content) in fields {
        packer.put(*number, content.as_bytes()).expect("put");
    }
    packer.finish();
    out
}

const PAYMENT: [(u8, &str); 6] = [
    (3, "000000"),
    (4, "000000000100"),
    (7, "1123211722"),
    (11, "000042"),
    (49, "484"),
    (102, "002010077777777771"),
];

/// The payment with a field set, or left out where the content is empty.
fn payment_with(number: u8, content: &str) -> BytesMut {
    let mut fields: Vec<_> = PAYMENT.into_iter().filter(|(other, _)| *other != number).collect();
    if !content.is_empty() {
        fields.push((number, content));
    }
    fields.sort_unstable();
    pack(b"0200", &fields)
}

fn check(number: u8, content: &str, reason: Reason, detail: &str) {
    let bytes = payment_with(number, content);
    let error = map(&bytes).expect_err("refused");
    assert_eq!((error.reason, error.field, error.detail), (reason, number, detail));
}

#[test]
fn a_card_payment_keeps_what_the_issuer_must_see_apart() {
    let bytes = hex::decode(CARD.trim()).expect("hexadecimal");
    let Ok(Message::Payment(request)) = map(&bytes) else { panic!("a payment") };
    assert_eq!(request.rail, Rail::Account);
    assert_eq!(request.amount.to_string(), "100.00 MXN");
    let card = request.payer.card.as_ref().map(CardNumber::masked);
    assert_eq!(card.map(|card| card.to_string()), Some("411111******1111".to_owned()));
    assert_eq!(request.payer.expiry.map(|text| text.to_string()), Some("3012".to_owned()));
    let transient = request.transient.as_deref().expect("there");
    let exposed = |secret: &Option<Secret>| secret.as_ref().map(|kept| kept.expose().to_vec());
    assert_eq!(exposed(&transient.track2), Some(b"4111111111111111=3012101".to_vec()));
    assert_eq!(exposed(&transient.pin_block), hex::decode("1122334455667788").ok());
    assert_eq!(exposed(&transient.chip), hex::decode("9F2608AABBCCDDEEFF0011").ok());
    assert!(!format!("{request:?}").contains("4111111111111111"));
}

#[test]
fn a_card_number_is_also_found_in_track_2() {
    let bytes = payment_with(35, "5500000000000004D3012");
    let Ok(Message::Payment(request)) = map(&bytes) else { panic!("a payment") };
    let card = request.payer.card.expect("a card").masked();
    assert_eq!(card.to_string(), "550000******0004");
    check(35, "55=3012", Reason::CardInvalid, "not a card number");
    check(2, "5500", Reason::CardInvalid, "not a card number");
}

#[test]
fn what_is_missing_or_makes_no_sense_is_named() {
    let missing = "needed and not there";
    for number in [4, 7, 11, 49] {
        check(number, "", Reason::FormatError, missing);
    }
    check(3, "", Reason::FormatError, missing);
    check(4, "000000000000", Reason::AmountInvalid, "an amount must be more than zero");
    check(49, "000", Reason::CurrencyNotAllowed, "currency is not known");
    check(49, "999", Reason::CurrencyNotAllowed, "currency is not known");
    check(49, "963", Reason::CurrencyNotAllowed, "currency is not known");
    check(3, "360000", Reason::ServiceNotEnabled, "processing code is not served");
}

#[test]
fn dates_and_times_that_no_calendar_has_are_refused() {
    for time in ["1399000000", "0000000000", "0230120000", "1131120000", "1123240000", "1123126000"]
    {
        check(7, time, Reason::FormatError, "not MMDDhhmmss");
    }
    for time in ["0229235960", "1231000000"] {
        assert!(map(&payment_with(7, time)).is_ok(), "{time}");
    }
    check(12, "246000", Reason::FormatError, "not hhmmss");
    check(13, "0431", Reason::FormatError, "not MMDD");
    check(14, "3013", Reason::FormatError, "not YYMM");
}

#[test]
fn a_payment_that_debits_somebody_says_whom() {
    let detail = "no payer is named (DE2, DE35 or DE102)";
    let error = map(&payment_with(102, "")).expect_err("refused");
    assert_eq!((error.reason, error.field, error.detail), (Reason::FormatError, 2, detail));
    let mut cash = PAYMENT[..5].to_vec();
    cash[0] = (3, "510000");
    assert!(map(&pack(b"0200", &cash)).is_ok(), "who hands over cash needs no name");
}

#[test]
fn faults_in_private_data_are_named_by_their_offset() {
    // DE102 brings a second bitmap of eight bytes.
    let start = pack(b"0200", &PAYMENT[..4]).len() + 8 + 3;
    let fault = |content: &str| {
        let error = map(&payment_with(48, content)).expect_err("refused");
        assert_eq!((error.reason, error.field), (Reason::FormatError, 48));
        (error.offset - start, error.detail)
    };
    assert_eq!(fault("0103abc02"), (7, "a tag is cut short"));
    assert_eq!(fault("0199abc"), (0, "a tag is cut short"));
    assert_eq!(fault("0101a0101b"), (9, "a tag is given twice"));
    assert_eq!(fault("0904x100"), (4, "a tag's value is badly made"));
    assert_eq!(fault(&format!("0125{}", "b".repeat(25))), (4, "a tag's value is badly made"));
}

#[test]
fn a_mac_or_a_length_that_is_wrong_is_a_decoding_error() {
    let mut bytes = pack(b"0200", &[&PAYMENT[..5], &[(64, "ABCDEFGH")]].concat());
    bytes.truncate(bytes.len() - 1);
    let error = read(&bytes).expect_err("refused");
    assert_eq!((error.kind, error.field, error.need, error.have), (ErrorKind::ShortData, 64, 8, 7));
    let bytes = b"0200\x40\x00\x00\x00\x00\x00\x00\x002055000000000000000004";
    let error = read(bytes).expect_err("refused");
    assert_eq!((error.kind, error.field, error.offset), (ErrorKind::TooLong, 2, 12));
}

#[test]
fn an_unknown_message_type_says_which_answer_it_gets() {
    let refused = |mti| map(&pack(mti, &PAYMENT)).expect_err("refused");
    for (mti, reason) in [
        (b"0100", Reason::ServiceNotEnabled),
        (b"0220", Reason::ServiceNotEnabled),
        (b"0500", Reason::ServiceNotEnabled),
        (b"9999", Reason::FormatError),
        (b"1200", Reason::FormatError),
        (b"0210", Reason::FormatError),
    ] {
        let error = refused(mti);
        assert_eq!((error.reason, error.field), (reason, 0), "{}", mti.escape_ascii());
    }
}

#[test]
fn a_reversal_names_its_original() {
    let elements = "020000004111232117220000012345600000000000";
    let bytes = pack(
        b"0421",
        &[(4, "000000000100"), (7, "1123211800"), (11, "000043"), (49, "484"), (90, elements)],
    );
    let Ok(Message::Reversal(reversal)) = map(&bytes) else { panic!("a reversal") };
    assert!(reversal.is_advice);
    assert_eq!(reversal.original.stan.map(Stan::number), Some(41));
    assert_eq!(reversal.original.transmitted_at.as_str(), "1123211722");
    assert!(reversal.original.folio.is_empty());
    assert_eq!(reversal.amount.map(|amount| amount.to_string()), Some("1.00 MXN".to_owned()));
    let bytes = pack(b"0400", &[(7, "1123211800"), (11, "000043"), (37, "000000000012")]);
    let Ok(Message::Reversal(reversal)) = map(&bytes) else { panic!("a reversal") };
    assert_eq!((reversal.is_advice, reversal.original.rrn.as_str()), (false, "000000000012"));
    assert!(reversal.original.folio.is_empty(), "whose number it is must be looked up");
}

#[test]
fn what_is_filled_with_zeros_in_a_reversal_names_nothing() {
    let original = |elements: &str| {
        let bytes = pack(b"0420", &[(7, "1123211800"), (11, "000043"), (90, elements)]);
        let Ok(Message::Reversal(reversal)) = map(&bytes) else { panic!("a reversal") };
        let Original { mti, stan, transmitted_at, acquirer, .. } = reversal.original;
        let stan = stan.map(Stan::number);
        (mti.to_string(), stan, transmitted_at.to_string(), acquirer.to_string())
    };
    let text = str::to_owned;
    assert_eq!(
        original("020100004111232117220000012345600000000000"),
        (text("0201"), Some(41), text("1123211722"), text("123456"))
    );
    assert_eq!(
        original("000000004100000000000000000000000000000000"),
        (text(""), Some(41), text(""), text(""))
    );
    assert_eq!(original(&"0".repeat(42)), (text(""), None, text(""), text("")));
    let bytes = pack(b"0420", &[(7, "1123211800"), (11, "000043")]);
    let Ok(Message::Reversal(reversal)) = map(&bytes) else { panic!("a reversal") };
    assert_eq!(reversal.original, Original::default());
}

#[test]
fn an_inquiry_is_told_from_a_payment_by_its_processing_code() {
    let bytes = pack(
        b"0200",
        &[(3, "320000"), (7, "1123211800"), (11, "000044"), (48, "1012000000000012")],
    );
    let Ok(Message::Inquiry(inquiry)) = map(&bytes) else { panic!("an inquiry") };
    assert_eq!(inquiry.original.folio.as_str(), "000000000012");
}

#[test]
fn a_sign_on_says_who_it_is() {
    let sign_on = [(7, "1123211800"), (11, "000001"), (32, "900001"), (70, "001")];
    let Ok(Message::Network(network)) = map(&pack(b"0800", &sign_on)) else { panic!("a sign-on") };
    assert_eq!((network.kind, network.acquirer.as_str()), (NetworkKind::SignOn, "900001"));
    let error = |fields: &[(u8, &str)]| {
        let error = map(&pack(b"0800", fields)).expect_err("refused");
        (error.reason, error.field)
    };
    let nameless = pack(b"0800", &[sign_on[0], sign_on[1], sign_on[3]]);
    let Ok(Message::Network(network)) = map(&nameless) else { panic!("a sign-on") };
    assert!(network.acquirer.is_empty(), "on a line whose participant is known");
    assert_eq!(error(&[sign_on[1], (70, "999")]), (Reason::ServiceNotEnabled, 70));
    assert_eq!(error(&[sign_on[1]]), (Reason::FormatError, 70));
}
