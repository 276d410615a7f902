//! Writing a message: fields in ascending order, straight into the buffer.

use bytes::{BufMut, BytesMut};

use super::BITMAP;
use super::content::{HEX_DIGITS, hex_value};
use super::field::{Bcd, Counts, Encoding, Field, Length, Odd};
use super::index::Present;
use super::spec::{BitmapEncoding, Bitmaps, FIELD_MAX, MtiEncoding, Spec, THIRD, ThirdBitmap};
use crate::error::{HEADER, PackError};

/// Writes one message at the end of a buffer.
///
/// Shape:  [`Packer::begin`], then fields in ascending order, then [`Packer::finish`], which writes
///         the bitmaps. A packer that is dropped unfinished takes back what it wrote.
/// Errors: each names the field; nothing of that field is written then.
#[derive(Debug)]
pub struct Packer<'a> {
    spec: &'a Spec,
    out: &'a mut BytesMut,
    start: usize,
    present: Present,
    last: u8,
    /// Bitmaps in front of the fields that there is room for.
    maps: usize,
    /// Where the fields above 65 begin.
    after_65: Option<usize>,
    /// Where the third bitmap is, when it is the content of field 65.
    third_at: Option<usize>,
    /// Whether there is a third bitmap even where no field of it follows.
    keeps_third: bool,
}

const MTI_LEN: usize = 4;

impl<'a> Packer<'a> {
    /// Begins a message of a type, such as `*b"0210"`. What stands in front of the MTI is zeros, until
    /// [`Packer::header`] says otherwise.
    pub fn begin(spec: &'a Spec, mti: [u8; MTI_LEN], out: &'a mut BytesMut) -> Self {
        let start = out.len();
        out.reserve(512);
        out.put_bytes(0, spec.header_len());
        spec.mti.write(mti, out);
        let maps = match spec.bitmaps {
            Bitmaps::Single | Bitmaps::Auto => 1,
            Bitmaps::Always128 => 2,
        };
        out.put_bytes(0, maps * spec.bitmap.width(8));
        Self {
            spec,
            out,
            start,
            present: Present::default(),
            last: 1,
            maps,
            after_65: None,
            third_at: None,
            keeps_third: false,
        }
    }

    /// Says what stands in front of the MTI.
    ///
    /// Errors: another length than the spec has.
    pub fn header(&mut self, header: &[u8]) -> Result<(), PackError> {
        let (have, allowed) = (header.len(), self.spec.header_len());
        if have != allowed {
            return Err(PackError::Length { field: HEADER, have, allowed });
        }
        self.out[self.start..self.start + have].copy_from_slice(header);
        Ok(())
    }

    /// Sets a bit that announces a bitmap, 1 or 65, although no field of that bitmap may follow; said
    /// before the first field.
    ///
    /// Errors: [`PackError::UndefinedField`] where the bit announces no bitmap in this format.
    pub fn keep_bitmap(&mut self, bit: u8) -> Result<(), PackError> {
        match (bit, self.spec.bitmaps, self.spec.third) {
            (BITMAP, Bitmaps::Always128, _) => self.present.insert(BITMAP),
            (BITMAP, Bitmaps::Auto, _) => self.make_room(THIRD),
            (THIRD, _, ThirdBitmap::Contiguous | ThirdBitmap::InField65) => self.keeps_third = true,
            (_, _, _) => return Err(PackError::UndefinedField { field: bit }),
        }
        Ok(())
    }

    /// Appends a field with its content: characters in ISO 8859-1, or bytes where the field is
    /// bytes or made of parts. Encoding and length are the spec's.
    pub fn put(&mut self, number: u8, content: &[u8]) -> Result<(), PackError> {
        let field = *self.announce(number)?;
        field.check(number, content)?;
        self.make_room(number);
        field.write(content, self.out);
        self.note(number);
        Ok(())
    }

    /// Appends a field if there is content for it.
    pub fn put_opt(&mut self, number: u8, content: Option<&[u8]>) -> Result<(), PackError> {
        content.map_or(Ok(()), |content| self.put(number, content))
    }

    /// Appends a field if its text is not empty; empty stands for "not known".
    pub fn put_known(&mut self, number: u8, text: &[u8]) -> Result<(), PackError> {
        if text.is_empty() { Ok(()) } else { self.put(number, text) }
    }

    /// Appends a field of fixed length with a number, zeros in front.
    pub fn put_number(&mut self, number: u8, value: u64) -> Result<(), PackError> {
        let field = *self.announce(number)?;
        let mut digits = [b'0'; 20];
        let rest = write_digits_u64(&mut digits, value);
        let len = fixed_len(&field);
        let significant = digits.len() - rest;
        if len > digits.len() || significant > len {
            return Err(PackError::Length { field: number, have: significant, allowed: len });
        }
        let from = digits.len() - len;
        self.put(number, &digits[from..])
    }

    /// Appends a field of fixed length with a text, spaces behind.
    pub fn put_padded(&mut self, number: u8, text: &[u8]) -> Result<(), PackError> {
        let field = *self.announce(number)?;
        let len = fixed_len(&field);
        if text.len() > len {
            return Err(PackError::Length { field: number, have: text.len(), allowed: len });
        }
        field.check_content(number, text)?;
        self.make_room(number);
        let at = self.out.len();
        self.out.put_slice(text);
        self.out.put_bytes(b' ', len - text.len());
        self.note(number);
        self.rewrite(&field, at)
    }

    /// Appends a field of variable length whose characters `write` appends to the buffer; nothing
    /// is appended when it writes nothing.
    pub fn put_with(
        &mut self,
        number: u8,
        write: impl FnOnce(&mut BytesMut) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let field = *self.announce(number)?;
        let Length::Variable(prefix) = field.length else {
            return Err(PackError::Length { field: number, have: 0, allowed: fixed_len(&field) });
        };
        self.make_room(number);
        let at = self.out.len();
        self.out.put_bytes(0, prefix.width());
        let content_at = self.out.len();
        let written = write(self.out).and_then(|()| field.check(number, &self.out[content_at..]));
        let len = self.out.len() - content_at;
        if written.is_err() || len == 0 {
            self.out.truncate(at);
            return written;
        }
        prefix.write(field.counted(prefix, len), &mut self.out[at..content_at]);
        self.note(number);
        self.rewrite(&field, content_at)
    }

    /// Turns the characters from `at` on into the field's encoding.
    fn rewrite(&mut self, field: &Field, at: usize) -> Result<(), PackError> {
        if field.is_plain() {
            return Ok(());
        }
        let characters = self.out.split_off(at);
        field.encode(&characters, self.out);
        Ok(())
    }

    /// Writes the bitmaps; the message is complete.
    pub fn finish(mut self) {
        if self.keeps_third {
            self.make_room_above(FIELD_MAX);
        }
        let width = self.spec.bitmap.width(8);
        if let Some(at) = self.third_at {
            let third = self.present.0[2].to_be_bytes();
            self.spec.bitmap.write(&third, &mut self.out[at..at + width]);
        }
        if self.maps > 1 && self.spec.bitmaps == Bitmaps::Auto {
            self.present.insert(1);
        }
        if self.maps > 2 || self.third_at.is_some() {
            self.present.insert(THIRD);
        }
        let at = self.start + self.spec.header_len() + self.spec.mti.width();
        for (map, word) in self.present.0.into_iter().enumerate().take(self.maps) {
            let from = at + map * width;
            self.spec.bitmap.write(&word.to_be_bytes(), &mut self.out[from..from + width]);
        }
        self.start = self.out.len();
    }

    fn announce(&self, number: u8) -> Result<&'a Field, PackError> {
        if number <= self.last {
            return Err(PackError::OutOfOrder { field: number, after: self.last });
        }
        let reached = match self.spec.bitmaps {
            Bitmaps::Single => 64,
            Bitmaps::Auto | Bitmaps::Always128 => FIELD_MAX,
        };
        let field = self.spec.field(number).filter(|_| number <= reached);
        field.ok_or(PackError::UndefinedField { field: number })
    }

    /// The first field above 64, and above 128, makes room for another bitmap.
    #[inline]
    fn make_room(&mut self, number: u8) {
        if number > 64 {
            self.make_room_above(number);
        }
    }

    fn make_room_above(&mut self, number: u8) {
        let width = self.spec.bitmap.width(8);
        let maps_at = self.start + self.spec.header_len() + self.spec.mti.width();
        if self.maps == 1 {
            self.insert(maps_at + width, width);
            self.maps = 2;
        }
        if number == THIRD {
            return;
        }
        let after_65 = *self.after_65.get_or_insert(self.out.len());
        if number <= 128 || self.maps == 3 || self.third_at.is_some() {
            return;
        }
        match self.spec.third {
            ThirdBitmap::None => {}
            ThirdBitmap::Contiguous => {
                self.insert(maps_at + 2 * width, width);
                self.maps = 3;
            }
            ThirdBitmap::InField65 => {
                self.insert(after_65, width);
                self.third_at = Some(after_65);
            }
        }
    }

    /// Makes room of `len` bytes at a place in what is written.
    fn insert(&mut self, at: usize, len: usize) {
        let end = self.out.len();
        self.out.put_bytes(0, len);
        self.out.copy_within(at..end, at + len);
    }

    fn note(&mut self, number: u8) {
        self.present.insert(number);
        self.last = number;
    }
}

impl Drop for Packer<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.start);
    }
}

impl MtiEncoding {
    /// Whether four characters can be written: any, or in BCD hexadecimal ones.
    pub(super) fn can_write(self, mti: &[u8; MTI_LEN]) -> bool {
        self != Self::Bcd || mti.iter().all(|digit| hex_value(*digit).is_some())
    }

    fn write(self, mti: [u8; MTI_LEN], out: &mut BytesMut) {
        match self {
            Self::Ascii => out.put_slice(&mti),
            Self::Ebcdic(page) => out.put_slice(&mti.map(|digit| page.encode(digit))),
            Self::Bcd => {
                let [a, b, c, d] = mti.map(|digit| hex_value(digit).unwrap_or(0));
                out.put_slice(&[a << 4 | b, c << 4 | d]);
            }
        }
    }
}

impl BitmapEncoding {
    /// Writes a bitmap over `out`, which has its width.
    pub(super) fn write(self, map: &[u8], out: &mut [u8]) {
        let digit = |nibble: u8| HEX_DIGITS[usize::from(nibble & 0x0F)];
        match self {
            Self::Binary => out.copy_from_slice(map),
            Self::Hex | Self::EbcdicHex(_) => {
                for (pair, byte) in out.chunks_exact_mut(2).zip(map) {
                    let digits = [digit(byte >> 4), digit(*byte)];
                    pair.copy_from_slice(&match self {
                        Self::EbcdicHex(page) => digits.map(|digit| page.encode(digit)),
                        Self::Hex | Self::Binary => digits,
                    });
                }
            }
        }
    }
}

impl Field {
    /// Whether a content of characters or bytes is written as it is.
    #[inline]
    fn is_plain(&self) -> bool {
        let is_bytes = self.parts.is_some() && !self.is_hex();
        is_bytes || matches!(self.encoding, Encoding::Ascii | Encoding::Raw)
    }

    fn is_hex(&self) -> bool {
        matches!(self.encoding, Encoding::Hex | Encoding::EbcdicHex(_))
    }

    /// Whether a content fits.
    ///
    /// Shape: as [`Packer::put`] takes it.
    #[inline]
    pub(super) fn check(&self, number: u8, content: &[u8]) -> Result<(), PackError> {
        let have = content.len();
        let (allowed, fits) = match self.length {
            Length::Fixed(units) => (usize::from(units), have == usize::from(units)),
            Length::Variable(prefix) => {
                let max = usize::try_from(prefix.max).unwrap_or(usize::MAX);
                let counted = usize::try_from(self.counted(prefix, have)).unwrap_or(usize::MAX);
                (max, counted <= max)
            }
        };
        if !fits || self.is_ambiguous(have) {
            return Err(PackError::Length { field: number, have, allowed });
        }
        self.check_content(number, content)
    }

    /// Whether an odd number of digits could not be told from an even one that begins or ends with
    /// the filler, because the prefix counts bytes.
    fn is_ambiguous(&self, units: usize) -> bool {
        let (Length::Variable(prefix), Encoding::Bcd(bcd)) = (self.length, self.encoding) else {
            return false;
        };
        prefix.counts == Counts::Bytes && bcd.filler() < 10 && !units.is_multiple_of(2)
    }

    #[inline]
    fn check_content(&self, number: u8, content: &[u8]) -> Result<(), PackError> {
        if self.parts.is_some() {
            return Ok(());
        }
        let violation = self.content.first_violation(content).or_else(|| match self.encoding {
            Encoding::Bcd(bcd) => bcd.first_unwritable(content),
            Encoding::SignedBcd(bcd) => {
                let digits = content.get(1..).unwrap_or_default();
                bcd.first_unwritable(digits).map(|at| at + 1)
            }
            Encoding::Ascii
            | Encoding::Ebcdic(_)
            | Encoding::Raw
            | Encoding::Hex
            | Encoding::EbcdicHex(_) => None,
        });
        match violation.filter(|_| !self.encoding.is_bytes()) {
            None => Ok(()),
            Some(at) => Err(PackError::Content { field: number, at }),
        }
    }

    /// Appends length and content, which fits.
    #[inline]
    pub(super) fn write(&self, content: &[u8], out: &mut BytesMut) {
        if let Length::Variable(prefix) = self.length {
            let mut text = [0; 6];
            let text = &mut text[..prefix.width()];
            prefix.write(self.counted(prefix, content.len()), text);
            out.put_slice(text);
        }
        self.write_bare(content, out);
    }

    /// Appends a content, which fits, without a length.
    #[inline]
    pub(super) fn write_bare(&self, content: &[u8], out: &mut BytesMut) {
        if self.is_plain() { out.put_slice(content) } else { self.encode(content, out) }
    }

    fn encode(&self, content: &[u8], out: &mut BytesMut) {
        let hex = |byte: &u8| [byte >> 4, byte & 0x0F].map(|half| HEX_DIGITS[usize::from(half)]);
        match self.encoding {
            Encoding::Ascii | Encoding::Raw => out.put_slice(content),
            Encoding::Ebcdic(page) => out.extend(content.iter().map(|byte| page.encode(*byte))),
            Encoding::Hex => out.extend(content.iter().flat_map(hex)),
            Encoding::EbcdicHex(page) => {
                out.extend(content.iter().flat_map(hex).map(|digit| page.encode(digit)));
            }
            Encoding::Bcd(bcd) => bcd.write(content, out),
            Encoding::SignedBcd(bcd) => {
                let (sign, digits) = content.split_at(content.len().min(1));
                out.put_slice(sign);
                bcd.write(digits, out);
            }
        }
    }
}

impl Bcd {
    fn first_unwritable(self, characters: &[u8]) -> Option<usize> {
        characters.iter().position(|character| self.nibble(*character).is_none())
    }

    /// Appends characters as half bytes, filled up to whole bytes.
    fn write(self, characters: &[u8], out: &mut BytesMut) {
        let is_odd = !characters.len().is_multiple_of(2);
        let filler = |odd: bool| (is_odd && odd).then(|| self.filler());
        let is_left = matches!(self.odd, Odd::Left(_));
        let digits = characters.iter().map(|character| self.nibble(*character).unwrap_or(0));
        let mut nibbles = filler(is_left).into_iter().chain(digits).chain(filler(!is_left));
        while let (Some(high), Some(low)) = (nibbles.next(), nibbles.next()) {
            out.put_u8(high << 4 | low);
        }
    }
}

fn fixed_len(field: &Field) -> usize {
    match field.length {
        Length::Fixed(units) => usize::from(units),
        Length::Variable(_) => 0,
    }
}

/// Writes a number right-aligned and returns where its first significant digit is.
fn write_digits_u64(slots: &mut [u8; 20], value: u64) -> usize {
    let mut rest = value;
    let mut at = slots.len();
    while rest > 0 {
        at -= 1;
        slots[at] = b'0' + u8::try_from(rest % 10).expect("invariant: one digit");
        rest /= 10;
    }
    at
}

#[cfg(test)]
mod tests;
