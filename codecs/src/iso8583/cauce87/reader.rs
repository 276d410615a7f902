//! Reading fields as the types of the core.

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

    /// DE4 in the currency of DE49.
    ///
    /// Errors: a missing field, an unknown currency, an amount of zero.
    pub fn amount(self) -> Result<Money, MapError> {
        let minor = digits(self.required(4)?)
            .ok_or_else(|| self.fault(Reason::AmountInvalid, 4, "not an amount"))?;
        let currency = currency(self.required(49)?)
            .ok_or_else(|| self.fault(Reason::CurrencyNotAllowed, 49, "currency is not known"))?;
        if minor == 0 {
            return Err(self.fault(Reason::AmountInvalid, 4, "an amount must be more than zero"));
        }
        Ok(Money::new(minor, currency))
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

fn currency(code: &[u8]) -> Option<Currency> {
    Currency::from_numeric(u16::try_from(digits(code)?).ok()?)
}
