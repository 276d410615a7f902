//! Reading one line: frames, and the deadlines of a peer that is slow. Each deadline is an instant
//! that no later byte moves: of the sign-on from the moment the line was accepted, of a frame from
//! its first byte.

use std::io;
use std::time::Duration;

use codecs::frame::Received;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::Decoder;

use super::read_buffer::{self, ReadBuffer};
use super::{Closed, Session};

/// How long a line must be silent to give the memory back that it does not need.
const QUIET: Duration = Duration::from_secs(1);

/// The instants a line's deadlines count from.
#[derive(Debug)]
pub(super) struct LineClock {
    accepted_at: Instant,
    heard_at: Instant,
    /// When the frame that has begun did so; none between frames.
    frame_began: Option<Instant>,
}

impl LineClock {
    /// Starts when the line was accepted, or now.
    pub fn started(accepted_at: Option<Instant>) -> Self {
        let now = Instant::now();
        Self { accepted_at: accepted_at.unwrap_or(now), heard_at: now, frame_began: None }
    }

    fn heard(&mut self) {
        self.heard_at = Instant::now();
        self.frame_began.get_or_insert(self.heard_at);
    }

    /// A frame was whole; what is left behind it came with the latest bytes at the latest.
    fn frame_ended(&mut self) {
        self.frame_began = None;
    }

    /// Reading goes on after a pause of ours, which a frame that has begun does not answer for.
    fn read_again(&mut self) {
        self.heard_at = Instant::now();
        self.frame_began = self.frame_began.map(|_| self.heard_at);
    }

    fn rest_is(&mut self, is_empty: bool) {
        match is_empty {
            true => self.frame_began = None,
            false => {
                self.frame_began.get_or_insert(self.heard_at);
            }
        }
    }
}

/// Frames that a line is worked on before others have their turn: what a peer has sent at once may
/// be a thousand, and everybody else would wait behind them.
const FRAMES_AT_A_TIME: u32 = 32;

/// When a line ends if nothing more comes, and what it is told to have failed.
struct Deadline {
    at: Instant,
    late: Closed,
}

impl Session {
    /// Reads the line until it ends, and says why it ended. Not cancel-safe.
    pub async fn read(&mut self, mut socket: impl AsyncRead + Unpin) -> Closed {
        let mut framer = self.line.framer().clone();
        let mut buffer = ReadBuffer::new();
        let mut at_a_time = 0;
        loop {
            loop {
                if let Err(closed) = self.wait_for_room().await {
                    return closed;
                }
                at_a_time += 1;
                if at_a_time == FRAMES_AT_A_TIME {
                    at_a_time = 0;
                    tokio::task::yield_now().await;
                }
                match framer.decode(&mut buffer.bytes) {
                    Ok(Some(received)) => {
                        self.clock.frame_ended();
                        self.unfinished = None;
                        match received {
                            Received::Message(frame) => self.take(frame).await,
                            Received::KeepAlive => self.line.keep_alive(),
                        }
                    }
                    Ok(None) => break,
                    Err(error) => return Closed::Frame(error),
                }
            }
            self.clock.rest_is(buffer.bytes.is_empty());
            self.unfinished = framer.unfinished(&buffer.bytes);
            if let Err(closed) = self.fill(&mut buffer, &mut socket).await {
                return closed;
            }
        }
    }

    /// The line's next deadline.
    fn deadline(&self) -> Deadline {
        let of = |since: Instant, limit: Duration, late: fn(Duration) -> Closed| Deadline {
            at: since + limit,
            late: late(limit),
        };
        let (limits, clock) = (&self.limits, &self.clock);
        let of_frame = clock
            .frame_began
            .map(|began| of(began, limits.partial_frame_timeout, Closed::HalfFrame));
        if self.participant.is_some() {
            return of_frame
                .unwrap_or_else(|| of(clock.heard_at, limits.idle_timeout, Closed::Idle));
        }
        let of_sign_on = of(clock.accepted_at, limits.sign_on_timeout, Closed::NoSignOn);
        match of_frame {
            Some(of_frame) if of_frame.at < of_sign_on.at => of_frame,
            Some(_) | None => of_sign_on,
        }
    }

    /// Waits while the peer leaves its answers unread: what it asks further waits in its own
    /// buffers, not here.
    async fn wait_for_room(&mut self) -> Result<(), Closed> {
        if !self.line.is_backed_up() {
            return Ok(());
        }
        metrics::counter!("cauce_lines_backed_up_total").increment(1);
        let deadline = self.deadline();
        let is_bounded = self.participant.is_none();
        tokio::select! {
            () = self.line.has_room() => {}
            () = tokio::time::sleep_until(deadline.at), if is_bounded => return Err(deadline.late),
            // The writer gives up a peer that takes nothing for `write_timeout_ms`.
            closed = self.interrupted() => return Err(closed),
        }
        self.clock.read_again();
        Ok(())
    }

    async fn fill(
        &mut self,
        buffer: &mut ReadBuffer,
        socket: &mut (impl AsyncRead + Unpin),
    ) -> Result<(), Closed> {
        let deadline = self.deadline();
        buffer.make_room();
        let read = tokio::select! {
            read = read_until(deadline.at, QUIET, (buffer, socket)) => read,
            closed = self.interrupted() => return Err(closed),
        };
        match read {
            Err(_) => Err(deadline.late),
            Ok(Ok(0)) => Err(Closed::ByPeer),
            Ok(Ok(len)) => {
                // Little for a stranger.
                let is_known = self.participant.is_some();
                let len_max = if is_known { read_buffer::LEN_MAX } else { read_buffer::LEN_MIN };
                buffer.was_filled(len, len + buffer.room(), len_max);
                self.clock.heard();
                Ok(())
            }
            Ok(Err(error)) => Err(Closed::Read(error)),
        }
    }

    /// Resolves when the line must end whatever its peer says. Cancel-safe.
    async fn interrupted(&self) -> Closed {
        let displaced = async {
            match &self.caller.place {
                Some(place) => place.closed().cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.ending().cancelled() => self.ended(),
            () = self.retired() => Closed::Retired,
            () = self.drained() => Closed::Stopping,
            () = self.line.ended() => Closed::NotReading,
            () = displaced => Closed::Displaced,
        }
    }
}

/// Reads once. A line that is quiet for so long gives its large buffer back before it waits on.
///
/// Errors: nothing came in time. Cancel-safe.
async fn read_until(
    deadline: Instant,
    quiet: Duration,
    (buffer, socket): (&mut ReadBuffer, &mut (impl AsyncRead + Unpin)),
) -> Result<io::Result<usize>, Elapsed> {
    let quiet_from = Instant::now() + quiet;
    if buffer.is_large() && quiet_from < deadline {
        if let Ok(read) = timeout_at(quiet_from, socket.read_buf(&mut buffer.bytes)).await {
            return Ok(read);
        }
        buffer.shrink();
    }
    timeout_at(deadline, socket.read_buf(&mut buffer.bytes)).await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_quiet_line_gives_its_large_buffer_back_and_goes_on_reading() {
        let (mut peer, mut socket) = tokio::io::duplex(64);
        let mut buffer = ReadBuffer::large();
        buffer.bytes.extend_from_slice(b"half ");
        let until = Instant::now() + Duration::from_millis(50);
        let silence = read_until(until, Duration::ZERO, (&mut buffer, &mut socket)).await;
        assert!(silence.is_err() && !buffer.is_large());
        peer.write_all(b"a frame").await.expect("room");
        let until = Instant::now() + Duration::from_secs(60);
        let read = read_until(until, Duration::ZERO, (&mut buffer, &mut socket)).await;
        assert_eq!(read.expect("in time").expect("bytes"), 7);
        assert_eq!(&buffer.bytes[..], b"half a frame");
    }
}
