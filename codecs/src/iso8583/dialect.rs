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
use super::spec::{Bitmaps, Spec, THIRD, ThirdBitmap};
use crate::error::{DecodeError, ErrorKind, PackError};
use crate::security::mac::MacField;

/// The greatest number of a field of the switch's own format.
const HOME_FIELD_MAX: u8 = 128;

/// The fields that carry a message authentication code, without and with a second bitmap.
const MAC_FIELDS: [u8; 2] = [64, 128];

/// How a network writes its messages, and which of its fields mean nothing to the switch.
#[derive(Debug, Clone)]
pub struct Dialect {
    spec: Arc<Spec>,
    edition: Edition,
    ignored: Vec<u8>,
    droppable: Vec<u8>,
    /// The lowest field a code stands in; none where messages carry none.
    mac: Option<u8>,
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
    /// Fields nobody can be asked or answered without: service, amount and currency, what tells
    /// requests apart, the response code, the function of a network management request.
    pub const NEEDED: [u8; 7] = [3, 4, 7, 11, 39, 49, 70];

    /// Fields that are left out where a network's format does not define or cannot hold them:
    /// local time, where and how the card was read, references, texts for people. Without them a
    /// payment moves the same money between the same accounts. What is not among them – card,
    /// expiry, fee, track, PIN block, chip data, account, the original of a reversal – makes a
    /// request fail before it leaves.
    pub const DROPPABLE: [u8; 16] =
        [12, 13, 15, 18, 22, 25, 32, 33, 37, 38, 41, 42, 43, 44, 48, 54];

    /// A dialect; `ignored` fields are dropped on the way in and never written, but for those that
    /// name the payer: a request for money that would lose them fails.
    pub fn new(spec: Arc<Spec>, edition: Edition, ignored: Vec<u8>) -> Self {
        Self { spec, edition, ignored, droppable: Self::DROPPABLE.to_vec(), mac: None }
    }

    /// With other fields that may be left out than [`Dialect::DROPPABLE`].
    pub fn dropping(self, droppable: Vec<u8>) -> Self {
        Self { droppable, ..self }
    }

    /// Whose messages end with a message authentication code: in field 64, or 128 where a message
    /// has a second bitmap (`lowest` 64), or always in field 128.
    ///
    /// Errors: the field that the format does not define as 8 bytes or 16 ASCII characters.
    pub fn authenticated(self, lowest: u8) -> Result<Self, u8> {
        for number in MAC_FIELDS.into_iter().filter(|number| *number >= lowest) {
            if !self.spec.field(number).is_some_and(Field::holds_mac) {
                return Err(number);
            }
        }
        Ok(Self { mac: Some(lowest), ..self })
    }

    /// The format of its messages.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(super) fn shared_spec(&self) -> Arc<Spec> {
        Arc::clone(&self.spec)
    }

    /// The edition its message types name.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Whether a field of ours can be said in it.
    pub fn carries(&self, number: u8) -> bool {
        let reached = number <= 64 || self.spec.bitmaps != Bitmaps::Single;
        reached && self.spec.field(number).is_some() && !self.is_left_out(number)
    }

    /// Whether a field of ours with this content can be said in it.
    ///
    /// Errors: it is left out, not defined, or cannot hold the content.
    pub fn holds(&self, number: u8, content: &[u8]) -> Result<(), PackError> {
        if !self.carries(number) {
            return Err(PackError::UndefinedField { field: number });
        }
        let mut out = BytesMut::new();
        let mut packer = Packer::begin(&self.spec, *b"0200", &mut out);
        self.put(&mut packer, number, content)
    }

    /// Whether it has room for replacement amounts (DE95) as the 1987 edition lays them out.
    pub fn carries_replacement(&self) -> bool {
        let length = self.spec.field(95).map(|field| field.length);
        self.carries(95) && length == Some(Length::Fixed(42))
    }

    /// Where a message of the network keeps its authentication code.
    pub fn mac_field(&self, bytes: &[u8]) -> Option<MacField> {
        let index = self.indexed(bytes)?;
        let number = MAC_FIELDS.into_iter().rev().find(|number| index.has(*number))?;
        Some(MacField { number, at: index.range(number)? })
    }

    /// What a field of a message of the network says: characters, or bytes.
    pub fn content(&self, bytes: &[u8], number: u8) -> Option<Vec<u8>> {
        let index = self.indexed(bytes)?;
        Some(self.read(&index, bytes, number)?.content)
    }

    /// Where a field's content begins in a message of the network.
    pub fn offset_of(&self, bytes: &[u8], number: u8) -> Option<usize> {
        self.indexed(bytes)?.offset_of(number)
    }

    fn indexed(&self, bytes: &[u8]) -> Option<Index> {
        let mut index = Index::default();
        self.spec.index(bytes, &mut index).ok().map(|()| index)
    }

    /// Whether a field is neither read nor written as one of ours.
    fn is_left_out(&self, number: u8) -> bool {
        let is_code = self.mac.is_some() && MAC_FIELDS.contains(&number);
        is_code || self.ignored.contains(&number)
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
        // What is no digit was refused by the index, or is no message type of ours anyway.
        let digit = |mti: u8| if mti.is_ascii_digit() { mti } else { b'0' };
        let [_, class, function, origin] = index.mti().map(digit);
        let mut packer = Packer::begin(home, [b'0', class, function, origin], out);
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
        let is_third_bitmap = number == THIRD && self.spec.third == ThirdBitmap::InField65;
        match is_third_bitmap || self.is_left_out(number) {
            true => None,
            false => self.read(index, bytes, number),
        }
    }

    fn read(&self, index: &Index, bytes: &[u8], number: u8) -> Option<Taken<'_>> {
        let (field, range) = (self.spec.field(number)?, index.range(number)?);
        let units = self.spec.units(index, bytes, number)?;
        let content = field.latin1(&bytes[range.clone()], units);
        Some(Taken { field, content, offset: range.start })
    }

    /// Appends a message of the switch's own format as the network writes it.
    ///
    /// Shape:  fields to be ignored, and those that may be dropped and do not fit, are left out. An
    ///         authentication code is made room for, at the end, and is still to be computed.
    /// Errors: a field the network's format does not define or cannot hold; nothing is appended
    ///         then.
    pub fn from_home(&self, bytes: &[u8], out: &mut BytesMut) -> Result<(), PackError> {
        let mut index = Index::default();
        let home = Spec::cauce87();
        home.index(bytes, &mut index).map_err(|error| PackError::Missing { field: error.field })?;
        let [_, mti @ ..] = index.mti();
        let mti = [self.edition.digit(), mti[0], mti[1], mti[2]];
        let mut packer = Packer::begin(&self.spec, mti, out);
        let mut last = 0;
        let mut written = 0_u128;
        for number in index.fields().filter(|number| !self.is_left_out(*number)) {
            let content = index.field(bytes, number).unwrap_or_default();
            match self.put(&mut packer, number, content) {
                Ok(()) => (last, written) = (number, written | 1 << (number - 1)),
                Err(_) if self.droppable.contains(&number) => {}
                Err(error) => return Err(error),
            }
        }
        let is_written = |number: u8| written & 1 << (number - 1) != 0;
        if let Some(field) = Self::payer_lost(&index, is_written) {
            return Err(PackError::UndefinedField { field });
        }
        if let Some(lowest) = self.mac {
            let number = if last > 64 { 128 } else { lowest };
            self.put(&mut packer, number, b"")?;
        }
        packer.finish();
        Ok(())
    }

    /// The field that names the payer in a request for money and was not written: the card (DE2,
    /// or else DE35) or the account (DE102).
    fn payer_lost(index: &Index, written: impl Fn(u8) -> bool) -> Option<u8> {
        let [_, class, function, _] = index.mti();
        if [class, function] != *b"20" {
            return None;
        }
        let is_lost = |number: &u8| index.has(*number) && !written(*number);
        let names_card = written(2) || written(35);
        let card = [2, 35].into_iter().find(|number| is_lost(number) && !names_card);
        card.or_else(|| Some(102).filter(is_lost))
    }

    /// Appends a field; the place of a code is filled with zeros.
    fn put(&self, packer: &mut Packer<'_>, number: u8, content: &[u8]) -> Result<(), PackError> {
        let field = self.spec.field(number).ok_or(PackError::UndefinedField { field: number })?;
        match (field.length, self.mac.is_some() && MAC_FIELDS.contains(&number)) {
            (Length::Fixed(units), true) => {
                let zero = if field.encoding.is_bytes() { 0 } else { b'0' };
                packer.put(number, &vec![zero; usize::from(units)])
            }
            _ => packer.put(number, &fitted(field, self.class_of(number, field), content)),
        }
    }
}

impl Dialect {
    /// What a field holds. A format of another project states no class; ours then says it.
    fn class_of(&self, number: u8, field: &Field) -> Content {
        match (field.content, Spec::cauce87().field(number)) {
            (Content::Any, Some(own)) => own.content,
            (stated, _) => stated,
        }
    }
}

impl Field {
    /// Whether it is 8 bytes or 16 characters, as authentication codes are written.
    fn holds_mac(&self) -> bool {
        let units = match self.length {
            Length::Fixed(units) => units,
            Length::Variable(_) => return false,
        };
        match self.encoding {
            Encoding::Raw | Encoding::Hex => units == 8,
            Encoding::Ascii => units == 16,
            Encoding::Ebcdic(_)
            | Encoding::EbcdicHex(_)
            | Encoding::Bcd(_)
            | Encoding::SignedBcd(_) => false,
        }
    }
}

/// A content of a class in a field of fixed length: numbers get or lose zeros in front, texts spaces behind.
/// What carries meaning is never cut; it then does not fit, and the packer says so.
fn fitted(field: &Field, class: Content, content: &[u8]) -> Vec<u8> {
    let Length::Fixed(units) = field.length else { return content.to_vec() };
    let units = usize::from(units);
    match class {
        Content::Numeric => numbered(unpadded(content), units),
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

/// A number that stands in a field of text, without the spaces behind it. Spaces alone are no number.
fn unpadded(content: &[u8]) -> &[u8] {
    let number = content.trim_ascii_end();
    if number.is_empty() { content } else { number }
}

/// Digits with zeros in front, as many as there are places; zeros in front are cut where they are
/// too many.
fn numbered(content: &[u8], places: usize) -> Vec<u8> {
    let zeros = content.iter().take_while(|digit| **digit == b'0').count();
    let spare = content.len().saturating_sub(places).min(zeros);
    let missing = places.saturating_sub(content.len());
    [&vec![b'0'; missing][..], &content[spare..]].concat()
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
mod tests;
