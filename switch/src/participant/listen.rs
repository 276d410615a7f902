//! The listener: participants that connect to us.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::line::{Line, write_out};
use super::session::Session;
use crate::config::Iso8583Config;
use crate::engine::Engine;

/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Accepts lines until the switch drains. Run as a critical task.
pub async fn run(
    engine: Arc<Engine>,
    listener: TcpListener,
    limits: Arc<Iso8583Config>,
    tls: Option<TlsAcceptor>,
) {
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
        let (owned, limits, tls) = (Arc::clone(&engine), Arc::clone(&limits), tls.clone());
        engine.tasks.service("line", async move {
            serve(owned, socket, peer, limits, tls).await;
            drop(place);
        });
    }
}

async fn serve(
    engine: Arc<Engine>,
    socket: TcpStream,
    peer: SocketAddr,
    limits: Arc<Iso8583Config>,
    tls: Option<TlsAcceptor>,
) {
    socket.set_nodelay(true).ok();
    tracing::debug!(%peer, "line accepted");
    let Some(acceptor) = tls else {
        return converse(engine, socket, limits, None).await;
    };
    match tokio::time::timeout(limits.sign_on_timeout, acceptor.accept(socket)).await {
        Ok(Ok(socket)) => {
            let certificate = super::tls::peer_fingerprint(socket.get_ref().1);
            converse(engine, socket, limits, certificate).await;
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
    limits: Arc<Iso8583Config>,
    certificate: Option<[u8; 32]>,
) {
    let (reader, writer) = tokio::io::split(socket);
    let (line, outgoing) = Line::new(limits.framing.clone());
    let write_timeout = limits.write_timeout;
    engine.tasks.service("line writer", write_out(outgoing, writer, write_timeout));
    let mut session = Session::accepted(engine, Arc::new(line), limits, certificate);
    let closed = session.read(reader).await;
    session.end(&closed);
}
