//! Finding the fields of a message: one pass, no copy, no heap.

use super::content::{all_digits, first_not_hex};
use super::spec::{Bitmap, Field, Length, Spec};
use super::{BITMAP, MTI};
use crate::error::{DecodeError, ErrorKind};

/// Where the fields of one message are.
///
/// It borrows nothing: offsets into the message it was made from, which every reader passes again.
#[derive(Clone)]
pub struct Index {
    /// Bit `128 - n` is field n.
    present: u128,
    /// Offset and length by field number; meaningful only where `present` says so.
    slots: [Slot; 129],
}

#[derive(Clone, Copy, Default)]
struct Slot {
    offset: u16,
    len: u16,
}

impl Default for Index {
    fn default() -> Self {
        Self { present: 0, slots: [Slot::default(); 129] }
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.fields()).finish()
    }
}

/// Longest message that is indexed; longer ones are refused whole.
pub const MESSAGE_LEN_MAX: usize = 65_535;

/// Length of the MTI.
const MTI_LEN: usize = 4;

fn bit(field: u8) -> u128 {
    1 << (128 - u32::from(field))
}

impl Index {
    /// The MTI's four digits.
    #[inline]
    pub fn mti(bytes: &[u8]) -> Option<[u8; MTI_LEN]> {
        bytes.first_chunk().copied()
    }

    /// Whether the message has the field.
    #[inline]
    pub fn has(&self, field: u8) -> bool {
        (2..=128).contains(&field) && self.present & bit(field) != 0
    }

    /// The content of a field, without its length prefix; as it is on the wire.
    ///
    /// Shape: `bytes` is the message the index was made from.
    #[inline]
    pub fn field<'a>(&self, bytes: &'a [u8], field: u8) -> Option<&'a [u8]> {
        let range = self.range(field)?;
        bytes.get(range)
    }

    /// Where the content of a field begins.
    pub fn offset_of(&self, field: u8) -> Option<usize> {
        self.range(field).map(|range| range.start)
    }

    /// The fields there are, ascending; the bitmap itself is none.
    pub fn fields(&self) -> impl Iterator<Item = u8> + use<> {
        let mut rest = self.present;
        std::iter::from_fn(move || next_field(&mut rest))
    }

    #[inline]
    fn range(&self, field: u8) -> Option<std::ops::Range<usize>> {
        if !self.has(field) {
            return None;
        }
        let Slot { offset, len } = self.slots[usize::from(field)];
        let start = usize::from(offset);
        Some(start..start + usize::from(len))
    }
}

/// Fields whose content is not of their class.
#[derive(Default)]
struct Spoiled {
    fields: u128,
    first: Option<DecodeError>,
}

/// The fields of `present` below `field`.
fn before(present: u128, field: u8) -> u128 {
    present & !(u128::MAX >> (u32::from(field) - 1))
}

#[inline]
fn next_field(rest: &mut u128) -> Option<u8> {
    if *rest == 0 {
        return None;
    }
    let zeros = rest.leading_zeros();
    *rest &= !(1 << (127 - zeros));
    Some(u8::try_from(zeros + 1).expect("invariant: 1 to 128"))
}

impl Spec {
    /// Finds every field of a message and checks lengths and content classes.
    ///
    /// Errors: the first thing that is wrong, with field and offset; `index` then holds the fields
    ///         that could be read – also those behind a field whose content alone is wrong – so
    ///         that an error answer can name the request.
    pub fn index(&self, bytes: &[u8], index: &mut Index) -> Result<(), DecodeError> {
        index.present = 0;
        let (present, start) = self.head(bytes)?;
        let mut spoiled = Spoiled::default();
        let scanned = self.scan(bytes, present, start, index, &mut spoiled);
        let reached = match &scanned {
            Ok(()) => present,
            Err(error) if error.kind == ErrorKind::Trailing => present,
            Err(error) => before(present, error.field),
        };
        index.present = reached & !spoiled.fields;
        spoiled.first.map_or(scanned, Err)
    }

    /// The fields of `present`, the first of which begins at `start`.
    #[inline]
    fn scan(
        &self,
        bytes: &[u8],
        present: u128,
        start: usize,
        index: &mut Index,
        spoiled: &mut Spoiled,
    ) -> Result<(), DecodeError> {
        let mut at = start;
        let mut rest = present;
        let mut last = BITMAP;
        while let Some(number) = next_field(&mut rest) {
            let Some(field) = self.field(number) else {
                return Err(error(ErrorKind::UndefinedField, number, at, 0, 0));
            };
            let (start, end) = find(field, number, bytes, at)?;
            let content = &bytes[start..end];
            if let Some(position) = field.first_violation(content) {
                // Its length is known all the same: what follows can still be read.
                let fault = error(ErrorKind::BadContent, number, start + position, 0, 0);
                spoiled.first.get_or_insert(fault);
                spoiled.fields |= 1 << (128 - u32::from(number));
            }
            index.slots[usize::from(number)] = slot(start, content.len());
            at = end;
            last = number;
        }
        if at < bytes.len() {
            return Err(error(ErrorKind::Trailing, last, at, 0, bytes.len() - at));
        }
        Ok(())
    }

    /// MTI and bitmaps: the fields there are, and where they begin.
    fn head(&self, bytes: &[u8]) -> Result<(u128, usize), DecodeError> {
        let Some(mti) = bytes.get(..MTI_LEN) else {
            return Err(error(ErrorKind::ShortData, MTI, 0, MTI_LEN, bytes.len()));
        };
        if bytes.len() > MESSAGE_LEN_MAX {
            return Err(error(ErrorKind::TooLong, MTI, 0, MESSAGE_LEN_MAX, bytes.len()));
        }
        if !all_digits(mti) {
            let position = mti.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(0);
            return Err(error(ErrorKind::BadContent, MTI, position, 0, 0));
        }
        let width = self.bitmap.width();
        let primary = read_bitmap(self.bitmap, bytes, MTI_LEN)?;
        if primary >> 63 == 0 {
            return Ok((u128::from(primary) << 64, MTI_LEN + width));
        }
        let secondary = read_bitmap(self.bitmap, bytes, MTI_LEN + width)?;
        let present = u128::from(primary & (u64::MAX >> 1)) << 64 | u128::from(secondary);
        Ok((present, MTI_LEN + 2 * width))
    }
}

#[inline]
fn read_bitmap(kind: Bitmap, bytes: &[u8], at: usize) -> Result<u64, DecodeError> {
    let width = kind.width();
    let Some(text) = bytes.get(at..at + width) else {
        return Err(error(ErrorKind::BadBitmap, BITMAP, at, width, bytes.len() - at));
    };
    if let (Bitmap::Binary, Some(raw)) = (kind, text.first_chunk()) {
        return Ok(u64::from_be_bytes(*raw));
    }
    if let Some(position) = first_not_hex(text) {
        return Err(error(ErrorKind::BadBitmap, BITMAP, at + position, 0, 0));
    }
    Ok(text.iter().fold(0, |bits, byte| {
        bits << 4 | u64::from(char::from(*byte).to_digit(16).expect("invariant: checked above"))
    }))
}

/// Start and end of a field's content.
#[inline]
fn find(field: &Field, number: u8, bytes: &[u8], at: usize) -> Result<(usize, usize), DecodeError> {
    let (start, length) = match field.length {
        Length::Fixed(length) => (at, usize::from(length)),
        Length::Variable { max, digits } => {
            let width = usize::from(digits);
            let Some(prefix) = bytes.get(at..at + width) else {
                return Err(error(ErrorKind::ShortLength, number, at, width, bytes.len() - at));
            };
            let Some(length) = read_digits(prefix) else {
                return Err(error(ErrorKind::BadLength, number, at, 0, 0));
            };
            if length > usize::from(max) {
                return Err(error(ErrorKind::TooLong, number, at, usize::from(max), length));
            }
            (at + width, length)
        }
    };
    let end = start + field.wire_len(length);
    if end > bytes.len() {
        return Err(error(ErrorKind::ShortData, number, start, end - start, bytes.len() - start));
    }
    Ok((start, end))
}

#[inline]
fn read_digits(prefix: &[u8]) -> Option<usize> {
    prefix.iter().try_fold(0, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + usize::from(digit))
    })
}

/// Within [`MESSAGE_LEN_MAX`] offsets and lengths fit.
#[inline]
fn slot(start: usize, len: usize) -> Slot {
    let fit = |value| u16::try_from(value).expect("invariant: messages are at most 65535 long");
    Slot { offset: fit(start), len: fit(len) }
}

#[inline]
fn error(kind: ErrorKind, field: u8, offset: usize, need: usize, have: usize) -> DecodeError {
    DecodeError { kind, field, offset, need, have }
}

#[cfg(test)]
mod tests;
