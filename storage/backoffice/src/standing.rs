//! What the projections say was paid of bills.

use std::collections::HashMap;

use router::bill::BillStanding;
use router::id::{BillNo, BillerId};
use router::money::Currency;

use crate::bill::date_of;
use crate::database::read;
use crate::error::BackofficeError;
use crate::office::Backoffice;

/// What was paid of one number, in one currency.
#[derive(Debug, sqlx::FromRow)]
struct StandingRow {
    bill_no: String,
    currency: String,
    paid_minor: i64,
    under_way: i64,
    last_day: Option<String>,
    last: Option<String>,
    last_external: Option<String>,
}

/// An approved payment of a bill.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PaidRow {
    /// The payment, as `pay_…`.
    pub id: String,
    /// The bill, by the biller's number of it.
    pub bill_no: String,
    /// ISO 4217.
    pub currency: String,
    /// How money was moved.
    pub rail: String,
    /// Where it stands.
    pub state: String,
    /// How much was paid, in minor units.
    pub amount_minor: i64,
    /// What stands of it, in minor units.
    pub stands_minor: i64,
    /// When it was received, in microseconds since 1970.
    pub received_at: i64,
}

/// Most payments that are told of the bills of one page.
const PAID_ROWS_MAX: i64 = 10_000;

/// What was paid of some bills of a biller.
#[derive(Debug, Default)]
pub struct Standings(HashMap<(String, String), BillStanding>);

impl Standings {
    /// What was paid of a bill in its currency.
    pub fn of(&self, bill_no: BillNo, currency: Currency) -> BillStanding {
        let key = (bill_no.to_string(), currency.code().to_owned());
        self.0.get(&key).copied().unwrap_or_default()
    }
}

impl Backoffice {
    /// The payments of bills that stand or were given back, oldest first.
    /// Cancel-safe.
    pub async fn paid_rows(
        &self,
        biller: BillerId,
        bills: &[BillNo],
    ) -> Result<Vec<PaidRow>, BackofficeError> {
        if bills.is_empty() {
            return Ok(Vec::new());
        }
        read!(&self.projections, |on| {
            let mut query = sqlx::QueryBuilder::<Db>::new(
                "SELECT id, bill_no, currency, rail, state, amount_minor, stands_minor, received_at \
                 FROM payments WHERE biller = ",
            );
            query.push_bind(biller.to_string()).push(" AND bill_no IN (");
            let mut numbers = query.separated(", ");
            for bill_no in bills {
                numbers.push_bind(bill_no.to_string());
            }
            query.push(") AND (stands_minor > 0 OR state IN ('reversed', 'refunded'))");
            query.push(" ORDER BY id LIMIT ").push_bind(PAID_ROWS_MAX);
            query.build_query_as::<PaidRow>().fetch_all(on).await
        })
    }

    /// What was paid of each bill, as far as the projections have come. Cancel-safe.
    pub async fn standings(
        &self,
        biller: BillerId,
        bills: &[BillNo],
    ) -> Result<Standings, BackofficeError> {
        if bills.is_empty() {
            return Ok(Standings::default());
        }
        let rows = read!(&self.projections, |on| {
            let mut query = sqlx::QueryBuilder::<Db>::new(
                "SELECT bill_no, currency, CAST(SUM(stands_minor) AS BIGINT) AS paid_minor, \
                 CAST(COUNT(*) FILTER (WHERE state IN \
                 ('sent', 'awaiting_payer', 'unknown', 'reversing')) AS BIGINT) AS under_way, \
                 MAX(business_date) FILTER (WHERE stands_minor > 0) AS last_day, \
                 MAX(id) FILTER (WHERE stands_minor > 0) AS last, \
                 MAX(id) FILTER (WHERE stands_minor > 0 AND rail = 'external') AS last_external \
                 FROM payments WHERE biller = ",
            );
            query.push_bind(biller.to_string()).push(" AND bill_no IN (");
            let mut numbers = query.separated(", ");
            for bill_no in bills {
                numbers.push_bind(bill_no.to_string());
            }
            query.push(") GROUP BY bill_no, currency");
            query.build_query_as::<StandingRow>().fetch_all(on).await
        })?;
        let standing = |row: StandingRow| {
            let was_last_external = row.last.is_some() && row.last == row.last_external;
            let StandingRow { bill_no, currency, paid_minor, under_way, last_day, .. } = row;
            let is_in_payment = under_way > 0;
            let last_paid_on = last_day.as_deref().and_then(date_of);
            let standing =
                BillStanding { paid_minor, is_in_payment, last_paid_on, was_last_external };
            ((bill_no, currency), standing)
        };
        Ok(Standings(rows.into_iter().map(standing).collect()))
    }
}
