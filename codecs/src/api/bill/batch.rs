//! `/v1/bills:batch` and `/v1/batches`: files of bills.

use router::id::{BatchId, BillId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Shown;

/// A file that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BatchAccepted)]
pub struct BatchAcceptedView {
    /// The file; `GET /v1/batches/{id}` tells what becomes of it.
    #[schema(value_type = String, pattern = "^bat_")]
    pub id: Shown<BatchId>,
}

/// A file, how far it was taken, and what became of its rows.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Batch)]
pub struct BatchView {
    /// The file.
    #[schema(value_type = String, pattern = "^bat_")]
    pub id: Shown<BatchId>,
    /// `running`, or `done`.
    #[schema(pattern = "^(running|done)$")]
    pub state: String,
    /// Rows that were taken or refused so far.
    pub rows: u64,
    /// Rows whose bill is as they say now.
    pub accepted: u64,
    /// Rows that were refused.
    pub rejected: u64,
    /// Why the file as a whole was refused: `file_unreadable`, `header_invalid`, `too_large` or
    /// `control_totals_differ`. No row of it was taken then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// One page of rows, in their order.
    pub results: Vec<BatchResultView>,
    /// Where the next page begins; absent where no more rows were taken so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BatchResult)]
pub struct BatchResultView {
    /// The row, from 1; a header row counts.
    pub row: u64,
    /// The bill that it made, changed or named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^bil_")]
    pub bill: Option<Shown<BillId>>,
    /// Why it was refused: a code of the decline catalogue, or of a file's reader, as `bad_amount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The field to mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Where that stands in the row: columns of CSV and XLSX, characters of the others, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
