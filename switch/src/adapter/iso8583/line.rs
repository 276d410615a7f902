//! One line to a participant: a queue of messages, bounded in frames and in bytes, and the task
//! that frames and writes them.

mod answers;
mod identity;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use codecs::frame::{Framer, Header};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use answers::ReadyAnswers;
pub use identity::LineIdentity;

use super::NotSent;
use crate::line_rules::message_format::MessageFormat;
use crate::line_trace::{Direction, LineEventKind, TracedFrame};

/// Frames put into one write.
const WRITE_FRAMES_MAX: usize = 512;
/// A write buffer that grew above this is given back.
const WRITE_BUFFER_KEPT: usize = 256 * 1024;
/// What a line keeps for writing that has had nothing to write for a while.
const QUIET_BUFFER_KEPT: usize = 4 * 1024;
/// How long that is.
const QUIET: Duration = Duration::from_secs(1);
/// Bytes counted for a frame beside its message.
const FRAME_OVERHEAD: usize = 64;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// How much may wait to be written to one line.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// Frames.
    pub frames_max: usize,
    /// Bytes of their messages.
    pub bytes_max: usize,
    /// Answers from which on the peer's next request waits until it has taken some of them.
    pub answers_max: usize,
}

impl Backlog {
    /// For a line that may have so many requests under way, each of which must find room for its
    /// answer.
    pub fn new(in_flight_max: usize, bytes_max: usize) -> Self {
        let answers_max = in_flight_max.clamp(64, 4096);
        let frames_max = in_flight_max.saturating_add(2 * answers_max);
        Self { frames_max, bytes_max, answers_max }
    }
}

/// One line, as the rest of the switch sees it.
#[derive(Debug)]
pub struct Line {
    number: u64,
    framer: Framer,
    message_format: Option<Arc<MessageFormat>>,
    signed_on: AtomicBool,
    queue: mpsc::Sender<Queued>,
    waiting: Arc<Waiting>,
    backlog: Backlog,
    ended: CancellationToken,
    identity: Arc<LineIdentity>,
}

/// What waits to be written to a line.
#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    answers: AtomicUsize,
    /// Something was written.
    written: Notify,
}

impl Waiting {
    fn add(&self, queued: &Queued) {
        self.bytes.fetch_add(queued.len(), Ordering::AcqRel);
        self.answers.fetch_add(queued.answers(), Ordering::AcqRel);
    }

    fn remove(&self, queued: &Queued) {
        self.bytes.fetch_sub(queued.len(), Ordering::AcqRel);
        self.answers.fetch_sub(queued.answers(), Ordering::AcqRel);
    }
}

/// What is to be written to a line.
#[derive(Debug)]
enum Queued {
    KeepAlive,
    /// A request of ours, and until when it makes sense.
    Request(Outbound, Instant),
    Answer(Outbound),
    /// Answers in their frames, and how many.
    Answers(BytesMut, usize),
}

impl Queued {
    fn len(&self) -> usize {
        match self {
            Self::KeepAlive => FRAME_OVERHEAD,
            Self::Request(message, _) | Self::Answer(message) => {
                FRAME_OVERHEAD + message.body.len()
            }
            Self::Answers(frames, count) => FRAME_OVERHEAD * count + frames.len(),
        }
    }

    /// How much of it is not ours to give up: everything but a request of ours.
    fn answers(&self) -> usize {
        match self {
            Self::Request(..) => 0,
            Self::KeepAlive | Self::Answer(_) => 1,
            Self::Answers(_, count) => *count,
        }
    }
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Its header; none where the line has no headers.
    pub header: Option<Header>,
    /// The message.
    pub body: Bytes,
}

/// What a line still has to write.
#[derive(Debug)]
pub struct Outgoing {
    number: u64,
    framer: Framer,
    message_format: Option<Arc<MessageFormat>>,
    identity: Arc<LineIdentity>,
    queue: mpsc::Receiver<Queued>,
    waiting: Arc<Waiting>,
    ended: CancellationToken,
}

impl Line {
    /// A line and its queue; signed off. Without a message format its messages are the switch's own.
    pub fn new(
        framer: Framer,
        message_format: Option<Arc<MessageFormat>>,
        backlog: Backlog,
        identity: LineIdentity,
    ) -> (Self, Outgoing) {
        let (queue, outgoing) = mpsc::channel(backlog.frames_max);
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let (ended, waiting) = (CancellationToken::new(), Arc::new(Waiting::default()));
        let identity = Arc::new(identity);
        let outgoing = Outgoing {
            number,
            framer: framer.clone(),
            message_format: message_format.clone(),
            identity: Arc::clone(&identity),
            queue: outgoing,
            waiting: Arc::clone(&waiting),
            ended: ended.clone(),
        };
        let signed_on = AtomicBool::new(false);
        (
            Self {
                number,
                framer,
                message_format,
                signed_on,
                queue,
                waiting,
                backlog,
                ended,
                identity,
            },
            outgoing,
        )
    }

    /// A number no other line of this process has.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How its messages are framed.
    pub fn framer(&self) -> &Framer {
        &self.framer
    }

    /// Who is at its other end.
    pub fn identity(&self) -> &LineIdentity {
        &self.identity
    }

    /// Notes what happened on it, if it is traced.
    pub fn note(&self, what: impl FnOnce() -> LineEventKind) {
        self.identity.note(self.number, what);
    }

    /// Notes a frame that came, if the line is traced.
    pub fn note_received(&self, header: Option<&Header>, message: &[u8]) {
        self.note(|| {
            let format = self.message_format.as_ref();
            LineEventKind::Frame(TracedFrame::copied(Direction::In, header, message, format))
        });
    }

    /// How its messages differ from the switch's own; none where they do not.
    pub fn message_format(&self) -> Option<&MessageFormat> {
        self.message_format.as_deref()
    }

    /// Whether requests may be exchanged.
    pub fn is_signed_on(&self) -> bool {
        self.signed_on.load(Ordering::Acquire) && !self.queue.is_closed()
    }

    /// Signs on or off.
    pub fn set_signed_on(&self, on: bool) {
        self.signed_on.store(on, Ordering::Release);
    }

    /// Resolves when nothing can be written any more. Cancel-safe.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Queues a request of ours if there is room; it is not written after `expires`, when its originator
    /// has given it up.
    ///
    /// Errors: [`NotSent`]; the message certainly did not leave.
    pub fn send_now(&self, body: Bytes, expires: Instant) -> Result<(), NotSent> {
        let body = self.worded(body)?;
        let message = Outbound { header: self.framer.own_header().cloned(), body };
        self.put(Queued::Request(message, expires))
    }

    /// Queues an answer. A peer that leaves no room for it has read nothing for long: its line is
    /// given up, for whoever waited here would wait on that peer's word.
    ///
    /// Errors: [`NotSent::SignedOff`] when the line has ended, [`NotSent::Unwritable`].
    pub fn answer(&self, message: Outbound) -> Result<(), NotSent> {
        let message = Outbound { body: self.worded(message.body)?, ..message };
        self.put_answers(Queued::Answer(message))
    }

    /// Queues what its peer is owed; without room for it the line is given up.
    fn put_answers(&self, answers: Queued) -> Result<(), NotSent> {
        self.put(answers).map_err(|_| {
            self.give_up();
            NotSent::SignedOff
        })
    }

    /// Queues an answer that is as its receiver reads it, header and all, whatever the line's own
    /// messages look like.
    ///
    /// Errors: as [`Self::answer`]; the line's framing cannot carry it.
    pub fn answer_as_is(&self, whole: Bytes) -> Result<(), NotSent> {
        let header_len = self.framer.own_header().map_or(0, |header| header.raw().len());
        let (header, body) = match header_len {
            0 => (None, whole),
            len if len < whole.len() => {
                let header = Header::new(self.framer.spec().header, whole.slice(..len));
                (Some(header.map_err(|_| NotSent::Unwritable)?), whole.slice(len..))
            }
            _ => return Err(NotSent::Unwritable),
        };
        self.put(Queued::Answer(Outbound { header, body }))
    }

    /// Queues a keep-alive, unless so much waits to be written that the peer hears of us anyway.
    pub fn keep_alive(&self) {
        if !self.is_backed_up() {
            // A line that has ended is noticed where it is read.
            self.put(Queued::KeepAlive).ok();
        }
    }

    /// Ends the line: nothing more is written to it.
    pub fn give_up(&self) {
        self.ended.cancel();
    }

    /// Whether so many answers wait that no further request should be read.
    pub fn is_backed_up(&self) -> bool {
        let waiting = &self.waiting;
        waiting.answers.load(Ordering::Acquire) >= self.backlog.answers_max
            || waiting.answers.load(Ordering::Acquire) > 0
                && waiting.bytes.load(Ordering::Acquire) >= self.backlog.bytes_max / 4
    }

    /// Resolves when the peer has taken enough for another request to be read. Cancel-safe.
    pub async fn has_room(&self) {
        loop {
            let written = self.waiting.written.notified();
            if !self.is_backed_up() {
                return;
            }
            written.await;
        }
    }

    fn put(&self, queued: Queued) -> Result<(), NotSent> {
        if self.ended.is_cancelled() {
            return Err(NotSent::SignedOff);
        }
        let Waiting { bytes, answers, .. } = &*self.waiting;
        let bytes = bytes.load(Ordering::Acquire) + queued.len();
        let answers = answers.load(Ordering::Acquire) + queued.answers();
        if bytes > self.backlog.bytes_max || answers > self.backlog.frames_max {
            metrics::counter!("cauce_line_backlog_full_total").increment(1);
            return Err(NotSent::Congested);
        }
        // Counted before the writer can have taken it.
        self.waiting.add(&queued);
        self.queue.try_send(queued).map_err(|error| {
            let (queued, refused) = match error {
                mpsc::error::TrySendError::Full(queued) => (queued, NotSent::Congested),
                mpsc::error::TrySendError::Closed(queued) => (queued, NotSent::SignedOff),
            };
            self.waiting.remove(&queued);
            refused
        })
    }

    /// A message of ours as the line says it.
    ///
    /// Errors: [`NotSent::Unwritable`], which is logged with its cause.
    fn worded(&self, body: Bytes) -> Result<Bytes, NotSent> {
        let Some(message_format) = &self.message_format else { return Ok(body) };
        message_format.write(&body, self.framer.message_len_max()).map_err(|error| {
            let error = storage::with_causes(&error);
            let participant = self.identity.name().to_owned();
            metrics::counter!("cauce_messages_unwritable_total", "participant" => participant)
                .increment(1);
            tracing::warn!(line = self.number, participant = self.identity.name(), %error,
                "a message cannot be said on its line");
            NotSent::Unwritable
        })
    }
}

impl Outgoing {
    /// Waits for frames to write; none come any more when it gives zero. After a time without any
    /// the memory of both buffers is given back. Cancel-safe.
    async fn next(
        &mut self,
        frames: &mut Vec<Queued>,
        buffer: &mut BytesMut,
        quiet: Duration,
    ) -> usize {
        let kept = buffer.capacity() + frames.capacity() * size_of::<Queued>();
        if kept > QUIET_BUFFER_KEPT {
            let next = self.queue.recv_many(frames, WRITE_FRAMES_MAX);
            if let Ok(len) = tokio::time::timeout(quiet, next).await {
                return len;
            }
            (*frames, *buffer) = (Vec::new(), BytesMut::new());
        }
        self.queue.recv_many(frames, WRITE_FRAMES_MAX).await
    }

    /// Notes a frame that leaves, if the line is traced.
    fn trace(&self, Outbound { header, body }: &Outbound) {
        self.identity.note(self.number, || {
            let format = self.message_format.as_ref();
            LineEventKind::Frame(TracedFrame::copied(Direction::Out, header.as_ref(), body, format))
        });
    }
}

/// Writes what is queued, many frames at a time, until the line is dropped or fails.
///
/// A write, and the end of the connection, take `write_timeout` at most.
///
/// Not cancel-safe: a dropped call may have written part of a frame.
pub async fn write_out(
    mut outgoing: Outgoing,
    mut socket: impl AsyncWrite + Unpin,
    write_timeout: Duration,
) {
    let _ended = outgoing.ended.clone().drop_guard();
    let framer = outgoing.framer.clone();
    // Both grow with use: a line that says little costs little.
    let mut frames: Vec<Queued> = Vec::new();
    let mut buffer = BytesMut::new();
    while outgoing.next(&mut frames, &mut buffer, QUIET).await != 0 {
        // Let the payments that are ready now queue their frames too: one write for all of them.
        tokio::task::yield_now().await;
        while frames.len() < WRITE_FRAMES_MAX
            && let Ok(frame) = outgoing.queue.try_recv()
        {
            frames.push(frame);
        }
        let now = Instant::now();
        for queued in frames.drain(..) {
            outgoing.waiting.remove(&queued);
            match queued {
                // A request that was given up must not reach the bank after its reversal.
                Queued::Request(_, expires) if expires <= now => {
                    metrics::counter!("cauce_requests_expired_total").increment(1);
                }
                Queued::Request(message, _) | Queued::Answer(message) => {
                    outgoing.trace(&message);
                    frame(&framer, &message, &mut buffer);
                }
                Queued::Answers(frames, _) => buffer.extend_from_slice(&frames),
                Queued::KeepAlive => framer.keep_alive(&mut buffer),
            }
        }
        let writing = tokio::time::timeout(write_timeout, write_through(&mut socket, &buffer));
        let written = tokio::select! {
            () = outgoing.ended.cancelled() => return,
            written = writing => written,
        };
        match written {
            Ok(Ok(())) => buffer.clear(),
            Ok(Err(_)) | Err(_) => {
                metrics::counter!("cauce_line_write_failures_total").increment(1);
                return;
            }
        }
        outgoing.waiting.written.notify_waiters();
        if buffer.capacity() > WRITE_BUFFER_KEPT {
            buffer = BytesMut::with_capacity(WRITE_BUFFER_KEPT);
        }
    }
    // The last sender is gone: tell the peer that nothing more comes. One that takes nothing, not
    // even that, keeps its connection no longer than a write would.
    let closing = tokio::time::timeout(write_timeout, socket.shutdown());
    tokio::select! {
        () = outgoing.ended.cancelled() => {}
        // Whatever came of it, the socket is dropped.
        _ = closing => {}
    }
}

/// Writes everything down to the connection: TLS may keep what it took until it is flushed.
async fn write_through(socket: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    socket.write_all(bytes).await?;
    socket.flush().await
}

/// Appends one frame; a message that fits none is logged and left out.
fn frame(framer: &Framer, Outbound { header, body }: &Outbound, buffer: &mut BytesMut) {
    if let Err(error) = framer.encode(header.as_ref(), body, buffer) {
        tracing::error!(%error, "a message does not fit a frame");
    }
}

#[cfg(test)]
mod tests;
