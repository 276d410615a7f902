//! Formats written down by other projects, read into our own form.

use serde::de::IgnoredAny;
use std::collections::{BTreeMap, HashMap};

use super::raw::{Number, RawField, RawParts, RawSpec};
use super::{Spec, SpecError};

mod compact;
mod jpos;
mod moov;

/// Bytes of the longest text that is read; the longest known is a tenth of it.
pub const SPEC_LEN_MAX: usize = 1 << 20;
/// The field of chip data, from the 1993 edition on.
const CHIP: u8 = 55;

/// Who wrote a format down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Our own, as in `config/iso8583`.
    Toml,
    /// Compact JSON.
    Compact,
    /// jPOS's generic packagers, XML.
    Jpos,
    /// moov-io/iso8583's specifications, JSON.
    Moov,
}

impl Form {
    /// All of them, our own first.
    pub const ALL: [Self; 4] = [Self::Toml, Self::Jpos, Self::Moov, Self::Compact];

    /// What the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Jpos => "jpos-xml",
            Self::Moov => "moov-json",
            Self::Compact => "compact-json",
        }
    }

    /// The form of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
}

impl Spec {
    /// Loads a format in any form that is known, telling them apart by their text.
    ///
    /// Shape:  formats of other projects state no content classes, so contents are not checked;
    ///         fields that hold card data in every edition become secret.
    /// Errors: every mistake there is.
    pub fn from_any(text: &str) -> Result<Self, Vec<SpecError>> {
        match form_of(text) {
            Form::Toml => Self::from_toml(text),
            form => Self::compile(&import(form, text)?),
        }
    }
}

/// The form of a text, by what it looks like.
///
/// Shape: `<` begins XML, `{` JSON. Of the two JSON forms the compact one states `mti`, while moov's
///        has the message type as field 0.
pub fn form_of(text: &str) -> Form {
    match text.trim_start_matches('\u{FEFF}').trim_start().chars().next() {
        Some('<') => Form::Jpos,
        Some('{') if is_moov(text) => Form::Moov,
        Some('{') => Form::Compact,
        _ => Form::Toml,
    }
}

fn is_moov(json: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        mti: Option<IgnoredAny>,
        fields: Option<HashMap<String, Sketch>>,
    }
    #[derive(serde::Deserialize)]
    struct Sketch {
        r#type: Option<IgnoredAny>,
        prefix: Option<IgnoredAny>,
    }
    let Ok(Head { mti: None, fields: Some(fields) }) = serde_json::from_str(json) else {
        return false;
    };
    fields.contains_key("0")
        || fields.values().any(|field| field.r#type.is_some() || field.prefix.is_some())
}

/// Reads a format of another project into our own form.
///
/// Errors: every mistake there is.
pub fn import(form: Form, text: &str) -> Result<RawSpec, Vec<SpecError>> {
    if text.len() > SPEC_LEN_MAX {
        return Err(vec![mistake("", format_args!("at most {SPEC_LEN_MAX} bytes are read"))]);
    }
    let text = text.trim_start_matches('\u{FEFF}');
    let mut raw = match form {
        Form::Toml => {
            let (raw, mistakes) = RawSpec::from_toml(text);
            return raw.filter(|_| mistakes.is_empty()).ok_or(mistakes);
        }
        Form::Compact => compact::read(text)?,
        Form::Jpos => jpos::read(text)?,
        Form::Moov => moov::read(text)?,
    };
    let is_none = |number: &u8| !(2..=super::FIELD_MAX).contains(number);
    if let Some(number) = raw.fields.keys().map(|number| number.0).find(is_none) {
        let problem = "a field is a number of 2 to 192";
        return Err(vec![mistake(&format!("fields.{number}"), problem)]);
    }
    raw.mti_content = Some("any".to_owned());
    hide_card_data(&mut raw.fields);
    raw.fields.values_mut().for_each(hide_within);
    Ok(raw)
}

/// What holds card data in the fields of a message becomes secret.
fn hide_card_data(fields: &mut BTreeMap<Number, RawField>) {
    for (Number(number), field) in fields {
        field.secret |= super::lint::SECRET.contains(number) || is_opaque_chip(*number, field);
    }
}

/// The same in the messages that stand inside a field.
fn hide_within(field: &mut RawField) {
    let Some(parts) = field.parts.as_deref_mut() else { return };
    if parts.is_message() {
        hide_card_data(&mut parts.fields);
    }
    let RawParts { fields, tags, sets, .. } = parts;
    fields.values_mut().for_each(hide_within);
    tags.values_mut().for_each(hide_within);
    sets.values_mut().flat_map(|set| set.fields.values_mut()).for_each(hide_within);
}

/// Chip data that is not told tag from tag cannot be shown without its card number.
fn is_opaque_chip(number: u8, field: &RawField) -> bool {
    number == CHIP && field.parts.is_none()
}

/// A greatest length, no greater than its digits can say: other projects let it be.
fn reachable(length_max: u32, digits: u8, base: u32) -> u32 {
    let end = base.checked_pow(u32::from(digits)).unwrap_or(u32::MAX);
    length_max.min(end - 1)
}

fn mistake(key: &str, problem: impl ToString) -> SpecError {
    SpecError { key: key.to_owned(), problem: problem.to_string() }
}
