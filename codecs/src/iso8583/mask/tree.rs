//! A whole message masked, and whether a message that is to be written still is.
//!
//! A text that looks masked may be masked, or may have come so from its sender: receipts often hold a
//! card number that the host has masked. What the format hides is taken for masked. Beyond that, the
//! list in [`Tree::masked`] tells.

use super::PAN;
use crate::iso8583::spec::Spec;
use crate::iso8583::value::{Tree, Value};

/// What stands in place of a value when the format is asked whether it hides it.
const PROBE: &str = "?";
/// The fewest digits that are replaced by stars in the card number, which may have twelve digits.
const STARS_OF_PAN_MIN: usize = 2;
/// The fewest elsewhere: a card number that is found in a text has thirteen digits or more.
const STARS_MIN: usize = 3;

impl Spec {
    /// The tree with everything hidden that must not be seen.
    ///
    /// Shape: the card number keeps its first six and last four digits; secret fields, parts and
    ///        tags become `[24 hidden]`; in the others, what looks like a card number and has a
    ///        right check digit is shortened, too. Where this happened to a value that the format
    ///        itself does not hide, [`Tree::masked`] lists all fields in which something is masked.
    pub fn masked(&self, tree: Tree) -> Tree {
        let (mut fields, mut list, mut is_told) = (Vec::new(), Vec::new(), true);
        for (name, value) in tree.fields {
            let hides = self.hides(&name, &value);
            let masked = self.masked_field(number(&name), value.clone());
            let changed: Vec<bool> = leaves(&value)
                .iter()
                .zip(leaves(&masked))
                .map(|(open, shown)| *open != shown)
                .collect();
            if changed.contains(&true) {
                list.push(name.clone());
            }
            is_told &= changed.iter().zip(hides).all(|(is_changed, hides)| hides || !is_changed);
            fields.push((name, masked));
        }
        Tree { fields, masked: (!is_told).then_some(list), ..tree }
    }

    /// The tree with nothing hidden.
    ///
    /// Shape: where a value that the format hides looks masked although it is not, [`Tree::masked`] is
    ///        there and empty.
    pub fn revealed(&self, tree: Tree) -> Tree {
        let is_doubtful = self.masked_field_of(&tree).is_some();
        Tree { masked: is_doubtful.then(Vec::new), ..tree }
    }

    /// The first field in which something is masked that [`Spec::masked`] has masked, so that the
    /// message cannot be written.
    pub fn masked_field_of<'a>(&self, tree: &'a Tree) -> Option<&'a str> {
        let is_masked = |(name, value): &&(String, Value)| {
            let stars_min = if number(name) == PAN { STARS_OF_PAN_MIN } else { STARS_MIN };
            let mut texts = leaves(value).into_iter().map(|text| looks_masked(text, stars_min));
            match &tree.masked {
                Some(list) => list.contains(name) && texts.any(|is_masked| is_masked),
                None => {
                    texts.zip(self.hides(name, value)).any(|(is_masked, hides)| is_masked && hides)
                }
            }
        };
        tree.fields.iter().find(is_masked).map(|(name, _)| name.as_str())
    }

    /// For each text in a field whether the format hides it, whatever it is.
    fn hides(&self, name: &str, value: &Value) -> Vec<bool> {
        let masked = self.masked_field(number(name), probe(value));
        leaves(&masked).into_iter().map(|text| text != PROBE).collect()
    }
}

/// The number of a field; none of the fields there are where it is no number.
fn number(name: &str) -> u8 {
    name.parse().unwrap_or(0)
}

/// A value of the same parts and tags.
fn probe(value: &Value) -> Value {
    match value {
        Value::Text(_) => Value::Text(PROBE.to_owned()),
        Value::Parts(parts) => {
            Value::Parts(parts.iter().map(|(name, value)| (name.clone(), probe(value))).collect())
        }
        Value::Many(many) => Value::Many(many.iter().map(probe).collect()),
    }
}

/// The texts in a value, in their order.
fn leaves(value: &Value) -> Vec<&str> {
    match value {
        Value::Text(text) => vec![text.as_str()],
        Value::Parts(parts) => parts.iter().flat_map(|(_, value)| leaves(value)).collect(),
        Value::Many(many) => many.iter().flat_map(leaves).collect(),
    }
}

/// Whether a text is one that masking leaves: a length in place of it, or so many and more stars between
/// digits, as a card number has its spaces and hyphens among them.
fn looks_masked(text: &str, stars_min: usize) -> bool {
    let is_hidden = text.starts_with('[') && text.ends_with(" hidden]");
    let is_star = |character: char| matches!(character, '*' | ' ' | '-');
    let mut runs = text.split(|character: char| !is_star(character));
    let mut at = 0;
    let is_shortened = runs.any(|run| {
        let (before, after) =
            (text[..at].chars().next_back(), text[at + run.len()..].chars().next());
        at += run.len() + after.map_or(0, char::len_utf8);
        let is_digit = |character: Option<char>| character.is_some_and(|c| c.is_ascii_digit());
        run.matches('*').count() >= stars_min && is_digit(before) && is_digit(after)
    });
    is_hidden || is_shortened
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = r#"
name = "t"
mti = "ascii"
bitmap = "hex"

[fields]
2 = { content = "any", length_max = 19, length_digits = 2, secret = true }
11 = { content = "n", length = 6 }
48 = { content = "ans", length_max = 999, length_digits = 3, parts = { kind = "tagged", tag_length = 2, length_digits = 2, secret_tags = ["92"] } }
55 = { content = "b", length_max = 255, length_digits = 3, parts = { kind = "ber_tlv" } }
63 = { content = "ans", length_max = 999, length_digits = 3 }
"#;

    fn tree(fields: &str) -> Tree {
        let json = format!(r#"{{"mti":"0210","fields":{{{fields}}}}}"#);
        serde_json::from_str(&json).expect("a message")
    }

    /// Masked, and as JSON carries it: the field that keeps it from being written, and the list.
    #[track_caller]
    fn masked(fields: &str, field: Option<&str>, list: Option<&[&str]>) {
        let spec = Spec::from_toml(FORMAT).expect("a format");
        let masked = spec.masked(tree(fields));
        let list = list.map(|list| list.iter().copied().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(masked.masked, list);
        let again: Tree = serde_json::from_str(&serde_json::to_string(&masked).expect("JSON"))
            .expect("a message");
        assert_eq!(spec.masked_field_of(&again), field);
        // With nothing hidden it can always be written.
        let revealed = spec.revealed(tree(fields));
        let again: Tree = serde_json::from_str(&serde_json::to_string(&revealed).expect("JSON"))
            .expect("a message");
        assert_eq!(spec.masked_field_of(&again), None);
        assert_eq!(again.fields, tree(fields).fields);
    }

    #[test]
    fn only_what_was_masked_keeps_a_message_from_being_written() {
        masked(r#""2":"4111111111111111","11":"000001""#, Some("2"), None);
        masked(r#""11":"000001","48":{"92":"123","42":"210"}"#, Some("48"), None);
        masked(r#""55":{"5A":"4111111111111111","82":"3900"}"#, Some("55"), None);
        masked(r#""63":"CARD 541333******4111 APPROVED""#, None, None);
        // Card numbers have twelve digits at least: two stars.
        masked(r#""2":"123456789012""#, Some("2"), None);
        masked(r#""2":"1234567890123""#, Some("2"), None);
        masked(r#""63":"123456**9012""#, None, None);
        masked(r#""63":"[9 hidden]","48":{"42":"1***2"}"#, None, None);
        masked(r#""48":{"92":["1","2"],"42":"1***2"}"#, Some("48"), None);
    }

    #[test]
    fn a_card_number_masked_where_the_format_hides_nothing_is_listed() {
        masked(r#""63":"CARD 4111111111111111""#, Some("63"), Some(&["63"]));
        masked(
            r#""2":"4111111111111111","11":"000001","63":"CARD 4111111111111111""#,
            Some("2"),
            Some(&["2", "63"]),
        );
        // Tags within a tag are hidden because of what they are.
        masked(r#""55":{"70":"5A084111111111111111"}"#, Some("55"), Some(&["55"]));
        // Beside a listed field, a text that only looks masked is none.
        masked(r#""48":{"42":"1***2"},"63":"4111111111111111""#, Some("63"), Some(&["63"]));
    }

    #[test]
    fn stars_between_digits_look_masked() {
        for text in ["411111******1111", "4111 11** **** 1111", "x 4111-11**-****-1111", "é1***2"]
        {
            assert!(looks_masked(text, STARS_MIN), "{text}");
        }
        for text in ["", "***", "1**2", "1***", "***1", "A***1", "1 2 - 3", "1* **x2", "[4 hidden"]
        {
            assert!(!looks_masked(text, STARS_MIN), "{text}");
        }
        masked(r#""63":"4111 1111 1111 1111""#, Some("63"), Some(&["63"]));
    }

    #[test]
    fn a_sender_may_mask_what_the_format_hides() {
        let spec = Spec::from_toml(FORMAT).expect("a format");
        for number in ["541333******4111", "123456**9012", "[16 hidden]", "[11 hidden]"] {
            let tree = tree(&format!(r#""2":"{number}""#));
            assert_eq!(spec.masked_field_of(&tree), Some("2"), "written by hand");
            let revealed = spec.revealed(tree);
            assert_eq!(revealed.masked, Some(Vec::new()));
            assert_eq!(spec.masked_field_of(&revealed), None);
        }
    }
}
