//! Where other nodes ask: a record for a lane that this node holds, a notice of an endpoint that it
//! serves, a request for a participant that called this node, an answer that came in elsewhere.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::Listener;
use codecs::iso8583::cauce87::{self, ParticipantAnswer, WireKind};
use futures_util::FutureExt;
use router::id::ParticipantId;
use storage::StoreError;
use storage_cluster::FRAME_LEN_MAX;
use tokio::net::{TcpListener, TcpStream};
use tower_http::timeout::TimeoutLayer;

use super::peers::{APPEND, REVIVE, Way, read_revived};
use super::{lines, proof};
use crate::admission::{self, Admission, Held, Kind};
use crate::clock;
use crate::config::SecretText;
use crate::engine::Engine;
use crate::late::{self, UnmatchedAnswer};
use crate::participant::Participant;

/// Time for one request.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// The door of one node.
#[derive(Clone)]
pub struct Door {
    engine: Arc<Engine>,
    secret: SecretText,
}

/// The listener of the door; each connection has a place.
struct Placed {
    listener: TcpListener,
    admission: Arc<Admission>,
}

impl Listener for Placed {
    type Io = Held<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (socket, peer) = admission::accept(&self.listener, "node").await;
            if let Some(place) = self.admission.admit(Kind::Peer, peer) {
                return (Held::new(socket, place), peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Door {
    /// Opened with a secret that all nodes know.
    pub fn new(engine: Arc<Engine>, secret: SecretText) -> Self {
        Self { engine, secret }
    }

    /// Serves until the switch ends. Run as a critical task.
    pub async fn run(self, listener: TcpListener, admission: Arc<Admission>) {
        let listener = Placed { listener, admission };
        let ending = self.engine.tasks.stages().ending.clone();
        let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX);
        let routes = Router::new()
            .route(APPEND, post(append))
            .route(REVIVE, post(revive))
            .route("/send/{participant}", post(send))
            .route("/answer/{participant}", post(answer))
            .layer(DefaultBodyLimit::max(FRAME_LEN_MAX))
            .layer(timeout)
            .with_state(self);
        let served = axum::serve(listener, routes).with_graceful_shutdown(ending.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "the door for other nodes has failed");
        }
    }

    fn knows(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(at), Some(mac)) = (text(proof::AT), text(proof::MAC)) else { return false };
        proof::holds(&self.secret, (path, at, body), mac, clock::now())
    }
}

/// What another node hands over, opened; else why not.
fn handed(
    door: &Door,
    (way, participant): (Way, &str),
    headers: &HeaderMap,
    sealed: &[u8],
) -> Result<(Arc<Participant>, Bytes), StatusCode> {
    if !door.knows(&way.path(participant), headers, sealed) {
        metrics::counter!("cauce_peer_requests_total", "result" => "unknown").increment(1);
        return Err(StatusCode::UNAUTHORIZED);
    }
    let id = ParticipantId::new(participant).map_err(|_| StatusCode::NOT_FOUND)?;
    let participant = door.engine.participants.by_id(id).ok_or(StatusCode::NOT_FOUND)?;
    let message = lines::open(&door.engine.sealer, sealed).ok_or(StatusCode::BAD_REQUEST)?;
    Ok((Arc::clone(participant), message))
}

/// A request that another node has no line for.
async fn send(
    State(door): State<Door>,
    Path(participant): Path<String>,
    headers: HeaderMap,
    sealed: Bytes,
) -> StatusCode {
    match handed(&door, (Way::Send, &participant), &headers, &sealed) {
        Ok((participant, message)) => match participant.send_for_other(&message) {
            Ok(()) => StatusCode::OK,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        Err(status) => status,
    }
}

/// An answer to a request of this node that came in at another.
async fn answer(
    State(door): State<Door>,
    Path(participant): Path<String>,
    headers: HeaderMap,
    sealed: Bytes,
) -> StatusCode {
    let handed = handed(&door, (Way::Answer, &participant), &headers, &sealed);
    let (participant, message) = match handed {
        Ok(handed) => handed,
        Err(status) => return status,
    };
    let Ok(wire) = cauce87::read(&message) else { return StatusCode::BAD_REQUEST };
    match cauce87::participant_answer(&wire, &message) {
        Ok(answer) => match participant.in_flight().answer(&wire, &message, answer) {
            Ok(()) => StatusCode::OK,
            Err(answer) => late_here(&door, participant, wire.kind, (answer, message)),
        },
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

/// An answer that met no open request: it is recorded here if the request is remembered here, which
/// tells its payment even where the answer repeats no folio; else by the node that has it.
fn late_here(
    door: &Door,
    participant: Arc<Participant>,
    kind: WireKind,
    (answer, bytes): (ParticipantAnswer, Bytes),
) -> StatusCode {
    let is_known = participant.past().find(answer.stan, &answer.transmitted_at).is_some();
    let place = participant.late_place().now_or_never();
    let Some(place) = place.filter(|_| is_known && kind == WireKind::PaymentAnswer) else {
        return StatusCode::NOT_FOUND;
    };
    let engine = Arc::clone(&door.engine);
    door.engine.tasks.payment(async move {
        late::record(&engine, &participant, UnmatchedAnswer { answer, bytes }).await;
        drop(place);
    });
    StatusCode::OK
}

/// A notice to be sent once more, of an endpoint that another node does not serve.
async fn revive(State(door): State<Door>, headers: HeaderMap, notice: Bytes) -> StatusCode {
    if !door.knows(REVIVE, &headers, &notice) {
        metrics::counter!("cauce_peer_requests_total", "result" => "unknown").increment(1);
        return StatusCode::UNAUTHORIZED;
    }
    let Some((endpoint, sequence)) = read_revived(&notice) else { return StatusCode::BAD_REQUEST };
    match door.engine.store.revive_here(endpoint, sequence, clock::now()).await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            let error = crate::log::chain(&error);
            tracing::warn!(%endpoint, %error, "a notice was not revived for another node");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn append(State(door): State<Door>, headers: HeaderMap, encoded: Bytes) -> Response {
    if !door.knows(APPEND, &headers, &encoded) {
        metrics::counter!("cauce_peer_requests_total", "result" => "unknown").increment(1);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let appended = door.engine.store.append_encoded(&encoded).await;
    let result = if appended.is_ok() { "ok" } else { "refused" };
    metrics::counter!("cauce_peer_requests_total", "result" => result).increment(1);
    match appended {
        Ok(appended) => appended.to_bytes().into_response(),
        Err(StoreError::Illegal(step)) => (StatusCode::CONFLICT, step.to_string()).into_response(),
        Err(error @ StoreError::UnknownPayment(_)) => {
            (StatusCode::NOT_FOUND, error.to_string()).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}
