//! What keeps the trouble of one participant from the payments of all others, whatever its dialect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use router::id::ParticipantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::metrics::ParticipantFigures;

/// Requests of one participant that are decided at once; the next wait for their turn, so that a
/// flood of one participant's does not stand before everybody else's in each queue. A turn lasts
/// until the intent is durable: at 5 ms each, 100,000 requests a second have one.
pub const DECIDED_AT_ONCE_MAX: usize = 512;

/// The ceilings of one participant, and what is counted of it.
#[derive(Debug)]
pub struct Bulkhead {
    id: ParticipantId,
    /// Turns of its own requests, over all its lines.
    requests: Arc<Semaphore>,
    /// Turns of those that are being decided.
    decisions: Semaphore,
    /// Payments that are unknown or being undone.
    owed: AtomicUsize,
    owed_max: usize,
    /// What it makes of payments.
    pub figures: ParticipantFigures,
}

impl Bulkhead {
    /// For a participant: how many of its own requests are worked on at once, and how many payments
    /// that were sent to it may be unknown or being undone.
    pub fn new(id: ParticipantId, requests_max: usize, owed_max: usize) -> Self {
        Self {
            id,
            requests: Arc::new(Semaphore::new(requests_max)),
            decisions: Semaphore::new(DECIDED_AT_ONCE_MAX),
            owed: AtomicUsize::new(0),
            owed_max,
            figures: ParticipantFigures::of(id.as_str()),
        }
    }

    /// A turn for a request of its own; none while too many are being worked on.
    pub fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    /// The turn of a request of its own to be decided, where none waits for one.
    pub fn free_decision_turn(&self) -> Option<SemaphorePermit<'_>> {
        self.decisions.try_acquire().ok()
    }

    /// Waits for the turn of a request of its own to be decided. Cancel-safe.
    pub async fn decision_turn(&self) -> SemaphorePermit<'_> {
        let turn = self.decisions.acquire().await;
        turn.expect("invariant: the turns are never closed")
    }

    /// Notes how many of its payments are unknown or being undone.
    pub fn set_owed(&self, count: usize) {
        self.owed.store(count, Ordering::Release);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("cauce_participant_reversals_owed", "participant" => self.id.to_string())
            .set(count);
    }

    /// Takes over the count of the same participant as it was configured before: a change of its entry
    /// makes no room for more payments. The next look at the journal counts them anew.
    pub fn take_over(&self, former: &Self) {
        self.set_owed(former.owed.load(Ordering::Acquire));
    }

    /// Notes one more; the next look at the journal counts them anew.
    pub fn owes_one_more(&self) {
        self.owed.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether so many of its payments must be undone that nothing new is sent to it.
    pub fn owes_too_much(&self) -> bool {
        self.owed.load(Ordering::Acquire) >= self.owed_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_participant_that_is_configured_in_another_way_owes_what_it_owed_before() {
        let bulkhead = || Bulkhead::new(ParticipantId::new("bank-b").expect("an id"), 8, 2);
        let (former, changed) = (bulkhead(), bulkhead());
        former.set_owed(1);
        former.owes_one_more();
        assert!(former.owes_too_much() && !changed.owes_too_much());
        changed.take_over(&former);
        assert!(changed.owes_too_much());
    }
}
