//! No message, however broken, brings the reader down.

use codecs::iso20022::{XmlErrorKind, leaves, read};
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

/// A sound payment that is broken in one place.
struct Break {
    /// What stands in the message.
    sound: &'static str,
    broken: &'static str,
    kind: XmlErrorKind,
    path: &'static str,
    /// What stands where the error is.
    at: &'static str,
}

const AMOUNT: &str = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf/IntrBkSttlmAmt";
const MESSAGE: &str = "/Document/FIToFICstmrCdtTrf/GrpHdr/MsgId";

const BREAKS: [Break; 9] = {
    use XmlErrorKind::{DuplicateAttribute, Malformed, ReservedPrefix, UnboundPrefix};
    const fn amount(broken: &'static str, kind: XmlErrorKind) -> Break {
        Break { sound: r#"<IntrBkSttlmAmt Ccy="USD">"#, broken, kind, path: AMOUNT, at: broken }
    }
    const fn declaration(broken: &'static str) -> Break {
        let sound = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
        Break { sound, broken, kind: Malformed, path: "/", at: broken }
    }
    [
        amount(r#"<IntrBkSttlmAmt x=""Ccy="USD">"#, Malformed),
        amount(r#"<IntrBkSttlmAmt Ccy="USD" xmlns:p="">"#, UnboundPrefix),
        amount(
            r#"<IntrBkSttlmAmt Ccy="USD" xmlns:p="u" xmlns:q="u" p:x="1" q:x="2">"#,
            DuplicateAttribute,
        ),
        amount(r#"<IntrBkSttlmAmt Ccy="USD" xmlns:xml="urn:x">"#, ReservedPrefix),
        amount(r#"<IntrBkSttlmAmt Ccy="USD" xmlns:xmlns="urn:x">"#, ReservedPrefix),
        declaration(r#"<?xml version="1.0" encod="UTF-8"?>"#),
        declaration(r#"<?xml version="1.0" encodin>g="UTF-8"?>"#),
        declaration(r#"<?xml encoding="UTF-8" version="1.0"?>"#),
        Break {
            sound: "<MsgId>FED",
            broken: "<MsgId>FED]]>",
            kind: Malformed,
            path: MESSAGE,
            at: "]]>",
        },
    ]
};

#[test]
fn what_a_conforming_parser_refuses_is_refused_with_its_place() {
    let payment = vectors::all().into_iter().find(|vector| vector.id == "mx-fednow-pacs008");
    let payment = String::from_utf8(payment.expect("a payment").bytes).expect("UTF-8");
    assert!(read(payment.as_bytes()).is_ok());
    for Break { sound, broken, kind, path, at } in BREAKS {
        assert_eq!(payment.matches(sound).count(), 1, "{sound}");
        let message = payment.replace(sound, broken);
        let error = read(message.as_bytes()).expect_err(broken);
        let expected = (kind, path, message.find(at).expect("the place"));
        assert_eq!((error.kind, &*error.path, error.offset), expected, "{broken}");
        assert_eq!(leaves(message.as_bytes(), None).expect_err(broken), error);
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
            " xmlns:q='urn:x' p:x='1' q:x='2'",
            "<?xml version='1.0'",
            " encoding='UTF-8'",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,8}",
        "\\PC{0,4}",
    ]
}

proptest! {
    #[test]
    fn random_bytes_bring_nothing_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = leaves(&bytes, None);
    }

    #[test]
    fn random_markup_brings_nothing_down(pieces in prop::collection::vec(piece(), 0..40)) {
        let _ = leaves(pieces.concat().as_bytes(), None);
    }
}
