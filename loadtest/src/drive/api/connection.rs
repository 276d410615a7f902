//! One connection to the JSON API, and what may come of it other than an answer.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer::Answer;
use crate::tasks::Spawner;

/// How long a connection may take to open, and a first request to be answered.
pub(super) const OPEN_DEADLINE: Duration = Duration::from_secs(5);
/// An answer is a small document; a longer one is not read.
pub(super) const BODY_BYTES_MAX: usize = 256 << 10;

/// Why a connection gave no answer.
#[derive(Debug)]
pub(super) enum ConnectionError {
    /// It could not be opened.
    Connect(io::Error),
    /// It was reset.
    Reset(io::Error),
    /// The server closed it.
    Closed,
    /// What came over it is not HTTP.
    NotHttp,
    /// The answer is longer than [`BODY_BYTES_MAX`].
    TooLong,
}

impl ConnectionError {
    /// What an error of the HTTP library means: the first of its causes that says so.
    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| {
            let error: &(dyn Error + 'static) = *error;
            error.source()
        });
        let found = causes.find_map(|cause| {
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                return Some(Self::Reset(error.kind().into()));
            }
            if cause.is::<LengthLimitError>() {
                return Some(Self::TooLong);
            }
            let is_parse = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
            is_parse.then_some(Self::NotHttp)
        });
        found.unwrap_or(Self::Closed)
    }
}

/// An open connection.
pub(super) struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    /// Opens a connection; a task of its own reads and writes it.
    pub(super) async fn open(target: SocketAddr, tasks: &Spawner) -> Result<Self, ConnectionError> {
        let opening = tokio::time::timeout(OPEN_DEADLINE, TcpStream::connect(target)).await;
        let stream = opening.unwrap_or_else(|late| Err(late.into()));
        let stream = stream.map_err(ConnectionError::Connect)?;
        stream.set_nodelay(true).map_err(ConnectionError::Connect)?;
        let opened = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(|error| ConnectionError::of(&error))?;
        let token = tasks.token();
        drop(tasks.spawn(async move {
            if let Some(Err(error)) = token.run_until_cancelled(connection).await {
                tracing::debug!(%error, "a connection to the JSON API fell");
            }
        }));
        Ok(Self(sender))
    }

    /// Whether it takes a request; waits until it knows.
    pub(super) async fn is_usable(&mut self) -> bool {
        self.0.ready().await.is_ok()
    }

    /// Sends a request and reads its answer.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, ConnectionError> {
        let of_http = |error: hyper::Error| ConnectionError::of(&error);
        self.0.ready().await.map_err(of_http)?;
        let response = self.0.send_request(request).await.map_err(of_http)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| ConnectionError::of(&*error))?;
        Ok(Answer::new(head.status.as_u16(), &body.to_bytes()))
    }
}
