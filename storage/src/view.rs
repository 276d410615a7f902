//! The read models: derived from the journal, behind it by a little, deleted without loss.
//!
//! Rows of one payment: its history by id; and, pointing to the id, one row each by folio, by
//! biller and day, and by the asker's trace. Idempotency keys are the guard's.

mod keys;

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch};
use router::id::{BillerId, EndpointId, Folio, ParticipantId, PaymentId, Stan};
use router::record::{Endpoint, Record};
use router::text::Text;
use router::time::Date;

use crate::history::History;
use crate::record::bytes::{Reader, put_u64};
use crate::record::decode;
pub(crate) use keys::{Facts, outbox_key, outbox_key_parts};

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

const POSITION: &[u8] = b"position";
const ENDPOINT: &[u8] = b"endpoint:";
const CURSOR: &[u8] = b"cursor:";

impl Views {
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<Self, ViewError> {
        let db = Database::builder(dir).cache_size(cache_bytes).worker_threads(1).open()?;
        let plain = || KeyspaceCreateOptions::default().max_memtable_size(32 << 20);
        Ok(Self {
            by_id: db.keyspace("by_id", plain)?,
            by_folio: db.keyspace("by_folio", plain)?,
            by_biller: db.keyspace("by_biller", plain)?,
            by_trace: db.keyspace("by_trace", plain)?,
            outbox: db.keyspace("outbox", plain)?,
            meta: db.keyspace("meta", plain)?,
            db,
        })
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

    pub fn put_history(&self, id: PaymentId, history: &[u8], batch: &mut OwnedWriteBatch) {
        batch.insert(&self.by_id, id.0.to_be_bytes(), history);
    }

    /// The rows that point to a payment; written once, with its first row.
    pub fn put_pointers(&self, id: PaymentId, facts: &Facts, batch: &mut OwnedWriteBatch) {
        let value = id.0.to_be_bytes();
        batch.insert(&self.by_folio, facts.folio.number().to_be_bytes(), value);
        if let Some(biller) = &facts.biller {
            batch.insert(&self.by_biller, keys::biller_key(biller, facts.date, id), []);
        }
        if let Some((asker, stan, transmitted_at)) = &facts.trace {
            batch.insert(&self.by_trace, keys::trace_key(asker, *stan, transmitted_at), value);
        }
    }

    pub fn history(&self, id: PaymentId) -> Result<Option<History>, ViewError> {
        let found = self.by_id.get(id.0.to_be_bytes())?;
        Ok(found.map(|bytes| History::from_bytes(&bytes)))
    }

    pub fn id_of_folio(&self, folio: Folio) -> Result<Option<PaymentId>, ViewError> {
        let found = self.by_folio.get(folio.number().to_be_bytes())?;
        Ok(found.and_then(|bytes| keys::payment_id(&bytes)))
    }

    pub fn id_of_trace(
        &self,
        asker: &ParticipantId,
        stan: Stan,
        transmitted_at: &Text<10>,
    ) -> Result<Option<PaymentId>, ViewError> {
        let found = self.by_trace.get(keys::trace_key(asker, stan, transmitted_at))?;
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

    pub fn persist(&self) -> Result<(), ViewError> {
        Ok(self.db.persist(fjall::PersistMode::SyncAll)?)
    }
}
