//! EPC069-12 codes: credit transfers in euro.
#![no_main]

use codecs::qr::epc::{EpcCode, LineEnd, PAYLOAD_LEN_MAX};
use codecs::qr::{Format, Reading, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let strictly = decode(Format::Epc, Reading::Strict, bytes);
    match decode(Format::Epc, Reading::Lenient, bytes) {
        Ok(code) if code.warnings().is_empty() => assert_eq!(strictly, Ok(code), "no rule broken"),
        Ok(_) => {}
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error}");
            assert!(strictly.is_err(), "what is read strictly is read");
        }
    }
    let Ok(code) = EpcCode::parse(bytes) else { return };
    assert!(bytes.len() <= PAYLOAD_LEN_MAX);
    let payload = code.transfer().build(LineEnd::Lf).expect("what was read can be written");
    let again = EpcCode::parse(&payload).expect("what was built can be read");
    assert_eq!(again.transfer(), code.transfer(), "what is built says the same");
});
