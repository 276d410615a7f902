//! Finding the fields of a message: one pass, no copy, no heap.

use super::BITMAP;
use super::field::Encoding;
use super::spec::{FIELDS, Spec, THIRD, ThirdBitmap, Trailing};
use crate::error::{DecodeError, ErrorKind};

mod head;
mod locate;
mod present;
mod resume;
mod walk;

pub(super) use locate::Found;
pub(super) use present::Present;
pub(super) use walk::Walk;

use walk::{Check, Walked, find};

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
        Self { mti: UNREAD_MTI, present: Present::default(), slots }
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
/// What stands for an MTI that could not be read.
const UNREAD_MTI: [u8; MTI_LEN] = *b"????";

impl Index {
    /// The MTI's four digits; question marks where it could not be read.
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

impl Spec {
    /// Finds every field of a message and checks lengths and content classes.
    ///
    /// Errors: the first thing that is wrong, with field and offset; `index` then holds the fields
    ///         that could be read – also those behind a field whose content alone is wrong, or
    ///         whose end cannot be told where they say themselves where they begin – so that an
    ///         error answer can name the request.
    pub fn index(&self, bytes: &[u8], index: &mut Index) -> Result<(), DecodeError> {
        index.present = Present::default();
        index.mti = UNREAD_MTI;
        let (mut present, start) = self.head(bytes, &mut index.mti)?;
        let mut walked = Walked {
            at: start,
            last: BITMAP,
            run_start: start,
            run_check: Check::Nothing,
            clean: true,
            has_third: start > self.head_len(2),
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
        self.walk_word(bytes, 0, present, index, walked)?;
        if present.0[1] != 0 {
            self.walk_word(bytes, 1, present, index, walked)?;
        }
        // The second bitmap's fields may have announced it.
        if present.0[2] != 0 {
            self.walk_word(bytes, 2, present, index, walked)?;
        }
        walked.check_run(bytes, Check::Nothing, 0);
        let Walked { at, last, .. } = *walked;
        if at < bytes.len() && self.trailing == Trailing::Refused {
            // The third bitmap is the last thing read where no field is.
            let last = if walked.has_third && last == BITMAP { THIRD } else { last };
            return Err(ErrorKind::Trailing.at(last, at, 0, bytes.len() - at));
        }
        Ok(())
    }

    /// The fields of one bitmap, counted from 0.
    #[inline]
    fn walk_word(
        &self,
        bytes: &[u8],
        word: u8,
        present: &mut Present,
        index: &mut Index,
        walked: &mut Walked,
    ) -> Result<(), DecodeError> {
        let base = 1 + 64 * word;
        let mut rest = present.0[usize::from(word)];
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
        if let Err(error) = &result {
            self.resume(bytes, present, error, index);
        }
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
        field.units_before(bytes, range)
    }

    #[inline]
    fn is_clean(&self, number: u8, bytes: &[u8], content: std::ops::Range<usize>) -> bool {
        let Some(field) = self.field(number) else { return true };
        if field.encoding == Encoding::Ascii {
            return field.content.first_violation(&bytes[content]).is_none();
        }
        let units = field.units_before(bytes, content.clone()).unwrap_or_default();
        field.first_violation(&bytes[content], units).is_none()
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
            present.0[2] = self.bitmap.read_word(bytes, at).map_err(|error| {
                // The fields before it could be read.
                DecodeError { field: THIRD, ..error }
            })?;
            return Ok((at, at + self.bitmap.width(8)));
        }
        let Some(field) = self.field(number) else {
            return Err(ErrorKind::UndefinedField.at(number, at, 0, 0));
        };
        field.find(number, bytes, at).map(|found| (found.start, found.end))
    }
}

/// Bit 1 of a bitmap announces the next one.
const BITMAP_BIT: u64 = 1 << 63;

/// Within [`MESSAGE_LEN_MAX`] offsets and lengths fit.
#[inline]
fn slot(start: usize, end: usize) -> Slot {
    let fit = |value| u16::try_from(value).expect("invariant: messages are at most 65535 long");
    Slot { offset: fit(start), len: fit(end - start) }
}

#[cfg(test)]
mod tests;
