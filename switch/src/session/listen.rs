//! The listener: participants that connect to us.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use router::id::ParticipantId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Caller, Session};
use crate::adapter::iso8583::line::{Backlog, Line, LineIdentity, write_out};
use crate::adapter::iso8583::tls::{self, ListenerTls};
use crate::admission::{self, Admission, Kind, Place};
use crate::config::Iso8583Config;
use crate::engine::Engine;

/// How lines are accepted at one address.
#[derive(Clone)]
pub struct Door {
    /// Time-outs and ceilings.
    pub limits: Arc<Iso8583Config>,
    /// None for plain TCP.
    pub tls: Option<Arc<ListenerTls>>,
    /// Whose address it is; none means everybody's who has no address of its own.
    pub owner: Option<ParticipantId>,
    /// Cancelled when nobody is to call here any more.
    pub closed: CancellationToken,
    /// Where each line gets its place.
    pub admission: Arc<Admission>,
}

/// Accepts lines until the address is closed or the switch drains. Run as a critical task.
pub async fn run(engine: Arc<Engine>, listener: TcpListener, door: Door) {
    loop {
        let (socket, peer) = tokio::select! {
            () = engine.tasks.stages().draining.cancelled() => return,
            () = door.closed.cancelled() => return,
            accepted = admission::accept(&listener, "line") => accepted,
        };
        let Some(place) = door.admission.admit(Kind::Line, peer) else {
            metrics::counter!("cauce_lines_refused_total", "why" => "too_many").increment(1);
            continue;
        };
        let (owned, door) = (Arc::clone(&engine), door.clone());
        engine.tasks.service("line", serve(owned, socket, (peer, place), door));
    }
}

async fn serve(
    engine: Arc<Engine>,
    socket: TcpStream,
    (peer, place): (SocketAddr, Place),
    door: Door,
) {
    let accepted_at = Instant::now();
    socket.set_nodelay(true).ok();
    tracing::debug!(peer = %place.address(), "line accepted");
    let owner = match door.owner {
        None => None,
        Some(owner) => match engine.participants().iso8583_by_id(owner) {
            Some(owner) => Some(Arc::clone(owner)),
            // It was taken out of the configuration a moment ago.
            None => return refused("not_configured"),
        },
    };
    let caller = |certificate, place| Caller {
        peer: Some(peer),
        owner,
        certificate,
        place: Some(Arc::new(place)),
        accepted_at: Some(accepted_at),
    };
    let Some(acceptor) = door.tls.as_ref().map(|tls| tls.acceptor()) else {
        return converse(engine, socket, door, caller(None, place)).await;
    };
    let sign_on_by = accepted_at + door.limits.sign_on_timeout;
    let secured = tokio::select! {
        () = place.closed().cancelled() => return refused("displaced"),
        secured = timeout_at(sign_on_by, acceptor.accept(socket)) => secured,
    };
    match secured {
        Ok(Ok(socket)) => {
            let certificate = tls::peer_fingerprint(socket.get_ref().1);
            converse(engine, socket, door, caller(certificate, place)).await;
        }
        Ok(Err(error)) => {
            refused("tls");
            if let Some(left_out) = place.may_log() {
                let peer = place.address();
                tracing::warn!(%peer, %error, left_out, "TLS handshake failed");
            }
        }
        Err(_) => refused("tls_timeout"),
    }
}

fn refused(why: &'static str) {
    metrics::counter!("cauce_lines_refused_total", "why" => why).increment(1);
}

async fn converse(
    engine: Arc<Engine>,
    socket: impl AsyncRead + AsyncWrite + Send + 'static,
    door: Door,
    caller: Caller,
) {
    let (reader, writer) = tokio::io::split(socket);
    let limits = door.limits;
    let own = caller.owner.as_ref().map(|owner| &owner.config);
    let framing = own.and_then(|own| own.framing.as_ref()).unwrap_or(&limits.framing).clone();
    let backlog = Backlog::new(limits.in_flight_max, limits.queued_bytes_max);
    let message_format = own.and_then(|own| own.message_format.clone());
    let owner = caller.owner.as_ref().map(|owner| OnceLock::from(owner.id()));
    let identity = LineIdentity {
        peer: caller.peer,
        participant: owner.unwrap_or_default(),
        trace: Some(Arc::clone(&engine.line_trace)),
    };
    let (line, outgoing) = Line::new(framing, message_format, backlog, identity);
    let write_timeout = limits.write_timeout;
    // The connection takes its place until both its halves are closed.
    let place = caller.place.clone();
    engine.tasks.service("line writer", async move {
        write_out(outgoing, writer, write_timeout).await;
        drop(place);
    });
    let mut session = Session::accepted(engine, Arc::new(line), limits, caller);
    let closed = session.read(reader).await;
    session.end(&closed);
}
