//! What is said on one line: sign-on, requests, answers – in both directions.

mod answer;
mod closed;
pub mod dial;
pub mod key_change;
pub mod late;
pub mod lines;
pub mod listen;
mod network;
mod not_understood;
mod read_buffer;
mod reading;
mod requests;
mod slots;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use codecs::frame::{Frame, Header, UnfinishedFrame};
use codecs::iso8583::cauce87::{self, MapError, Repeat, Wire, WireKind};
use router::message::Message;
use router::reason::Reason;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::adapter::iso8583::Iso8583Participant;
use crate::adapter::iso8583::line::{Line, Outbound};
use crate::admission::Place;
use crate::config::Iso8583Config;
use crate::engine::Engine;
use crate::line_rules::message_format::Unread;
use crate::payment::OnRepeat;
use crate::respond::Reply;
use crate::{misplaced, payment, reversal};

use answer::ReceivedRequest;
pub use closed::Closed;
use late::UnmatchedAnswer;
use not_understood::{LineLog, kind_of};
use reading::LineClock;
use requests::{LineRequest, LineRequests};

/// One line being read.
pub struct Session {
    engine: Arc<Engine>,
    line: Arc<Line>,
    limits: Arc<Iso8583Config>,
    permits: Arc<Semaphore>,
    participant: Option<Arc<Iso8583Participant>>,
    caller: Caller,
    clock: LineClock,
    /// The frame that has begun and not ended.
    unfinished: Option<UnfinishedFrame>,
    log: LineLog,
    requests: OnceLock<LineRequests>,
}

/// What is known of who called us, before its sign-on.
#[derive(Debug, Default)]
pub struct Caller {
    /// Its address; none on a line that we opened.
    pub peer: Option<SocketAddr>,
    /// Whose address it called; none where it is everybody's.
    pub owner: Option<Arc<Iso8583Participant>>,
    /// The certificate it showed.
    pub certificate: Option<[u8; 32]>,
    /// Its place among the connections; none on a line that we opened.
    pub place: Option<Arc<Place>>,
    /// When the line was accepted, before its TLS handshake; none on a line that we opened.
    pub accepted_at: Option<Instant>,
}

impl Caller {
    /// Its line is a participant's from now on: it is not closed to make room for strangers.
    fn has_signed_on(&self) {
        if let Some(place) = &self.place {
            place.set_idle(false);
            place.set_known();
        }
    }
}

/// What a message of no type of the standard is told on a line without a sign-on.
const UNKNOWN_TYPE: MapError = MapError {
    reason: Reason::FormatError,
    field: 0,
    offset: 0,
    detail: "message type is not known",
};

/// What a request of a type that is not served is told there.
const UNSIGNED: MapError = MapError {
    reason: Reason::OperatorUnauthorised,
    field: 0,
    offset: 0,
    detail: "there was no sign-on on this line",
};

/// Pause between two looks whether nothing is under way on a line that is to end.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A message that came in.
struct ReceivedMessage {
    header: Option<Header>,
    /// In the switch's own format.
    bytes: Bytes,
    /// As it came, on a line with a message format of its own.
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
        let clock = LineClock::started(caller.accepted_at);
        let log = LineLog::new();
        let (participant, unfinished) = (None, None);
        let requests = OnceLock::new();
        Self {
            engine,
            line,
            limits,
            permits,
            participant,
            caller,
            clock,
            unfinished,
            log,
            requests,
        }
    }

    /// A line that we opened to a participant.
    pub fn opened(
        engine: Arc<Engine>,
        line: Arc<Line>,
        limits: Arc<Iso8583Config>,
        participant: Arc<Iso8583Participant>,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(limits.in_flight_max));
        let caller = Caller::default();
        let (clock, log) = (LineClock::started(None), LineLog::new());
        let (participant, unfinished) = (Some(participant), None);
        let requests = OnceLock::new();
        Self {
            engine,
            line,
            limits,
            permits,
            participant,
            caller,
            clock,
            unfinished,
            log,
            requests,
        }
    }

    /// Ends the line: nobody sends on it any more, what was open on it is given up.
    pub fn end(&self, closed: &Closed) {
        self.line.set_signed_on(false);
        metrics::counter!("cauce_lines_closed_total", "why" => closed.name()).increment(1);
        self.note_end(closed);
        let (line, why) = (self.line.number(), storage::with_causes(closed));
        if let Some(participant) = &self.participant {
            tracing::info!(line, participant = participant.id().as_str(), %why, "line ended");
            return participant.detach(&self.line);
        }
        if matches!(closed, Closed::Displaced) {
            self.line.give_up();
        }
        let Some(place) = &self.caller.place else { return };
        if let Some(left_out) = place.may_log() {
            let address = place.address();
            tracing::info!(line, %address, %why, left_out, "line ended without a sign-on");
        }
    }

    /// Whether the participant may as well ask another node: this one drains, and is asked alone.
    fn may_go_elsewhere(&self) -> bool {
        let only_asks = |participant: &Arc<Iso8583Participant>| {
            participant.config.reach.is_none() && participant.in_flight().is_empty()
        };
        self.engine.is_one_of_many() && self.participant.as_ref().is_some_and(only_asks)
    }

    /// Cancelled when the line ends whatever is under way.
    fn ending(&self) -> &CancellationToken {
        match &self.participant {
            Some(participant) => participant.ending(),
            None => &self.engine.tasks.stages().ending,
        }
    }

    /// Why a line has ended that ended whatever was under way.
    fn ended(&self) -> Closed {
        match &self.participant {
            Some(participant) if participant.retired().is_cancelled() => Closed::Retired,
            Some(_) | None => Closed::Stopping,
        }
    }

    /// Resolves when the configuration of the line's participant is in force no more, and nothing is
    /// under way on this line: the participant connects again, and is served by the new one.
    /// Cancel-safe.
    async fn retired(&self) {
        let Some(participant) = &self.participant else { return std::future::pending().await };
        participant.retired().cancelled().await;
        let is_idle = || {
            self.permits.available_permits() == self.limits.in_flight_max
                && participant.in_flight().is_empty()
        };
        while !is_idle() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Resolves when the switch drains, the line's participant may go elsewhere, and nothing that
    /// it asked on this line is under way. Cancel-safe.
    async fn drained(&self) {
        self.engine.tasks.stages().draining.cancelled().await;
        let all = u32::try_from(self.limits.in_flight_max).unwrap_or(u32::MAX);
        if !self.may_go_elsewhere() || self.permits.acquire_many(all).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn take(&mut self, frame: Frame) {
        let Frame { header, body } = frame;
        self.line.note_received(header.as_ref(), &body);
        if let Some(rejected) = header.as_ref().filter(|header| header.is_rejected()) {
            // Our own message, sent back: nobody is answered, and its originator's time runs out.
            return self.rejected(rejected.reject_code());
        }
        let mut heard = ReceivedMessage { header, bytes: body, wire: None };
        if let Some(message_format) = self.line.message_format() {
            let (bytes, read) = message_format.read(&heard.bytes);
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
            | WireKind::NetworkAnswer => self.answered(&wire, &heard.bytes).await,
            WireKind::NetworkRequest => self.network(&wire, &heard).await,
            WireKind::PaymentRequest { .. }
            | WireKind::InquiryRequest { .. }
            | WireKind::AdviceRequest { .. }
            | WireKind::ReversalRequest { .. }
            | WireKind::Unsupported { .. } => self.asked(wire, heard).await,
        }
    }

    /// An answer to something we asked.
    async fn answered(&self, wire: &Wire, bytes: &Bytes) {
        let Some(participant) = &self.participant else {
            return self.before_sign_on(false);
        };
        match cauce87::participant_answer(wire, bytes) {
            Ok(answer) => {
                if let Err(answer) = participant.in_flight().answer(wire, bytes, answer) {
                    let unmatched = UnmatchedAnswer { answer, bytes: bytes.clone() };
                    self.unmatched(participant, wire.kind, unmatched).await;
                }
            }
            Err(error) => self.bad_answer(&error),
        }
    }

    /// An answer to nothing that is open here: another node may have asked, through this line or
    /// through one that has fallen since; or it is too late. The line is not read on while too many
    /// such answers are at work, for none may be lost.
    async fn unmatched(
        &self,
        participant: &Arc<Iso8583Participant>,
        kind: WireKind,
        unmatched: UnmatchedAnswer,
    ) {
        let (stan, bytes) = (unmatched.answer.stan, unmatched.bytes.clone());
        let remote_lines = participant.remote_lines();
        let handing = remote_lines
            .and_then(|remote_lines| remote_lines.answer(participant.id(), stan, bytes));
        let is_payment = kind == WireKind::PaymentAnswer;
        if handing.is_none() && !is_payment {
            return crate::late::count(participant.id());
        }
        let place = participant.late_place().await;
        let (engine, participant) = (Arc::clone(&self.engine), Arc::clone(participant));
        self.engine.tasks.payment(async move {
            let is_taken = match handing {
                Some(handing) => handing.await,
                None => false,
            };
            if !is_taken {
                crate::late::count(participant.id());
            }
            if is_payment && !is_taken {
                late::record(&engine, &participant, unmatched).await;
            }
            drop(place);
        });
    }

    /// A request of the participant.
    async fn asked(&self, wire: Wire, heard: ReceivedMessage) {
        let signed_on = self.participant.as_ref().filter(|_| self.line.is_signed_on());
        let Some(participant) = signed_on else {
            if let WireKind::Unsupported { reason, .. } = wire.kind {
                let is_known = reason != Reason::FormatError;
                let error = if is_known { UNSIGNED } else { UNKNOWN_TYPE };
                return self.fault(&heard, error, kind_of(&error, wire.kind)).await;
            }
            let is_answered = self.say(&wire, &heard, Reason::OperatorUnauthorised).await;
            return self.before_sign_on(is_answered);
        };
        let is_new = matches!(wire.kind, WireKind::PaymentRequest { repeat: Repeat::First });
        let is_draining = self.engine.tasks.stages().draining.is_cancelled();
        let is_payment = matches!(wire.kind, WireKind::PaymentRequest { .. });
        if is_draining && is_payment && self.may_go_elsewhere() {
            // Not a decline: the line closes in a moment, and another node takes it.
            return;
        }
        if is_draining && is_new {
            self.say(&wire, &heard, Reason::IssuerUnavailable).await;
            return;
        }
        let read = cauce87::to_message(&wire, &heard.bytes, participant.id());
        let in_free_fields = self.engine.in_free_fields;
        let read = read.and_then(|read| misplaced::message_without(read, &wire, in_free_fields));
        let message = match read {
            Ok(message) => message,
            Err(error) => {
                let kind = kind_of(&error, wire.kind);
                return self.fault(&heard, error, kind).await;
            }
        };
        // Never wait here: behind this request come answers that others wait for.
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        let Some(permits) = permit.zip(participant.bulkhead.turn()) else {
            self.count_refused("too_many");
            // Nobody is told a decline of what may have been approved: repeats come again.
            if is_new {
                self.say(&wire, &heard, Reason::RateLimited).await;
            }
            return;
        };
        let places = (permits.0, permits.1, self.engine.tasks.under_way());
        let wire = Box::new(wire);
        let request = LineRequest { message, wire, heard, is_draining, places };
        if !self.requests().hand_over(request) {
            self.count_refused("too_many");
        }
    }

    /// Where this line's requests are worked on, from its first one.
    fn requests(&self) -> &LineRequests {
        self.requests.get_or_init(|| {
            LineRequests::start(&self.engine, &self.line, self.limits.in_flight_max)
        })
    }

    /// Answers with a reason and nothing else; whether the answer was queued.
    async fn say(&self, wire: &Wire, heard: &ReceivedMessage, reason: Reason) -> bool {
        let mut out = BytesMut::with_capacity(128);
        answer::with_reason(&ReceivedRequest { wire, bytes: &heard.bytes }, reason, &mut out);
        send_reply(&self.line, heard.header.as_ref(), out).await
    }
}

/// Sends an answer back to where the request came from, where there is one; whether it was queued.
async fn send_reply(line: &Line, header: Option<&Header>, answer: BytesMut) -> bool {
    if answer.is_empty() {
        return false;
    }
    let answer = Outbound { header: header.map(Header::reply), body: answer.freeze() };
    let is_queued = line.answer(answer).is_ok();
    if !is_queued {
        metrics::counter!("cauce_answers_undelivered_total").increment(1);
    }
    is_queued
}

/// Does what a message asks.
async fn reply_to(engine: &Arc<Engine>, message: Message, is_draining: bool) -> Reply {
    match message {
        // A repeat while we drain: its stored answer, but no new payment.
        Message::Payment(request) if is_draining => {
            Box::pin(payment::stored(engine, request)).await
        }
        Message::Payment(request) => payment::process(engine, request, OnRepeat::Wait).await,
        // The rare ones on the heap, so that the common one makes a small task.
        Message::Reversal(request) => Box::pin(reversal::asked(engine, &request)).await,
        Message::Inquiry(request) => Box::pin(payment::inquire(engine, &request)).await,
        Message::Network(_) => Reply::refused(Reason::SystemError),
    }
}
