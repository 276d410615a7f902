//! Printing a message for people, with everything that must not be seen masked.

use std::fmt;

use super::composite::{Composite, Parts};
use super::field::Field;
use super::index::Index;
use super::spec::Spec;
use super::tlv;
use super::value::Value;

/// A message that prints itself, one field, part or tag a line, masked.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    spec: &'a Spec,
    index: &'a Index,
    bytes: &'a [u8],
}

/// A masked print of an indexed message.
///
/// Shape: card numbers keep the first six and last four digits; secret fields print as their
///        length; bytes print in hexadecimal. A field whose parts cannot be read prints why.
pub fn describe<'a>(spec: &'a Spec, index: &'a Index, bytes: &'a [u8]) -> Described<'a> {
    Described { spec, index, bytes }
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mti {}", self.index.mti().escape_ascii())?;
        for number in self.index.fields() {
            let Some(field) = self.spec.field(number) else { continue };
            write!(f, "\n{number:>3}{}:", labelled(self.name(number)))?;
            match self.spec.value(self.index, self.bytes, number) {
                Ok(Some(value)) => {
                    let value = self.spec.masked_field(number, value);
                    let composite = self.spec.composite(field);
                    Line { spec: self.spec, composite, depth: 1 }.value(f, &value)?;
                }
                Ok(None) => {}
                Err(error) => write!(f, " unreadable: {error}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the print is.
#[derive(Clone, Copy)]
struct Line<'a> {
    spec: &'a Spec,
    composite: Option<&'a Composite>,
    depth: usize,
}

impl<'a> Line<'a> {
    fn value(self, f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
        match value {
            Value::Text(text) => write!(f, " {}", text.escape_default()),
            Value::Many(many) => many.iter().try_for_each(|value| self.value(f, value)),
            Value::Parts(parts) => parts.iter().try_for_each(|(name, value)| {
                let (label, composite) = self.label(name);
                let indent = self.depth * 4;
                write!(f, "\n{:indent$}{name}{}:", "", labelled(label))?;
                Line { composite, depth: self.depth + 1, ..self }.value(f, value)
            }),
        }
    }

    /// What people call a part, and what that is made of.
    fn label(self, name: &str) -> (&'a str, Option<&'a Composite>) {
        let part = |parts: &'a Parts| {
            let part = parts.named(name);
            let made_of = |field: &Field| self.spec.composite(field);
            part.map_or(("", None), |part| (&*part.name, made_of(&part.field)))
        };
        match self.composite {
            Some(Composite::Positional { parts, .. } | Composite::Bitmapped { parts, .. }) => {
                part(parts)
            }
            Some(Composite::BerTlv { .. }) => (tlv::tag_label(name), None),
            Some(Composite::Tagged(tagged)) => match tagged.tag(name) {
                Some(tag) => (&tag.name, self.spec.composite(&tag.field)),
                None => part(&tagged.head),
            },
            Some(Composite::DataSets(_)) | None => ("", None),
        }
    }
}

impl Described<'_> {
    /// What people call a field: its name in the spec, else in the 1987 edition.
    fn name(&self, number: u8) -> &str {
        let own = self.spec.field_name(number);
        if own.is_empty() { Spec::cauce87().field_name(number) } else { own }
    }
}

/// A name behind a number; nothing where there is none.
fn labelled(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" {name}") }
}

#[cfg(test)]
mod tests;
