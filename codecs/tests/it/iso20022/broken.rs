//! No message, however broken, brings the reader down.

use codecs::iso20022::{leaves, read};
use proptest::prelude::*;

use super::vectors;

/// The messages short enough to be broken in thousands of ways in a few seconds.
fn short() -> impl Iterator<Item = vectors::Vector> {
    vectors::all().into_iter().filter(|vector| vector.is_sound() && vector.bytes.len() < 6000)
}

#[test]
fn a_message_cut_at_any_byte_is_an_error_and_no_panic() {
    for vector in short() {
        let end = vector.bytes.iter().rposition(|byte| *byte == b'>').expect("a tag");
        for cut in 0..end {
            assert!(read(&vector.bytes[..cut]).is_err(), "{} cut at {cut}", vector.id);
        }
    }
}

#[test]
fn a_message_with_a_bit_of_any_byte_flipped_brings_nothing_down() {
    for vector in short() {
        let mut bytes = vector.bytes;
        // All bits of short messages, one of each byte of longer ones.
        let bits = if bytes.len() < 1000 { 0..8 } else { 0..1 };
        for (at, bit) in (0..bytes.len()).flat_map(|at| bits.clone().map(move |bit| (at, bit))) {
            let flip = 1 << ((at + bit) % 8);
            bytes[at] ^= flip;
            if let Err(error) = read(&bytes) {
                assert!(error.offset <= bytes.len(), "{} byte {at}: {error}", vector.id);
            }
            bytes[at] ^= flip;
        }
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08'>",
            "</Document>",
            "<CdtTrfTxInf>",
            "</CdtTrfTxInf>",
            "<Ntry>",
            "</Ntry>",
            "<TxDtls>",
            "</TxDtls>",
            "<Amt Ccy='USD'>",
            "</Amt>",
            "<MsgId>",
            "</MsgId>",
            "&amp;",
            "&#0;",
            "&",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<?",
            "?>",
            "<!DOCTYPE",
            ">",
            "<",
            "/>",
            "'",
            "\"",
            "=",
            " ",
            ":",
            "<Dbtr><Nm>",
            "</Nm></Dbtr>",
            "\u{FEFF}",
            "\r\n",
            "xmlns:p='urn:x'",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,8}",
        "\\PC{0,4}",
    ]
}

proptest! {
    #[test]
    fn random_bytes_bring_nothing_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = leaves(&bytes);
    }

    #[test]
    fn random_markup_brings_nothing_down(pieces in prop::collection::vec(piece(), 0..40)) {
        let _ = leaves(pieces.concat().as_bytes());
    }
}
