//! Key material, PIN blocks and MACs. The first bytes choose how the rest is taken.
#![no_main]

use codecs::security::exchange::{KeyForm, KeyLayout, KeyMaterial};
use codecs::security::mac::{self, MacField};
use codecs::security::{
    CheckMethod, CheckValue, EncryptedPin, KeyAlgorithm, KeyImport, KeyName, KeyStore, KeyUsage,
    KeyVersion, KeyWrap, MacAlgorithm, Padding, Parity, PinFill, PinFormat, PinKey,
    SoftwareKeyStore,
};
use libfuzzer_sys::fuzz_target;
use router::secret::Pan;

/// Keys of published examples.
const TDES: [u8; 16] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
const AES: [u8; 16] = *b"\x2B\x7E\x15\x16\x28\xAE\xD2\xA6\xAB\xF7\x15\x88\x09\xCF\x4F\x3C";

const ALGORITHMS: [KeyAlgorithm; 6] = [
    KeyAlgorithm::Des,
    KeyAlgorithm::Tdes2,
    KeyAlgorithm::Tdes3,
    KeyAlgorithm::Aes128,
    KeyAlgorithm::Aes192,
    KeyAlgorithm::Aes256,
];

/// Each way to wrap a key, and the key-encrypting key for it.
const WRAPS: [(KeyWrap, &str); 2] = [(KeyWrap::TdesEcb, "kek"), (KeyWrap::AesKeyWrap, "kek-aes")];

fuzz_target!(|input: &[u8]| {
    let Some(([way, algorithm, wrap, len], rest)) = input.split_first_chunk() else { return };
    let algorithm = ALGORITHMS[usize::from(*algorithm) % ALGORITHMS.len()];
    let form = if wrap & 0x80 == 0 { KeyForm::Binary } else { KeyForm::Hex };
    let (key_wrap, under) = WRAPS[usize::from(wrap & 0x7F) % WRAPS.len()];
    let layout = KeyLayout { algorithm, wrap: key_wrap, form, check_len: usize::from(*len) };
    match way % 4 {
        0 => key_material(&layout, &name(under), rest),
        1 => key_sent(&layout, &name(under), rest),
        2 => pin_block(usize::from(*len), rest),
        _ => message_code(usize::from(*wrap), usize::from(*len), rest),
    }
});

fn name(text: &str) -> KeyName {
    text.parse().expect("a name")
}

fn store() -> SoftwareKeyStore {
    let store = SoftwareKeyStore::new();
    for (key, usage, algorithm, bytes) in [
        ("kek", KeyUsage::KeyEncryption, KeyAlgorithm::Tdes2, &TDES),
        ("kek-aes", KeyUsage::KeyEncryption, KeyAlgorithm::Aes128, &AES),
        ("pin", KeyUsage::Pin, KeyAlgorithm::Tdes2, &TDES),
        ("pin-aes", KeyUsage::Pin, KeyAlgorithm::Aes128, &AES),
        ("mac", KeyUsage::Mac, KeyAlgorithm::Tdes2, &TDES),
    ] {
        let kept = store.insert(&name(key), usage, algorithm, bytes, Parity::Ignored);
        kept.expect("a key");
    }
    store
}

/// What came is taken apart, imported or refused; what is refused changes nothing.
fn key_material(layout: &KeyLayout, under: &KeyName, content: &[u8]) {
    let material = match KeyMaterial::parse(layout, content) {
        Ok(material) => material,
        Err(error) => return assert!(error.to_string().len() < 100, "an error is a short line"),
    };
    assert_eq!(content.len(), layout.content_len());
    assert_eq!(material.check_value().len(), layout.check_len);
    let _ = imported(&store(), layout, under, &material);
}

/// Takes in a key, and puts it in use; where it is refused, nothing is changed.
fn imported(
    store: &SoftwareKeyStore,
    layout: &KeyLayout,
    under: &KeyName,
    material: &KeyMaterial,
) -> Option<CheckValue> {
    let key = name("mac");
    let current =
        || store.check_value(&key, KeyVersion::Current, CheckMethod::Zeros).expect("a key");
    let before = current();
    let imported = store.import_key(&KeyImport {
        key: &key,
        usage: KeyUsage::Mac,
        algorithm: layout.algorithm,
        under,
        wrap: layout.wrap,
        cryptogram: material.cryptogram(),
        check_method: CheckMethod::Zeros,
        check_value: material.check_value(),
        parity: Parity::Ignored,
    });
    assert_eq!(current(), before, "a key is in use before it is activated");
    assert_eq!(store.activate(&key).is_ok(), imported.is_ok());
    assert_eq!(current(), imported.clone().unwrap_or(before));
    imported.ok()
}

/// A key that one side sends is the key that the other takes in.
fn key_sent(layout: &KeyLayout, under: &KeyName, bytes: &[u8]) {
    let (sender, key) = (store(), name("sent"));
    let made = sender.insert(&key, KeyUsage::Mac, layout.algorithm, bytes, Parity::Ignored);
    let Ok(check) = made else { return };
    let Ok(wrapped) = sender.export_key(&key, KeyVersion::Current, under, layout.wrap) else {
        return;
    };
    let Ok(content) = KeyMaterial::write(layout, &wrapped, &check) else { return };
    let material = KeyMaterial::parse(layout, &content).expect("what was written can be read");
    assert_eq!(imported(&store(), layout, under, &material), Some(check));
}

/// A PIN comes through translation; bytes that are no block of the card do not.
fn pin_block(pin_len: usize, rest: &[u8]) {
    let (pin, block) = rest.split_at(rest.len().min(pin_len));
    let (store, card) = (store(), Pan::new(b"4111111111111111").expect("a card number"));
    let fill = PinFill(*b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A");
    let (tdes, aes) = (name("pin"), name("pin-aes"));
    let key = |format| PinKey {
        key: if format == PinFormat::Iso4 { &aes } else { &tdes },
        version: KeyVersion::Current,
        format,
    };
    let translate = |block: &EncryptedPin, from, to| {
        store.translate_pin(block, &card, key(from), key(to), &fill)
    };
    let formats = [PinFormat::Iso0, PinFormat::Iso3, PinFormat::Iso4];
    if let Ok(block) = EncryptedPin::try_from(block) {
        for (from, to) in formats.iter().flat_map(|from| formats.map(|to| (*from, to))) {
            let _ = translate(&block, from, to);
        }
    }
    let made = store.encrypt_pin(&tdes, PinFormat::Iso0, pin, &card, &fill);
    let is_pin = (4..=12).contains(&pin.len()) && pin.iter().all(u8::is_ascii_digit);
    assert_eq!(made.is_ok(), is_pin);
    if let Ok(made) = made {
        let way = [PinFormat::Iso0, PinFormat::Iso3, PinFormat::Iso4, PinFormat::Iso0];
        let back = way.windows(2).fold(made, |block, step| {
            translate(&block, step[0], step[1]).expect("the same PIN in another block")
        });
        assert!(back == made, "the PIN came back another one");
    }
}

/// What is sealed is verified; a message one bit away is not.
fn message_code(bit: usize, start: usize, message: &[u8]) {
    let (store, key) = (store(), name("mac"));
    let algorithm = MacAlgorithm::X9_19(Padding::Zeros);
    let field = MacField { number: 64, at: start..message.len() };
    let mut sealed = message.to_vec();
    let as_it_came = mac::verify(message, &field, &store, &key, algorithm);
    if mac::seal(&mut sealed, &field, &store, &key, algorithm).is_err() {
        assert_eq!(sealed, message, "what cannot be sealed is left as it was");
        assert!(as_it_came.is_err());
        return;
    }
    mac::verify(&sealed, &field, &store, &key, algorithm).expect("sealed just now");
    if start > 0 {
        sealed[bit / 8 % start] ^= 1 << (bit % 8);
        assert!(mac::verify(&sealed, &field, &store, &key, algorithm).is_err());
    }
}
