//! The specification of a message format, compiled from TOML for speed.

use std::sync::{Arc, LazyLock};

use super::content::Content;

mod load;

/// A message format: how the MTI, the bitmap and each field are written.
///
/// Shape: MTI of four ASCII digits; one or two bitmaps, the second when bit 1 is set.
#[derive(Debug)]
pub struct Spec {
    pub(super) name: Box<str>,
    pub(super) bitmap: Bitmap,
    /// By number; 0 and 1 are never defined.
    pub(super) fields: Box<[Option<Field>; 129]>,
    names: Box<[Box<str>]>,
}

/// How the bitmap is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bitmap {
    /// Eight bytes.
    Binary,
    /// Sixteen hexadecimal characters.
    Hex,
}

impl Bitmap {
    /// Bytes of one bitmap.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Binary => 8,
            Self::Hex => 16,
        }
    }
}

/// How one field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Fixed or variable length.
    pub length: Length,
    /// How the content is written.
    pub encoding: Encoding,
    /// What the content may hold.
    pub content: Content,
    /// Never to be printed or stored.
    pub secret: bool,
}

/// A field's length, in characters (ASCII) or bytes (raw, hex).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Always this long.
    Fixed(u16),
    /// At most this long, with the length in ASCII digits in front.
    Variable {
        /// The longest content.
        max: u16,
        /// Digits of the length, 1..=4.
        digits: u8,
    },
}

/// How a field's content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One ASCII character each.
    Ascii,
    /// Bytes as they are.
    Raw,
    /// Each byte as two hexadecimal characters.
    Hex,
}

/// A mistake in a specification file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SpecError {
    /// The key it is at, such as `fields.52.length`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The formats that are compiled in, by name.
static BUILTIN: LazyLock<[Arc<Spec>; 1]> = LazyLock::new(|| {
    [include_str!("../../../config/iso8583/cauce-87.toml")].map(|toml| {
        Arc::new(Spec::from_toml(toml).expect("invariant: compiled-in formats are checked by test"))
    })
});

impl Spec {
    /// A compiled-in format: `cauce-87`.
    pub fn builtin(name: &str) -> Option<Arc<Self>> {
        BUILTIN.iter().find(|spec| &*spec.name == name).cloned()
    }

    /// The format the switch's own listener speaks.
    pub fn cauce87() -> &'static Self {
        &BUILTIN[0]
    }

    /// Loads a format. Keys that are not known are refused.
    ///
    /// Errors: every mistake there is, not only the first.
    pub fn from_toml(toml: &str) -> Result<Self, Vec<SpecError>> {
        load::from_toml(toml)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How a field is written; none where it is not defined.
    #[inline]
    pub fn field(&self, number: u8) -> Option<&Field> {
        self.fields.get(usize::from(number))?.as_ref()
    }

    /// What people call a field; empty where it is not defined.
    pub fn field_name(&self, number: u8) -> &str {
        self.names.get(usize::from(number)).map_or("", |name| name)
    }

    pub(super) fn new(name: Box<str>, bitmap: Bitmap) -> Self {
        let names = vec![Box::from(""); 129].into_boxed_slice();
        Self { name, bitmap, fields: Box::new([None; 129]), names }
    }

    pub(super) fn define(&mut self, number: u8, name: Box<str>, field: Field) {
        self.fields[usize::from(number)] = Some(field);
        self.names[usize::from(number)] = name;
    }
}

impl Field {
    /// Bytes on the wire for content of a length in the field's units.
    #[inline]
    pub(super) fn wire_len(&self, length: usize) -> usize {
        match self.encoding {
            Encoding::Ascii | Encoding::Raw => length,
            Encoding::Hex => length * 2,
        }
    }

    /// The position of the first byte that breaks the encoding or the class.
    #[inline]
    pub(super) fn first_violation(&self, bytes: &[u8]) -> Option<usize> {
        match self.encoding {
            Encoding::Ascii => self.content.first_violation(bytes),
            Encoding::Raw => None,
            Encoding::Hex => super::content::first_not_hex(bytes),
        }
    }
}

#[cfg(test)]
mod tests;
