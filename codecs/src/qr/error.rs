//! What is wrong with the payload of a code: what, where, never the content.

use std::fmt;

/// The kinds of mistakes; the names are those of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QrErrorKind {
    /// The bytes are no text of the character set.
    BadEncoding,
    /// An object ends beyond its payload or template.
    ShortData,
    /// A tag is not two digits.
    BadTag,
    /// A length is not two digits, or zero, or not the one the field has.
    BadLength,
    /// A value, or the payload, is longer than allowed.
    TooLong,
    /// An object is there twice.
    Duplicate,
    /// An object that must be there is not.
    Missing,
    /// An object stands where it must not.
    Misplaced,
    /// Two values exclude each other.
    Conflict,
    /// A value breaks its field's rule.
    BadContent,
    /// The checksum stated is not that of the payload.
    BadCrc,
    /// The check digits of an account number or reference are wrong.
    BadCheckDigits,
}

impl QrErrorKind {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadEncoding => "bad_encoding",
            Self::ShortData => "short_data",
            Self::BadTag => "bad_tag",
            Self::BadLength => "bad_length",
            Self::TooLong => "too_long",
            Self::Duplicate => "duplicate",
            Self::Missing => "missing",
            Self::Misplaced => "misplaced",
            Self::Conflict => "conflict",
            Self::BadContent => "bad_content",
            Self::BadCrc => "bad_crc",
            Self::BadCheckDigits => "bad_check_digits",
        }
    }
}

/// Why a payload is refused, read or built.
///
/// Shape: `field` is a tag (`54`), a path of tags (`62.05`), the name of an EPC element (`iban`), or
///        empty for the payload as a whole; `rule` says what would have been right.
/// Units: `offset` in bytes from the start of the payload, 0 for what is to be built or missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct QrError {
    /// What is wrong.
    pub kind: QrErrorKind,
    /// Where: the field.
    pub field: String,
    /// Where: the byte.
    pub offset: usize,
    /// What would have been right.
    pub rule: &'static str,
}

impl QrError {
    /// An error at a field.
    pub fn new(
        kind: QrErrorKind,
        field: impl fmt::Display,
        offset: usize,
        rule: &'static str,
    ) -> Self {
        Self { kind, field: field.to_string(), offset, rule }
    }
}

impl fmt::Display for QrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, offset, rule, .. } = self;
        match field.as_str() {
            "" => write!(f, "payload {rule} at offset {offset}"),
            field => write!(f, "field {field} {rule} at offset {offset}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_and_what_would_be_right() {
        let error = QrError::new(QrErrorKind::TooLong, "62.05", 30, "has at most 25 characters");
        assert_eq!(error.to_string(), "field 62.05 has at most 25 characters at offset 30");
        let error = QrError::new(QrErrorKind::TooLong, "", 0, "has at most 331 bytes");
        assert_eq!(error.to_string(), "payload has at most 331 bytes at offset 0");
    }
}
