//! The handle that everything outside the crate uses.

mod answer;
mod elsewhere;
mod endpoints;
mod events;
mod notices;
mod open;
mod read;
mod redelivery;
mod start;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, TrySendError, bounded};
use parking_lot::Mutex;
use router::id::{EndpointId, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey, PaymentRequest};
use router::payment::PaymentState;
use router::record::{Intent, Record, Refused};
use tokio::sync::{Semaphore, oneshot, watch};

pub use crate::appended::Appended;
pub use crate::error::{OpenError, StoreError};
pub use crate::failure::StoreFailure;
pub use crate::guard::Balance;
use crate::live::{WAITERS_MAX, Wait};
use crate::outbox::Outbox;
use crate::record;
use crate::seal::Sealer;
use crate::settings::Limits;
use crate::shared::Shared;
use crate::view::{TraceName, Views};
use crate::writer::{Command, Decided};
pub use answer::{Admission, Page, Recovered, Stats};
pub use elsewhere::{
    Appending, OtherLane, OtherLaneStores, OtherLanes, Redelivery, RedeliveryFuture,
};
pub use read::OutcomeWait;
pub use redelivery::RedeliverySignal;
pub use start::Parts;

/// Reads off the runtime's threads at once: where they go to this machine's disk …
const READS_NEAR_MAX: usize = 16;
/// … and where they wait for the network.
const READS_FAR_MAX: usize = 48;
/// Lists of payments being put together at once.
const LISTS_MAX: usize = 8;
/// Bytes an encoded intent usually takes.
const ENCODED_LEN: usize = 768;

/// A store, cheap to clone. It closes when [`Store::close`] was awaited, or its last handle is
/// dropped; the latter blocks until everything taken is durable.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    commands: Sender<Command>,
    lane: Lane,
    limits: Limits,
    shared: Arc<Shared>,
    views: Arc<dyn Views>,
    outbox: Arc<Outbox>,
    other_lanes: Option<Arc<dyn OtherLanes>>,
    /// Outboxes of other lanes, for the endpoints that are served here.
    other_outboxes: Mutex<BTreeMap<Lane, Arc<Outbox>>>,
    /// How the workers of endpoints learn of a redelivery.
    redelivery_signals: Mutex<BTreeMap<EndpointId, Weak<RedeliverySignal>>>,
    sealer: Sealer,
    /// Turns of reads that leave the runtime's threads.
    reads: Arc<Semaphore>,
    /// Turns of lists.
    lists: Semaphore,
    threads: Mutex<Option<Threads>>,
    others: OnceLock<Arc<dyn OtherLaneStores>>,
}

struct Threads {
    writer: JoinHandle<()>,
    follower: JoinHandle<()>,
    snapshots: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    stop_snapshots: Sender<()>,
    /// Kept until everything has stopped.
    kept: Box<dyn Send + Sync>,
}

impl Store {
    /// Decides a payment and makes its intent, or its refusal, durable.
    ///
    /// Not cancel-safe: a dropped call may still be granted. Its payment is then open until an
    /// outcome is appended, so run it in a task that outlives the originator's connection.
    pub async fn admit(&self, intent: impl Into<Box<Intent>>) -> Result<Admission, StoreError> {
        let intent: Box<Intent> = intent.into();
        record::check_intent(&intent)?;
        let mut encoded = Vec::with_capacity(ENCODED_LEN);
        let is_as_it_came = record::encode_intent(&intent, &self.inner.sealer, &mut encoded);
        self.fits(&encoded)?;
        let id = intent.payment;
        let asked = RepeatKey::by(&intent.request);
        let (answer, decided) = oneshot::channel();
        self.offer(Command::Admit { intent, encoded, is_as_it_came, answer })?;
        match self.answered(decided).await {
            Ok(decided) => self.admission(id, decided).await,
            Err(error) => self.unguarded(asked, error).await,
        }
    }

    /// Makes a refusal by plan durable, after the same look at its key.
    ///
    /// Gives `Refused`, or `Replay`, `InFlight`, `KeyReused` when the key was used. Dropping the
    /// call may leave the refusal recorded; that does no harm.
    pub async fn refuse(&self, refused: Refused) -> Result<Admission, StoreError> {
        let mut encoded = Vec::with_capacity(ENCODED_LEN);
        record::encode_refused(&refused, &self.inner.sealer, &mut encoded);
        self.fits(&encoded)?;
        let (id, refused) = (refused.payment, Box::new(refused));
        let asked = RepeatKey::by(&refused.request);
        let (answer, decided) = oneshot::channel();
        self.offer(Command::Refuse { refused, encoded, answer })?;
        match self.answered(decided).await {
            Ok(decided) => self.admission(id, decided).await,
            Err(error) => self.unguarded(asked, error).await,
        }
    }

    /// Makes one more step of a known payment durable, or an event, account or mark record. An event
    /// is appended in the lane of its subject.
    ///
    /// Of two racing steps that exclude each other one wins; the other gets
    /// [`StoreError::Illegal`], or [`StoreError::StaleVersion`] for two events made from the same
    /// version. Waits for room in the queue. Dropping the call may leave the
    /// record appended.
    pub async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        if matches!(record, Record::Intent(_) | Record::Refused(_)) {
            return Err(StoreError::NotAppendable { kind: record.kind() });
        }
        record::check_lists(&record)?;
        let mut encoded = Vec::with_capacity(ENCODED_LEN);
        record::encode(&record, &self.inner.sealer, &mut encoded);
        if let Record::Event(event) = &record {
            let home = self.lane_of(event)?;
            if home != self.lane() {
                return self.append_event_elsewhere(home, record, encoded).await;
            }
        }
        self.append_as(record, encoded).await
    }

    /// The same with the record's bytes, which may hold fields of a later build.
    async fn append_as(&self, record: Record, encoded: Vec<u8>) -> Result<Appended, StoreError> {
        self.fits(&encoded)?;
        if let Some(id) = record.payment().filter(|id| self.is_elsewhere(*id)) {
            return self.append_elsewhere(id.lane(), record, encoded).await;
        }
        let (answer, appended) = oneshot::channel();
        self.send(Command::Append { record, encoded, answer }).await?;
        self.answered(appended).await
    }

    /// Turns true when a write or sync failed: end the process then.
    pub fn failed(&self) -> watch::Receiver<bool> {
        self.inner.shared.failed.subscribe()
    }

    /// Takes nothing from now on: its lane has another writer, which it would find out at its next
    /// append. It turns [`Store::failed`].
    pub fn give_up(&self, why: StoreFailure) {
        if !self.inner.shared.has_failed() {
            self.inner.shared.fail(why);
        }
    }

    /// Why the store [has failed](Store::failed); none while it has not.
    pub fn failure(&self) -> Option<StoreFailure> {
        self.inner.shared.failure()
    }

    /// Lets its threads be, whatever they wait for: for a process that ends now. What they have not
    /// made durable is decided by the next start.
    pub fn leave(&self) {
        if let Some(threads) = self.inner.threads.lock().take() {
            // With them goes the lock of the folder, which the process keeps until it has ended.
            std::mem::forget(threads);
        }
    }

    /// The lane whose payments this store takes.
    pub fn lane(&self) -> Lane {
        self.inner.lane
    }

    /// Figures of the moment.
    pub fn stats(&self) -> Stats {
        let shared = &self.inner.shared;
        Stats {
            queue_len: self.inner.commands.len(),
            durable: shared.durable(),
            projected: *shared.written.borrow(),
            live: shared.live.len(),
            waiting: shared.live.waits().len(),
        }
    }

    /// Last durable record.
    pub fn position(&self) -> u64 {
        self.inner.shared.durable()
    }

    /// The last record that was read behind the writer; it lags a little behind
    /// [`Store::position`]. Wakes whatever else follows the journal.
    pub fn followed(&self) -> watch::Receiver<u64> {
        self.inner.shared.noticed.subscribe()
    }

    /// Takes nothing more, makes everything taken durable, writes the head anchor, and stops.
    ///
    /// Other handles get [`StoreError::Closed`] from then on. Not cancel-safe: dropped, it goes on
    /// in the background.
    pub async fn close(self) {
        self.inner.shared.set_closing();
        self.mark_notices().await;
        let (answer, stopped) = oneshot::channel();
        if self.send(Command::Stop { answer }).await.is_ok() {
            // Without an answer the writer has ended already.
            let _ = stopped.await;
        }
        let threads = self.inner.threads.lock().take();
        if let Some(threads) = threads {
            let joined = tokio::task::spawn_blocking(move || threads.join()).await;
            joined.expect("invariant: joining threads does not panic");
        }
    }

    async fn admission(&self, id: PaymentId, decided: Decided) -> Result<Admission, StoreError> {
        match decided {
            Decided::Granted { sequence } => Ok(Admission::Granted { sequence }),
            Decided::Refused => Ok(Admission::Refused(Box::new(self.known(id).await?))),
            Decided::KeyReused(owner) => Ok(Admission::KeyReused(owner)),
            Decided::Duplicate(owner) if self.is_elsewhere(owner) => {
                self.repeated_elsewhere(owner).await
            }
            Decided::Duplicate(owner) => match self.inner.shared.live.wait(owner) {
                Wait::Over => match self.known(owner).await {
                    Ok(payment) => Ok(Admission::Replay(Box::new(payment))),
                    // Its records were removed, and its key is known still: the key stays taken.
                    Err(StoreError::UnknownPayment(_)) if self.removed_until().is_some() => {
                        Ok(Admission::KeyReused(owner))
                    }
                    Err(error) => Err(error),
                },
                Wait::Until(outcome) => {
                    let wait = OutcomeWait::new(self.clone(), owner, Some(outcome));
                    Ok(Admission::InFlight(owner, wait))
                }
                Wait::Full => Err(StoreError::TooManyWaiters { payment: owner, max: WAITERS_MAX }),
            },
        }
    }

    /// The guard gave no answer: nothing new is admitted, but a repeat may still be told what came
    /// of the first, where the read models know its key.
    async fn unguarded(
        &self,
        RepeatKey { key, fingerprint, trace }: RepeatKey,
        error: StoreError,
    ) -> Result<Admission, StoreError> {
        if !matches!(error, StoreError::Guard(_)) {
            return Err(error);
        }
        let views = Arc::clone(&self.inner.views);
        let found = self.looked_up(move || Ok(views.id_of_key(key, trace.as_ref())?)).await;
        match found {
            Ok(Some((owner, same))) if same == fingerprint => {
                let payment = self.payment(owner).await?;
                let done = payment.filter(|payment| payment.state != PaymentState::Sent);
                done.map(|payment| Admission::Replay(Box::new(payment))).ok_or(error)
            }
            Ok(Some((owner, _))) => Ok(Admission::KeyReused(owner)),
            Ok(None) | Err(_) => Err(error),
        }
    }

    fn fits(&self, encoded: &[u8]) -> Result<(), StoreError> {
        let (len, max) = (encoded.len(), self.inner.limits.frame_len_max);
        if len <= max { Ok(()) } else { Err(StoreError::RecordTooLong { len, max }) }
    }

    /// Queues a new payment, or refuses it while the last quarter of the queue is taken: that is
    /// for what must be recorded.
    fn offer(&self, command: Command) -> Result<(), StoreError> {
        if self.inner.shared.has_failed() {
            return Err(StoreError::Failed);
        }
        let stalled = self.inner.shared.committing_for();
        if stalled > self.inner.limits.stall_max {
            let for_ms = u64::try_from(stalled.as_millis()).unwrap_or(u64::MAX);
            return Err(StoreError::Stalled { for_ms });
        }
        if self.inner.commands.len() >= self.inner.limits.queue_len_max / 4 * 3 {
            return Err(StoreError::Overloaded);
        }
        match self.queue(command)? {
            None => Ok(()),
            Some(_) => Err(StoreError::Overloaded),
        }
    }

    /// Queues what must be recorded, waiting for room.
    async fn send(&self, command: Command) -> Result<(), StoreError> {
        // Mostly there is room, and nothing is to be noted for when there will be.
        let Some(mut command) = self.queue(command)? else { return Ok(()) };
        loop {
            let room = self.inner.shared.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            match self.queue(command)? {
                None => return Ok(()),
                Some(back) => command = back,
            }
            room.await;
        }
    }

    /// Queues a command; gives it back where there is no room.
    fn queue(&self, command: Command) -> Result<Option<Command>, StoreError> {
        match self.inner.commands.try_send(command) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(back)) => Ok(Some(back)),
            Err(TrySendError::Disconnected(_)) => Err(self.gone()),
        }
    }

    async fn answered<T>(
        &self,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> StoreError {
        if self.inner.shared.has_failed() { StoreError::Failed } else { StoreError::Closed }
    }
}

impl Threads {
    /// The writer was stopped, or no handle is left to ask it.
    fn join(self) {
        // A thread that panicked has said so; there is nothing left to stop.
        let _ = self.writer.join();
        self.stop.store(true, Ordering::Release);
        drop(self.stop_snapshots);
        let _ = self.follower.join();
        let _ = self.snapshots.join();
        drop(self.kept);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(threads) = self.threads.lock().take() else { return };
        // No handle is left: the writer ends once it has served the waiting commands.
        self.shared.set_closing();
        self.commands = bounded(1).0;
        threads.join();
    }
}

/// What a request is known again by, without the guard.
#[derive(Debug, Clone, Copy)]
struct RepeatKey {
    key: IdempotencyKey,
    fingerprint: Fingerprint,
    trace: Option<TraceName>,
}

impl RepeatKey {
    fn by(request: &PaymentRequest) -> Self {
        let PaymentRequest { key, fingerprint, .. } = *request;
        Self { key, fingerprint, trace: TraceName::of(request) }
    }
}
