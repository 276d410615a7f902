//! Formats written down by other projects, read into our own form.

use super::raw::{Number, RawSpec};
use super::{Spec, SpecError};

mod compact;

/// Who wrote a format down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Our own, as in `config/iso8583`.
    Toml,
    /// Compact JSON.
    Compact,
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
pub fn form_of(text: &str) -> Form {
    match text.trim_start().chars().next() {
        Some('{') => Form::Compact,
        _ => Form::Toml,
    }
}

/// Reads a format of another project into our own form.
///
/// Errors: every mistake there is.
pub fn import(form: Form, text: &str) -> Result<RawSpec, Vec<SpecError>> {
    let mut raw = match form {
        Form::Toml => {
            let (raw, mistakes) = RawSpec::from_toml(text);
            return raw.filter(|_| mistakes.is_empty()).ok_or(mistakes);
        }
        Form::Compact => compact::read(text)?,
    };
    for (Number(number), field) in &mut raw.fields {
        field.secret |= super::lint::SECRET.contains(number);
    }
    Ok(raw)
}

/// A greatest length, no greater than its digits can say: other projects let it be.
fn reachable(length_max: u32, digits: u8, base: u32) -> u32 {
    let end = base.checked_pow(u32::from(digits)).unwrap_or(u32::MAX);
    length_max.min(end - 1)
}

fn mistake(key: &str, problem: impl ToString) -> SpecError {
    SpecError { key: key.to_owned(), problem: problem.to_string() }
}
