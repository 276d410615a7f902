//! Another network's messages as the switch's own, and back.
//!
//! A network that uses the data elements as the switch does, but writes them in another way, needs
//! a specification and nothing else: its messages are written again in the switch's own format on
//! the way in, and the switch's in its format on the way out.

use std::sync::Arc;

use bytes::BytesMut;

use super::content::Content;
use super::field::{Field, Length};
use super::index::Index;
use super::pack::Packer;
use super::spec::{Spec, ThirdBitmap};
use crate::error::{DecodeError, ErrorKind, PackError};

/// The greatest number of a field of the switch's own format.
const HOME_FIELD_MAX: u8 = 128;

/// How a network writes its messages, and which of its fields mean nothing to the switch.
#[derive(Debug, Clone)]
pub struct Dialect {
    spec: Arc<Spec>,
    edition: Edition,
    ignored: Vec<u8>,
}

/// The edition of the standard that a message type names in its first digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// `0`: 1987.
    Of1987,
    /// `1`: 1993.
    Of1993,
    /// `2`: 2003.
    Of2003,
}

impl Edition {
    /// Every edition.
    pub const ALL: [Self; 3] = [Self::Of1987, Self::Of1993, Self::Of2003];

    /// The year it is named by.
    pub fn year(self) -> &'static str {
        match self {
            Self::Of1987 => "1987",
            Self::Of1993 => "1993",
            Self::Of2003 => "2003",
        }
    }

    fn digit(self) -> u8 {
        match self {
            Self::Of1987 => b'0',
            Self::Of1993 => b'1',
            Self::Of2003 => b'2',
        }
    }
}

impl Dialect {
    /// A dialect; `ignored` fields are dropped on the way in and never written.
    pub fn new(spec: Arc<Spec>, edition: Edition, ignored: Vec<u8>) -> Self {
        Self { spec, edition, ignored }
    }

    /// The format of its messages.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Appends a message of the network in the switch's own format.
    ///
    /// Shape:  fields that the switch's format does not define, and those to be ignored, are left
    ///         out. Numbers of fixed length get or lose zeros in front, texts spaces behind.
    /// Errors: what is wrong with the message, in its own field numbers and offsets; what could be
    ///         read is appended all the same, so that an error answer can name the request.
    pub fn to_home(&self, bytes: &[u8], out: &mut BytesMut) -> Result<(), DecodeError> {
        let mut index = Index::default();
        let indexed = self.spec.index(bytes, &mut index);
        let home = Spec::cauce87();
        let [_, mti @ ..] = index.mti();
        let mut packer = Packer::begin(home, [b'0', mti[0], mti[1], mti[2]], out);
        let mut first = indexed.err();
        for number in index.fields().take_while(|number| *number <= HOME_FIELD_MAX) {
            if let Some((content, offset)) = self.taken(&index, bytes, number)
                && let Some(field) = home.field(number)
                && let Err(error) = packer.put(number, &fitted(field, &content))
            {
                first.get_or_insert(misfit(number, offset, &error));
            }
        }
        packer.finish();
        first.map_or(Ok(()), Err)
    }

    /// The characters or bytes of a field, and where it begins.
    fn taken(&self, index: &Index, bytes: &[u8], number: u8) -> Option<(Vec<u8>, usize)> {
        let is_third_bitmap = number == 65 && self.spec.third == ThirdBitmap::InField65;
        if is_third_bitmap || self.ignored.contains(&number) {
            return None;
        }
        let (field, range) = (self.spec.field(number)?, index.range(number)?);
        let units = self.spec.units(index, bytes, number)?;
        Some((field.latin1(&bytes[range.clone()], units), range.start))
    }

    /// Appends a message of the switch's own format as the network writes it.
    ///
    /// Errors: a field the network's format does not define or cannot hold; nothing is appended
    ///         then.
    pub fn from_home(&self, bytes: &[u8], out: &mut BytesMut) -> Result<(), PackError> {
        let mut index = Index::default();
        let home = Spec::cauce87();
        home.index(bytes, &mut index).map_err(|error| PackError::Missing { field: error.field })?;
        let [_, mti @ ..] = index.mti();
        let mti = [self.edition.digit(), mti[0], mti[1], mti[2]];
        let mut packer = Packer::begin(&self.spec, mti, out);
        for number in index.fields().filter(|number| !self.ignored.contains(number)) {
            let content = index.field(bytes, number).unwrap_or_default();
            let field =
                self.spec.field(number).ok_or(PackError::UndefinedField { field: number })?;
            packer.put(number, &fitted(field, content))?;
        }
        packer.finish();
        Ok(())
    }
}

/// A content in a field of fixed length: numbers get or lose zeros in front, texts spaces behind.
/// What carries meaning is never cut; it then does not fit, and the packer says so.
fn fitted(field: &Field, content: &[u8]) -> Vec<u8> {
    let Length::Fixed(units) = field.length else { return content.to_vec() };
    let units = usize::from(units);
    match field.content {
        Content::Numeric => {
            let zeros = content.iter().take_while(|digit| **digit == b'0').count();
            let spare = content.len().saturating_sub(units).min(zeros);
            let missing = units.saturating_sub(content.len());
            [&vec![b'0'; missing][..], &content[spare..]].concat()
        }
        Content::Alpha | Content::AlphaNumeric | Content::Text | Content::Any
            if !field.encoding.is_bytes() =>
        {
            let spaces = content.iter().rev().take_while(|byte| **byte == b' ').count();
            let spare = content.len().saturating_sub(units).min(spaces);
            let missing = units.saturating_sub(content.len());
            [&content[..content.len() - spare], &vec![b' '; missing][..]].concat()
        }
        Content::Alpha
        | Content::AlphaNumeric
        | Content::Text
        | Content::Any
        | Content::Track
        | Content::SignedNumeric
        | Content::Binary => content.to_vec(),
    }
}

/// A field of the network that the switch's own format cannot hold, as a fault of the message.
fn misfit(number: u8, offset: usize, error: &PackError) -> DecodeError {
    match error {
        PackError::Length { have, allowed, .. } => {
            ErrorKind::TooLong.at(number, offset, *allowed, *have)
        }
        PackError::Content { at, .. } => ErrorKind::BadContent.at(number, offset + at, 0, 0),
        PackError::UndefinedField { .. }
        | PackError::OutOfOrder { .. }
        | PackError::Tag { .. }
        | PackError::CardSealed
        | PackError::NotARequest { .. }
        | PackError::Missing { .. } => ErrorKind::BadContent.at(number, offset, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network that packs digits: BCD, a binary bitmap, five bytes in front.
    fn dialect() -> Dialect {
        let toml = r#"
name = "packed"
mti = "bcd"
bitmap = "binary"
[defaults.n]
encoding = "bcd"
length_encoding = "bcd"
length_counts = "digits"
[fields]
2 = { content = "n", length_max = 19, length_digits = 2, odd = "rightF", secret = true }
3 = { content = "n", length = 6 }
4 = { content = "n", length = 12 }
11 = { content = "n", length = 6 }
41 = { content = "ans", length = 16 }
49 = { content = "n", length = 3 }
60 = { content = "ans", length_max = 99, length_digits = 2 }
63 = { content = "ans", length_max = 99, length_digits = 2 }
"#;
        let spec = Spec::from_toml(toml).unwrap_or_else(|errors| panic!("{errors:?}"));
        Dialect::new(Arc::new(spec), Edition::Of1993, vec![63])
    }

    #[test]
    fn a_message_of_another_network_is_written_as_our_own_and_back() {
        // Laid out by hand: MTI 1200; bits 2 3 4 11 41 49 60 63.
        let text = "1200702000000080801215371449635398431F0000000000000500001234565445524D3030303120202020202020200928303241423031 58";
        let bytes = hex::decode(text.replace(' ', "")).expect("hexadecimal");
        let mut home = BytesMut::new();
        dialect().to_home(&bytes, &mut home).expect("read");
        let expect = b"0200\x70\x20\x00\x00\x00\x80\x80\x1015371449635398431000000000000050000123456TERM0001928002AB";
        assert_eq!(home.escape_ascii().to_string(), expect.escape_ascii().to_string());
        let mut again = BytesMut::new();
        dialect().from_home(&home, &mut again).expect("written");
        let without_63 = text.replace("8080121537", "8080101537").replace("3031 58", "");
        assert_eq!(hex::encode_upper(&again), without_63);
    }

    #[test]
    fn what_our_format_cannot_hold_is_told_in_the_network_s_own_places() {
        let text = "1200702000000080801015371449635398431F0000000000000500001234565445524D3030303120202020202020410928303241 42";
        let bytes = hex::decode(text.replace(' ', "")).expect("hexadecimal");
        let mut home = BytesMut::new();
        let error = dialect().to_home(&bytes, &mut home).expect_err("sixteen characters");
        assert_eq!((error.kind, error.field, error.offset), (ErrorKind::TooLong, 41, 31));
        let mut index = Index::default();
        Spec::cauce87().index(&home, &mut index).expect("what could be read is a message");
        assert_eq!(index.fields().collect::<Vec<_>>(), [2, 3, 4, 11, 49, 60]);
    }
}
