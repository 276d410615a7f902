//! The rows of bills.

use router::bill::{DueAmount, RegisteredBill};
use router::money::{Currency, Money};
use router::time::{Date, Timestamp};

use super::{BillEntry, BillLine, BillOrigin, Contact};
use crate::error::BackofficeError;

/// The columns of [`BillRow`], in the order in which rows are written.
macro_rules! columns {
    () => {
        "id, biller, bill_no, client_id, contract_no, client_name, client_phone, client_email, \
         client_doc, client_language, currency, amount_minor, due_1_date, due_1_minor, \
         due_2_date, due_2_minor, due_3_date, due_3_minor, allow_partial, min_minor, max_minor, \
         must_leave_minor, product, origin, metadata, expires_at, cancelled_at, version, \
         created_at, changed_at"
    };
}

pub(super) use columns;

/// A row of `bills`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct BillRow {
    pub id: String,
    biller: String,
    bill_no: String,
    client_id: String,
    contract_no: Option<String>,
    client_name: Option<String>,
    client_phone: Option<String>,
    client_email: Option<String>,
    client_doc: Option<String>,
    client_language: Option<String>,
    currency: String,
    amount_minor: i64,
    due_1_date: Option<String>,
    due_1_minor: Option<i64>,
    due_2_date: Option<String>,
    due_2_minor: Option<i64>,
    due_3_date: Option<String>,
    due_3_minor: Option<i64>,
    allow_partial: bool,
    min_minor: Option<i64>,
    max_minor: Option<i64>,
    must_leave_minor: Option<i64>,
    product: Option<String>,
    origin: String,
    metadata: Option<String>,
    expires_at: Option<i64>,
    cancelled_at: Option<i64>,
    version: i64,
    created_at: i64,
    changed_at: i64,
}

/// A row of `bill_lines`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct LineRow {
    pub bill_id: String,
    line_text: String,
    amount_minor: i64,
}

impl LineRow {
    pub fn line(&self) -> BillLine {
        BillLine { text: self.line_text.as_str().into(), minor: self.amount_minor }
    }
}

impl BillRow {
    /// The bill, with its lines.
    ///
    /// Errors: the column that holds what it cannot hold.
    pub fn entry(self, lines: Vec<BillLine>) -> Result<BillEntry, BackofficeError> {
        let invalid =
            |column| BackofficeError::Unreadable { table: "bills", column, row: self.id.clone() };
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let terms = self.terms(invalid)?;
        let product = self.product.as_deref().map(str::parse).transpose();
        Ok(BillEntry {
            id: self.id.parse().map_err(|_| invalid("id"))?,
            biller: self.biller.parse().map_err(|_| invalid("biller"))?,
            bill_no: self.bill_no.parse().map_err(|_| invalid("bill_no"))?,
            client_id: self.client_id.parse().map_err(|_| invalid("client_id"))?,
            contract_no: text(&self.contract_no),
            contact: Contact {
                name: text(&self.client_name),
                phone: text(&self.client_phone),
                email: text(&self.client_email),
                doc: text(&self.client_doc),
                language: text(&self.client_language),
            },
            lines,
            terms,
            product: product.map_err(|_| invalid("product"))?,
            origin: BillOrigin::from_name(&self.origin).ok_or_else(|| invalid("origin"))?,
            metadata: text(&self.metadata),
            version: u32::try_from(self.version).map_err(|_| invalid("version"))?,
            created_at: Timestamp(self.created_at),
            changed_at: Timestamp(self.changed_at),
        })
    }

    fn terms(
        &self,
        invalid: impl Fn(&'static str) -> BackofficeError,
    ) -> Result<RegisteredBill, BackofficeError> {
        let currency = Currency::from_code(&self.currency).ok_or_else(|| invalid("currency"))?;
        let due = [
            ("due_1_date", &self.due_1_date, self.due_1_minor),
            ("due_2_date", &self.due_2_date, self.due_2_minor),
            ("due_3_date", &self.due_3_date, self.due_3_minor),
        ];
        let mut dates = Vec::new();
        for (column, date, minor) in due {
            let (Some(date), Some(minor)) = (date, minor) else { continue };
            let date = date_of(date).ok_or_else(|| invalid(column))?;
            dates.push(DueAmount { date, minor });
        }
        Ok(RegisteredBill {
            amount: Money::new(self.amount_minor, currency),
            due: dates,
            allows_partial: self.allow_partial,
            min_minor: self.min_minor,
            max_minor: self.max_minor,
            must_leave_minor: self.must_leave_minor,
            expires_at: self.expires_at.map(Timestamp),
            cancelled_at: self.cancelled_at.map(Timestamp),
        })
    }
}

/// A day as the tables have it: 2026-12-10.
pub(crate) fn date_of(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let date =
        Date::from_year_month_day(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    // A day that does not exist becomes another one.
    (date.to_string() == text).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_written() {
        assert_eq!(
            date_of("2026-12-10").map(|date| date.to_string()).as_deref(),
            Some("2026-12-10")
        );
        for wrong in ["2026-02-30", "2026-13-01", "2026-12", "", "2026-12-10-1", "26-12-10"] {
            assert_eq!(date_of(wrong), None, "{wrong}");
        }
    }
}
