//! Payments the read models do not hold yet, and open ones: what makes a read see every write
//! that was answered.

mod waits;

use std::collections::hash_map::Entry;

use foldhash::{HashMap, HashMapExt};
use parking_lot::Mutex;
use router::id::{ParticipantId, PaymentId};
use router::payment::{PaymentState, Progress};
use tokio::sync::oneshot;

use crate::history::History;
use crate::record::{Kind, kind_of};
pub(crate) use waits::Waits;

const SHARDS: usize = 64;
/// Callers that may wait for one payment.
pub(crate) const WAITERS_MAX: usize = 64;

/// The table, shared by the writer, the follower and all readers.
pub(crate) struct Live {
    shards: Vec<Mutex<HashMap<PaymentId, LivePayment>>>,
    waits: Waits,
}

struct LivePayment {
    progress: Progress,
    history: History,
    last_sequence: u64,
    waiters: Vec<oneshot::Sender<()>>,
    /// The participant that owes its undoing, while it is owed.
    owed_by: Option<ParticipantId>,
}

/// What waiting for a payment's outcome comes down to.
pub(crate) enum Wait {
    /// It has one, or is not in the table.
    Over,
    /// Not yet; fires when it has.
    Until(oneshot::Receiver<()>),
    /// Too many wait already.
    Full,
}

impl Live {
    pub fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect();
        Self { shards, waits: Waits::new() }
    }

    /// The payments that wait, by the ends of their waits.
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Puts in or replaces what is known of a payment; wakes who waits for its outcome.
    pub fn publish(&self, id: PaymentId, progress: Progress, history: History, sequence: u64) {
        let (waiters, last_sequence) = (Vec::new(), sequence);
        let waits_until = progress.waits_until;
        let mut payment = LivePayment { progress, history, last_sequence, waiters, owed_by: None };
        match self.shard(id).lock().entry(id) {
            Entry::Vacant(vacant) => {
                self.waits.moved(id, None, waits_until);
                vacant.insert(payment).moved();
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                self.waits.moved(id, known.progress.waits_until, waits_until);
                payment.waiters = std::mem::take(&mut known.waiters);
                payment.moved();
                *known = payment;
            }
        }
    }

    /// Adds one durable record; false when the payment is not in the table.
    pub fn push(&self, id: PaymentId, progress: Progress, sequence: u64, body: &[u8]) -> bool {
        let mut shard = self.shard(id).lock();
        let Some(entry) = shard.get_mut(&id) else { return false };
        self.waits.moved(id, entry.progress.waits_until, progress.waits_until);
        entry.progress = progress;
        entry.history.push(sequence, body);
        entry.last_sequence = sequence;
        entry.moved();
        true
    }

    pub fn history(&self, id: PaymentId) -> Option<History> {
        self.shard(id).lock().get(&id).map(|entry| entry.history.clone())
    }

    /// Drops a payment that the read models hold up to a position, unless it is open or went on.
    pub fn forget(&self, id: PaymentId, through: u64) {
        let mut shard = self.shard(id).lock();
        let done =
            |entry: &LivePayment| entry.last_sequence <= through && !entry.progress.is_open();
        if shard.get(&id).is_some_and(done) {
            shard.remove(&id);
        }
    }

    pub fn wait(&self, id: PaymentId) -> Wait {
        let mut shard = self.shard(id).lock();
        let Some(entry) = shard.get_mut(&id) else { return Wait::Over };
        if entry.progress.state != PaymentState::Sent {
            return Wait::Over;
        }
        entry.waiters.retain(|waiter| !waiter.is_closed());
        if entry.waiters.len() >= WAITERS_MAX {
            return Wait::Full;
        }
        let (sender, receiver) = oneshot::channel();
        entry.waiters.push(sender);
        Wait::Until(receiver)
    }

    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Payments that are unknown or being undone, with the participant each was sent to.
    pub fn owed(&self) -> Vec<(ParticipantId, PaymentId)> {
        let mut owed = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            owed.extend(shard.iter().filter_map(|(id, entry)| Some((entry.owed_by?, *id))));
        }
        owed
    }

    /// Payments that are being confirmed, or whose refunds have no end yet.
    pub fn confirming_or_refunding(&self) -> Vec<PaymentId> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let under_way = shard.iter().filter(|(_, entry)| entry.is_confirming_or_refunding());
            found.extend(under_way.map(|(id, _)| *id));
        }
        found
    }

    /// The participant that owes a payment's undoing; none when nothing is owed, or not here.
    pub fn owed_by(&self, id: PaymentId) -> Option<ParticipantId> {
        self.shard(id).lock().get(&id).and_then(|entry| entry.owed_by)
    }

    pub fn open(&self) -> Vec<History> {
        let mut open = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let entries = shard.values().filter(|entry| entry.progress.is_open());
            open.extend(entries.map(|entry| entry.history.clone()));
        }
        open
    }

    fn shard(&self, id: PaymentId) -> &Mutex<HashMap<PaymentId, LivePayment>> {
        &self.shards[usize::from(id.0.to_le_bytes()[0]) % SHARDS]
    }
}

impl LivePayment {
    /// Follows a new progress: the waiters hear of an outcome, and what is owed is known by its
    /// participant, read from the records once.
    fn moved(&mut self) {
        self.wake();
        match (self.progress.owes_reversal(), self.owed_by) {
            (true, None) => self.owed_by = self.history.participant().ok().flatten(),
            (true, Some(_)) => {}
            (false, _) => self.owed_by = None,
        }
    }

    fn is_confirming_or_refunding(&self) -> bool {
        let is_confirming = |body: &[u8]| matches!(kind_of(body), Ok(Kind::Confirming));
        match self.progress.state {
            PaymentState::Sent => {
                self.history.iter().filter_map(Result::ok).any(|(_, body)| is_confirming(body))
            }
            PaymentState::Refunding => true,
            PaymentState::Received
            | PaymentState::AwaitingPayer
            | PaymentState::Approved
            | PaymentState::Declined
            | PaymentState::Unknown
            | PaymentState::Reversing
            | PaymentState::Reversed
            | PaymentState::Expired
            | PaymentState::Settled
            | PaymentState::Refunded => false,
        }
    }

    fn wake(&mut self) {
        if self.progress.state != PaymentState::Sent {
            for waiter in self.waiters.drain(..) {
                // One that is gone was dropped by its caller.
                let _ = waiter.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
