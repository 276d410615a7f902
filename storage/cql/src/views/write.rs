//! Writing rows: payments first, then what points to them, the position last.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt, TryStreamExt, stream};
use router::id::{EndpointId, PaymentId};
use router::record::Record;
use scylla::serialize::row::SerializeRow;
use storage::record::decode;
use storage::view::{Facts, History, NamedBy, Rows, ViewPosition};

use super::place::{self, range_of};
use super::together::{RowValues, messages};
use super::{CqlViews, POSITION, blob, quarter_of};
use crate::session::{CqlError, Statement};

/// Statements of one kind on their way at once.
const IN_FLIGHT_MAX: usize = 16;

static PUT_PAYMENT: Statement = Statement::write(
    "put_payment",
    "INSERT INTO payment (lane, moment, payment, history) VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
);
static PUT_FOLIO: Statement =
    Statement::write("put_folio", "INSERT INTO by_folio (range, folio, payment) VALUES (?, ?, ?)");
static PUT_TRACE: Statement = Statement::write(
    "put_trace",
    "INSERT INTO by_trace \
     (originator, moment, stans, transmitted_at, stan, terminal, payment, key, fingerprint) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
);
static PUT_NAME: Statement = Statement::write(
    "put_name",
    "INSERT INTO by_name (originator, kind, value, quarter, payment) VALUES (?, ?, ?, ?, ?)",
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
    "INSERT INTO endpoint (endpoint, body, lane) VALUES (?, ?, ?) USING TIMESTAMP ?",
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
        let moves = Moves::of(&rows);
        // A payment is there before anything points to it.
        self.put_histories(rows.histories).await?;
        self.put_pointers(&rows.pointers).await?;
        self.put_endpoints(rows.endpoints, position.noticed).await?;
        self.put_notices(rows.notices).await?;
        self.put_position(position, moves).await
    }

    /// A history is stamped with the position of its last record: an earlier one that is written
    /// again, by whatever node, changes nothing.
    async fn put_histories(&self, histories: Vec<(PaymentId, History)>) -> Result<(), CqlError> {
        let row = |(payment, history): &(PaymentId, History)| {
            let (lane, moment) = place::of_payment(*payment);
            let stamp = stamp_of(history.last_sequence());
            let (id, bytes) = (blob(payment.0), history.bytes().to_vec());
            RowValues::new((lane, moment), bytes.len(), (lane, moment, id, bytes, stamp))
        };
        self.put_together(&PUT_PAYMENT, histories.iter().map(row).collect()).await
    }

    async fn put_pointers(&self, pointers: &[(PaymentId, Facts)]) -> Result<(), CqlError> {
        let (mut folios, mut traces, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut billers = Vec::new();
        for (payment, facts) in pointers {
            let (id, key, fingerprint) =
                (blob(payment.0), blob(facts.key.0), blob(facts.fingerprint.0));
            let (range, folio) = (range_of(facts.folio), facts.folio.number().cast_signed());
            folios.push(RowValues::small(range, (range, folio, id)));
            match &facts.trace {
                Some(trace) => {
                    let (originator, moment, stans) = place::of_trace(trace);
                    let (at, stan, terminal) = place::within_traces(trace);
                    let values =
                        (originator, moment, stans, at, stan, terminal, id, key, fingerprint);
                    traces.push(RowValues::small((originator, moment, stans), values));
                }
                None => {
                    let made_at = payment.unix_ms() * 1_000;
                    keys.push(RowValues::small(key, (key, id, fingerprint, made_at)));
                }
            }
            billers.extend(facts.biller.as_ref().map(|biller| {
                let quarter = (biller.as_str(), facts.date.0, quarter_of(*payment));
                RowValues::small(quarter, (quarter.0, quarter.1, quarter.2, id))
            }));
        }
        let quarters = pointers.iter().filter_map(|(payment, facts)| {
            facts.biller.map(|biller| (biller, facts.date, quarter_of(*payment)))
        });
        let quarters = self.quarters.missing(quarters);
        let quarter_rows = quarters.iter().map(|(biller, date, quarter)| {
            RowValues::small((biller.as_str(), date.0), (biller.as_str(), date.0, *quarter))
        });
        tokio::try_join!(
            self.put_together(&PUT_FOLIO, folios),
            self.put_together(&PUT_TRACE, traces),
            self.put_names(pointers),
            self.put_together(&PUT_KEY, keys),
            self.put_together(&PUT_BILLER, billers),
            self.put_together(&PUT_QUARTER, quarter_rows.collect()),
        )?;
        self.quarters.written(quarters);
        Ok(())
    }

    async fn put_names(&self, pointers: &[(PaymentId, Facts)]) -> Result<(), CqlError> {
        let names = pointers.iter().flat_map(|(payment, facts)| {
            facts.names().map(|name| (*payment, name)).collect::<Vec<_>>()
        });
        let names: Vec<_> = names.collect();
        let row = |(payment, name): &(PaymentId, NamedBy)| {
            let (kind, originator, value) = name.parts();
            let place = (originator.to_string(), kind, value.to_owned(), quarter_of(*payment));
            let (originator, kind, value, quarter) = place.clone();
            RowValues::small(place, (originator, kind, value, quarter, blob(payment.0)))
        };
        self.put_together(&PUT_NAME, names.iter().map(row).collect()).await
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
        let lane = i32::from(self.lane.0);
        let mut rows = Vec::new();
        for (endpoint, body) in endpoints {
            match decode(&body).ok().and_then(Record::into_endpoint) {
                Some(set) => rows.push((blob(endpoint.0), body, lane, set.at.0)),
                None => return Err(CqlError::row(&PUT_ENDPOINT, "no endpoint")),
            }
        }
        self.put(&PUT_ENDPOINT, rows).await?;
        let change = (lane, through.cast_signed(), stamp_of(through));
        self.cql.persist(&PUT_ENDPOINT_CHANGE, change).await.map(drop)
    }

    /// Each position is its own stamp, so that neither moves back.
    async fn put_position(&self, position: ViewPosition, moves: Moves) -> Result<(), CqlError> {
        let lane = i32::from(self.lane.0);
        let ViewPosition { written, noticed } = position;
        let row = |position: u64| (lane, position.cast_signed(), stamp_of(position));
        // In this order: after a crash between the two, what was noticed is read again and owes
        // nothing twice. The other way round it would not be read again, and its notices be hidden
        // behind a position that says there are none.
        if moves == Moves::Both {
            self.cql.persist(&PUT_NOTICED, row(noticed)).await?;
        }
        self.cql.persist(&PUT_WRITTEN, row(written)).await?;
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

    /// Writes rows, those of one partition in one message and several messages at once. A message
    /// is no transaction; it only costs less than its rows would.
    pub(super) async fn put_together<P: Ord, V: SerializeRow>(
        &self,
        statement: &Statement,
        rows: Vec<RowValues<P, V>>,
    ) -> Result<(), CqlError> {
        let messages = messages(rows);
        let puts = messages.iter().map(|rows| self.cql.persist_together(statement, rows));
        let puts = stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX);
        puts.try_for_each(async |()| Ok(())).await
    }
}

/// Which positions a write moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moves {
    Written,
    /// The one of notices, too: by it other nodes see that something is owed, and each endpoint's
    /// server looks. Where nothing was owed, to derive it again owes nothing again, unless an
    /// endpoint was set since; so that moves it as well.
    Both,
}

impl Moves {
    fn of(rows: &Rows) -> Self {
        match rows.notices.is_empty() && rows.endpoints.is_empty() {
            true => Self::Written,
            false => Self::Both,
        }
    }
}

/// The stamp of what is known up to a position of one lane.
fn stamp_of(sequence: u64) -> i64 {
    (sequence & POSITION).cast_signed() + 1
}
