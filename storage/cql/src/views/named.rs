//! Payments by what a message may name them by.

use std::ops::RangeInclusive;

use futures_util::{StreamExt, stream};
use router::id::PaymentId;
use router::time::Timestamp;
use storage::view::{NamedBy, TRACE_ROWS_MAX, TraceName};

use super::{CqlViews, QUARTER_MS, number, place};
use crate::session::{CqlError, Statement};

/// Partitions read at once.
const READS_AT_ONCE: usize = 16;
/// Most quarters of an hour that one look goes through, the newest ones: two days and a half.
const QUARTERS_MAX: usize = 240;

static OF_STAN: Statement = Statement::read(
    "view_of_stan",
    "SELECT payment FROM by_trace WHERE originator = ? AND moment = ? AND stans = ? \
     AND transmitted_at = ? AND stan = ? LIMIT ?",
);
static OF_NAME: Statement = Statement::read(
    "view_of_name",
    "SELECT payment FROM by_name WHERE originator = ? AND kind = ? AND value = ? AND quarter = ? \
     ORDER BY payment DESC LIMIT ?",
);

impl CqlViews {
    pub(super) async fn read_named(
        &self,
        name: &NamedBy,
        within: RangeInclusive<Timestamp>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, CqlError> {
        let rows_max = i32::try_from(limit).unwrap_or(i32::MAX);
        let within_ms = within.start().millis()..=within.end().millis();
        let mut ids = match name {
            NamedBy::Trace(originator, stan, transmitted_at) => {
                let (terminal, transmitted_at) = (Default::default(), *transmitted_at);
                let trace =
                    TraceName { originator: *originator, stan: *stan, transmitted_at, terminal };
                let (originator, moment, stans) = place::of_trace(&trace);
                let (at, stan, _) = place::within_traces(&trace);
                let rows_max = i32::try_from(TRACE_ROWS_MAX).unwrap_or(i32::MAX);
                let values = (originator, moment, stans, at, stan, rows_max);
                ids(&OF_STAN, self.cql.rows(&OF_STAN, values).await?)?
            }
            NamedBy::Rrn(..) | NamedBy::Terminal(..) => {
                self.read_recent(name, &within_ms, rows_max).await?
            }
        };
        ids.retain(|id| within_ms.contains(&id.unix_ms()));
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.truncate(limit);
        Ok(ids)
    }

    /// Quarter by quarter, the newest first, until there are enough.
    async fn read_recent(
        &self,
        name: &NamedBy,
        within_ms: &RangeInclusive<i64>,
        rows_max: i32,
    ) -> Result<Vec<PaymentId>, CqlError> {
        let (kind, originator, value) = name.parts();
        let quarters = within_ms.start() / QUARTER_MS..=within_ms.end() / QUARTER_MS;
        let reads = quarters.rev().take(QUARTERS_MAX).map(|quarter| async move {
            let values = (originator.as_str(), kind, value, quarter, rows_max);
            self.cql.rows::<(Vec<u8>,)>(&OF_NAME, values).await
        });
        let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
        let mut found = Vec::new();
        while found.len() < usize::try_from(rows_max).unwrap_or(usize::MAX)
            && let Some(rows) = reads.next().await
        {
            found.extend(ids(&OF_NAME, rows?)?);
        }
        Ok(found)
    }
}

fn ids(statement: &Statement, rows: Vec<(Vec<u8>,)>) -> Result<Vec<PaymentId>, CqlError> {
    let id = |(payment,): (Vec<u8>,)| number(statement, &payment).map(PaymentId);
    let ids = rows.into_iter().map(id).collect::<Result<_, _>>();
    ids.map_err(|error| CqlError::row(statement, error))
}
