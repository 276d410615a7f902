//! Posts notices: one pooled HTTP client with a vetted resolver and a deadline on everything.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout, timeout_at};
use tower::Service;

use super::address::{NoPublicAddress, Reach, VettingResolver};
use crate::config::NoticesConfig;
use crate::supervise::{Connections, Tasks};

/// What is read of an answer's body, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A connection without use is closed after this time.
const IDLE_MAX: Duration = Duration::from_secs(30);
const USER_AGENT_VALUE: &str = concat!("cauce/", env!("CARGO_PKG_VERSION"));

/// Posts notices. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Poster {
    client: Client<Timed<HttpsConnector<HttpConnector<VettingResolver>>>, Full<Bytes>>,
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
    /// The name resolves to no address that notices may go to.
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
            Self::NotPublic => "not_public",
            Self::Connect => "connect",
            Self::Broken => "broken",
        }
    }
}

impl Poster {
    /// A client; its connections are tasks of the switch and end with it.
    pub fn new(config: &NoticesConfig, reach: Reach, tasks: Tasks) -> Self {
        let mut http = HttpConnector::new_with_resolver(VettingResolver { reach });
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(config.timeout));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(Connections(tasks))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(config.in_flight_per_endpoint_max)
            .build(Timed { inner: https, timeout: config.timeout });
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
        // `io::Error::source` skips the error it wraps, so that one is looked at by itself.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<NoPublicAddress>()
            || wrapped.is_some_and(|error| error.is::<NoPublicAddress>())
        {
            return NoAnswer::NotPublic;
        }
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        if error.downcast_ref::<io::Error>().is_some_and(is_late) {
            return NoAnswer::Timeout;
        }
        cause = error.source();
    }
    if is_connect { NoAnswer::Connect } else { NoAnswer::Broken }
}

/// TLS with the authorities this machine trusts.
fn tls() -> ClientConfig {
    match ClientConfig::builder().with_native_roots() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            tracing::warn!(%error, "this machine trusts no certificate authority: notices over https will fail");
            ClientConfig::builder()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        }
    }
}

/// A connector with a deadline: a handshake goes on without whoever asked for it, and an endpoint
/// that never ends it must not keep the connection for ever.
#[derive(Debug, Clone)]
struct Timed<C> {
    inner: C,
    timeout: Duration,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
    C::Response: 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    type Response = C::Response;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = timeout(self.timeout, self.inner.call(uri));
        Box::pin(async move {
            match connected.await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}
