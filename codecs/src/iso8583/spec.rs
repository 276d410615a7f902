//! The specification of a message format, compiled for speed.

use std::sync::{Arc, LazyLock, OnceLock};

use super::composite::Composite;
use super::content::Content;
use super::ebcdic::Page;
use super::field::Field;
use super::index::Walk;

mod emit;
mod import;
mod lint;
mod load;
mod raw;

pub use import::{Form, SPEC_LEN_MAX, form_of, import};
pub use lint::Lint;
pub use raw::{RawDefaults, RawField, RawParts, RawSet, RawSpec};

/// The greatest number of a field: three bitmaps.
pub const FIELD_MAX: u8 = 192;
/// The field that announces, or is, the third bitmap.
pub(super) const THIRD: u8 = 65;
/// Fields by number, and nothing at 0 and 1.
pub(super) const FIELDS: usize = 193;

/// A message format: how header, MTI, bitmaps and each field are written.
#[derive(Debug, Clone)]
pub struct Spec {
    name: Box<str>,
    pub(super) header_len: u16,
    pub(super) mti: MtiEncoding,
    /// What the MTI may hold: digits, or anything.
    pub(super) mti_content: Content,
    pub(super) bitmap: BitmapEncoding,
    pub(super) bitmaps: Bitmaps,
    pub(super) third: ThirdBitmap,
    pub(super) trailing: Trailing,
    /// By number; 0 and 1 are never defined.
    fields: Box<[Option<Field>; FIELDS]>,
    /// The same for the index, in the form it walks fastest.
    pub(super) walks: Box<[Walk; FIELDS]>,
    composites: Box<[Composite]>,
    names: Box<[Box<str>]>,
    framing: Option<Box<str>>,
}

/// How the message type is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MtiEncoding {
    /// Four ASCII digits.
    Ascii,
    /// Two bytes of BCD.
    Bcd,
    /// Four EBCDIC digits.
    Ebcdic(Page),
}

/// How a bitmap is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BitmapEncoding {
    /// Eight bytes.
    Binary,
    /// Sixteen hexadecimal ASCII characters.
    Hex,
    /// Sixteen hexadecimal EBCDIC characters.
    EbcdicHex(Page),
}

/// How many bitmaps a message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bitmaps {
    /// One, always.
    Single,
    /// One, and a second when bit 1 is set.
    Auto,
    /// Two, always; bit 1 says nothing and is left 0.
    Always128,
}

/// Where a third bitmap stands, for fields 129 to 192.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThirdBitmap {
    /// There is none.
    None,
    /// Behind the second, when bit 65 is set.
    Contiguous,
    /// It is the content of field 65.
    InField65,
}

/// What bytes behind the last field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailing {
    /// A fault.
    Refused,
    /// Passed over.
    Ignored,
}

/// A mistake in a specification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", prefix(key))]
pub struct SpecError {
    /// The key it is at, such as `fields.52.length`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

macro_rules! builtin {
    ($($name:literal),+) => {
        /// The formats that are compiled in: name and file.
        const BUILTIN_TOML: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../config/iso8583/", $name, ".toml")))),+];
    };
}

builtin!(
    "cauce-87",
    "iso03-ascii",
    "iso87-ascii",
    "iso87-bcd",
    "iso87-ebcdic",
    "iso93-ascii",
    "iso93-bcd",
    "pos-tpdu",
    "postilion-like"
);

/// The same, each loaded when it is first asked for.
static BUILTIN: [OnceLock<Arc<Spec>>; BUILTIN_TOML.len()] =
    [const { OnceLock::new() }; BUILTIN_TOML.len()];

static CAUCE87: LazyLock<Arc<Spec>> = LazyLock::new(|| {
    Spec::builtin("cauce-87").expect("invariant: the switch's own format is compiled in")
});

/// The key in front of a problem; nothing where the file as a whole is meant.
fn prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

impl Spec {
    /// The names of the compiled-in formats.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN_TOML.iter().map(|(name, _)| *name)
    }

    /// A compiled-in format, such as `cauce-87`.
    pub fn builtin(name: &str) -> Option<Arc<Self>> {
        let at = BUILTIN_TOML.iter().position(|(known, _)| *known == name)?;
        let load = || {
            let spec = Self::from_toml(BUILTIN_TOML[at].1);
            Arc::new(spec.expect("invariant: compiled-in formats are checked by test"))
        };
        Some(Arc::clone(BUILTIN[at].get_or_init(load)))
    }

    /// The written form of a compiled-in format.
    pub fn builtin_text(name: &str) -> Option<&'static str> {
        BUILTIN_TOML.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The format the switch's own listener speaks.
    #[inline]
    pub fn cauce87() -> &'static Self {
        &CAUCE87
    }

    /// Loads a format in the form of `config/iso8583`. Keys that are not known are refused.
    ///
    /// Errors: every mistake there is, not only the first.
    pub fn from_toml(toml: &str) -> Result<Self, Vec<SpecError>> {
        let (raw, mut mistakes) = RawSpec::from_toml(toml);
        let compiled = raw.ok_or(Vec::new()).and_then(|raw| {
            mistakes.extend(lint::check(&raw));
            Self::compile(&raw)
        });
        match compiled {
            Ok(spec) if mistakes.is_empty() => Ok(spec),
            Ok(_) => Err(mistakes),
            Err(more) => Err([mistakes, more].concat()),
        }
    }

    /// Makes a format of its written form, without the house rules that [`Spec::from_toml`] adds.
    ///
    /// Errors: every value that makes no sense.
    pub fn compile(raw: &RawSpec) -> Result<Self, Vec<SpecError>> {
        load::compile(raw)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the framing its messages usually come in, where the format states one.
    pub fn framing(&self) -> Option<&str> {
        self.framing.as_deref()
    }

    /// How many fields it defines.
    pub fn field_count(&self) -> usize {
        self.fields.iter().flatten().count()
    }

    /// Bytes in front of the MTI.
    pub fn header_len(&self) -> usize {
        usize::from(self.header_len)
    }

    /// The same format behind a line whose framing has cut the header off.
    pub fn without_header(&self) -> Self {
        Self { header_len: 0, ..self.clone() }
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

    /// What a field is made of, where it is made of parts.
    pub fn composite(&self, field: &Field) -> Option<&Composite> {
        self.composites.get(usize::from(field.parts?))
    }
}

impl MtiEncoding {
    /// Bytes of the MTI.
    #[inline]
    pub(super) fn width(self) -> usize {
        match self {
            Self::Ascii | Self::Ebcdic(_) => 4,
            Self::Bcd => 2,
        }
    }
}

impl BitmapEncoding {
    /// Bytes on the wire of a number of bytes of bitmap.
    #[inline]
    pub(super) fn width(self, bytes: usize) -> usize {
        match self {
            Self::Binary => bytes,
            Self::Hex | Self::EbcdicHex(_) => bytes * 2,
        }
    }
}

#[cfg(test)]
mod tests;
