//! No message, however broken, brings the codecs down.

mod others;

use bytes::BytesMut;
use codecs::iso8583::{Index, Spec, cauce87, describe};
use proptest::prelude::*;
use router::id::ParticipantId;

use crate::vectors;

/// Everything that is done with a message that came in, whatever it is.
fn take(bytes: &[u8]) {
    let spec = Spec::cauce87();
    let originator = ParticipantId::new("bank-a").expect("an id");
    let mut out = BytesMut::new();
    match cauce87::read(bytes) {
        Ok(wire) => {
            let _ = describe(spec, &wire.index, bytes).to_string();
            let _ = cauce87::participant_answer(&wire, bytes);
            let answer = cauce87::WireAnswer { de39: *b"00", ..cauce87::WireAnswer::default() };
            let _ = cauce87::answer(&wire.index, bytes, &answer, &mut out);
            if let Err(error) = cauce87::to_message(&wire, bytes, originator) {
                cauce87::format_error_answer(bytes, &error, &mut out);
            }
        }
        Err(error) => {
            cauce87::format_error_answer(bytes, &error, &mut out);
        }
    }
}

/// A payment with a card, laid out by a script after ISO 8583:1987: bits 2 3 4 7 11 12 13 14 22 25
/// 32 35 37 41 42 48 49 52 55 90.
const CARD: &str = include_str!("../../testdata/cauce87/card-payment.hex");

fn card() -> Vec<u8> {
    hex::decode(CARD.trim()).expect("hexadecimal")
}

/// Everything that is done with a message of any format.
fn take_apart(spec: &Spec, bytes: &[u8]) -> bool {
    let mut index = Index::default();
    let indexed = spec.index(bytes, &mut index);
    let _ = describe(spec, &index, bytes).to_string();
    let Ok(tree) = spec.unpack(bytes) else { return false };
    assert!(indexed.is_ok(), "what is taken apart is indexed");
    let _ = spec.masked(tree.clone());
    // What was read can be written, and is read as the same again.
    let mut again = BytesMut::new();
    spec.assemble(&tree, &mut again).expect("what was read can be written");
    assert_eq!(spec.unpack(&again).as_ref(), Ok(&tree));
    true
}

#[test]
fn a_message_cut_at_any_byte_is_an_error_and_no_panic() {
    for vector in vectors::all().iter().filter(|vector| vector.is_sound()) {
        let (spec, bytes) = (vector.spec(), vector.bytes());
        assert!(take_apart(&spec, &bytes), "{}", vector.id);
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            assert!(!take_apart(&spec, cut), "{} cut at {end}", vector.id);
            take(cut);
        }
    }
    let card = card();
    for end in 0..card.len() {
        assert!(cauce87::read(&card[..end]).is_err(), "cut at {end}");
        take(&card[..end]);
    }
}

#[test]
fn a_message_with_any_bit_flipped_brings_nothing_down() {
    for vector in vectors::all() {
        let (spec, bytes) = (vector.spec(), vector.bytes());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            take_apart(&spec, &flipped);
        }
    }
    let card = card();
    for bit in 0..card.len() * 8 {
        let mut flipped = card.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        take(&flipped);
        take_apart(Spec::cauce87(), &flipped);
    }
}

proptest! {
    #[test]
    fn random_bytes_bring_nothing_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        take(&bytes);
    }

    #[test]
    fn random_content_behind_a_good_head_brings_nothing_down(
        mti in "0[248][0-3][01]",
        bitmap in any::<[u8; 16]>(),
        rest in "[ -~]{0,400}",
    ) {
        take(&[mti.as_bytes(), &bitmap, rest.as_bytes()].concat());
    }
}
