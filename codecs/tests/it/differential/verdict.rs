//! Whether both sides say the same of a broken message – and where, on purpose, they do not.

use codecs::error::{DecodeError, ErrorKind};
use codecs::iso8583::{Tree, Value};

use super::format::{Data, Format, Length, Prefix};
use super::peer::{Decoded, Refusal};

/// What we decide otherwise, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    MtiOfOtherCharacters,
    Filler,
    NoAscii,
    LengthOfOtherCharacters,
    HalfACharacter,
}

impl Difference {
    pub const ALL: [Self; 5] = [
        Self::MtiOfOtherCharacters,
        Self::Filler,
        Self::NoAscii,
        Self::LengthOfOtherCharacters,
        Self::HalfACharacter,
    ];

    pub fn place(self) -> usize {
        Self::ALL.iter().position(|difference| *difference == self).expect("listed")
    }

    pub fn reason(self) -> &'static str {
        match self {
            Self::MtiOfOtherCharacters => {
                "a message type is four digits; they take any characters, and name the first where \
                 we name the wrong one"
            }
            Self::Filler => {
                "where contents are not checked, any half byte fills up an odd number of digits: \
                 hosts write what they like there"
            }
            Self::NoAscii => {
                "where contents are not checked, bytes above 7F are characters of ISO 8859-1: hosts \
                 send names with accents"
            }
            Self::LengthOfOtherCharacters => {
                "a length is digits; they take blanks, signs and underscores, as `int` does"
            }
            Self::HalfACharacter => {
                "an odd number of half bytes is no number of characters; they round up"
            }
        }
    }
}

/// Whether the sides agree, or on what they differ on purpose.
///
/// Errors: what else they differ on.
pub fn compare(
    format: &Format,
    bytes: &[u8],
    ours: &Result<Tree, DecodeError>,
    theirs: &Decoded,
) -> Result<Option<Difference>, String> {
    match (ours, theirs) {
        // They do not tell whether a bitmap without fields was there.
        (Ok(ours), Decoded::Values(theirs)) if of_values(ours) == of_values(theirs) => Ok(None),
        (Ok(_), Decoded::Values(_)) => Err("other values".to_owned()),
        (Err(error), Decoded::Refused(refusal)) if is_same(error, refusal) => Ok(None),
        (ours, theirs) => {
            let stricter = ours.as_ref().err().and_then(|error| stricter(format, bytes, error));
            let laxer = match theirs {
                Decoded::Refused(refusal) => laxer(format, ours, refusal),
                Decoded::Values(_) => None,
            };
            match stricter.or(laxer) {
                Some(difference) => Ok(Some(difference)),
                None => Err("one refuses, or for another reason".to_owned()),
            }
        }
    }
}

fn of_values(tree: &Tree) -> (&str, Option<&String>, &[(String, Value)]) {
    (&tree.mti, tree.header.as_ref(), &tree.fields)
}

/// Kind, field and position are the same.
fn is_same(error: &DecodeError, refusal: &Refusal) -> bool {
    let field = match refusal.field.as_str() {
        "t" => "0",
        "p" => "1",
        // Bytes behind a third bitmap that announces nothing: what was read last is called by the
        // bit that announced it here, and by that of the second bitmap there.
        "1" if error.kind == ErrorKind::Trailing && error.field == 65 => "65",
        name => name,
    };
    kind(refusal) == Some(error.kind)
        && field == error.path().to_string()
        && refusal.at.is_none_or(|at| at == error.offset)
}

/// Our kind of their message; none where we have none, as of what we take.
fn kind(refusal: &Refusal) -> Option<ErrorKind> {
    let is_bitmap = matches!(refusal.field.as_str(), "p" | "1");
    let error = refusal.error.as_str();
    let starts = |start: &str| error.starts_with(start);
    match () {
        () if starts("undefined") => Some(ErrorKind::UndefinedField),
        () if starts("Extra data") => Some(ErrorKind::Trailing),
        () if error.contains("larger than maximum") => Some(ErrorKind::TooLong),
        () if starts("Field length is") => Some(ErrorKind::ShortLength),
        () if starts("Failed to decode field length") => Some(ErrorKind::BadLength),
        () if starts("Failed to decode field") && is_bitmap => Some(ErrorKind::BadBitmap),
        () if starts("Field data is") && !is_wrong_filler(error) => Some(ErrorKind::ShortData),
        () => None,
    }
}

/// "Field data is 6 nibbles, expecting 5": all are there, but none of them fills the field up.
fn is_wrong_filler(error: &str) -> bool {
    let mut numbers = error.split_whitespace().filter_map(|word| word.parse::<usize>().ok());
    numbers.next() > numbers.next()
}

/// Where we refuse what they take, or refuse it earlier.
fn stricter(format: &Format, bytes: &[u8], error: &DecodeError) -> Option<Difference> {
    let rest = bytes.get(error.offset..).unwrap_or_default();
    match (error.kind, error.field) {
        (ErrorKind::BadContent, 0) => Some(Difference::MtiOfOtherCharacters),
        (ErrorKind::BadLength, number) => {
            let field = format.fields.get(&number)?;
            let Length::Variable { prefix, width, .. } = field.length else { return None };
            let text = rest.get(..width)?;
            if !text.iter().all(|byte| is_digit(prefix, *byte)) {
                let passes = |byte: &u8| is_digit(prefix, *byte) || int_passes(prefix, *byte);
                return text.iter().all(passes).then_some(Difference::LengthOfOtherCharacters);
            }
            let counts_halves = field.counts_nibbles && field.data != Data::Binary;
            counts_halves.then_some(Difference::HalfACharacter)
        }
        _ => None,
    }
}

/// Whether a byte is a digit of a length; bytes and half bytes always are.
fn is_digit(prefix: Prefix, byte: u8) -> bool {
    match prefix {
        Prefix::Ascii => byte.is_ascii_digit(),
        Prefix::Ebcdic => (0xF0..=0xF9).contains(&byte),
        Prefix::Binary | Prefix::Bcd => true,
    }
}

/// Whether Python's `int` takes the character of a byte besides digits: blanks, signs, underscores.
fn int_passes(prefix: Prefix, byte: u8) -> bool {
    match prefix {
        Prefix::Ascii => matches!(byte, b'\t'..=b'\r' | 0x1C..=0x20 | b'+' | b'-' | b'_'),
        Prefix::Ebcdic => {
            matches!(byte, 0x05 | 0x0B..=0x0D | 0x15 | 0x1C..=0x1F | 0x22 | 0x25 | 0x35)
                || matches!(byte, 0x40 | 0x41 | 0x4E | 0x60 | 0x6D)
        }
        Prefix::Binary | Prefix::Bcd => false,
    }
}

/// Where we take what they refuse, and read on.
fn laxer(
    format: &Format,
    ours: &Result<Tree, DecodeError>,
    refusal: &Refusal,
) -> Option<Difference> {
    let reads_on = ours.as_ref().err().is_none_or(|error| Some(error.offset) > refusal.at);
    let field = refusal.field.parse().ok().and_then(|number: u8| format.fields.get(&number))?;
    let error = refusal.error.as_str();
    match field.data {
        Data::Binary if is_wrong_filler(error) && reads_on => Some(Difference::Filler),
        Data::Ascii if error == "Failed to decode field, invalid data" && reads_on => {
            Some(Difference::NoAscii)
        }
        Data::Ascii | Data::Ebcdic | Data::Binary => None,
    }
}
