//! Objects of a merchant code: two digits of tag, two of length, and as many characters of value.

use std::fmt;

use super::{QrError, QrErrorKind};

/// The longest value, in characters: the length has two digits.
pub(super) const VALUE_LEN_MAX: usize = 99;

/// Where an object stands: its tag, and the tag of the template around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    pub outer: Option<u8>,
    pub tag: u8,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            write!(f, "{outer:02}.")?;
        }
        write!(f, "{:02}", self.tag)
    }
}

/// One object as it stands in the payload.
///
/// Units: `offset` of the object, `value_offset` of its value, in bytes of the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object<'a> {
    pub path: Path,
    pub offset: usize,
    pub value_offset: usize,
    pub value: &'a str,
}

impl Object<'_> {
    pub fn error(&self, kind: QrErrorKind, rule: &'static str) -> QrError {
        QrError::new(kind, self.path, self.value_offset, rule)
    }
}

/// An error about an object, or one within it, that may not be there.
pub(super) fn error_in(
    top: &[Object<'_>],
    tag: u8,
    inner: Option<u8>,
    kind: QrErrorKind,
    rule: &'static str,
) -> QrError {
    let offset = top.iter().find(|object| object.path.tag == tag);
    let offset = offset.map_or(0, |object| object.value_offset);
    let path = match inner {
        Some(inner) => Path { outer: Some(tag), tag: inner },
        None => Path { outer: None, tag },
    };
    QrError::new(kind, path, offset, rule)
}

/// Splits a payload, or the value of a template that begins at `base`, into its objects.
///
/// Lengths count characters, as the sample of the EMVCo specification does with its Chinese name.
///
/// Errors: `BadTag`, `BadLength`, `ShortData`, `Duplicate`.
pub(super) fn objects(
    text: &str,
    outer: Option<u8>,
    base: usize,
) -> Result<Vec<Object<'_>>, QrError> {
    let mut found: Vec<Object<'_>> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let object = object(&text[at..], outer, base + at)?;
        if found.iter().any(|other| other.path == object.path) {
            let rule = "is there twice";
            return Err(QrError::new(QrErrorKind::Duplicate, object.path, object.offset, rule));
        }
        at = object.value_offset - base + object.value.len();
        found.push(object);
    }
    Ok(found)
}

fn object(rest: &str, outer: Option<u8>, offset: usize) -> Result<Object<'_>, QrError> {
    let around = outer.map(|tag| format!("{tag:02}")).unwrap_or_default();
    let tag = two_digits(rest.as_bytes()).ok_or_else(|| {
        QrError::new(QrErrorKind::BadTag, around, offset, "has an object without a two-digit tag")
    })?;
    let path = Path { outer, tag };
    let length = rest.as_bytes().get(2..).and_then(two_digits).filter(|length| *length > 0);
    let length = length.ok_or_else(|| {
        QrError::new(QrErrorKind::BadLength, path, offset + 2, "needs a length of 01 to 99")
    })?;
    let content = &rest[4..];
    let value = prefix(content, usize::from(length)).ok_or_else(|| {
        QrError::new(QrErrorKind::ShortData, path, offset + 4, "ends beyond what is around it")
    })?;
    Ok(Object { path, offset, value_offset: offset + 4, value })
}

/// The first `count` characters; none when there are fewer.
fn prefix(text: &str, count: usize) -> Option<&str> {
    let mut ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    text.get(..ends.nth(count.checked_sub(1)?)?)
}

fn two_digits(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [tens @ b'0'..=b'9', units @ b'0'..=b'9', ..] => Some((tens - b'0') * 10 + (units - b'0')),
        _ => None,
    }
}

/// Appends one object.
///
/// Errors: `BadLength` for an empty value, `TooLong` for more than 99 characters.
pub(super) fn write(path: Path, value: &str, out: &mut String) -> Result<(), QrError> {
    let length = value.chars().count();
    if length == 0 {
        return Err(QrError::new(QrErrorKind::BadLength, path, 0, "must not be empty"));
    }
    if length > VALUE_LEN_MAX {
        return Err(QrError::new(QrErrorKind::TooLong, path, 0, "has at most 99 characters"));
    }
    out.push_str(&format!("{:02}{length:02}{value}", path.tag));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (QrErrorKind, String, usize) {
        let error = objects(text, None, 0).expect_err("a mistake");
        (error.kind, error.field, error.offset)
    }

    #[test]
    fn lengths_count_characters_and_offsets_bytes() {
        let found = objects("0104最佳运输0202北京", Some(64), 10).expect("objects");
        let seen: Vec<_> = found.iter().map(|o| (o.path.to_string(), o.offset, o.value)).collect();
        assert_eq!(seen, [("64.01".to_owned(), 10, "最佳运输"), ("64.02".to_owned(), 26, "北京")]);
    }

    #[test]
    fn what_is_cut_short_or_no_number_is_refused_where_it_stands() {
        assert_eq!(refused("0"), (QrErrorKind::BadTag, String::new(), 0));
        assert_eq!(refused("0102ab0x"), (QrErrorKind::BadTag, String::new(), 6));
        assert_eq!(refused("010"), (QrErrorKind::BadLength, "01".to_owned(), 2));
        assert_eq!(refused("01+1a"), (QrErrorKind::BadLength, "01".to_owned(), 2));
        assert_eq!(refused("0100"), (QrErrorKind::BadLength, "01".to_owned(), 2));
        assert_eq!(refused("0103ab"), (QrErrorKind::ShortData, "01".to_owned(), 4));
        assert_eq!(refused("0101a0101b"), (QrErrorKind::Duplicate, "01".to_owned(), 5));
        assert_eq!(refused("é"), (QrErrorKind::BadTag, String::new(), 0));
    }
}
