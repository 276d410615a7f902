//! How many sockets the switch opens to web addresses at once, those that wait in a client's pool
//! for the next request included: each has its place among the descriptors of the process.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::{LINE_NAMES_MAX, LINE_SPARE_MAX, NAMES_MAX};

/// Tries beside the first one of an attempt, over all attempts.
const SPARE_MAX: usize = 64;
/// Sockets that resolving one name has open: to the name server, and a file that it reads.
const PER_NAME: usize = 2;

/// Places for sockets.
#[derive(Debug)]
pub struct Sockets {
    open: Arc<Semaphore>,
    spare: Semaphore,
    /// Connections that may be kept for the next request.
    kept_max: usize,
}

/// The place of one socket; given back when dropped.
#[derive(Debug)]
pub struct SocketPlace {
    _open: OwnedSemaphorePermit,
    is_kept: bool,
}

/// A connection with its place.
#[derive(Debug)]
pub struct Socket {
    stream: TokioIo<TcpStream>,
    place: SocketPlace,
}

/// Descriptors that so many requests at once may need, and calls to participants beside their lines.
pub fn descriptors_for(requests_max: usize) -> usize {
    let names = (NAMES_MAX + LINE_NAMES_MAX) * PER_NAME;
    requests_max * 2 + SPARE_MAX + LINE_SPARE_MAX + names
}

impl Sockets {
    /// Places for so many requests at once, and for as many connections that wait for the next.
    pub fn for_requests(requests_max: usize) -> Arc<Self> {
        let open = Arc::new(Semaphore::new(requests_max * 2));
        Arc::new(Self { open, spare: Semaphore::new(SPARE_MAX), kept_max: requests_max })
    }

    /// Waits for a place. Its connection is kept for other requests only while at most half of the
    /// places are taken, so that kept ones alone never take all. Cancel-safe.
    ///
    /// Errors: never in practice; the places are not closed.
    pub(super) async fn place(&self) -> io::Result<SocketPlace> {
        let open = Arc::clone(&self.open).acquire_owned().await.map_err(io::Error::other)?;
        Ok(SocketPlace { _open: open, is_kept: self.open.available_permits() >= self.kept_max })
    }

    /// Places for tries beside the first one.
    pub(super) fn spare(&self) -> &Semaphore {
        &self.spare
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream, place: SocketPlace) -> Self {
        Self { stream: TokioIo::new(stream), place }
    }

    /// Where it leads.
    ///
    /// Errors: the connection has ended.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.inner().peer_addr()
    }

    /// Whether a client may keep it for the next request.
    pub fn is_kept(&self) -> bool {
        self.place.is_kept
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        let connected = self.stream.connected();
        if !self.is_kept() {
            connected.poison();
        }
        connected
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
