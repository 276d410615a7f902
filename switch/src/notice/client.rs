//! Posts notices: one pooled HTTP client that connects to public addresses alone, with a deadline on
//! everything.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioTimer;
use tokio::time::{Instant, timeout_at};

use crate::config::NoticesConfig;
use crate::outbound::{self, ConnectError, Https, Reach, Sockets};
use crate::supervise::{Connections, Tasks};

/// What is read of an answer's body, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A connection without use is closed after this time.
const IDLE_MAX: Duration = Duration::from_secs(30);
const USER_AGENT_VALUE: &str = concat!("cauce/", env!("CARGO_PKG_VERSION"));

/// Posts notices. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Poster {
    client: Client<Https, Full<Bytes>>,
    timeout: Duration,
}

/// One signed notice, ready to be sent.
#[derive(Debug)]
pub struct Envelope {
    /// Where to.
    pub uri: Uri,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The JSON that was signed.
    pub body: Bytes,
}

/// An endpoint's answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as it came.
    pub retry_after: Option<String>,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The time was over.
    Timeout,
    /// It took long, and others needed the place.
    Overdue,
    /// The address leads nowhere that notices may go to.
    NotPublic,
    /// No connection came about.
    Connect,
    /// The connection broke, or what came was not HTTP.
    Broken,
}

impl NoAnswer {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Overdue => "overdue",
            Self::NotPublic => "not_public",
            Self::Connect => "connect",
            Self::Broken => "broken",
        }
    }
}

impl Poster {
    /// A client; its connections are tasks of the switch and end with it.
    pub fn new(config: &NoticesConfig, reach: Reach, tasks: Tasks, sockets: Arc<Sockets>) -> Self {
        let client = Client::builder(Connections(tasks))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(config.in_flight_per_endpoint_max)
            .build(outbound::https(reach, config.timeout, sockets));
        Self { client, timeout: config.timeout }
    }

    /// Posts one notice. Redirects are not followed: they are answers like any other.
    ///
    /// Errors: [`NoAnswer`]. Cancel-safe as far as the endpoint may have seen the notice.
    pub async fn post(&self, envelope: Envelope) -> Result<Answer, NoAnswer> {
        let deadline = Instant::now() + self.timeout;
        let Ok(request) = request(envelope) else { return Err(NoAnswer::Broken) };
        let response = match timeout_at(deadline, self.client.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(no_answer(&error, error.is_connect())),
            Err(_) => return Err(NoAnswer::Timeout),
        };
        let answer = Answer {
            status: response.status().as_u16(),
            retry_after: response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        };
        // The status stands, whatever becomes of the body.
        timeout_at(deadline, drain(response)).await.ok();
        Ok(answer)
    }
}

fn request(envelope: Envelope) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::post(envelope.uri)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE))
        .header("webhook-id", envelope.id)
        .header("webhook-timestamp", envelope.timestamp)
        .header("webhook-signature", envelope.signature)
        .body(Full::new(envelope.body))
}

/// Reads an answer's body up to a ceiling; beyond it the connection is dropped.
async fn drain(mut response: Response<Incoming>) {
    let mut read = 0;
    while let Some(Ok(frame)) = response.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > ANSWER_BYTES_MAX {
            return;
        }
    }
}

fn no_answer(error: &(dyn Error + 'static), is_connect: bool) -> NoAnswer {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::NotPublic | ConnectError::Address(_)) => return NoAnswer::NotPublic,
            Some(ConnectError::Resolve(_) | ConnectError::Connect(_)) | None => {}
        }
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        if error.downcast_ref::<io::Error>().is_some_and(is_late) {
            return NoAnswer::Timeout;
        }
        cause = error.source();
    }
    if is_connect { NoAnswer::Connect } else { NoAnswer::Broken }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::Supervisor;

    /// What comes of a notice to an address, with the given reach.
    async fn post(reach: Reach, uri: &str) -> Result<Answer, NoAnswer> {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let config = NoticesConfig {
            timeout: Duration::from_secs(20),
            retry_after: vec![],
            age_max: Duration::from_secs(1),
            in_flight_per_endpoint_max: 1,
            in_flight_max: 1,
            endpoints_per_biller_max: 1,
            secret_overlap: Duration::ZERO,
            dangerous_allow_private_addresses: false,
        };
        let supervisor = Supervisor::new();
        let poster = Poster::new(&config, reach, supervisor.tasks(), Sockets::for_requests(1));
        let (uri, body) = (uri.parse().unwrap(), Bytes::from_static(b"{}"));
        let (id, signature) = ("ntc_1".to_owned(), "v1,".to_owned());
        poster.post(Envelope { uri, id, timestamp: 0, signature, body }).await
    }

    #[tokio::test]
    async fn why_there_is_no_answer_is_told_apart() {
        for uri in ["https://localhost:9/", "https://127.0.0.1:9/", "https://[127.0.0.1]:9/"] {
            assert_eq!(post(Reach::Public, uri).await, Err(NoAnswer::NotPublic), "{uri}");
        }
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", gone.local_addr().unwrap());
        drop(gone);
        assert_eq!(post(Reach::Anywhere, &uri).await, Err(NoAnswer::Connect));
    }
}
