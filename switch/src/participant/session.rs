//! What is said on one line: sign-on, requests, answers – in both directions.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use codecs::frame::{Frame, FrameError, Header, Received};
use codecs::iso8583::cauce87::{self, Fault, MapError, Repeat, Wire, WireKind};
use router::id::ParticipantId;
use router::message::{Message, NetworkKind};
use router::reason::Reason;
use router::text::Text;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Semaphore;
use tokio_util::codec::Decoder;

use super::line::{Line, Outbound};
use super::wording::{Unread, Wording};
use super::{Participant, key_exchange};
use crate::config::Iso8583Config;
use crate::engine::Engine;
use crate::payment::OnRepeat;
use crate::respond::Asked;
use crate::{late, payment, respond, reversal};

/// First size of a line's read buffer, and how much room each read has at least.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Why a line ended.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// The peer closed it.
    #[error("closed by the peer")]
    ByPeer,
    /// The switch is stopping.
    #[error("the switch is stopping")]
    Stopping,
    /// The peer does not take what we write.
    #[error("what we write is not taken")]
    NotReading,
    /// Nothing came for too long.
    #[error("no byte for {} s", .0.as_secs())]
    Idle(Duration),
    /// A frame began and never ended.
    #[error("a frame that began did not end within {} s", .0.as_secs())]
    HalfFrame(Duration),
    /// The peer did not sign on in time.
    #[error("no sign-on within {} s", .0.as_secs())]
    NoSignOn(Duration),
    /// The bytes are no frames, or a frame is too long.
    #[error("bad frame")]
    Frame(#[from] FrameError),
    /// Reading failed.
    #[error("cannot read")]
    Read(#[from] std::io::Error),
}

impl Closed {
    /// The name used in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ByPeer => "by_peer",
            Self::Stopping => "stopping",
            Self::NotReading => "not_reading",
            Self::Idle(_) => "idle",
            Self::HalfFrame(_) => "half_frame",
            Self::NoSignOn(_) => "no_sign_on",
            Self::Frame(_) => "bad_frame",
            Self::Read(_) => "read_error",
        }
    }
}

/// One line being read.
pub struct Session {
    engine: Arc<Engine>,
    line: Arc<Line>,
    limits: Arc<Iso8583Config>,
    permits: Arc<Semaphore>,
    participant: Option<Arc<Participant>>,
    caller: Caller,
}

/// What is known of who called us, before its sign-on.
#[derive(Debug, Default)]
pub struct Caller {
    /// Whose address it called; none where it is everybody's.
    pub owner: Option<Arc<Participant>>,
    /// The certificate it showed.
    pub certificate: Option<[u8; 32]>,
}

/// A message that came in.
struct Heard {
    header: Option<Header>,
    /// In the switch's own format.
    bytes: Bytes,
    /// As it came, on a line with a wording of its own.
    wire: Option<Bytes>,
}

impl Session {
    /// A line that was accepted; its participant is told by its sign-on.
    pub fn accepted(
        engine: Arc<Engine>,
        line: Arc<Line>,
        limits: Arc<Iso8583Config>,
        caller: Caller,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(limits.in_flight_max));
        Self { engine, line, limits, permits, participant: None, caller }
    }

    /// A line that we opened to a participant.
    pub fn opened(
        engine: Arc<Engine>,
        line: Arc<Line>,
        limits: Arc<Iso8583Config>,
        participant: Arc<Participant>,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(limits.in_flight_max));
        let caller = Caller::default();
        Self { engine, line, limits, permits, participant: Some(participant), caller }
    }

    /// Reads the line until it ends, and says why it ended. Not cancel-safe.
    pub async fn read(&mut self, mut socket: impl AsyncRead + Unpin) -> Closed {
        let mut framer = self.line.framer().clone();
        let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
        loop {
            loop {
                match framer.decode(&mut buffer) {
                    Ok(Some(Received::Message(frame))) => self.take(frame).await,
                    // A line that has ended is noticed where it is read.
                    Ok(Some(Received::KeepAlive)) => {
                        self.line.send_keep_alive().await.ok();
                    }
                    Ok(None) => break,
                    Err(error) => return Closed::Frame(error),
                }
            }
            if let Err(closed) = self.fill(&mut buffer, &mut socket).await {
                return closed;
            }
        }
    }

    /// Ends the line: nobody sends on it any more, what was open on it is given up.
    pub fn end(&self, closed: &Closed) {
        self.line.set_signed_on(false);
        metrics::counter!("cauce_lines_closed_total", "why" => closed.name()).increment(1);
        let participant = self.participant.as_ref().map(|participant| participant.id());
        tracing::info!(
            line = self.line.number(),
            participant = participant.as_ref().map_or("-", |id| id.as_str()),
            why = %crate::log::chain(closed),
            "line ended"
        );
        if let Some(participant) = &self.participant {
            participant.detach(&self.line);
        }
    }

    async fn fill(
        &self,
        buffer: &mut BytesMut,
        socket: &mut (impl AsyncRead + Unpin),
    ) -> Result<(), Closed> {
        let unsigned = self.participant.is_none();
        let (limit, late): (Duration, fn(Duration) -> Closed) = if !buffer.is_empty() {
            (self.limits.partial_frame_timeout, Closed::HalfFrame)
        } else if unsigned {
            (self.limits.sign_on_timeout, Closed::NoSignOn)
        } else {
            (self.limits.idle_timeout, Closed::Idle)
        };
        buffer.reserve(READ_BUFFER_BYTES / 4);
        let read = tokio::select! {
            read = tokio::time::timeout(limit, socket.read_buf(buffer)) => read,
            () = self.engine.tasks.stages().ending.cancelled() => return Err(Closed::Stopping),
            () = self.line.ended() => return Err(Closed::NotReading),
        };
        match read {
            Err(_) => Err(late(limit)),
            Ok(Ok(0)) => Err(Closed::ByPeer),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Closed::Read(error)),
        }
    }

    async fn take(&mut self, frame: Frame) {
        let Frame { header, body } = frame;
        if let Some(rejected) = header.as_ref().filter(|header| header.is_rejected()) {
            // Our own message, sent back: nobody is answered, and its asker's time runs out.
            let code = rejected.reject_code();
            tracing::warn!(line = self.line.number(), code, "the network rejected a message");
            metrics::counter!("cauce_messages_refused_total", "why" => "rejected").increment(1);
            return;
        }
        let mut heard = Heard { header, bytes: body, wire: None };
        if let Some(wording) = self.line.wording() {
            let (bytes, read) = wording.read(&heard.bytes);
            heard.wire = Some(std::mem::replace(&mut heard.bytes, bytes));
            if let Err(unread) = read {
                return self.unread(&heard, &unread).await;
            }
        }
        let wire = match cauce87::read(&heard.bytes) {
            Ok(wire) => wire,
            Err(error) => return self.unread(&heard, &Unread::Garbled(error)).await,
        };
        match wire.kind {
            WireKind::PaymentAnswer
            | WireKind::AdviceAnswer
            | WireKind::ReversalAnswer { .. }
            | WireKind::NetworkAnswer => self.answered(&wire, &heard.bytes),
            WireKind::NetworkRequest => self.network(&wire, &heard).await,
            WireKind::PaymentRequest { .. }
            | WireKind::InquiryRequest { .. }
            | WireKind::AdviceRequest { .. }
            | WireKind::ReversalRequest { .. }
            | WireKind::Unsupported { .. } => self.asked(wire, heard).await,
        }
    }

    /// An answer to something we asked.
    fn answered(&self, wire: &Wire, bytes: &Bytes) {
        let Some(participant) = &self.participant else {
            metrics::counter!("cauce_messages_refused_total", "why" => "before_sign_on")
                .increment(1);
            return;
        };
        match cauce87::participant_answer(wire, bytes) {
            Ok(answer) => {
                if let Err(unmatched) = participant.in_flight().answer(wire.kind, answer) {
                    late::record(&self.engine, participant, wire.kind, unmatched);
                }
            }
            Err(error) => {
                tracing::warn!(participant = %participant.id(), %error, "answer not understood");
                metrics::counter!("cauce_messages_refused_total", "why" => "bad_answer")
                    .increment(1);
            }
        }
    }

    /// A request of the participant.
    async fn asked(&self, wire: Wire, heard: Heard) {
        let signed_on = self.participant.as_ref().filter(|_| self.line.is_signed_on());
        let Some(participant) = signed_on else {
            metrics::counter!("cauce_messages_refused_total", "why" => "before_sign_on")
                .increment(1);
            return self.say(&wire, &heard, Reason::OperatorUnauthorised).await;
        };
        let is_new = matches!(wire.kind, WireKind::PaymentRequest { repeat: Repeat::First });
        let is_draining = self.engine.tasks.stages().draining.is_cancelled();
        if is_draining && is_new {
            return self.say(&wire, &heard, Reason::IssuerUnavailable).await;
        }
        let message = match cauce87::to_message(&wire, &heard.bytes, participant.id()) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(participant = %participant.id(), %error, "message refused");
                let code = error.reason.info().code;
                metrics::counter!("cauce_messages_refused_total", "why" => code).increment(1);
                return self.fault(&heard, error).await;
            }
        };
        // Never wait here: behind this request come answers that others wait for.
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            metrics::counter!("cauce_messages_refused_total", "why" => "too_many").increment(1);
            // Nobody is told a decline of what may have been approved: repeats come again.
            if is_new {
                self.say(&wire, &heard, Reason::RateLimited).await;
            }
            return;
        };
        let (engine, line) = (Arc::clone(&self.engine), Arc::clone(&self.line));
        let wire = Box::new(wire);
        self.engine.tasks.payment(async move {
            let told = work(&engine, message, is_draining).await;
            let mut out = BytesMut::with_capacity(256);
            respond::iso8583(&Asked { wire: &wire, bytes: &heard.bytes }, &told, &mut out);
            reply(&line, heard.header.as_ref(), out).await;
            drop(permit);
        });
    }

    /// Sign-on, sign-off, echo, cut-over, key change.
    async fn network(&mut self, wire: &Wire, heard: &Heard) {
        // Who speaks is told by the message itself; before sign-on there is nobody else to name.
        let request = match cauce87::to_message(wire, &heard.bytes, ParticipantId(Text::EMPTY)) {
            Ok(Message::Network(request)) => request,
            Ok(Message::Payment(_) | Message::Reversal(_) | Message::Inquiry(_)) => return,
            Err(error) => return self.fault(heard, error).await,
        };
        let reason = match request.kind {
            NetworkKind::SignOn => match self.bind(&request.acquirer) {
                Ok(()) => Reason::Approved,
                Err(reason) => reason,
            },
            NetworkKind::SignOff => {
                self.line.set_signed_on(false);
                Reason::Approved
            }
            NetworkKind::Echo | NetworkKind::CutOver if self.participant.is_some() => {
                Reason::Approved
            }
            NetworkKind::Echo | NetworkKind::CutOver => Reason::OperatorUnauthorised,
            NetworkKind::KeyChange => return self.change_key(wire, heard).await,
        };
        self.say(wire, heard, reason).await;
    }

    /// Takes a new key in, answers under the old one, and uses the new one from then on.
    async fn change_key(&self, wire: &Wire, heard: &Heard) {
        let bound = self.participant.as_ref().zip(self.line.wording().zip(heard.wire.as_ref()));
        let agreed = bound.and_then(|(participant, said)| {
            Some((participant.id(), participant.config.key_exchange.as_ref()?, said))
        });
        let Some((participant, exchange, (wording, came))) = agreed else {
            return self.say(wire, heard, Reason::ServiceNotEnabled).await;
        };
        match exchange.import(wording, came) {
            Ok(check_value) => {
                self.say(wire, heard, Reason::Approved).await;
                tracing::info!(%participant, key = %exchange.key, %check_value, "key changed");
                key_exchange::activate(&self.engine, exchange);
            }
            Err(error) => {
                metrics::counter!("cauce_key_changes_refused_total", "why" => error.name())
                    .increment(1);
                tracing::warn!(%participant, error = %crate::log::chain(&error),
                    "key change refused");
                self.say(wire, heard, error.reason()).await;
            }
        }
    }

    /// Binds an accepted line to the participant its sign-on names.
    fn bind(&mut self, acquirer_id: &Text<11>) -> Result<(), Reason> {
        let named = self.engine.participants.by_acquirer(acquirer_id);
        let participant = match (&self.participant, named) {
            (None, Some(named)) if self.is_at_its_address(named) => Arc::clone(named),
            (Some(bound), Some(named)) if bound.id() == named.id() => {
                self.line.set_signed_on(true);
                return Ok(());
            }
            (Some(bound), _) if bound.config.acquirer_id.is_none() => {
                self.line.set_signed_on(true);
                return Ok(());
            }
            _ => return Err(Reason::OperatorUnauthorised),
        };
        let wanted = participant.config.certificate_sha256;
        if wanted.is_some() && wanted != self.caller.certificate {
            tracing::warn!(participant = %participant.id(), "sign-on with another certificate");
            return Err(Reason::OperatorUnauthorised);
        }
        tracing::info!(participant = %participant.id(), line = self.line.number(), "signed on");
        self.line.set_signed_on(true);
        participant.attach(Arc::clone(&self.line));
        self.participant = Some(participant);
        Ok(())
    }

    /// Whether a participant may sign on where this line was accepted: at its own address, where it
    /// has one, for there its wording and its keys are known before it speaks.
    fn is_at_its_address(&self, named: &Participant) -> bool {
        let is_there = match &self.caller.owner {
            Some(owner) => owner.id() == named.id(),
            None => named.config.listen.is_none() && named.config.wording.is_none(),
        };
        if !is_there {
            tracing::warn!(participant = %named.id(), "sign-on at another's address");
        }
        is_there
    }

    /// Answers with a reason and nothing else.
    async fn say(&self, wire: &Wire, heard: &Heard, reason: Reason) {
        let mut out = BytesMut::with_capacity(128);
        respond::iso8583_reason(&Asked { wire, bytes: &heard.bytes }, reason, &mut out);
        reply(&self.line, heard.header.as_ref(), out).await;
    }

    /// A message that cannot be read, or that nobody with the right key has sent.
    async fn unread(&self, heard: &Heard, unread: &Unread) {
        let (line, why) = (self.line.number(), unread.name());
        metrics::counter!("cauce_messages_refused_total", "why" => why).increment(1);
        match unread {
            Unread::Garbled(error) => tracing::debug!(line, %error, "message refused"),
            Unread::Unauthentic { .. } => {
                let participant = self.participant.as_ref().map(|participant| participant.id());
                let participant = participant.as_ref().map_or("-", |id| id.as_str());
                tracing::warn!(line, participant, why, "message with no right MAC refused");
            }
        }
        self.answer_fault(heard, unread).await;
    }

    /// Answers a message that makes no sense, with the place of it in what came.
    async fn fault(&self, heard: &Heard, error: MapError) {
        let place = |(wording, wire): (&Wording, &Bytes)| wording.offset_of(wire, error.field);
        let offset = self.line.wording().zip(heard.wire.as_ref()).map_or(error.offset, place);
        self.answer_fault(heard, &MapError { offset, ..error }).await;
    }

    /// Answers a message that could not be understood, as far as it could be read.
    async fn answer_fault(&self, heard: &Heard, fault: impl Into<Fault>) {
        let mut out = BytesMut::with_capacity(128);
        if cauce87::format_error_answer(&heard.bytes, fault, &mut out) {
            reply(&self.line, heard.header.as_ref(), out).await;
        }
    }
}

/// Sends an answer back to where the request came from, where there is one.
async fn reply(line: &Line, header: Option<&Header>, answer: BytesMut) {
    if answer.is_empty() {
        return;
    }
    let answer = Outbound { header: header.map(Header::reply), body: answer.freeze() };
    if line.send(answer).await.is_err() {
        metrics::counter!("cauce_answers_undelivered_total").increment(1);
    }
}

/// Does what a message asks.
async fn work(engine: &Arc<Engine>, message: Message, is_draining: bool) -> respond::Told {
    match message {
        // A repeat while we drain: its stored answer, but no new payment.
        Message::Payment(request) if is_draining => {
            Box::pin(payment::stored(engine, request)).await
        }
        Message::Payment(request) => payment::process(engine, request, OnRepeat::Wait).await,
        // The rare ones on the heap, so that the common one makes a small task.
        Message::Reversal(request) => Box::pin(reversal::asked(engine, &request)).await,
        Message::Inquiry(request) => Box::pin(payment::inquire(engine, &request)).await,
        Message::Network(_) => respond::Told::refused(Reason::SystemError),
    }
}
