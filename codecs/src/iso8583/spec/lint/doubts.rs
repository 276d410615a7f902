//! What a format can be loaded with, and is probably not meant.

use super::{breach, parts_of};
use crate::iso8583::content::Content;
use crate::iso8583::index::MESSAGE_LEN_MAX;
use crate::iso8583::spec::SpecError;
use crate::iso8583::spec::raw::{Number, RawField, RawSpec};

/// What the names of fields with card data contain.
const CARD_WORDS: [&str; 10] = [
    "account number",
    "card number",
    "cardholder data",
    "cvc",
    "cvv",
    "pin block",
    "pin data",
    "track 1",
    "track 2",
    "track 3",
];
/// What only says something about a card.
const NO_CARD_WORDS: [&str; 3] = ["country", "length", "result"];
/// Numbers that are listed before the rest is only counted.
const LISTED_MAX: usize = 12;

/// Everything that deserves a second look.
pub(super) fn find(raw: &RawSpec) -> Vec<SpecError> {
    let mut found = of_spec(raw);
    for (Number(number), field) in &raw.fields {
        of_field(&format!("fields.{number}"), raw, field, &mut found);
    }
    found
}

fn of_spec(raw: &RawSpec) -> Vec<SpecError> {
    let mut found = Vec::new();
    let numbers = |belongs: fn(&RawField) -> bool| {
        let belonging = raw.fields.iter().filter(|(_, field)| belongs(field));
        listed(&belonging.map(|(number, _)| number.0).collect::<Vec<_>>())
    };
    let mut told = |key: &str, numbers: Option<String>, problem: &str| {
        found.extend(numbers.map(|numbers| breach(key, &format!("{problem}: {numbers}"))));
    };
    let unchecked = |field: &RawField| field.content == Content::Any && field.parts.is_none();
    told("fields", numbers(unchecked), "contents of class `any` are not checked");
    told("fields", numbers(|field| field.name.is_empty()), "these fields have no name");
    if raw.bitmaps.as_deref() == Some("single") {
        let beyond: Vec<u8> =
            raw.fields.keys().map(|number| number.0).filter(|n| *n > 64).collect();
        told("bitmaps", listed(&beyond), "a single bitmap never announces these fields");
    }
    for content in raw.defaults.keys() {
        if !raw.fields.values().any(|field| has_class(field, *content)) {
            let key = format!("defaults.{}", content.name());
            found.push(breach(&key, "no field is of this class"));
        }
    }
    // One byte is what the 1987 edition gave it.
    let wide = |field: &RawField| {
        let name = field.name.to_lowercase();
        let is_bitmap = name.contains("bitmap") || name.contains("bit map");
        is_bitmap && field.length.is_some_and(|length| length > 1)
    };
    if raw.third_bitmap.is_none() && raw.fields.get(&Number(65)).is_some_and(wide) {
        let problem = "if this is a third bitmap, state `third_bitmap`; as a field it is only read";
        found.push(breach("fields.65", problem));
    }
    found
}

fn has_class(field: &RawField, content: Content) -> bool {
    field.content == content || parts_of("", field).iter().any(|(_, part)| has_class(part, content))
}

fn of_field(key: &str, raw: &RawSpec, field: &RawField, found: &mut Vec<SpecError>) {
    let name = field.name.to_lowercase();
    let holds_card_data = CARD_WORDS.iter().any(|words| name.contains(words))
        && !NO_CARD_WORDS.iter().any(|words| name.contains(words));
    if holds_card_data && !field.secret && !super::masks_itself(field) {
        found.push(breach(&format!("{key}.secret"), "its name speaks of card data; is it secret?"));
    }
    if let (Some(max), Some(digits)) = (field.length_max, field.length_digits) {
        let default = || raw.defaults.get(&field.content)?.length_encoding.as_deref();
        let encoding = field.length_encoding.as_deref().or_else(default).unwrap_or("ascii");
        of_prefix(&format!("{key}.length_max"), max, digits, encoding, found);
    }
    if field.secret {
        // All of it is hidden.
        return;
    }
    for (key, part) in parts_of(key, field) {
        of_field(&key, raw, part, found);
    }
}

fn of_prefix(key: &str, max: u32, digits: u8, encoding: &str, found: &mut Vec<SpecError>) {
    let base: u32 = match encoding {
        "binary" => 256,
        "hex" => 16,
        _ => 10,
    };
    let fewer = base.checked_pow(u32::from(digits.saturating_sub(1))).unwrap_or(u32::MAX);
    let whole = u32::try_from(MESSAGE_LEN_MAX).unwrap_or(u32::MAX);
    if max > whole {
        let problem = format!("a whole message has at most {MESSAGE_LEN_MAX} bytes");
        found.push(breach(key, &problem));
    } else if digits > 1 && max < fewer && max < whole {
        found.push(breach(key, &format!("fewer digits than {digits} would do for at most {max}")));
    }
}

/// Numbers as a text; none where there are none.
fn listed(numbers: &[u8]) -> Option<String> {
    let (first, rest) = numbers.split_at(numbers.len().min(LISTED_MAX));
    let first: Vec<String> = first.iter().map(u8::to_string).collect();
    match (first.is_empty(), rest.len()) {
        (true, _) => None,
        (false, 0) => Some(first.join(", ")),
        (false, more) => Some(format!("{} and {more} more", first.join(", "))),
    }
}
