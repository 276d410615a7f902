use super::super::{KeyUsage, Parity, SoftwareKeyStore};
use super::*;

const CMAC: MacAlgorithm = MacAlgorithm::AesCmac;

/// A store with the AES-128 key of NIST SP 800-38B under the name `mak`.
fn store() -> (SoftwareKeyStore, KeyName) {
    let (store, name) = (SoftwareKeyStore::new(), "mak".parse().expect("a name"));
    let key = hex::decode("2B7E151628AED2A6ABF7158809CF4F3C").expect("hexadecimal");
    store.insert(&name, KeyUsage::Mac, KeyAlgorithm::Aes128, &key, Parity::Odd).expect("a key");
    (store, name)
}

/// The 16 bytes of NIST SP 800-38B, example 2, with the code in each form behind them.
fn messages() -> [Vec<u8>; 2] {
    let data = hex::decode("6BC1BEE22E409F96E93D7E117393172A").expect("hexadecimal");
    let mac = hex::decode("070A16B46B4D4144").expect("hexadecimal");
    [[&data[..], &mac].concat(), [&data[..], b"070A16B46B4D4144"].concat()]
}

fn field(message: &[u8]) -> MacField {
    MacField { number: 64, at: 16..message.len() }
}

#[test]
fn a_message_is_sealed_and_verified_in_both_forms() {
    let (store, name) = store();
    for message in messages() {
        let field = field(&message);
        assert_eq!(verify(&message, &field, &store, &name, CMAC), Ok(Generation(1)));
        let mut open = message.clone();
        open[16..].fill(0);
        seal(&mut open, &field, &store, &name, CMAC).expect("sealed");
        assert_eq!(open, message);
    }
    let lower = [&messages()[0][..16], b"070a16b46b4d4144"].concat();
    assert!(verify(&lower, &field(&lower), &store, &name, CMAC).is_ok());
}

#[test]
fn any_bit_changed_is_noticed() {
    let (store, name) = store();
    let message = &messages()[0];
    for bit in 0..message.len() * 8 {
        let mut changed = message.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = verify(&changed, &field(message), &store, &name, CMAC).expect_err("changed");
        assert_eq!(error.kind.name(), "bad_mac");
        assert_eq!((error.field, error.offset), (64, 16));
    }
}

#[test]
fn a_field_that_cannot_be_a_code_says_why_and_is_left_alone() {
    let (store, name) = store();
    let check = |content: &[u8], at: Range<usize>, kind: &str| {
        let mut message = [&[0; 16], content].concat();
        let field = MacField { number: 128, at };
        let error = verify(&message, &field, &store, &name, CMAC).expect_err("no code");
        assert_eq!((error.kind.name(), error.field), (kind, 128));
        let before = message.clone();
        if kind != "bad_content" {
            assert!(seal(&mut message, &field, &store, &name, CMAC).is_err());
            assert_eq!(message, before);
        }
    };
    check(b"0123456789ABCDEG", 16..32, "bad_content");
    check(b"01234567", 16..23, "mac_not_last");
    check(b"01234567", 15..24, "bad_length");
    check(b"01234567", 24..24, "bad_length");
    check(b"01234567", 16..99, "mac_not_last");
    #[expect(clippy::reversed_empty_ranges, reason = "what a caller may hand over")]
    check(b"01234567", 30..24, "bad_length");
}

/// A store with the DES key of FIPS 113 under the name `mak`, and its message.
fn of_fips_113() -> (SoftwareKeyStore, KeyName, Vec<u8>) {
    let (store, name) = (SoftwareKeyStore::new(), "mak".parse().expect("a name"));
    let key = hex::decode("0123456789ABCDEF").expect("hexadecimal");
    store.insert(&name, KeyUsage::Mac, KeyAlgorithm::Des, &key, Parity::Odd).expect("a key");
    (store, name, b"7654321 Now is the time for ".to_vec())
}

fn short(carried: fn(ShortMacLen) -> Carried, len: usize) -> MacForm {
    let carried = carried(ShortMacLen::new(len).expect("4 to 7"));
    MacForm { algorithm: MacAlgorithm::X9_9(Padding::Zeros), carried }
}

#[test]
fn a_code_may_be_carried_by_its_left_half_alone() {
    // FIPS 113, appendix: the four bytes F1 D3 0F 68; the whole is F1D30F6849312CA4.
    let (store, name, data) = of_fips_113();
    for (content, form) in [
        (&b"\xF1\xD3\x0F\x68"[..], short(Carried::Bytes, 4)),
        (b"\xF1\xD3\x0F\x68\0\0\0\0", short(Carried::Bytes, 4)),
        (b"F1D30F68", short(Carried::Hex, 4)),
        (b"F1D30F6800000000", short(Carried::Hex, 4)),
        (b"\xF1\xD3\x0F\x68\x49\x31\0\0", short(Carried::Bytes, 6)),
        (b"F1D30F6849312C", short(Carried::Hex, 7)),
    ] {
        let message = [&data[..], content].concat();
        let field = MacField { number: 64, at: 28..message.len() };
        assert_eq!(verify(&message, &field, &store, &name, form), Ok(Generation(1)));
        let mut open = message.clone();
        open[28..].fill(0x55);
        seal(&mut open, &field, &store, &name, form).expect("sealed");
        assert_eq!(open, message);
    }
}

#[test]
fn a_short_code_is_taken_where_it_was_agreed_alone() {
    let (store, name, data) = of_fips_113();
    let check = |content: &[u8], form: MacForm, kind: &str| {
        let message = [&data[..], content].concat();
        let field = MacField { number: 64, at: 28..message.len() };
        let error = verify(&message, &field, &store, &name, form).expect_err("no such code");
        assert_eq!(error.kind.name(), kind, "{content:?}");
    };
    let whole = MacForm::from(MacAlgorithm::X9_9(Padding::Zeros));
    check(b"\xF1\xD3\x0F\x68", whole, "bad_length");
    check(b"\xF1\xD3\x0F\x68\0\0\0\0", whole, "bad_mac");
    check(b"\xF1\xD3\x0F\x68\0\0\0\x01", short(Carried::Bytes, 4), "bad_content");
    check(b"\xF1\xD3\x0F\x68\0\0\0\0", short(Carried::Bytes, 5), "bad_mac");
    check(b"\xF1\xD3\x0F", short(Carried::Bytes, 4), "bad_length");
    check(b"F1D30F69", short(Carried::Hex, 4), "bad_mac");
    check(b"F1D30F6G", short(Carried::Hex, 4), "bad_content");
    check(b"F1D30F6849312CA4", short(Carried::Hex, 4), "bad_content");
    for len in [0, 3, 8] {
        assert_eq!(ShortMacLen::new(len), None);
    }
    assert!(Mac::new(&[0; 3]).is_none() && Mac::new(&[0; 9]).is_none());
    assert!(Mac::new(&[1; 4]) != Mac::new(&[1; 8]));
}

#[test]
fn a_header_in_front_of_the_mti_is_not_covered() {
    let (store, name) = store();
    let message = [&b"\x60\0\x03\0\0"[..], &messages()[0]].concat();
    let field = MacField { number: 64, at: 21..29 };
    assert!(verify(&message, &field, &store, &name, CMAC).is_err());
    let behind = field.behind(5);
    assert_eq!(behind, MacField { number: 64, at: 16..24 });
    assert_eq!(verify(&message[5..], &behind, &store, &name, CMAC), Ok(Generation(1)));
}

#[test]
fn an_error_repeats_nothing_of_the_message() {
    let (store, name) = store();
    let message = [&[0x11; 16], &b"ABCDEFGH"[..]].concat();
    let error = verify(&message, &field(&message), &store, &name, CMAC).expect_err("another");
    let told = "field 64 at offset 16: key `mak`: message authentication code does not fit";
    assert_eq!(error.to_string(), told);
}
