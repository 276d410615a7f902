//! Specifications as text, in every form that is known: TOML, JSON, XML.
#![no_main]

use codecs::iso8583::{Index, Spec, describe};
use libfuzzer_sys::fuzz_target;

/// A message of no format in particular: header, MTI, bitmaps, text and bytes.
const MESSAGE: &[u8] = b"0200\xF2\x20\x00\x00\x80\x00\x00\x01\x80\x00\x00\x00\x00\x00\x00\x00\
    164111111111111111000000000000500000123456\x00\x05ab\x9F\x26\x01\xFF0000000000";

fuzz_target!(|text: &str| {
    match Spec::from_any(text) {
        Ok(spec) => {
            assert!(spec.field_count() <= 192);
            for end in 0..=MESSAGE.len() {
                let mut index = Index::default();
                let _ = spec.index(&MESSAGE[..end], &mut index);
                let _ = describe(&spec, &index, &MESSAGE[..end]).to_string();
                let _ = spec.unpack(&MESSAGE[..end]).map(|tree| spec.masked(tree));
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused without a reason");
            assert!(mistakes.iter().all(|mistake| !mistake.problem.is_empty()));
            // A mistake or two for each key there is, so no more than a text can name.
            assert!(mistakes.len() <= 16 + text.len());
        }
    }
});
