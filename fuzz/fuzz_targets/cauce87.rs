//! The switch's own profile: a message is read, mapped and answered.
#![no_main]

use bytes::BytesMut;
use codecs::iso8583::cauce87::{self, AdditionalAmount, Wire, WireAnswer};
use codecs::iso8583::{Index, Spec};
use libfuzzer_sys::fuzz_target;
use router::id::ParticipantId;

/// The longest answer: what names the request is repeated, and some text added.
const ANSWER_LEN_MAX: usize = 1_500;

fuzz_target!(|bytes: &[u8]| match cauce87::read(bytes) {
    Ok(wire) => take(&wire, bytes),
    Err(error) => {
        assert!(error.offset <= bytes.len(), "{error}");
        is_answered(|out| cauce87::format_error_answer(bytes, &error, out));
    }
});

fn take(wire: &Wire, bytes: &[u8]) {
    let originator = ParticipantId::new("bank-a").expect("an id");
    let _ = cauce87::participant_answer(wire, bytes);
    match cauce87::to_message(wire, bytes, originator) {
        Ok(message) => hides_the_card(wire, bytes, &format!("{message:?}")),
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error}");
            is_answered(|out| cauce87::format_error_answer(bytes, &error, out));
        }
    }
    let answer = WireAnswer { de39: *b"00", text: Some("done – hecho"), ..WireAnswer::default() };
    is_answered(|out| cauce87::answer(&wire.index, bytes, &answer, out).is_ok());
    let amounts: &[AdditionalAmount] = &[];
    let answer = WireAnswer { reason_no: Some("6006"), additional_amounts: amounts, ..answer };
    is_answered(|out| cauce87::answer(&wire.index, bytes, &answer, out).is_ok());
}

/// An answer is a message of the profile; where there is none, nothing is written.
fn is_answered(write: impl FnOnce(&mut BytesMut) -> bool) {
    let mut out = BytesMut::from(&b"kept"[..]);
    let written = write(&mut out);
    assert!(out.starts_with(b"kept"), "what stood in front was changed");
    let answer = &out[4..];
    assert!(answer.len() <= ANSWER_LEN_MAX, "an answer of {} bytes", answer.len());
    assert_eq!(written, !answer.is_empty());
    if written {
        let mut index = Index::default();
        Spec::cauce87().index(answer, &mut index).expect("an answer can be read");
        assert_eq!(index.mti()[2] % 2, 1, "an answer's message type is odd in its third digit");
    }
}

/// The canonical message never shows its card.
fn hides_the_card(wire: &Wire, bytes: &[u8], shown: &str) {
    let Some(card) = wire.index.field(bytes, 2).filter(|card| card.len() >= 13) else { return };
    let card = String::from_utf8_lossy(card);
    let times = String::from_utf8_lossy(bytes).matches(&*card).count();
    assert!(times > 1 || !shown.contains(&*card), "a card is shown");
}
