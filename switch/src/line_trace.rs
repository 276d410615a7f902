//! What goes over participants' lines, written down masked for whoever connects a new bank or looks
//! into trouble: one line of JSON a message, one file a participant, bounded in size.
//!
//! A message that cannot be written down at once – the queue is full, or the disk – is lost to the
//! trace and counted. No payment ever waits for the trace.

mod files;
mod shown;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use bytes::Bytes;
use codecs::frame::Header;
use router::id::ParticipantId;
use router::time::Timestamp;

use crate::clock;
use crate::config::ServiceConfig;
use crate::participant::message_format::MessageFormat;
use files::Files;

/// Events that wait to be written; each holds a message at most.
const QUEUE_LEN_MAX: usize = 2048;
/// Events written with one look at the files.
const BATCH_LEN_MAX: usize = 512;

/// The trace of all lines; one for the whole process.
#[derive(Debug)]
pub struct LineTrace {
    is_on: AtomicBool,
    dir: PathBuf,
    queue: SyncSender<Event>,
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
pub(crate) struct Event {
    pub at: Timestamp,
    pub line: TracedLine,
    pub what: Happening,
}

/// What happened.
#[derive(Debug)]
pub enum Happening {
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
        thread.spawn(move || write(&events, &files))?;
        let trace = Arc::new(Self { is_on: AtomicBool::new(false), dir, queue });
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
        self.is_on.store(true, Ordering::Relaxed);
        metrics::gauge!("cauce_line_trace_on").set(1);
        tracing::info!(dir = %self.dir.display(), "the lines of participants are traced");
        Ok(())
    }

    /// Writes nothing more.
    pub fn switch_off(&self) {
        if self.is_on.swap(false, Ordering::Relaxed) {
            tracing::info!("the lines of participants are traced no more");
        }
        metrics::gauge!("cauce_line_trace_on").set(0);
    }

    /// Notes what happened on a line, if the trace is on. Never waits.
    pub fn note(&self, line: &TracedLine, what: impl FnOnce() -> Happening) {
        if !self.is_on() {
            return;
        }
        let event = Event { at: clock::now(), line: *line, what: what() };
        match self.queue.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => lost("queue", 1),
        }
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

/// Writes what comes until the trace is dropped.
fn write(events: &Receiver<Event>, files: &Files) {
    let mut batch = Vec::with_capacity(BATCH_LEN_MAX);
    while let Ok(first) = events.recv() {
        batch.push(first);
        batch.extend(events.try_iter().take(BATCH_LEN_MAX - 1));
        files.append(batch.drain(..).map(|event| {
            let line = shown::line(&event);
            (event.line.participant, line)
        }));
    }
}
