//! What a format must have besides values that make sense: the house rules.

use super::SpecError;
use super::raw::{Number, RawField, RawSpec};
use crate::iso8583::content::Content;

/// Fields that hold card numbers, tracks or PIN data in every edition, and may never be printed.
///
/// Source: ISO 8583:1987 and 1993, data elements 2, 34, 35, 36, 45 and 52; PCI DSS 3.3 and 3.4.
pub(super) const SECRET: [u8; 6] = [2, 34, 35, 36, 45, 52];
/// Fields that end a bitmap, where a message authentication code stands.
const MAC: [u8; 3] = [64, 128, 192];

/// Every breach of the rules.
pub(super) fn check(raw: &RawSpec) -> Vec<SpecError> {
    let mut found = Vec::new();
    if raw.name.is_empty() {
        found.push(breach("name", "a format needs a name"));
    }
    for (Number(number), field) in &raw.fields {
        let key = format!("fields.{number}");
        let open = !field.secret && !masks_itself(field);
        if open && (SECRET.contains(number) || field.content == Content::Track) {
            found.push(breach(&format!("{key}.secret"), "this field must be `secret = true`"));
        }
        if field.mac && !MAC.contains(number) {
            let problem = "a message authentication code is the last field of its bitmap";
            found.push(breach(&format!("{key}.mac"), problem));
        }
        if field.mac && (field.content != Content::Binary || field.length.is_none()) {
            let problem = "a message authentication code is bytes of fixed length";
            found.push(breach(&format!("{key}.mac"), problem));
        }
    }
    found
}

/// Chip data is printed tag by tag, with the secret tags hidden.
fn masks_itself(field: &RawField) -> bool {
    field.parts.as_ref().is_some_and(|parts| parts.kind == "ber_tlv")
}

fn breach(key: &str, problem: &str) -> SpecError {
    SpecError { key: key.to_owned(), problem: problem.to_owned() }
}
