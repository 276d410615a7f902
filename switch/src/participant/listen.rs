//! The listener: participants that connect to us.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::Participant;
use super::line::{Line, write_out};
use super::session::{Caller, Session};
use crate::config::Iso8583Config;
use crate::engine::Engine;

/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How lines are accepted at one address.
#[derive(Clone)]
pub struct Door {
    /// Time-outs and ceilings.
    pub limits: Arc<Iso8583Config>,
    /// None for plain TCP.
    pub tls: Option<TlsAcceptor>,
    /// Whose address it is; none means everybody's who has no address of its own.
    pub owner: Option<Arc<Participant>>,
}

/// Accepts lines until the switch drains. Run as a critical task.
pub async fn run(engine: Arc<Engine>, listener: TcpListener, door: Door) {
    let limits = Arc::clone(&door.limits);
    let places = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let accepted = tokio::select! {
            () = engine.tasks.stages().draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a line could not be accepted");
                // Out of file handles, most likely: asking again at once would only spin.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics::counter!("cauce_lines_refused_total", "why" => "too_many").increment(1);
            continue;
        };
        let (owned, door) = (Arc::clone(&engine), door.clone());
        engine.tasks.service("line", async move {
            serve(owned, socket, peer, door).await;
            drop(place);
        });
    }
}

async fn serve(engine: Arc<Engine>, socket: TcpStream, peer: SocketAddr, door: Door) {
    socket.set_nodelay(true).ok();
    tracing::debug!(%peer, "line accepted");
    let Some(acceptor) = &door.tls else {
        return converse(engine, socket, door, None).await;
    };
    match tokio::time::timeout(door.limits.sign_on_timeout, acceptor.accept(socket)).await {
        Ok(Ok(socket)) => {
            let certificate = super::tls::peer_fingerprint(socket.get_ref().1);
            converse(engine, socket, door, certificate).await;
        }
        Ok(Err(error)) => {
            metrics::counter!("cauce_lines_refused_total", "why" => "tls").increment(1);
            tracing::warn!(%peer, %error, "TLS handshake failed");
        }
        Err(_) => {
            metrics::counter!("cauce_lines_refused_total", "why" => "tls_timeout").increment(1);
        }
    }
}

async fn converse(
    engine: Arc<Engine>,
    socket: impl AsyncRead + AsyncWrite + Send + 'static,
    door: Door,
    certificate: Option<[u8; 32]>,
) {
    let (reader, writer) = tokio::io::split(socket);
    let Door { limits, owner, .. } = door;
    let own = owner.as_ref().map(|owner| &owner.config);
    let framing = own.and_then(|own| own.framing.as_ref()).unwrap_or(&limits.framing).clone();
    let (line, outgoing) = Line::new(framing, own.and_then(|own| own.wording.clone()));
    let write_timeout = limits.write_timeout;
    engine.tasks.service("line writer", write_out(outgoing, writer, write_timeout));
    let caller = Caller { owner, certificate };
    let mut session = Session::accepted(engine, Arc::new(line), limits, caller);
    let closed = session.read(reader).await;
    session.end(&closed);
}
