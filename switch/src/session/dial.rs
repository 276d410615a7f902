//! Lines we open to participants: connect, sign on, test, and connect again when they fall.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use codecs::iso8583::cauce87;
use router::message::NetworkKind;
use storage::Backoff;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Closed, Session};
use crate::adapter::iso8583::in_flight::{Expected, RequestKind};
use crate::adapter::iso8583::line::{Backlog, Line, LineIdentity, write_out};
use crate::adapter::iso8583::{Iso8583Participant, tls};
use crate::clock;
use crate::config::{ConnectConfig, Iso8583Config};
use crate::engine::Engine;
use crate::outbound;

/// Keeps one line to a participant open until its configuration is retired or the switch ends. Run
/// as a service task.
pub async fn keep(
    engine: Arc<Engine>,
    participant: Arc<Iso8583Participant>,
    reach: ConnectConfig,
    limits: Arc<Iso8583Config>,
) {
    let (ending, retired) = (participant.ending().clone(), participant.retired().clone());
    let mut backoff = Backoff::between(reach.reconnect_min, reach.reconnect_max);
    while !ending.is_cancelled() && !retired.is_cancelled() {
        // Not cut off when the switch ends: the line notices itself, and must be taken off its
        // participant.
        if open(&engine, &participant, &reach, &limits).await {
            backoff.reset();
        }
        metrics::counter!("cauce_reconnects_total", "participant" => participant.id().to_string())
            .increment(1);
        tokio::select! {
            () = ending.cancelled() => return,
            () = retired.cancelled() => return,
            // So that lines do not come back in step.
            () = tokio::time::sleep(backoff.spread_pause(rand::random())) => {}
        }
    }
}

/// Opens one line and stays with it until it ends; tells whether it had signed on.
async fn open(
    engine: &Arc<Engine>,
    participant: &Arc<Iso8583Participant>,
    reach: &ConnectConfig,
    limits: &Arc<Iso8583Config>,
) -> bool {
    let id = participant.id();
    let connecting =
        tokio::time::timeout(limits.sign_on_timeout, outbound::to_host(&reach.address));
    let connected = tokio::select! {
        () = participant.retired().cancelled() => return false,
        () = participant.ending().cancelled() => return false,
        connected = connecting => connected,
    };
    let socket = match connected {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => {
            tracing::warn!(participant = id.as_str(), address = %reach.address, %error, "cannot connect");
            return false;
        }
        Err(_) => {
            tracing::warn!(participant = id.as_str(), address = %reach.address, "connecting takes too long");
            return false;
        }
    };
    socket.set_nodelay(true).ok();
    let peer = socket.peer_addr().ok();
    let Some(files) = &reach.tls else {
        return converse(engine, participant, reach, limits, (peer, socket)).await;
    };
    let secured = match tls::connect(files, socket) {
        Ok(handshake) => tokio::time::timeout(limits.sign_on_timeout, handshake).await,
        Err(error) => {
            tracing::error!(participant = id.as_str(), %error, "TLS files cannot be used");
            return false;
        }
    };
    match secured {
        Ok(Ok(socket)) => converse(engine, participant, reach, limits, (peer, socket)).await,
        Ok(Err(error)) => {
            tracing::warn!(participant = id.as_str(), %error, "TLS handshake failed");
            false
        }
        Err(_) => false,
    }
}

async fn converse(
    engine: &Arc<Engine>,
    participant: &Arc<Iso8583Participant>,
    reach: &ConnectConfig,
    limits: &Arc<Iso8583Config>,
    (peer, socket): (Option<SocketAddr>, impl AsyncRead + AsyncWrite + Send + 'static),
) -> bool {
    let (reader, writer) = tokio::io::split(socket);
    let config = &participant.config;
    let framing = config.framing.as_ref().unwrap_or(&limits.framing).clone();
    let backlog = Backlog::new(limits.in_flight_max, limits.queued_bytes_max);
    let identity = LineIdentity {
        peer,
        participant: OnceLock::from(participant.id()),
        trace: Some(Arc::clone(&engine.line_trace)),
    };
    let (line, outgoing) = Line::new(framing, config.message_format.clone(), backlog, identity);
    let line = Arc::new(line);
    engine.tasks.service("line writer", write_out(outgoing, writer, limits.write_timeout));
    let mut session = Session::opened(
        Arc::clone(engine),
        Arc::clone(&line),
        Arc::clone(limits),
        Arc::clone(participant),
    );
    let closed = tokio::select! {
        closed = session.read(reader) => closed,
        closed = stay_signed_on(participant, &line, reach) => closed,
    };
    let was_signed_on = line.is_signed_on();
    session.end(&closed);
    was_signed_on
}

/// Signs on, then tests the line at each interval; comes back only when the line is no good.
async fn stay_signed_on(
    participant: &Arc<Iso8583Participant>,
    line: &Arc<Line>,
    reach: &ConnectConfig,
) -> Closed {
    let patience = Duration::from_millis(participant.config.response_timeout_ms);
    if !say(participant, line, NetworkKind::SignOn).await {
        return Closed::NoSignOn(patience);
    }
    line.set_signed_on(true);
    participant.attach(Arc::clone(line));
    tracing::info!(participant = participant.id().as_str(), line = line.number(), "signed on");
    loop {
        tokio::time::sleep(reach.echo_interval).await;
        if !say(participant, line, NetworkKind::Echo).await {
            return Closed::Idle(patience);
        }
    }
}

/// Says a network management request on one line; true when it was answered 00.
async fn say(participant: &Arc<Iso8583Participant>, line: &Arc<Line>, kind: NetworkKind) -> bool {
    let transmitted_at = clock::transmission_time(clock::now());
    let expected = Expected { kind: RequestKind::Network, transmitted_at, folio: None };
    let Some(claim) = participant.in_flight().claim(expected) else {
        // So much is open that the line lives; but nobody is signed on by having no room to ask.
        return kind != NetworkKind::SignOn;
    };
    let speaker = participant.speaker();
    let (acquirer, stan) = (speaker.acquirer_id, claim.stan());
    let message = speaker
        .message(|out| cauce87::network_request(kind, stan, &transmitted_at, &acquirer, out))
        .expect("invariant: a network management request fits its own dialect");
    claim.expect_on(line.number(), &message);
    if line.send_now(message, claim.deadline()).is_err() {
        return false;
    }
    let answer = claim.answer().await;
    let accepted = matches!(&answer, Ok(heard) if heard.answer.de39 == *b"00");
    if !accepted {
        let de39 = answer
            .as_ref()
            .map_or("-".into(), |heard| heard.answer.de39.escape_ascii().to_string());
        let peer = line.identity().peer.map(tracing::field::display);
        tracing::warn!(
            participant = participant.id().as_str(),
            peer,
            kind = kind.code(),
            de39,
            "network management request refused or not answered"
        );
    }
    accepted
}
