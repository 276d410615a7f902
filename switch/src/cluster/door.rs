//! Where other nodes ask: a record for a lane that this node holds.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use storage::StoreError;
use storage_cluster::FRAME_LEN_MAX;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tower_http::timeout::TimeoutLayer;

use crate::config::SecretText;
use crate::engine::Engine;

/// Time for one request.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// The door of one node.
#[derive(Clone)]
pub struct Door {
    engine: Arc<Engine>,
    secret: SecretText,
}

impl Door {
    /// Opened with a secret that all nodes know.
    pub fn new(engine: Arc<Engine>, secret: SecretText) -> Self {
        Self { engine, secret }
    }

    /// Serves until the switch ends. Run as a critical task.
    pub async fn run(self, listener: TcpListener) {
        let ending = self.engine.tasks.stages().ending.clone();
        let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX);
        let routes = Router::new()
            .route("/append", post(append))
            .layer(DefaultBodyLimit::max(FRAME_LEN_MAX))
            .layer(timeout)
            .with_state(self);
        let served = axum::serve(listener, routes).with_graceful_shutdown(ending.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "the door for other nodes has failed");
        }
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let secret = bearer.and_then(|bearer| bearer.strip_prefix("Bearer ")).unwrap_or_default();
        secret.as_bytes().ct_eq(self.secret.expose().as_bytes()).into()
    }
}

async fn append(State(door): State<Door>, headers: HeaderMap, encoded: Bytes) -> Response {
    if !door.knows(&headers) {
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
