//! What goes over participants' lines, written down masked for whoever connects a new bank or
//! looks into trouble: one line of JSON a message, one file a participant, bounded in size.
//!
//! A message that cannot be written down at once – the queue is full, or the disk – is lost to the
//! trace and counted. No payment ever waits for the trace.

mod files;
mod shown;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use codecs::frame::Header;
use parking_lot::Mutex;
use router::id::ParticipantId;
use router::time::Timestamp;

use crate::clock;
use crate::config::ServiceConfig;
use crate::line_rules::message_format::MessageFormat;
use files::Files;

/// Events that wait to be written; each holds a message at most.
const QUEUE_LEN_MAX: usize = 2048;
/// Pause between two looks for room in a full queue when the trace ends.
const QUEUE_PAUSE: Duration = Duration::from_millis(10);
/// Events written with one look at the files.
const BATCH_LEN_MAX: usize = 512;

/// The trace of all lines; one for the whole process.
#[derive(Debug)]
pub struct LineTrace {
    is_on: AtomicBool,
    dir: PathBuf,
    queue: SyncSender<Work>,
    /// Events that are queued and not written yet.
    waiting: Arc<AtomicU64>,
    /// Gives a word, or ends, once all that was queued before the end is written.
    written: Mutex<Receiver<()>>,
}

/// What the thread is given.
#[derive(Debug)]
enum Work {
    /// Write this down.
    Event(Box<LineEvent>),
    /// Nothing comes after this.
    End,
}

/// Which line something happened on.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracedLine {
    /// Its number.
    pub number: u64,
    /// Whose it is; none before its sign-on.
    pub participant: Option<ParticipantId>,
    /// The other end, where it is known.
    pub peer: Option<SocketAddr>,
}

/// Something that happened on a line.
#[derive(Debug)]
pub(crate) struct LineEvent {
    pub at: Timestamp,
    pub line: TracedLine,
    pub what: LineEventKind,
}

/// What happened on a line.
#[derive(Debug)]
pub enum LineEventKind {
    /// A frame came or left.
    Frame(TracedFrame),
    /// A frame that came was not understood.
    NotUnderstood {
        /// The name of what is wrong.
        kind: &'static str,
        /// Where: data element, `0` for the message type, `frame` for what is around the message.
        field: String,
        /// Where: byte offset.
        offset: usize,
        /// Whether its sender was told.
        is_answered: bool,
    },
}

/// A frame as it is on the wire.
#[derive(Debug)]
pub struct TracedFrame {
    /// Whose it is.
    pub direction: Direction,
    /// Its header, where the line has headers.
    pub header: Option<Header>,
    /// Its message.
    pub message: Bytes,
    /// The line's format; none where it is the switch's own.
    pub format: Option<Arc<MessageFormat>>,
}

/// Whose a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The participant's.
    In,
    /// The switch's.
    Out,
}

impl LineTrace {
    /// Starts the thread that writes; on from the start where the configuration says so.
    ///
    /// Errors: no thread can be had, or the folder cannot be made.
    pub fn start(service: &ServiceConfig) -> io::Result<Arc<Self>> {
        let config = &service.trace;
        let dir = config.dir.clone().unwrap_or_else(|| service.data.dir.join("line-trace"));
        let (queue, events) = sync_channel(QUEUE_LEN_MAX);
        let files = Files::new(dir.clone(), config.file_bytes_max);
        let thread = std::thread::Builder::new().name("line-trace".to_owned());
        let waiting = Arc::new(AtomicU64::new(0));
        let (done, written) = sync_channel(1);
        let waiting_of_thread = Arc::clone(&waiting);
        thread.spawn(move || {
            write(&events, &files, &waiting_of_thread);
            // Whoever waited may have gone.
            let _ = done.send(());
        })?;
        let (is_on, written) = (AtomicBool::new(false), Mutex::new(written));
        let trace = Arc::new(Self { is_on, dir, queue, waiting, written });
        if config.is_on {
            trace.switch_on()?;
        }
        Ok(trace)
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether messages are written down.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Writes messages down from now on.
    ///
    /// Errors: the folder cannot be made; nothing is written then.
    pub fn switch_on(&self) -> io::Result<()> {
        files::make_folder(&self.dir)?;
        self.begin();
        Ok(())
    }

    /// The same for a runtime's task: the folder is made on another thread, within a time.
    ///
    /// Errors: as [`Self::switch_on`]; the file system does not answer in time. Cancel-safe.
    pub async fn switch_on_within(&self, limit: Duration) -> io::Result<()> {
        let dir = self.dir.clone();
        let making = tokio::task::spawn_blocking(move || files::make_folder(&dir));
        match tokio::time::timeout(limit, making).await {
            Ok(made) => made.map_err(io::Error::other)??,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        self.begin();
        Ok(())
    }

    fn begin(&self) {
        self.is_on.store(true, Ordering::Relaxed);
        metrics::gauge!("cauce_line_trace_on").set(1);
        tracing::info!(dir = %self.dir.display(), "the lines of participants are traced");
    }

    /// Writes nothing more.
    pub fn switch_off(&self) {
        if self.is_on.swap(false, Ordering::Relaxed) {
            tracing::info!("the lines of participants are traced no more");
        }
        metrics::gauge!("cauce_line_trace_on").set(0);
    }

    /// Notes what happened on a line, if the trace is on. Never waits.
    pub fn note(&self, line: &TracedLine, what: impl FnOnce() -> LineEventKind) {
        if !self.is_on() {
            return;
        }
        let event = Box::new(LineEvent { at: clock::now(), line: *line, what: what() });
        // Counted before the thread can have written it.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        match self.queue.try_send(Work::Event(event)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                lost("queue", 1);
            }
        }
    }

    /// Notes nothing more, and waits until what was noted is written, at most for a time. Tells how
    /// many events were not written then; they are counted as lost. Blocks.
    pub fn finish(&self, within: Duration) -> u64 {
        let deadline = Instant::now() + within;
        self.is_on.store(false, Ordering::Relaxed);
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut end = Work::End;
        // The queue is full while the disk is slow; the thread makes room in it, or never.
        while let Err(TrySendError::Full(refused)) = self.queue.try_send(end) {
            if left().is_zero() {
                return self.given_up();
            }
            end = refused;
            std::thread::sleep(left().min(QUEUE_PAUSE));
        }
        match self.written.lock().recv_timeout(left()) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => 0,
            Err(RecvTimeoutError::Timeout) => self.given_up(),
        }
    }

    fn given_up(&self) -> u64 {
        let count = self.waiting.load(Ordering::Relaxed);
        lost("stop", count);
        let dir = self.dir.display();
        tracing::warn!(%dir, count, "the trace of lines was not written to its end");
        count
    }
}

impl TracedFrame {
    /// A frame, with a copy of its message: what was read with it is not kept for it.
    pub fn copied(
        direction: Direction,
        header: Option<&Header>,
        message: &[u8],
        format: Option<&Arc<MessageFormat>>,
    ) -> Self {
        let (header, format) = (header.cloned(), format.cloned());
        Self { direction, header, message: Bytes::copy_from_slice(message), format }
    }
}

/// Counts what the trace has lost.
fn lost(why: &'static str, count: u64) {
    metrics::counter!("cauce_line_trace_lost_total", "why" => why).increment(count);
}

/// Writes what comes until the end is told, or the trace is dropped.
fn write(queue: &Receiver<Work>, files: &Files, waiting: &AtomicU64) {
    let mut is_at_end = false;
    while !is_at_end && let Ok(first) = queue.recv() {
        let mut batch = Vec::with_capacity(BATCH_LEN_MAX);
        let works = std::iter::once(first).chain(queue.try_iter());
        for work in works.take(BATCH_LEN_MAX) {
            match work {
                Work::Event(event) => batch.push(event),
                Work::End => is_at_end = true,
            }
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        files.append(batch.into_iter().map(|event| {
            let line = shown::line(&event);
            (event.line.participant, line)
        }));
        waiting.fetch_sub(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
