//! Pix BR Codes.
#![no_main]

use codecs::qr::pix::{PixCode, PixTarget};
use codecs::qr::{Format, Reading, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let strictly = decode(Format::Pix, Reading::Strict, bytes);
    match decode(Format::Pix, Reading::Lenient, bytes) {
        Ok(code) => assert!(strictly.is_err() || strictly == Ok(code), "warnings alone differ"),
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error}");
            assert!(strictly.is_err(), "what is read strictly is read");
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(code) = PixCode::parse(text) else { return };
    assert_eq!(code.is_dynamic(), !matches!(code.target, PixTarget::Key { .. }));
    // A reader takes more than a builder writes, such as keys of no known kind.
    if let Ok(built) = code.build() {
        let again = PixCode::parse(&built.to_payload()).expect("what was built can be read");
        assert_eq!(again, code, "what is built says the same");
    }
});
