//! One field: from the text of a cell to a value, and back.

use std::borrow::Cow;

use router::money::{Currency, Money};
use router::time::{Date, Timestamp};

use super::RowErrorKind;
use super::layout::{Decimals, Style};
use super::record::FieldKind;
use crate::decimal::{self, Grammar};

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, not empty.
    Text(String),
    /// An amount.
    Money(Money),
    /// A day.
    Date(Date),
    /// An instant.
    Instant(Timestamp),
    /// Yes or no.
    Flag(bool),
}

/// What stands in a row at a place: text, or what a spreadsheet knows to be something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    /// A number, as text with a point.
    Number(String),
    Instant(Timestamp),
    Flag(bool),
}

type Mistake = (RowErrorKind, &'static str);

const AMOUNT_RULE: &str = "is an amount as the layout writes them, with its currency's decimals";
const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Cell<'_> {
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// The text of a field that is no number: what a spreadsheet took for a number is text again.
    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(digits) => Some(digits),
            Self::Instant(_) | Self::Flag(_) => None,
        }
    }
}

/// Reads a cell that is not empty.
pub(super) fn read(
    cell: &Cell<'_>,
    kind: FieldKind,
    style: &Style,
    currency: Currency,
) -> Result<Value, Mistake> {
    match kind {
        FieldKind::Text { longest } => text(cell, longest).map(Value::Text),
        FieldKind::Amount | FieldKind::SignedAmount => {
            let minor = minor_units(cell, style, currency);
            let minor = minor.filter(|minor| *minor >= 0 || kind == FieldKind::SignedAmount);
            let minor = minor.ok_or((RowErrorKind::BadAmount, AMOUNT_RULE))?;
            Ok(Value::Money(Money::new(minor, currency)))
        }
        FieldKind::Currency => {
            let code = cell.as_text().filter(|code| Currency::from_code(code).is_some());
            let rule = "is a currency of ISO 4217";
            let code = code.ok_or((RowErrorKind::BadCurrency, rule))?;
            Ok(Value::Text(code.to_owned()))
        }
        FieldKind::Date => {
            let date = match cell {
                Cell::Instant(instant) => midnight(*instant),
                cell => cell.as_text().and_then(|text| style.dates.read_date(text)),
            };
            let rule = "is a date that exists, as the layout writes them";
            date.map(Value::Date).ok_or((RowErrorKind::BadDate, rule))
        }
        FieldKind::Instant => {
            let instant = match cell {
                Cell::Instant(instant) => Some(*instant),
                cell => cell.as_text().and_then(|text| style.instants.read_instant(text)),
            };
            let rule = "is a date and time that exist, as the layout writes them";
            instant.map(Value::Instant).ok_or((RowErrorKind::BadDate, rule))
        }
        FieldKind::Flag => {
            let flag = match cell {
                Cell::Flag(flag) => Some(*flag),
                cell => cell.as_text().and_then(|text| flag(text, style)),
            };
            let rule = "is one of the layout's words for yes and no";
            flag.map(Value::Flag).ok_or((RowErrorKind::BadFlag, rule))
        }
    }
}

fn flag(text: &str, style: &Style) -> Option<bool> {
    if text == style.yes { Some(true) } else { (text == style.no).then_some(false) }
}

fn midnight(instant: Timestamp) -> Option<Date> {
    let day = instant.0.div_euclid(MICROS_PER_DAY);
    i32::try_from(day).ok().filter(|_| instant.0.rem_euclid(MICROS_PER_DAY) == 0).map(Date)
}

fn text(cell: &Cell<'_>, longest: usize) -> Result<String, Mistake> {
    let rule = "is text without control characters";
    let text = cell.as_text().ok_or((RowErrorKind::BadText, rule))?;
    if text.chars().any(char::is_control) {
        return Err((RowErrorKind::BadText, rule));
    }
    if text.chars().count() > longest {
        return Err((RowErrorKind::TooLong, "is longer than its field may be"));
    }
    Ok(text.to_owned())
}

/// An amount in minor units; a number of a spreadsheet has a point whatever the layout says.
pub(super) fn minor_units(cell: &Cell<'_>, style: &Style, currency: Currency) -> Option<i64> {
    let (text, decimals) = match cell {
        Cell::Number(digits) => (digits.as_str(), Decimals::Mark('.')),
        cell => (cell.as_text()?, style.decimals),
    };
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let minor = match decimals {
        Decimals::Mark(mark) => decimal::read(digits, Grammar::Mark(mark), currency.exponent()),
        Decimals::Implied(places) => implied(digits, places, currency),
    }?;
    if is_negative { minor.checked_neg() } else { Some(minor) }
}

fn implied(digits: &str, places: u16, currency: Currency) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // At least one digit in front of the decimals.
    let width = usize::from(places) + 1;
    let digits = format!("{digits:0>width$}");
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(places));
    decimal::read(&format!("{whole}.{fraction}"), Grammar::Mark('.'), currency.exponent())
}

/// Writes a value as the layout does.
pub(super) fn write(value: &Value, style: &Style) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Money(money) => amount(money.minor, money.currency, style),
        Value::Date(date) => style.dates.write_date(*date),
        Value::Instant(instant) => style.instants.write_instant(*instant),
        Value::Flag(true) => style.yes.clone(),
        Value::Flag(false) => style.no.clone(),
    }
}

pub(super) fn amount(minor: i64, currency: Currency, style: &Style) -> String {
    match style.decimals {
        Decimals::Mark(mark) => decimal::write(minor, mark, currency.exponent()),
        Decimals::Implied(places) => {
            // The layout's rule: at least as many places as the currency has.
            let zeros = usize::from(places.saturating_sub(currency.exponent()));
            format!("{minor}{}", "0".repeat(if minor == 0 { 0 } else { zeros }))
        }
    }
}
