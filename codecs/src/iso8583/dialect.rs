//! Another network's messages as the switch's own, and back.
//!
//! A network that uses the data elements as the switch does, but writes them in another way, needs
//! a specification and nothing else: its messages are written again in the switch's own format on
//! the way in, and the switch's in its format on the way out.

use std::sync::Arc;

use bytes::BytesMut;

use super::content::Content;
use super::field::{Bcd, Encoding, Field, Length, Odd};
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
            if let Some(taken) = self.taken(&index, bytes, number)
                && let Some(field) = home.field(number)
                && let Err(error) =
                    packer.put(number, &fitted(field, field.content, &taken.content))
            {
                first.get_or_insert(taken.misfit(number, field, &error));
            }
        }
        packer.finish();
        first.map_or(Ok(()), Err)
    }

    /// A field of a message of the network.
    fn taken(&self, index: &Index, bytes: &[u8], number: u8) -> Option<Taken<'_>> {
        let is_third_bitmap = number == 65 && self.spec.third == ThirdBitmap::InField65;
        if is_third_bitmap || self.ignored.contains(&number) {
            return None;
        }
        let (field, range) = (self.spec.field(number)?, index.range(number)?);
        let units = self.spec.units(index, bytes, number)?;
        let content = field.latin1(&bytes[range.clone()], units);
        Some(Taken { field, content, offset: range.start })
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
            // A format of another project states no class; ours then says what the content is.
            let class = match (field.content, home.field(number)) {
                (Content::Any, Some(own)) => own.content,
                (stated, _) => stated,
            };
            packer.put(number, &fitted(field, class, content))?;
        }
        packer.finish();
        Ok(())
    }
}

/// A content of a class in a field of fixed length: numbers get or lose zeros in front, texts spaces behind.
/// What carries meaning is never cut; it then does not fit, and the packer says so.
fn fitted(field: &Field, class: Content, content: &[u8]) -> Vec<u8> {
    let Length::Fixed(units) = field.length else { return content.to_vec() };
    let units = usize::from(units);
    match class {
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

/// A field of a message of a network: its characters or bytes, and where they begin.
struct Taken<'a> {
    field: &'a Field,
    content: Vec<u8>,
    offset: usize,
}

impl Taken<'_> {
    /// What the switch's own field cannot hold, as a fault of the network's message.
    fn misfit(&self, number: u8, own: &Field, error: &PackError) -> DecodeError {
        match error {
            PackError::Length { have, allowed, .. } => {
                ErrorKind::TooLong.at(number, self.offset, *allowed, *have)
            }
            PackError::Content { .. }
            | PackError::UndefinedField { .. }
            | PackError::OutOfOrder { .. }
            | PackError::Tag { .. }
            | PackError::CardSealed
            | PackError::NotARequest { .. }
            | PackError::Missing { .. } => {
                let at = own.content.first_violation(&self.content).unwrap_or(0);
                ErrorKind::BadContent.at(number, self.offset + self.wire_position(at), 0, 0)
            }
        }
    }

    /// The byte that holds a character, counted from the first of the content.
    fn wire_position(&self, at: usize) -> usize {
        let packed = |bcd: Bcd, at: usize, digits: usize| match bcd.odd {
            Odd::Left(_) => (at + digits % 2) / 2,
            Odd::Right(_) => at / 2,
        };
        let units = self.content.len();
        match self.field.encoding {
            Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Raw => at,
            Encoding::Hex | Encoding::EbcdicHex(_) => 2 * at,
            Encoding::Bcd(bcd) => packed(bcd, at, units),
            // The sign is a byte of its own.
            Encoding::SignedBcd(bcd) => match at.checked_sub(1) {
                Some(at) => 1 + packed(bcd, at, units - 1),
                None => 0,
            },
        }
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
    fn a_number_keeps_zeros_in_front_where_the_network_states_no_class() {
        let json = r#"{"name": "n", "mti": "ascii", "bitmap": "hex",
                       "fields": {"11": {"len": 6}, "25": {"len": 4}}}"#;
        let spec = Spec::from_any(json).unwrap_or_else(|errors| panic!("{errors:?}"));
        let dialect = Dialect::new(Arc::new(spec), Edition::Of1993, Vec::new());
        let network = b"110000200080000000001234560041";
        let (mut home, mut again) = (BytesMut::new(), BytesMut::new());
        dialect.to_home(network, &mut home).expect("read");
        assert!(home.ends_with(b"12345641"));
        dialect.from_home(&home, &mut again).expect("written");
        assert_eq!(again.escape_ascii().to_string(), network.escape_ascii().to_string());
    }

    #[test]
    fn a_half_byte_that_is_no_digit_is_told_by_the_byte_it_is_in() {
        let json = r#"{"name": "n", "mti": "bcd", "bitmap": "binary",
                       "fields": {"3": {"len": 6, "enc": "bcd"}, "49": {"len": 3, "enc": "bcd"}}}"#;
        let spec = Spec::from_any(json).unwrap_or_else(|errors| panic!("{errors:?}"));
        let dialect = Dialect::new(Arc::new(spec), Edition::Of1987, Vec::new());
        let check = |text: &str, field, offset| {
            let bytes = hex::decode(text).expect("hexadecimal");
            let error = dialect.to_home(&bytes, &mut BytesMut::new()).expect_err("no digit");
            let found = (error.kind, error.field, error.offset);
            assert_eq!(found, (ErrorKind::BadContent, field, offset), "{text}");
        };
        check("020020000000000080001234A60484", 3, 12);
        check("0200200000000000800012345A0484", 3, 12);
        check("020020000000000080001234560A84", 49, 13);
        check("0200200000000000800012345604A4", 49, 14);
        check("02002000000000008000123456048C", 49, 14);
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
