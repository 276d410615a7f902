//! Bill bases and clearing files: CSV, fixed-width and XLSX, read and written by a layout.
//!
//! - [`layout::Layout`]: where each field stands and how it is written, from TOML;
//! - [`named`]: the layout of a file whose header row has the fields' own names;
//! - [`bill::BillRow`] and [`clearing::ClearingEntry`]: the two kinds of records;
//! - [`read::Reader`]: an iterator of good rows and of the mistakes in bad ones, which never holds
//!   more than one row; control totals are checked at its end;
//! - [`write::write`] and [`xlsx::write`]: the same layouts, the other way;
//! - [`camt054`]: clearing entries from and for a notification of ISO 20022;
//! - [`formula`]: how text is kept from being run by a spreadsheet program.
//!
//! Ceilings are constants: [`read::ROW_LEN_MAX`], [`read::COLUMN_COUNT_MAX`],
//! [`read::ROW_COUNT_MAX`], and those of [`xlsx`].

pub mod bill;
pub mod camt054;
pub mod clearing;
mod error;
pub mod formula;
pub mod layout;
pub mod named;
pub(crate) mod pattern;
pub mod read;
mod record;
mod source;
mod value;
pub mod write;
pub mod xlsx;

pub use error::{FileError, LayoutError, RowError, RowErrorKind, WriteError};
pub use record::{Fault, FieldKind, FieldSpec, Record, Values};
pub use value::Value;
