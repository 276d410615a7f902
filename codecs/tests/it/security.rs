//! Keys, MACs and PIN blocks against values of standards and of other tools.

use std::path::PathBuf;

use codecs::security::exchange::{KeyForm, KeyLayout, KeyMaterial, KeyMaterialError};
use codecs::security::{
    CheckMethod, CheckValue, EncryptedPin, Generation, KeyAlgorithm, KeyError, KeyErrorKind,
    KeyImport, KeyName, KeyStore, KeyUsage, KeyVersion, KeyWrap, Mac, MacAlgorithm, Padding,
    Parity, PinFill, PinFormat, PinKey, SoftwareKeyStore,
};
use proptest::prelude::*;
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

fn pin_format(row: &Value) -> PinFormat {
    match row["format"].as_u64() {
        Some(0) => PinFormat::Iso0,
        Some(3) => PinFormat::Iso3,
        Some(4) => PinFormat::Iso4,
        _ => panic!("format in {row}"),
    }
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
        assert_eq!(hex::encode_upper(mac.0), text(&row, "mac"), "{row}");
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
fn every_pin_block_is_that_of_its_source_and_reads_back() {
    for row in rows("pin-blocks.json") {
        let algorithm = key_algorithm(text(&row, "algorithm"));
        let store = store_with(KeyUsage::Pin, algorithm, text(&row, "key"));
        let (format, card) = (pin_format(&row), pan(text(&row, "pan")));
        let fill = PinFill(hex(&row, "fill").try_into().expect("ten bytes"));
        let pin = text(&row, "pin").as_bytes();
        let block = store.encrypt_pin(&name("key"), format, pin, &card, &fill).expect("a block");
        assert_eq!(hex::encode_upper(block.as_bytes()), text(&row, "block"), "{row}");

        // Through a second key and back, with the same fill, it is the same block again.
        insert(&store, "other", KeyUsage::Pin, KeyAlgorithm::Aes256, &AES128.repeat(2));
        let other =
            PinKey { key: &name("other"), version: KeyVersion::Current, format: PinFormat::Iso4 };
        let own = PinKey { key: &name("key"), version: KeyVersion::Current, format };
        let through = store.translate_pin(&block, &card, own, other, &fill).expect("a block");
        let back = store.translate_pin(&through, &card, other, own, &fill).expect("a block");
        assert_eq!(back, block, "{row}");
    }
}

#[test]
fn a_block_of_one_format_becomes_the_same_pin_in_another() {
    let rows = rows("pin-blocks.json");
    let find = |format: u64, algorithm: &str| {
        let same = |row: &&Value| {
            row["format"] == format
                && row["algorithm"] == algorithm
                && row["pin"] == "1234"
                && row["pan"] == "4111111111111111"
        };
        rows.iter().find(same).expect("a row")
    };
    let (zero, three, four) = (find(0, "tdes2"), find(3, "tdes3"), find(4, "aes128"));
    let store = SoftwareKeyStore::new();
    for row in [zero, three, four] {
        let algorithm = text(row, "algorithm");
        insert(&store, algorithm, KeyUsage::Pin, key_algorithm(algorithm), text(row, "key"));
    }
    let card = pan("4111111111111111");
    for (from, to) in [(zero, three), (zero, four), (three, four), (four, zero), (four, three)] {
        let (old, new) = (name(text(from, "algorithm")), name(text(to, "algorithm")));
        let block = EncryptedPin::try_from(&hex(from, "block")[..]).expect("a block");
        let fill = PinFill(hex(to, "fill").try_into().expect("ten bytes"));
        let version = KeyVersion::Current;
        let translated = store.translate_pin(
            &block,
            &card,
            PinKey { key: &old, version, format: pin_format(from) },
            PinKey { key: &new, version, format: pin_format(to) },
            &fill,
        );
        let translated = translated.expect("translated");
        assert_eq!(hex::encode_upper(translated.as_bytes()), text(to, "block"));
    }
}

#[test]
fn a_block_that_holds_no_pin_is_refused_alike_whatever_is_wrong() {
    for row in rows("broken-pin-blocks.json") {
        let algorithm = key_algorithm(text(&row, "algorithm"));
        let store = store_with(KeyUsage::Pin, algorithm, text(&row, "key"));
        let key =
            PinKey { key: &name("key"), version: KeyVersion::Current, format: pin_format(&row) };
        let block = EncryptedPin::try_from(&hex(&row, "block")[..]).expect("a block");
        let card = pan(text(&row, "pan"));
        let error = store.translate_pin(&block, &card, key, key, &PinFill([0; 10]));
        assert_eq!(error.expect_err("no PIN").kind, KeyErrorKind::BadPinBlock, "{row}");
    }
    assert!(EncryptedPin::try_from(&[0_u8; 9][..]).is_err());
}

#[test]
fn every_wrapped_key_is_taken_in_and_goes_out_as_its_source_has_it() {
    for row in rows("wrapped-keys.json") {
        let under = key_algorithm(text(&row, "under_algorithm"));
        let store = store_with(KeyUsage::KeyEncryption, under, text(&row, "under"));
        let wrap = match text(&row, "wrap") {
            "tdes-ecb" => KeyWrap::TdesEcb,
            _ => KeyWrap::AesKeyWrap,
        };
        let check_method = match text(&row, "check_method") {
            "zeros" => CheckMethod::Zeros,
            _ => CheckMethod::Cmac,
        };
        let import = KeyImport {
            key: &name("new"),
            usage: KeyUsage::Mac,
            algorithm: key_algorithm(text(&row, "algorithm")),
            under: &name("key"),
            wrap,
            cryptogram: &hex(&row, "cryptogram"),
            check_method,
            check_value: &hex(&row, "check_value"),
            parity: Parity::Odd,
        };
        let check = store.import_key(&import).unwrap_or_else(|error| panic!("{error}: {row}"));
        assert_eq!(check.to_string(), text(&row, "check_value"));
        let out = store.export_key(&name("new"), KeyVersion::Next, &name("key"), wrap);
        assert_eq!(hex::encode_upper(out.expect("wrapped").as_bytes()), text(&row, "cryptogram"));
    }
}

/// A store with a key-encrypting key `kek` and the first TDES row of the wrapped keys.
fn exchange() -> (SoftwareKeyStore, Value) {
    let row = rows("wrapped-keys.json").swap_remove(0);
    let store = SoftwareKeyStore::new();
    insert(&store, "kek", KeyUsage::KeyEncryption, KeyAlgorithm::Tdes2, text(&row, "under"));
    (store, row)
}

fn import(
    store: &SoftwareKeyStore,
    cryptogram: &[u8],
    check_value: &[u8],
    change: impl Fn(&mut KeyImport<'_>),
) -> Result<CheckValue, KeyError> {
    let (mak, kek) = (name("mak"), name("kek"));
    let mut import = KeyImport {
        key: &mak,
        usage: KeyUsage::Mac,
        algorithm: KeyAlgorithm::Tdes2,
        under: &kek,
        wrap: KeyWrap::TdesEcb,
        cryptogram,
        check_method: CheckMethod::Zeros,
        check_value,
        parity: Parity::Odd,
    };
    change(&mut import);
    store.import_key(&import)
}

#[test]
fn a_key_is_exchanged_and_messages_on_their_way_still_verify() {
    let (store, row) = exchange();
    let mak = name("mak");
    insert(&store, "mak", KeyUsage::Mac, KeyAlgorithm::Tdes2, TDES2);
    let algorithm = MacAlgorithm::X9_19(Padding::Zeros);
    let old = store.mac(&mak, algorithm, b"0200").expect("a MAC");

    let content = [text(&row, "cryptogram"), &text(&row, "check_value")[..4]].concat();
    let layout = KeyLayout {
        algorithm: KeyAlgorithm::Tdes2,
        wrap: KeyWrap::TdesEcb,
        form: KeyForm::Hex,
        check_len: 2,
    };
    let material = KeyMaterial::parse(&layout, content.as_bytes()).expect("material");
    let check = import(&store, material.cryptogram(), material.check_value(), |_| {});
    check.expect("taken in");
    assert_eq!(store.mac(&mak, algorithm, b"0200"), Ok(old), "not in use before it is activated");

    assert_eq!(store.activate(&mak), Ok(Generation(2)));
    let new = store.mac(&mak, algorithm, b"0200").expect("a MAC");
    assert_ne!(new, old);
    assert_eq!(store.verify_mac(&mak, algorithm, b"0200", &new), Ok(Generation(2)));
    assert_eq!(store.verify_mac(&mak, algorithm, b"0200", &old), Ok(Generation(1)));
    store.retire_previous(&mak).expect("there is one");
    let error = store.verify_mac(&mak, algorithm, b"0200", &old).expect_err("forgotten");
    assert_eq!(error.kind, KeyErrorKind::BadMac);
    assert_eq!(store.retire_previous(&mak), Err(KeyErrorKind::NoSuchVersion.of(&mak)));
    assert_eq!(store.activate(&mak), Err(KeyErrorKind::NoSuchVersion.of(&mak)));
}

#[test]
fn the_previous_pin_key_is_used_only_when_asked_for() {
    let (store, row) = exchange();
    let (pek, fill) = (name("mak"), PinFill([7; 10]));
    insert(&store, "mak", KeyUsage::Pin, KeyAlgorithm::Tdes2, TDES2);
    let card = pan("4111111111111111");
    let block = store.encrypt_pin(&pek, PinFormat::Iso0, b"1234", &card, &fill).expect("a block");
    let (cryptogram, check) = (hex(&row, "cryptogram"), hex(&row, "check_value"));
    import(&store, &cryptogram, &check, |import| import.usage = KeyUsage::Pin).expect("taken in");
    store.activate(&pek).expect("activated");
    let key = |version| PinKey { key: &pek, version, format: PinFormat::Iso0 };
    let (current, previous) = (key(KeyVersion::Current), key(KeyVersion::Previous));
    let error = store.translate_pin(&block, &card, current, current, &fill).expect_err("old key");
    assert_eq!(error.kind, KeyErrorKind::BadPinBlock);
    assert!(store.translate_pin(&block, &card, previous, current, &fill).is_ok());
}

#[test]
fn what_is_wrong_with_an_import_is_told_and_changes_nothing() {
    let (store, row) = exchange();
    let (cryptogram, check) = (hex(&row, "cryptogram"), hex(&row, "check_value"));
    let kind = |cryptogram: &[u8], check: &[u8], change: fn(&mut KeyImport<'_>)| {
        let error = import(&store, cryptogram, check, change).expect_err("refused");
        assert!(!error.to_string().contains(&text(&row, "cryptogram")[..4]), "{error}");
        error.kind
    };
    let mut wrong = check.clone();
    wrong[0] ^= 1;
    assert_eq!(kind(&cryptogram, &wrong, |_| {}), KeyErrorKind::BadCheckValue);
    assert_eq!(kind(&cryptogram, &check[..1], |_| {}), KeyErrorKind::BadCheckValue);
    assert_eq!(kind(&cryptogram, &[], |_| {}), KeyErrorKind::BadCheckValue);
    assert_eq!(kind(&cryptogram[1..], &check, |_| {}), KeyErrorKind::BadWrap);
    assert_eq!(
        kind(&[0x11; 16], &check, |import| import.parity = Parity::Ignored),
        KeyErrorKind::Degenerate
    );
    let mut changed = cryptogram.clone();
    changed[3] ^= 0x10;
    assert_eq!(kind(&changed, &check, |_| {}), KeyErrorKind::Parity);
    let weak: fn(&mut KeyImport<'_>) = |import| import.algorithm = KeyAlgorithm::Tdes3;
    assert_eq!(kind(&cryptogram, &check, weak), KeyErrorKind::WeakWrap);
    assert_eq!(store.activate(&name("mak")), Err(KeyErrorKind::UnknownKey.of(&name("mak"))));

    let nobody = name("nobody");
    let error = import(&store, &cryptogram, &check, |_| {});
    assert!(error.is_ok());
    let under_nobody = KeyImport {
        key: &name("mak"),
        usage: KeyUsage::Mac,
        algorithm: KeyAlgorithm::Tdes2,
        under: &nobody,
        wrap: KeyWrap::TdesEcb,
        cryptogram: &cryptogram,
        check_method: CheckMethod::Zeros,
        check_value: &check,
        parity: Parity::Odd,
    };
    assert_eq!(store.import_key(&under_nobody), Err(KeyErrorKind::UnknownKey.of(&nobody)));
    let other_use = import(&store, &cryptogram, &check, |import| import.usage = KeyUsage::Pin);
    assert_eq!(other_use, Err(KeyErrorKind::WrongUsage.of(&name("mak"))));
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
    let (store, row) = exchange();
    insert(&store, "mak", KeyUsage::Mac, KeyAlgorithm::Tdes2, TDES2);
    let shown = format!("{store:?}");
    // The check values of check-values.json, and not a byte of the keys.
    assert!(shown.contains("\"mak\"") && shown.contains("08D7B4"), "{shown}");
    assert!(!shown.contains("0123") && !shown.contains("FEDC"), "{shown}");
    let block = EncryptedPin::try_from(&hex(&row, "cryptogram")[..]).expect("16 bytes");
    assert_eq!(format!("{block:?}"), "EncryptedPin(16 bytes)");
    assert_eq!(format!("{:?} {:?}", PinFill([9; 10]), Mac([9; 8])), "PinFill Mac");
    let wrapped =
        store.export_key(&name("mak"), KeyVersion::Current, &name("kek"), KeyWrap::TdesEcb);
    assert_eq!(format!("{:?}", wrapped.expect("wrapped")), "WrappedKey(16 bytes)");
}

#[test]
fn key_material_is_read_and_written_as_its_layout_says() {
    let (store, row) = exchange();
    insert(&store, "mak", KeyUsage::Mac, KeyAlgorithm::Tdes2, text(&row, "key"));
    let layout = KeyLayout {
        algorithm: KeyAlgorithm::Tdes2,
        wrap: KeyWrap::TdesEcb,
        form: KeyForm::Binary,
        check_len: 3,
    };
    let (mak, kek) = (name("mak"), name("kek"));
    let wrapped = store.export_key(&mak, KeyVersion::Current, &kek, KeyWrap::TdesEcb);
    let wrapped = wrapped.expect("wrapped");
    let check = store.check_value(&mak, KeyVersion::Current, CheckMethod::Zeros).expect("a value");
    let content = KeyMaterial::write(&layout, &wrapped, &check).expect("material");
    assert_eq!(content, [hex(&row, "cryptogram"), hex(&row, "check_value")].concat());
    let read = KeyMaterial::parse(&layout, &content).expect("material");
    assert_eq!(read.cryptogram(), hex(&row, "cryptogram"));
    assert_eq!(read.check_value(), hex(&row, "check_value"));

    for end in 0..content.len() {
        let error = KeyMaterial::parse(&layout, &content[..end]).expect_err("cut short");
        assert_eq!(error, KeyMaterialError::BadLength { need: 19, have: end });
    }
    let hexadecimal = KeyLayout { form: KeyForm::Hex, ..layout };
    let mut characters = [b'0'; 38];
    characters[5] = b'x';
    let error = KeyMaterial::parse(&hexadecimal, &characters).expect_err("no digit");
    assert_eq!(error, KeyMaterialError::NotHex { offset: 5 });
    let long = KeyLayout { check_len: 4, ..layout };
    let error = KeyMaterial::write(&long, &wrapped, &check).expect_err("three bytes only");
    assert_eq!(error, KeyMaterialError::CheckLength { have: 4 });
}

proptest! {
    #[test]
    fn a_pin_comes_through_every_format_and_fill(
        pin in "[0-9]{4,12}",
        card in "[0-9]{12,19}",
        fill in any::<[u8; 10]>(),
        other_fill in any::<[u8; 10]>(),
        from in prop::sample::select(vec![PinFormat::Iso0, PinFormat::Iso3, PinFormat::Iso4]),
        to in prop::sample::select(vec![PinFormat::Iso0, PinFormat::Iso3, PinFormat::Iso4]),
    ) {
        let store = SoftwareKeyStore::new();
        insert(&store, "tdes", KeyUsage::Pin, KeyAlgorithm::Tdes2, TDES2);
        insert(&store, "aes", KeyUsage::Pin, KeyAlgorithm::Aes128, AES128);
        let key = |format| if format == PinFormat::Iso4 { name("aes") } else { name("tdes") };
        let (old, new) = (key(from), key(to));
        let version = KeyVersion::Current;
        let (fill, other_fill) = (PinFill(fill), PinFill(other_fill));
        let card = pan(&card);
        let block = store.encrypt_pin(&old, from, pin.as_bytes(), &card, &fill).expect("a block");
        let (from, to) = (
            PinKey { key: &old, version, format: from },
            PinKey { key: &new, version, format: to },
        );
        let there = store.translate_pin(&block, &card, from, to, &other_fill).expect("translated");
        let back = store.translate_pin(&there, &card, to, from, &fill).expect("translated back");
        prop_assert_eq!(back, block);
    }

    #[test]
    fn random_blocks_and_material_bring_nothing_down(
        block in prop::collection::vec(any::<u8>(), 0..20),
        content in prop::collection::vec(any::<u8>(), 0..100),
        check_len in 0_usize..8,
    ) {
        let store = SoftwareKeyStore::new();
        insert(&store, "tdes", KeyUsage::Pin, KeyAlgorithm::Tdes2, TDES2);
        let key = PinKey {
            key: &name("tdes"),
            version: KeyVersion::Current,
            format: PinFormat::Iso3,
        };
        if let Ok(block) = EncryptedPin::try_from(&block[..]) {
            let card = pan("4111111111111111");
            let _ = store.translate_pin(&block, &card, key, key, &PinFill([0; 10]));
        }
        for form in [KeyForm::Binary, KeyForm::Hex] {
            for wrap in [KeyWrap::TdesEcb, KeyWrap::AesKeyWrap] {
                let layout = KeyLayout { algorithm: KeyAlgorithm::Aes128, wrap, form, check_len };
                let _ = KeyMaterial::parse(&layout, &content);
            }
        }
    }
}
