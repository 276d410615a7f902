//! One event as a line of JSON that holds nothing secret.
//!
//! Of a message only those data elements are shown that are of no use to a thief: amounts, times,
//! numbers that name the message, and codes. Of everything else the length is shown. What is shown
//! is looked at again: no run of thirteen digits stands in it, wherever it was written.

use std::collections::BTreeMap;

use codecs::frame::HeaderKind;
use codecs::iso8583::cauce87::tag;
use codecs::iso8583::{Spec, Tree, Value, tags};
use serde_json::{Map, Value as Json, json};

use super::{Direction, LineEvent, LineEventKind, TracedFrame};

/// Data elements that are shown, beside the card number (masked) and those of answers.
const SHOWN: [&str; 33] = [
    "3", "4", "5", "6", "7", "9", "10", "11", "12", "13", "15", "16", "17", "18", "19", "22", "24",
    "25", "26", "32", "33", "37", "38", "39", "41", "42", "49", "50", "51", "66", "70", "90", "95",
];
/// Data elements that are shown of answers: what is wrong, in words.
const SHOWN_OF_ANSWERS: [&str; 2] = ["44", "48"];
/// The card number.
const CARD_NUMBER: &str = "2";
/// Original data elements, of which message type and trace number are shown.
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
/// Whose form the messages of a line have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineFormat {
    /// The switch's own.
    Home,
    /// One that is the line's.
    Own,
}

/// Bytes whose kind is told of what is no message.
const SHAPE_LEN: usize = 24;

/// An event as one line, without the end of line.
pub(super) fn line(event: &LineEvent) -> String {
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
        LineEventKind::Frame(frame) => put_frame(frame, &mut line),
        LineEventKind::NotUnderstood { kind, field, offset, is_answered } => {
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
    let (spec, line_format) = match &frame.format {
        None => (Spec::cauce87(), LineFormat::Home),
        Some(format) => (format.dialect().spec(), LineFormat::Own),
    };
    match spec.unpack(&frame.message) {
        Ok(tree) => put_fields((spec, line_format), tree, line),
        Err(error) => {
            let error = json!({"kind": error.kind.name(), "field": error.path().to_string(),
                "offset": error.offset});
            line.insert("error".to_owned(), error);
            line.insert("shape".to_owned(), shape(&frame.message).into());
        }
    }
}

fn put_fields((spec, line_format): (&Spec, LineFormat), tree: Tree, line: &mut Map<String, Json>) {
    let is_home = line_format == LineFormat::Home;
    let masked: BTreeMap<String, Value> = spec.masked(tree.clone()).fields.into_iter().collect();
    let is_answer = matches!(tree.mti.as_bytes(), [_, _, b'1' | b'3' | b'5', _]);
    let mut fields = Map::new();
    for (number, value) in tree.fields {
        let masked = masked.get(&number);
        let is_listed = SHOWN.contains(&number.as_str())
            || (is_answer && SHOWN_OF_ANSWERS.contains(&number.as_str()));
        let is_shown = is_listed && masked == Some(&value);
        let shown = match (number.as_str(), value) {
            (CARD_NUMBER, value) => match masked {
                Some(Value::Text(text)) => without_cards(text),
                Some(Value::Parts(_) | Value::Many(_)) | None => hidden(characters(&value)),
            },
            // Its tags hold secrets that the mask knows, and beside them what the switch answers.
            (PRIVATE_DATA, Value::Text(text)) if is_listed && is_home => private_data(&text),
            (PRIVATE_DATA, value) => hidden(characters(&value)),
            (ORIGINAL, Value::Text(text)) if is_shown => original(&text),
            (REPLACEMENT, Value::Text(text)) if is_shown => first_of(&text, 12),
            (_, Value::Text(text)) if is_shown => without_cards(&text),
            (_, value) => hidden(characters(&value)),
        };
        fields.insert(number, shown.into());
    }
    line.insert("mti".to_owned(), without_cards(&tree.mti).into());
    line.insert("fields".to_owned(), Json::Object(fields));
}

/// Message type and trace number of DE90; the rest is hidden: the time that follows them is long
/// enough to hide the rest of a card number.
///
/// Ten digits are shown of what a peer wrote in their place, and none unless
/// they begin with a message type, which no card number does.
fn original(text: &str) -> String {
    let (mti, stan) = (text.get(..4).unwrap_or_default(), text.get(4..10).unwrap_or_default());
    let is_type = matches!(mti.as_bytes(), [b'0', b'1'..=b'8', b'0'..=b'5', b'0'..=b'5']);
    let is_number = stan.len() == 6 && stan.bytes().all(|digit| digit.is_ascii_digit());
    match is_type && is_number {
        true => without_cards(&format!("mti={mti} stan={stan} {}", hidden(text.len() - 10))),
        false => hidden(text.len()),
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
    use std::sync::Arc;

    use bytes::Bytes;
    use codecs::iso8583::{Dialect, Edition};
    use router::time::Timestamp;

    use super::super::TracedLine;
    use super::*;
    use crate::line_rules::message_format::MessageFormat;

    fn shown(message: &[u8]) -> Json {
        shown_of(message, None)
    }

    fn shown_of(message: &[u8], format: Option<&Arc<MessageFormat>>) -> Json {
        let frame = TracedFrame::copied(Direction::In, None, message, format);
        let what = LineEventKind::Frame(frame);
        let event = LineEvent { at: Timestamp(0), line: TracedLine::default(), what };
        serde_json::from_str(&line(&event)).expect("JSON")
    }

    /// A message with these fields, bits up to 128, laid out by hand.
    fn message(mti: &str, fields: &[(u32, &str)]) -> Vec<u8> {
        let bits =
            fields.iter().fold(1_u128 << 127, |bits, (number, _)| bits | 1 << (128 - number));
        let text: String = fields.iter().map(|(_, text)| *text).collect();
        [mti.as_bytes(), &bits.to_be_bytes(), text.as_bytes()].concat()
    }

    /// An answer with a bitmap in hexadecimal, laid out by hand.
    fn ascii_message(fields: &[(u32, &str)]) -> Vec<u8> {
        let bits = fields.iter().fold(0_u64, |bits, (number, _)| bits | 1 << (64 - number));
        let text: String = fields.iter().map(|(_, text)| *text).collect();
        format!("0210{bits:016X}{text}").into_bytes()
    }

    #[test]
    fn original_data_that_are_a_card_number_are_hidden_whoever_wrote_them() {
        let zeros = "0".repeat(22);
        let check = |original: &str, expect: &str| {
            let original = format!("{original}{zeros}");
            for mti in ["0420", "0430", "0800", "0810"] {
                let shown = shown(&message(mti, &[(11, "000042"), (90, &original)]));
                assert_eq!(shown["fields"]["90"], expect, "{mti}: {shown}");
            }
        };
        check("02000000421123211722", "mti=0200 stan=000042 [32 hidden]");
        check("40000012345678990000", "[42 hidden]");
        check("12200012345678990000", "[42 hidden]");
        check("00004000001234567899", "[42 hidden]");
        check("02004000001234567899", "mti=0200 stan=400000 [32 hidden]");
    }

    #[test]
    fn a_field_that_the_line_s_format_calls_secret_is_hidden_though_others_show_it() {
        let text = Spec::builtin_text("iso87-ascii").expect("a format");
        let lines = text.lines().map(|line| match line.starts_with("38 = ") {
            true => line.replace(" }", ", secret = true }"),
            false => line.to_owned(),
        });
        let spec = Spec::from_toml(&lines.collect::<Vec<_>>().join("\n")).expect("a format");
        let dialect = Dialect::new(Arc::new(spec), Edition::Of1987, Vec::new());
        let format = Arc::new(MessageFormat::new(dialect, None));
        let fields = [(11, "000042"), (38, "ABC123"), (39, "00"), (48, "0080604TEXT")];
        let message = ascii_message(&fields);
        let shown = shown_of(&message, Some(&format));
        let expect = json!({"11": "000042", "38": "[6 hidden]", "39": "00", "48": "[8 hidden]"});
        assert_eq!(shown["fields"], expect, "{shown}");
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
