//! The JSON API over HTTP, on an accept loop of its own: every connection has a deadline for its
//! header, every request one for its whole, every body a ceiling, and every error is a problem
//! (RFC 9457).
//!
//! A request passes `connection`, then `guard` (id, deadline, panics, metrics), then `routes`, and
//! ends in a handler of `payments`, `bills`, `endpoints`, `notices`, `events`, `keys` or
//! `pages`. Handlers take what they need
//! by type: `principal` knows who asks, `extract` and `query` read the rest. `document` is derived
//! from the handlers.

mod answer;
mod asked;
mod bank_notifications;
mod bills;
mod body;
pub(crate) mod connection;
mod document;
mod endpoints;
mod event_stream;
mod event_streams;
mod events;
mod extract;
mod guard;
mod keys;
mod later;
mod notices;
mod pages;
mod payment_answer;
mod payments;
mod principal;
mod query;
mod rate_limit;
mod refused_confirmation;
mod request_notes;
mod routes;
mod statement;
mod write_deadline;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use self::connection::Connection;
use self::document::Document;
use self::event_streams::EventStreams;
use self::guard::Guard;
use self::rate_limit::RateLimit;
use self::routes::Shared;
use crate::adapter::iso8583::tls::ListenerTls;
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

/// The OpenAPI document of the API.
pub(crate) fn openapi() -> &'static str {
    Document::get().json()
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
    tls: Option<Arc<ListenerTls>>,
    admission: Arc<Admission>,
) {
    let tasks = api.engine.tasks.clone();
    let limits = Limits {
        body_bytes_max: config.body_bytes_max,
        body_timeout: config.body_timeout,
        request_timeout: Duration::from_millis(config.request_timeout_ms),
    };
    bills::batch::resume(&api);
    let rate_limit = config.requests_per_second_per_key_max.map(RateLimit::new).map(Arc::new);
    let streams = EventStreams::new(config.event_streams);
    let guard = Guard::new(routes::router(Shared { api, limits, rate_limit, streams }), limits);
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
        tasks.service(
            "http connection",
            connection.serve(socket, tls.as_deref().map(ListenerTls::acceptor)),
        );
    }
}
