//! The JSON API over HTTP, on an accept loop of its own: every connection has a deadline for its
//! header, every request one for its whole, every body a ceiling, and every error is a problem
//! (RFC 9457).
//!
//! A request passes `connection`, then `guard` (deadline, panics, metrics), then `routes`,
//! which knows who asks, and ends in `payments`, `endpoints` or `notices`.

mod answer;
mod asked;
mod body;
mod caller;
pub(crate) mod connection;
mod endpoints;
mod guard;
mod notices;
mod payments;
mod routes;
mod write_deadline;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use self::connection::Connection;
use self::guard::Guard;
use crate::admission::{self, Admission, Kind};
use crate::config::HttpConfig;
use crate::engine::Engine;
use crate::keys::Keys;
use crate::notice::Notices;

/// What the API works with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    engine: Arc<Engine>,
    keys: Arc<Keys>,
    notices: Arc<Notices>,
}

/// The ceilings of one request.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Largest body, in bytes.
    body_bytes_max: usize,
    /// Time for a request's body.
    body_timeout: Duration,
    /// Time for a whole request.
    request_timeout: Duration,
}

impl Api {
    /// The API of an engine.
    pub fn new(engine: Arc<Engine>, keys: Arc<Keys>, notices: Arc<Notices>) -> Self {
        Self { engine, keys, notices }
    }
}

/// The routes by their names in metrics; `none` is a request that no route answered.
pub(crate) fn route_names() -> Vec<&'static str> {
    routes::paths().chain([guard::NO_ROUTE]).collect()
}

/// Accepts connections until the switch drains. Run as a critical task.
///
/// Where there is no room, an idle connection is closed for the new one, or the new one is closed.
pub async fn run(
    api: Api,
    listener: TcpListener,
    config: HttpConfig,
    tls: Option<TlsAcceptor>,
    admission: Arc<Admission>,
) {
    let tasks = api.engine.tasks.clone();
    let limits = Limits {
        body_bytes_max: config.body_bytes_max,
        body_timeout: config.body_timeout,
        request_timeout: Duration::from_millis(config.request_timeout_ms),
    };
    let guard = Guard::new(routes::router(api, limits), limits);
    let draining = tasks.stages().draining.clone();
    loop {
        let (socket, peer) = tokio::select! {
            () = draining.cancelled() => return,
            accepted = admission::accept(&listener, "http") => accepted,
        };
        let Some(place) = admission.admit(Kind::Http, peer) else { continue };
        let connection = Connection {
            guard: guard.clone(),
            header_timeout: config.header_timeout,
            stages: tasks.stages().clone(),
            place: Some(Arc::new(place)),
        };
        tasks.service("http connection", connection.serve(socket, tls.clone()));
    }
}
