//! JSON in one form: names in order, no white space, so that equal objects have equal bytes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deepest nesting that is taken.
const DEPTH_MAX: usize = 32;

/// Why a value has no canonical form. Never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CanonicalError {
    /// Objects and lists inside each other, too many.
    #[error("must not be nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// One object gives a name twice: which of the two values counts?
    #[error("a name is given twice in one object")]
    NameTwice,
    /// It is no JSON.
    #[error("not valid JSON")]
    NotJson,
}

/// The canonical form of a JSON value.
///
/// Shape:  names of an object in the order of their bytes, texts without needless escapes, numbers
///         as they were written (`1.0` and `1` differ), no white space.
/// Errors: [`CanonicalError`].
pub(super) fn canonical(value: &RawValue) -> Result<Box<str>, CanonicalError> {
    let mut out = String::with_capacity(value.get().len());
    put(value.get(), DEPTH_MAX, &mut out)?;
    Ok(out.into_boxed_str())
}

fn put(text: &str, depth: usize, out: &mut String) -> Result<(), CanonicalError> {
    match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') if depth == 0 => Err(CanonicalError::TooDeep),
        Some(b'{') => put_object(text, depth - 1, out),
        Some(b'[') => put_list(text, depth - 1, out),
        Some(b'"') => put_text(&read::<String>(text)?, out),
        Some(_) => {
            out.push_str(text.trim());
            Ok(())
        }
        None => Err(CanonicalError::NotJson),
    }
}

fn put_object(text: &str, depth: usize, out: &mut String) -> Result<(), CanonicalError> {
    let Members(members) = read(text)?;
    let members = members.ok_or(CanonicalError::NameTwice)?;
    out.push('{');
    for (position, (name, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        put_text(name, out)?;
        out.push(':');
        put(value.get(), depth, out)?;
    }
    out.push('}');
    Ok(())
}

fn put_list(text: &str, depth: usize, out: &mut String) -> Result<(), CanonicalError> {
    let values: Vec<&RawValue> = read(text)?;
    out.push('[');
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        put(value.get(), depth, out)?;
    }
    out.push(']');
    Ok(())
}

fn put_text(text: &str, out: &mut String) -> Result<(), CanonicalError> {
    out.push_str(&serde_json::to_string(text).map_err(|_| CanonicalError::NotJson)?);
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, CanonicalError> {
    serde_json::from_str(text).map_err(|_| CanonicalError::NotJson)
}

/// The members of one object; none when a name is given twice.
struct Members<'a>(Option<BTreeMap<String, &'a RawValue>>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut members, mut is_twice) = (BTreeMap::new(), false);
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value::<&'de RawValue>().map_err(A::Error::custom)?;
                    match members.entry(name) {
                        Entry::Vacant(vacant) => {
                            vacant.insert(value);
                        }
                        Entry::Occupied(_) => is_twice = true,
                    }
                }
                Ok(Members((!is_twice).then_some(members)))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, CanonicalError>) {
        let value: &RawValue = serde_json::from_str(text).unwrap();
        assert_eq!(canonical(value).as_deref(), expect.as_ref().map(|text| *text), "{text}");
    }

    #[test]
    fn order_and_white_space_do_not_count_and_everything_else_does() {
        check(
            r#"{ "b" : [1 , 2.0],"a":{"d":null, "c":"x"} }"#,
            Ok(r#"{"a":{"c":"x","d":null},"b":[1,2.0]}"#),
        );
        check(r#"{"a":"\u0041\/\n"}"#, Ok(r#"{"a":"A/\n"}"#));
        check("{}", Ok("{}"));
        check(
            r#"{"n":123456789012345678901234567890}"#,
            Ok(r#"{"n":123456789012345678901234567890}"#),
        );
        check(r#"{"a":1e2}"#, Ok(r#"{"a":1e2}"#));
    }

    #[test]
    fn a_name_given_twice_and_a_depth_bomb_are_refused() {
        check(r#"{"a":1,"\u0061":2}"#, Err(CanonicalError::NameTwice));
        check(r#"{"o":{"a":1,"a":1}}"#, Err(CanonicalError::NameTwice));
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check(&nested(DEPTH_MAX), Ok(&nested(DEPTH_MAX)));
        check(&nested(DEPTH_MAX + 1), Err(CanonicalError::TooDeep));
    }
}
