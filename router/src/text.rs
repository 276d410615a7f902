//! Short texts kept in place, without a heap allocation.

use std::fmt;

/// A printable-ASCII text of at most `MAX` bytes, stored inline.
///
/// Shape:  0..=MAX bytes, each 0x20..=0x7E; `MAX` itself at most 255.
/// Errors: [`TextError`] says whether the text was too long or held another character.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const MAX: usize> {
    bytes: [u8; MAX],
    len: u8,
}

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing, where an identifier is expected.
    #[error("must not be empty")]
    Empty,
    /// More bytes than the field holds.
    #[error("{len} characters, at most {max} allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A byte outside printable ASCII.
    #[error("character {byte:#04x} at position {at} is not printable ASCII")]
    NotPrintable {
        /// The offending byte.
        byte: u8,
        /// Its position, from 0.
        at: usize,
    },
}

impl<const MAX: usize> Text<MAX> {
    /// The empty text.
    pub const EMPTY: Self = Self { bytes: [0; MAX], len: 0 };

    /// Takes a text as it is, spaces included.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Self::from_ascii(text.as_bytes())
    }

    /// Takes raw bytes, spaces included.
    pub fn from_ascii(ascii: &[u8]) -> Result<Self, TextError> {
        if ascii.len() > MAX {
            return Err(TextError::TooLong { len: ascii.len(), max: MAX });
        }
        // Without an early end this becomes a few vector instructions.
        if !ascii.iter().fold(true, |all, byte| all & (0x20..=0x7E).contains(byte)) {
            return Err(not_printable(ascii));
        }
        let mut bytes = [0; MAX];
        bytes[..ascii.len()].copy_from_slice(ascii);
        Ok(Self { bytes, len: u8::try_from(ascii.len()).expect("invariant: MAX is at most 255") })
    }

    /// This text, or another where it is empty.
    pub fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("invariant: printable ASCII is UTF-8")
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The text's bytes, and zeros behind them up to the longest text.
    pub(crate) fn room(&self) -> &[u8; MAX] {
        &self.bytes
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cold]
fn not_printable(ascii: &[u8]) -> TextError {
    let at = ascii.iter().position(|byte| !(0x20..=0x7E).contains(byte)).unwrap_or(0);
    TextError::NotPrintable { byte: ascii.get(at).copied().unwrap_or(0), at }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const MAX: usize> std::str::FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_does_not_fit_or_print_is_refused_with_its_place() {
        assert_eq!(Text::<3>::new("abcd"), Err(TextError::TooLong { len: 4, max: 3 }));
        assert_eq!(
            Text::<8>::from_ascii(b"ab\n"),
            Err(TextError::NotPrintable { byte: b'\n', at: 2 })
        );
        assert_eq!(Text::<3>::new("abc").map(|text| text.to_string()), Ok("abc".to_owned()));
    }
}
