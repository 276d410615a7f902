//! PIN blocks.

use proptest::prelude::*;

use super::exchange::{import, store_with_kek};
use super::*;

fn pin_format(row: &Value) -> PinFormat {
    match row["format"].as_u64() {
        Some(0) => PinFormat::Iso0,
        Some(3) => PinFormat::Iso3,
        Some(4) => PinFormat::Iso4,
        _ => panic!("format in {row}"),
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
fn the_previous_pin_key_is_used_only_when_asked_for() {
    let (store, row) = store_with_kek();
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
