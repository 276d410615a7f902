//! What is wrong with a message: where, and by how much. Never what was in it.

use std::fmt;

/// The kinds of decoding errors; the names are those of the command line and of test vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The message ends within a field's content.
    ShortData,
    /// The message ends within a field's length prefix.
    ShortLength,
    /// A length prefix holds something that is no number.
    BadLength,
    /// A length prefix states more than the field's maximum.
    TooLong,
    /// Bytes are left after the last field.
    Trailing,
    /// The bitmap is not hexadecimal, or announces a bitmap where there is none.
    BadBitmap,
    /// The bitmap announces a field that the spec does not define.
    UndefinedField,
    /// A tag within a field is cut short or badly made.
    ShortTlv,
    /// The content breaks the field's class, such as a letter in an amount.
    BadContent,
}

impl ErrorKind {
    /// The name used in JSON and test vectors.
    pub fn name(self) -> &'static str {
        match self {
            Self::ShortData => "short_data",
            Self::ShortLength => "short_length",
            Self::BadLength => "bad_length",
            Self::TooLong => "too_long",
            Self::Trailing => "trailing",
            Self::BadBitmap => "bad_bitmap",
            Self::UndefinedField => "undefined_field",
            Self::ShortTlv => "short_tlv",
            Self::BadContent => "bad_content",
        }
    }

    /// An error of this kind at a field and offset.
    #[inline]
    pub(crate) fn at(self, field: u8, offset: usize, need: usize, have: usize) -> DecodeError {
        DecodeError { kind: self, field, within: Within::default(), offset, need, have }
    }
}

/// The pseudo-number of what stands in front of the MTI, in errors.
pub const HEADER: u8 = u8::MAX;

/// The way from a field to one of its parts, such as `25.3` in field 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Within([Step; 8]);

/// One step into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// None.
    #[default]
    None,
    /// To a part, by number.
    Part(u8),
    /// To a data set, by identifier.
    DataSet(u8),
    /// To a tag that the format tells by itself, by its characters or its bytes in hexadecimal; zeros
    /// behind.
    Tag([u8; 4]),
}

impl Step {
    /// The step to a tag; the first characters of one that has more than four.
    pub(crate) fn tag(name: &str) -> Self {
        let mut characters = [0; 4];
        characters.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        Self::Tag(characters)
    }
}

impl Within {
    /// One step further; nothing changes when the way is as long as it can be.
    #[must_use]
    pub fn and(mut self, step: Step) -> Self {
        if let Some(free) = self.0.iter_mut().find(|step| **step == Step::None) {
            *free = step;
        }
        self
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::None => Ok(()),
            Step::Part(number) => write!(f, ".{number}"),
            Step::DataSet(id) => write!(f, ".{id:02X}"),
            Step::Tag(name) => {
                let text: String =
                    name.iter().filter(|byte| **byte > 0).map(|byte| char::from(*byte)).collect();
                write!(f, ".{}", text.escape_default())
            }
        })
    }
}

/// Why a message could not be decoded.
///
/// Shape: `field` is the data element, 0 for the MTI, 1 for the bitmap, [`HEADER`] for what stands
///        in front of the MTI; for [`ErrorKind::Trailing`] the last field read. `within` leads on
///        to the part.
/// Units: `offset` in bytes from the start of the message (without frame header); `need` and
///        `have` in bytes, or for `TooLong` in the field's own units; 0 where they say nothing. For
///        `BadLength`, `need` is the least value of a length that counts itself and has less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where: data element number.
    pub field: u8,
    /// Where in it.
    pub within: Within,
    /// Where: byte offset.
    pub offset: usize,
    /// What would have been right.
    pub need: usize,
    /// What was there.
    pub have: usize,
}

impl DecodeError {
    /// The field and the way into it: `127.25.3`, `0` for the MTI, `h` for the header.
    pub fn path(&self) -> impl fmt::Display {
        Path { field: self.field, within: self.within }
    }
}

struct Path {
    field: u8,
    within: Within,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            HEADER => f.write_str("h"),
            field => write!(f, "{field}{}", self.within),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, offset, need, have, .. } = *self;
        let field = self.path();
        match kind {
            ErrorKind::ShortData => write!(f, "field {field} needs {need} bytes, {have} left")?,
            ErrorKind::ShortLength => {
                write!(f, "length of field {field} needs {need} bytes, {have} left")?;
            }
            ErrorKind::BadLength if need > 0 => {
                write!(
                    f,
                    "length of field {field} is less than {need}, which it counts of itself"
                )?;
            }
            ErrorKind::BadLength => write!(f, "length of field {field} is not a number")?,
            ErrorKind::TooLong => write!(f, "field {field} has length {have}, at most {need}")?,
            ErrorKind::Trailing => write!(f, "{have} bytes left after last field {field}")?,
            ErrorKind::BadBitmap => write!(f, "bitmap of field {field} is malformed")?,
            ErrorKind::UndefinedField => write!(f, "field {field} is not defined by the spec")?,
            ErrorKind::ShortTlv => write!(f, "tag in field {field} is cut short or malformed")?,
            ErrorKind::BadContent => write!(f, "content of field {field} breaks its class")?,
        }
        write!(f, " at offset {offset}")
    }
}

/// Why a message could not be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The spec does not define the field.
    #[error("field {field} is not defined by the spec")]
    UndefinedField {
        /// The data element.
        field: u8,
    },
    /// Fields must be given in ascending order.
    #[error("field {field} was given after field {after}")]
    OutOfOrder {
        /// The data element.
        field: u8,
        /// The one given before it.
        after: u8,
    },
    /// The content has a length the field cannot take.
    #[error("field {field} has length {have}, {allowed} allowed")]
    Length {
        /// The data element.
        field: u8,
        /// The content's length in bytes.
        have: usize,
        /// The fixed or maximal length in bytes.
        allowed: usize,
    },
    /// The content breaks the field's class.
    #[error("content of field {field} breaks its class at position {at}")]
    Content {
        /// The data element.
        field: u8,
        /// Position within the content, from 0.
        at: usize,
    },
    /// A tag's value is longer than its length digits can say.
    #[error("tag {tag} of field {field} has length {have}, at most {allowed}")]
    Tag {
        /// The data element.
        field: u8,
        /// The tag.
        tag: u8,
        /// The value's length.
        have: usize,
        /// The longest value.
        allowed: usize,
    },
    /// The message carries a card number, which is only there sealed.
    #[error("card number is sealed, a message needs it clear")]
    CardSealed,
    /// A request cannot be answered in kind, because it is none.
    #[error("a message of type {} is not a request", .mti.escape_ascii())]
    NotARequest {
        /// Its message type indicator.
        mti: [u8; 4],
    },
    /// A value the message cannot do without is not there.
    #[error("field {field} is needed and there is no value for it")]
    Missing {
        /// The data element.
        field: u8,
    },
}

impl PackError {
    /// The data element it is about, where it is about one.
    pub fn field(&self) -> Option<u8> {
        match self {
            Self::UndefinedField { field }
            | Self::OutOfOrder { field, .. }
            | Self::Length { field, .. }
            | Self::Content { field, .. }
            | Self::Tag { field, .. }
            | Self::Missing { field } => Some(*field),
            Self::CardSealed => Some(2),
            Self::NotARequest { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_and_by_how_much() {
        let error = ErrorKind::TooLong.at(2, 20, 19, 20);
        assert_eq!(error.to_string(), "field 2 has length 20, at most 19 at offset 20");
        let within = Within::default().and(Step::Part(25)).and(Step::DataSet(0x7A));
        let error = DecodeError { field: 127, within, ..error };
        assert_eq!(error.path().to_string(), "127.25.7A");
        assert_eq!(DecodeError { field: HEADER, ..error }.path().to_string(), "h");
    }
}
