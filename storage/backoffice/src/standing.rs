//! What the projections say was paid of bills.

use std::collections::HashMap;

use router::bill::BillStanding;
use router::id::{BillNo, BillerId};
use router::money::Currency;

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
}

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
                 ('sent', 'awaiting_payer', 'unknown', 'reversing')) AS BIGINT) AS under_way \
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
            let StandingRow { bill_no, currency, paid_minor, under_way } = row;
            let is_in_payment = under_way > 0;
            ((bill_no, currency), BillStanding { paid_minor, is_in_payment })
        };
        Ok(Standings(rows.into_iter().map(standing).collect()))
    }
}
