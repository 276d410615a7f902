//! What a record is made of, so that one reader and one writer serve all kinds.

use router::money::{Currency, Money};
use router::time::{Date, Timestamp};

use super::{RowErrorKind, Value};

/// One kind of record: its fields, and how it is made of them.
pub trait Record: Sized {
    /// What layouts call it: `bills` or `clearing`.
    const CONTENT: &'static str;
    /// Its fields; the layout says which are there and where.
    const FIELDS: &'static [FieldSpec];

    /// Makes the record of a row's values.
    ///
    /// Errors: what two or more fields together get wrong; single fields have been checked.
    fn from_values(values: &Values) -> Result<Self, Fault>;

    /// The record's values; fields left out are empty.
    fn to_values(&self) -> Vec<(&'static str, Value)>;

    /// The amount that control totals sum.
    fn amount(&self) -> Money;
}

/// A field that a layout may place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name in layouts and errors.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether a row without it is refused, and so a layout that does not place it.
    pub required: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Text of at most so many characters.
    Text {
        /// The most characters.
        longest: usize,
    },
    /// An amount of zero or more.
    Amount,
    /// An amount that may be negative.
    SignedAmount,
    /// A currency's alphabetic code.
    Currency,
    /// A day.
    Date,
    /// An instant, in UTC.
    Instant,
    /// Yes or no.
    Flag,
}

/// What two or more fields of a row get wrong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The field to mend.
    pub field: &'static str,
    /// What is wrong.
    pub kind: RowErrorKind,
    /// What would be right.
    pub rule: &'static str,
}

/// The values of one row, by the names of their fields; empty fields are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The row's currency: its own, or that of the layout.
    pub currency: Currency,
    pub(super) list: Vec<(&'static str, Value)>,
}

impl Values {
    fn get(&self, name: &str) -> Option<&Value> {
        self.list.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<String> {
        let Value::Text(text) = self.get(name)? else { return None };
        Some(text.clone())
    }

    /// A text that must be there; the reader has seen to it.
    pub fn required_text(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    /// An amount.
    pub fn money(&self, name: &str) -> Option<Money> {
        let Value::Money(money) = self.get(name)? else { return None };
        Some(*money)
    }

    /// A day.
    pub fn date(&self, name: &str) -> Option<Date> {
        let Value::Date(date) = self.get(name)? else { return None };
        Some(*date)
    }

    /// An instant.
    pub fn instant(&self, name: &str) -> Option<Timestamp> {
        let Value::Instant(instant) = self.get(name)? else { return None };
        Some(*instant)
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let Value::Flag(flag) = self.get(name)? else { return None };
        Some(*flag)
    }
}

/// A field that must be there.
pub(super) const fn required(name: &'static str, kind: FieldKind) -> FieldSpec {
    FieldSpec { name, kind, required: true }
}

/// A field that may be empty.
pub(super) const fn optional(name: &'static str, kind: FieldKind) -> FieldSpec {
    FieldSpec { name, kind, required: false }
}

/// Collects the values that are there.
pub(super) fn present(
    values: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Vec<(&'static str, Value)> {
    values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
