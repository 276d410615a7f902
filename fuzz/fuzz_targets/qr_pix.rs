//! Pix BR Codes.
#![no_main]

use codecs::qr::pix::{PixCode, PixTarget};
use codecs::qr::{Format, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = decode(Format::Pix, bytes) {
        assert!(error.offset <= bytes.len(), "{error}");
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
