//! Starting a store of any form: first its state, then its threads.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, bounded};
use parking_lot::Mutex;
use router::id::Lane;

use tokio::sync::Semaphore;

use super::{
    Inner, LISTS_MAX, OpenError, OtherLanes, READS_FAR_MAX, READS_NEAR_MAX, Recovered, Store,
    StoreFailure, Threads,
};
use crate::follower::Follower;
use crate::guard::Guard;
use crate::journal::{Backend, Head, Journal, Tail};
use crate::outbox::Outbox;
use crate::seal::Sealer;
use crate::settings::Limits;
use crate::shared::Shared;
use crate::state::Fold;
use crate::view::{EndpointHome, Views};
use crate::writer::Writer;

/// What a store is made of: the same whether it stands on one machine or is one of many.
pub struct Parts<G, B> {
    /// The lane it writes.
    pub lane: Lane,
    /// How far the lane reaches.
    pub head: Head,
    /// The fold of the lane up to there.
    pub fold: Fold,
    /// Decides reservations; reflects the lane up to the head.
    pub guard: G,
    /// Makes frames durable after the head.
    pub backend: B,
    /// Reads the lane after the position of the read models.
    pub tail: Box<dyn Tail>,
    /// The read models.
    pub views: Arc<dyn Views>,
    /// How often endpoints are read anew, where other nodes set them too.
    pub endpoints_every: Option<Duration>,
    /// The other lanes, where there are any: their notices are delivered from here too.
    pub other_lanes: Option<Arc<dyn OtherLanes>>,
    /// Makes snapshots in the background until it is stopped.
    pub snapshots: Box<dyn FnOnce(Receiver<()>) + Send>,
    /// Kept until everything has stopped.
    pub kept: Box<dyn Send + Sync>,
}

impl Store {
    /// Starts the threads of a store, and waits until the read models have caught up.
    ///
    /// Blocks; call it before the runtime serves anything, or from a thread that may block.
    pub fn start<G, B>(
        parts: Parts<G, B>,
        limits: Limits,
        sealer: Sealer,
    ) -> Result<(Self, Recovered), OpenError>
    where
        G: Guard + 'static,
        B: Backend + 'static,
    {
        let (store, recovered) = Self::begin(parts, limits, sealer)?;
        store.wait_for_views(|| true)?;
        Ok((store, recovered))
    }

    /// Starts the threads of a store, whose read models catch up behind it.
    ///
    /// Blocks for a look at them.
    pub fn begin<G, B>(
        parts: Parts<G, B>,
        limits: Limits,
        sealer: Sealer,
    ) -> Result<(Self, Recovered), OpenError>
    where
        G: Guard + 'static,
        B: Backend + 'static,
    {
        let recovered = recovered(&parts)?;
        Ok((threads(parts, limits, sealer)?, recovered))
    }

    /// Waits until the read models have caught up, while `goes_on` says so; tells whether they
    /// have. Blocks.
    pub fn wait_for_views(&self, goes_on: impl Fn() -> bool) -> Result<bool, OpenError> {
        let shared = &self.inner.shared;
        while shared.lag() > 0 {
            if shared.has_failed() {
                let (at, head) = (shared.followed(), shared.durable());
                return Err(OpenError::ViewsStopped { at, head });
            }
            if !goes_on() {
                return Ok(false);
            }
            shared.writer_waits(Duration::from_millis(10));
        }
        Ok(true)
    }
}

fn recovered<G, B>(parts: &Parts<G, B>) -> Result<Recovered, OpenError> {
    let fold = &parts.fold;
    Ok(Recovered {
        open: payments(fold)?,
        folio_next: fold.folio_next,
        endpoints: fold.endpoints.values().cloned().collect(),
        sequence: parts.head.sequence,
        last_at: fold.last_at,
        records_replayed: 0,
        torn_bytes: 0,
        took: Duration::ZERO,
    })
}

fn payments(fold: &Fold) -> Result<Vec<router::payment::Payment>, OpenError> {
    let mut open = Vec::with_capacity(fold.open.len());
    for payment in fold.open.values() {
        let folded = payment.history.payment();
        let sequence = payment.history.last_sequence();
        open.push(folded.map_err(|error| crate::state::damage(sequence, error))?);
    }
    open.sort_by_key(|payment| payment.id);
    Ok(open)
}

fn threads<G, B>(parts: Parts<G, B>, limits: Limits, sealer: Sealer) -> Result<Store, OpenError>
where
    G: Guard + 'static,
    B: Backend + 'static,
{
    let Parts { lane, head, fold, guard, backend, tail, views, .. } = parts;
    let Parts { endpoints_every, other_lanes, snapshots, kept, .. } = parts;
    let position = views.position()?;
    // A lane begins after the last record of none.
    let followed = position.written.max(Head::of_lane(lane).sequence);
    let shared = Arc::new(Shared::new(head, followed));
    // Notices may be further than the rows of payments, some of which wait for their outcome.
    shared.noticed.send_replace(position.noticed.max(followed));
    let homed = |(id, endpoint)| (id, EndpointHome { home: lane, endpoint });
    *shared.endpoints.lock() = fold.endpoints.into_iter().map(homed).collect();
    let mut steps = foldhash::HashMap::default();
    for (id, payment) in fold.open {
        let sequence = payment.history.last_sequence();
        steps.insert(id, payment.progress);
        shared.live.publish(id, payment.progress, payment.history, sequence);
    }
    let outbox = Arc::new(Outbox::new(Arc::clone(&views), fold.marks.clone()));
    let mut follower = Follower::new(tail, Arc::clone(&views), Arc::clone(&shared), fold.marks)?;
    follower.read_endpoints_every(endpoints_every)?;
    let (commands, queue) = bounded(limits.queue_len_max);
    let writer = Writer {
        commands: queue,
        guard,
        journal: Journal::new(backend, head),
        views: Arc::clone(&views),
        shared: Arc::clone(&shared),
        sealer: sealer.clone(),
        steps,
        versions: fold.versions,
        limits: limits.clone(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (stop_snapshots, snapshots_stop) = bounded(1);
    let follower_stop = Arc::clone(&stop);
    let threads = Threads {
        follower: vital_thread("journal-follower", &shared, move || follower.run(&follower_stop))?,
        writer: vital_thread("journal-writer", &shared, move || writer.run())?,
        snapshots: thread("journal-snapshots", move || snapshots(snapshots_stop))?,
        stop,
        stop_snapshots,
        kept,
    };
    let threads = Mutex::new(Some(threads));
    let others = OnceLock::new();
    let reads_max = if views.is_near() { READS_NEAR_MAX } else { READS_FAR_MAX };
    let inner = Inner {
        reads: Arc::new(Semaphore::new(reads_max)),
        lists: Semaphore::new(LISTS_MAX),
        commands,
        lane,
        limits,
        shared,
        views,
        outbox,
        other_lanes,
        other_outboxes: Mutex::default(),
        redelivery_signals: Mutex::default(),
        sealer,
        threads,
        others,
    };
    Ok(Store { inner: Arc::new(inner) })
}

/// A thread the store cannot do without: should it panic, the store has failed.
fn vital_thread(
    name: &str,
    shared: &Arc<Shared>,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let watch = PanicWatch(Arc::clone(shared));
    let shared = Arc::clone(shared);
    thread(name, move || {
        let _watch = watch;
        run();
        // Callers that wait for room in a queue without a reader.
        shared.room.notify_waiters();
    })
}

/// Tells everybody that the store has failed when its thread unwinds.
struct PanicWatch(Arc<Shared>);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a thread of the journal panicked; the process must end");
            self.0.fail(StoreFailure::Panicked);
        }
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    let failed = |source: io::Error| OpenError::Io { doing: "given its threads", source };
    spawned.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Head;

    #[tokio::test]
    async fn a_panic_of_a_vital_thread_fails_the_store_and_wakes_who_waits_for_room() {
        let shared = Arc::new(Shared::new(Head::ZERO, 0));
        let mut failed = shared.failed.subscribe();
        let room = shared.room.notified();
        tokio::pin!(room);
        room.as_mut().enable();
        let thread = vital_thread("journal-test", &shared, || panic!("a bug")).unwrap();
        assert!(failed.wait_for(|failed| *failed).await.is_ok());
        room.await;
        assert!(thread.join().is_err());
    }

    #[test]
    fn a_vital_thread_that_ends_well_fails_nothing() {
        let shared = Arc::new(Shared::new(Head::ZERO, 0));
        vital_thread("journal-test", &shared, || {}).unwrap().join().unwrap();
        assert!(!shared.has_failed());
    }
}
