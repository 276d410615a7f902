//! The read models: derived from the journal, behind it by a little, deleted without loss.
//!
//! Rows of one payment: its history by id; and, pointing to the id, one row each by folio, by
//! biller and day, and by the asker's terminal and trace. Idempotency keys are the guard's.

mod keys;

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, OwnedWriteBatch};
use router::id::{BillerId, EndpointId, Folio, PaymentId};
use router::record::{Endpoint, Record};
use router::time::Date;

use crate::history::History;
use crate::record::bytes::{Reader, put_u64};
use crate::record::decode;
pub(crate) use keys::{Facts, TraceName, outbox_key, outbox_key_parts};

/// Why the read models failed.
#[derive(Debug, thiserror::Error)]
#[error("the read models failed")]
pub struct ViewError(#[from] pub(crate) fjall::Error);

/// The keyspaces.
pub(crate) struct Views {
    db: Database,
    by_id: Keyspace,
    by_folio: Keyspace,
    by_biller: Keyspace,
    by_trace: Keyspace,
    pub outbox: Keyspace,
    meta: Keyspace,
}

/// How far the read models have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ViewPosition {
    /// Everything up to here is written; reading goes on after it.
    pub written: u64,
    /// Notices are derived up to here.
    pub noticed: u64,
}

/// Rows of payments, to be written together.
#[derive(Default)]
pub(crate) struct Rows {
    by_id: Vec<([u8; 16], Vec<u8>)>,
    by_folio: Vec<([u8; 8], [u8; 16])>,
    by_biller: Vec<Vec<u8>>,
    by_trace: Vec<(Vec<u8>, [u8; 16])>,
}

/// The read models' own log, which a start after a crash reads again.
const JOURNALING_LEN_MAX: u64 = 256 << 20;
const MEMTABLE_LEN_MAX: u64 = 64 << 20;
/// Histories from this length on are kept beside the tree, so that merges move their keys alone.
const HISTORY_LEN_APART: u32 = 128;
/// How keys and rows are laid out; rows laid out otherwise are made anew.
const LAYOUT: u8 = 2;
const LAYOUT_KEY: &[u8] = b"layout";
const POSITION: &[u8] = b"position";
const ENDPOINT: &[u8] = b"endpoint:";
const CURSOR: &[u8] = b"cursor:";

impl Views {
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<Self, ViewError> {
        let db = Database::builder(dir)
            .cache_size(cache_bytes)
            .worker_threads(1)
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

    pub fn position(&self) -> Result<ViewPosition, ViewError> {
        let Some(bytes) = self.meta.get(POSITION)? else { return Ok(ViewPosition::default()) };
        let mut reader = Reader::new(&bytes);
        let mut next = || reader.u64().unwrap_or(0);
        Ok(ViewPosition { written: next(), noticed: next() })
    }

    /// Endpoints as of the position notices are derived up to.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, ViewError> {
        let mut endpoints = Vec::new();
        for row in self.meta.prefix(ENDPOINT) {
            let body = row.value()?;
            if let Ok(Record::Endpoint(endpoint)) = decode(&body) {
                endpoints.push(endpoint);
            }
        }
        Ok(endpoints)
    }

    pub fn put_endpoint(&self, id: EndpointId, body: &[u8], batch: &mut OwnedWriteBatch) {
        batch.insert(&self.meta, [ENDPOINT, &id.0.to_be_bytes()].concat(), body);
    }

    /// Everything up to here was delivered to an endpoint, or given up.
    pub fn cursor(&self, endpoint: EndpointId) -> Result<Option<u64>, ViewError> {
        let found = self.meta.get([CURSOR, &endpoint.0.to_be_bytes()].concat())?;
        Ok(found.and_then(|bytes| Reader::new(&bytes).u64().ok()))
    }

    pub fn put_cursor(&self, endpoint: EndpointId, through: u64) -> Result<(), ViewError> {
        let key = [CURSOR, &endpoint.0.to_be_bytes()].concat();
        Ok(self.meta.insert(key, through.to_le_bytes())?)
    }

    pub fn batch(&self) -> OwnedWriteBatch {
        self.db.batch()
    }

    pub fn put_position(&self, position: ViewPosition, batch: &mut OwnedWriteBatch) {
        let mut bytes = Vec::with_capacity(16);
        put_u64(position.written, &mut bytes);
        put_u64(position.noticed, &mut bytes);
        batch.insert(&self.meta, POSITION, bytes);
    }

    pub fn put_history(&self, id: PaymentId, history: &[u8], rows: &mut Rows) {
        rows.by_id.push((id.0.to_be_bytes(), history.to_vec()));
    }

    /// The rows that point to a payment; written once, with its first row.
    pub fn put_pointers(&self, id: PaymentId, facts: &Facts, rows: &mut Rows) {
        let value = id.0.to_be_bytes();
        rows.by_folio.push((facts.folio.number().to_be_bytes(), value));
        if let Some(biller) = &facts.biller {
            rows.by_biller.push(keys::biller_key(biller, facts.date, id));
        }
        if let Some(name) = &facts.trace {
            rows.by_trace.push((keys::trace_key(name), value));
        }
    }

    /// Moves the rows into a batch, in the order of their keys: neighbours share the search for
    /// their place. A later row of one key replaces the earlier.
    pub fn put_rows(&self, mut rows: Rows, batch: &mut OwnedWriteBatch) {
        for (key, value) in latest(rows.by_id) {
            batch.insert(&self.by_id, key, value);
        }
        for (key, value) in latest(rows.by_folio) {
            batch.insert(&self.by_folio, key, value);
        }
        for (key, value) in latest(rows.by_trace) {
            batch.insert(&self.by_trace, key, value);
        }
        rows.by_biller.sort_unstable();
        rows.by_biller.into_iter().for_each(|key| batch.insert(&self.by_biller, key, []));
    }

    pub fn history(&self, id: PaymentId) -> Result<Option<History>, ViewError> {
        let found = self.by_id.get(id.0.to_be_bytes())?;
        Ok(found.map(|bytes| History::from_bytes(&bytes)))
    }

    pub fn id_of_folio(&self, folio: Folio) -> Result<Option<PaymentId>, ViewError> {
        let found = self.by_folio.get(folio.number().to_be_bytes())?;
        Ok(found.and_then(|bytes| keys::payment_id(&bytes)))
    }

    /// The payment of a trace.
    pub fn id_of_trace(&self, name: &TraceName) -> Result<Option<PaymentId>, ViewError> {
        let found = self.by_trace.get(keys::trace_key(name))?;
        Ok(found.and_then(|bytes| keys::payment_id(&bytes)))
    }

    /// Ids of a biller's day after one, ascending.
    pub fn ids_of_biller(
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
            ids.extend(key.get(key.len() - 16..).and_then(keys::payment_id));
        }
        Ok(ids)
    }

    /// Makes everything durable, so that the next start finds it written.
    pub fn persist(&self) -> Result<(), ViewError> {
        Ok(self.db.persist(fjall::PersistMode::SyncAll)?)
    }
}

/// Sorted by key, the last row of each key only: rows of one batch have no order of their own.
fn latest<K: Ord, V>(mut rows: Vec<(K, V)>) -> Vec<(K, V)> {
    rows.reverse();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    rows.dedup_by(|(later, _), (kept, _)| later == kept);
    rows
}
