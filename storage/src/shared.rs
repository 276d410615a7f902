//! What the threads of a store tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use parking_lot::Mutex;
use router::id::{EndpointId, Lane};
use router::record::Record;
use tokio::sync::{Notify, watch};

use crate::journal::Head;
use crate::live::Live;
use crate::store::StoreFailure;
use crate::view::Homed;

/// Positions, signals and figures.
pub(crate) struct Shared {
    pub live: Live,
    pub head: Mutex<Head>,
    pub endpoints: Mutex<std::collections::BTreeMap<EndpointId, Homed>>,
    /// Turns true once, for ever.
    pub failed: watch::Sender<bool>,
    /// Why, from the moment that it is true.
    failure: Mutex<Option<StoreFailure>>,
    /// Everything up to here is in the read models.
    pub written: watch::Sender<u64>,
    /// Notices are known up to here.
    pub noticed: watch::Sender<u64>,
    /// The writer has taken commands from its queue.
    pub room: Notify,
    durable: AtomicU64,
    followed: AtomicU64,
    flush_to: AtomicU64,
    /// Milliseconds after `began` at which the frame under way was begun; 0 when none is.
    committing_since: AtomicU64,
    began: Instant,
    /// The store is being closed.
    is_closing: AtomicBool,
    wake_follower: Wake,
    wake_writer: Wake,
    pub figures: Figures,
}

/// A signal that is remembered once.
struct Wake(Sender<()>, Receiver<()>);

impl Wake {
    fn new() -> Self {
        let (sender, receiver) = bounded(1);
        Self(sender, receiver)
    }

    fn signal(&self) {
        // Full means that it is signalled already.
        let _ = self.0.try_send(());
    }

    fn wait(&self, at_most: Duration) {
        // A time-out is a wake-up too; the caller looks again.
        let _ = self.1.recv_timeout(at_most);
    }
}

/// Handles of the metrics, looked up once.
pub(crate) struct Figures {
    pub records: Counter,
    pub bytes: Counter,
    pub group_records: Histogram,
    pub sync_seconds: Histogram,
    pub queue_len: Gauge,
    pub view_lag: Gauge,
    pub failures: Counter,
}

impl Figures {
    fn new() -> Self {
        Self {
            records: counter!("cauce_journal_records_total"),
            bytes: counter!("cauce_journal_bytes_total"),
            group_records: histogram!("cauce_journal_group_records"),
            sync_seconds: histogram!("cauce_journal_sync_seconds"),
            queue_len: gauge!("cauce_journal_queue_len"),
            view_lag: gauge!("cauce_journal_view_lag_records"),
            failures: counter!("cauce_journal_failures_total"),
        }
    }
}

impl Shared {
    pub fn new(head: Head, followed: u64) -> Self {
        Self {
            live: Live::new(),
            head: Mutex::new(head),
            endpoints: Mutex::default(),
            failed: watch::Sender::new(false),
            failure: Mutex::default(),
            written: watch::Sender::new(followed),
            noticed: watch::Sender::new(followed),
            room: Notify::new(),
            durable: AtomicU64::new(head.sequence),
            followed: AtomicU64::new(followed),
            flush_to: AtomicU64::new(0),
            committing_since: AtomicU64::new(0),
            began: Instant::now(),
            is_closing: AtomicBool::new(false),
            wake_follower: Wake::new(),
            wake_writer: Wake::new(),
            figures: Figures::new(),
        }
    }

    /// Notes the endpoints that durable records of this lane set or removed.
    pub fn take_around(&self, home: Lane, records: Vec<Record>) {
        for record in records {
            if let Record::Endpoint(endpoint) = record {
                let mut endpoints = self.endpoints.lock();
                match endpoint.url {
                    Some(_) => endpoints.insert(endpoint.id, Homed { home, endpoint }),
                    None => endpoints.remove(&endpoint.id),
                };
            }
        }
    }

    /// Notes what the read models say of endpoints: of two changes the later counts, and one of
    /// this lane may not be there yet.
    pub fn take_endpoints(&self, all: &[Homed]) {
        let mut endpoints = self.endpoints.lock();
        for homed in all {
            let endpoint = &homed.endpoint;
            let known = endpoints.get(&endpoint.id);
            match known.is_some_and(|known| known.endpoint.at > endpoint.at) {
                true => {}
                false if endpoint.url.is_some() => {
                    endpoints.insert(endpoint.id, homed.clone());
                }
                false => {
                    endpoints.remove(&endpoint.id);
                }
            }
        }
    }

    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub fn set_durable(&self, head: Head) {
        *self.head.lock() = head;
        self.durable.store(head.sequence, Ordering::Release);
        self.wake_follower.signal();
    }

    /// Notes that a frame is being made durable, or no longer.
    pub fn set_committing(&self, is_committing: bool) {
        let since = if is_committing { self.now_ms().max(1) } else { 0 };
        self.committing_since.store(since, Ordering::Release);
    }

    /// For how long the frame under way has been waiting to be durable.
    pub fn committing_for(&self) -> Duration {
        let since = self.committing_since.load(Ordering::Acquire);
        let ms = if since == 0 { 0 } else { self.now_ms().saturating_sub(since) };
        Duration::from_millis(ms)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn followed(&self) -> u64 {
        self.followed.load(Ordering::Acquire)
    }

    pub fn set_followed(&self, sequence: u64) {
        self.followed.store(sequence, Ordering::Release);
        self.wake_writer.signal();
    }

    pub fn lag(&self) -> u64 {
        self.durable().saturating_sub(self.followed())
    }

    /// Asks the follower to write everything up to a position, payments without outcome too.
    pub fn ask_flush(&self, through: u64) {
        self.flush_to.fetch_max(through, Ordering::AcqRel);
        self.wake_follower.signal();
    }

    pub fn flush_to(&self) -> u64 {
        self.flush_to.load(Ordering::Acquire)
    }

    pub fn follower_waits(&self, at_most: Duration) {
        self.wake_follower.wait(at_most);
    }

    pub fn writer_waits(&self, at_most: Duration) {
        self.wake_writer.wait(at_most);
    }

    /// Notes that the store is being closed: the writer waits for no read models any more.
    pub fn set_closing(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.wake_writer.signal();
    }

    /// Whether the store is being closed.
    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    pub fn has_failed(&self) -> bool {
        *self.failed.borrow()
    }

    /// Why nothing is taken any more; none while it is.
    pub fn failure(&self) -> Option<StoreFailure> {
        self.failure.lock().clone()
    }

    /// Shows how far the read models are behind.
    pub fn show_lag(&self) {
        self.figures.view_lag.set(u32::try_from(self.lag()).unwrap_or(u32::MAX));
    }

    /// The end: nothing is taken from now on. Of several reasons the first counts.
    pub fn fail(&self, why: StoreFailure) {
        self.figures.failures.increment(1);
        self.failure.lock().get_or_insert(why);
        self.failed.send_replace(true);
        self.room.notify_waiters();
    }
}
