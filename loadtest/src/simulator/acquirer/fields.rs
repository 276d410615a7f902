//! Fields of one message, and the messages an acquirer makes of a payment.

use std::collections::BTreeMap;

use router::money::{Currency, Money};

/// Data elements by number, values without their lengths.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<u8, Vec<u8>>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// These fields with one set or replaced.
    #[must_use]
    pub fn with(mut self, field: u8, value: impl Into<Vec<u8>>) -> Self {
        self.set(field, value);
        self
    }

    /// These fields without one.
    #[must_use]
    pub fn without(mut self, field: u8) -> Self {
        self.0.remove(&field);
        self
    }

    /// Sets or replaces a field.
    pub fn set(&mut self, field: u8, value: impl Into<Vec<u8>>) {
        self.0.insert(field, value.into());
    }

    /// A field's value.
    pub fn get(&self, field: u8) -> Option<&[u8]> {
        self.0.get(&field).map(Vec::as_slice)
    }

    /// A field's value as text; empty when it is absent or not UTF-8.
    pub fn text(&self, field: u8) -> &str {
        self.get(field).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or("")
    }

    /// The fields, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> + Clone {
        self.0.iter().map(|(field, value)| (*field, value.as_slice()))
    }
}

/// Shows no value of the fields that hold card or secret data.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hidden = [2, 14, 35, 36, 45, 52, 55, 64, 96, 128];
        let shown = self.iter().map(|(field, value)| {
            let text = String::from_utf8_lossy(value);
            (field, if hidden.contains(&field) { "…".to_owned() } else { text.into_owned() })
        });
        f.debug_map().entries(shown).finish()
    }
}

/// A payment as an acquirer asks for it. Card numbers must come from test ranges.
#[derive(Debug, Clone)]
pub struct Order {
    /// Processing code, DE3: `000000` account debit, `510000` collector cash.
    pub processing_code: &'static str,
    /// What the payee is to receive (DE4, DE49).
    pub amount: Money,
    /// Fields beyond, card number included; they win over those made from the rest.
    pub extra: Fields,
    /// DE48, tags in the order given: `01` biller, `02` client, `04` operator, `05` float,
    /// `06` bill, `07` product, `09` remaining debt.
    pub private: Vec<(&'static str, String)>,
}

impl Order {
    /// A debit of a test card.
    pub fn card(amount: Money, biller: &str) -> Self {
        Self {
            processing_code: "000000",
            amount,
            extra: Fields::new().with(2, TEST_CARD).with(14, "3012"),
            private: vec![("01", biller.to_owned())],
        }
    }

    /// The fields the order gives, without those the line adds (DE7, DE11, DE12, DE13, DE32, DE41,
    /// DE42).
    pub(super) fn fields(&self) -> Fields {
        let mut fields = Fields::new()
            .with(3, self.processing_code)
            .with(4, format!("{:012}", self.amount.minor))
            .with(18, "6012")
            .with(22, "010")
            .with(25, "00")
            .with(49, numeric(self.amount.currency));
        if !self.private.is_empty() {
            fields.set(48, private_data(&self.private));
        }
        for (field, value) in self.extra.iter() {
            fields.set(field, value);
        }
        fields
    }
}

/// A card number of a range set aside for tests; its check digit is right.
pub const TEST_CARD: &str = "4000000000000002";

/// DE49 of a currency.
pub fn numeric(currency: Currency) -> String {
    format!("{:03}", currency.numeric())
}

/// DE48 of the profile: tag of 2 digits, length of 2 digits, value; tags in the order given.
pub fn private_data(tags: &[(&str, String)]) -> Vec<u8> {
    let parts = tags.iter().map(|(tag, value)| format!("{tag}{:02}{value}", value.len()));
    parts.collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_not_shown() {
        let order = Order::card(Money::new(100, Currency::from_code("MXN").unwrap()), "isp-ve");
        let shown = format!("{order:?} {:?}", order.fields());
        assert!(!shown.contains(TEST_CARD), "{shown}");
        assert!(shown.contains("0106isp-ve"), "{shown}");
    }
}
