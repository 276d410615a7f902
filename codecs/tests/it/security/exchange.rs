//! Keys that come and go encrypted.

use super::*;

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
pub(super) fn store_with_kek() -> (SoftwareKeyStore, Value) {
    let row = rows("wrapped-keys.json").swap_remove(0);
    let store = SoftwareKeyStore::new();
    insert(&store, "kek", KeyUsage::KeyEncryption, KeyAlgorithm::Tdes2, text(&row, "under"));
    (store, row)
}

pub(super) fn import(
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
    let (store, row) = store_with_kek();
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
fn what_is_wrong_with_an_import_is_told_and_changes_nothing() {
    let (store, row) = store_with_kek();
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
fn key_material_is_read_and_written_as_its_layout_says() {
    let (store, row) = store_with_kek();
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

#[test]
fn a_code_that_fits_no_key_is_bad_though_the_previous_key_was_of_another_algorithm() {
    let rows = rows("wrapped-keys.json");
    let row = rows.iter().find(|row| row["algorithm"] == "aes128").expect("a row");
    let (store, mak) = (SoftwareKeyStore::new(), name("mak"));
    let under = key_algorithm(text(row, "under_algorithm"));
    insert(&store, "kek", KeyUsage::KeyEncryption, under, text(row, "under"));
    insert(&store, "mak", KeyUsage::Mac, KeyAlgorithm::Tdes2, TDES2);
    let check = import(&store, &hex(row, "cryptogram"), &hex(row, "check_value"), |import| {
        import.algorithm = KeyAlgorithm::Aes128;
        import.wrap = KeyWrap::AesKeyWrap;
        import.check_method = CheckMethod::Cmac;
    });
    check.expect("taken in");
    store.activate(&mak).expect("activated");
    let verified = store.verify_mac(&mak, MacAlgorithm::AesCmac, b"0200", &Mac::from([0; 8]));
    assert_eq!(verified, Err(KeyErrorKind::BadMac.of(&mak)));
}
