//! A stream whose peer must take what we write: one that reads nothing for too long, or next to
//! nothing, is dropped, or a thousand of them would hold every place there is.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes a second that a peer must take at least: each thousand moves the deadline by a second.
const BYTES_PER_MS: usize = 1;

/// A stream with a deadline on each answer that waits to be taken.
pub(super) struct WriteDeadline<S, W> {
    stream: S,
    /// Called whenever everything is written.
    written: W,
    write_timeout: Duration,
    /// Runs from the first write that waits for the peer until everything is written.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S, W: FnMut()> WriteDeadline<S, W> {
    /// A stream whose writes may wait so long for the peer; `written` is called whenever everything
    /// is written.
    pub(super) fn new(stream: S, write_timeout: Duration, written: W) -> Self {
        Self { stream, written, write_timeout, deadline: None }
    }

    /// Passes on what a write came to, or that it has waited too long.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = written {
            let taken = written.as_ref().map_or(0, taken);
            if let Some(deadline) = &mut self.deadline {
                let more = u64::try_from(taken / BYTES_PER_MS).unwrap_or(u64::MAX);
                let later = deadline.deadline() + Duration::from_millis(more);
                deadline.as_mut().reset(later);
            }
            return Poll::Ready(written);
        }
        let timeout = self.write_timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(deadline.as_mut().poll(context));
        deadline.as_mut().reset(Instant::now() + timeout);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin, W: Unpin> AsyncRead for WriteDeadline<S, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin, W: FnMut() + Unpin> AsyncWrite for WriteDeadline<S, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written, |taken| *taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bounded(context, written, |taken| *taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.deadline = None;
            (self.written)();
        }
        self.bounded(context, flushed, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.bounded(context, shut, |()| 0)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let (ours, _theirs) = duplex(8);
        let mut stream = WriteDeadline::new(ours, Duration::from_millis(10), || {});
        let written = stream.write_all(&[0; 9]).await;
        assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_peer_that_takes_a_byte_now_and_then_is_given_up() {
        let (ours, mut theirs) = duplex(8);
        let mut stream = WriteDeadline::new(ours, Duration::from_millis(50), || {});
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let dripping = async {
            loop {
                tick.tick().await;
                theirs.read_u8().await.unwrap();
            }
        };
        let written = tokio::select! {
            written = stream.write_all(&[0; 100_000]) => written,
            () = dripping => Ok(()),
        };
        assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_peer_that_reads_gets_everything() {
        let (ours, mut theirs) = duplex(8);
        let mut stream = WriteDeadline::new(ours, Duration::from_secs(60), || {});
        let mut got = Vec::new();
        let writing = async {
            stream.write_all(&[7; 1000]).await.unwrap();
            drop(stream);
        };
        let (_, read) = futures_util::future::join(writing, theirs.read_to_end(&mut got)).await;
        assert_eq!((read.unwrap(), got), (1000, vec![7; 1000]));
    }
}
