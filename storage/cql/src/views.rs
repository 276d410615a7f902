//! The read models of one lane's writer, in tables that all nodes read.
//!
//! Rows may be written twice, late, or by two nodes that both take the lane for theirs: a row that
//! can change carries a timestamp of its own – the position of the record, the time in an id, or
//! a count of its changes, never a clock's – so that whatever the order they arrive in, the same
//! one is left.

mod named;
mod notices;
mod place;
mod together;
mod write;

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use router::id::{BillerId, EndpointId, Folio, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::record::Record;
use router::time::{Date, Timestamp};
use storage::journal::Head;
use storage::record::decode;
use storage::view::{
    EndpointHome, FrameRecords, History, NamedBy, NoticeBytes, Rows, TraceName, ViewError,
    ViewPosition, Views,
};

use crate::frames::records_from;
use crate::session::{Cql, CqlError, Statement};

/// Rows that say which partitions there are, remembered so as not to be written again.
const INDEXED_MAX: usize = 65_536;
/// Partitions read ahead of what is asked for.
const READ_AHEAD: usize = 4;
/// Positions of lanes asked for at once.
const POSITIONS_AT_ONCE: usize = 16;
const QUARTER_MS: i64 = 15 * 60 * 1000;
/// Bits of a position within its lane.
const POSITION: u64 = (1 << 48) - 1;

static POSITION_OF: Statement =
    Statement::read("view_position", "SELECT written, noticed FROM view_position WHERE lane = ?");
static ENDPOINTS: Statement = Statement::read("view_endpoints", "SELECT body, lane FROM endpoint");
static ENDPOINT_CHANGES: Statement = Statement::read(
    "view_endpoint_changes",
    "SELECT lane, through FROM endpoint_change WHERE name = 'all'",
);
static HISTORY: Statement = Statement::read(
    "view_payment",
    "SELECT history FROM payment WHERE lane = ? AND moment = ? AND payment = ?",
);
static OF_FOLIO: Statement =
    Statement::read("view_of_folio", "SELECT payment FROM by_folio WHERE range = ? AND folio = ?");
static OF_TRACE: Statement = Statement::read(
    "view_of_trace",
    "SELECT payment, key, fingerprint FROM by_trace \
     WHERE originator = ? AND moment = ? AND stans = ? \
     AND transmitted_at = ? AND stan = ? AND terminal = ?",
);
static OF_KEY: Statement =
    Statement::read("view_of_key", "SELECT payment, fingerprint FROM by_key WHERE key = ?");
static QUARTERS: Statement = Statement::read(
    "view_quarters",
    "SELECT quarter FROM biller_quarter WHERE biller = ? AND day = ? AND quarter >= ?",
);
static OF_BILLER: Statement = Statement::read(
    "view_of_biller",
    "SELECT payment FROM by_biller WHERE biller = ? AND day = ? AND quarter = ? AND payment > ? \
     LIMIT ?",
);

/// The read models, for the writer of one lane, or for who delivers its notices elsewhere. Payments
/// are found whatever lane they are in.
#[derive(Debug)]
pub struct CqlViews {
    cql: Cql,
    lane: Lane,
    /// All notices of this lane up to here are written, and none beyond counts yet, once the
    /// position was read.
    reach: AtomicU64,
    has_reach: AtomicBool,
    endpoints: Mutex<KnownEndpoints>,
    quarters: Indexed<(BillerId, Date, i64)>,
    buckets: Indexed<(EndpointId, u64)>,
    /// How often notices and cursors that were read had changed.
    changes: Mutex<HashMap<notices::Changing, i64>>,
}

impl CqlViews {
    /// Of a lane. Asks the servers for nothing yet.
    pub fn new(cql: &Cql, lane: Lane) -> Self {
        Self {
            cql: cql.clone(),
            lane,
            reach: AtomicU64::new(Head::of_lane(lane).sequence),
            has_reach: AtomicBool::new(false),
            endpoints: Mutex::default(),
            quarters: Indexed::default(),
            buckets: Indexed::default(),
            changes: Mutex::default(),
        }
    }

    /// How far the notices of several lanes are known, asked for together, each with its own
    /// answer; from then on each shows its notices up to there. Blocks.
    pub fn noticed(lanes: &[Arc<Self>]) -> Vec<Result<u64, CqlError>> {
        let Some(first) = lanes.first() else { return Vec::new() };
        let reads = lanes.iter().map(|views| views.read_position());
        let reads = stream::iter(reads).buffered(POSITIONS_AT_ONCE);
        let positions = reads.map(|position| position.map(|position| position.noticed)).collect();
        first.cql.block_on(positions)
    }

    async fn read_position(&self) -> Result<ViewPosition, CqlError> {
        let lane = i32::from(self.lane.0);
        let row = self.cql.row::<(Option<i64>, Option<i64>)>(&POSITION_OF, (lane,)).await?;
        let (written, noticed) = row.unwrap_or_default();
        let number = |number: Option<i64>| number.unwrap_or_default().cast_unsigned();
        self.reach.fetch_max(number(noticed), Ordering::Relaxed);
        self.has_reach.store(true, Ordering::Relaxed);
        Ok(ViewPosition { written: number(written), noticed: number(noticed) })
    }

    /// All endpoints; those that were read before, as long as no lane says that it has set one.
    async fn read_endpoints(&self) -> Result<Vec<EndpointHome>, CqlError> {
        let changes = self.cql.rows::<(i32, i64)>(&ENDPOINT_CHANGES, ()).await?;
        {
            let known = self.endpoints.lock();
            if known.changes == changes {
                return Ok(known.endpoints.clone());
            }
        }
        let rows = self.cql.rows::<(Vec<u8>, i32)>(&ENDPOINTS, ()).await?;
        let mut endpoints = Vec::new();
        for (body, lane) in rows {
            let lane = u16::try_from(lane).map_err(|error| CqlError::row(&ENDPOINTS, error))?;
            if let Some(endpoint) = decode(&body).ok().and_then(Record::into_endpoint) {
                endpoints.push(EndpointHome { home: Lane(lane), endpoint });
            }
        }
        endpoints.sort_by_key(|homed| homed.endpoint.id);
        *self.endpoints.lock() = KnownEndpoints { changes, endpoints: endpoints.clone() };
        Ok(endpoints)
    }

    fn ask<T>(&self, asked: impl Future<Output = Result<T, CqlError>>) -> Result<T, ViewError> {
        self.cql.block_on(asked).map_err(view_error)
    }

    /// The payments of a trace, oldest first, with the key of each and what was asked.
    fn of_trace(&self, name: &TraceName) -> Result<Vec<(PaymentId, KeyBytes)>, ViewError> {
        let (originator, moment, stans) = place::of_trace(name);
        let (at, stan, terminal) = place::within_traces(name);
        let values = (originator, moment, stans, at, stan, terminal);
        let rows = self.cql.rows::<(Vec<u8>, Vec<u8>, Vec<u8>)>(&OF_TRACE, values);
        let rows = self.ask(rows)?.into_iter();
        rows.map(|(payment, key, fingerprint)| Ok((id(&OF_TRACE, &payment)?, (key, fingerprint))))
            .collect()
    }

    async fn of_biller(
        &self,
        (biller, date): (&str, Date),
        after: PaymentId,
        limit: usize,
    ) -> Result<Vec<PaymentId>, CqlError> {
        let from = quarter_of(after);
        let quarters = self.cql.rows::<(i64,)>(&QUARTERS, (biller, date.0, from)).await?;
        let rows_max = i32::try_from(limit).unwrap_or(i32::MAX);
        let reads = quarters.into_iter().map(|(quarter,)| async move {
            let values = (biller, date.0, quarter, blob(after.0), rows_max);
            self.cql.rows::<(Vec<u8>,)>(&OF_BILLER, values).await
        });
        let mut reads = stream::iter(reads).buffered(READ_AHEAD);
        let mut ids = Vec::new();
        while ids.len() < limit
            && let Some(rows) = reads.next().await
        {
            for (payment,) in rows? {
                let payment = number(&OF_BILLER, &payment);
                ids.push(PaymentId(payment.map_err(|error| CqlError::row(&OF_BILLER, error))?));
            }
        }
        ids.truncate(limit);
        Ok(ids)
    }
}

impl Views for CqlViews {
    fn is_near(&self) -> bool {
        false
    }

    fn keeps_records(&self) -> bool {
        true
    }

    fn position(&self) -> Result<ViewPosition, ViewError> {
        self.ask(self.read_position())
    }

    fn endpoints(&self) -> Result<Vec<EndpointHome>, ViewError> {
        self.ask(self.read_endpoints())
    }

    fn write(&self, rows: Rows, position: ViewPosition) -> Result<(), ViewError> {
        self.ask(self.write_rows(rows, position))
    }

    /// What a quorum has acknowledged is as durable as it gets.
    fn persist(&self) -> Result<(), ViewError> {
        Ok(())
    }

    fn close(&self) {
        // Nothing works in the background: a write has its answer before it returns.
    }

    fn history(&self, id: PaymentId) -> Result<Option<History>, ViewError> {
        let (lane, moment) = place::of_payment(id);
        let row = self.cql.row::<(Vec<u8>,)>(&HISTORY, (lane, moment, blob(id.0)));
        Ok(self.ask(row)?.map(|(history,)| History::from_bytes(&history)))
    }

    fn id_of_folio(&self, folio: Folio) -> Result<Option<PaymentId>, ViewError> {
        let place = (place::range_of(folio), folio.number().cast_signed());
        let found = self.ask(self.cql.row::<(Vec<u8>,)>(&OF_FOLIO, place))?;
        found.map(|(payment,)| id(&OF_FOLIO, &payment)).transpose()
    }

    fn id_of_trace(&self, name: &TraceName) -> Result<Option<PaymentId>, ViewError> {
        Ok(self.of_trace(name)?.last().map(|(payment, _)| *payment))
    }

    fn ids_of_name(
        &self,
        name: &NamedBy,
        within: RangeInclusive<Timestamp>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        self.ask(self.read_named(name, within, limit))
    }

    fn id_of_key(
        &self,
        key: IdempotencyKey,
        trace: Option<&TraceName>,
    ) -> Result<Option<(PaymentId, Fingerprint)>, ViewError> {
        let (statement, found) = match trace {
            Some(trace) => {
                let mut rows = self.of_trace(trace)?.into_iter().rev();
                let row = rows.find(|(_, (of, _))| *of == blob(key.0));
                (&OF_TRACE, row.map(|(payment, (_, fingerprint))| (payment, fingerprint)))
            }
            None => {
                let row = self.cql.row::<(Vec<u8>, Vec<u8>)>(&OF_KEY, (blob(key.0),));
                let row = self.ask(row)?.map(|(payment, fingerprint)| {
                    id(&OF_KEY, &payment).map(|payment| (payment, fingerprint))
                });
                (&OF_KEY, row.transpose()?)
            }
        };
        let Some((payment, fingerprint)) = found else { return Ok(None) };
        Ok(Some((payment, Fingerprint(number(statement, &fingerprint)?))))
    }

    fn ids_of_biller(
        &self,
        biller: &BillerId,
        date: Date,
        after: Option<PaymentId>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        let after = after.unwrap_or(PaymentId(0));
        self.ask(self.of_biller((biller.as_str(), date), after, limit))
    }

    fn notices_after(
        &self,
        endpoint: EndpointId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, ViewError> {
        self.ask(self.read_notices_after(endpoint, after, limit))
    }

    fn notices_before(
        &self,
        endpoint: EndpointId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, ViewError> {
        self.ask(self.read_notices_before(endpoint, before, limit))
    }

    fn notice(
        &self,
        endpoint: EndpointId,
        sequence: u64,
    ) -> Result<Option<NoticeBytes>, ViewError> {
        self.ask(self.read_notice(endpoint, sequence))
    }

    fn put_notice(&self, endpoint: EndpointId, notice: NoticeBytes) -> Result<(), ViewError> {
        self.ask(self.change_notice(endpoint, notice))
    }

    fn cursor(&self, endpoint: EndpointId) -> Result<Option<u64>, ViewError> {
        self.ask(self.read_cursor(endpoint))
    }

    fn put_cursor(&self, endpoint: EndpointId, through: u64) -> Result<(), ViewError> {
        self.ask(self.change_cursor(endpoint, through))
    }

    fn frames_after(&self, after: u64) -> Result<Vec<FrameRecords>, ViewError> {
        self.ask(records_from(&self.cql, self.lane, after + 1))?.map_err(ViewError::lasting)
    }
}

/// A key and a fingerprint, as they stand in a row.
type KeyBytes = (Vec<u8>, Vec<u8>);

/// What was read of endpoints, and what each lane had set before.
#[derive(Debug, Default)]
struct KnownEndpoints {
    changes: Vec<(i32, i64)>,
    endpoints: Vec<EndpointHome>,
}

/// Keys of rows that were written and need not be again; forgets all when it is full.
#[derive(Debug)]
struct Indexed<K>(Mutex<HashSet<K>>);

impl<K> Default for Indexed<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash + Ord + Debug> Indexed<K> {
    /// Those of `keys` that are not known to be written, each once.
    fn missing(&self, keys: impl Iterator<Item = K>) -> Vec<K> {
        let known = self.0.lock();
        let mut missing: Vec<K> = keys.filter(|key| !known.contains(key)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    fn written(&self, keys: Vec<K>) {
        let mut known = self.0.lock();
        if known.len() + keys.len() > INDEXED_MAX {
            known.clear();
        }
        known.extend(keys.into_iter().take(INDEXED_MAX));
    }
}

/// Ids are ordered by the time they were made at, so quarters are too.
fn quarter_of(payment: PaymentId) -> i64 {
    payment.unix_ms() / QUARTER_MS
}

/// What the read models are told: servers that are away come back, and what they refuse they will
/// refuse again.
fn view_error(error: CqlError) -> ViewError {
    match error.is_passing() || matches!(error, CqlError::Connect { .. }) {
        true => ViewError::new(error),
        false => ViewError::lasting(error),
    }
}

fn blob(number: u128) -> [u8; 16] {
    number.to_be_bytes()
}

fn id(statement: &Statement, bytes: &[u8]) -> Result<PaymentId, ViewError> {
    number(statement, bytes).map(PaymentId)
}

fn number(statement: &Statement, bytes: &[u8]) -> Result<u128, ViewError> {
    let number = bytes.try_into().map(u128::from_be_bytes);
    number.map_err(|_| view_error(CqlError::row(statement, "no 16 bytes")))
}
