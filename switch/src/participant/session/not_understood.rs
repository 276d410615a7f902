//! Frames that are not understood: answered where their trace number can be read, counted, and told
//! in the log once a line and minute. Silence would leave the engineer at the other end to guess.

use std::borrow::Cow;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use codecs::error::{DecodeError, HEADER};
use codecs::frame::FrameError;
use codecs::iso8583::cauce87::{self, Fault, MapError, WireKind};
use codecs::iso8583::{Dialect, MTI, MisfitMessage};
use router::reason::Reason;

use super::{Closed, Heard, Session, send_reply};
use crate::line_trace::Happening;
use crate::log::Seldom;
use crate::participant::message_format::{MessageFormat, Unread};

/// Pause between two log lines about what one line sends.
const MINUTE: Duration = Duration::from_secs(60);
/// Where something is wrong that is no data element: around the message.
const FRAME: &str = "frame";

/// What a line has told in the log of what it was sent.
#[derive(Debug)]
pub(super) struct LineLog {
    not_understood: Seldom,
    sign_ons: Seldom,
}

impl LineLog {
    /// Nothing was told yet.
    pub fn new() -> Self {
        Self { not_understood: Seldom::every(MINUTE), sign_ons: Seldom::every(MINUTE) }
    }
}

/// What is wrong with a frame.
struct Finding<'a> {
    /// Its name in logs and metrics.
    kind: &'static str,
    /// Data element, and the way into it.
    field: Cow<'a, str>,
    /// Byte offset.
    offset: usize,
    /// The same in words, without content.
    text: Cow<'a, str>,
    is_answered: bool,
}

impl Session {
    /// A message that cannot be read, or that nobody with the right key has sent.
    pub(super) async fn unread(&self, heard: &Heard, unread: &Unread) {
        let fault = Fault::from(unread);
        let (field, is_answered) = match unread {
            Unread::Garbled(error) => {
                if !is_in_own_form(error, &heard.bytes)
                    && let Some(other) = self.misfit(heard)
                {
                    return self.answer_misfit(&other);
                }
                let mut is_answered = self.answer_fault(heard, fault.clone()).await;
                if !is_answered && let Some(other) = self.misfit(heard) {
                    is_answered = self.answer_as_it_came(other.answer(fault.clone()));
                }
                (error.path().to_string(), is_answered)
            }
            Unread::Unauthentic { .. } => {
                (fault.field.to_string(), self.answer_fault(heard, fault.clone()).await)
            }
        };
        let (field, text) = (field.into(), fault.text.into());
        self.note(&Finding { kind: unread.name(), field, offset: fault.offset, text, is_answered });
    }

    /// The form that a message has instead of the line's.
    fn misfit(&self, heard: &Heard) -> Option<MisfitMessage> {
        let own = self.line.message_format().map(MessageFormat::dialect);
        let header = heard.header.as_ref().map(|header| header.raw().as_ref());
        let message = heard.wire.as_ref().unwrap_or(&heard.bytes);
        MisfitMessage::find(own.map(|own: &Dialect| own), header.unwrap_or_default(), message)
    }

    fn answer_misfit(&self, other: &MisfitMessage) {
        let fault = other.fault();
        let is_answered = self.answer_as_it_came(other.answer(fault.clone()));
        let field = MTI.to_string().into();
        let text = fault.text.into();
        self.note(&Finding { kind: other.misfit.name(), field, offset: 0, text, is_answered });
    }

    /// Whether there was an answer that could be queued.
    fn answer_as_it_came(&self, answer: Option<Bytes>) -> bool {
        answer.is_some_and(|answer| self.line.answer_as_is(answer).is_ok())
    }

    /// Answers a message that makes no sense, with the place of it in what came.
    pub(super) async fn fault(&self, heard: &Heard, error: MapError, kind: &'static str) {
        let format = self.line.message_format().zip(heard.wire.as_ref());
        let offset =
            format.map_or(error.offset, |(format, wire)| format.offset_of(wire, error.field));
        let error = MapError { offset, ..error };
        let is_answered = self.answer_fault(heard, Fault::from(&error)).await;
        let (field, text) = (error.field.to_string().into(), error.detail.into());
        self.note(&Finding { kind, field, offset, text, is_answered });
    }

    /// Answers a message that could not be understood, as far as it could be read; whether it could.
    async fn answer_fault(&self, heard: &Heard, fault: Fault) -> bool {
        let mut out = BytesMut::with_capacity(128);
        let is_answered = cauce87::format_error_answer(&heard.bytes, fault, &mut out);
        if is_answered {
            send_reply(&self.line, heard.header.as_ref(), out).await;
        }
        is_answered
    }

    /// An answer of the participant that makes no sense; its request's time runs out.
    pub(super) fn bad_answer(&self, error: &MapError) {
        let (field, text) = (error.field.to_string().into(), error.detail.into());
        let offset = error.offset;
        self.note(&Finding { kind: "bad_answer", field, offset, text, is_answered: false });
    }

    /// A message of ours that the network sent back.
    pub(super) fn rejected(&self, code: Option<u16>) {
        let text = code.map_or_else(String::new, |code| format!("reject code {code:04}"));
        let (field, text) = ("h".into(), text.into());
        self.note(&Finding { kind: "rejected", field, offset: 0, text, is_answered: false });
    }

    /// A request before the sign-on, which was told so.
    pub(super) fn before_sign_on(&self) {
        let (field, text) = (MTI.to_string().into(), "there was no sign-on on this line".into());
        let kind = "before_sign_on";
        self.note(&Finding { kind, field, offset: 0, text, is_answered: true });
    }

    /// Bytes that are no frames ended the line.
    pub(super) fn note_end(&self, closed: &Closed) {
        let (kind, offset) = match closed {
            Closed::Frame(FrameError::Io(_)) => return,
            Closed::Frame(error) => (error.name(), error.offset()),
            Closed::HalfFrame(_) => ("unfinished_frame", 0),
            Closed::ByPeer
            | Closed::Stopping
            | Closed::NotReading
            | Closed::Idle(_)
            | Closed::NoSignOn(_)
            | Closed::Displaced
            | Closed::Read(_) => return,
        };
        let text = crate::log::chain(closed).to_string().into();
        self.note(&Finding { kind, field: FRAME.into(), offset, text, is_answered: false });
    }

    /// Counts a message that was refused, by its participant.
    pub(super) fn count_refused(&self, why: &'static str) {
        let participant = self.line.identity().name().to_owned();
        metrics::counter!("cauce_messages_refused_total", "participant" => participant,
            "why" => why)
        .increment(1);
    }

    fn note(&self, finding: &Finding<'_>) {
        let Finding { kind, field, offset, text, is_answered } = finding;
        self.count_refused(kind);
        self.line.note(|| Happening::NotUnderstood {
            kind,
            field: field.to_string(),
            offset: *offset,
            is_answered: *is_answered,
        });
        let Some(left_out) = self.log.not_understood.is_due_if(|| self.may_log()) else { return };
        let identity = self.line.identity();
        let peer = identity.peer.map(tracing::field::display);
        tracing::info!(line = self.line.number(), participant = identity.name(), peer, kind,
            %field, offset, answered = is_answered, %text, left_out, "message not understood");
    }

    /// Tells of a refused sign-on: whom it named, and why it was refused.
    pub(super) fn note_refused_sign_on(&self, acquirer_id: &str, reason: &'static str) {
        let identity = self.line.identity();
        let participant = identity.name().to_owned();
        metrics::counter!("cauce_sign_ons_refused_total", "participant" => participant,
            "why" => reason)
        .increment(1);
        let Some(left_out) = self.log.sign_ons.is_due_if(|| self.may_log()) else { return };
        let peer = identity.peer.map(tracing::field::display);
        let de32 = if acquirer_id.is_empty() { "-" } else { acquirer_id };
        tracing::warn!(
            line = self.line.number(),
            participant = identity.name(),
            peer,
            de32,
            reason,
            left_out,
            "sign-on refused"
        );
    }

    /// Whether a log line about what this peer sent may be written now: a participant's, or one of
    /// few about peers that have proved nothing.
    fn may_log(&self) -> bool {
        let is_stranger = self.participant.is_none();
        let place = self.caller.place.as_ref().filter(|_| is_stranger);
        place.is_none_or(|place| place.may_log_frame())
    }
}

/// Whether a message that cannot be read is in the form of its line all the same, by its message type
/// and bitmap: then something behind them is wrong, and the message is none of another form.
fn is_in_own_form(error: &DecodeError, home: &[u8]) -> bool {
    let has_head = error.field > 1 && error.field != HEADER;
    has_head && matches!(home.get(..4), Some([_, b'1'..=b'8', b'0'..=b'5', b'0'..=b'5']))
}

/// The name of what is wrong with a request that is well-formed and makes no sense.
pub(super) fn kind_of(error: &MapError, kind: WireKind) -> &'static str {
    match (kind, error.reason) {
        (WireKind::Unsupported { .. }, Reason::FormatError) => "unknown_message_type",
        (WireKind::Unsupported { .. }, Reason::OperatorUnauthorised) => "before_sign_on",
        (_, reason) => reason.info().code,
    }
}
