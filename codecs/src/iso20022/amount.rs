//! Decimal amounts.

use std::borrow::Cow;
use std::sync::LazyLock;

use router::money::{Currency, Money};

use crate::decimal::{self, Grammar};

/// An amount as a message states it.
///
/// Shape: `money` is there when the currency is one of ISO 4217 and the text is an `xs:decimal`
///        that is an amount in it: not below zero, no more digits after the point than the currency
///        has, zeros not counted.
/// Source: XML Schema part 2, 3.2.3; `ActiveCurrencyAndAmount` begins at zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount<'a> {
    /// The element that states it, e.g. `IntrBkSttlmAmt`.
    pub element: &'static str,
    /// Where that element begins, in bytes from the start of the message.
    pub offset: usize,
    /// The digits as written.
    pub text: Cow<'a, str>,
    /// The currency code as written.
    pub currency: Cow<'a, str>,
    /// What it is worth.
    pub money: Option<Money>,
}

impl<'a> Amount<'a> {
    pub(super) fn new(
        element: &'static str,
        text: Cow<'a, str>,
        currency: Cow<'a, str>,
        offset: usize,
    ) -> Self {
        let money = find(&currency).and_then(|currency| {
            let minor = decimal::read(&text, Grammar::XmlSchema, currency.exponent())?;
            (minor >= 0).then_some(Money::new(minor, currency))
        });
        Self { element, offset, text, currency, money }
    }
}

/// Every currency by its code. [`Currency::from_code`] compares with one code after the other, and
/// so takes as long as all the rest of a message.
static BY_CODE: LazyLock<Vec<(&'static str, Currency)>> = LazyLock::new(|| {
    let all = (0..1000).filter_map(Currency::from_numeric);
    let mut by_code: Vec<_> = all.map(|currency| (currency.code(), currency)).collect();
    by_code.sort_unstable();
    by_code
});

fn find(code: &str) -> Option<Currency> {
    let found = BY_CODE.binary_search_by_key(&code, |(code, _)| *code).ok()?;
    Some(BY_CODE[found].1)
}

/// The digits of an amount with the decimals of its currency, without the currency: `512.00`.
///
/// Shape: nothing for a negative amount, which no message carries.
pub(super) fn digits(money: Money) -> Option<String> {
    let is_carried = money.minor >= 0;
    is_carried.then(|| decimal::write(money.minor, '.', money.currency.exponent()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, currency: &str) -> Option<i64> {
        let amount = Amount::new("Amt", text.into(), currency.into(), 0);
        amount.money.map(|money| money.minor)
    }

    #[test]
    fn digits_are_read_in_the_minor_units_of_their_currency() {
        assert_eq!(read("200000", "SEK"), Some(20_000_000));
        assert_eq!(read("3.1", "CHF"), Some(310));
        assert_eq!(read("21838.41", "USD"), Some(2_183_841));
        assert_eq!(read("500", "JPY"), Some(500));
        assert_eq!(read("1.234", "BHD"), Some(1234));
        assert_eq!(read(".5", "USD"), Some(50));
        assert_eq!(read("5.", "USD"), Some(500));
        assert_eq!(read("1.2300", "USD"), Some(123));
        // Public report: florin-szilagyi/ts-anaf issue 20.
        assert_eq!(read("+125.50", "EUR"), Some(12_550));
        assert_eq!((read("-0", "EUR"), read("-0.00", "EUR")), (Some(0), Some(0)));
    }

    #[test]
    fn what_is_no_amount_is_worth_nothing_known() {
        for text in ["", ".", "-1", "-0.01", "+", "1e3", "1,00", "1.234", "1.2.3", " 1", "١"] {
            assert_eq!(read(text, "USD"), None, "{text}");
        }
        assert_eq!(read("1.5", "JPY"), None);
        assert_eq!(read("1", "usd"), None);
        assert_eq!(read("92233720368547758.08", "USD"), None);
        assert_eq!(read("92233720368547758.07", "USD"), Some(i64::MAX));
    }

    #[test]
    fn every_currency_is_found_by_its_code() {
        for currency in (0..1000).filter_map(Currency::from_numeric) {
            assert_eq!(find(currency.code()), Currency::from_code(currency.code()));
        }
        assert_eq!(find("XXY"), Currency::from_code("XXY"));
    }

    #[test]
    fn an_amount_is_printed_with_its_currency_s_decimals() {
        let printed = |minor, code: &str| {
            digits(Money::new(minor, Currency::from_code(code).expect("a currency")))
        };
        assert_eq!(printed(51_200, "MXN").as_deref(), Some("512.00"));
        assert_eq!(printed(5, "EUR").as_deref(), Some("0.05"));
        assert_eq!(printed(500, "CLP").as_deref(), Some("500"));
        assert_eq!(printed(1, "BHD").as_deref(), Some("0.001"));
        assert_eq!(printed(-1, "EUR"), None);
    }
}
