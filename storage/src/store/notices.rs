//! The store's part for notices: which are owed, what became of each, and redeliveries.
//!
//! An endpoint is served by the store of its home lane. This server delivers the notices that any
//! lane owes to the endpoint, and no other store changes the rows of these notices. The rows of
//! another lane stand in that lane's tables; the server reads and changes them there.

use std::sync::{Arc, Weak};

use router::endpoint::Endpoint;
use router::id::{BillerId, EndpointId, Lane};
use router::record::{NoticeMark, Record};
use router::time::Timestamp;
use tokio::sync::{oneshot, watch};

use super::{Inner, OtherLane, Redelivery, RedeliverySignal, Store, StoreError};
use crate::journal::Head;
use crate::outbox::{
    Attempted, Delivery, LanePage, LogCursor, NoticePage, Outbox, OwedPage, ReadThrough, log_page,
    owed_page,
};
use crate::record;
use crate::view::{EndpointHome, ViewError};
use crate::writer::Command;

/// Notices of one redelivery request to another node. The other node can owe this many again well
/// within the time for its answer.
const REDELIVERED_AT_ONCE: usize = 50;

impl Store {
    /// Endpoints that are set.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let endpoints = self.inner.shared.endpoints.lock();
        endpoints.values().map(|homed| homed.endpoint.clone()).collect()
    }

    /// The endpoints of a biller, oldest first.
    pub fn endpoints_of(&self, biller: BillerId) -> Vec<Endpoint> {
        let endpoints = self.inner.shared.endpoints.lock();
        let of_biller = endpoints.values().map(|homed| &homed.endpoint);
        of_biller.filter(|endpoint| endpoint.biller == biller).cloned().collect()
    }

    /// The endpoints that this store serves: those that were set last in this store's lane.
    pub fn endpoints_here(&self) -> Vec<Endpoint> {
        let endpoints = self.inner.shared.endpoints.lock();
        let here = |homed: &&EndpointHome| homed.home == self.lane();
        endpoints.values().filter(here).map(|homed| homed.endpoint.clone()).collect()
    }

    /// The lane whose owner serves an endpoint; none for an endpoint that is not set.
    pub fn home_of(&self, endpoint: EndpointId) -> Option<Lane> {
        self.inner.shared.endpoints.lock().get(&endpoint).map(|homed| homed.home)
    }

    /// A page of the notices that any lane still owes an endpoint, and how far the lanes were read.
    ///
    /// Shape: in the order of each lane; between lanes by the time of the payments' ids, as far as
    ///        the lanes' notices are known. A page may be short or empty while more notices are
    ///        owed: only [`OwedPage::through`] says where to read on. Cancel-safe.
    pub async fn outbox_page(
        &self,
        endpoint: EndpointId,
        after: &ReadThrough,
        limit: usize,
    ) -> Result<OwedPage, StoreError> {
        let (inner, after) = (Arc::clone(&self.inner), after.clone());
        self.blocking(move || Ok(inner.owed(endpoint, after, limit)?)).await
    }

    /// Notes that an endpoint accepted a notice. A dropped call may have noted it.
    pub async fn notice_done(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Delivered, Timestamp(0))).await
    }

    /// Notes that an attempt failed and the next one is due at `next_at`.
    pub async fn notice_retry(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Retrying, next_at)).await
    }

    /// Notes that a notice is given up after its last attempt.
    pub async fn notice_dead(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Dead, Timestamp(0))).await
    }

    /// Notes that a notice is given up at a time for its age, without another attempt.
    ///
    /// `since` is the start of its age as the caller read it. A notice whose redelivery was asked
    /// for since then stays owed.
    pub async fn notice_too_old(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        (since, at): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let note = move |outbox: &Outbox| outbox.note_too_old(endpoint, sequence, (since, at));
        self.noted(sequence, note).await
    }

    /// Owes notices to an endpoint once more, whether they were delivered, given up or are owed. The
    /// store that serves the endpoint does it.
    ///
    /// Errors: the store's; [`StoreError::Elsewhere`] when the server cannot be reached. After an
    /// error or a dropped call some of the notices, or all, may be owed again.
    pub async fn redeliver(&self, redelivery: Redelivery) -> Result<(), StoreError> {
        // A deleted endpoint is owed nothing.
        let Some(home) = self.home_of(redelivery.endpoint) else { return Ok(()) };
        match self.inner.others.get() {
            Some(others) if home != self.lane() && others.held(home).is_none() => {
                for sequences in redelivery.sequences.chunks(REDELIVERED_AT_ONCE) {
                    let part = Redelivery { sequences: sequences.to_vec(), ..redelivery };
                    others.redeliver(home, part).await?;
                }
                Ok(())
            }
            Some(_) | None => self.redeliver_here(redelivery).await,
        }
    }

    /// Owes notices once more to an endpoint that this store serves, or another store of this node.
    /// One signal tells the endpoint's worker of all of them.
    ///
    /// Errors: [`StoreError::Elsewhere`] when another node serves the endpoint.
    pub async fn redeliver_here(&self, redelivery: Redelivery) -> Result<(), StoreError> {
        let Redelivery { endpoint, asked_at, sequences } = redelivery;
        let Some(home) = self.home_of(endpoint) else { return Ok(()) };
        let server = if home == self.lane() { Some(self.clone()) } else { self.held(home) };
        let elsewhere = |lane, detail: &str| StoreError::Elsewhere { lane, detail: detail.into() };
        let server = server.ok_or_else(|| elsewhere(home, "its endpoint is not served here"))?;
        let mut owed = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let lane = Head::lane_of(sequence);
            let outbox = server.inner.outbox_of(lane);
            owed.push((outbox.ok_or_else(|| elsewhere(lane, "it is not known yet"))?, sequence));
        }
        let inner = Arc::clone(&server.inner);
        let owe_again = move || {
            let mut owed = owed.iter();
            let result = owed
                .try_for_each(|(outbox, sequence)| outbox.owe_again(endpoint, *sequence, asked_at));
            // The signal goes out here because the caller may have dropped the call by now. A
            // signal without a changed row makes the worker read once in vain, nothing else.
            inner.signal_redelivery(endpoint, asked_at);
            Ok(result?)
        };
        self.blocking(owe_again).await?;
        if server.inner.other_lanes.is_some() {
            // Only the present owner of the lane can append to it. When another node has taken the
            // lane over, its worker read the rows before they were changed and had no signal: the
            // append fails then, and the caller has to ask that node.
            let inner = Arc::clone(&server.inner);
            let mark = self.blocking(move || Ok(inner.outbox.standing(endpoint)?)).await?;
            let appended = Box::pin(server.append(Record::NoticeMark(mark))).await;
            appended.map_err(|error| elsewhere(home, &error.to_string()))?;
        }
        Ok(())
    }

    /// The signal that has an endpoint's worker read the endpoint's notices from the start. All
    /// callers that ask for it while one of them holds it have the same one.
    pub fn redelivery_signal(&self, endpoint: EndpointId) -> Arc<RedeliverySignal> {
        let mut signals = self.inner.redelivery_signals.lock();
        if let Some(known) = signals.get(&endpoint).and_then(Weak::upgrade) {
            return known;
        }
        signals.retain(|_, held| held.strong_count() > 0);
        let signal = Arc::new(RedeliverySignal::default());
        signals.insert(endpoint, Arc::downgrade(&signal));
        signal
    }

    /// Changes whenever new notices are owed. Its value is the position up to which this lane's
    /// notices are known.
    pub fn notices_signal(&self) -> watch::Receiver<u64> {
        self.inner.shared.noticed.subscribe()
    }

    /// Signals that another lane owes new notices.
    pub fn tell_other_lanes_owe(&self) {
        self.inner.shared.noticed.send_modify(|_| {});
    }

    /// The log of an endpoint's notices over all lanes, newest first, from its start or from where
    /// a page ended. Cancel-safe.
    pub async fn notices(
        &self,
        endpoint: EndpointId,
        from: Option<&LogCursor>,
        limit: usize,
    ) -> Result<NoticePage, StoreError> {
        let (inner, from) = (Arc::clone(&self.inner), from.cloned());
        self.blocking(move || Ok(inner.log(endpoint, from.as_ref(), limit)?)).await
    }

    async fn note(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
        delivery: (Delivery, Timestamp),
    ) -> Result<(), StoreError> {
        let note = move |outbox: &Outbox| outbox.note(endpoint, sequence, attempted, delivery);
        self.noted(sequence, note).await
    }

    async fn noted(
        &self,
        sequence: u64,
        note: impl FnOnce(&Outbox) -> Result<Option<NoticeMark>, ViewError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let inner = Arc::clone(&self.inner);
        let note = move || inner.note(sequence, note);
        let is_near = self.inner.views.is_near();
        let due = if is_near { Ok(note()?) } else { self.blocking(move || Ok(note()?)).await }?;
        if let Some(mark) = due {
            self.mark_soon(mark);
        }
        Ok(())
    }

    /// Queues a mark without waiting. A mark that finds no room is dropped: the next mark of the
    /// endpoint says all that it said.
    fn mark_soon(&self, mark: NoticeMark) {
        let record = Record::NoticeMark(mark);
        let mut encoded = Vec::new();
        record::encode(&record, &self.inner.sealer, &mut encoded);
        let (answer, _) = oneshot::channel();
        let _ = self.inner.commands.try_send(Command::Append { record, encoded, answer });
    }

    pub(super) async fn mark_notices(&self) {
        let inner = Arc::clone(&self.inner);
        let marks = self.blocking(move || Ok(inner.marks()?)).await.unwrap_or_default();
        for mark in marks {
            if let Err(error) = self.append(Record::NoticeMark(mark)).await {
                tracing::warn!(%error, "a notice mark was not recorded");
            }
        }
    }
}

impl Inner {
    fn signal_redelivery(&self, endpoint: EndpointId, asked_at: Timestamp) {
        let signal = self.redelivery_signals.lock().get(&endpoint).and_then(Weak::upgrade);
        if let Some(signal) = signal {
            signal.asked_for(asked_at);
        }
    }

    fn owed(
        &self,
        endpoint: EndpointId,
        after: ReadThrough,
        limit: usize,
    ) -> Result<OwedPage, ViewError> {
        let mut pages = Vec::new();
        let noticed = *self.shared.noticed.borrow();
        let from = after.of(self.lane);
        if noticed > from {
            pages.push((self.lane, lane_page(&self.outbox, endpoint, (from, noticed), limit)?));
        }
        for other in self.other_lanes() {
            let from = after.of(other.lane);
            if other.noticed > from {
                let outbox = self.other_outbox(&other);
                let page = lane_page(&outbox, endpoint, (from, other.noticed), limit)?;
                pages.push((other.lane, page));
            }
        }
        Ok(owed_page(after, pages, limit))
    }

    fn log(
        &self,
        endpoint: EndpointId,
        from: Option<&LogCursor>,
        limit: usize,
    ) -> Result<NoticePage, ViewError> {
        let before = |lane| from.map_or(Some(u64::MAX), |from| from.before(lane));
        let mut lists = Vec::new();
        if let Some(before) = before(self.lane) {
            lists.push(self.outbox.log(endpoint, before, limit)?);
        }
        for other in self.other_lanes() {
            if let Some(before) = before(other.lane) {
                lists.push(self.other_outbox(&other).log(endpoint, before, limit)?);
            }
        }
        Ok(log_page(lists, limit))
    }

    /// Notes what became of a notice of any lane; gives the mark that is now due in this lane.
    ///
    /// A mark keeps a rebuild of the read models from owing a delivered notice again. It stands in
    /// the journal of the lane that owed the notice, and only this lane's writer appends to that
    /// journal. A notice of another lane therefore has no mark, and needs none: the tables that all
    /// nodes share are not rebuilt, a row that is derived twice does not replace one that changed
    /// since, and the cursor stands in a table too.
    fn note(
        &self,
        sequence: u64,
        note: impl FnOnce(&Outbox) -> Result<Option<NoticeMark>, ViewError>,
    ) -> Result<Option<NoticeMark>, ViewError> {
        let lane = Head::lane_of(sequence);
        let Some(outbox) = self.outbox_of(lane) else { return Ok(None) };
        let due = note(&outbox)?;
        Ok(due.filter(|_| lane == self.lane))
    }

    /// Moves each cursor past the notices that are delivered or given up; gives the marks that are
    /// due in this lane.
    fn marks(&self) -> Result<Vec<NoticeMark>, ViewError> {
        let others: Vec<Arc<Outbox>> = self.other_outboxes.lock().values().cloned().collect();
        for other in others {
            other.marks()?;
        }
        self.outbox.marks()
    }

    pub(super) fn other_lanes(&self) -> impl Iterator<Item = OtherLane> + use<> {
        let own = self.lane;
        let all = self.other_lanes.as_ref().map(|lanes| lanes.all()).unwrap_or_default();
        all.into_iter().filter(move |other| other.lane != own)
    }

    /// The outbox of a lane; none for a lane that is not known.
    fn outbox_of(&self, lane: Lane) -> Option<Arc<Outbox>> {
        if lane == self.lane {
            return Some(Arc::clone(&self.outbox));
        }
        let other = self.other_lanes().find(|other| other.lane == lane)?;
        Some(self.other_outbox(&other))
    }

    fn other_outbox(&self, other: &OtherLane) -> Arc<Outbox> {
        let mut outboxes = self.other_outboxes.lock();
        // No marks are needed: the lane's cursors in the tables say the same as its marks.
        let open = || Arc::new(Outbox::new(Arc::clone(&other.views), Default::default()));
        Arc::clone(outboxes.entry(other.lane).or_insert_with(open))
    }
}

/// The notices that one lane owes after a position; `noticed` is the position up to which the lane's
/// notices are known.
fn lane_page(
    outbox: &Outbox,
    endpoint: EndpointId,
    (after, noticed): (u64, u64),
    limit: usize,
) -> Result<LanePage, ViewError> {
    let mut page = outbox.page(endpoint, after, limit)?;
    if page.is_end {
        page.scanned_through = page.scanned_through.max(noticed);
    }
    Ok(page)
}
