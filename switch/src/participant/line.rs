//! One line to a participant: a bounded queue of frames and the task that writes them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::NotSent;

/// Frames waiting to be written to one line.
const QUEUE_LEN_MAX: usize = 8192;
/// Frames put into one write.
const WRITE_FRAMES_MAX: usize = 512;
/// A write buffer that grew above this is given back.
const WRITE_BUFFER_KEPT: usize = 256 * 1024;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// One line, as the rest of the switch sees it.
#[derive(Debug)]
pub struct Line {
    number: u64,
    signed_on: AtomicBool,
    queue: mpsc::Sender<Queued>,
    ended: CancellationToken,
}

/// A frame to be written, and until when that makes sense.
#[derive(Debug)]
struct Queued {
    frame: Bytes,
    expires: Option<Instant>,
}

/// What a line still has to write.
#[derive(Debug)]
pub struct Outgoing {
    queue: mpsc::Receiver<Queued>,
    ended: CancellationToken,
}

impl Line {
    /// A line and its queue; signed off.
    pub fn new() -> (Self, Outgoing) {
        let (queue, outgoing) = mpsc::channel(QUEUE_LEN_MAX);
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let ended = CancellationToken::new();
        let outgoing = Outgoing { queue: outgoing, ended: ended.clone() };
        (Self { number, signed_on: AtomicBool::new(false), queue, ended }, outgoing)
    }

    /// A number no other line of this process has.
    pub fn number(&self) -> u64 {
        self.number
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

    /// Queues a framed request if there is room; it is not written after `expires`, when its asker
    /// has given it up.
    ///
    /// Errors: [`NotSent`]; the frame certainly did not leave.
    pub fn send_now(&self, frame: Bytes, expires: Instant) -> Result<(), NotSent> {
        let queued = Queued { frame, expires: Some(expires) };
        self.queue.try_send(queued).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotSent::Congested,
            mpsc::error::TrySendError::Closed(_) => NotSent::SignedOff,
        })
    }

    /// Queues a framed message, waiting for room. Cancel-safe: a dropped call queued nothing.
    ///
    /// Errors: [`NotSent::SignedOff`] when the line has ended.
    pub async fn send(&self, frame: Bytes) -> Result<(), NotSent> {
        let queued = Queued { frame, expires: None };
        self.queue.send(queued).await.map_err(|_| NotSent::SignedOff)
    }
}

/// Writes what is queued, many frames at a time, until the line is dropped or fails.
///
/// Not cancel-safe: a dropped call may have written part of a frame.
pub async fn write_out(
    mut outgoing: Outgoing,
    mut socket: impl AsyncWrite + Unpin,
    write_timeout: Duration,
) {
    let _ended = outgoing.ended.clone().drop_guard();
    let mut frames: Vec<Queued> = Vec::with_capacity(WRITE_FRAMES_MAX);
    let mut buffer = BytesMut::with_capacity(WRITE_BUFFER_KEPT);
    while outgoing.queue.recv_many(&mut frames, WRITE_FRAMES_MAX).await != 0 {
        // Let the payments that are ready now queue their frames too: one write for all of them.
        tokio::task::yield_now().await;
        while frames.len() < WRITE_FRAMES_MAX
            && let Ok(frame) = outgoing.queue.try_recv()
        {
            frames.push(frame);
        }
        let now = Instant::now();
        for Queued { frame, expires } in frames.drain(..) {
            // A request that was given up must not reach the bank after its reversal.
            if expires.is_some_and(|expires| expires <= now) {
                metrics::counter!("cauce_requests_expired_total").increment(1);
                continue;
            }
            buffer.extend_from_slice(&frame);
        }
        match tokio::time::timeout(write_timeout, socket.write_all(&buffer)).await {
            Ok(Ok(())) => buffer.clear(),
            Ok(Err(_)) | Err(_) => {
                metrics::counter!("cauce_line_write_failures_total").increment(1);
                return;
            }
        }
        if buffer.capacity() > WRITE_BUFFER_KEPT {
            buffer = BytesMut::with_capacity(WRITE_BUFFER_KEPT);
        }
    }
    // The last sender is gone: tell the peer that nothing more comes.
    socket.shutdown().await.ok();
}
