//! A message taken apart down to its parts and tags, as a tree.
//!
//! The index finds the fields; this goes into each of them. It is for tools, mapping and tests, and
//! does allocate.

mod sets;
mod tags;

use super::composite::{Composite, FirstBit, Part, Parts};
use super::field::{Encoding, Field};
use super::index::{Found, Index};
use super::spec::{BitmapEncoding, Bitmaps, Spec, THIRD, ThirdBitmap};
use super::value::{Tree, Value};
use super::{BITMAP, tlv};
use crate::error::{DecodeError, ErrorKind, Step, Within};

impl Spec {
    /// Takes a message apart.
    ///
    /// Errors: the first thing that is wrong, parts and tags included, in the order of the wire.
    pub fn unpack(&self, bytes: &[u8]) -> Result<Tree, DecodeError> {
        let mut index = Index::default();
        let indexed = self.index(bytes, &mut index);
        let tree = self.tree(&index, bytes);
        match (indexed, tree) {
            (Ok(()), tree) => tree,
            (Err(error), Err(within)) if within.offset <= error.offset => Err(within),
            (Err(error), _) => Err(error),
        }
    }

    /// The fields of an index, taken apart.
    ///
    /// Errors: the first part or tag that is wrong.
    pub fn tree(&self, index: &Index, bytes: &[u8]) -> Result<Tree, DecodeError> {
        let header = bytes.get(..self.header_len()).filter(|header| !header.is_empty());
        let mut fields = Vec::new();
        for number in index.fields() {
            if let Some(value) = self.value(index, bytes, number)? {
                fields.push((number.to_string(), value));
            }
        }
        let mti = index.mti().into_iter().map(char::from).collect();
        let bits = self.empty_bitmaps(index, bytes);
        Ok(Tree { mti, header: header.map(hex::encode_upper), bits, masked: None, fields })
    }

    /// The bits that announce a bitmap and are set although no field of it follows.
    fn empty_bitmaps(&self, index: &Index, bytes: &[u8]) -> Vec<u8> {
        let leads_on = |map| {
            let word = self.bitmap.read_word(bytes, self.head_len(map));
            word.is_ok_and(|word| word >> 63 != 0)
        };
        let is_field = |number: &u8| *number != THIRD || self.third != ThirdBitmap::InField65;
        let last = index.fields().filter(is_field).last().unwrap_or(BITMAP);
        let has_second = match self.bitmaps {
            Bitmaps::Single => false,
            Bitmaps::Auto => leads_on(0),
            Bitmaps::Always128 => true,
        };
        let has_third = match self.third {
            ThirdBitmap::None => false,
            ThirdBitmap::Contiguous => has_second && leads_on(1),
            ThirdBitmap::InField65 => index.has(THIRD),
        };
        let is_first_empty = match self.bitmaps {
            Bitmaps::Single => false,
            Bitmaps::Auto => has_second && !has_third && last < THIRD,
            // It announces nothing there.
            Bitmaps::Always128 => leads_on(0),
        };
        let is_third_empty = has_third && last <= 128;
        let bits = [(BITMAP, is_first_empty), (THIRD, is_third_empty)];
        bits.into_iter().filter(|(_, is_empty)| *is_empty).map(|(bit, _)| bit).collect()
    }

    /// The value of one field; none where the message has it not, or it is the third bitmap.
    pub fn value(
        &self,
        index: &Index,
        bytes: &[u8],
        number: u8,
    ) -> Result<Option<Value>, DecodeError> {
        if number == THIRD && self.third == ThirdBitmap::InField65 {
            return Ok(None);
        }
        let (Some(range), Some(field)) = (index.range(number), self.field(number)) else {
            return Ok(None);
        };
        let units = self.units(index, bytes, number).unwrap_or_default();
        let found = Found { start: range.start, end: range.end, units };
        let place = Place { field: number, within: Within::default() };
        Apart { spec: self, bytes, base: 0 }.value(field, place, found).map(Some)
    }
}

/// A field or part.
#[derive(Clone, Copy)]
struct Place {
    field: u8,
    within: Within,
}

impl Place {
    fn and(self, step: Step) -> Self {
        Self { within: self.within.and(step), ..self }
    }
}

/// Some bytes, taken apart.
#[derive(Clone, Copy)]
struct Apart<'a> {
    spec: &'a Spec,
    bytes: &'a [u8],
    /// Where the bytes begin in the message.
    base: usize,
}

type Fields = Vec<(String, Value)>;

impl Apart<'_> {
    fn value(self, field: &Field, place: Place, found: Found) -> Result<Value, DecodeError> {
        let content = &self.bytes[found.start..found.end];
        let Some(composite) = self.spec.composite(field) else {
            return Ok(Value::Text(text(field, content, found.units)));
        };
        if field.encoding.is_bytes() && field.encoding != Encoding::Raw {
            // The parts are written in bytes that are written in hexadecimal.
            let data = field.data(content);
            let inner = Apart { bytes: &data, base: 0, ..self };
            let parts = inner.parts_of(composite, place, 0, data.len());
            let on_wire = |error: DecodeError| DecodeError {
                offset: self.base + found.start + 2 * error.offset,
                ..error
            };
            return parts.map(Value::Parts).map_err(on_wire);
        }
        let parts = self.parts_of(composite, place, found.start, found.end);
        match (composite, parts) {
            (Composite::Tagged(tagged), parts) if tagged.or_bytes => {
                let bytes = || Value::Text(text(field, content, found.units));
                let parts = parts.ok().filter(|parts| tagged.are_plain(parts));
                Ok(parts.map_or_else(bytes, Value::Parts))
            }
            (_, parts) => parts.map(Value::Parts),
        }
    }

    fn parts_of(
        self,
        composite: &Composite,
        place: Place,
        start: usize,
        end: usize,
    ) -> Result<Fields, DecodeError> {
        // Nothing is read beyond the field.
        let inner = Apart { bytes: &self.bytes[..end], ..self };
        match composite {
            Composite::Positional { parts, optional_tail } => {
                inner.positional(parts, *optional_tail, place, start)
            }
            Composite::Bitmapped { header_len, bitmap, bitmap_bytes, first_bit, parts } => {
                let layout = (*header_len, *bitmap, *bitmap_bytes, *first_bit);
                inner.bitmapped(layout, parts, place, start)
            }
            Composite::BerTlv { .. } => inner.ber_tlv(place, start),
            Composite::Tagged(tagged) => inner.tagged(tagged, place, start),
            Composite::DataSets(sets) => inner.data_sets(sets, place, start),
        }
    }

    fn error(self, kind: ErrorKind, place: Place, offset: usize, need: usize) -> DecodeError {
        let have = self.bytes.len().saturating_sub(offset);
        let error = kind.at(place.field, self.base + offset, need, have);
        DecodeError { within: place.within, ..error }
    }

    /// One part that begins at `at`, and where it ends.
    fn part(self, part: &Part, place: Place, at: usize) -> Result<(Value, usize), DecodeError> {
        self.field(&part.field, place.and(Step::Part(part.number)), at)
    }

    /// A field in a field that begins at `at`, and where it ends.
    fn field(self, field: &Field, place: Place, at: usize) -> Result<(Value, usize), DecodeError> {
        let placed = |error: DecodeError| DecodeError {
            within: place.within,
            offset: self.base + error.offset,
            ..error
        };
        let found = field.find(place.field, self.bytes, at).map_err(placed)?;
        let content = &self.bytes[found.start..found.end];
        if let Some(position) = field.first_violation(content, found.units) {
            return Err(self.error(ErrorKind::BadContent, place, found.start + position, 0));
        }
        Ok((self.value(field, place, found)?, found.end))
    }

    fn positional(
        self,
        parts: &Parts,
        optional_tail: bool,
        place: Place,
        start: usize,
    ) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let mut at = start;
        for part in parts.iter() {
            if optional_tail && at == self.bytes.len() {
                break;
            }
            let (value, end) = self.part(part, place, at)?;
            fields.push((part.number.to_string(), value));
            at = end;
        }
        self.nothing_left(place, at).map(|()| fields)
    }

    fn nothing_left(self, place: Place, at: usize) -> Result<(), DecodeError> {
        if at == self.bytes.len() {
            return Ok(());
        }
        Err(self.error(ErrorKind::Trailing, place, at, 0))
    }

    fn bitmapped(
        self,
        (header_len, bitmap, bitmap_bytes, first_bit): (u8, BitmapEncoding, u8, FirstBit),
        parts: &Parts,
        place: Place,
        start: usize,
    ) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let mut at = start + usize::from(header_len);
        let header = self.bytes.get(start..at);
        let header =
            header.ok_or_else(|| self.error(ErrorKind::ShortData, place, start, at - start))?;
        if header_len > 0 {
            fields.push((HEADER.to_owned(), Value::Text(hex::encode_upper(header))));
        }
        if let Some(front) = parts.get(FRONT) {
            let (value, end) = self.part(front, place, at)?;
            fields.push((FRONT.to_string(), value));
            at = end;
        }
        let mut map = Vec::new();
        at = self.bitmap(bitmap, bitmap_bytes, place, at, &mut map)?;
        let is_set = map.first().is_some_and(|byte| byte & 0x80 != 0);
        if is_set && first_bit == FirstBit::Bitmap {
            at = self.bitmap(bitmap, bitmap_bytes, place, at, &mut map)?;
        }
        let is_part = |bit: &u8| *bit != BITMAP || first_bit == FirstBit::Part;
        // A bit that announces no part is told where the parts do not tell it.
        let goes_beyond = bits(&map).any(|bit| bit > bitmap_bytes * 8);
        if is_set && !is_part(&BITMAP) && !(first_bit == FirstBit::Bitmap && goes_beyond) {
            fields.push((BITMAP.to_string(), Value::Text(String::new())));
        }
        for bit in bits(&map).filter(is_part) {
            let Some(part) = parts.get(bit) else {
                let place = place.and(Step::Part(bit));
                return Err(self.error(ErrorKind::UndefinedField, place, at, 0));
            };
            let (value, end) = self.part(part, place, at)?;
            fields.push((bit.to_string(), value));
            at = end;
        }
        self.nothing_left(place, at).map(|()| fields)
    }

    /// Bytes of a bitmap that begins at `at`; where it ends.
    fn bitmap(
        self,
        bitmap: BitmapEncoding,
        bytes: u8,
        place: Place,
        at: usize,
        map: &mut Vec<u8>,
    ) -> Result<usize, DecodeError> {
        let (mut read, len) = ([0; 16], usize::from(bytes));
        let width = bitmap.width(len);
        bitmap
            .read(self.bytes, at, len, &mut read)
            .map_err(|error| self.error(error.kind, place, at, width))?;
        map.extend_from_slice(&read[..len]);
        Ok(at + width)
    }

    fn ber_tlv(self, place: Place, start: usize) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        for read in tlv::read(&self.bytes[start..]) {
            let short = |error: tlv::ShortTlv| {
                self.error(ErrorKind::ShortTlv, place, start + error.at, error.need)
            };
            let tlv::Tlv { tag, value, .. } = read.map_err(short)?;
            let value = Value::Text(hex::encode_upper(value));
            fields.push((tlv::tag_name(tag), value));
        }
        Ok(fields)
    }
}

/// Identifier and length of a data set.
pub(super) const SET_HEAD: usize = 3;
/// The part in front of a bitmap in a field.
pub(super) const FRONT: u8 = 0;
/// The name of the bytes in front of a bitmap in a field.
pub(super) const HEADER: &str = "h";
/// The name of the BER-TLV behind the parts of a data set.
pub(super) const TLV: &str = "tlv";

/// The bits that are set, from 1.
fn bits(map: &[u8]) -> impl Iterator<Item = u8> {
    (1..=u8::MAX).take(map.len() * 8).filter(|bit| {
        let at = usize::from(bit - 1);
        map[at / 8] & (0x80 >> (at % 8)) != 0
    })
}

impl Field {
    /// The bytes of a content that is written in bytes or hexadecimal.
    pub(super) fn data(&self, content: &[u8]) -> Vec<u8> {
        let value = |byte: u8| match self.encoding {
            Encoding::EbcdicHex(page) => super::content::hex_value(page.decode(byte)),
            _ => super::content::hex_value(byte),
        };
        match self.encoding {
            Encoding::Hex | Encoding::EbcdicHex(_) => content
                .chunks_exact(2)
                .map(|pair| {
                    let [high, low] = [pair[0], pair[1]].map(|byte| value(byte).unwrap_or(0));
                    high << 4 | low
                })
                .collect(),
            _ => content.to_vec(),
        }
    }

    /// The characters of a content, as ISO 8859-1; bytes as they are.
    ///
    /// Shape: `content` is on the wire, of `units` units.
    pub(super) fn latin1(&self, content: &[u8], units: usize) -> Vec<u8> {
        match self.encoding {
            Encoding::Ascii => content.to_vec(),
            Encoding::Ebcdic(page) => content.iter().map(|byte| page.decode(*byte)).collect(),
            Encoding::Bcd(bcd) => bcd.characters(content, units).collect(),
            Encoding::SignedBcd(bcd) => {
                let (sign, digits) = content.split_at(content.len().min(1));
                let digits = bcd.characters(digits, units.saturating_sub(1));
                sign.iter().copied().chain(digits).collect()
            }
            Encoding::Raw | Encoding::Hex | Encoding::EbcdicHex(_) => self.data(content),
        }
    }
}

/// A content as text; bytes in upper-case hexadecimal.
fn text(field: &Field, content: &[u8], units: usize) -> String {
    let characters = field.latin1(content, units);
    if field.encoding.is_bytes() {
        return hex::encode_upper(characters);
    }
    characters.into_iter().map(char::from).collect()
}
