//! The same for what is no ISO 8583: frames, files without a vector, bodies, key material. QR codes,
//! bill bases and workbooks are broken beside their own tests.

use bytes::BytesMut;
use codecs::api::parse_payment;
use codecs::file::clearing::ClearingEntry;
use codecs::file::layout::Layout;
use codecs::file::read::{Policy, read_all};
use codecs::frame::{FrameError, FrameSpec, Framer, Received};
use codecs::security::exchange::{KeyForm, KeyLayout, KeyMaterial, KeyMaterialError};
use codecs::security::{KeyAlgorithm, KeyWrap};
use tokio_util::codec::Decoder;

const BODY: &[u8] = b"0800 and a message of some length";

/// Two messages as a framing writes them, and the length of the first.
fn two_frames(framer: &Framer) -> (Vec<u8>, usize) {
    let mut stream = BytesMut::new();
    framer.encode(framer.own_header(), BODY, &mut stream).expect("fits");
    let first = stream.len();
    framer.encode(framer.own_header(), BODY, &mut stream).expect("fits");
    (stream.to_vec(), first)
}

/// The messages that a stream brings.
fn received(mut framer: Framer, stream: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
    let (mut stream, mut all) = (BytesMut::from(stream), Vec::new());
    while let Some(one) = framer.decode(&mut stream)? {
        if let Received::Message(frame) = one {
            all.push(frame.body.to_vec());
        }
    }
    Ok(all)
}

/// Each flip of one bit.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

#[test]
fn a_frame_cut_at_any_byte_is_awaited() {
    for (name, spec) in FrameSpec::PRESETS {
        let framer = Framer::new(spec).expect("a framing");
        let (stream, first) = two_frames(&framer);
        for end in 0..stream.len() {
            let all = received(framer.clone(), &stream[..end]).expect("nothing is wrong yet");
            assert_eq!(all, vec![BODY; usize::from(end >= first)], "{name} cut at {end}");
        }
    }
}

#[test]
fn a_frame_with_any_bit_flipped_brings_no_more_than_was_sent() {
    for (name, spec) in FrameSpec::PRESETS {
        let framer = Framer::new(spec).expect("a framing");
        let (stream, first) = two_frames(&framer);
        for (bit, flipped) in flipped(&stream).enumerate() {
            match received(framer.clone(), &flipped) {
                Ok(all) => {
                    let len: usize = all.iter().map(Vec::len).sum();
                    assert!(len <= stream.len(), "{name} bit {bit}");
                }
                Err(error) => assert!(error.offset() < stream.len(), "{name} bit {bit}: {error}"),
            }
            if bit / 8 >= first {
                let whole = received(framer.clone(), &flipped[..first]);
                assert_eq!(whole.expect("untouched"), [BODY], "{name} bit {bit}");
            }
        }
    }
}

const CLEARING_CSV: &str = include_str!("../../../../config/files/clearing-csv.toml");
const CLEARING_FIXED: &str = include_str!("../../../../config/files/clearing-fixed.toml");

/// A header and two rows, written by hand after the layout.
fn fixed_rows() -> Vec<u8> {
    let row = |text: String| format!("{text:<120}\r\n");
    let detail = |folio: &str, amount: &str| {
        row(format!("D{folio:<26}{:<20}{amount}000000000000{amount}20261126120000", "R-1"))
    };
    let (first, second) = (detail("F-1", "000000010050"), detail("F-2", "000000000001"));
    let header = row("H00000002000000000010051".to_owned());
    [header, first, second].concat().into_bytes()
}

#[test]
fn a_clearing_file_cut_or_flipped_is_read_or_refused() {
    let layout = Layout::from_toml(CLEARING_FIXED).expect("a layout");
    let rows = fixed_rows();
    let read = |bytes: &[u8]| read_all::<ClearingEntry>(&layout, bytes, Policy::AllOrNothing);
    assert_eq!(read(&rows).expect("sound").records.len(), 2);
    for end in 0..rows.len() - 2 {
        assert!(read(&rows[..end]).is_err(), "the header counts two rows; cut at {end}");
    }
    let csv = Layout::from_toml(CLEARING_CSV).expect("a layout");
    for flipped in flipped(&rows) {
        let _ = read(&flipped);
        let _ = read_all::<ClearingEntry>(&csv, &flipped, Policy::KeepGood);
    }
}

const PAYMENT: &str = r#"{"rail":"card","amount":{"currency":"MXN","minor":50000},
    "payer":{"card":{"number":"4111111111111111","expiry":"3012"}},"client":"C-1"}"#;

#[test]
fn a_body_cut_or_flipped_is_refused_without_its_card() {
    parse_payment(PAYMENT.as_bytes()).expect("a payment");
    for end in 0..PAYMENT.len() {
        let error = parse_payment(&PAYMENT.as_bytes()[..end]).expect_err("cut");
        assert!(!format!("{error:?}").contains("411111"), "cut at {end}");
    }
    for flipped in flipped(PAYMENT.as_bytes()) {
        if let Err(error) = parse_payment(&flipped) {
            assert!(!format!("{error:?}").contains("1111111"), "{error:?}");
        }
    }
}

#[test]
fn key_material_cut_or_with_a_letter_that_is_no_digit_is_refused() {
    let layout = KeyLayout {
        algorithm: KeyAlgorithm::Tdes2,
        wrap: KeyWrap::TdesEcb,
        form: KeyForm::Hex,
        check_len: 3,
    };
    let content = b"DD85CC3C11DC8C456EA5FA37FF743D19C58EBF";
    KeyMaterial::parse(&layout, content).expect("key material");
    for end in 0..content.len() {
        let error = KeyMaterial::parse(&layout, &content[..end]).expect_err("cut");
        assert_eq!(error, KeyMaterialError::BadLength { need: content.len(), have: end });
    }
    for (bit, flipped) in flipped(content).enumerate() {
        let is_hex = flipped[bit / 8].is_ascii_hexdigit();
        match KeyMaterial::parse(&layout, &flipped) {
            Ok(_) => assert!(is_hex, "bit {bit}"),
            Err(error) => assert_eq!(error, KeyMaterialError::NotHex { offset: bit / 8 }),
        }
    }
}
