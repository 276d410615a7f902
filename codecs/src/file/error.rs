//! What is wrong with a file: which row, which field, what would be right. Never the content.

use std::fmt;

/// The kinds of mistakes in a row; the names are those of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowErrorKind {
    /// Bytes that are no text of the layout's encoding.
    BadEncoding,
    /// Quotes that open within a field, or do not close.
    BadQuoting,
    /// A row longer than any may be.
    RowTooLong,
    /// A row with more columns than any may have.
    TooManyColumns,
    /// A fixed-width row of another length than the layout's.
    BadLength,
    /// A record of a type the layout does not know, or where it must not be.
    UnknownRecord,
    /// A field that must be there is empty.
    Missing,
    /// A text longer than its field may be.
    TooLong,
    /// Not an amount as the layout writes them, or one that is not allowed.
    BadAmount,
    /// Not a date as the layout writes them, or one that does not exist.
    BadDate,
    /// Not one of the layout's two words for yes and no.
    BadFlag,
    /// Not a currency, or not the one of the file.
    BadCurrency,
    /// Text with control characters.
    BadText,
    /// Two fields of the row contradict each other.
    Conflict,
}

impl RowErrorKind {
    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadEncoding => "bad_encoding",
            Self::BadQuoting => "bad_quoting",
            Self::RowTooLong => "row_too_long",
            Self::TooManyColumns => "too_many_columns",
            Self::BadLength => "bad_length",
            Self::UnknownRecord => "unknown_record",
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::BadAmount => "bad_amount",
            Self::BadDate => "bad_date",
            Self::BadFlag => "bad_flag",
            Self::BadCurrency => "bad_currency",
            Self::BadText => "bad_text",
            Self::Conflict => "conflict",
        }
    }
}

/// One mistake in one row.
///
/// Shape: `field` is empty when the row as a whole is meant; `column` counts from 1: columns of
///        CSV and XLSX, characters of fixed-width rows; 0 for the row as a whole.
/// Units: `row` counts records from 1, a header row among them; `offset` in bytes of the file, of
///        the row's first byte; 0 in XLSX.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RowError {
    /// Which row.
    pub row: u64,
    /// Where it begins.
    pub offset: u64,
    /// Which field, by its name in the layout.
    pub field: String,
    /// Where the field stands in the row.
    pub column: usize,
    /// What is wrong.
    pub kind: RowErrorKind,
    /// What would be right.
    pub rule: &'static str,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, field, column, rule, .. } = self;
        match field.as_str() {
            "" => write!(f, "row {row} {rule}"),
            field => write!(f, "row {row} field {field} at column {column} {rule}"),
        }
    }
}

/// Why a file as a whole is refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Reading failed.
    #[error("file could not be read")]
    Io(#[from] std::io::Error),
    /// The layout is for something else.
    #[error("layout is for {layout}, not for {wanted}")]
    WrongLayout {
        /// What it is for.
        layout: String,
        /// What was to be read.
        wanted: &'static str,
    },
    /// A column named by the layout is not in the header row, or is there twice.
    #[error("column `{name}` is not there exactly once in the header row")]
    Column {
        /// The column's name, from the layout.
        name: String,
    },
    /// The header row cannot be read.
    #[error("header row cannot be read: {0}")]
    Header(RowError),
    /// There are more rows than any file may have.
    #[error("more than {max} rows")]
    TooManyRows {
        /// The most there may be.
        max: u64,
    },
    /// There are more cells than any sheet may have, or the file is larger when unpacked.
    #[error("spreadsheet has more than {max} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The most there may be.
        max: u64,
    },
    /// The file is no XLSX, or a broken one.
    #[error("not a readable xlsx file")]
    NotXlsx,
    /// The record with the control totals is not there, or there twice, or cannot be read.
    #[error("{record} with the control totals is not there exactly once and readable")]
    NoTotals {
        /// Header or trailer.
        record: &'static str,
    },
    /// The count stated is not that of the rows.
    #[error("{stated} rows stated, {found} found")]
    Count {
        /// What the file says.
        stated: u64,
        /// What it holds.
        found: u64,
    },
    /// The sum stated is not that of the rows.
    #[error("the sum stated is not that of the rows")]
    Sum {
        /// What the file says, in minor units.
        stated: i128,
        /// What it holds, in minor units.
        found: i128,
    },
}

/// A mistake in a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct LayoutError {
    /// The key to mend.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a record could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The layout is for something else.
    #[error("layout is for {layout}, not for {wanted}")]
    WrongLayout {
        /// What it is for.
        layout: String,
        /// What was to be written.
        wanted: String,
    },
    /// A value does not fit its field, its currency or its encoding.
    #[error("record {record} field {field} {rule}")]
    Field {
        /// Which record, from 1; 0 for header and trailer.
        record: usize,
        /// Which field.
        field: String,
        /// What would be right.
        rule: &'static str,
    },
    /// There are more records than a sheet has rows.
    #[error("more than {max} rows")]
    TooManyRows {
        /// The most there may be.
        max: usize,
    },
}
