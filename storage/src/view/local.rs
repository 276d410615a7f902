//! The look-ups of one machine: rows that point into the journal, and the notices owed.
//!
//! Rows of payments are gathered in memory and written as sorted files, many at once: they pass no
//! log of their own, for the journal has all they tell. Notices and endpoints are written at once.

mod carried;
mod find;
mod recent;
mod runs;
mod tables;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch};
use parking_lot::{Mutex, RwLock};
use router::id::{BillerId, EndpointId, Folio, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::record::Record;
use router::time::{Date, Timestamp};

use super::{
    EndpointHome, FrameRecords, NamedBy, NoticeBytes, Rows, TRACE_ROWS_MAX, TraceName, ViewError,
    ViewPosition, Views, keys,
};
use crate::history::History;
use crate::journal::{Damage, RecordReader};
use crate::packing::{Reader, put_u64};
use crate::record::decode;
use crate::settings::READ_MODEL_FILES_MAX;
use carried::Carried;
use recent::Recent;
use tables::Tables;

/// Rows in memory, then in tables; and the journal that they point into.
pub(crate) struct LocalViews {
    /// None once it is closed.
    db: RwLock<Option<Database>>,
    tables: Tables,
    outbox: Keyspace,
    meta: Keyspace,
    recent: RwLock<Recent>,
    records: RecordReader,
    carried: RwLock<Carried>,
    /// Held while tables are written: by the follower, and by the removal of old rows.
    writing: Mutex<()>,
    /// Payments whose rows are in memory before they are written to tables.
    gathered_max: usize,
}

/// The embedded store's own log, which a start after a crash reads again: notices alone are in it.
const JOURNALING_LEN_MAX: u64 = 64 << 20;
const MEMTABLE_LEN_MAX: u64 = 16 << 20;
/// Payments whose rows are in memory alone, some 250 bytes each: a start after a crash makes so many
/// anew from the journal.
const GATHERED_MAX: usize = 65_536;
/// The part of the memory for blocks that holds frames of the journal.
const FRAMES_PART: u64 = 4;
/// How keys and rows are laid out; rows laid out otherwise are made anew.
const LAYOUT: u8 = 4;
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
    /// Opens the rows of a data folder.
    pub fn open(data: &Path, cache_bytes: u64) -> Result<Self, ViewError> {
        let frames = cache_bytes / FRAMES_PART;
        let db = Database::builder(Self::dir_of(data))
            .cache_size(cache_bytes - frames)
            .worker_threads(1)
            .max_cached_files(Some(READ_MODEL_FILES_MAX))
            .max_journaling_size(JOURNALING_LEN_MAX)
            .open()?;
        let plain = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_LEN_MAX);
        let views = Self {
            tables: Tables::open(&db)?,
            outbox: db.keyspace("outbox", plain)?,
            meta: db.keyspace("meta", plain)?,
            db: RwLock::new(Some(db)),
            recent: RwLock::default(),
            records: RecordReader::new(data, usize::try_from(frames).unwrap_or(usize::MAX)),
            carried: RwLock::default(),
            writing: Mutex::default(),
            gathered_max: GATHERED_MAX,
        };
        // Where nothing is added until the end, the end leaves it where it was.
        views.recent.write().gathered.position = views.position()?;
        Ok(views)
    }

    fn db(&self) -> Result<Database, ViewError> {
        let open = self.db.read().clone();
        open.ok_or_else(|| ViewError::lasting("the read models are closed"))
    }

    /// The folder of the rows in a data folder.
    pub fn dir_of(data: &Path) -> PathBuf {
        data.join("views")
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

    /// Writes what the journal alone does not tell, with how far it was derived; nothing where
    /// there is none, for what is derived again without notices and endpoints changes nothing.
    fn put_owed(&self, rows: Rows, noticed: u64) -> Result<(), ViewError> {
        if rows.notices.is_empty() && rows.endpoints.is_empty() {
            return Ok(());
        }
        let mut batch = self.db()?.batch();
        for (endpoint, sequence, row) in rows.notices {
            batch.insert(&self.outbox, keys::outbox_key(endpoint, sequence), row);
        }
        for (endpoint, row) in rows.endpoints {
            batch.insert(&self.meta, [ENDPOINT, &endpoint.0.to_be_bytes()].concat(), row);
        }
        let written = self.position()?.written;
        self.put_position(ViewPosition { written, noticed }, &mut batch);
        Ok(batch.commit()?)
    }

    /// Moves the gathered rows into tables. Readers find them all the time.
    fn seal(&self) -> Result<(), ViewError> {
        let _writing = self.writing.lock();
        let sealing = self.recent.write().seal();
        self.tables.put(&sealing)?;
        let noticed = self.position()?.noticed.max(sealing.position.noticed);
        let mut batch = self.db()?.batch();
        self.put_position(ViewPosition { noticed, ..sealing.position }, &mut batch);
        batch.commit()?;
        self.recent.write().sealing = None;
        Ok(())
    }
}

impl From<Damage> for ViewError {
    fn from(damage: Damage) -> Self {
        Self::lasting(damage)
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

    fn endpoints(&self) -> Result<Vec<EndpointHome>, ViewError> {
        let mut endpoints = Vec::new();
        for row in self.meta.prefix(ENDPOINT) {
            let body = row.value()?;
            if let Some(endpoint) = decode(&body).ok().and_then(Record::into_endpoint) {
                // One machine has one lane.
                endpoints.push(EndpointHome { home: Lane::default(), endpoint });
            }
        }
        Ok(endpoints)
    }

    fn keeps_records(&self) -> bool {
        false
    }

    fn removed_until(&self) -> Option<Timestamp> {
        self.carried.read().removed_until
    }

    fn write(&self, mut rows: Rows, position: ViewPosition) -> Result<(), ViewError> {
        let is_full = {
            let mut recent = self.recent.write();
            recent.gathered.take(&mut rows, position);
            recent.gathered.payments >= self.gathered_max
        };
        self.put_owed(rows, position.noticed)?;
        if is_full { self.seal() } else { Ok(()) }
    }

    fn history(&self, id: PaymentId) -> Result<Option<History>, ViewError> {
        match self.positions(id)? {
            Some(positions) => self.records_at(id, &positions),
            None => Ok(None),
        }
    }

    fn id_of_folio(&self, folio: Folio) -> Result<Option<PaymentId>, ViewError> {
        let key = folio.number().to_be_bytes();
        let recent = self.recent.read().all().find_map(|rows| rows.by_folio.get(&key).copied());
        match recent {
            Some(id) => Ok(Some(PaymentId(u128::from_be_bytes(id)))),
            None => Ok(self.tables.by_folio.get(key)?.and_then(|id| keys::payment_id(&id))),
        }
    }

    fn id_of_trace(&self, name: &TraceName) -> Result<Option<PaymentId>, ViewError> {
        let [first, last] = [0, u128::MAX].map(|id| keys::trace_key(name, PaymentId(id)));
        Ok(self.trace_ids(&(first..=last), 1)?.pop())
    }

    fn ids_of_name(
        &self,
        name: &NamedBy,
        within: RangeInclusive<Timestamp>,
        limit: usize,
    ) -> Result<Vec<PaymentId>, ViewError> {
        let within_ms = within.start().millis()..=within.end().millis();
        let mut ids = match name {
            NamedBy::Trace(originator, stan, transmitted_at) => self
                .trace_ids(&keys::trace_keys(originator, *stan, transmitted_at), TRACE_ROWS_MAX)?,
            NamedBy::Rrn(..) | NamedBy::Terminal(..) => {
                let [from, to] =
                    [within_ms.start(), within_ms.end()].map(|ms| keys::ids_of_ms(*ms));
                self.named_ids(name, (*from.start(), *to.end()), limit)?
            }
        };
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
        let [from, to] = [first, PaymentId(u128::MAX)].map(|id| keys::biller_key(biller, date, id));
        self.biller_ids(&(from..=to), limit)
    }

    fn persist(&self) -> Result<(), ViewError> {
        self.seal()?;
        Ok(self.db()?.persist(fjall::PersistMode::SyncAll)?)
    }

    fn close(&self) {
        // The store waits for its threads when it is dropped; reads need it no more.
        drop(self.db.write().take());
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

    fn frames_after(&self, after: u64) -> Result<Vec<FrameRecords>, ViewError> {
        Ok(self.frame_with(after + 1)?.into_iter().collect())
    }
}

fn notice_bytes(row: fjall::Guard) -> Result<NoticeBytes, ViewError> {
    let (key, row) = row.into_inner()?;
    Ok(NoticeBytes { sequence: keys::outbox_sequence(&key), row: row.to_vec() })
}

#[cfg(test)]
mod tests;
