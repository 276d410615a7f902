//! What may be shown of a message: card numbers shortened, secrets hidden.

use router::misplaced::has_check_digit;
use router::secret::Pan;

use super::composite::{Composite, Parts, TagForm, TagPart, set_id};
use super::content::Content;
use super::field::{Field, Length};
use super::spec::Spec;
use super::value::Value;

mod tree;

/// The field that holds the card number.
const PAN: u8 = 2;
/// Digits that a card number has when it stands alone.
///
/// Source: ISO/IEC 7812-1.
const PAN_LEN: std::ops::RangeInclusive<usize> = 13..=19;
/// Lengths and first digits of card numbers of the large schemes, by which one is found within a
/// longer run of digits.
const PAN_FORMS: [(usize, &[u8]); 5] =
    [(13, b"4"), (14, b"3"), (15, b"3"), (16, b"2345689"), (19, b"456")];

impl Spec {
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
            // Bytes in place of tags: which of them are secret cannot be told.
            (Some(Composite::Tagged(tagged)), value) if tagged.has_secrets() => hidden(value, 2),
            (_, value) if is_number(field) => value,
            (_, value) => scanned(value),
        }
    }

    fn masked_part(&self, composite: &Composite, name: &str, value: Value) -> Value {
        let part = |parts: &Parts, value| match parts.named(name) {
            Some(part) => self.masked_value(&part.field, value),
            None => scanned(value),
        };
        match composite {
            Composite::Positional { parts, .. } | Composite::Bitmapped { parts, .. } => {
                part(parts, value)
            }
            Composite::BerTlv { secret_tags } => masked_tag(secret_tags, name, value),
            Composite::Tagged(tagged) => {
                let each = if tagged.layout.value == TagForm::Bytes { 2 } else { 1 };
                match tagged.tag(name) {
                    _ if tagged.secret_tags.iter().any(|tag| **tag == *name) => hidden(value, each),
                    Some(tag) => self.masked_tag_part(tag, value),
                    None => part(&tagged.head, value),
                }
            }
            Composite::DataSets(sets) => {
                let set = sets.iter().find(|set| Some(set.id) == set_id(name));
                self.masked_set(set.map(|set| &set.parts), value)
            }
        }
    }

    /// A tag that is told by itself, as often as it comes.
    fn masked_tag_part(&self, tag: &TagPart, value: Value) -> Value {
        match value {
            Value::Many(many) => {
                let mask = |value| self.masked_tag_part(tag, value);
                Value::Many(many.into_iter().map(mask).collect())
            }
            value => self.masked_value(&tag.field, value),
        }
    }

    fn masked_set(&self, parts: Option<&Parts>, value: Value) -> Value {
        match value {
            Value::Parts(values) => {
                let mask = |(name, value): (String, Value)| {
                    let part = parts.and_then(|parts| parts.named(&name));
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

/// A tag of BER-TLV, and the tags within it where it is made of tags.
fn masked_tag(secret_tags: &[u32], name: &str, value: Value) -> Value {
    let tag = u32::from_str_radix(name, 16).ok();
    let is_open = tag.is_some_and(|tag| !secret_tags.contains(&tag));
    let holds_secret = |value: &Value| match value {
        Value::Text(text) => {
            hex::decode(text).is_ok_and(|data| holds_secret_tag(secret_tags, &data, NESTING_MAX))
        }
        Value::Parts(_) | Value::Many(_) => false,
    };
    match value {
        Value::Many(many) => {
            let mask = |value| masked_tag(secret_tags, name, value);
            Value::Many(many.into_iter().map(mask).collect())
        }
        value if !is_open || (is_constructed(name) && holds_secret(&value)) => hidden(value, 2),
        value => scanned(value),
    }
}

/// Tags within tags that are looked into; what nests deeper is taken for secret.
const NESTING_MAX: usize = 8;

/// Whether a tag holds tags: bit 6 of its first byte.
fn is_constructed(name: &str) -> bool {
    let first = name.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    first.is_some_and(|first| first & 0x20 != 0)
}

fn holds_secret_tag(secret_tags: &[u32], data: &[u8], depth: usize) -> bool {
    depth == 0
        || super::tlv::read(data).map_while(Result::ok).any(|tlv| {
            secret_tags.contains(&tlv.tag)
                || (is_constructed(&super::tlv::tag_name(tlv.tag))
                    && holds_secret_tag(secret_tags, tlv.value, depth - 1))
        })
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

/// A text in which card numbers are shortened, and hidden with all behind them where they begin a
/// track. Bytes in hexadecimal that spell one in ASCII or EBCDIC are hidden whole.
fn without_pans(text: &str) -> String {
    let spelled = hex::decode(text).unwrap_or_default();
    let ascii: Vec<char> = spelled.iter().copied().map(char::from).collect();
    let ebcdic = spelled.iter().map(|byte| char::from(super::ebcdic::Page::Cp037.decode(*byte)));
    if shorten_pans(&mut ascii.clone()) || shorten_pans(&mut ebcdic.collect::<Vec<_>>()) {
        return format!("[{} hidden]", text.len() / 2);
    }
    let mut characters: Vec<char> = text.chars().collect();
    shorten_pans(&mut characters);
    characters.into_iter().collect()
}

/// Shortens card numbers among the characters; whether there were any. A space or a hyphen may stand
/// between two digits.
fn shorten_pans(characters: &mut [char]) -> bool {
    let mut any = false;
    let mut at = 0;
    while at < characters.len() {
        let places = run_of_digits(characters, at);
        let Some(last) = places.last().copied() else {
            at += 1;
            continue;
        };
        let digits: Vec<u8> =
            places.iter().filter_map(|place| u8::try_from(characters[*place]).ok()).collect();
        for range in pans(&digits) {
            any = true;
            let ends_run = range.end == digits.len();
            places[range.start + 6..range.end - 4].iter().for_each(|at| characters[*at] = '*');
            if ends_run && matches!(characters.get(last + 1), Some('=' | 'D' | '^')) {
                characters[last + 2..].fill('*');
            }
        }
        at = last + 1;
    }
    any
}

/// The places of the digits that follow each other from `start` on.
fn run_of_digits(characters: &[char], start: usize) -> Vec<usize> {
    let is_digit = |at: usize| characters.get(at).is_some_and(char::is_ascii_digit);
    let mut places = Vec::new();
    let mut at = start;
    while is_digit(at) {
        places.push(at);
        let is_parted = matches!(characters.get(at + 1), Some(' ' | '-')) && is_digit(at + 2);
        at += if is_parted { 2 } else { 1 };
    }
    places
}

/// Where card numbers may be in a run of digits; they may overlap.
fn pans(digits: &[u8]) -> Vec<std::ops::Range<usize>> {
    let whole = PAN_LEN.contains(&digits.len()) && digits[0] != b'0' && has_check_digit(digits);
    let mut found: Vec<_> = whole.then_some(0..digits.len()).into_iter().collect();
    for (len, first) in PAN_FORMS {
        let windows = digits.windows(len).enumerate();
        let pans = windows.filter(|(_, pan)| first.contains(&pan[0]) && has_check_digit(pan));
        found.extend(pans.map(|(at, _)| at..at + len));
    }
    found
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
        check("34313131313131313131313131313131", "[16 hidden]");
        check("F4F1F1F1F1F1F1F1F1F1F1F1F1F1F1F1", "[16 hidden]");
        check(
            "4111 1111 1111 1111 and 4111-1111-1111-1111",
            "4111 11** **** 1111 and 4111-11**-****-1111",
        );
        check("0215371449635398431", "0215371449*****8431");
        check("164111111111111111", "16411111******1111");
        check("4111111111111111=30121010000012345 x", "411111******1111=*******************");
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
        let tree = crate::iso8583::Tree { mti: "0200".to_owned(), fields, ..Default::default() };
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

    #[test]
    fn secret_tags_are_hidden_within_other_tags_too() {
        let text = |text: &str| Value::Text(text.to_owned());
        let check = |name, value, expect| {
            let masked = masked_tag(&crate::iso8583::tlv::SECRET_TAGS, name, text(value));
            assert_eq!(masked, text(expect));
        };
        check("5A", "4111111111111111", "[8 hidden]");
        check("70", "5A084111111111111112", "[10 hidden]");
        check("9F26", "1122334455667788", "1122334455667788");
        check("71", "9F180400000000", "9F180400000000");
    }
}
