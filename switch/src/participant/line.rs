//! One line to a participant: a bounded queue of messages and the task that frames and writes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use codecs::frame::{Framer, Header};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::NotSent;
use super::wording::Wording;

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
    framer: Framer,
    wording: Option<Arc<Wording>>,
    signed_on: AtomicBool,
    queue: mpsc::Sender<Queued>,
    ended: CancellationToken,
}

/// A message to be framed and written, and until when that makes sense.
#[derive(Debug)]
struct Queued {
    /// None for a keep-alive.
    message: Option<Outbound>,
    expires: Option<Instant>,
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
    framer: Framer,
    queue: mpsc::Receiver<Queued>,
    ended: CancellationToken,
}

impl Line {
    /// A line and its queue; signed off. Without a wording its messages are the switch's own.
    pub fn new(framer: Framer, wording: Option<Arc<Wording>>) -> (Self, Outgoing) {
        let (queue, outgoing) = mpsc::channel(QUEUE_LEN_MAX);
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let ended = CancellationToken::new();
        let outgoing = Outgoing { framer: framer.clone(), queue: outgoing, ended: ended.clone() };
        let signed_on = AtomicBool::new(false);
        (Self { number, framer, wording, signed_on, queue, ended }, outgoing)
    }

    /// A number no other line of this process has.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How its messages are framed.
    pub fn framer(&self) -> &Framer {
        &self.framer
    }

    /// How its messages differ from the switch's own; none where they do not.
    pub fn wording(&self) -> Option<&Wording> {
        self.wording.as_deref()
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

    /// Queues a request of ours if there is room; it is not written after `expires`, when its asker
    /// has given it up.
    ///
    /// Errors: [`NotSent`]; the message certainly did not leave.
    pub fn send_now(&self, body: Bytes, expires: Instant) -> Result<(), NotSent> {
        let body = self.worded(body)?;
        let message = Outbound { header: self.framer.own_header().cloned(), body };
        let queued = Queued { message: Some(message), expires: Some(expires) };
        self.queue.try_send(queued).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotSent::Congested,
            mpsc::error::TrySendError::Closed(_) => NotSent::SignedOff,
        })
    }

    /// Queues a message, waiting for room. Cancel-safe: a dropped call queued nothing.
    ///
    /// Errors: [`NotSent::SignedOff`] when the line has ended, [`NotSent::Unwritable`].
    pub async fn send(&self, message: Outbound) -> Result<(), NotSent> {
        let message = Outbound { body: self.worded(message.body)?, ..message };
        let queued = Queued { message: Some(message), expires: None };
        self.queue.send(queued).await.map_err(|_| NotSent::SignedOff)
    }

    /// A message of ours as the line says it.
    ///
    /// Errors: [`NotSent::Unwritable`], which is logged with its cause.
    fn worded(&self, body: Bytes) -> Result<Bytes, NotSent> {
        let Some(wording) = &self.wording else { return Ok(body) };
        wording.write(&body, self.framer.message_len_max()).map_err(|error| {
            let error = crate::log::chain(&error);
            metrics::counter!("cauce_messages_unwritable_total").increment(1);
            tracing::warn!(line = self.number, %error, "a message cannot be said on its line");
            NotSent::Unwritable
        })
    }

    /// Queues a keep-alive, waiting for room. Cancel-safe: a dropped call queued nothing.
    ///
    /// Errors: [`NotSent::SignedOff`] when the line has ended.
    pub async fn send_keep_alive(&self) -> Result<(), NotSent> {
        let queued = Queued { message: None, expires: None };
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
    let framer = outgoing.framer.clone();
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
        for Queued { message, expires } in frames.drain(..) {
            // A request that was given up must not reach the bank after its reversal.
            if expires.is_some_and(|expires| expires <= now) {
                metrics::counter!("cauce_requests_expired_total").increment(1);
                continue;
            }
            frame(&framer, message, &mut buffer);
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

/// Appends one frame; a message that fits none is logged and left out.
fn frame(framer: &Framer, message: Option<Outbound>, buffer: &mut BytesMut) {
    let Some(Outbound { header, body }) = message else { return framer.keep_alive(buffer) };
    if let Err(error) = framer.encode(header.as_ref(), &body, buffer) {
        tracing::error!(%error, "a message does not fit a frame");
    }
}

#[cfg(test)]
mod tests {
    use codecs::frame::FrameSpec;

    use super::*;

    #[tokio::test]
    async fn what_is_queued_is_written_in_the_frames_of_the_line() {
        let framer = Framer::new(FrameSpec { body_len_max: 4, ..FrameSpec::NAC }).expect("framing");
        let (line, outgoing) = Line::new(framer, None);
        let later = Instant::now() + Duration::from_secs(3600);
        line.send_now(Bytes::from_static(b"0800"), later).expect("room");
        let too_long = Outbound { header: None, body: Bytes::from_static(b"08000") };
        line.send(too_long).await.expect("room");
        line.send_keep_alive().await.expect("room");
        drop(line);
        let mut socket = Vec::new();
        write_out(outgoing, &mut socket, Duration::from_secs(60)).await;
        assert_eq!(socket, b"\0\x09\x60\0\0\0\x000800\0\0");
    }
}
