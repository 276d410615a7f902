//! What a format must have besides values that make sense, and what in it deserves a second look.

use super::import::{Form, form_of, import};
use super::raw::{Number, RawField, RawSpec};
use super::{Spec, SpecError};
use crate::frame::FrameSpec;
use crate::iso8583::content::Content;

mod doubts;

/// Fields that hold card numbers, tracks or PIN data in every edition, and may never be printed.
///
/// Source: ISO 8583:1987 and 1993, data elements 2, 34, 35, 36, 45 and 52; PCI DSS 3.3 and 3.4.
pub(super) const SECRET: [u8; 6] = [2, 34, 35, 36, 45, 52];
/// Fields that end a bitmap, where a message authentication code stands.
const MAC: [u8; 3] = [64, 128, 192];

/// What is to be said of a format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lint {
    /// What keeps it from being loaded, or breaks a house rule.
    pub mistakes: Vec<SpecError>,
    /// What it can be loaded with, and is probably not meant.
    pub warnings: Vec<SpecError>,
}

impl Spec {
    /// Looks a format over, in any form that is known.
    ///
    /// Shape: a format that [`Spec::from_toml`] loads has no mistakes; one of another project is held
    ///        to the same rules.
    pub fn lint(text: &str) -> Lint {
        let (raw, mut mistakes) = match form_of(text) {
            Form::Toml => RawSpec::from_toml(text),
            form => match import(form, text) {
                Ok(raw) => (Some(raw), Vec::new()),
                Err(mistakes) => (None, mistakes),
            },
        };
        let Some(raw) = raw else { return Lint { mistakes, ..Lint::default() } };
        mistakes.extend(check(&raw));
        mistakes.extend(Self::compile(&raw).err().unwrap_or_default());
        Lint { mistakes, warnings: doubts::find(&raw) }
    }
}

/// Every breach of the rules.
pub(super) fn check(raw: &RawSpec) -> Vec<SpecError> {
    let mut found = Vec::new();
    if raw.name.is_empty() {
        found.push(breach("name", "a format needs a name"));
    }
    let presets = FrameSpec::PRESETS.map(|(name, _)| name);
    if let Some(name) = raw.framing.as_deref().filter(|name| !presets.contains(name)) {
        let problem = format!("`{name}` is not one of {}", presets.join(", "));
        found.push(breach("framing", &problem));
    }
    for (Number(number), field) in &raw.fields {
        let key = format!("fields.{number}");
        let open = !field.secret && !masks_itself(field);
        if open && (SECRET.contains(number) || field.content == Content::Track) {
            found.push(breach(&format!("{key}.secret"), "this field must be `secret = true`"));
        }
        if open {
            open_parts(&key, field, &mut found);
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

/// Card data in the parts of a field that is not secret as a whole; a message authentication code is
/// no part.
fn open_parts(key: &str, field: &RawField, found: &mut Vec<SpecError>) {
    for (key, part) in card_parts(key, field) {
        if !part.secret && !masks_itself(part) {
            found.push(breach(&format!("{key}.secret"), "this part must be `secret = true`"));
        }
    }
    for (key, part) in parts_of(key, field) {
        if part.mac {
            let problem = "a message authentication code is a field, not a part of one";
            found.push(breach(&format!("{key}.mac"), problem));
        }
        if !part.secret {
            open_parts(&key, part, found);
        }
    }
}

/// The parts that hold card data: tracks, and those of a message inside the field by their numbers.
fn card_parts<'a>(key: &str, field: &'a RawField) -> Vec<(String, &'a RawField)> {
    let Some(parts) = &field.parts else { return Vec::new() };
    let mut found = parts_of(key, field);
    found.retain(|(_, part)| part.content == Content::Track);
    let of_message = parts.fields.iter().filter(|(number, part)| {
        parts.is_message() && SECRET.contains(&number.0) && part.content != Content::Track
    });
    let at = |number: &Number| format!("{key}.parts.fields.{number}");
    found.extend(of_message.map(|(number, part)| (at(number), part)));
    found
}

/// The parts of a field with their keys.
fn parts_of<'a>(key: &str, field: &'a RawField) -> Vec<(String, &'a RawField)> {
    let Some(parts) = &field.parts else { return Vec::new() };
    let own =
        parts.fields.iter().map(|(number, part)| (format!("{key}.parts.fields.{number}"), part));
    let of_sets = parts.sets.iter().flat_map(|(id, set)| {
        let at = move |number| format!("{key}.parts.sets.{id}.fields.{number}");
        set.fields.iter().map(move |(number, part)| (at(number), part))
    });
    let of_tags = parts.tags.iter().map(|(tag, part)| (format!("{key}.parts.tags.{tag}"), part));
    own.chain(of_tags).chain(of_sets).collect()
}

/// Chip data is printed tag by tag, with the secret tags hidden.
fn masks_itself(field: &RawField) -> bool {
    field.parts.as_ref().is_some_and(|parts| parts.kind == "ber_tlv")
}

fn breach(key: &str, problem: &str) -> SpecError {
    SpecError { key: key.to_owned(), problem: problem.to_owned() }
}
