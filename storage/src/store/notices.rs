//! The outbox side of the handle.
//!
//! An endpoint is served by the store of its home lane, which delivers what any lane owes it and
//! is the only one to change the rows of its notices. Its store reads other lanes' rows where
//! their writers put them; what it makes of them it writes there too.

use std::sync::{Arc, Weak};

use router::endpoint::Endpoint;
use router::id::{BillerId, EndpointId, Lane};
use router::record::{NoticeMark, Record};
use router::time::Timestamp;
use tokio::sync::{oneshot, watch};

use super::{Inner, OtherLane, Revival, Revived, Store, StoreError};
use crate::journal::Head;
use crate::outbox::{
    Attempted, Delivery, LanePage, LogCursor, NoticePage, Outbox, OwedPage, ReadThrough, log_page,
    owed_page,
};
use crate::record;
use crate::view::{EndpointHome, ViewError};
use crate::writer::Command;

/// Notices another node is asked to revive at once: as many as it does well within the time that it
/// has to answer.
const REVIVED_AT_ONCE: usize = 50;

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

    /// Those of them that are served here: this store's lane is where they were set last.
    pub fn endpoints_here(&self) -> Vec<Endpoint> {
        let endpoints = self.inner.shared.endpoints.lock();
        let here = |homed: &&EndpointHome| homed.home == self.lane();
        endpoints.values().filter(here).map(|homed| homed.endpoint.clone()).collect()
    }

    /// The lane whose owner serves an endpoint; none of one that is not set.
    pub fn home_of(&self, endpoint: EndpointId) -> Option<Lane> {
        self.inner.shared.endpoints.lock().get(&endpoint).map(|homed| homed.home)
    }

    /// Notices an endpoint is still owed by any lane after what was read, and how far was looked.
    ///
    /// Shape: in the order of each lane; between lanes by the time of the payments' ids, as far as
    ///        the lanes' notices are known by now. A page may be short, or empty, while more is
    ///        owed. Cancel-safe.
    pub async fn outbox_page(
        &self,
        endpoint: EndpointId,
        after: &ReadThrough,
        limit: usize,
    ) -> Result<OwedPage, StoreError> {
        let (inner, after) = (Arc::clone(&self.inner), after.clone());
        self.blocking(move || Ok(inner.owed(endpoint, after, limit)?)).await
    }

    /// A notice was accepted. Dropping the call may leave that noted.
    pub async fn notice_done(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Delivered, Timestamp(0))).await
    }

    /// A notice is to be tried again at `next_at`.
    pub async fn notice_retry(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Retrying, next_at)).await
    }

    /// A notice is given up.
    pub async fn notice_dead(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Dead, Timestamp(0))).await
    }

    /// A notice is given up for its age at a time, without one more attempt: `since` is when its age
    /// began to count, as it was read. One that was revived meanwhile stays owed.
    pub async fn notice_too_old(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        (since, at): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let note = move |outbox: &Outbox| outbox.note_too_old(endpoint, sequence, (since, at));
        self.noted(sequence, note).await
    }

    /// Sends notices once more, whatever became of them: has whoever serves their endpoint do it.
    ///
    /// Errors: the store's; [`StoreError::Elsewhere`] when the server cannot be reached; some may be
    /// revived all the same. Dropping the call may leave them revived.
    pub async fn revive(&self, revived: Revived) -> Result<(), StoreError> {
        // One that was deleted meanwhile is owed nothing.
        let Some(home) = self.home_of(revived.endpoint) else { return Ok(()) };
        match self.inner.others.get() {
            Some(others) if home != self.lane() && others.held(home).is_none() => {
                for sequences in revived.sequences.chunks(REVIVED_AT_ONCE) {
                    let part = Revived { sequences: sequences.to_vec(), ..revived };
                    others.revive(home, part).await?;
                }
                Ok(())
            }
            Some(_) | None => self.revive_here(revived).await,
        }
    }

    /// The same, for an endpoint that is served by this store or by one that this node holds
    /// besides: owes the notices again, then tells once who serves the endpoint.
    ///
    /// Errors: [`StoreError::Elsewhere`] when the endpoint is served by another node.
    pub async fn revive_here(&self, revived: Revived) -> Result<(), StoreError> {
        let Revived { endpoint, asked_at, sequences } = revived;
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
        let revive = move || {
            let mut owed = owed.iter();
            let revived = owed
                .try_for_each(|(outbox, sequence)| outbox.revive(endpoint, *sequence, asked_at));
            // Here, since the caller may be gone by now: who reads again in vain loses nothing.
            inner.tell_revived(endpoint, asked_at);
            Ok(revived?)
        };
        self.blocking(revive).await?;
        if server.inner.other_lanes.is_some() {
            // Only who still owns the lane can append to it. Who does not has told nobody that
            // looks: the owner of today read the rows before they were changed, and must be asked.
            let inner = Arc::clone(&server.inner);
            let mark = self.blocking(move || Ok(inner.outbox.standing(endpoint)?)).await?;
            let appended = Box::pin(server.append(Record::NoticeMark(mark))).await;
            appended.map_err(|error| elsewhere(home, &error.to_string()))?;
        }
        Ok(())
    }

    /// Told when notices of an endpoint that is served here were revived: read from the start.
    pub fn revival(&self, endpoint: EndpointId) -> Arc<Revival> {
        let mut revivals = self.inner.revivals.lock();
        if let Some(known) = revivals.get(&endpoint).and_then(Weak::upgrade) {
            return known;
        }
        revivals.retain(|_, waiting| waiting.strong_count() > 0);
        let told = Arc::new(Revival::default());
        revivals.insert(endpoint, Arc::downgrade(&told));
        told
    }

    /// Changes whenever new notices are owed; holds the position they are known up to here.
    pub fn notices_signal(&self) -> watch::Receiver<u64> {
        self.inner.shared.noticed.subscribe()
    }

    /// Says that another lane owes new notices.
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

    /// Queues a mark without waiting. One that finds no room is made up for by the next.
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
    fn tell_revived(&self, endpoint: EndpointId, asked_at: Timestamp) {
        if let Some(server) = self.revivals.lock().get(&endpoint).and_then(Weak::upgrade) {
            server.revived(asked_at);
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

    /// Notes what became of a notice of any lane; gives the mark that is now due in this one.
    ///
    /// A mark keeps a rebuild of the read models from owing again what was delivered. It stands in
    /// the journal of the lane that owed it, which has one writer; another lane's is not told. It
    /// does without: tables that all nodes share are not rebuilt, what is derived twice replaces no
    /// row that changed since, and the cursor, which moves as it does here, is in a table too.
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

    /// Moves all cursors as far as they go; gives the marks that are due in this lane.
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

    /// The outbox of a lane; none of one that is not known.
    fn outbox_of(&self, lane: Lane) -> Option<Arc<Outbox>> {
        if lane == self.lane {
            return Some(Arc::clone(&self.outbox));
        }
        let other = self.other_lanes().find(|other| other.lane == lane)?;
        Some(self.other_outbox(&other))
    }

    fn other_outbox(&self, other: &OtherLane) -> Arc<Outbox> {
        let mut outboxes = self.other_outboxes.lock();
        // What marks its journal has, its cursors in the tables have too.
        let open = || Arc::new(Outbox::new(Arc::clone(&other.views), Default::default()));
        Arc::clone(outboxes.entry(other.lane).or_insert_with(open))
    }
}

/// What one lane owes after a position, when its notices are known up to another.
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
