//! JSON Pointers (RFC 6901), followed through the text of a document: numbers stay as they were
//! written, and an object that names a member twice has no such member.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Names one value of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pointer {
    tokens: Vec<String>,
}

/// A text that is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no JSON Pointer: it is empty or begins with `/`, and `~` stands before 0 or 1")]
pub(super) struct NoPointer;

/// A document whose JSON is whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a>(&'a RawValue);

/// What stands at a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// Nothing, or null.
    Nothing,
    /// A text, a number as it is written, or `true` and `false`.
    Scalar(Cow<'a, str>),
    /// A list or an object, or a member that is there twice.
    NoScalar,
}

impl FromStr for Pointer {
    type Err = NoPointer;

    fn from_str(text: &str) -> Result<Self, NoPointer> {
        if text.is_empty() {
            return Ok(Self { tokens: Vec::new() });
        }
        let tokens = text.strip_prefix('/').ok_or(NoPointer)?.split('/');
        let token = |token: &str| {
            let rest = token.replace("~0", "").replace("~1", "");
            (!rest.contains('~')).then(|| token.replace("~1", "/").replace("~0", "~"))
        };
        let tokens = tokens.map(token).collect::<Option<_>>().ok_or(NoPointer)?;
        Ok(Self { tokens })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.tokens {
            write!(f, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

impl<'a> Document<'a> {
    /// A document, if its bytes are JSON from the first to the last.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok().map(Self)
    }

    /// What stands at a pointer.
    pub(super) fn at(self, pointer: &Pointer) -> Found<'a> {
        let mut value = self.0;
        for token in &pointer.tokens {
            let mut reader = serde_json::Deserializer::from_str(value.get());
            value = match Step(token).deserialize(&mut reader) {
                Ok(Some(value)) => value,
                Ok(None) => return Found::Nothing,
                Err(_) => return Found::NoScalar,
            };
        }
        scalar(value.get())
    }
}

fn scalar(json: &str) -> Found<'_> {
    match json.as_bytes().first() {
        Some(b'n') => Found::Nothing,
        Some(b'{' | b'[') | None => Found::NoScalar,
        Some(b'"') => match serde_json::from_str::<String>(json) {
            Ok(text) => Found::Scalar(text.into()),
            Err(_) => Found::NoScalar,
        },
        Some(_) => Found::Scalar(json.into()),
    }
}

/// One token, followed into an object or a list. A scalar has nothing at it.
struct Step<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_meant) = members.next_key_seed(IsNamed(self.0))? {
            if !is_meant {
                members.next_value::<IgnoredAny>()?;
            } else if found.replace(members.next_value::<&RawValue>()?).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut left = index(self.0);
        let mut found = None;
        while let Some(element) = elements.next_element::<&RawValue>()? {
            if left == Some(0) {
                found = Some(element);
            }
            left = left.and_then(|left| left.checked_sub(1));
        }
        Ok(found)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// An index of a list, without zeros before it.
fn index(token: &str) -> Option<usize> {
    let is_index = token.bytes().all(|byte| byte.is_ascii_digit())
        && (token == "0" || !token.starts_with('0'));
    token.parse().ok().filter(|_| is_index)
}

/// Whether the name of a member is the one meant.
struct IsNamed<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for IsNamed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for IsNamed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(document: &str, pointer: &str) -> String {
        let document = Document::read(document.as_bytes()).unwrap();
        match document.at(&pointer.parse().unwrap()) {
            Found::Scalar(text) => text.into_owned(),
            Found::Nothing => "nothing".to_owned(),
            Found::NoScalar => "no scalar".to_owned(),
        }
    }

    #[test]
    fn pointers_lead_where_the_standard_says() {
        // RFC 6901 section 5.
        let document = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,
                           "k\"l":6," ":7,"m~n":8}"#;
        for (pointer, value) in [
            ("", "no scalar"),
            ("/foo", "no scalar"),
            ("/foo/0", "bar"),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
            ("/foo/2", "nothing"),
            ("/foo/00", "nothing"),
            ("/foo/-", "nothing"),
            ("/a~1b/x", "nothing"),
        ] {
            assert_eq!(at(document, pointer), value, "{pointer}");
            assert_eq!(pointer.parse::<Pointer>().unwrap().to_string(), pointer);
        }
        for wrong in ["foo", "/~", "/~2", "#/foo"] {
            assert_eq!(wrong.parse::<Pointer>(), Err(NoPointer), "{wrong}");
        }
    }

    #[test]
    fn numbers_stay_as_they_are_written_and_doubles_are_no_value() {
        assert_eq!(at(r#"{"a":92233720368547758.07}"#, "/a"), "92233720368547758.07");
        assert_eq!(at(r#"{"a":1e2,"b":null,"c":true}"#, "/a"), "1e2");
        assert_eq!(at(r#"{"a":1,"b":null}"#, "/b"), "nothing");
        assert_eq!(at(r#"{"a":"yes","a":"no"}"#, "/a"), "no scalar");
        assert_eq!(at(r#"{"s":{"\u0061":"x"}}"#, "/s/a"), "x");
    }

    #[test]
    fn what_is_not_whole_json_is_no_document() {
        for bad in ["", "{", "{}x", "{\"a\":}", "<html>", "{\"a\":1,}", "\u{feff}{}"] {
            assert!(Document::read(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Document::read(b"\"\xff\"").is_none());
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        if let Some(deep) = Document::read(deep.as_bytes()) {
            assert_eq!(deep.at(&"/0/0".parse().unwrap()), Found::NoScalar);
        }
    }
}
