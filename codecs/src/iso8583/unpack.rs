//! A message taken apart down to its parts and tags, as a tree.
//!
//! The index finds the fields; this goes into each of them. It is for tools, mapping and tests, and
//! does allocate.

use super::composite::{Composite, DataSet, Part, Parts, TLV_SET_MAX, TagLayout, TagOrder};
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
    fn part(self, number: u8) -> Self {
        Self { within: self.within.and(Step::Part(number)), ..self }
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
        self.parts_of(composite, place, found.start, found.end).map(Value::Parts)
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
            Composite::Bitmapped { header_len, bitmap, bitmap_bytes, skip_first, parts } => {
                let layout = (*header_len, *bitmap, *bitmap_bytes, *skip_first);
                inner.bitmapped(layout, parts, place, start)
            }
            Composite::BerTlv { .. } => inner.ber_tlv(place, start),
            Composite::Tagged { layout, .. } => inner.tagged(*layout, place, start),
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
        let place = place.part(part.number);
        let placed = |error: DecodeError| DecodeError {
            within: place.within,
            offset: self.base + error.offset,
            ..error
        };
        let found = part.field.find(place.field, self.bytes, at).map_err(placed)?;
        let content = &self.bytes[found.start..found.end];
        if let Some(position) = part.field.first_violation(content, found.units) {
            return Err(self.error(ErrorKind::BadContent, place, found.start + position, 0));
        }
        Ok((self.value(&part.field, place, found)?, found.end))
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
        (header_len, bitmap, bitmap_bytes, skip_first): (u8, BitmapEncoding, u8, bool),
        parts: &Parts,
        place: Place,
        start: usize,
    ) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let map_at = start + usize::from(header_len);
        let header = self.bytes.get(start..map_at);
        let header =
            header.ok_or_else(|| self.error(ErrorKind::ShortData, place, start, map_at - start))?;
        if header_len > 0 {
            fields.push((HEADER.to_owned(), Value::Text(hex::encode_upper(header))));
        }
        let mut map = [0; 16];
        let map_len = usize::from(bitmap_bytes);
        bitmap
            .read(self.bytes, map_at, map_len, &mut map)
            .map_err(|error| self.error(error.kind, place, map_at, bitmap.width(map_len)))?;
        let mut at = map_at + bitmap.width(map_len);
        for bit in bits(&map[..map_len]).filter(|bit| !(skip_first && *bit == BITMAP)) {
            let Some(part) = parts.get(bit) else {
                return Err(self.error(ErrorKind::UndefinedField, place.part(bit), at, 0));
            };
            let (value, end) = self.part(part, place, at)?;
            fields.push((bit.to_string(), value));
            at = end;
        }
        self.nothing_left(place, at).map(|()| fields)
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

    fn tagged(self, layout: TagLayout, place: Place, start: usize) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let mut at = start;
        while at < self.bytes.len() {
            let head = usize::from(layout.tag_len + layout.length_digits);
            let short = |need| self.error(ErrorKind::ShortTlv, place, at, need);
            let text = self.bytes.get(at..at + head).ok_or_else(|| short(head))?;
            let (tag, length) = layout.split(text);
            let length = layout.number(length).ok_or_else(|| short(head))?;
            let value = self.bytes.get(at + head..at + head + length);
            let value = value.ok_or_else(|| short(head + length))?;
            fields.push((layout.text(tag), Value::Text(layout.text(value))));
            at += head + length;
        }
        Ok(fields)
    }

    fn data_sets(
        self,
        sets: &[DataSet],
        place: Place,
        start: usize,
    ) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let mut at = start;
        let is_filling = |at: usize| self.bytes[at..].iter().all(|byte| matches!(byte, 0 | 0xFF));
        // No data set has the identifier 00 or FF: behind the last one they fill the field up.
        while !is_filling(at) {
            let short = |need| self.error(ErrorKind::ShortTlv, place, at, need);
            let head: Option<&[u8; SET_HEAD]> = self.bytes[at..].first_chunk();
            let head = head.ok_or_else(|| short(SET_HEAD))?;
            let [id, high, low] = *head;
            let content = at + SET_HEAD;
            let end = content + usize::from(u16::from_be_bytes([high, low]));
            let data = self.bytes.get(content..end).ok_or_else(|| short(end - at))?;
            let inner = Apart { bytes: &self.bytes[..end], ..self };
            let place = Place { within: place.within.and(Step::DataSet(id)), ..place };
            let set = sets.iter().find(|set| set.id == id);
            let value = match set {
                _ if id <= TLV_SET_MAX => Value::Parts(inner.ber_tlv(place, content)?),
                Some(set) => Value::Parts(inner.data_set(&set.parts, place, content)?),
                // What is not understood is kept.
                None => Value::Text(hex::encode_upper(data)),
            };
            fields.push((format!("{id:02X}"), value));
            at = end;
        }
        Ok(fields)
    }

    /// A data set with a bitmap of two bytes, or more while bit 1 of one says so; the last bit of
    /// the last byte announces BER-TLV behind the parts.
    ///
    /// Source: ISO 8583:2003 and 2023, data set bit maps: bit 1 of the first 16 bits and of every
    /// further 8 announces 8 more; the bits between number the parts from 1.
    fn data_set(self, parts: &Parts, place: Place, start: usize) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let map = set_bitmap(&self.bytes[start..])
            .ok_or_else(|| self.error(ErrorKind::ShortTlv, place, start, 2))?;
        let mut at = start + map.len();
        for number in set_parts(map) {
            let Some(part) = parts.get(number) else {
                return Err(self.error(ErrorKind::UndefinedField, place.part(number), at, 0));
            };
            let (value, end) = self.part(part, place, at)?;
            fields.push((number.to_string(), value));
            at = end;
        }
        if map.last().is_some_and(|byte| byte & 1 != 0) {
            fields.push((TLV.to_owned(), Value::Parts(self.ber_tlv(place, at)?)));
            return Ok(fields);
        }
        self.nothing_left(place, at).map(|()| fields)
    }
}

/// Identifier and length of a data set.
pub(super) const SET_HEAD: usize = 3;
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

/// The bitmap at the start of a data set; none when it is cut short.
fn set_bitmap(data: &[u8]) -> Option<&[u8]> {
    let mut len = 2;
    let mut announces = 0;
    while data.get(announces)? & 0x80 != 0 {
        announces = len;
        len += 1;
    }
    data.get(..len)
}

/// The numbers of the parts that a data set's bitmap announces.
fn set_parts(map: &[u8]) -> impl Iterator<Item = u8> {
    let last_bit = map.len() * 8;
    let counted = (1..=last_bit).filter(move |bit| {
        let announces_more = *bit == 1 || (*bit > 16 && bit % 8 == 1);
        !announces_more && *bit != last_bit
    });
    (1..=u8::MAX)
        .zip(counted)
        .filter(|(_, bit)| map[(bit - 1) / 8] & (0x80 >> ((bit - 1) % 8)) != 0)
        .map(|(number, _)| number)
}

impl TagLayout {
    /// Tag and length of a head.
    fn split<'a>(&self, head: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let (first, second) = head.split_at(usize::from(match self.order {
            TagOrder::TagFirst => self.tag_len,
            TagOrder::LengthFirst => self.length_digits,
        }));
        match self.order {
            TagOrder::TagFirst => (first, second),
            TagOrder::LengthFirst => (second, first),
        }
    }

    fn number(&self, digits: &[u8]) -> Option<usize> {
        digits.iter().try_fold(0, |sum, byte| {
            let digit = self.characters.decode(*byte).wrapping_sub(b'0');
            (digit < 10).then(|| sum * 10 + usize::from(digit))
        })
    }

    fn text(&self, bytes: &[u8]) -> String {
        bytes.iter().map(|byte| char::from(self.characters.decode(*byte))).collect()
    }
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
