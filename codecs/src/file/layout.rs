//! Where each field of a file stands and how it is written, as data.
//!
//! A layout is a TOML file under `config/files`; `name`, `content` (`bills`, `clearing`), `format`
//! (`csv`, `fixed`, `xlsx`), `currency`, how values are written, and a table `fields` that gives
//! each field its place: `{ column = "FACTURA" }` or `{ column = 3 }` (from 1), or in fixed-width
//! files `{ start = 2, length = 20 }` (from 1, in characters). `records` tells header, detail and
//! trailer apart, `totals` says where count and sum stand. Files are written with columns at their
//! positions, and named ones in the order of the content's fields. The examples there show the keys.

use router::money::Currency;

use super::record::FieldSpec;
use super::{LayoutError, Record};
use crate::charset::Charset;

mod load;

/// A layout without mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub(super) name: String,
    pub(super) content: &'static str,
    pub(super) currency: Currency,
    pub(super) charset: Charset,
    pub(super) style: Style,
    pub(super) format: Format,
    pub(super) records: Option<RecordTypes>,
    pub(super) fields: Vec<Field>,
    pub(super) totals: Option<Totals>,
}

/// How values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Style {
    pub dates: super::pattern::Pattern,
    pub instants: super::pattern::Pattern,
    pub decimals: Decimals,
    pub yes: String,
    pub no: String,
}

/// How the decimals of an amount are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimals {
    /// Behind a mark.
    Mark(char),
    /// So many of the last digits, without a mark.
    Implied(u16),
}

/// How rows are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Columns between delimiters.
    Csv { delimiter: u8, quote: u8, has_header: bool },
    /// Columns of a sheet.
    Xlsx { has_header: bool },
    /// Characters of a line.
    Fixed { length: usize, crlf: bool },
}

/// Which records there are, and where their mark stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordTypes {
    pub at: Place,
    pub header: Option<String>,
    pub detail: Option<String>,
    pub trailer: Option<String>,
}

/// A field and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub spec: &'static FieldSpec,
    pub place: Place,
}

/// Where something stands in a row; positions count from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Named(String),
    Column(usize),
    Span(Span),
}

/// Characters of a fixed-width row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub length: usize,
    /// What fills a value up: behind text, in front of numbers.
    pub pad: char,
}

/// Which record carries the control totals, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Totals {
    pub record: TotalsRecord,
    pub count: Option<Place>,
    pub sum: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TotalsRecord {
    Header,
    Trailer,
}

impl TotalsRecord {
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Trailer => "trailer",
        }
    }
}

impl Layout {
    /// Reads a layout.
    ///
    /// Errors: every mistake, each with its key; unknown keys are mistakes.
    pub fn from_toml(toml: &str) -> Result<Self, Vec<LayoutError>> {
        load::from_toml(toml)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is for this kind of record.
    pub fn is_for<T: Record>(&self) -> bool {
        self.content == T::CONTENT
    }
}

#[cfg(test)]
mod tests;
