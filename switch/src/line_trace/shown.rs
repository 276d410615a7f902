//! One event as a line of JSON that holds nothing secret.
//!
//! Of a message only those data elements are shown that are of no use to a thief: amounts, times,
//! numbers that name the message, and codes. Of everything else the length is shown. What is shown
//! is looked at again: no run of thirteen digits stands in it, wherever it was written.

use codecs::frame::HeaderKind;
use codecs::iso8583::cauce87::tag;
use codecs::iso8583::{Spec, Tree, Value, tags};
use serde_json::{Map, Value as Json, json};

use super::{Direction, Event, Happening, TracedFrame};

/// Data elements that are shown, beside the card number (masked) and those of answers.
const SHOWN: [&str; 33] = [
    "3", "4", "5", "6", "7", "9", "10", "11", "12", "13", "15", "16", "17", "18", "19", "22", "24",
    "25", "26", "32", "33", "37", "38", "39", "41", "42", "49", "50", "51", "66", "70", "90", "95",
];
/// Data elements that are shown of answers: what is wrong, in words.
const SHOWN_OF_ANSWERS: [&str; 2] = ["44", "48"];
/// The card number.
const CARD_NUMBER: &str = "2";
/// Original data elements: message type, trace number and time are shown, apart from each other.
const ORIGINAL: &str = "90";
/// Replacement amounts, of which the first is shown.
const REPLACEMENT: &str = "95";
/// Additional data, private.
const PRIVATE_DATA: &str = "48";
/// Tags of it that are shown of answers.
const SHOWN_TAGS: [u8; 3] = [tag::ORIGINAL_FOLIO, tag::REASON_NO, tag::TEXT];
/// Digits in a row that may be a card number.
///
/// Source: ISO/IEC 7812-1, 13 to 19 digits.
const CARD_DIGITS_MIN: usize = 13;
/// Bytes whose kind is told of what is no message.
const SHAPE_LEN: usize = 24;

/// An event as one line, without the end of line.
pub(super) fn line(event: &Event) -> String {
    let mut line = Map::new();
    line.insert("at".to_owned(), event.at.to_string().into());
    line.insert("line".to_owned(), event.line.number.into());
    if let Some(participant) = event.line.participant {
        line.insert("participant".to_owned(), participant.as_str().into());
    }
    if let Some(peer) = event.line.peer {
        line.insert("peer".to_owned(), peer.to_string().into());
    }
    match &event.what {
        Happening::Frame(frame) => put_frame(frame, &mut line),
        Happening::NotUnderstood { kind, field, offset, is_answered } => {
            line.insert("not_understood".to_owned(), (*kind).into());
            line.insert("field".to_owned(), field.as_str().into());
            line.insert("offset".to_owned(), (*offset).into());
            line.insert("answered".to_owned(), (*is_answered).into());
        }
    }
    Json::Object(line).to_string()
}

fn put_frame(frame: &TracedFrame, line: &mut Map<String, Json>) {
    let direction = match frame.direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    line.insert("direction".to_owned(), direction.into());
    line.insert("bytes".to_owned(), frame.message.len().into());
    if let Some(header) = &frame.header {
        let raw = header.raw();
        let shown = match header.kind() {
            HeaderKind::Tpdu => hex::encode_upper(raw),
            HeaderKind::None | HeaderKind::Fixed(_) | HeaderKind::Base1 => hidden(raw.len()),
        };
        line.insert("header".to_owned(), shown.into());
    }
    let spec = frame.format.as_ref().map_or(Spec::cauce87(), |format| format.dialect().spec());
    match spec.unpack(&frame.message) {
        Ok(tree) => put_fields(spec, tree, line),
        Err(error) => {
            let error = json!({"kind": error.kind.name(), "field": error.path().to_string(),
                "offset": error.offset});
            line.insert("error".to_owned(), error);
            line.insert("shape".to_owned(), shape(&frame.message).into());
        }
    }
}

fn put_fields(spec: &Spec, tree: Tree, line: &mut Map<String, Json>) {
    let masked = spec.masked(tree.clone()).fields;
    let card = masked.into_iter().find(|(number, _)| number == CARD_NUMBER);
    let is_answer = matches!(tree.mti.as_bytes(), [_, _, b'1' | b'3' | b'5', _]);
    let mut fields = Map::new();
    for (number, value) in tree.fields {
        let is_shown = SHOWN.contains(&number.as_str())
            || (is_answer && SHOWN_OF_ANSWERS.contains(&number.as_str()));
        let shown = match (number.as_str(), value) {
            (CARD_NUMBER, value) => match &card {
                Some((_, Value::Text(text))) => without_cards(text),
                _ => hidden(characters(&value)),
            },
            (ORIGINAL, Value::Text(text)) => original(&text),
            (REPLACEMENT, Value::Text(text)) => first_of(&text, 12),
            (PRIVATE_DATA, Value::Text(text)) if is_shown => private_data(&text),
            (_, Value::Text(text)) if is_shown => without_cards(&text),
            (_, value) => hidden(characters(&value)),
        };
        fields.insert(number, shown.into());
    }
    line.insert("mti".to_owned(), without_cards(&tree.mti).into());
    line.insert("fields".to_owned(), Json::Object(fields));
}

/// Message type, trace number and time of DE90; the institutions behind them are hidden.
fn original(text: &str) -> String {
    match (text.get(..4), text.get(4..10), text.get(10..20)) {
        (Some(mti), Some(stan), Some(at)) => {
            format!("{mti} {stan} {at} {}", hidden(text.len() - 20))
        }
        _ => hidden(text.len()),
    }
}

fn first_of(text: &str, len: usize) -> String {
    match text.split_at_checked(len) {
        Some((first, rest)) => format!("{} {}", without_cards(first), hidden(rest.len())),
        None => without_cards(text),
    }
}

/// The tags of DE48 that the switch itself writes into its answers.
fn private_data(text: &str) -> String {
    let tags = tags::read(text.as_bytes(), 48, 0).map_while(Result::ok).map(|tag| {
        let value = String::from_utf8_lossy(tag.value);
        match SHOWN_TAGS.contains(&tag.number) {
            true => format!("{:02}={}", tag.number, without_cards(&value)),
            false => format!("{:02}={}", tag.number, hidden(value.len())),
        }
    });
    let tags: Vec<String> = tags.collect();
    if tags.is_empty() { hidden(text.len()) } else { tags.join(" ") }
}

/// A text in which long runs of digits are hidden; blanks and signs between digits make no end.
fn without_cards(text: &str) -> String {
    let mut shown: Vec<char> = text.chars().collect();
    let mut run: Vec<usize> = Vec::new();
    for at in 0..=shown.len() {
        match shown.get(at) {
            Some(letter) if letter.is_ascii_digit() => run.push(at),
            Some(letter) if !letter.is_alphanumeric() && !run.is_empty() => {}
            _ => {
                if run.len() >= CARD_DIGITS_MIN {
                    run.iter().for_each(|at| shown[*at] = '*');
                }
                run.clear();
            }
        }
    }
    shown.into_iter().collect()
}

/// How long something is, in its place.
fn hidden(len: usize) -> String {
    format!("[{len} hidden]")
}

fn characters(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.chars().count(),
        Value::Parts(parts) => parts.iter().map(|(_, value)| characters(value)).sum(),
        Value::Many(many) => many.iter().map(characters).sum(),
    }
}

/// What the first bytes are: `9` a digit, `A` a letter, a blank, `.` anything else.
fn shape(bytes: &[u8]) -> String {
    let kind = |byte: &u8| match byte {
        b'0'..=b'9' => '9',
        b'A'..=b'Z' | b'a'..=b'z' => 'A',
        b' ' => ' ',
        _ => '.',
    };
    bytes.iter().take(SHAPE_LEN).map(kind).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use router::time::Timestamp;

    use super::super::TracedLine;
    use super::*;

    fn shown(message: &[u8]) -> Json {
        let frame = TracedFrame::copied(Direction::In, None, message, None);
        let what = Happening::Frame(frame);
        let event = Event { at: Timestamp(0), line: TracedLine::default(), what };
        serde_json::from_str(&line(&event)).expect("JSON")
    }

    #[test]
    fn a_message_shows_what_names_it_and_hides_what_is_secret() {
        let fields = [
            (2, "164000001234567899"),
            (3, "000000"),
            (4, "000000015000"),
            (7, "1123211722"),
            (11, "000042"),
            (14, "3012"),
            (35, "244000001234567899=3012101"),
            (42, "400000123456789"),
            (48, "0080104CVV9"),
        ];
        let bits = fields.iter().fold(0_u64, |bits, (number, _)| bits | 1 << (64 - number));
        let text: String = fields.iter().map(|(_, text)| *text).collect();
        let message = [b"0200" as &[u8], &bits.to_be_bytes(), text.as_bytes()].concat();
        let shown = shown(&message);
        let expect = json!({"2": "400000******7899", "3": "000000", "4": "000000015000",
            "7": "1123211722", "11": "000042", "14": "[4 hidden]", "35": "[24 hidden]",
            "42": "***************", "48": "[8 hidden]"});
        assert_eq!(shown["fields"], expect, "{shown}");
    }

    #[test]
    fn bytes_that_are_no_message_show_their_kind_and_nothing_of_themselves() {
        let shown = shown(&Bytes::from_static(b"4000001234567899 AB\xFF"));
        assert_eq!(shown["shape"], "9999999999999999 AA.");
        assert!(!shown.to_string().contains("400000"), "{shown}");
    }

    #[test]
    fn no_run_of_digits_that_may_be_a_card_number_is_shown() {
        let check = |text: &str, expect: &str| assert_eq!(without_cards(text), expect);
        check("TERM0001", "TERM0001");
        check("000000015000", "000000015000");
        check("4000001234567", "*************");
        check("a4000 0012-3456 7899b", "a**** ****-**** ****b");
        check("40000012345678901234", "********************");
    }
}
