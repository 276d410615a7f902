//! EPC069-12 codes: credit transfers in euro.
#![no_main]

use codecs::qr::epc::{EpcCode, LineEnd, PAYLOAD_LEN_MAX};
use codecs::qr::{Format, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = decode(Format::Epc, bytes) {
        assert!(error.offset <= bytes.len(), "{error}");
    }
    let Ok(code) = EpcCode::parse(bytes) else { return };
    assert!(bytes.len() <= PAYLOAD_LEN_MAX);
    let payload = code.transfer().build(LineEnd::Lf).expect("what was read can be written");
    let again = EpcCode::parse(&payload).expect("what was built can be read");
    assert_eq!(again.transfer(), code.transfer(), "what is built says the same");
});
