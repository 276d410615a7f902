//! Money: integer minor units with a currency. No floats, no silent overflow, no mixed sums.

use std::fmt;

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// From the alphabetic code, e.g. `MXN`. Case matters.
    ///
    /// Shape:  none for a code that no amount is in: `XXX` (no currency), `XTS` (tests), metals,
    ///         bond units and the like, to which the standard gives no minor unit.
    /// Source: ISO 4217, list one: "N.A." in the column of minor units.
    pub fn from_code(code: &str) -> Option<Self> {
        iso_currency::Currency::from_code(code).and_then(Self::of_amounts)
    }

    /// From the numeric code, e.g. 484; see [`Currency::from_code`].
    pub fn from_numeric(numeric: u16) -> Option<Self> {
        iso_currency::Currency::from_numeric(numeric).and_then(Self::of_amounts)
    }

    fn of_amounts(currency: iso_currency::Currency) -> Option<Self> {
        currency.exponent().map(|_| Self(currency))
    }

    /// The alphabetic code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The numeric code, 1..=999.
    pub fn numeric(self) -> u16 {
        self.0.numeric()
    }

    /// Digits after the decimal point.
    pub fn exponent(self) -> u16 {
        self.0.exponent().unwrap_or(0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

/// An amount in minor units of one currency. May be negative in ledgers, never in a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units (cents), signed.
    pub minor: i64,
    /// What they are units of.
    pub currency: Currency,
}

/// Why two amounts could not be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The two amounts are in different currencies.
    #[error("cannot combine {left} with {right}")]
    CurrencyMismatch {
        /// Currency on the left.
        left: Currency,
        /// Currency on the right.
        right: Currency,
    },
    /// The result does not fit 64 bits.
    #[error("amount overflows")]
    Overflow,
}

/// How a fraction of a minor unit is dropped. Always named by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// 0.5 goes away from zero.
    HalfUp,
    /// Towards zero.
    Down,
}

impl Money {
    /// An amount.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The sum of two amounts of one currency.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_add)
    }

    /// The difference of two amounts of one currency.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_sub)
    }

    /// The amount with its sign turned.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// A share of this amount.
    ///
    /// Shape:  `basis_points` in hundredths of one per cent; 300 is 3 %.
    /// Units:  minor units of this amount's currency, rounded once.
    /// Errors: `Overflow` when the result leaves i64.
    pub fn share(self, basis_points: u32, rounding: Rounding) -> Result<Self, MoneyError> {
        let scaled = i128::from(self.minor) * i128::from(basis_points);
        let rounded = match rounding {
            Rounding::Down => scaled / 10_000,
            Rounding::HalfUp => (scaled + scaled.signum() * 5_000) / 10_000,
        };
        let minor = i64::try_from(rounded).map_err(|_| MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    fn combine(
        self,
        other: Self,
        operation: fn(i64, i64) -> Option<i64>,
    ) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            let (left, right) = (self.currency, other.currency);
            return Err(MoneyError::CurrencyMismatch { left, right });
        }
        let minor = operation(self.minor, other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: self.currency })
    }
}

/// Major units with the currency's own number of digits: `512.00 MXN`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = u32::from(self.currency.exponent());
        let scale = 10_u64.pow(exponent);
        let magnitude = self.minor.unsigned_abs();
        let sign = if self.minor < 0 { "-" } else { "" };
        if exponent == 0 {
            return write!(f, "{sign}{magnitude} {}", self.currency);
        }
        let width = usize::from(self.currency.exponent());
        let (major, rest) = (magnitude / scale, magnitude % scale);
        write!(f, "{sign}{major}.{rest:0width$} {}", self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::from_code(code).expect("a currency"))
    }

    #[test]
    fn three_per_cent_rounds_half_up_once() {
        let three = |minor| money(minor, "VES").share(300, Rounding::HalfUp).map(|fee| fee.minor);
        assert_eq!(three(15_000), Ok(450));
        assert_eq!(three(33), Ok(1)); // 0.99 of a unit
        assert_eq!(three(16), Ok(0)); // 0.48
        assert_eq!(three(50), Ok(2)); // 1.5 goes up
        assert_eq!(three(-50), Ok(-2));
    }

    #[test]
    fn currencies_do_not_mix_and_sums_do_not_wrap() {
        let pesos = money(1, "MXN");
        assert!(matches!(
            pesos.checked_add(money(1, "ARS")),
            Err(MoneyError::CurrencyMismatch { .. })
        ));
        assert_eq!(money(i64::MAX, "MXN").checked_add(pesos), Err(MoneyError::Overflow));
    }

    #[test]
    fn printing_follows_the_currency_s_own_digits() {
        assert_eq!(money(51_200, "MXN").to_string(), "512.00 MXN");
        assert_eq!(money(-5, "EUR").to_string(), "-0.05 EUR");
        assert_eq!(money(500, "CLP").to_string(), "500 CLP");
        assert_eq!(money(1, "BHD").to_string(), "0.001 BHD");
    }
}
