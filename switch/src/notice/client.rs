//! Posts notices over the switch's HTTP client, to public addresses alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Uri};
use tokio::time::Instant;

use crate::config::NoticesConfig;
use crate::outbound::{
    self, AddressRule, ClientSettings, HttpClient, HttpError, MaybeSentCause, NamePlaces,
    NotSentCause, Sockets,
};
use crate::supervise::Tasks;

/// What is read of an answer's body, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Posts notices. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Poster {
    client: HttpClient,
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
pub enum NoEndpointAnswer {
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

impl NoEndpointAnswer {
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
    pub fn new(
        config: &NoticesConfig,
        reach: AddressRule,
        tasks: Tasks,
        sockets: Arc<Sockets>,
    ) -> Self {
        let settings = ClientSettings {
            reach,
            names: NamePlaces::Endpoints,
            connect_timeout: config.timeout,
            in_flight_max: config.in_flight_max,
            idle_per_host_max: config.in_flight_per_endpoint_max,
            answer_bytes_max: ANSWER_BYTES_MAX,
            headers: HeaderMap::new(),
            tls: outbound::tls_of_machine(),
        };
        let client = HttpClient::new(settings, tasks, sockets);
        Self { client, timeout: config.timeout }
    }

    /// Posts one notice. Redirects are not followed: they are answers like any other.
    ///
    /// Errors: [`NoEndpointAnswer`]. Cancel-safe as far as the endpoint may have seen the notice.
    pub async fn post(&self, envelope: Envelope) -> Result<Answer, NoEndpointAnswer> {
        let deadline = Instant::now() + self.timeout;
        let Ok(request) = request(envelope) else { return Err(NoEndpointAnswer::Broken) };
        let head = self.client.tell(request, deadline).await.map_err(|error| no_answer(&error))?;
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(Answer { status: head.status.as_u16(), retry_after: retry_after.map(str::to_owned) })
    }
}

fn request(envelope: Envelope) -> Result<Request<Bytes>, http::Error> {
    Request::post(envelope.uri)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header("webhook-id", envelope.id)
        .header("webhook-timestamp", envelope.timestamp)
        .header("webhook-signature", envelope.signature)
        .body(envelope.body)
}

fn no_answer(error: &HttpError) -> NoEndpointAnswer {
    match error {
        HttpError::NotSent { cause: NotSentCause::NoPlace | NotSentCause::Timeout, .. }
        | HttpError::MaybeSent { cause: MaybeSentCause::Timeout, .. } => NoEndpointAnswer::Timeout,
        HttpError::NotSent { cause: NotSentCause::NotPublic, .. } => NoEndpointAnswer::NotPublic,
        HttpError::NotSent { cause: NotSentCause::Connect, .. } => NoEndpointAnswer::Connect,
        HttpError::MaybeSent {
            cause: MaybeSentCause::Broken | MaybeSentCause::TooLong, ..
        } => NoEndpointAnswer::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::Supervisor;

    /// What comes of a notice to an address, with the given reach.
    async fn post(reach: AddressRule, uri: &str) -> Result<Answer, NoEndpointAnswer> {
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
            assert_eq!(
                post(AddressRule::Public, uri).await,
                Err(NoEndpointAnswer::NotPublic),
                "{uri}"
            );
        }
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", gone.local_addr().unwrap());
        drop(gone);
        assert_eq!(post(AddressRule::Anywhere, &uri).await, Err(NoEndpointAnswer::Connect));
    }
}
