//! Writing rows: payments first, then what points to them, the position last.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt, TryStreamExt, stream};
use router::id::{EndpointId, PaymentId};
use router::record::Record;
use scylla::serialize::row::SerializeRow;
use storage::record::decode;
use storage::view::{Facts, History, Rows, ViewPosition};

use super::{CqlViews, POSITION, blob, quarter_of};
use crate::session::{CqlError, Statement};

/// Statements of one kind on their way at once.
const IN_FLIGHT_MAX: usize = 16;
/// Small rows of one table in one message: no more partitions, and far fewer bytes, than the
/// servers warn of.
const TOGETHER: usize = 10;
/// Bytes of larger rows in one message; the servers warn of 5 KiB.
const TOGETHER_BYTES: usize = 4_000;

static PUT_PAYMENT: Statement = Statement::write(
    "put_payment",
    "INSERT INTO payment (payment, history) VALUES (?, ?) USING TIMESTAMP ?",
);
static PUT_FOLIO: Statement =
    Statement::write("put_folio", "INSERT INTO by_folio (folio, payment) VALUES (?, ?)");
static PUT_TRACE: Statement = Statement::write(
    "put_trace",
    "INSERT INTO by_trace (trace, payment) VALUES (?, ?) USING TIMESTAMP ?",
);
static PUT_KEY: Statement = Statement::write(
    "put_key",
    "INSERT INTO by_key (key, payment, fingerprint) VALUES (?, ?, ?) USING TIMESTAMP ?",
);
static PUT_BILLER: Statement = Statement::write(
    "put_biller",
    "INSERT INTO by_biller (biller, day, quarter, payment) VALUES (?, ?, ?, ?)",
);
static PUT_QUARTER: Statement = Statement::write(
    "put_quarter",
    "INSERT INTO biller_quarter (biller, day, quarter) VALUES (?, ?, ?)",
);
static PUT_ENDPOINT: Statement = Statement::write(
    "put_endpoint",
    "INSERT INTO endpoint (endpoint, body) VALUES (?, ?) USING TIMESTAMP ?",
);
static PUT_ENDPOINT_CHANGE: Statement = Statement::write(
    "put_endpoint_change",
    "INSERT INTO endpoint_change (name, lane, through) VALUES ('all', ?, ?) USING TIMESTAMP ?",
);
static PUT_WRITTEN: Statement = Statement::write(
    "put_written",
    "INSERT INTO view_position (lane, written) VALUES (?, ?) USING TIMESTAMP ?",
);
static PUT_NOTICED: Statement = Statement::write(
    "put_noticed",
    "INSERT INTO view_position (lane, noticed) VALUES (?, ?) USING TIMESTAMP ?",
);

impl CqlViews {
    pub(super) async fn write_rows(
        &self,
        rows: Rows,
        position: ViewPosition,
    ) -> Result<(), CqlError> {
        // A payment is there before anything points to it.
        self.put_histories(rows.histories).await?;
        self.put_pointers(&rows.pointers).await?;
        self.put_endpoints(rows.endpoints, position.noticed).await?;
        self.put_notices(rows.notices).await?;
        self.put_position(position).await
    }

    /// A history is stamped with the position of its last record: an earlier one that is written
    /// again, by whatever node, changes nothing.
    async fn put_histories(&self, histories: Vec<(PaymentId, History)>) -> Result<(), CqlError> {
        let rows: Vec<_> = histories
            .iter()
            .map(|(payment, history)| {
                (blob(payment.0), history.bytes(), stamp_of(history.last_sequence()))
            })
            .collect();
        let mut groups = Vec::new();
        let mut rest = &rows[..];
        while !rest.is_empty() {
            let (group, after) =
                rest.split_at(group_len(rest.iter().map(|(_, bytes, _)| bytes.len())));
            groups.push(group);
            rest = after;
        }
        let puts = groups.into_iter().map(|rows| self.cql.persist_together(&PUT_PAYMENT, rows));
        let puts = stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX);
        puts.try_for_each(async |()| Ok(())).await
    }

    async fn put_pointers(&self, pointers: &[(PaymentId, Facts)]) -> Result<(), CqlError> {
        // The latest payment of a trace or key counts, whichever is written last.
        let made_at = |payment: &PaymentId| payment.unix_ms() * 1_000;
        let (mut folios, mut traces, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut billers = Vec::new();
        for (payment, facts) in pointers {
            let id = blob(payment.0);
            folios.push((facts.folio.number().cast_signed(), id));
            keys.push((blob(facts.key.0), id, blob(facts.fingerprint.0), made_at(payment)));
            let trace = facts.trace.map(|trace| (trace.to_bytes(), id, made_at(payment)));
            traces.extend(trace);
            billers
                .extend(facts.biller.map(|biller| (biller, facts.date, quarter_of(*payment), id)));
        }
        // Rows of one partition together.
        billers.sort_unstable();
        let quarters = billers.iter().map(|(biller, date, quarter, _)| (*biller, *date, *quarter));
        let quarters = self.quarters.missing(quarters);
        let quarter_rows = quarters.iter();
        let quarter_rows =
            quarter_rows.map(|(biller, date, quarter)| (biller.as_str(), date.0, *quarter));
        let biller_rows = billers.iter();
        let biller_rows =
            biller_rows.map(|(biller, date, quarter, id)| (biller.as_str(), date.0, *quarter, *id));
        tokio::try_join!(
            self.put_together(&PUT_FOLIO, folios),
            self.put_together(&PUT_TRACE, traces),
            self.put_together(&PUT_KEY, keys),
            self.put_together(&PUT_BILLER, biller_rows.collect()),
            self.put_together(&PUT_QUARTER, quarter_rows.collect()),
        )?;
        self.quarters.written(quarters);
        Ok(())
    }

    /// An endpoint is stamped with the time it was set at.
    async fn put_endpoints(
        &self,
        endpoints: Vec<(EndpointId, Vec<u8>)>,
        through: u64,
    ) -> Result<(), CqlError> {
        if endpoints.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for (endpoint, body) in endpoints {
            match decode(&body) {
                Ok(Record::Endpoint(set)) => rows.push((blob(endpoint.0), body, set.at.0)),
                Ok(_) | Err(_) => return Err(CqlError::row(&PUT_ENDPOINT, "no endpoint")),
            }
        }
        self.put(&PUT_ENDPOINT, rows).await?;
        let change = (i32::from(self.lane.0), through.cast_signed(), stamp_of(through));
        self.cql.persist(&PUT_ENDPOINT_CHANGE, change).await.map(drop)
    }

    /// Each position is its own stamp, so that neither moves back.
    async fn put_position(&self, position: ViewPosition) -> Result<(), CqlError> {
        let lane = i32::from(self.lane.0);
        let ViewPosition { written, noticed } = position;
        let row = |position: u64| (lane, position.cast_signed(), stamp_of(position));
        tokio::try_join!(
            self.cql.persist(&PUT_WRITTEN, row(written)),
            self.cql.persist(&PUT_NOTICED, row(noticed)),
        )?;
        self.reach.fetch_max(noticed, Ordering::Relaxed);
        Ok(())
    }

    /// Writes rows, several statements at once.
    pub(super) async fn put(
        &self,
        statement: &Statement,
        rows: Vec<impl SerializeRow>,
    ) -> Result<(), CqlError> {
        let puts = rows.into_iter().map(|row| self.cql.persist(statement, row));
        let puts = stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX);
        puts.try_for_each(async |_| Ok(())).await
    }

    /// Writes small rows, several in a message and several messages at once. A message is no
    /// transaction; it only costs less than its rows would.
    pub(super) async fn put_together(
        &self,
        statement: &Statement,
        rows: Vec<impl SerializeRow>,
    ) -> Result<(), CqlError> {
        let puts = rows.chunks(TOGETHER).map(|rows| self.cql.persist_together(statement, rows));
        let puts = stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX);
        puts.try_for_each(async |()| Ok(())).await
    }
}

/// How many of the rows to come go into one message: at least one.
fn group_len(lens: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fits = lens.take(TOGETHER).take_while(|len| {
        bytes += len;
        bytes <= TOGETHER_BYTES
    });
    fits.count().max(1)
}

/// The stamp of what is known up to a position of one lane.
fn stamp_of(sequence: u64) -> i64 {
    (sequence & POSITION).cast_signed() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_together_up_to_a_count_and_a_size_and_a_large_one_alone() {
        assert_eq!(group_len([100; 30].into_iter()), 10);
        assert_eq!(group_len([900, 900, 900, 900, 900].into_iter()), 4);
        assert_eq!(group_len([9_000, 100].into_iter()), 1);
        assert_eq!(group_len([100, 9_000].into_iter()), 1);
    }
}
