//! What may be shown of a message: card numbers shortened, secrets hidden.

use router::secret::Pan;

use super::composite::{Composite, Parts};
use super::content::Content;
use super::field::{Field, Length};
use super::spec::Spec;
use super::value::{Tree, Value};

/// The field that holds the card number.
const PAN: u8 = 2;
/// Digits of a card number; of the usual one; the first digits of card numbers.
///
/// Source: ISO/IEC 7812-1.
const PAN_LEN: std::ops::RangeInclusive<usize> = 13..=19;
const PAN_LEN_USUAL: usize = 16;
const PAN_FIRST: std::ops::RangeInclusive<u8> = b'2'..=b'6';

impl Spec {
    /// The tree with everything hidden that must not be seen.
    ///
    /// Shape: the card number keeps its first six and last four digits; secret fields, parts and
    ///        tags become `[24 hidden]`; in the others, what looks like a card number and has a
    ///        right check digit is shortened, too.
    pub fn masked(&self, tree: Tree) -> Tree {
        let mask = |(name, value): (String, Value)| {
            let value = self.masked_field(name.parse().unwrap_or(0), value);
            (name, value)
        };
        Tree { fields: tree.fields.into_iter().map(mask).collect(), ..tree }
    }

    /// The value of a field with everything hidden that must not be seen.
    pub(super) fn masked_field(&self, number: u8, value: Value) -> Value {
        match (self.field(number), value) {
            (Some(_), Value::Text(text)) if number == PAN => Value::Text(masked_pan(&text)),
            (Some(field), value) => self.masked_value(field, value),
            (None, value) => hidden(value, 1),
        }
    }

    fn masked_value(&self, field: &Field, value: Value) -> Value {
        let tlv = match self.composite(field) {
            Some(Composite::BerTlv { secret_tags }) => Some(&secret_tags[..]),
            _ => None,
        };
        if field.secret && tlv.is_none() {
            return hidden(value, if field.encoding.is_bytes() { 2 } else { 1 });
        }
        match (self.composite(field), value) {
            (Some(composite), Value::Parts(values)) => {
                let mask = |(name, value): (String, Value)| {
                    let value = self.masked_part(composite, &name, value);
                    (name, value)
                };
                Value::Parts(values.into_iter().map(mask).collect())
            }
            (_, value) if is_number(field) => value,
            (_, value) => scanned(value),
        }
    }

    fn masked_part(&self, composite: &Composite, name: &str, value: Value) -> Value {
        let part = |parts: &Parts, value| match name.parse().ok().and_then(|n| parts.get(n)) {
            Some(part) => self.masked_value(&part.field, value),
            None => scanned(value),
        };
        match composite {
            Composite::Positional { parts, .. } | Composite::Bitmapped { parts, .. } => {
                part(parts, value)
            }
            Composite::BerTlv { secret_tags } => masked_tag(secret_tags, name, value),
            Composite::Tagged(_) => scanned(value),
            Composite::DataSets(sets) => {
                let id = u8::from_str_radix(name, 16).ok();
                let set = sets.iter().find(|set| Some(set.id) == id);
                self.masked_set(set.map(|set| &set.parts), value)
            }
        }
    }

    fn masked_set(&self, parts: Option<&Parts>, value: Value) -> Value {
        match value {
            Value::Parts(values) => {
                let mask = |(name, value): (String, Value)| {
                    let part = parts.zip(name.parse().ok()).and_then(|(parts, n)| parts.get(n));
                    let value = match part {
                        Some(part) => self.masked_value(&part.field, value),
                        None => masked_tag(&super::tlv::SECRET_TAGS, &name, value),
                    };
                    (name, value)
                };
                Value::Parts(values.into_iter().map(mask).collect())
            }
            Value::Many(many) => {
                Value::Many(many.into_iter().map(|value| self.masked_set(parts, value)).collect())
            }
            text @ Value::Text(_) => scanned(text),
        }
    }
}

/// Numbers of fixed length are amounts, dates and the like, never card numbers.
fn is_number(field: &Field) -> bool {
    let is_fixed = matches!(field.length, Length::Fixed(_));
    is_fixed && matches!(field.content, Content::Numeric | Content::SignedNumeric)
}

fn masked_tag(secret_tags: &[u32], name: &str, value: Value) -> Value {
    let tag = u32::from_str_radix(name, 16).ok();
    match tag.filter(|tag| !secret_tags.contains(tag)) {
        Some(_) => scanned(value),
        None => hidden(value, 2),
    }
}

fn masked_pan(text: &str) -> String {
    match Pan::new(text.as_bytes()) {
        Ok(pan) => pan.masked().to_string(),
        Err(_) => format!("[{} hidden]", text.chars().count()),
    }
}

/// How long a value is, in place of it; a character or byte takes `characters_each`.
fn hidden(value: Value, characters_each: usize) -> Value {
    let hide = |value| hidden(value, characters_each);
    match value {
        Value::Text(text) => {
            let len = text.chars().count() / characters_each;
            Value::Text(format!("[{len} hidden]"))
        }
        Value::Parts(parts) => {
            Value::Parts(parts.into_iter().map(|(name, value)| (name, hide(value))).collect())
        }
        Value::Many(many) => Value::Many(many.into_iter().map(hide).collect()),
    }
}

/// Shortens what looks like a card number.
fn scanned(value: Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(without_pans(&text)),
        Value::Parts(parts) => {
            Value::Parts(parts.into_iter().map(|(name, value)| (name, scanned(value))).collect())
        }
        Value::Many(many) => Value::Many(many.into_iter().map(scanned).collect()),
    }
}

/// A text whose runs of digits that are card numbers are shortened. Bytes in hexadecimal that spell
/// one in ASCII are hidden whole.
fn without_pans(text: &str) -> String {
    let spelled = hex::decode(text).unwrap_or_default();
    let mut spelled: Vec<char> = spelled.into_iter().map(char::from).collect();
    if shorten_pans(&mut spelled) {
        return format!("[{} hidden]", text.len());
    }
    let mut characters: Vec<char> = text.chars().collect();
    shorten_pans(&mut characters);
    characters.into_iter().collect()
}

/// Shortens card numbers among the characters; whether there were any.
fn shorten_pans(characters: &mut [char]) -> bool {
    let mut any = false;
    for run in characters.chunk_by_mut(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        let digits: Vec<u8> = run.iter().filter_map(|digit| u8::try_from(*digit).ok()).collect();
        // A longer run may hold one among other numbers; all that it may be are shortened.
        let len = if PAN_LEN.contains(&run.len()) { run.len() } else { PAN_LEN_USUAL };
        for (at, candidate) in digits.windows(len).enumerate().filter(|(_, may)| is_pan(may)) {
            run[at + 6..at + candidate.len() - 4].fill('*');
            any = true;
        }
    }
    any
}

fn is_pan(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit)
        && digits.first().is_some_and(|first| PAN_FIRST.contains(first))
        && luhn(digits)
}

/// Whether the last digit is the check digit of the others.
///
/// Source: ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .map(|digit| u32::from(digit - b'0'))
        .enumerate()
        .map(|(at, digit)| if at.is_multiple_of(2) { digit } else { doubled(digit) })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_shortened_wherever_they_stand() {
        let check = |text: &str, expect: &str| assert_eq!(without_pans(text), expect);
        check("PAN 4111111111111111!", "PAN 411111******1111!");
        check("4111111111111112", "4111111111111112");
        check("371449635398431", "371449*****8431");
        check("02165500000000000004", "0216550000******0004");
        check("34313131313131313131313131313131", "[32 hidden]");
        check("000000005000", "000000005000");
    }

    #[test]
    fn secrets_are_hidden_and_the_rest_is_shown() {
        let spec = Spec::cauce87();
        let text = |text: &str| Value::Text(text.to_owned());
        let field = |number: &str, value: &str| (number.to_owned(), text(value));
        let fields = vec![
            field("2", "4111111111111111"),
            field("4", "411111111111"),
            field("14", "3012"),
            field("35", "4111111111111111=3012101"),
            field("46", "card 4111111111111111"),
            field("52", "123456789ABCDEF0"),
        ];
        let tree = Tree { mti: "0200".to_owned(), header: None, fields };
        let expect = vec![
            field("2", "411111******1111"),
            field("4", "411111111111"),
            field("14", "[4 hidden]"),
            field("35", "[24 hidden]"),
            field("46", "card 411111******1111"),
            field("52", "[8 hidden]"),
        ];
        assert_eq!(spec.masked(tree).fields, expect);
    }
}
