//! Payments the read models do not hold yet, and open ones: what makes a read see every write
//! that was answered.

use foldhash::{HashMap, HashMapExt};
use parking_lot::Mutex;
use router::id::PaymentId;
use router::payment::{PaymentState, Progress};
use tokio::sync::oneshot;

use crate::history::History;

const SHARDS: usize = 64;
/// Callers that may wait for one payment.
pub(crate) const WAITERS_MAX: usize = 64;

/// The table, shared by the writer, the follower and all readers.
pub(crate) struct Live {
    shards: Vec<Mutex<HashMap<PaymentId, Entry>>>,
}

struct Entry {
    progress: Progress,
    history: History,
    last_sequence: u64,
    waiters: Vec<oneshot::Sender<()>>,
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
        Self { shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect() }
    }

    /// Puts in or replaces what is known of a payment; wakes who waits for its outcome.
    pub fn publish(&self, id: PaymentId, progress: Progress, history: History, sequence: u64) {
        let mut shard = self.shard(id).lock();
        let waiters = shard.remove(&id).map(|entry| entry.waiters).unwrap_or_default();
        let mut entry = Entry { progress, history, last_sequence: sequence, waiters };
        entry.wake();
        shard.insert(id, entry);
    }

    /// Adds one durable record; false when the payment is not in the table.
    pub fn push(&self, id: PaymentId, progress: Progress, sequence: u64, body: &[u8]) -> bool {
        let mut shard = self.shard(id).lock();
        let Some(entry) = shard.get_mut(&id) else { return false };
        entry.progress = progress;
        entry.history.push(sequence, body);
        entry.last_sequence = sequence;
        entry.wake();
        true
    }

    pub fn history(&self, id: PaymentId) -> Option<History> {
        self.shard(id).lock().get(&id).map(|entry| entry.history.clone())
    }

    /// Drops a payment that the read models hold up to a position, unless it is open or went on.
    pub fn forget(&self, id: PaymentId, through: u64) {
        let mut shard = self.shard(id).lock();
        let done = |entry: &Entry| entry.last_sequence <= through && !entry.progress.is_open();
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

    pub fn open(&self) -> Vec<History> {
        let mut open = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let entries = shard.values().filter(|entry| entry.progress.is_open());
            open.extend(entries.map(|entry| entry.history.clone()));
        }
        open
    }

    fn shard(&self, id: PaymentId) -> &Mutex<HashMap<PaymentId, Entry>> {
        &self.shards[usize::from(id.0.to_le_bytes()[0]) % SHARDS]
    }
}

impl Entry {
    fn wake(&mut self) {
        if self.progress.state != PaymentState::Sent {
            for waiter in self.waiters.drain(..) {
                // One that is gone was dropped by its caller.
                let _ = waiter.send(());
            }
        }
    }
}
