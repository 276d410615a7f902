//! Opening a store: lock, snapshot, replay, read models, threads.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;
use parking_lot::Mutex;

use super::{Inner, OpenError, Recovered, Store, Threads};
use crate::follower::{Follower, Tail};
use crate::journal::Walked;
use crate::journal::{Damage, End, Files, Journal, cut, dir_of, sync_dir, walk};
use crate::outbox::Outbox;
use crate::record::bodies;
use crate::seal::Sealer;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::snapshot;
use crate::state::State;
use crate::view::{ViewError, Views};
use crate::writer::{Ceilings, Writer};

impl Store {
    /// Opens or makes the store of a folder, replays it, and starts its threads.
    ///
    /// Blocks for the time of the replay, and until the read models have caught up; call it before
    /// the runtime serves anything.
    pub fn open(settings: Settings, sealer: Sealer) -> Result<(Self, Recovered), OpenError> {
        let began = Instant::now();
        let lock = lock(&settings.dir)?;
        let (state, walked) = replay(&settings)?;
        if let Some(torn) = &walked.torn {
            tracing::warn!(
                segment = torn.segment,
                offset = torn.offset,
                len = torn.len,
                "an unfinished frame at the end of the journal is cut"
            );
            cut(&settings.dir, torn).map_err(failed("mended"))?;
        }
        let open = payments(&state)?;
        let recovered = Recovered {
            open,
            folio_next: state.folio_next,
            endpoints: state.endpoints.values().cloned().collect(),
            sequence: walked.head.sequence,
            records_replayed: walked.records,
            torn_bytes: walked.torn.map_or(0, |torn| torn.len),
            took: Duration::ZERO,
        };
        let store = start(settings, sealer, state, &walked, lock)?;
        store.wait_for_views()?;
        Ok((store, Recovered { took: began.elapsed(), ..recovered }))
    }

    fn wait_for_views(&self) -> Result<(), OpenError> {
        let shared = &self.inner.shared;
        while shared.lag() > 0 {
            if shared.has_failed() {
                let (at, head) = (shared.followed(), shared.durable());
                return Err(OpenError::ViewsStopped { at, head });
            }
            shared.writer_waits(Duration::from_millis(10));
        }
        Ok(())
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    fs::create_dir_all(dir_of(dir)).map_err(failed("made"))?;
    sync_dir(dir).map_err(failed("made"))?;
    let lock = File::create(dir.join("lock")).map_err(failed("locked"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(fs::TryLockError::Error(source)) => Err(OpenError::Io { doing: "locked", source }),
    }
}

/// The state as the last good snapshot and the journal after it give it.
fn replay(settings: &Settings) -> Result<(State, Walked), OpenError> {
    let (mut state, head) =
        snapshot::load_latest(&settings.dir, settings.key_retention).map_err(failed("read"))?;
    let walked = walk(&settings.dir, head, End::Head, |_, frame| {
        for (sequence, body) in (frame.first_sequence..).zip(bodies(frame.body)) {
            let body = body.map_err(|source| Damage::Record { sequence, source })?;
            state.apply(sequence, body)?;
        }
        Ok::<(), Damage>(())
    })?;
    Ok((state, walked))
}

fn payments(state: &State) -> Result<Vec<router::payment::Payment>, OpenError> {
    let mut open = Vec::with_capacity(state.open.len());
    for payment in state.open.values() {
        let folded = payment.history.payment();
        let sequence = payment.history.last_sequence();
        open.push(folded.map_err(|error| crate::state::damage(sequence, error))?);
    }
    open.sort_by_key(|payment| payment.id);
    Ok(open)
}

/// The read models; ones that cannot be opened, are laid out otherwise, or know more than the
/// journal, are made anew.
fn views(settings: &Settings, head: u64) -> Result<Views, OpenError> {
    let dir = settings.dir.join("views");
    match usable(&dir, settings.view_cache_bytes, head) {
        Ok(Some(views)) => return Ok(views),
        Ok(None) => tracing::warn!("the read models are of another journal or layout: rebuilt"),
        Err(error) => tracing::warn!(%error, "the read models cannot be opened and are rebuilt"),
    }
    fs::remove_dir_all(&dir).map_err(failed("cleared of its read models"))?;
    let views = Views::open(&dir, settings.view_cache_bytes)?;
    views.is_current()?;
    Ok(views)
}

fn usable(dir: &Path, cache_bytes: u64, head: u64) -> Result<Option<Views>, ViewError> {
    let views = Views::open(dir, cache_bytes)?;
    let is_usable = views.is_current()? && views.position()?.noticed <= head;
    Ok(is_usable.then_some(views))
}

fn start(
    settings: Settings,
    sealer: Sealer,
    state: State,
    walked: &Walked,
    lock: File,
) -> Result<Store, OpenError> {
    let views = Arc::new(views(&settings, walked.head.sequence)?);
    let position = views.position()?;
    let shared = Arc::new(Shared::new(walked.head, position.written));
    *shared.endpoints.lock() = state.endpoints;
    let mut steps = foldhash::HashMap::default();
    for (id, payment) in state.open {
        let sequence = payment.history.last_sequence();
        steps.insert(id, payment.progress);
        shared.live.publish(id, payment.progress, payment.history, sequence);
    }
    let files = Files::open(
        settings.dir.clone(),
        walked.segment,
        settings.segment_len_max,
        settings.fsync_delay,
    );
    let files = files.map_err(failed("opened"))?;
    let outbox = Outbox::open(Arc::clone(&views), &state.marks)?;
    let tail = Tail::after(&settings.dir, position.written);
    let follower = Follower::new(tail, Arc::clone(&views), Arc::clone(&shared), state.marks)?;
    let (commands, queue) = bounded(settings.queue_len_max);
    let writer = Writer {
        commands: queue,
        guard: state.guard,
        journal: Journal::new(files, walked.head),
        views: Arc::clone(&views),
        shared: Arc::clone(&shared),
        sealer: sealer.clone(),
        steps,
        ceilings: Ceilings {
            group_len_max: settings.group_len_max,
            frame_len_max: settings.frame_len_max,
            view_lag_max: settings.view_lag_max,
        },
        anchor_interval: settings.anchor_interval,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (stop_snapshots, snapshots_stop) = bounded(1);
    let (queue_len_max, record_len_max) = (settings.queue_len_max, settings.frame_len_max);
    let follower_stop = Arc::clone(&stop);
    let threads = Threads {
        follower: vital_thread("journal-follower", &shared, move || follower.run(&follower_stop))?,
        writer: vital_thread("journal-writer", &shared, move || writer.run())?,
        snapshots: thread("journal-snapshots", move || snapshot::run(&settings, &snapshots_stop))?,
        stop,
        stop_snapshots,
        lock,
    };
    let threads = Mutex::new(Some(threads));
    let inner =
        Inner { commands, queue_len_max, record_len_max, shared, views, outbox, sealer, threads };
    Ok(Store { inner: Arc::new(inner) })
}

/// A thread the store cannot do without: should it panic, the store has failed.
fn vital_thread(
    name: &str,
    shared: &Arc<Shared>,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let watch = PanicWatch(Arc::clone(shared));
    thread(name, move || {
        let _watch = watch;
        run();
    })
}

/// Tells everybody that the store has failed when its thread unwinds.
struct PanicWatch(Arc<Shared>);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a thread of the journal panicked; the process must end");
            self.0.fail();
        }
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(failed("given its threads"))
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { doing, source }
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
