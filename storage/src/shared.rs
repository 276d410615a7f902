//! What the threads of a store tell each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use parking_lot::Mutex;
use router::endpoint::Endpoint;
use router::id::{EndpointId, Lane};
use router::record::Record;
use tokio::sync::{Notify, watch};

use crate::events::RecentEvents;
use crate::failure::StoreFailure;
use crate::journal::Head;
use crate::live::Live;
use crate::view::EndpointHome;
use crate::written::WrittenGroups;

/// How long a deleted endpoint is remembered. Read models from before its deletion, which another
/// node may have read already, would bring it back; they are seconds old, never so long.
const DELETED_KEPT: Duration = Duration::from_secs(3600);

/// A deleted endpoint.
struct Deleted {
    /// The version that deleted it.
    version: u32,
    /// When that was learnt of.
    at: Instant,
}

/// Positions, signals and figures.
pub(crate) struct Shared {
    pub live: Live,
    pub head: Mutex<Head>,
    pub endpoints: Mutex<BTreeMap<EndpointId, EndpointHome>>,
    /// Endpoints deleted lately; locked after `endpoints`.
    deleted: Mutex<BTreeMap<EndpointId, Deleted>>,
    /// Turns true once, for ever.
    pub failed: watch::Sender<bool>,
    /// Why, from the moment that it is true.
    failure: Mutex<Option<StoreFailure>>,
    /// Everything up to here is in the read models.
    pub written: watch::Sender<u64>,
    /// Notices are known up to here.
    pub noticed: watch::Sender<u64>,
    /// What happened last to payments, as far as it was followed.
    pub recent_events: Mutex<RecentEvents>,
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
    /// What the follower need not decode.
    pub written_groups: WrittenGroups,
    pub figures: StoreFigures,
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
pub(crate) struct StoreFigures {
    pub records: Counter,
    pub bytes: Counter,
    pub group_records: Histogram,
    pub sync_seconds: Histogram,
    pub queue_len: Gauge,
    pub view_lag: Gauge,
    pub failures: Counter,
}

impl StoreFigures {
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
            deleted: Mutex::default(),
            failed: watch::Sender::new(false),
            failure: Mutex::default(),
            written: watch::Sender::new(followed),
            noticed: watch::Sender::new(followed),
            recent_events: Mutex::default(),
            room: Notify::new(),
            durable: AtomicU64::new(head.sequence),
            followed: AtomicU64::new(followed),
            flush_to: AtomicU64::new(0),
            committing_since: AtomicU64::new(0),
            began: Instant::now(),
            is_closing: AtomicBool::new(false),
            wake_follower: Wake::new(),
            wake_writer: Wake::new(),
            written_groups: WrittenGroups::default(),
            figures: StoreFigures::new(),
        }
    }

    /// Notes the endpoints that durable records of this lane set or removed.
    pub fn take_around(&self, home: Lane, records: Vec<Record>) {
        for record in records {
            if let Some(endpoint) = record.into_endpoint() {
                self.take_endpoint(&mut self.endpoints.lock(), EndpointHome { home, endpoint });
            }
        }
    }

    /// Notes what the read models say of endpoints: of two changes the later counts, and one of
    /// this lane may not be there yet.
    pub fn take_endpoints(&self, all: &[EndpointHome]) {
        let mut endpoints = self.endpoints.lock();
        for homed in all {
            let Endpoint { id, version, .. } = homed.endpoint;
            let known = endpoints.get(&id).map(|known| known.endpoint.version);
            let deleted = self.deleted.lock().get(&id).map(|deleted| deleted.version);
            if known.max(deleted).is_none_or(|known| known <= version) {
                self.take_endpoint(&mut endpoints, homed.clone());
            }
        }
    }

    fn take_endpoint(
        &self,
        endpoints: &mut BTreeMap<EndpointId, EndpointHome>,
        homed: EndpointHome,
    ) {
        let Endpoint { id, version, .. } = homed.endpoint;
        if homed.endpoint.url.is_some() {
            endpoints.insert(id, homed);
            return;
        }
        endpoints.remove(&id);
        let mut deleted = self.deleted.lock();
        deleted.retain(|_, deleted| deleted.at.elapsed() < DELETED_KEPT);
        deleted.insert(id, Deleted { version, at: Instant::now() });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample;

    const ID: EndpointId = EndpointId(4);

    /// The endpoint at a version, as the read models tell of it or a record sets it.
    fn set(version: u32) -> EndpointHome {
        let endpoint = sample::first_endpoint(ID.0);
        // The time is the same for all: the version alone counts.
        EndpointHome { home: Lane(0), endpoint: Endpoint { version, ..endpoint } }
    }

    fn deleted(version: u32) -> EndpointHome {
        let EndpointHome { home, endpoint } = set(version);
        EndpointHome { home, endpoint: Endpoint { url: None, ..endpoint } }
    }

    fn version(shared: &Shared) -> Option<u32> {
        shared.endpoints.lock().get(&ID).map(|homed| homed.endpoint.version)
    }

    #[test]
    fn read_models_of_before_a_deletion_bring_no_endpoint_back() {
        for is_record in [true, false] {
            let shared = Shared::new(Head::ZERO, 0);
            shared.take_endpoints(&[set(2)]);
            assert_eq!(version(&shared), Some(2));
            match is_record {
                true => shared.take_around(Lane(0), vec![sample::set(deleted(3).endpoint)]),
                false => shared.take_endpoints(&[deleted(3)]),
            }
            for known in [set(2), set(1), deleted(3), set(2)] {
                shared.take_endpoints(&[known]);
                assert_eq!(version(&shared), None);
            }
        }
    }

    #[test]
    fn read_models_of_before_a_change_do_not_undo_it() {
        let shared = Shared::new(Head::ZERO, 0);
        shared.take_around(Lane(0), vec![sample::set(set(3).endpoint)]);
        for (told, expect) in [(set(2), 3), (deleted(2), 3), (set(3), 3), (set(4), 4)] {
            shared.take_endpoints(&[told]);
            assert_eq!(version(&shared), Some(expect));
        }
    }
}
