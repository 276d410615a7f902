//! Payments the read models do not hold yet, and open ones: what makes a read see every write
//! that was answered.

mod waits;
mod work;

use std::collections::hash_map::Entry;

use foldhash::HashMap;
use parking_lot::Mutex;
use router::id::{ParticipantId, PaymentId};
use router::payment::{PaymentState, Progress};
use tokio::sync::oneshot;

use crate::history::History;
use crate::record::{Kind, kind_of};
pub(crate) use waits::Waits;
use work::WorkLists;

const SHARDS: usize = 64;
/// Callers that may wait for one payment.
pub(crate) const WAITERS_MAX: usize = 64;

/// The table, shared by the writer, the follower and all readers.
pub(crate) struct Live {
    shards: Vec<Mutex<Shard>>,
    waits: Waits,
}

#[derive(Default)]
struct Shard {
    payments: HashMap<PaymentId, LivePayment>,
    work: WorkLists,
}

struct LivePayment {
    progress: Progress,
    history: History,
    last_sequence: u64,
    waiters: Vec<oneshot::Sender<()>>,
    /// Whether a one-time key of its payer was sent to its participant.
    has_key_sent: bool,
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
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, waits: Waits::new() }
    }

    /// The payments that wait, by the ends of their waits.
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Puts in or replaces what is known of a payment; wakes the callers that wait for its outcome.
    pub fn publish(&self, id: PaymentId, progress: Progress, history: History, sequence: u64) {
        let mut shard = self.shard(id).lock();
        let Shard { payments, work } = &mut *shard;
        let has_key_sent = progress.state == PaymentState::Sent && has_confirming(&history);
        let mut payment = LivePayment {
            progress,
            history,
            last_sequence: sequence,
            waiters: Vec::new(),
            has_key_sent,
        };
        match payments.entry(id) {
            Entry::Vacant(vacant) => {
                self.waits.moved(id, None, progress.waits_until);
                vacant.insert(payment).moved(id, work);
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                self.waits.moved(id, known.progress.waits_until, progress.waits_until);
                payment.waiters = std::mem::take(&mut known.waiters);
                payment.moved(id, work);
                *known = payment;
            }
        }
    }

    /// Adds one durable record; false when the payment is not in the table.
    pub fn push(&self, id: PaymentId, progress: Progress, sequence: u64, body: &[u8]) -> bool {
        let mut shard = self.shard(id).lock();
        let Shard { payments, work } = &mut *shard;
        let Some(entry) = payments.get_mut(&id) else { return false };
        self.waits.moved(id, entry.progress.waits_until, progress.waits_until);
        entry.progress = progress;
        entry.history.push(sequence, body);
        entry.last_sequence = sequence;
        entry.has_key_sent |= is_confirming(body);
        entry.moved(id, work);
        true
    }

    pub fn history(&self, id: PaymentId) -> Option<History> {
        self.shard(id).lock().payments.get(&id).map(|entry| entry.history.clone())
    }

    /// Drops a payment that the read models hold up to a position, unless it is open or went on.
    pub fn forget(&self, id: PaymentId, through: u64) {
        let mut shard = self.shard(id).lock();
        let done =
            |entry: &LivePayment| entry.last_sequence <= through && !entry.progress.is_open();
        if shard.payments.get(&id).is_some_and(done) {
            shard.payments.remove(&id);
            shard.work.remove(id);
        }
    }

    pub fn wait(&self, id: PaymentId) -> Wait {
        let mut shard = self.shard(id).lock();
        let Some(entry) = shard.payments.get_mut(&id) else { return Wait::Over };
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
        self.shards.iter().map(|shard| shard.lock().payments.len()).sum()
    }

    /// Payments that are unknown or being reversed, with the participant each was sent to. Costs
    /// nothing for other payments.
    pub fn owed(&self) -> Vec<(ParticipantId, PaymentId)> {
        let mut owed = Vec::new();
        for shard in &self.shards {
            owed.extend(shard.lock().work.owed());
        }
        owed
    }

    /// Payments that are being confirmed, or that have a refund without an end. Costs nothing for
    /// other payments.
    pub fn confirming_or_refunding(&self) -> Vec<PaymentId> {
        let mut found = Vec::new();
        for shard in &self.shards {
            found.extend(shard.lock().work.under_way());
        }
        found
    }

    /// The participant at which a payment has to be reversed; none when no reversal is owed, or the
    /// payment is not in the table.
    pub fn owed_by(&self, id: PaymentId) -> Option<ParticipantId> {
        self.shard(id).lock().work.owed_by(id)
    }

    pub fn open(&self) -> Vec<History> {
        let mut open = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let entries = shard.payments.values().filter(|entry| entry.progress.is_open());
            open.extend(entries.map(|entry| entry.history.clone()));
        }
        open
    }

    fn shard(&self, id: PaymentId) -> &Mutex<Shard> {
        &self.shards[usize::from(id.0.to_le_bytes()[0]) % SHARDS]
    }
}

impl LivePayment {
    /// Follows a new progress: callers that wait are woken by an outcome, and the lists of the shard
    /// say which work is left.
    fn moved(&mut self, id: PaymentId, work: &mut WorkLists) {
        self.wake();
        let history = &self.history;
        let participant = || history.participant().ok().flatten();
        work.set_owed(id, self.progress.owes_reversal(), participant);
        work.set_under_way(id, self.is_confirming_or_refunding());
    }

    fn is_confirming_or_refunding(&self) -> bool {
        match self.progress.state {
            PaymentState::Sent => self.has_key_sent,
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

fn has_confirming(history: &History) -> bool {
    history.iter().filter_map(Result::ok).any(|(_, body)| is_confirming(body))
}

fn is_confirming(body: &[u8]) -> bool {
    matches!(kind_of(body), Ok(Kind::Confirming))
}

#[cfg(test)]
mod tests;
