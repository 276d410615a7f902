//! Where other nodes ask: a record for a lane that this node holds, a notice of an endpoint that it
//! serves, a request for a participant that called this node, an answer that came in elsewhere.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use codecs::iso8583::cauce87::{self, ParticipantAnswer, WireKind};
use futures_util::FutureExt;
use hyper::body::Incoming;
use router::id::ParticipantId;
use storage::StoreError;
use storage_cluster::FRAME_LEN_MAX;
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_http::timeout::TimeoutLayer;

use super::peers::{APPEND, REDELIVER, Way, read_redelivery, stale_text};
use super::{lines, proof};
use crate::adapter::iso8583::Iso8583Participant;
use crate::admission::{self, Admission, Kind};
use crate::clock;
use crate::config::SecretText;
use crate::engine::Engine;
use crate::session::late::{self, UnmatchedAnswer};
use crate::supervise::Stages;
use crate::web::connection::{Answers, BodyHold, Connection};

/// Time for one request.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// Time for a header, and between two requests: longer than a node keeps a connection in its pool.
const HEADER_MAX: Duration = Duration::from_secs(100);

/// The door of one node.
#[derive(Clone)]
pub struct Door {
    engine: Arc<Engine>,
    secret: SecretText,
}

/// Answers what other nodes ask.
#[derive(Clone)]
struct ForwardRoutes(Router);

impl Answers for ForwardRoutes {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        match self.0.clone().oneshot(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl Door {
    /// Opened with a secret that all nodes know.
    pub fn new(engine: Arc<Engine>, secret: SecretText) -> Self {
        Self { engine, secret }
    }

    /// Serves until the switch ends: other nodes need it while this one drains, too. Run as a
    /// critical task.
    ///
    /// Where there is no room, an idle connection is closed for the new one, or the new one is.
    pub async fn run(self, listener: TcpListener, admission: Arc<Admission>) {
        let tasks = self.engine.tasks.clone();
        let ending = tasks.stages().ending.clone();
        let asked = ForwardRoutes(self.routes());
        loop {
            let (socket, peer) = tokio::select! {
                () = ending.cancelled() => return,
                accepted = admission::accept(&listener, "node") => accepted,
            };
            let Some(place) = admission.admit(Kind::Peer, peer) else { continue };
            let connection = Connection {
                guard: asked.clone(),
                header_timeout: HEADER_MAX,
                stages: Stages { draining: ending.clone(), ending: ending.clone() },
                place: Some(Arc::new(place)),
            };
            tasks.service("node connection", connection.serve(socket, None));
        }
    }

    fn routes(self) -> Router {
        let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX);
        Router::new()
            .route(APPEND, post(append))
            .route(REDELIVER, post(redeliver))
            .route("/send/{participant}", post(send))
            .route("/behind/{participant}", post(send_behind))
            .route("/answer/{participant}", post(answer))
            .layer(DefaultBodyLimit::max(FRAME_LEN_MAX))
            .layer(timeout)
            .with_state(self)
    }

    /// Whether a request comes from a node of the cluster; then it holds its connection.
    fn knows(&self, path: &str, (hold, headers): (&BodyHold, &HeaderMap), body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(at), Some(mac)) = (text(proof::AT), text(proof::MAC)) else { return false };
        let is_known = proof::holds(&self.secret, (path, at, body), mac, clock::now());
        if is_known {
            hold.take_as_known();
        }
        is_known
    }
}

/// What another node hands over, opened; else why not.
fn handed(
    door: &Door,
    (way, participant): (Way, &str),
    head: (&BodyHold, &HeaderMap),
    sealed: &[u8],
) -> Result<(Arc<Iso8583Participant>, Bytes), StatusCode> {
    if !door.knows(&way.path(participant), head, sealed) {
        metrics::counter!("cauce_peer_requests_total", "result" => "unknown").increment(1);
        return Err(StatusCode::UNAUTHORIZED);
    }
    let id = ParticipantId::new(participant).map_err(|_| StatusCode::NOT_FOUND)?;
    let participants = door.engine.participants();
    let participant = participants.iso8583_by_id(id).ok_or(StatusCode::NOT_FOUND)?;
    let message = lines::open(&door.engine.sealer, sealed).ok_or(StatusCode::BAD_REQUEST)?;
    Ok((Arc::clone(participant), message))
}

/// A request that another node has no line for.
async fn send(
    State(door): State<Door>,
    Path(participant): Path<String>,
    Extension(hold): Extension<BodyHold>,
    headers: HeaderMap,
    sealed: Bytes,
) -> StatusCode {
    match handed(&door, (Way::Send, &participant), (&hold, &headers), &sealed) {
        Ok((participant, message)) => match participant.send_for_other(&message) {
            Ok(()) => StatusCode::OK,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        Err(status) => status,
    }
}

/// A reversal of another node, for the line of its request.
async fn send_behind(
    State(door): State<Door>,
    Path(participant): Path<String>,
    Extension(hold): Extension<BodyHold>,
    headers: HeaderMap,
    sealed: Bytes,
) -> StatusCode {
    match handed(&door, (Way::Behind, &participant), (&hold, &headers), &sealed) {
        Ok((participant, message)) => lines::status_of(participant.send_behind_for_other(&message)),
        Err(status) => status,
    }
}

/// An answer to a request of this node that came in at another.
async fn answer(
    State(door): State<Door>,
    Path(participant): Path<String>,
    Extension(hold): Extension<BodyHold>,
    headers: HeaderMap,
    sealed: Bytes,
) -> StatusCode {
    let handed = handed(&door, (Way::Answer, &participant), (&hold, &headers), &sealed);
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
    participant: Arc<Iso8583Participant>,
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
async fn redeliver(
    State(door): State<Door>,
    Extension(hold): Extension<BodyHold>,
    headers: HeaderMap,
    notices: Bytes,
) -> StatusCode {
    if !door.knows(REDELIVER, (&hold, &headers), &notices) {
        metrics::counter!("cauce_peer_requests_total", "result" => "unknown").increment(1);
        return StatusCode::UNAUTHORIZED;
    }
    let Some(redelivery) = read_redelivery(&notices) else { return StatusCode::BAD_REQUEST };
    let endpoint = redelivery.endpoint;
    match door.engine.store.redeliver_here(redelivery).await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            let error = storage::with_causes(&error);
            tracing::warn!(%endpoint, %error, "a redelivery asked for by another node failed");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn append(
    State(door): State<Door>,
    Extension(hold): Extension<BodyHold>,
    headers: HeaderMap,
    encoded: Bytes,
) -> Response {
    if !door.knows(APPEND, (&hold, &headers), &encoded) {
        metrics::counter!("cauce_peer_requests_total", "result" => "unknown").increment(1);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let appended = door.engine.store.append_encoded(&encoded).await;
    let result = if appended.is_ok() { "ok" } else { "refused" };
    metrics::counter!("cauce_peer_requests_total", "result" => result).increment(1);
    match appended {
        Ok(appended) => appended.to_bytes().into_response(),
        Err(error @ (StoreError::Illegal(_) | StoreError::EntryDiffers { .. })) => {
            (StatusCode::CONFLICT, error.to_string()).into_response()
        }
        Err(StoreError::StaleVersion(stale)) => {
            (StatusCode::PRECONDITION_FAILED, stale_text(&stale)).into_response()
        }
        Err(error @ StoreError::UnknownPayment(_)) => {
            (StatusCode::NOT_FOUND, error.to_string()).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}
