//! Finding the content of one field, by the full rules.

use crate::error::{DecodeError, ErrorKind};
use crate::iso8583::field::{Encoding, Field, Length};

/// The content of a field on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::iso8583) struct Found {
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
    pub(in crate::iso8583) fn find(
        &self,
        number: u8,
        bytes: &[u8],
        at: usize,
    ) -> Result<Found, DecodeError> {
        let (start, units) = match self.length {
            Length::Fixed(units) => (at, usize::from(units)),
            Length::Variable(prefix) => {
                let width = prefix.width();
                let left = bytes.len().saturating_sub(at);
                let Some(text) = bytes.get(at..at + width) else {
                    return Err(ErrorKind::ShortLength.at(number, at, width, left));
                };
                let Some(value) = prefix.read(text) else {
                    return Err(ErrorKind::BadLength.at(number, at, prefix.least(text), 0));
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
            // A sign that is there is read before the digits that are not.
            if matches!(self.encoding, Encoding::SignedBcd(_)) && have > 0 {
                return Err(ErrorKind::ShortData.at(number, start + 1, need - 1, have - 1));
            }
            return Err(ErrorKind::ShortData.at(number, start, need, have));
        }
        let end = start + need;
        let units = match self.length {
            Length::Fixed(_) => units,
            Length::Variable(prefix) => self.units_of(prefix, units, &bytes[start..end]),
        };
        Ok(Found { start, end, units })
    }

    /// The units of a content, by its length or the prefix before it.
    pub(in crate::iso8583) fn units_before(
        &self,
        bytes: &[u8],
        content: std::ops::Range<usize>,
    ) -> Option<usize> {
        match self.length {
            Length::Fixed(units) => Some(usize::from(units)),
            Length::Variable(prefix) => {
                let start = content.start.checked_sub(prefix.width())?;
                let text = bytes.get(start..content.start)?;
                let units = self.units(prefix, prefix.read(text)?)?;
                Some(self.units_of(prefix, units, bytes.get(content)?))
            }
        }
    }
}
