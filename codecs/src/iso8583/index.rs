//! Finding the fields of a message: one pass, no copy, no heap.

use super::content::{self, Content};
use super::field::{Bcd, Encoding, Field, Length, Odd, Prefix, PrefixEncoding};
use super::spec::{BitmapEncoding, Bitmaps, FIELDS, MtiEncoding, Spec, ThirdBitmap, Trailing};
use super::{BITMAP, MTI};
use crate::error::{DecodeError, ErrorKind, HEADER};

/// Where the fields of one message are.
///
/// It borrows nothing: offsets into the message it was made from, which every reader passes again.
#[derive(Clone)]
pub struct Index {
    mti: [u8; MTI_LEN],
    present: Present,
    /// Offset and length by field number; meaningful only where `present` says so.
    slots: [Slot; FIELDS],
}

#[derive(Clone, Copy, Default)]
struct Slot {
    offset: u16,
    len: u16,
}

impl Default for Index {
    fn default() -> Self {
        let slots = [Slot::default(); FIELDS];
        Self { mti: [b'0'; MTI_LEN], present: Present::default(), slots }
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.fields()).finish()
    }
}

/// Longest message that is indexed; longer ones are refused whole.
pub const MESSAGE_LEN_MAX: usize = 65_535;

/// Digits of the MTI.
const MTI_LEN: usize = 4;

/// A set of fields: bit 63 of the first word is field 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Present(pub(super) [u64; 3]);

impl Present {
    #[inline]
    fn place(field: u8) -> (usize, u64) {
        let bit = usize::from(field.wrapping_sub(1));
        (bit / 64, 1 << 63 >> (bit % 64))
    }

    #[inline]
    pub(super) fn has(&self, field: u8) -> bool {
        let (word, bit) = Self::place(field);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    #[inline]
    pub(super) fn insert(&mut self, field: u8) {
        let (word, bit) = Self::place(field);
        self.0[word] |= bit;
    }

    #[inline]
    fn remove(&mut self, field: u8) {
        let (word, bit) = Self::place(field);
        self.0[word] &= !bit;
    }

    /// The fields below one.
    fn below(mut self, field: u8) -> Self {
        let (word, bit) = Self::place(field);
        for (at, bits) in self.0.iter_mut().enumerate() {
            *bits &= match at.cmp(&word) {
                std::cmp::Ordering::Less => u64::MAX,
                std::cmp::Ordering::Equal => !(bit | (bit - 1)),
                std::cmp::Ordering::Greater => 0,
            };
        }
        self
    }

    /// The lowest field, taken out.
    #[inline]
    fn take(&mut self) -> Option<u8> {
        for (word, base) in self.0.iter_mut().zip([1, 65, 129]) {
            if *word != 0 {
                let zeros = word.leading_zeros();
                *word &= !(1 << 63 >> zeros);
                return u8::try_from(zeros + base).ok();
            }
        }
        None
    }
}

impl Index {
    /// The MTI's four digits; zeros where it could not be read.
    #[inline]
    pub fn mti(&self) -> [u8; MTI_LEN] {
        self.mti
    }

    /// Whether the message has the field.
    #[inline]
    pub fn has(&self, field: u8) -> bool {
        field > 1 && self.present.has(field)
    }

    /// The content of a field, without its length prefix; as it is on the wire.
    ///
    /// Shape: `bytes` is the message the index was made from.
    #[inline]
    pub fn field<'a>(&self, bytes: &'a [u8], field: u8) -> Option<&'a [u8]> {
        bytes.get(self.range(field)?)
    }

    /// Where the content of a field begins.
    pub fn offset_of(&self, field: u8) -> Option<usize> {
        self.range(field).map(|range| range.start)
    }

    /// The fields there are, ascending; the bitmaps are none.
    pub fn fields(&self) -> impl Iterator<Item = u8> + use<> {
        let mut rest = self.present;
        std::iter::from_fn(move || rest.take())
    }

    /// Where the content of a field is.
    #[inline]
    pub fn range(&self, field: u8) -> Option<std::ops::Range<usize>> {
        if !self.has(field) {
            return None;
        }
        let Slot { offset, len } = self.slots[usize::from(field)];
        let start = usize::from(offset);
        Some(start..start + usize::from(len))
    }
}

/// A field as the index walks over it: what matters for its length and content in eight bytes.
#[derive(Debug, Clone, Copy)]
#[repr(align(8))]
pub(super) struct Walk {
    prefix: WalkPrefix,
    /// Whether the length counts half bytes.
    halves: bool,
    check: Check,
    /// Whether the prefix, too, holds nothing but bytes of the checked kind.
    prefix_joins: bool,
    /// Whether the first half byte fills up an odd number of digits and is zero.
    leads_with_zero: bool,
    /// The length of a fixed content, or the greatest one.
    length: u16,
}

/// What stands in front of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WalkPrefix {
    /// Nothing.
    None,
    /// Two ASCII digits.
    Ascii2,
    /// Three ASCII digits.
    Ascii3,
    /// One byte of BCD.
    Bcd1,
    /// Two bytes of BCD.
    Bcd2,
    /// Anything else, or the field is not defined.
    Other,
}

/// How a content is checked. All but the last are checked over neighbouring fields of the same kind
/// at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Digits,
    Printable,
    AlphaNumeric,
    BcdDigits,
    Nothing,
    /// By itself.
    Alone,
}

impl Walk {
    pub(super) const UNDEFINED: Self = Self {
        prefix: WalkPrefix::Other,
        halves: false,
        check: Check::Nothing,
        prefix_joins: false,
        leads_with_zero: false,
        length: 0,
    };

    pub(super) fn of(field: &Field) -> Self {
        let check = Check::of(field);
        let walk = Self { check, ..Self::UNDEFINED };
        match field.length {
            Length::Fixed(units) => {
                let leads_with_zero = check == Check::BcdDigits && !units.is_multiple_of(2);
                match u16::try_from(field.wire_len(usize::from(units))) {
                    Ok(length) => Self {
                        prefix: WalkPrefix::None,
                        prefix_joins: true,
                        leads_with_zero,
                        length,
                        ..walk
                    },
                    Err(_) => walk,
                }
            }
            Length::Variable(prefix) => {
                let whole = field.wire_len(2) == 2 && field.counted(prefix, 2) == 2;
                let halves = field.wire_len(4) == 2 && field.counted(prefix, 4) == 4;
                match (WalkPrefix::of(prefix), u16::try_from(prefix.max)) {
                    (Some(kind), Ok(length)) if whole || halves => {
                        let prefix_joins = kind.joins(check);
                        Self { prefix: kind, halves, prefix_joins, length, ..walk }
                    }
                    _ => walk,
                }
            }
        }
    }
}

impl WalkPrefix {
    fn of(prefix: Prefix) -> Option<Self> {
        match (prefix.encoding, prefix.digits) {
            (PrefixEncoding::Ascii, 2) => Some(Self::Ascii2),
            (PrefixEncoding::Ascii, 3) => Some(Self::Ascii3),
            (PrefixEncoding::Bcd, 1 | 2) => Some(Self::Bcd1),
            (PrefixEncoding::Bcd, 3 | 4) => Some(Self::Bcd2),
            _ => None,
        }
    }

    fn joins(self, check: Check) -> bool {
        match self {
            Self::Ascii2 | Self::Ascii3 => {
                matches!(check, Check::Digits | Check::Printable | Check::AlphaNumeric)
            }
            Self::Bcd1 | Self::Bcd2 => check == Check::BcdDigits,
            Self::None => true,
            Self::Other => false,
        }
    }
}

impl Check {
    fn of(field: &Field) -> Self {
        match (field.encoding, field.content) {
            (Encoding::Hex | Encoding::EbcdicHex(_), _) => Self::Alone,
            (Encoding::Raw, _) | (_, Content::Any | Content::Binary) => Self::Nothing,
            (Encoding::Ascii, Content::Numeric) => Self::Digits,
            (Encoding::Ascii, Content::Text) => Self::Printable,
            (Encoding::Ascii, Content::AlphaNumeric) => Self::AlphaNumeric,
            (Encoding::Bcd(bcd), Content::Numeric) if field.is_all_digits(bcd) => Self::BcdDigits,
            (_, _) => Self::Alone,
        }
    }
}

impl Field {
    /// Whether every half byte of a BCD content is a digit, that which fills it up included.
    fn is_all_digits(&self, bcd: Bcd) -> bool {
        match self.length {
            Length::Fixed(digits) => digits.is_multiple_of(2) || bcd.odd == Odd::Left(0),
            // How many digits there are is only known once the prefix is read.
            Length::Variable(_) => false,
        }
    }
}

/// How far a walk has come.
struct Walked {
    at: usize,
    last: u8,
    /// Where the neighbouring contents of one kind begin that are still to be checked, and the kind.
    run_start: usize,
    run_check: Check,
    /// Whether no content broke its class.
    clean: bool,
}

impl Walked {
    /// Checks the contents up to `at`, and begins anew.
    #[inline]
    fn check_run(&mut self, bytes: &[u8], next: Check, next_start: usize) {
        let run = bytes.get(self.run_start..self.at).unwrap_or_default();
        self.clean &= match self.run_check {
            Check::Digits => content::all_digits(run),
            Check::Printable => content::all_printable(run),
            Check::AlphaNumeric => content::all_alphanumeric(run),
            Check::BcdDigits => content::all_bcd(run),
            Check::Nothing | Check::Alone => true,
        };
        (self.run_check, self.run_start) = (next, next_start);
    }
}

impl Spec {
    /// Finds every field of a message and checks lengths and content classes.
    ///
    /// Errors: the first thing that is wrong, with field and offset; `index` then holds the fields
    ///         that could be read – also those behind a field whose content alone is wrong – so
    ///         that an error answer can name the request.
    pub fn index(&self, bytes: &[u8], index: &mut Index) -> Result<(), DecodeError> {
        index.present = Present::default();
        index.mti = [b'0'; MTI_LEN];
        let (mut present, start) = self.head(bytes, &mut index.mti)?;
        let mut walked = Walked {
            at: start,
            last: BITMAP,
            run_start: start,
            run_check: Check::Nothing,
            clean: true,
        };
        let result = self.walk(bytes, &mut present, index, &mut walked);
        if result.is_ok() && walked.clean {
            index.present = present;
            return Ok(());
        }
        self.sort_out(bytes, present, index, result)
    }

    /// All fields of `present`.
    #[inline]
    fn walk(
        &self,
        bytes: &[u8],
        present: &mut Present,
        index: &mut Index,
        walked: &mut Walked,
    ) -> Result<(), DecodeError> {
        self.walk_word(bytes, present.0[0], 1, index, walked, present)?;
        if present.0[1] != 0 {
            self.walk_word(bytes, present.0[1], 65, index, walked, present)?;
        }
        if present.0[2] != 0 {
            self.walk_word(bytes, present.0[2], 129, index, walked, present)?;
        }
        walked.check_run(bytes, Check::Nothing, 0);
        let Walked { at, last, .. } = *walked;
        if at < bytes.len() && self.trailing == Trailing::Refused {
            return Err(ErrorKind::Trailing.at(last, at, 0, bytes.len() - at));
        }
        Ok(())
    }

    /// The fields of one bitmap, whose bit 1 is field `base`.
    #[inline]
    fn walk_word(
        &self,
        bytes: &[u8],
        bits: u64,
        base: u8,
        index: &mut Index,
        walked: &mut Walked,
        present: &mut Present,
    ) -> Result<(), DecodeError> {
        let mut rest = bits;
        while rest != 0 {
            let zeros = rest.leading_zeros();
            rest &= !(BITMAP_BIT >> zeros);
            let number = base + u8::try_from(zeros).expect("invariant: below 64");
            let walk = &self.walks[usize::from(number)];
            let at = walked.at;
            let (content, end) = match find(walk, bytes, at) {
                Some(found) => found,
                None => self.find_with_care(number, bytes, at, present)?,
            };
            index.slots[usize::from(number)] = slot(content, end);
            if walk.check != walked.run_check || !walk.prefix_joins {
                walked.check_run(bytes, walk.check, content);
            }
            if walk.check == Check::Alone {
                walked.clean &= self.is_clean(number, bytes, content..end);
            }
            if walk.leads_with_zero {
                walked.clean &= bytes.get(content).is_some_and(|first| *first < 0x10);
            }
            walked.at = end;
            walked.last = number;
        }
        Ok(())
    }

    /// Tells the first fault, and keeps what could be read.
    #[cold]
    fn sort_out(
        &self,
        bytes: &[u8],
        present: Present,
        index: &mut Index,
        result: Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        index.present = match result {
            Ok(()) => present,
            Err(error) if error.kind == ErrorKind::Trailing => present,
            Err(error) => present.below(error.field),
        };
        let mut first = None;
        let mut spoiled = Vec::new();
        for number in index.fields() {
            let fault = index.range(number).and_then(|range| {
                let units = self.units(index, bytes, number)?;
                let position = self.field(number)?.first_violation(&bytes[range.clone()], units)?;
                Some(ErrorKind::BadContent.at(number, range.start + position, 0, 0))
            });
            if fault.is_some() {
                spoiled.push(number);
            }
            first = first.or(fault);
        }
        spoiled.into_iter().for_each(|number| index.present.remove(number));
        first.map_or(result, Err)
    }

    /// The units of a field's content: characters, digits of BCD, or bytes of data.
    pub fn units(&self, index: &Index, bytes: &[u8], number: u8) -> Option<usize> {
        let range = index.range(number)?;
        let field = self.field(number)?;
        field.units_before(bytes, range.start)
    }

    fn is_clean(&self, number: u8, bytes: &[u8], content: std::ops::Range<usize>) -> bool {
        let Some(field) = self.field(number) else { return true };
        if field.encoding == Encoding::Ascii {
            return field.content.first_violation(&bytes[content]).is_none();
        }
        let units = field.units_before(bytes, content.start).unwrap_or_default();
        field.first_violation(&bytes[content], units).is_none()
    }

    /// Header, MTI and bitmaps: the fields there are, and where they begin.
    #[inline]
    fn head(&self, bytes: &[u8], mti: &mut [u8; MTI_LEN]) -> Result<(Present, usize), DecodeError> {
        let header_len = usize::from(self.header_len);
        if bytes.len() > MESSAGE_LEN_MAX {
            return Err(ErrorKind::TooLong.at(MTI, 0, MESSAGE_LEN_MAX, bytes.len()));
        }
        if bytes.len() < header_len {
            return Err(ErrorKind::ShortData.at(HEADER, 0, header_len, bytes.len()));
        }
        *mti = self.mti.read(bytes, header_len)?;
        let mut at = header_len + self.mti.width();
        let mut present = Present::default();
        let mut map = |word: usize, at: &mut usize| -> Result<u64, DecodeError> {
            let bits = self.bitmap.read_word(bytes, *at)?;
            present.0[word] = bits;
            *at += self.bitmap.width(8);
            Ok(bits)
        };
        let first = map(0, &mut at)?;
        let has_second = match self.bitmaps {
            Bitmaps::Single => false,
            Bitmaps::Auto => first >> 63 != 0,
            Bitmaps::Always128 => true,
        };
        if has_second && map(1, &mut at)? >> 63 != 0 && self.third == ThirdBitmap::Contiguous {
            map(2, &mut at)?;
        }
        present.0[0] &= !BITMAP_BIT;
        if self.third == ThirdBitmap::Contiguous {
            present.0[1] &= !BITMAP_BIT;
        }
        present.0[2] &= !BITMAP_BIT;
        Ok((present, at))
    }

    /// A field's content as the full rules have it, for fields that are not walked over fast.
    #[cold]
    #[inline(never)]
    fn find_with_care(
        &self,
        number: u8,
        bytes: &[u8],
        at: usize,
        present: &mut Present,
    ) -> Result<(usize, usize), DecodeError> {
        if number == THIRD && self.third == ThirdBitmap::InField65 {
            present.0[2] = self.bitmap.read_word(bytes, at)? & !BITMAP_BIT;
            return Ok((at, at + self.bitmap.width(8)));
        }
        let Some(field) = self.field(number) else {
            return Err(ErrorKind::UndefinedField.at(number, at, 0, 0));
        };
        field.find(number, bytes, at).map(|found| (found.start, found.end))
    }
}

/// The field that announces, or is, the third bitmap.
const THIRD: u8 = 65;
/// Bit 1 of a bitmap announces the next one.
const BITMAP_BIT: u64 = 1 << 63;

/// Start and end of the content of a field that is quickly found and well made.
#[inline]
fn find(walk: &Walk, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let (start, value) = match walk.prefix {
        WalkPrefix::None => (at, walk.length),
        WalkPrefix::Ascii2 => {
            let [tens, units] = *bytes.get(at..)?.first_chunk()?;
            (at + 2, digit(tens)? * 10 + digit(units)?)
        }
        WalkPrefix::Ascii3 => {
            let [hundreds, tens, units] = *bytes.get(at..)?.first_chunk()?;
            (at + 3, digit(hundreds)? * 100 + digit(tens)? * 10 + digit(units)?)
        }
        WalkPrefix::Bcd1 => (at + 1, packed(*bytes.get(at)?)?),
        WalkPrefix::Bcd2 => {
            let [high, low] = *bytes.get(at..)?.first_chunk()?;
            (at + 2, packed(high)? * 100 + packed(low)?)
        }
        WalkPrefix::Other => return None,
    };
    let len = if walk.halves { value.div_ceil(2) } else { value };
    let end = start + usize::from(len);
    (value <= walk.length && end <= bytes.len()).then_some((start, end))
}

/// The value of two digits of BCD.
#[inline]
fn packed(byte: u8) -> Option<u16> {
    let (tens, units) = (byte >> 4, byte & 0x0F);
    (tens < 10 && units < 10).then(|| u16::from(tens * 10 + units))
}

#[inline]
fn digit(byte: u8) -> Option<u16> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(u16::from(digit))
}

/// The content of a field on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub start: usize,
    pub end: usize,
    /// Characters, digits of BCD, or bytes of data.
    pub units: usize,
}

impl Field {
    /// Finds the content of this field, which begins at `at`.
    ///
    /// Errors: a length that is cut short, no number or too great; a content that is cut short.
    #[inline]
    pub(super) fn find(&self, number: u8, bytes: &[u8], at: usize) -> Result<Found, DecodeError> {
        let (start, units) = match self.length {
            Length::Fixed(units) => (at, usize::from(units)),
            Length::Variable(prefix) => {
                let width = prefix.width();
                let left = bytes.len().saturating_sub(at);
                let Some(text) = bytes.get(at..at + width) else {
                    return Err(ErrorKind::ShortLength.at(number, at, width, left));
                };
                let Some(value) = prefix.read(text) else {
                    return Err(ErrorKind::BadLength.at(number, at, 0, 0));
                };
                if value > prefix.max {
                    let [max, value] =
                        [prefix.max, value].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
                    return Err(ErrorKind::TooLong.at(number, at, max, value));
                }
                let Some(units) = self.units(prefix, value) else {
                    return Err(ErrorKind::BadLength.at(number, at, 0, 0));
                };
                (at + width, units)
            }
        };
        let (need, have) = (self.wire_len(units), bytes.len().saturating_sub(start));
        if need > have {
            return Err(ErrorKind::ShortData.at(number, start, need, have));
        }
        Ok(Found { start, end: start + need, units })
    }

    /// The units of a content that begins at `start`, by its length or the prefix before it.
    pub(super) fn units_before(&self, bytes: &[u8], start: usize) -> Option<usize> {
        match self.length {
            Length::Fixed(units) => Some(usize::from(units)),
            Length::Variable(prefix) => {
                let text = bytes.get(start.checked_sub(prefix.width())?..start)?;
                self.units(prefix, prefix.read(text)?)
            }
        }
    }
}

impl MtiEncoding {
    /// The MTI's digits.
    #[inline]
    fn read(self, bytes: &[u8], at: usize) -> Result<[u8; MTI_LEN], DecodeError> {
        let width = self.width();
        let Some(wire) = bytes.get(at..at + width) else {
            return Err(ErrorKind::ShortData.at(MTI, at, width, bytes.len() - at));
        };
        let mut digits = [b'0'; MTI_LEN];
        match self {
            Self::Ascii => digits.copy_from_slice(wire),
            Self::Ebcdic(page) => {
                digits.iter_mut().zip(wire).for_each(|(to, from)| *to = page.decode(*from));
            }
            Self::Bcd => {
                let nibbles = wire.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
                digits.iter_mut().zip(nibbles).for_each(|(to, nibble)| {
                    *to = content::HEX_DIGITS[usize::from(nibble)];
                });
            }
        }
        if content::all_digits(&digits) {
            return Ok(digits);
        }
        let position = digits.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(0);
        Err(ErrorKind::BadContent.at(MTI, at + position * width / MTI_LEN, 0, 0))
    }
}

impl BitmapEncoding {
    /// One bitmap of eight bytes.
    #[inline]
    fn read_word(self, bytes: &[u8], at: usize) -> Result<u64, DecodeError> {
        let rest = bytes.get(at..).unwrap_or_default();
        if let (Self::Binary, Some(raw)) = (self, rest.first_chunk()) {
            return Ok(u64::from_be_bytes(*raw));
        }
        if let (Self::Hex, Some([high, low])) = (self, rest.as_chunks::<8>().0.first_chunk()) {
            let words = content::hex_word(*high).zip(content::hex_word(*low));
            let (high, low) = words.ok_or(ErrorKind::BadBitmap.at(BITMAP, at, 0, 0))?;
            return Ok(u64::from(high) << 32 | u64::from(low));
        }
        let mut map = [0; 16];
        self.read(bytes, at, 8, &mut map)?;
        let word = map.first_chunk().copied().unwrap_or_default();
        Ok(u64::from_be_bytes(word))
    }

    /// A bitmap of `len` bytes, at most 16.
    pub(super) fn read(
        self,
        bytes: &[u8],
        at: usize,
        len: usize,
        map: &mut [u8; 16],
    ) -> Result<(), DecodeError> {
        let width = self.width(len);
        let have = bytes.len().saturating_sub(at);
        let Some(text) = bytes.get(at..at + width) else {
            return Err(ErrorKind::ShortData.at(BITMAP, at, width, have));
        };
        let bad = || ErrorKind::BadBitmap.at(BITMAP, at, 0, 0);
        match self {
            Self::Binary => map[..len].copy_from_slice(text),
            Self::Hex | Self::EbcdicHex(_) => {
                for (slot, pair) in map.iter_mut().zip(text.chunks_exact(2)) {
                    let value = |byte: u8| match self {
                        Self::EbcdicHex(page) => content::hex_value(page.decode(byte)),
                        Self::Hex | Self::Binary => content::hex_value(byte),
                    };
                    let [high, low] = [pair[0], pair[1]].map(value);
                    *slot = high.ok_or_else(bad)? << 4 | low.ok_or_else(bad)?;
                }
            }
        }
        Ok(())
    }
}

/// Within [`MESSAGE_LEN_MAX`] offsets and lengths fit.
#[inline]
fn slot(start: usize, end: usize) -> Slot {
    let fit = |value| u16::try_from(value).expect("invariant: messages are at most 65535 long");
    Slot { offset: fit(start), len: fit(end - start) }
}

#[cfg(test)]
mod tests;
