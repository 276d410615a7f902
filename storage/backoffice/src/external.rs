//! Payments of bills that were made elsewhere: how, on which day, by which name, and who said so. That
//! they were paid, and whether that stands, is in the journal.

use router::id::{BillId, ExternalPaymentId};
use router::time::{Date, Timestamp};

use crate::database::{change, read};
use crate::error::BackofficeError;
use crate::office::Backoffice;

/// What a biller says of a payment that was made elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalPayment {
    /// The payment.
    pub id: ExternalPaymentId,
    /// The bill.
    pub bill: BillId,
    /// How it was paid, in the biller's words.
    pub method: Box<str>,
    /// The day on which it was paid.
    pub paid_on: Date,
    /// The biller's own name of it.
    pub reference: Box<str>,
    /// How much, in minor units of the bill's currency.
    pub amount_minor: i64,
}

/// Who said that a payment was made elsewhere, and who took it back.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ExternalPaymentRow {
    /// The payment, as `ext_…`.
    pub id: String,
    /// How it was paid, in the biller's words.
    pub method: String,
    /// The day on which it was paid.
    pub paid_on: String,
    /// The biller's own name of it.
    pub reference: String,
    /// Who said so.
    pub registered_by: String,
    /// Who took it back; none while it stands.
    pub undone_by: Option<String>,
}

const INSERT: &str = "INSERT INTO external_payments (id, bill_id, method, paid_on, reference, \
    amount_minor, registered_at, registered_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (id) DO NOTHING";
const UNDO: &str = "UPDATE external_payments SET undone_at = $2, undone_by = $3 \
    WHERE id = $1 AND undone_at IS NULL";

impl Backoffice {
    /// Notes what a biller says of a payment whose record is durable; once, however often it is said.
    ///
    /// Dropping the call may leave it noted.
    pub async fn note_external_payment(
        &self,
        payment: &ExternalPayment,
        at: Timestamp,
        actor: &str,
    ) -> Result<(), BackofficeError> {
        change!(&self.registered, |on| {
            let query = sqlx::query(INSERT).bind(payment.id.to_string());
            let query = query.bind(payment.bill.to_string()).bind(&*payment.method);
            let query = query.bind(payment.paid_on.to_string()).bind(&*payment.reference);
            let query = query.bind(payment.amount_minor).bind(at.0).bind(actor);
            query.execute(&mut *on).await?;
        })
    }

    /// Notes who took back what was said of a payment; the first one is kept.
    ///
    /// Dropping the call may leave it noted.
    pub async fn note_external_undone(
        &self,
        id: ExternalPaymentId,
        at: Timestamp,
        actor: &str,
    ) -> Result<(), BackofficeError> {
        change!(&self.registered, |on| {
            let query = sqlx::query(UNDO).bind(id.to_string()).bind(at.0).bind(actor);
            query.execute(&mut *on).await?;
        })
    }

    /// What was said of the payments of a bill, oldest first. Cancel-safe.
    pub async fn external_payments(
        &self,
        bill: BillId,
        most: i64,
    ) -> Result<Vec<ExternalPaymentRow>, BackofficeError> {
        const SQL: &str = "SELECT id, method, paid_on, reference, registered_by, undone_by \
            FROM external_payments WHERE bill_id = $1 ORDER BY id DESC LIMIT $2";
        let mut rows = read!(&self.registered, |on| {
            let query = sqlx::query_as::<_, ExternalPaymentRow>(SQL).bind(bill.to_string());
            query.bind(most).fetch_all(on).await
        })?;
        rows.reverse();
        Ok(rows)
    }
}
