//! One HTTP client for everything the switch asks of web addresses: participants, merchants'
//! endpoints, look-ups at billers. Its connections are pooled, a request has one deadline over all
//! of it, an answer has a ceiling, and redirects are answers.
//!
//! An error says above all whether the request may have left: one that certainly never left can go
//! to another route, one that may have left cannot.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Request, Response, response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::connect::{ConnectError, Https, NamePlaces, https};
use super::{AddressRule, Sockets};
use crate::supervise::{Connections, Tasks};

/// A connection without use is closed after this time.
const IDLE_MAX: Duration = Duration::from_secs(30);
const USER_AGENT_VALUE: HeaderValue =
    HeaderValue::from_static(concat!("cauce/", env!("CARGO_PKG_VERSION")));

/// What a client does and what it must not exceed.
#[derive(Debug)]
pub struct ClientSettings {
    /// Where its addresses may lead.
    pub reach: AddressRule,
    /// Whose places its look-ups of names take.
    pub names: NamePlaces,
    /// Time in which a connection must come about, TLS included.
    pub connect_timeout: Duration,
    /// Requests under way at once.
    pub in_flight_max: usize,
    /// Connections to one host that wait for the next request.
    pub idle_per_host_max: usize,
    /// Bytes of an answer's body; a longer one is an error.
    pub answer_bytes_max: usize,
    /// Headers that each request has, where it does not have its own.
    pub headers: HeaderMap,
    /// Trusted authorities, and our certificate where one is to be shown.
    pub tls: ClientConfig,
}

/// Sends requests and reads answers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: legacy::Client<Https, Full<Bytes>>,
    places: Arc<Semaphore>,
    headers: Arc<HeaderMap>,
    answer_bytes_max: usize,
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No byte of the request left this machine.
    #[error("the request was not sent: {cause}")]
    NotSent {
        /// Why not.
        cause: NotSentCause,
        /// What the layer below said.
        source: Option<BoxError>,
    },
    /// Some of the request may have arrived.
    #[error("the request may have been sent: {cause}")]
    MaybeSent {
        /// Why there is no answer.
        cause: MaybeSentCause,
        /// What the layer below said.
        source: Option<BoxError>,
    },
}

type BoxError = Box<dyn Error + Send + Sync>;

/// Why a request did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSentCause {
    /// As many requests as may be were under way until the deadline.
    #[error("too many requests are under way")]
    NoPlace,
    /// No connection came about before the deadline.
    #[error("no connection in time")]
    Timeout,
    /// The address leads nowhere that may be connected to.
    #[error("the address leads to no public network")]
    NotPublic,
    /// No connection came about: resolving, TCP, TLS.
    #[error("no connection")]
    Connect,
}

/// Why there is no whole answer to a request that may have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MaybeSentCause {
    /// The deadline passed.
    #[error("no whole answer in time")]
    Timeout,
    /// The connection broke, or what came was not HTTP.
    #[error("the connection broke")]
    Broken,
    /// The answer's body is longer than it may be.
    #[error("the answer is too long")]
    TooLong,
}

impl HttpClient {
    /// A client; its connections are tasks of the switch and end with it.
    ///
    /// Shape: `sockets` has places for `settings.in_flight_max` requests at least.
    pub fn new(settings: ClientSettings, tasks: Tasks, sockets: Arc<Sockets>) -> Self {
        let ClientSettings { reach, names, connect_timeout, tls, .. } = settings;
        let client = legacy::Client::builder(Connections(tasks))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(settings.idle_per_host_max)
            .build(https(reach, names, connect_timeout, sockets, tls));
        let mut headers = settings.headers;
        headers.entry(USER_AGENT).or_insert(USER_AGENT_VALUE);
        Self {
            client,
            places: Arc::new(Semaphore::new(settings.in_flight_max)),
            headers: Arc::new(headers),
            answer_bytes_max: settings.answer_bytes_max,
        }
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// Errors: [`HttpError`]. Cancel-safe as far as the request may have been sent.
    pub async fn ask(
        &self,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Bytes>, HttpError> {
        let _place = self.place(deadline).await?;
        let (head, body) = self.send(request, deadline).await?.into_parts();
        let body = Limited::new(body, self.answer_bytes_max).collect();
        match timeout_at(deadline, body).await {
            Ok(Ok(body)) => Ok(Response::from_parts(head, body.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(maybe_sent(MaybeSentCause::TooLong, Some(error)))
            }
            Ok(Err(error)) => Err(maybe_sent(MaybeSentCause::Broken, Some(error))),
            Err(_) => Err(maybe_sent(MaybeSentCause::Timeout, None)),
        }
    }

    /// Sends a request whose answer is its status and headers alone: they stand, whatever becomes of
    /// the body.
    ///
    /// Errors: [`HttpError`]. Cancel-safe as far as the request may have been sent.
    pub async fn tell(
        &self,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<response::Parts, HttpError> {
        let _place = self.place(deadline).await?;
        let (head, body) = self.send(request, deadline).await?.into_parts();
        // The body is read so that its connection can be used again; a longer one drops it.
        timeout_at(deadline, Limited::new(body, self.answer_bytes_max).collect()).await.ok();
        Ok(head)
    }

    async fn place(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, HttpError> {
        match timeout_at(deadline, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(not_sent(NotSentCause::NoPlace, None)),
        }
    }

    async fn send(
        &self,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, HttpError> {
        let mut request = request.map(Full::new);
        for (name, value) in self.headers.iter() {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        // Set as soon as a connection is there for the request, before the first byte goes out.
        let connection = capture_connection(&mut request);
        match timeout_at(deadline, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failure(error, &connection)),
            Err(_) if has_connection(&connection) => Err(maybe_sent(MaybeSentCause::Timeout, None)),
            Err(_) => Err(not_sent(NotSentCause::Timeout, None)),
        }
    }
}

fn has_connection(connection: &CaptureConnection) -> bool {
    connection.connection_metadata().is_some()
}

fn failure(error: legacy::Error, connection: &CaptureConnection) -> HttpError {
    let has_left = has_connection(connection) && !error.is_connect() && !was_given_back(&error);
    if has_left {
        maybe_sent(MaybeSentCause::Broken, Some(error.into()))
    } else {
        not_sent(cause_of(&error), Some(error.into()))
    }
}

/// Whether the client gave the request back because its connection had ended before one byte of it
/// was written. An error after that is never one of cancellation.
///
/// Source: hyper 1.12, proto/h1/dispatch.rs, `recv_msg`: the message "was never even started".
fn was_given_back(error: &legacy::Error) -> bool {
    let below = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
    below.is_some_and(hyper::Error::is_canceled)
}

/// Why there was no connection.
fn cause_of(error: &(dyn Error + 'static)) -> NotSentCause {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::NotPublic | ConnectError::Address(_)) => {
                return NotSentCause::NotPublic;
            }
            Some(ConnectError::Resolve(_) | ConnectError::Connect(_)) | None => {}
        }
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        if error.downcast_ref::<io::Error>().is_some_and(is_late) {
            return NotSentCause::Timeout;
        }
        cause = error.source();
    }
    NotSentCause::Connect
}

fn not_sent(cause: NotSentCause, source: Option<BoxError>) -> HttpError {
    HttpError::NotSent { cause, source }
}

fn maybe_sent(cause: MaybeSentCause, source: Option<BoxError>) -> HttpError {
    HttpError::MaybeSent { cause, source }
}
