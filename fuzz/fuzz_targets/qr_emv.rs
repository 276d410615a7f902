//! EMVCo merchant-presented codes.
#![no_main]

use codecs::qr::emv::{EmvCode, MerchantPresented, PAYLOAD_LEN_MAX};
use codecs::qr::{Format, Reading, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let strictly = decode(Format::Emvco, Reading::Strict, bytes);
    match decode(Format::Emvco, Reading::Lenient, bytes) {
        Ok(code) => assert!(strictly.is_err() || strictly == Ok(code), "warnings alone differ"),
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error}");
            assert!(strictly.is_err(), "what is read strictly is read");
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(code) = EmvCode::parse(text) else { return };
    assert!(text.len() <= PAYLOAD_LEN_MAX);
    // The checksum alone is written in capitals, however it came.
    let (written, crc) = (code.to_payload(), text.len() - 4);
    assert_eq!(written[..crc], text[..crc], "what was read is written as it was");
    assert!(written[crc..].eq_ignore_ascii_case(&text[crc..]));
    if let Ok(again) = code.merchant().build() {
        assert_eq!(again.merchant(), &in_order(code.merchant()), "what is built says the same");
    }
});

/// The same, with its objects in the order of their tags, as they are built.
fn in_order(merchant: &MerchantPresented) -> MerchantPresented {
    let mut ordered = merchant.clone();
    ordered.accounts.sort_by_key(|object| object.tag);
    ordered.others.sort_by_key(|object| object.tag);
    ordered.additional.sort_by_key(|(tag, _)| *tag);
    ordered
}
