//! Reading a JSON body, with errors that say where without saying what.

use std::fmt;
use std::marker::PhantomData;

use router::reason::Reason;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;

use super::FieldError;

/// Reads a body, which is an object.
///
/// Errors: the field's path in `field`; line and column in `detail`. The parser's own message is
///         not passed on, because it repeats values, and a value may be a card number.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FieldError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = object(&mut deserializer).and_then(|body| deserializer.end().map(|()| body));
    read.map_err(|error| field_error(bytes, &error))
}

/// Reads an object, and nothing else: a list of the members' values would pass for one.
pub(super) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: DeserializeOwned> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// Reads the object of a member that may be left out, or be `null`, which is the same.
pub(super) fn optional_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct Inner<T>(T);

    impl<'de, T: DeserializeOwned> Deserialize<'de> for Inner<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            object(deserializer).map(Inner)
        }
    }

    Option::<Inner<T>>::deserialize(deserializer).map(|inner| inner.map(|Inner(object)| object))
}

/// The same of a member that must not be `null`.
pub(super) fn given_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    object(deserializer).map(Some)
}

fn field_error(bytes: &[u8], error: &serde_json::Error) -> FieldError {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let (field, problem) = match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => (String::new(), "not valid JSON"),
        Category::Data => {
            let mut path = path_at(bytes, offset(bytes, line, column));
            let problem = problem(&message);
            if let Some(missing) = named(&message, "missing field `") {
                path.pop();
                path.push(missing.to_owned());
            }
            (path.join("."), problem)
        }
    };
    let reason = match field.as_str() {
        "amount" | "amount.minor" => Reason::AmountInvalid,
        "payer.card.number" => Reason::CardInvalid,
        _ => Reason::FormatError,
    };
    FieldError::new(&field, reason, format_args!("{problem}, line {line} column {column}"))
}

fn problem(message: &str) -> &'static str {
    let known = [
        ("unknown field", "field is not known"),
        ("missing field", "field is missing"),
        ("duplicate field", "field is given twice"),
        ("invalid type", "value is of the wrong type"),
        ("invalid value", "value is out of range"),
        ("invalid length", "list has the wrong length"),
    ];
    let found = known.into_iter().find(|(start, _)| message.starts_with(start));
    found.map_or("value is not acceptable", |(_, problem)| problem)
}

fn named<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split('`').next()
}

/// The byte offset of a line and column counted from 1; column 0 is the line's start.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let before = bytes.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    let start: usize = before.map(<[u8]>::len).sum();
    (start + column).min(bytes.len())
}

/// Longest name of a field that is repeated in an error.
const NAME_LEN_MAX: usize = 40;

/// The names of the fields that enclose an offset of JSON that is valid up to there.
fn path_at(bytes: &[u8], end: usize) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut at = 0;
    let mut expects_name = false;
    while at < end {
        match bytes[at] {
            b'{' => {
                names.push(String::new());
                expects_name = true;
            }
            // The last byte before the error is where the parser stood, not what it has left.
            b'}' if at + 1 < end => {
                names.pop();
            }
            b',' => expects_name = true,
            b':' => expects_name = false,
            b'"' => {
                let close = string_end(bytes, at);
                if let (true, Some(name)) = (expects_name, names.last_mut()) {
                    *name = printable(&bytes[at + 1..close.min(bytes.len())]);
                }
                at = close;
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// The offset of the closing quote.
fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// A field's name if it looks like one; the names of fields are the originator's, too.
fn printable(name: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    match std::str::from_utf8(name) {
        Ok(text) if text.len() <= NAME_LEN_MAX && name.iter().all(plain) => text.to_owned(),
        _ => "?".to_owned(),
    }
}
