//! The JSON API over HTTP, on an accept loop of its own: every connection has a deadline for its
//! header, every request one for its whole, every body a ceiling, and every error is a problem
//! (RFC 9457).
//!
//! A request passes `connection`, then `guard` (deadline, panics, metrics), then `routes`,
//! which knows who asks, and ends in `payments`, `endpoints` or `notices`.

mod answer;
mod asked;
mod caller;
pub(crate) mod connection;
mod endpoints;
mod guard;
mod notices;
mod patience;
mod payments;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use self::connection::Connection;
use self::guard::Guard;
use crate::config::HttpConfig;
use crate::engine::Engine;
use crate::keys::Keys;
use crate::notice::Notices;

/// Pause after a connection could not be accepted, so that a want of file handles does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

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
    /// Time for a whole request.
    request_timeout: Duration,
}

impl Api {
    /// The API of an engine.
    pub fn new(engine: Arc<Engine>, keys: Arc<Keys>, notices: Arc<Notices>) -> Self {
        Self { engine, keys, notices }
    }
}

/// Accepts connections until the switch drains. Run as a critical task.
///
/// Above `connections_max` new connections wait in the kernel's backlog.
pub async fn run(api: Api, listener: TcpListener, config: HttpConfig, tls: Option<TlsAcceptor>) {
    let tasks = api.engine.tasks.clone();
    let limits = Limits {
        body_bytes_max: config.body_bytes_max,
        request_timeout: Duration::from_millis(config.request_timeout_ms),
    };
    let guard = Guard::new(routes::router(api, limits), limits);
    let places = Arc::new(Semaphore::new(config.connections_max));
    let draining = tasks.stages().draining.clone();
    loop {
        let accepted = tokio::select! {
            () = draining.cancelled() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        let (socket, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = Connection {
            guard: guard.clone(),
            header_timeout: config.header_timeout,
            stages: tasks.stages().clone(),
        };
        let tls = tls.clone();
        tasks.service("http connection", async move {
            connection.serve(socket, tls).await;
            drop(place);
        });
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.expect("invariant: the places are never closed");
    let (socket, _) = listener.accept().await?;
    Ok((socket, place))
}
