//! Which reversals are at work. Each participant has places of its own, so a bank that answers
//! nothing holds up no other. A payment that finds no place stays on the store's list of payments
//! whose reversal is owed, and is read from there when a place is free.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use router::exchange::Repeat;
use router::id::{ParticipantId, PaymentId};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::{Undoing, undo};
use crate::config::ReversalsConfig;
use crate::engine::Engine;
use crate::engine::OwedQueue;

/// Pause between two reads of the list of payments whose reversal is owed.
const SCAN_EVERY: Duration = Duration::from_secs(5);
/// The shortest pause between two reads, where the waiting payments of a participant ran out.
const SCAN_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Payments of one participant that wait for a place; others are found by the next read.
const WAITING_MAX: usize = 4096;
/// Ends of reversals that may wait to be noted.
const ENDED_LEN_MAX: usize = 1024;

/// Undoes what is owed, for ever. Run as a critical task.
pub async fn run(engine: Arc<Engine>, mut queue: OwedQueue, config: ReversalsConfig) {
    let (ended, mut endings) = mpsc::channel(ENDED_LEN_MAX);
    let permits = Arc::new(Semaphore::new(config.concurrent_max));
    let mut dispatch = Dispatch { engine, config, permits, ended, shares: HashMap::new() };
    let ending = dispatch.engine.tasks.stages().ending.clone();
    let mut scan = tokio::time::interval(SCAN_EVERY);
    scan.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = ending.cancelled() => return,
            Some((participant, payment)) = endings.recv() => {
                if dispatch.ended(participant, payment) {
                    scan.reset_at(Instant::now() + SCAN_AGAIN_AFTER);
                }
            }
            Some((payment, repeat)) = queue.recv() => dispatch.look_at(payment, repeat).await,
            _ = scan.tick() => dispatch.scan().await,
        }
    }
}

/// All shares.
struct Dispatch {
    engine: Arc<Engine>,
    config: ReversalsConfig,
    permits: Arc<Semaphore>,
    ended: mpsc::Sender<(ParticipantId, PaymentId)>,
    shares: HashMap<ParticipantId, ParticipantReversals>,
}

/// The reversals of one participant.
#[derive(Default)]
struct ParticipantReversals {
    waiting: VecDeque<(PaymentId, Repeat)>,
    /// Those that wait and those at work.
    known: HashSet<PaymentId>,
    at_work: usize,
    /// Whether the journal has more than was taken from it.
    is_more: bool,
    /// Whether one at work that gets nowhere should give its place to another.
    is_crowded: Arc<AtomicBool>,
}

impl ParticipantReversals {
    /// Takes a payment, unless it is known; a payment without room is found by a later read.
    fn take(&mut self, payment: PaymentId, repeat: Repeat) {
        if self.waiting.len() >= WAITING_MAX {
            self.is_more |= !self.known.contains(&payment);
        } else if self.known.insert(payment) {
            self.waiting.push_back((payment, repeat));
        }
    }

    /// The next one to be undone, if there is a place at work.
    fn next(&mut self, at_work_max: usize) -> Option<(PaymentId, Repeat)> {
        let next = if self.at_work < at_work_max { self.waiting.pop_front() } else { None };
        self.at_work += usize::from(next.is_some());
        self.is_crowded.store(!self.waiting.is_empty() || self.is_more, Ordering::Release);
        next
    }

    /// One has ended; tells whether the journal must be asked for more.
    fn ended(&mut self, payment: PaymentId) -> bool {
        self.known.remove(&payment);
        self.at_work -= 1;
        self.is_more && self.waiting.is_empty()
    }
}

impl Dispatch {
    /// Places at work of one participant: half of all, so that one silent bank leaves room.
    fn at_work_max(&self) -> usize {
        self.config.concurrent_max.div_ceil(2)
    }

    /// A payment that has just become owed.
    async fn look_at(&mut self, payment: PaymentId, repeat: Repeat) {
        let Some(participant) = owed_by(&self.engine, payment).await else { return };
        self.shares.entry(participant).or_default().take(payment, repeat);
        self.start(participant);
    }

    /// Reads what is owed, and says to each participant how much it is.
    async fn scan(&mut self) {
        let owed = match self.engine.store.owed_payments().await {
            Ok(owed) => owed,
            Err(error) => {
                tracing::warn!(%error, "the payments whose reversal is owed could not be read");
                return;
            }
        };
        self.shares.retain(|_, share| !share.known.is_empty());
        self.shares.values_mut().for_each(|share| share.is_more = false);
        let mut counts: HashMap<ParticipantId, usize> = HashMap::new();
        for (participant, payment) in &owed {
            *counts.entry(*participant).or_default() += 1;
            // Whether an advice left before a restart cannot be known: say it may be a repeat.
            self.shares.entry(*participant).or_default().take(*payment, Repeat::Again);
        }
        metrics::gauge!("cauce_reversals_owed").set(u32::try_from(owed.len()).unwrap_or(u32::MAX));
        for participant in self.engine.participants().iter() {
            participant.bulkhead().set_owed(counts.get(&participant.id()).copied().unwrap_or(0));
        }
        for participant in counts.into_keys() {
            self.start(participant);
        }
    }

    /// Notes an end and starts the next; tells whether the journal must be asked for more.
    fn ended(&mut self, participant: ParticipantId, payment: PaymentId) -> bool {
        let Some(share) = self.shares.get_mut(&participant) else { return false };
        let is_empty = share.ended(payment);
        self.start(participant);
        is_empty
    }

    /// Fills the places at work of a participant.
    fn start(&mut self, participant: ParticipantId) {
        let at_work_max = self.at_work_max();
        let Some(share) = self.shares.get_mut(&participant) else { return };
        while let Some((payment, repeat)) = share.next(at_work_max) {
            let (engine, ended) = (Arc::clone(&self.engine), self.ended.clone());
            let undoing = Undoing { permits: Arc::clone(&self.permits), config: self.config };
            let is_crowded = Arc::clone(&share.is_crowded);
            self.engine.tasks.service("reversal", async move {
                let ending = engine.tasks.stages().ending.clone();
                let work = async {
                    tokio::select! {
                        () = ending.cancelled() => {}
                        () = work(&engine, (payment, repeat), &undoing, &is_crowded) => {}
                    }
                };
                to_its_end(work, &ended, (participant, payment)).await;
            });
        }
    }
}

/// Does work, and notes its end even if it panics: its place at work would be lost for ever.
async fn to_its_end<T>(work: impl Future<Output = ()>, ended: &mpsc::Sender<T>, of: T) {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    // Without a receiver the switch ends.
    ended.send(of).await.ok();
    if let Err(panic) = done {
        // Its task counts the panic, and says so.
        resume_unwind(panic);
    }
}

/// Undoes one payment; gives up for now where it gets nowhere and others wait for its place.
async fn work(
    engine: &Engine,
    (payment, repeat): (PaymentId, Repeat),
    undoing: &Undoing,
    is_crowded: &AtomicBool,
) {
    // Time for the longest pause and the answer after it, and for a "not found" to become evidence.
    let config = &undoing.config;
    let turn = config.retry_max * 2 + config.not_found_after + SCAN_EVERY;
    let mut undone = std::pin::pin!(undo(engine, payment, repeat, undoing));
    loop {
        match timeout(turn, &mut undone).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                return tracing::error!(payment_id = %payment, %error, "reversal stopped");
            }
            Err(_) if is_crowded.load(Ordering::Acquire) => return,
            Err(_) => {}
        }
    }
}

/// The participant that a payment is owed by; none when nothing is owed.
async fn owed_by(engine: &Engine, payment: PaymentId) -> Option<ParticipantId> {
    if let Some(participant) = engine.store.owed_by(payment) {
        return Some(participant);
    }
    // Of a lane that another node holds.
    let payment = engine.store.payment(payment).await.ok().flatten()?;
    let is_owed = payment.progress().owes_reversal();
    payment.attempt.filter(|_| is_owed).map(|attempt| attempt.participant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_works_on_few_keeps_some_in_mind_and_leaves_the_rest_in_the_journal() {
        let mut share = ParticipantReversals::default();
        for number in 0..10_000 {
            share.take(PaymentId(number), Repeat::First);
        }
        share.take(PaymentId(0), Repeat::Again);
        let started = std::iter::from_fn(|| share.next(128)).count();
        assert_eq!((started, share.known.len()), (128, WAITING_MAX));
        assert!(share.is_more && share.is_crowded.load(Ordering::Acquire));
        let mut ended = 0;
        while !share.ended(PaymentId(ended)) {
            ended += 1;
            share.next(128);
        }
        assert_eq!(ended, 3968, "the journal is asked again when none waits any more");
    }

    #[tokio::test]
    async fn a_reversal_that_panics_gives_its_place_back() {
        let (ended, mut endings) = mpsc::channel(1);
        let work = to_its_end(async { panic!("a defect") }, &ended, PaymentId(7));
        let done = AssertUnwindSafe(work).catch_unwind().await;
        assert!(done.is_err(), "the panic is still seen by the task");
        assert_eq!(endings.recv().await, Some(PaymentId(7)));
    }
}
