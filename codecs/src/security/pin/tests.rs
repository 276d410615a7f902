use super::*;

const FILL: PinFill = PinFill([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

fn pan(digits: &str) -> Pan {
    Pan::new(digits.as_bytes()).expect("a card number")
}

/// The clear block, before any encryption.
fn clear(format: PinFormat, digits: &str, card: &str) -> String {
    let pin = Pin::new(digits.as_bytes()).expect("a PIN");
    let field = *pin.field(format.control(), |at| format.fill(&FILL, at));
    format!("{:016X}", field ^ pan_part(&pan(card)))
}

#[test]
fn format_0_is_laid_out_as_others_lay_it_out() {
    // EFTlab, "Complete list of PIN-blocks"; moov-io/pinblock iso0_test.go; psec test_pinblock.py.
    assert_eq!(clear(PinFormat::Iso0, "1234", "43219876543210987"), "0412AC89ABCDEF67");
    assert_eq!(clear(PinFormat::Iso0, "1234", "5432101234567891"), "041215FEDCBA9876");
    assert_eq!(clear(PinFormat::Iso0, "1234", "5555555551234567"), "041261AAAAEDCBA9");
    assert_eq!(clear(PinFormat::Iso0, "123456789012", "5555555551234567"), "0C1261032D8226A9");
}

#[test]
fn format_3_is_filled_with_a_to_f() {
    // By hand: 34 12 34 AB CD EF AB CD, added to 00 00 55 55 55 12 34 56.
    assert_eq!(clear(PinFormat::Iso3, "1234", "5555555551234567"), "341261FE98FD9F9B");
}

#[test]
fn format_4_has_a_field_for_the_card() {
    // ANSI X9.24-3:2017 supplement, AES-128, and psec test_pinblock.py.
    let field = |card| hex::encode_upper(pan_field(&pan(card)));
    assert_eq!(field("4111111111111111"), "44111111111111111000000000000000");
    assert_eq!(field("112233445566778899"), "61122334455667788990000000000000");
    assert_eq!(field("400000123456"), "04000001234560000000000000000000");
    let pin = Pin::new(b"1234").expect("a PIN");
    assert_eq!(*pin.field(4, |at| PinFormat::Iso4.fill(&FILL, at)), 0x4412_34AA_AAAA_AAAA);
}

#[test]
fn a_short_card_number_is_filled_with_zeros() {
    assert_eq!(pan_part(&pan("400000123456")), 0x0400_0001_2345);
}

#[test]
fn what_is_no_pin_is_refused() {
    for digits in ["", "123", "1234567890123", "12a4", "12 4"] {
        assert_eq!(Pin::new(digits.as_bytes()).err(), Some(KeyErrorKind::BadPin));
    }
}
