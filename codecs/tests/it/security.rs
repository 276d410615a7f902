//! Keys, MACs and PIN blocks against values of standards and of other tools.

mod exchange;
mod pins;

use std::path::PathBuf;

use codecs::security::exchange::{KeyForm, KeyLayout, KeyMaterial, KeyMaterialError};
use codecs::security::{
    CheckMethod, CheckValue, EncryptedPin, Generation, KeyAlgorithm, KeyError, KeyErrorKind,
    KeyImport, KeyName, KeyStore, KeyUsage, KeyVersion, KeyWrap, Mac, MacAlgorithm, Padding,
    Parity, PinFill, PinFormat, PinKey, SoftwareKeyStore,
};
use router::secret::Pan;
use serde_json::Value;

/// Two keys of TDES with the right parity, used by many published examples.
const TDES2: &str = "0123456789ABCDEFFEDCBA9876543210";
const AES128: &str = "2B7E151628AED2A6ABF7158809CF4F3C";

fn rows(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/security").join(name);
    let text = std::fs::read_to_string(path).expect("a file of rows");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    assert!(!rows.is_empty());
    rows
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {row}"))
}

fn hex(row: &Value, key: &str) -> Vec<u8> {
    bytes(text(row, key))
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal")
}

fn key_algorithm(name: &str) -> KeyAlgorithm {
    match name {
        "des" => KeyAlgorithm::Des,
        "tdes2" => KeyAlgorithm::Tdes2,
        "tdes3" => KeyAlgorithm::Tdes3,
        "aes128" => KeyAlgorithm::Aes128,
        "aes192" => KeyAlgorithm::Aes192,
        "aes256" => KeyAlgorithm::Aes256,
        other => panic!("algorithm {other}"),
    }
}

fn name(text: &str) -> KeyName {
    text.parse().expect("a name")
}

fn insert(
    store: &SoftwareKeyStore,
    key: &str,
    usage: KeyUsage,
    algorithm: KeyAlgorithm,
    text: &str,
) {
    let kept = store.insert(&name(key), usage, algorithm, &bytes(text), Parity::Ignored);
    kept.unwrap_or_else(|error| panic!("{error}"));
}

/// A store with one key, named `key`.
fn store_with(usage: KeyUsage, algorithm: KeyAlgorithm, text: &str) -> SoftwareKeyStore {
    let store = SoftwareKeyStore::new();
    insert(&store, "key", usage, algorithm, text);
    store
}

fn pan(digits: &str) -> Pan {
    Pan::new(digits.as_bytes()).expect("a card number")
}

#[test]
fn every_mac_is_that_of_its_source() {
    for row in rows("macs.json") {
        let key = text(&row, "key");
        let (algorithm, of_key) = match (text(&row, "algorithm"), key.len() / 2) {
            ("x9.9-zeros", _) => (MacAlgorithm::X9_9(Padding::Zeros), KeyAlgorithm::Des),
            ("x9.9-bit", _) => (MacAlgorithm::X9_9(Padding::Bit), KeyAlgorithm::Des),
            ("x9.19-zeros", _) => (MacAlgorithm::X9_19(Padding::Zeros), KeyAlgorithm::Tdes2),
            ("x9.19-bit", _) => (MacAlgorithm::X9_19(Padding::Bit), KeyAlgorithm::Tdes2),
            ("aes-cmac", 16) => (MacAlgorithm::AesCmac, KeyAlgorithm::Aes128),
            ("aes-cmac", 24) => (MacAlgorithm::AesCmac, KeyAlgorithm::Aes192),
            ("aes-cmac", 32) => (MacAlgorithm::AesCmac, KeyAlgorithm::Aes256),
            other => panic!("{other:?}"),
        };
        let store = store_with(KeyUsage::Mac, of_key, key);
        let mac = store.mac(&name("key"), algorithm, &hex(&row, "data")).expect("a MAC");
        assert_eq!(hex::encode_upper(mac.as_bytes()), text(&row, "mac"), "{row}");
    }
}

#[test]
fn every_check_value_is_that_of_its_source() {
    for row in rows("check-values.json") {
        let algorithm = key_algorithm(text(&row, "algorithm"));
        let store = store_with(KeyUsage::Mac, algorithm, text(&row, "key"));
        let method = match text(&row, "method") {
            "zeros" => CheckMethod::Zeros,
            _ => CheckMethod::Cmac,
        };
        let check = store.check_value(&name("key"), KeyVersion::Current, method);
        assert_eq!(check.expect("a check value").to_string(), text(&row, "value"), "{row}");
    }
}

#[test]
fn a_key_does_what_it_is_for_and_nothing_else() {
    let store = SoftwareKeyStore::new();
    insert(&store, "mak", KeyUsage::Mac, KeyAlgorithm::Tdes2, TDES2);
    insert(&store, "pek", KeyUsage::Pin, KeyAlgorithm::Aes128, AES128);
    let (mak, pek, gone) = (name("mak"), name("pek"), name("gone"));
    let kind = |error: Result<Mac, KeyError>| error.err().map(|error| error.kind.name());
    let x9_19 = MacAlgorithm::X9_19(Padding::Zeros);
    assert_eq!(kind(store.mac(&pek, MacAlgorithm::AesCmac, b"")), Some("wrong_usage"));
    assert_eq!(kind(store.mac(&mak, MacAlgorithm::AesCmac, b"")), Some("wrong_algorithm"));
    assert_eq!(
        kind(store.mac(&mak, MacAlgorithm::X9_9(Padding::Bit), b"")),
        Some("wrong_algorithm")
    );
    assert_eq!(kind(store.mac(&gone, x9_19, b"")), Some("unknown_key"));
    let (card, fill) = (pan("4111111111111111"), PinFill([0; 10]));
    let pin = |key, format, digits: &[u8]| {
        store.encrypt_pin(key, format, digits, &card, &fill).err().map(|error| error.kind.name())
    };
    assert_eq!(pin(&mak, PinFormat::Iso0, b"1234"), Some("wrong_usage"));
    assert_eq!(pin(&pek, PinFormat::Iso0, b"1234"), Some("wrong_algorithm"));
    assert_eq!(pin(&pek, PinFormat::Iso4, b"123"), Some("bad_pin"));
    let out = store.export_key(&mak, KeyVersion::Current, &pek, KeyWrap::AesKeyWrap);
    assert_eq!(out.err(), Some(KeyErrorKind::WrongUsage.of(&pek)));
}

#[test]
fn keys_that_cannot_be_good_are_refused() {
    let store = SoftwareKeyStore::new();
    let kind = |algorithm, text: &str, parity| {
        let kept = store.insert(&name("key"), KeyUsage::Mac, algorithm, &bytes(text), parity);
        kept.err().map(|error| error.kind)
    };
    let tdes2 = KeyAlgorithm::Tdes2;
    assert_eq!(kind(tdes2, "0123", Parity::Odd), Some(KeyErrorKind::BadLength));
    let even = TDES2.replace("0123", "0023");
    assert_eq!(kind(tdes2, &even, Parity::Odd), Some(KeyErrorKind::Parity));
    let equal_but_for_parity = "0123456789ABCDEF0022446688AACCEE";
    assert_eq!(kind(tdes2, equal_but_for_parity, Parity::Ignored), Some(KeyErrorKind::Degenerate));
    assert_eq!(kind(tdes2, TDES2, Parity::Odd), None);
    assert_eq!(kind(tdes2, TDES2, Parity::Odd), Some(KeyErrorKind::Exists));
}

#[test]
fn nothing_of_a_key_a_pin_or_a_block_is_ever_shown() {
    let (store, row) = exchange::store_with_kek();
    insert(&store, "mak", KeyUsage::Mac, KeyAlgorithm::Tdes2, TDES2);
    let shown = format!("{store:?}");
    // The check values of check-values.json, and not a byte of the keys.
    assert!(shown.contains("\"mak\"") && shown.contains("08D7B4"), "{shown}");
    assert!(!shown.contains("0123") && !shown.contains("FEDC"), "{shown}");
    let block = EncryptedPin::try_from(&hex(&row, "cryptogram")[..]).expect("16 bytes");
    assert_eq!(format!("{block:?}"), "EncryptedPin(16 bytes)");
    assert_eq!(format!("{:?} {:?}", PinFill([9; 10]), Mac::from([9; 8])), "PinFill Mac");
    let wrapped =
        store.export_key(&name("mak"), KeyVersion::Current, &name("kek"), KeyWrap::TdesEcb);
    assert_eq!(format!("{:?}", wrapped.expect("wrapped")), "WrappedKey(16 bytes)");
}
