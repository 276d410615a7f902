//! Reading a JSON body, with errors that say where without saying what.

use std::fmt;
use std::marker::PhantomData;

use router::reason::Reason;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment, Track};

use super::FieldError;

/// Reads a body, which is an object.
///
/// Errors: the field's path in `field`; line and column in `detail`. The parser's own message is
///         not passed on, because it repeats values, and a value may be a card number.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FieldError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let read = object(tracked).and_then(|body| deserializer.end().map(|()| body));
    read.map_err(|error| field_error(&track.path(), &error))
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

/// Reads a list of objects that may be left out, or be `null`, which is the same.
pub(super) fn optional_objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    struct Item<T>(T);

    impl<'de, T: DeserializeOwned> Deserialize<'de> for Item<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            object(deserializer).map(Item)
        }
    }

    let list = Option::<Vec<Item<T>>>::deserialize(deserializer)?;
    Ok(list.map(|list| list.into_iter().map(|Item(object)| object).collect()))
}

/// Reads a member of a change: left out it is not read, `null` takes away what is there.
pub(super) fn changed<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// The same of an object.
pub(super) fn changed_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    optional_object(deserializer).map(Some)
}

/// The same of a list of objects.
pub(super) fn changed_objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<Option<Vec<T>>>, D::Error> {
    optional_objects(deserializer).map(Some)
}

/// The same of a member that must not be `null`.
pub(super) fn given_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    object(deserializer).map(Some)
}

fn field_error(path: &Path, error: &serde_json::Error) -> FieldError {
    let message = error.to_string();
    let (field, problem) = match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => (String::new(), "not valid JSON"),
        Category::Data => (field_of(path, &message), problem(&message)),
    };
    let reason = match field.as_str() {
        "amount" | "amount.minor" => Reason::AmountInvalid,
        "payer.card.number" => Reason::CardInvalid,
        _ => Reason::FormatError,
    };
    let (line, column) = (error.line(), error.column());
    FieldError::new(&field, reason, format_args!("{problem}, line {line} column {column}"))
}

/// The field that an error is about: where it was found, or what is missing or twice there.
fn field_of(path: &Path, message: &str) -> String {
    let known = |segment: &Segment| match segment {
        Segment::Map { key } => Some(printable(key).to_owned()),
        Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    };
    let within = ["missing field `", "duplicate field `"];
    let within = within.into_iter().find_map(|before| named(message, before)).map(str::to_owned);
    path.iter().filter_map(known).chain(within).collect::<Vec<_>>().join(".")
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

/// Longest name of a field that is repeated in an error.
const NAME_LEN_MAX: usize = 40;

/// A field's name if it looks like one; the names of fields are the originator's, too.
fn printable(name: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    if name.len() <= NAME_LEN_MAX && name.bytes().all(plain) { name } else { "?" }
}
