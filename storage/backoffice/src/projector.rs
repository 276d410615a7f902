//! The thread that makes rows of the journal's records, at low priority: it never takes the time of
//! a payment, may fall behind under load, says how far, and catches up.

mod progress;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use router::id::Lane;
use router::record::Record;
use storage::Backoff;
use storage::journal::{Damage, Tail};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::error::BackofficeError;
use crate::office::Backoffice;
use crate::projection::{BATCH_RECORDS_MAX, LanePosition};
use crate::settings::BackofficeSettings;
pub use progress::ProjectorProgress;

/// A batch with fewer is followed by a pause, so that the next one is larger …
const BATCH_RECORDS_FEW: usize = 1_000;
/// … unless something waits for its records.
const GATHERING: Duration = Duration::from_millis(10);
/// How long it waits for a record before it looks again.
const IDLE_WAIT: Duration = Duration::from_millis(100);
/// The pause behind a failure, which doubles up to the longest.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How much less processor time its thread gets than a payment's: nice(2).
const NICE: i32 = 10;

/// Where the records come from: the journal's lane of this process.
pub trait RecordSource: Send {
    /// The lane.
    fn lane(&self) -> Lane;

    /// Reads on after a record.
    ///
    /// Errors: the journal cannot be read.
    fn after(&mut self, position: u64) -> Result<Box<dyn Tail>, Damage>;

    /// The last durable record.
    ///
    /// Errors: the journal cannot be read.
    fn durable(&mut self) -> Result<u64, Damage>;

    /// Tells that there are more records; it may lag behind them.
    fn moved(&self) -> Option<watch::Receiver<u64>>;

    /// Whether rows behind the durable end can only be those of another journal.
    fn is_authoritative(&self) -> bool;
}

/// The running projector. Dropped, it ends after the batch under way.
pub struct ProjectorThread {
    stop: Arc<AtomicBool>,
    progress: Arc<ProjectorProgress>,
    thread: Option<JoinHandle<()>>,
}

impl ProjectorThread {
    /// Starts the thread, which works until this value is dropped.
    ///
    /// Errors: the system gives no thread; the address of the server cannot be read.
    pub fn start(
        settings: &BackofficeSettings,
        source: Box<dyn RecordSource>,
        progress: Arc<ProjectorProgress>,
    ) -> Result<Self, BackofficeError> {
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(BackofficeError::Thread)?;
        // Connections of its own: what they do has its thread's priority.
        let office = {
            let _entered = runtime.enter();
            Backoffice::of(settings)?
        };
        let (told, told_progress) = (Arc::clone(&stop), Arc::clone(&progress));
        let run = move || {
            lower_priority();
            let mut projector = Projector::new(office, source, told_progress);
            while !told.load(Ordering::Acquire) {
                projector.turn(&runtime);
            }
            runtime.block_on(projector.office.close());
        };
        let thread = std::thread::Builder::new().name("projector".to_owned()).spawn(run);
        let thread = thread.map_err(BackofficeError::Thread)?;
        Ok(Self { stop, progress, thread: Some(thread) })
    }
}

impl Drop for ProjectorThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.progress.hurry();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// A thread of its own has a priority of its own in Linux, and so have the threads it starts.
fn lower_priority() {
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "the projector runs at the priority of a payment");
    }
}

/// Makes rows of one lane's records, a batch at a time.
pub struct Projector {
    office: Backoffice,
    source: Box<dyn RecordSource>,
    progress: Arc<ProjectorProgress>,
    /// Where it reads on; none at first, and behind a failure.
    reading: Option<Reading>,
    backoff: Backoff,
}

struct Reading {
    tail: Box<dyn Tail>,
    at: LanePosition,
}

impl Projector {
    /// A projector that has not read anything yet.
    pub fn new(
        office: Backoffice,
        source: Box<dyn RecordSource>,
        progress: Arc<ProjectorProgress>,
    ) -> Self {
        Self {
            office,
            source,
            progress,
            reading: None,
            backoff: Backoff::between(RETRY_MIN, RETRY_MAX),
        }
    }

    /// One batch, and the wait behind it.
    fn turn(&mut self, runtime: &Runtime) {
        match self.batch(runtime) {
            Ok(count) => {
                self.backoff.reset();
                self.progress.works();
                self.pause(runtime, count);
            }
            Err(error) => {
                let why = storage::with_causes(&error).to_string();
                tracing::warn!(error = %why, "the projections stay behind for now");
                metrics::counter!("cauce_backoffice_failures_total").increment(1);
                self.progress.fails(why);
                // What became of the batch is not known.
                self.reading = None;
                runtime.block_on(self.progress.hurried(self.backoff.pause()));
            }
        }
    }

    fn pause(&self, runtime: &Runtime, count: usize) {
        let position = self.reading.as_ref().map_or(0, |reading| reading.at.position);
        if count == 0 {
            let moved = self.source.moved();
            runtime.block_on(self.progress.moved_or_hurried(moved, position, IDLE_WAIT));
        } else if count < BATCH_RECORDS_FEW {
            runtime.block_on(self.progress.wanted_after(position, GATHERING));
        }
    }

    /// Makes rows of the next records; gives how many there were.
    fn batch(&mut self, runtime: &Runtime) -> Result<usize, BackofficeError> {
        let durable = self.source.durable()?;
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => self.reading_on(runtime, durable)?,
        };
        let records = read_records(&mut reading, &mut *self.source, durable)?;
        let lane = self.source.lane();
        reading.at = runtime.block_on(self.office.project(lane, reading.at, &records))?;
        self.progress.reached(reading.at);
        let count = records.len();
        metrics::counter!("cauce_backoffice_records_total")
            .increment(u64::try_from(count).unwrap_or(u64::MAX));
        self.reading = Some(reading);
        Ok(count)
    }

    /// Where the rows are, and the journal behind that.
    fn reading_on(&mut self, runtime: &Runtime, durable: u64) -> Result<Reading, BackofficeError> {
        let lane = self.source.lane();
        let mut at = runtime.block_on(self.office.lane_position(lane))?;
        if at.position > durable {
            let projected = at.position;
            if !self.source.is_authoritative() {
                let lane = lane.0;
                return Err(BackofficeError::AheadOfJournal { lane, projected, durable });
            }
            tracing::warn!(projected, durable, "the projections are of another journal: made anew");
            runtime.block_on(self.office.clear_projections())?;
            at = LanePosition::NONE;
        }
        let tail = self.source.after(at.position)?;
        self.progress.reached(at);
        Ok(Reading { tail, at })
    }
}

/// The next durable records, up to the most of a batch.
fn read_records(
    reading: &mut Reading,
    source: &mut dyn RecordSource,
    durable: u64,
) -> Result<Vec<(u64, Record)>, BackofficeError> {
    let mut records = Vec::new();
    while records.len() < BATCH_RECORDS_MAX && reading.tail.next_sequence() <= durable {
        let frame = match reading.tail.next_frame() {
            // Older records are no longer kept.
            Err(Damage::MissingSegment { expected, found }) if found > expected => {
                tracing::warn!(from = expected, to = found - 1, "no rows of records that are gone");
                reading.tail = source.after(found - 1)?;
                continue;
            }
            frame => frame?,
        };
        // A frame may begin with records that were read before.
        let known = reading.at.position;
        records.extend(frame.records()?.into_iter().filter(|(position, _)| *position > known));
    }
    Ok(records)
}
