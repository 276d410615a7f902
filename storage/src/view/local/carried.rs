//! The facts that outlive removed records, and the removal of the rows that lead to them.

use foldhash::HashMap;
use router::event::{Actor, Event, EventKind};
use router::id::{EndpointId, PaymentId};
use router::record::Record;
use router::time::Timestamp;

use super::recent::RecentRows;
use super::{LocalViews, Views};
use crate::history::History;
use crate::record::encode;
use crate::seal::Sealer;
use crate::state::Fold;
use crate::view::{Facts, Positions, Rows, ViewError, ViewPosition, keys};

/// Rows of the outbox that are removed at once.
const REMOVED_AT_ONCE: usize = 1_024;

/// The removed records that are still wanted: those of payments that were open behind the last one
/// removed.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub histories: HashMap<PaymentId, History>,
    /// The last record that was removed; files that still hold it are no part of the journal.
    pub removed_through: u64,
    /// When the last record that was removed was made; none where nothing was.
    pub removed_until: Option<Timestamp>,
}

impl LocalViews {
    /// Takes over what is carried of records, before these are removed: of all that the journal's
    /// beginning stands for, up to a record.
    pub fn carry(&self, fold: &Fold, removed_through: u64) {
        let open = fold.open.iter();
        let histories = open.map(|(id, payment)| (*id, payment.history.clone())).collect();
        let removed_until = fold.last_at;
        *self.carried.write() = Carried { histories, removed_through, removed_until };
    }

    /// The payments that are carried now and are not open in a fold, with their removed records.
    pub fn carried_no_more(&self, fold: &Fold) -> Vec<(PaymentId, History)> {
        let carried = self.carried.read();
        let over = carried.histories.iter().filter(|(id, _)| !fold.is_open(**id));
        over.map(|(id, history)| (*id, history.clone())).collect()
    }

    /// Writes into empty tables what a journal without its first records does not tell: the rows of
    /// the payments that were open there, and the endpoints.
    pub fn begin_after(
        &self,
        fold: &Fold,
        sequence: u64,
        sealer: &Sealer,
    ) -> Result<(), ViewError> {
        let mut rows = Rows::default();
        for (id, payment) in &fold.open {
            let facts = payment.history.facts().map_err(ViewError::lasting)?;
            rows.pointers.push((*id, facts));
            rows.positions.push((*id, payment.history.positions()));
        }
        for endpoint in fold.endpoints.values() {
            let set = Event::of_endpoint(endpoint.clone(), EventKind::Changed, Actor::Node);
            let mut body = Vec::new();
            encode(&Record::Event(Box::new(set)), sealer, &mut body);
            rows.endpoints.push((endpoint.id, body));
        }
        self.write(rows, ViewPosition { written: sequence, noticed: sequence })?;
        self.persist()
    }

    /// Removes the rows of payments of which nothing is kept behind a position. A payment that is
    /// carried keeps its rows, and so does one with a later record: it was opened again.
    pub fn remove_payments(
        &self,
        payments: HashMap<PaymentId, Facts>,
        through: u64,
    ) -> Result<(), ViewError> {
        // Held from the look at what is kept: a row that is made longer meanwhile stays in memory.
        let _writing = self.writing.lock();
        let mut pointers = Vec::with_capacity(payments.len());
        for (id, facts) in payments {
            if !self.is_kept(id, through)? {
                pointers.push((id, facts));
            }
        }
        let positions = pointers.iter().map(|(id, _)| (*id, Positions::default())).collect();
        self.remove_rows(Rows { pointers, positions, ..Rows::default() })
    }

    fn is_kept(&self, id: PaymentId, through: u64) -> Result<bool, ViewError> {
        if self.carried.read().histories.contains_key(&id) {
            return Ok(true);
        }
        Ok(self.positions(id)?.is_some_and(|positions| positions.last() > through))
    }

    /// Removes the places up to a position, and the notices up to it that are delivered, given up,
    /// or of an endpoint that was deleted. This and all that was removed before is durable then.
    pub fn remove_through(&self, through: u64) -> Result<(), ViewError> {
        let places = self.places_through(through)?;
        let writing = self.writing.lock();
        self.remove_rows(Rows { places, ..Rows::default() })?;
        drop(writing);
        self.remove_notices(through)?;
        Ok(self.db()?.persist(fjall::PersistMode::SyncAll)?)
    }

    /// Removes rows from the tables, with the lock of those held.
    fn remove_rows(&self, mut rows: Rows) -> Result<(), ViewError> {
        let mut removed = RecentRows::default();
        removed.take(&mut rows, ViewPosition::default());
        self.tables.remove(&removed)
    }

    /// Lets go of files of the journal before a segment.
    pub fn forget_before(&self, segment: u64) {
        self.records.forget_before(segment);
    }

    /// The places noted up to a position, without their offsets.
    fn places_through(&self, through: u64) -> Result<Vec<(u64, u64)>, ViewError> {
        let mut places = Vec::new();
        for row in self.tables.places.range(..=through.to_be_bytes()) {
            let key = row.key()?;
            let sequence = <[u8; 8]>::try_from(key.as_ref()).map(u64::from_be_bytes);
            places.extend(sequence.ok().map(|sequence| (sequence, 0)));
        }
        Ok(places)
    }

    fn remove_notices(&self, through: u64) -> Result<(), ViewError> {
        let set = self.endpoints()?.into_iter().map(|homed| homed.endpoint);
        let set: Vec<EndpointId> =
            set.filter(|endpoint| endpoint.url.is_some()).map(|endpoint| endpoint.id).collect();
        let mut next = Some(EndpointId(0));
        while let Some(from) = next {
            let Some(first) = self.outbox.range(keys::outbox_key(from, 0)..).next() else { break };
            let Some(endpoint) = keys::outbox_endpoint(&first.key()?) else { break };
            let done = match set.contains(&endpoint) {
                true => self.cursor(endpoint)?.unwrap_or(0).min(through),
                false => through,
            };
            self.remove_notices_of(endpoint, done)?;
            next = endpoint.0.checked_add(1).map(EndpointId);
        }
        Ok(())
    }

    fn remove_notices_of(&self, endpoint: EndpointId, through: u64) -> Result<(), ViewError> {
        let range = keys::outbox_key(endpoint, 0)..=keys::outbox_key(endpoint, through);
        loop {
            let rows = self.outbox.range(range.clone()).take(REMOVED_AT_ONCE);
            let found: Vec<_> = rows.map(fjall::Guard::key).collect::<Result<_, _>>()?;
            if found.is_empty() {
                return Ok(());
            }
            let mut batch = self.db()?.batch();
            found.into_iter().for_each(|key| batch.remove(&self.outbox, key));
            batch.commit()?;
        }
    }
}
