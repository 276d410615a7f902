//! Reading fields as the types of the core.

use std::ops::RangeInclusive;

use router::id::Stan;
use router::money::{Currency, Money};
use router::reason::Reason;
use router::text::Text;

use super::MapError;
use crate::iso8583::index::Index;

/// A message and its index.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub index: &'a Index,
    pub bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn field(self, field: u8) -> Option<&'a [u8]> {
        self.index.field(self.bytes, field)
    }

    pub fn required(self, field: u8) -> Result<&'a [u8], MapError> {
        self.field(field)
            .filter(|content| !content.is_empty())
            .ok_or_else(|| self.fault(Reason::FormatError, field, "needed and not there"))
    }

    /// The text without the spaces that pad it; empty where the field is not there.
    pub fn text<const MAX: usize>(self, field: u8) -> Result<Text<MAX>, MapError> {
        let content = self.field(field).unwrap_or_default().trim_ascii_end();
        Text::from_ascii(content)
            .map_err(|_| self.fault(Reason::FormatError, field, "longer than can be taken"))
    }

    /// The text of a field the message cannot do without.
    pub fn required_text<const MAX: usize>(self, field: u8) -> Result<Text<MAX>, MapError> {
        self.required(field)?;
        self.text(field)
    }

    /// The text, where the field is there and not blank.
    pub fn known_text<const MAX: usize>(self, field: u8) -> Result<Option<Text<MAX>>, MapError> {
        self.text(field).map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    /// DE11.
    pub fn stan(self) -> Result<Stan, MapError> {
        let number = digits(self.required(11)?).and_then(|number| u32::try_from(number).ok());
        number
            .and_then(Stan::new)
            .ok_or_else(|| self.fault(Reason::FormatError, 11, "not a number of six digits"))
    }

    /// DE7, MMDDhhmmss.
    pub fn transmission_time(self) -> Result<Text<10>, MapError> {
        let text: Text<10> = self.required_text(7)?;
        let is_instant = text.len() == 10
            && is_month_and_day(&text.as_bytes()[..4])
            && is_time(&text.as_bytes()[4..]);
        if is_instant {
            Ok(text)
        } else {
            Err(self.fault(Reason::FormatError, 7, "not MMDDhhmmss"))
        }
    }

    /// DE12, hhmmss; empty where it is not there.
    pub fn local_time(self) -> Result<Text<6>, MapError> {
        self.checked(12, is_time, "not hhmmss")
    }

    /// DE13, MMDD; empty where it is not there.
    pub fn local_date(self) -> Result<Text<4>, MapError> {
        self.checked(13, is_month_and_day, "not MMDD")
    }

    /// DE14, YYMM, where it is there and not blank.
    pub fn expiry(self) -> Result<Option<Text<4>>, MapError> {
        let is_expiry = |text: &[u8]| text.len() == 4 && is_within(&text[2..], 1..=12);
        let text = self.checked(14, is_expiry, "not YYMM")?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A text that is empty or passes a test.
    fn checked<const MAX: usize>(
        self,
        field: u8,
        fits: impl Fn(&[u8]) -> bool,
        expected: &'static str,
    ) -> Result<Text<MAX>, MapError> {
        let text: Text<MAX> = self.text(field)?;
        if text.is_empty() || fits(text.as_bytes()) {
            return Ok(text);
        }
        Err(self.fault(Reason::FormatError, field, expected))
    }

    /// DE4 in the currency of DE49.
    ///
    /// Errors: a missing field, an unknown currency, an amount of zero.
    pub fn amount(self) -> Result<Money, MapError> {
        let minor = self.amount_minor()?;
        let currency = currency(self.required(49)?)
            .ok_or_else(|| self.fault(Reason::CurrencyNotAllowed, 49, "currency is not known"))?;
        if minor == 0 {
            return Err(self.fault(Reason::AmountInvalid, 4, "an amount must be more than zero"));
        }
        Ok(Money::new(minor, currency))
    }

    /// DE4 alone, which may be zero.
    ///
    /// Errors: a missing field, or one that is no amount.
    pub fn amount_minor(self) -> Result<i64, MapError> {
        digits(self.required(4)?)
            .ok_or_else(|| self.fault(Reason::AmountInvalid, 4, "not an amount"))
    }

    pub fn fault(self, reason: Reason, field: u8, detail: &'static str) -> MapError {
        let offset = self.index.offset_of(field).unwrap_or(0);
        MapError { reason, field, offset, detail }
    }
}

/// A number of up to 18 digits.
pub(super) fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

/// hhmmss. A second of 60 is a leap second.
fn is_time(text: &[u8]) -> bool {
    text.len() == 6
        && is_within(&text[..2], 0..=23)
        && is_within(&text[2..4], 0..=59)
        && is_within(&text[4..], 0..=60)
}

/// MMDD of any year: 29 February exists.
fn is_month_and_day(text: &[u8]) -> bool {
    const DAYS: [i64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let Some((month, day)) = text.split_at_checked(2) else { return false };
    let days = digits(month).and_then(|month| usize::try_from(month - 1).ok());
    days.and_then(|month| DAYS.get(month)).is_some_and(|days| is_within(day, 1..=*days))
}

fn is_within(text: &[u8], bounds: RangeInclusive<i64>) -> bool {
    digits(text).is_some_and(|number| bounds.contains(&number))
}

fn currency(code: &[u8]) -> Option<Currency> {
    Currency::from_numeric(u16::try_from(digits(code)?).ok()?)
}
