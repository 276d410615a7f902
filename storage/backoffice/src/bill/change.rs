//! What changes bills: registering, amending, cancelling. Each change is a row of its own with its
//! actor, in the same transaction.

use router::id::{BillId, BillNo, BillerId};
use router::time::Timestamp;

use super::row::columns;
use super::{BillEntry, BillLine};
use crate::database::change;
use crate::error::BackofficeError;
use crate::office::Backoffice;

/// Who changes a bill, when and how.
#[derive(Debug, Clone)]
pub struct BillChange {
    /// When.
    pub at: Timestamp,
    /// Who: the holder of an API key, as `key:…`.
    pub actor: Box<str>,
    /// The way it came in, as `api`.
    pub channel: &'static str,
    /// What people need beyond the kind of change, where there is more to tell.
    pub detail: Option<Box<str>>,
}

/// What came of registering a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisteredAs {
    /// It is registered.
    New,
    /// The biller has a bill of this number.
    Repeated,
}

/// What came of amending a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amended {
    /// It is changed.
    Done,
    /// It was changed before: its version is another one.
    Stale,
}

/// What came of cancelling a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It is cancelled.
    Done,
    /// It was cancelled before.
    Before,
}

pub(super) const INSERT: &str = concat!(
    "INSERT INTO bills (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
     $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30) \
     ON CONFLICT (biller, bill_no) DO NOTHING"
);
pub(super) const UPDATE: &str = "UPDATE bills SET client_id = $3, contract_no = $4, client_name = $5, \
    client_phone = $6, client_email = $7, client_doc = $8, client_language = $9, \
    amount_minor = $10, due_1_date = $11, due_1_minor = $12, due_2_date = $13, \
    due_2_minor = $14, due_3_date = $15, due_3_minor = $16, allow_partial = $17, \
    min_minor = $18, max_minor = $19, must_leave_minor = $20, product = $21, metadata = $22, \
    expires_at = $23, changed_at = $24, version = version + 1 \
    WHERE id = $1 AND version = $2 AND cancelled_at IS NULL";
const CANCEL: &str = "UPDATE bills SET cancelled_at = $2, changed_at = $2, version = version + 1 \
    WHERE id = $1 AND cancelled_at IS NULL";
const VERSION_OF: &str = "SELECT version FROM bills WHERE id = $1";
pub(super) const INSERT_CHANGE: &str = "INSERT INTO bill_changes \
    (bill_id, version, at, change, actor, channel, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)";
pub(super) const INSERT_LINE: &str =
    "INSERT INTO bill_lines (bill_id, number, line_text, amount_minor) VALUES ($1, $2, $3, $4)";
pub(super) const DELETE_LINES: &str = "DELETE FROM bill_lines WHERE bill_id = $1";

/// The due dates of a bill as its columns have them.
pub(super) struct DueColumns(pub(super) [(Option<String>, Option<i64>); 3]);

impl DueColumns {
    pub(super) fn of(bill: &BillEntry) -> Self {
        let due = &bill.terms.due;
        Self([0, 1, 2].map(|at| {
            let due = due.get(at);
            (due.map(|due| due.date.to_string()), due.map(|due| due.minor))
        }))
    }
}

/// Binds what an amendment may change but for the currency, in the order of the columns.
macro_rules! bind_terms {
    ($query:expr, $bill:expr) => {{
        let terms = &$bill.terms;
        let DueColumns([first, second, third]) = DueColumns::of($bill);
        let query = $query.bind(terms.amount.minor).bind(first.0).bind(first.1);
        let query = query.bind(second.0).bind(second.1).bind(third.0).bind(third.1);
        let query = query.bind(terms.allows_partial).bind(terms.min_minor).bind(terms.max_minor);
        query.bind(terms.must_leave_minor).bind($bill.product.map(|name| name.to_string()))
    }};
}

/// Binds who pays, in the order of the columns.
macro_rules! bind_client {
    ($query:expr, $bill:expr) => {{
        let contact = &$bill.contact;
        let query = $query.bind($bill.client_id.as_str()).bind($bill.contract_no.as_deref());
        let query = query.bind(contact.name.as_deref()).bind(contact.phone.as_deref());
        let query = query.bind(contact.email.as_deref()).bind(contact.doc.as_deref());
        query.bind(contact.language.as_deref())
    }};
}

/// Writes the row of a change, and the lines where they are new.
macro_rules! put_change {
    ($on:ident, $id:expr, $version:expr, $name:literal, $by:expr) => {
        sqlx::query(INSERT_CHANGE)
            .bind($id.as_str())
            .bind($version)
            .bind($by.at.0)
            .bind($name)
            .bind(&*$by.actor)
            .bind($by.channel)
            .bind($by.detail.as_deref())
            .execute(&mut *$on)
            .await?
    };
}

macro_rules! put_lines {
    ($on:ident, $id:expr, $lines:expr) => {
        for (number, BillLine { text, minor }) in (1_i64..).zip($lines) {
            sqlx::query(INSERT_LINE)
                .bind($id.as_str())
                .bind(number)
                .bind(&**text)
                .bind(*minor)
                .execute(&mut *$on)
                .await?;
        }
    };
}

/// Inserts a bill; gives whether its number was free.
macro_rules! put_bill {
    ($on:ident, $id:expr, $bill:expr, $by:expr) => {{
        let query = sqlx::query(INSERT).bind($id.as_str()).bind($bill.biller.as_str());
        let query = bind_client!(query.bind($bill.bill_no.as_str()), $bill);
        let query = bind_terms!(query.bind($bill.terms.amount.currency.code()), $bill);
        let query = query.bind($bill.origin.name()).bind($bill.metadata.as_deref());
        let query = query.bind($bill.terms.expires_at.map(|at| at.0)).bind(None::<i64>);
        let query = query.bind(1_i64).bind($by.at.0).bind($by.at.0);
        let is_new = query.execute(&mut *$on).await?.rows_affected() == 1;
        if is_new {
            put_lines!($on, $id, &$bill.lines);
            put_change!($on, $id, 1_i64, "registered", $by);
        }
        is_new
    }};
}

/// Puts a bill in the place of its version before; gives whether that was still the version.
macro_rules! replace_bill {
    ($on:ident, $id:expr, $bill:expr, $by:expr) => {{
        let version = i64::from($bill.version);
        let query = sqlx::query(UPDATE).bind($id.as_str()).bind(version);
        let query = bind_terms!(bind_client!(query, $bill), $bill);
        let query = query.bind($bill.metadata.as_deref());
        let query = query.bind($bill.terms.expires_at.map(|at| at.0)).bind($by.at.0);
        let is_done = query.execute(&mut *$on).await?.rows_affected() == 1;
        if is_done {
            sqlx::query(DELETE_LINES).bind($id.as_str()).execute(&mut *$on).await?;
            put_lines!($on, $id, &$bill.lines);
            put_change!($on, $id, version + 1, "amended", $by);
        }
        is_done
    }};
}

pub(super) use {bind_client, bind_terms, put_bill, put_change, put_lines, replace_bill};

impl Backoffice {
    /// Registers a bill, unless its biller has one of that number: then nothing is changed.
    ///
    /// Durable when it returns. Dropping the call may leave the bill registered: who asks again is
    /// told that it is there.
    pub async fn register_bill(
        &self,
        bill: &BillEntry,
        by: &BillChange,
    ) -> Result<RegisteredAs, BackofficeError> {
        let id = bill.id.to_string();
        change!(&self.registered, |on| {
            let is_new = put_bill!(on, id, bill, by);
            if is_new { RegisteredAs::New } else { RegisteredAs::Repeated }
        })
    }

    /// Puts a bill as it is to be in the place of the version that it was made from; what is under
    /// way goes on by the terms it began with.
    ///
    /// Shape: `bill.version` is the version before; number, currency, origin and biller stay.
    ///
    /// Dropping the call may leave the bill changed: who asks again is told that it is stale.
    pub async fn amend_bill(
        &self,
        bill: &BillEntry,
        by: &BillChange,
    ) -> Result<Amended, BackofficeError> {
        let id = bill.id.to_string();
        change!(&self.registered, |on| {
            let is_done = replace_bill!(on, id, bill, by);
            if is_done { Amended::Done } else { Amended::Stale }
        })
    }

    /// Cancels a bill: nothing more is paid of it. Dropping the call may leave it cancelled.
    pub async fn cancel_bill(
        &self,
        id: BillId,
        by: &BillChange,
    ) -> Result<Cancelled, BackofficeError> {
        let id = id.to_string();
        change!(&self.registered, |on| {
            let query = sqlx::query(CANCEL).bind(id.as_str()).bind(by.at.0);
            let is_done = query.execute(&mut *on).await?.rows_affected() == 1;
            if is_done {
                let query = sqlx::query_scalar::<_, i64>(VERSION_OF).bind(id.as_str());
                let version = query.fetch_one(&mut *on).await?;
                put_change!(on, id, version, "cancelled", by);
            }
            if is_done { Cancelled::Done } else { Cancelled::Before }
        })
    }

    /// The bill that a repeated number belongs to. Cancel-safe.
    ///
    /// Errors: none is there any more, which is a fault of the database.
    pub async fn repeated_bill(
        &self,
        biller: BillerId,
        bill_no: BillNo,
    ) -> Result<BillEntry, BackofficeError> {
        let found = self.bill_by_no(biller, bill_no).await?;
        found.ok_or_else(|| BackofficeError::Database(sqlx::Error::RowNotFound))
    }
}
