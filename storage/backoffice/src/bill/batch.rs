//! Files of bills: rows are taken some at a time, each time in one transaction with what became of them
//! and how far the file was taken.

use router::id::{BatchId, BillId, BillNo, BillerId};
use router::time::Timestamp;

use super::change::{
    DELETE_LINES, DueColumns, INSERT, INSERT_CHANGE, INSERT_LINE, UPDATE, bind_client, bind_terms,
    put_bill, put_change, put_lines, replace_bill,
};
use super::row::{BillRow, columns};
use super::{BillChange, BillEntry, BillLine};
use crate::database::{change, read};
use crate::error::BackofficeError;
use crate::office::Backoffice;

/// Rows of one statement.
const ROWS_PER_STATEMENT: usize = 100;

/// A file that came.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// The file.
    pub id: BatchId,
    /// Whose bills it has.
    pub biller: BillerId,
    /// `jsonl`, `csv`, `xlsx` or `fixed`.
    pub format: Box<str>,
    /// The layout it is read by; none where its header row has the fields' own names.
    pub layout: Option<Box<str>>,
    /// Who sent it.
    pub actor: Box<str>,
    /// When it came.
    pub at: Timestamp,
}

/// A file, and how far it was taken.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct BatchEntry {
    /// The file, as `bat_…`.
    pub id: String,
    /// Whose bills it has.
    pub biller: String,
    /// `jsonl`, `csv`, `xlsx` or `fixed`.
    pub format: String,
    /// The layout it is read by.
    pub layout: Option<String>,
    /// Who sent it.
    pub actor: String,
    /// `running` or `done`.
    pub state: String,
    /// The last row that was taken.
    pub taken_rows: i64,
    /// Rows whose bill was registered or changed.
    pub accepted: i64,
    /// Rows that were not taken.
    pub rejected: i64,
    /// Why the file as a whole was refused.
    pub code: Option<String>,
    /// The same in words.
    pub detail: Option<String>,
}

/// Why a row is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The code.
    pub code: Box<str>,
    /// The field to mend.
    pub field: Option<Box<str>>,
    /// Where it stands in the row, from 1.
    pub column: Option<i64>,
    /// What would be right.
    pub detail: Option<Box<str>>,
    /// The bill that it names, where there is one.
    pub bill: Option<BillId>,
}

/// What is to become of a row.
#[derive(Debug, Clone)]
pub enum BatchOutcome {
    /// A bill that its biller may not have yet.
    New(Box<BillEntry>),
    /// A bill to be put in the place of the version that it was made from.
    Replaced(Box<BillEntry>),
    /// A bill that is as the row says already.
    Same(BillId),
    /// It is not taken.
    Faulty(RowFault),
}

/// A row, by its number in the file.
#[derive(Debug, Clone)]
pub struct BatchRow {
    /// From 1, a header row among them.
    pub number: u64,
    /// What is to become of it.
    pub outcome: BatchOutcome,
}

/// How many rows were taken, and not taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchCounts {
    /// Rows whose bill was registered, changed, or as it says already.
    pub accepted: i64,
    /// Rows that were not taken.
    pub rejected: i64,
}

/// Whether rows were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchTaken {
    /// They were.
    Done,
    /// Another process takes the file.
    Elsewhere,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct BatchRowResult {
    /// The row, from 1.
    pub row_number: i64,
    /// The bill that it made, changed or named.
    pub bill_id: Option<String>,
    /// Why it was not taken.
    pub code: Option<String>,
    /// The field to mend.
    pub field: Option<String>,
    /// Where that stands in the row.
    pub column_number: Option<i64>,
    /// What would be right.
    pub detail: Option<String>,
}

impl BatchRowResult {
    fn taken(number: i64, bill: &str) -> Self {
        let bill_id = Some(bill.to_owned());
        let (code, field, column_number, detail) = (None, None, None, None);
        Self { row_number: number, bill_id, code, field, column_number, detail }
    }

    fn of(number: i64, fault: &RowFault) -> Self {
        let RowFault { code, field, column, detail, bill } = fault;
        let own = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Self {
            row_number: number,
            bill_id: bill.map(|bill| bill.to_string()),
            code: Some(code.to_string()),
            field: own(field),
            column_number: *column,
            detail: own(detail),
        }
    }

    fn with_code(number: i64, bill: &str, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..Self::taken(number, bill) }
    }
}

const INSERT_BATCH: &str = "INSERT INTO batches (id, biller, format, layout, actor, state, \
    taken_rows, accepted, rejected, created_at, changed_at) \
    VALUES ($1, $2, $3, $4, $5, 'running', 0, 0, 0, $6, $6)";
const INSERT_RESULTS: &str =
    "INSERT INTO batch_rows (batch_id, row_number, bill_id, code, field, column_number, detail) ";
const TAKE: &str = "UPDATE batches SET taken_rows = $2, accepted = accepted + $3, \
    rejected = rejected + $4, changed_at = $5 \
    WHERE id = $1 AND taken_rows = $6 AND state = 'running'";
const END: &str = "UPDATE batches SET state = 'done', code = $2, detail = $3, changed_at = $4 \
    WHERE id = $1 AND state = 'running'";

impl Backoffice {
    /// Notes a file whose rows are about to be taken. Dropping the call may leave it noted.
    pub async fn begin_batch(&self, batch: &NewBatch) -> Result<(), BackofficeError> {
        change!(&self.registered, |on| {
            let query = sqlx::query(INSERT_BATCH).bind(batch.id.to_string());
            let query = query.bind(batch.biller.as_str()).bind(&*batch.format);
            let query = query.bind(batch.layout.as_deref()).bind(&*batch.actor);
            query.bind(batch.at.0).execute(&mut *on).await?;
        })
    }

    /// Takes the rows of a file behind the row `from`: their bills, what became of each, and how far the
    /// file was taken, all of it or nothing.
    ///
    /// Shape: rows ascend behind `from`; no two are of one bill.
    ///
    /// A call that is dropped has taken all or nothing.
    pub async fn take_batch_rows(
        &self,
        batch: BatchId,
        from: u64,
        rows: &[BatchRow],
        by: &BillChange,
    ) -> Result<(BatchTaken, BatchCounts), BackofficeError> {
        let Some(to) = rows.last().map(|row| column(row.number)) else {
            return Ok((BatchTaken::Done, BatchCounts::default()));
        };
        let (batch, from) = (batch.to_string(), column(from));
        change!(&self.registered, |on| {
            let mut results = Vec::with_capacity(rows.len());
            for BatchRow { number, outcome } in rows {
                let number = column(*number);
                results.push(match outcome {
                    BatchOutcome::Faulty(fault) => BatchRowResult::of(number, fault),
                    BatchOutcome::Same(id) => BatchRowResult::taken(number, &id.to_string()),
                    BatchOutcome::New(bill) => {
                        let id = bill.id.to_string();
                        if put_bill!(on, id, bill, by) {
                            BatchRowResult::taken(number, &id)
                        } else {
                            BatchRowResult {
                                bill_id: None,
                                ..BatchRowResult::with_code(number, &id, "bill_exists")
                            }
                        }
                    }
                    BatchOutcome::Replaced(bill) => {
                        let id = bill.id.to_string();
                        if replace_bill!(on, id, bill, by) {
                            BatchRowResult::taken(number, &id)
                        } else {
                            BatchRowResult::with_code(number, &id, "version_conflict")
                        }
                    }
                });
            }
            for some in results.chunks(ROWS_PER_STATEMENT) {
                let mut query = sqlx::QueryBuilder::<Db>::new(INSERT_RESULTS);
                query.push_values(some, |mut tuple, result| {
                    tuple.push_bind(batch.clone()).push_bind(result.row_number);
                    tuple.push_bind(result.bill_id.clone()).push_bind(result.code.clone());
                    tuple.push_bind(result.field.clone()).push_bind(result.column_number);
                    tuple.push_bind(result.detail.clone());
                });
                query.build().execute(&mut *on).await?;
            }
            let rejected = count(results.iter().filter(|result| result.code.is_some()));
            let counts = BatchCounts { accepted: count(results.iter()) - rejected, rejected };
            let query = sqlx::query(TAKE).bind(batch.as_str()).bind(to).bind(counts.accepted);
            let query = query.bind(counts.rejected).bind(by.at.0).bind(from);
            if query.execute(&mut *on).await?.rows_affected() != 1 {
                // Dropped, the transaction leaves everything as it was.
                return Ok((BatchTaken::Elsewhere, BatchCounts::default()));
            }
            (BatchTaken::Done, counts)
        })
    }

    /// Ends a file, with a code where it was refused as a whole. Dropping the call may leave it ended.
    pub async fn end_batch(
        &self,
        batch: BatchId,
        refused: Option<(&str, &str)>,
        at: Timestamp,
    ) -> Result<(), BackofficeError> {
        change!(&self.registered, |on| {
            let query = sqlx::query(END).bind(batch.to_string());
            let query = query.bind(refused.map(|(code, _)| code.to_owned()));
            let query = query.bind(refused.map(|(_, detail)| detail.to_owned()));
            query.bind(at.0).execute(&mut *on).await?;
        })
    }

    /// A file, and how far it was taken. Cancel-safe.
    pub async fn batch(&self, batch: BatchId) -> Result<Option<BatchEntry>, BackofficeError> {
        const SQL: &str = "SELECT id, biller, format, layout, actor, state, taken_rows, accepted, \
            rejected, code, detail FROM batches WHERE id = $1";
        read!(&self.registered, |on| {
            let query = sqlx::query_as::<_, BatchEntry>(SQL).bind(batch.to_string());
            query.fetch_optional(on).await
        })
    }

    /// What became of the rows of a file behind a row, in their order. Cancel-safe.
    pub async fn batch_results(
        &self,
        batch: BatchId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<BatchRowResult>, BackofficeError> {
        const SQL: &str = "SELECT row_number, bill_id, code, field, column_number, detail \
            FROM batch_rows WHERE batch_id = $1 AND row_number > $2 ORDER BY row_number LIMIT $3";
        read!(&self.registered, |on| {
            let query = sqlx::query_as::<_, BatchRowResult>(SQL).bind(batch.to_string());
            query.bind(column(after)).bind(i64::from(limit)).fetch_all(on).await
        })
    }

    /// The bills of a biller that have one of these numbers. Cancel-safe.
    pub async fn bills_by_no(
        &self,
        biller: BillerId,
        numbers: &[BillNo],
    ) -> Result<Vec<BillEntry>, BackofficeError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let rows = read!(&self.registered, |on| {
            let mut query = sqlx::QueryBuilder::<Db>::new(concat!(
                "SELECT ",
                columns!(),
                " FROM bills WHERE biller = "
            ));
            query.push_bind(biller.to_string()).push(" AND bill_no IN (");
            let mut list = query.separated(", ");
            for number in numbers {
                list.push_bind(number.to_string());
            }
            query.push(")");
            query.build_query_as::<BillRow>().fetch_all(on).await
        })?;
        self.whole(rows).await
    }
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count<'a>(rows: impl Iterator<Item = &'a BatchRowResult>) -> i64 {
    column(u64::try_from(rows.count()).unwrap_or(u64::MAX))
}
