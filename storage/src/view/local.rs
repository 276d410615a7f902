//! The read models of one machine: an embedded LSM store beside the journal.

use std::ops::RangeInclusive;
use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, OwnedWriteBatch};
use router::id::{BillerId, EndpointId, Folio, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::record::Record;
use router::time::{Date, Timestamp};

use super::{
    Homed, NamedBy, NoticeBytes, Rows, TRACE_ROWS_MAX, TraceName, ViewError, ViewPosition, Views,
    keys,
};
use crate::history::History;
use crate::record::bytes::{Reader, put_u64};
use crate::record::decode;
use crate::settings::READ_MODEL_FILES_MAX;

/// The keyspaces.
pub(crate) struct LocalViews {
    db: Database,
    by_id: Keyspace,
    by_folio: Keyspace,
    by_biller: Keyspace,
    by_trace: Keyspace,
    by_name: Keyspace,
    outbox: Keyspace,
    meta: Keyspace,
}

/// The read models' own log, which a start after a crash reads again.
const JOURNALING_LEN_MAX: u64 = 256 << 20;
const MEMTABLE_LEN_MAX: u64 = 64 << 20;
/// Histories from this length on are kept beside the tree, so that merges move their keys alone.
const HISTORY_LEN_APART: u32 = 128;
/// How keys and rows are laid out; rows laid out otherwise are made anew.
const LAYOUT: u8 = 3;
const LAYOUT_KEY: &[u8] = b"layout";
const POSITION: &[u8] = b"position";
const ENDPOINT: &[u8] = b"endpoint:";
const CURSOR: &[u8] = b"cursor:";

impl From<fjall::Error> for ViewError {
    fn from(error: fjall::Error) -> Self {
        Self::new(error)
    }
}

impl LocalViews {
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<Self, ViewError> {
        let db = Database::builder(dir)
            .cache_size(cache_bytes)
            .worker_threads(1)
            .max_cached_files(Some(READ_MODEL_FILES_MAX))
            .max_journaling_size(JOURNALING_LEN_MAX)
            .open()?;
        let plain = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_LEN_MAX);
        let apart = || {
            let options = KvSeparationOptions::default().separation_threshold(HISTORY_LEN_APART);
            plain().with_kv_separation(Some(options))
        };
        Ok(Self {
            by_id: db.keyspace("by_id", apart)?,
            by_folio: db.keyspace("by_folio", plain)?,
            by_biller: db.keyspace("by_biller", plain)?,
            by_trace: db.keyspace("by_trace", plain)?,
            by_name: db.keyspace("by_name", plain)?,
            outbox: db.keyspace("outbox", plain)?,
            meta: db.keyspace("meta", plain)?,
            db,
        })
    }

    /// Whether the rows are laid out as this version does it; notes so in ones without rows.
    pub fn is_current(&self) -> Result<bool, ViewError> {
        match self.meta.get(LAYOUT_KEY)? {
            Some(layout) => Ok(*layout == [LAYOUT]),
            None if self.meta.get(POSITION)?.is_none() => {
                self.meta.insert(LAYOUT_KEY, [LAYOUT])?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn put_position(&self, position: ViewPosition, batch: &mut OwnedWriteBatch) {
        let mut bytes = Vec::with_capacity(16);
        put_u64(position.written, &mut bytes);
        put_u64(position.noticed, &mut bytes);
        batch.insert(&self.meta, POSITION, bytes);
    }

    /// Moves the rows into a batch, in the order of their keys: neighbours share the search for
    /// their place. A later row of one key replaces the earlier.
    fn put_rows(&self, rows: Rows, batch: &mut OwnedWriteBatch) {
        let id = |id: PaymentId| id.0.to_be_bytes();
        let histories = rows.histories.into_iter().map(|(payment, row)| (id(payment), row));
        for (key, value) in latest(histories.collect()) {
            batch.insert(&self.by_id, key, value.bytes());
        }
        let (mut folios, mut traces, mut billers) = (Vec::new(), Vec::new(), Vec::new());
        let mut names = Vec::new();
        for (payment, facts) in &rows.pointers {
            folios.push((facts.folio.number().to_be_bytes(), id(*payment)));
            traces.extend(facts.trace.as_ref().map(|name| keys::trace_key(name, *payment)));
            names.extend(facts.names().map(|name| keys::name_key(&name, *payment)));
            let biller = facts.biller.as_ref();
            billers.extend(biller.map(|biller| keys::biller_key(biller, facts.date, *payment)));
        }
        for (key, value) in latest(folios) {
            batch.insert(&self.by_folio, key, value);
        }
        let keyspaces = [&self.by_trace, &self.by_name, &self.by_biller];
        for (keyspace, mut keys) in keyspaces.into_iter().zip([traces, names, billers]) {
            keys.sort_unstable();
            keys.into_iter().for_each(|key| batch.insert(keyspace, key, []));
        }
        for (endpoint, sequence, row) in rows.notices {
            batch.insert(&self.outbox, keys::outbox_key(endpoint, sequence), row);
        }
        for (endpoint, row) in rows.endpoints {
            batch.insert(&self.meta, [ENDPOINT, &endpoint.0.to_be_bytes()].concat(), row);
        }
    }
}

impl Views for LocalViews {
    fn is_near(&self) -> bool {
        true
    }

    fn position(&self) -> Result<ViewPosition, ViewError> {
        let Some(bytes) = self.meta.get(POSITION)? else { return Ok(ViewPosition::default()) };
        let mut reader = Reader::new(&bytes);
        let mut next = || reader.u64().unwrap_or(0);
        Ok(ViewPosition { written: next(), noticed: next() })
    }

    fn endpoints(&self) -> Result<Vec<Homed>, ViewError> {
        let mut endpoints = Vec::new();
        for row in self.meta.prefix(ENDPOINT) {
            let body = row.value()?;
            if let Ok(Record::Endpoint(endpoint)) = decode(&body) {
                // One machine has one lane.
                endpoints.push(Homed { home: Lane::default(), endpoint });
            }
        }
        Ok(endpoints)
    }

    fn write(&self, rows: Rows, position: ViewPosition) -> Result<(), ViewError> {
        let mut batch = self.db.batch();
        self.put_rows(rows, &mut batch);
        self.put_position(position, &mut batch);
        Ok(batch.commit()?)
    }

    fn history(&self, id: PaymentId) -> Result<Option<History>, ViewError> {
        let found = self.by_id.get(id.0.to_be_bytes())?;
        Ok(found.map(|bytes| History::from_bytes(&bytes)))
    }

    fn id_of_folio(&self, folio: Folio) -> Result<Option<PaymentId>, ViewError> {
        let found = self.by_folio.get(folio.number().to_be_bytes())?;
        Ok(found.and_then(|bytes| keys::payment_id(&bytes)))
    }

    fn id_of_trace(&self, name: &TraceName) -> Result<Option<PaymentId>, ViewError> {
        let [first, last] = [0, u128::MAX].map(|id| keys::trace_key(name, PaymentId(id)));
        let row = self.by_trace.range(first..=last).next_back();
        Ok(row.map(fjall::Guard::key).transpose()?.and_then(|key| keys::last_id(&key)))
    }

    fn ids_of_name(
        &self,
        name: &NamedBy,
        within: RangeInclusive<Timestamp>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        let (rows, rows_max) = match name {
            NamedBy::Trace(originator, stan, transmitted_at) => {
                let prefix = keys::trace_prefix(originator, *stan, transmitted_at);
                (self.by_trace.prefix(prefix), TRACE_ROWS_MAX)
            }
            NamedBy::Rrn(..) | NamedBy::Terminal(..) => {
                let key = |id| keys::name_key(name, id);
                let from = key(PaymentId::from_parts(within.start().millis(), 0));
                let to = key(PaymentId::from_parts(within.end().millis().saturating_add(1), 0));
                (self.by_name.range(from..to), limit)
            }
        };
        let mut ids = Vec::new();
        for row in rows.rev().take(rows_max) {
            ids.extend(keys::last_id(&row.key()?));
        }
        let within_ms = within.start().millis()..=within.end().millis();
        ids.retain(|id| within_ms.contains(&id.unix_ms()));
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.truncate(limit);
        Ok(ids)
    }

    fn id_of_key(
        &self,
        _key: IdempotencyKey,
        _trace: Option<&TraceName>,
    ) -> Result<Option<(PaymentId, Fingerprint)>, ViewError> {
        Ok(None)
    }

    fn ids_of_biller(
        &self,
        biller: &BillerId,
        date: Date,
        after: Option<PaymentId>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        let first = after.map_or(PaymentId(0), |after| PaymentId(after.0.saturating_add(1)));
        let from = keys::biller_key(biller, date, first);
        let to = keys::biller_key(biller, date, PaymentId(u128::MAX));
        let mut ids = Vec::new();
        for row in self.by_biller.range(from..=to).take(limit) {
            let key = row.key()?;
            ids.extend(keys::last_id(&key));
        }
        Ok(ids)
    }

    fn persist(&self) -> Result<(), ViewError> {
        Ok(self.db.persist(fjall::PersistMode::SyncAll)?)
    }

    fn notices_after(
        &self,
        endpoint: EndpointId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, ViewError> {
        let from = keys::outbox_key(endpoint, after.saturating_add(1));
        let rows = self.outbox.range(from..=keys::outbox_key(endpoint, u64::MAX)).take(limit);
        rows.map(notice_bytes).collect()
    }

    fn notices_before(
        &self,
        endpoint: EndpointId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<NoticeBytes>, ViewError> {
        let to = keys::outbox_key(endpoint, before);
        let rows = self.outbox.range(keys::outbox_key(endpoint, 0)..to).rev().take(limit);
        rows.map(notice_bytes).collect()
    }

    fn notice(
        &self,
        endpoint: EndpointId,
        sequence: u64,
    ) -> Result<Option<NoticeBytes>, ViewError> {
        let found = self.outbox.get(keys::outbox_key(endpoint, sequence))?;
        Ok(found.map(|row| NoticeBytes { sequence, row: row.to_vec() }))
    }

    fn put_notice(&self, endpoint: EndpointId, notice: NoticeBytes) -> Result<(), ViewError> {
        Ok(self.outbox.insert(keys::outbox_key(endpoint, notice.sequence), notice.row)?)
    }

    fn cursor(&self, endpoint: EndpointId) -> Result<Option<u64>, ViewError> {
        let found = self.meta.get([CURSOR, &endpoint.0.to_be_bytes()].concat())?;
        Ok(found.and_then(|bytes| Reader::new(&bytes).u64().ok()))
    }

    fn put_cursor(&self, endpoint: EndpointId, through: u64) -> Result<(), ViewError> {
        let key = [CURSOR, &endpoint.0.to_be_bytes()].concat();
        Ok(self.meta.insert(key, through.to_le_bytes())?)
    }
}

fn notice_bytes(row: fjall::Guard) -> Result<NoticeBytes, ViewError> {
    let (key, row) = row.into_inner()?;
    Ok(NoticeBytes { sequence: keys::outbox_sequence(&key), row: row.to_vec() })
}

/// Sorted by key, the last row of each key only: rows of one batch have no order of their own.
fn latest<K: Ord, V>(mut rows: Vec<(K, V)>) -> Vec<(K, V)> {
    rows.reverse();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    rows.dedup_by(|(later, _), (kept, _)| later == kept);
    rows
}
