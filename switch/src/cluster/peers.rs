//! Asking other nodes.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use router::event::{StaleVersion, Subject};
use router::id::{EndpointId, Lane, ParticipantId};
use router::payment::{IllegalStep, PaymentState};
use router::text::Text;
use router::time::Timestamp;
use storage::StoreError;
use storage::store::{Appended, Appending, Redelivery, RedeliveryFuture};
use storage_cluster::Peers;
use tokio::time::timeout;

use super::proof;
use crate::adapter::iso8583::remote_lines::Handing;
use crate::clock;
use crate::config::SecretText;
use crate::supervise::{Connections, Tasks};

/// Time for a peer to answer; a lane whose node is silent is taken over after not much more.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// Where records are appended.
pub const APPEND: &str = "/append";
/// Where a node asks another for a redelivery.
pub const REDELIVER: &str = "/redeliver";
/// Longest answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// Peers over HTTP. Cheap to clone.
#[derive(Clone)]
pub struct HttpPeers {
    client: Client<HttpConnector, Full<Bytes>>,
    secret: SecretText,
}

impl HttpPeers {
    /// A client whose connections end with the switch.
    pub fn new(secret: SecretText, tasks: Tasks) -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_WITHIN));
        let client = Client::builder(Connections(tasks)).pool_timer(TokioTimer::new()).build(http);
        Self { client, secret }
    }

    fn request(&self, address: &str, path: &str, body: Bytes) -> Option<Request<Full<Bytes>>> {
        let at = clock::now().0.to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{address}{path}"))
            .header(proof::MAC, proof::of(&self.secret, (path, &at, &body)))
            .header(proof::AT, at);
        request.body(Full::new(body)).ok()
    }

    /// Asks a node and waits for its whole answer, for a while; else says why there is none.
    fn ask(
        &self,
        address: &str,
        path: &str,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<(StatusCode, Bytes), String>> + Send + use<> {
        let (client, address) = (self.client.clone(), address.to_owned());
        let request = self.request(&address, path, body.into());
        async move {
            let request = request.ok_or_else(|| format!("{address} is no address"))?;
            let answer = async {
                let response = client.request(request).await.map_err(|error| error.to_string())?;
                let status = response.status();
                let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
                Ok::<_, String>((status, body.map_err(|error| error.to_string())?.to_bytes()))
            };
            match timeout(ANSWER_WITHIN, answer).await {
                Ok(answer) => answer.map_err(|error| format!("{address}: {error}")),
                Err(_) => Err(format!("{address} does not answer")),
            }
        }
    }

    /// Hands a participant's message to another node, which answers by a status.
    ///
    /// Errors: [`NoPeerAnswer`].
    pub fn hand(
        &self,
        way: Way,
        address: String,
        participant: ParticipantId,
        sealed: Bytes,
    ) -> Handing<Result<StatusCode, NoPeerAnswer>> {
        let request = self.request(&address, &way.path(participant.as_str()), sealed);
        let client = self.client.clone();
        Box::pin(async move {
            let Some(request) = request else { return Err(NoPeerAnswer::NotHanded) };
            let answered = timeout(ANSWER_WITHIN, client.request(request)).await;
            match answered {
                Ok(Ok(response)) => Ok(response.status()),
                Ok(Err(error)) if error.is_connect() => Err(NoPeerAnswer::NotHanded),
                Ok(Err(_)) | Err(_) => Err(NoPeerAnswer::MaybeHanded),
            }
        })
    }
}

/// Why there is no answer of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPeerAnswer {
    /// No connection came about, so nothing was handed over.
    NotHanded,
    /// It may have been handed over.
    MaybeHanded,
}

/// What is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A request, to be sent.
    Send,
    /// A reversal, to be sent by the line of its request or not at all.
    Behind,
    /// An answer, to be given to who asked.
    Answer,
}

impl Peers for HttpPeers {
    fn append(&self, address: &str, lane: Lane, encoded: Vec<u8>) -> Appending {
        let asked = self.ask(address, APPEND, encoded);
        let elsewhere = move |detail: String| StoreError::Elsewhere { lane, detail: detail.into() };
        let address = address.to_owned();
        Box::pin(async move {
            read(asked.await.map_err(elsewhere)?).map_err(|detail| match detail {
                ForwardRefused::Illegal => StoreError::Illegal(IllegalStep {
                    state: PaymentState::Received,
                    record: "step at another node",
                }),
                ForwardRefused::StaleVersion(stale) => stale.into(),
                ForwardRefused::Other(detail) => elsewhere(format!("{address}: {detail}")),
            })
        })
    }

    fn redeliver(&self, address: &str, lane: Lane, redelivery: Redelivery) -> RedeliveryFuture {
        let asked = self.ask(address, REDELIVER, redelivery_bytes(&redelivery));
        let elsewhere = move |detail: String| StoreError::Elsewhere { lane, detail: detail.into() };
        let address = address.to_owned();
        Box::pin(async move {
            match asked.await.map_err(elsewhere)? {
                (StatusCode::OK, _) => Ok(()),
                (status, _) => Err(elsewhere(format!("{address}: {status}"))),
            }
        })
    }
}

/// Notices as nodes tell each other of them: endpoint, when they were asked for, positions.
pub fn redelivery_bytes(redelivery: &Redelivery) -> Vec<u8> {
    let Redelivery { endpoint, asked_at, sequences } = redelivery;
    let mut bytes = [&endpoint.0.to_be_bytes()[..], &asked_at.0.to_be_bytes()].concat();
    bytes.extend(sequences.iter().flat_map(|sequence| sequence.to_be_bytes()));
    bytes
}

/// Reads that.
pub fn read_redelivery(bytes: &[u8]) -> Option<Redelivery> {
    let (endpoint, rest) = bytes.split_first_chunk::<16>()?;
    let (asked_at, rest) = rest.split_first_chunk::<8>()?;
    let (sequences, rest) = rest.as_chunks::<8>();
    let sequences = sequences.iter().map(|sequence| u64::from_be_bytes(*sequence)).collect();
    let endpoint = EndpointId(u128::from_be_bytes(*endpoint));
    let asked_at = Timestamp(i64::from_be_bytes(*asked_at));
    rest.is_empty().then_some(Redelivery { endpoint, asked_at, sequences })
}

/// A stale version as nodes tell each other of it: expected, found, the subject's kind and id.
pub fn stale_text(stale: &StaleVersion) -> String {
    let StaleVersion { subject, expected, found } = stale;
    format!("{expected} {found} {} {}", subject.kind(), subject.id())
}

/// Reads that.
pub fn read_stale(text: &str) -> Option<StaleVersion> {
    let mut parts = text.splitn(4, ' ');
    let mut next = || parts.next();
    let (expected, found) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (kind, id) = (Text::new(next()?).ok()?, Text::new(next()?).ok()?);
    Some(StaleVersion { subject: Subject::of_parts(kind, id)?, expected, found })
}

impl Way {
    /// Where it is handed over.
    pub fn path(self, participant: &str) -> String {
        match self {
            Self::Send => format!("/send/{participant}"),
            Self::Behind => format!("/behind/{participant}"),
            Self::Answer => format!("/answer/{participant}"),
        }
    }
}

enum ForwardRefused {
    /// The step cannot follow what happened before.
    Illegal,
    /// The subject is not at the version that its change was made from.
    StaleVersion(StaleVersion),
    Other(String),
}

fn read((status, body): (StatusCode, Bytes)) -> Result<Appended, ForwardRefused> {
    match status {
        StatusCode::OK => {
            Appended::from_bytes(&body).map_err(|error| ForwardRefused::Other(error.to_string()))
        }
        StatusCode::CONFLICT => Err(ForwardRefused::Illegal),
        StatusCode::PRECONDITION_FAILED => {
            let text = String::from_utf8_lossy(&body);
            let stale = read_stale(&text).map(ForwardRefused::StaleVersion);
            Err(stale.unwrap_or_else(|| ForwardRefused::Other(format!("{status}: {text}"))))
        }
        _ => Err(ForwardRefused::Other(format!("{status}: {}", String::from_utf8_lossy(&body)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_version_that_one_node_tells_another_reads_back() {
        let check = |kind: &str, id: &str| {
            let (kind, id) = (Text::new(kind).unwrap(), Text::new(id).unwrap());
            let subject = Subject::of_parts(kind, id).unwrap();
            let stale = StaleVersion { subject, expected: 3, found: 2 };
            assert_eq!(read_stale(&stale_text(&stale)), Some(stale));
        };
        check("endpoint", &EndpointId(7).to_string());
        check("service", "srv 7 with spaces");
        for broken in
            ["", "3", "3 2", "3 2 endpoint", "3 2 endpoint 7", "x 2 service 7", "3 -1 a b"]
        {
            assert_eq!(read_stale(broken), None, "{broken}");
        }
    }
}
