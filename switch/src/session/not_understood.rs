//! Frames that are not understood: answered where their trace number can be read, counted, and told
//! in the log once a line and minute. Silence would leave the engineer at the other end to guess.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use codecs::error::{DecodeError, HEADER};
use codecs::frame::{FrameError, Header, HeaderKind};
use codecs::iso8583::cauce87::{self, Fault, MapError, WireKind};
use codecs::iso8583::{Dialect, MTI, Misfit, MisfitMessage};
use router::reason::Reason;

use super::{Closed, ReceivedMessage, Session, send_reply};
use crate::line_rules::message_format::{MessageFormat, Unread};
use crate::line_trace::LineEventKind;
use crate::log::Seldom;

/// Pause between two log lines about what one line sends.
const MINUTE: Duration = Duration::from_secs(60);
/// Messages that a line is searched for in other forms before its sign-on.
const UNSIGNED_SEARCHES_MAX: u64 = 16;
/// Bytes that such a message may have.
const UNSIGNED_SEARCH_LEN_MAX: usize = 4096;
/// Where something is wrong that is no data element: around the message.
const FRAME: &str = "frame";

/// What a line has told in the log of what it was sent.
#[derive(Debug)]
pub(super) struct LineLog {
    not_understood: Seldom,
    sign_ons: Seldom,
    /// Messages that were looked for in other forms.
    searched: AtomicU64,
}

impl LineLog {
    /// Nothing was told yet.
    pub fn new() -> Self {
        let [not_understood, sign_ons] = [Seldom::every(MINUTE), Seldom::every(MINUTE)];
        Self { not_understood, sign_ons, searched: AtomicU64::new(0) }
    }
}

/// Log lines that were left out before one that is written.
struct LeftOut {
    /// About the same line.
    of_line: u64,
    /// About all peers without a sign-on; none on a participant's line.
    of_peers: Option<u64>,
}

/// What is wrong with a frame.
struct BadMessage<'a> {
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
    pub(super) async fn unread(&self, heard: &ReceivedMessage, unread: &Unread) {
        let fault = Fault::from(unread);
        let (field, is_answered) = match unread {
            Unread::Garbled(error) => {
                let seems_own = is_in_own_form(error, &heard.bytes);
                let is_in_own_form = seems_own && has_header(heard);
                if !is_in_own_form && let Some(other) = self.misfit(heard) {
                    return self.answer_misfit(&other);
                }
                if seems_own && !is_in_own_form {
                    return self.note_no_header();
                }
                let mut is_answered = self.answer_fault(heard, fault.clone()).await;
                // What has another form was answered above: no message is searched twice.
                if !is_answered
                    && is_in_own_form
                    && let Some(other) = self.misfit(heard)
                {
                    is_answered = self.answer_as_it_came(other.answer(fault.clone()));
                }
                (error.path().to_string(), is_answered)
            }
            Unread::Unauthentic { .. } => {
                (fault.field.to_string(), self.answer_fault(heard, fault.clone()).await)
            }
        };
        let (field, text) = (field.into(), fault.text.into());
        self.note(&BadMessage {
            kind: unread.name(),
            field,
            offset: fault.offset,
            text,
            is_answered,
        });
    }

    /// The form that a message has instead of the line's. Of a peer that has proved nothing only the
    /// first messages are looked at, and none that is long: the search reads them in every format.
    fn misfit(&self, heard: &ReceivedMessage) -> Option<MisfitMessage> {
        if self.participant.is_none() {
            let len = heard.wire.as_ref().unwrap_or(&heard.bytes).len();
            let searched = self.log.searched.fetch_add(1, Ordering::Relaxed);
            if searched >= UNSIGNED_SEARCHES_MAX || len > UNSIGNED_SEARCH_LEN_MAX {
                return None;
            }
        }
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
        self.note(&BadMessage { kind: other.misfit.name(), field, offset: 0, text, is_answered });
    }

    /// A message that is whole in no form, and whose first bytes are no header of the line: what was
    /// read behind them is none of its fields, so it is not answered.
    fn note_no_header(&self) {
        let (field, text) = (FRAME.into(), "no TPDU stands in front of the message".into());
        let kind = Misfit::MissingHeader.name();
        self.note(&BadMessage { kind, field, offset: 0, text, is_answered: false });
    }

    /// Whether there was an answer that could be queued.
    fn answer_as_it_came(&self, answer: Option<Bytes>) -> bool {
        answer.is_some_and(|answer| self.line.answer_as_is(answer).is_ok())
    }

    /// Answers a message that makes no sense, with the place of it in what came.
    pub(super) async fn fault(&self, heard: &ReceivedMessage, error: MapError, kind: &'static str) {
        let format = self.line.message_format().zip(heard.wire.as_ref());
        let offset =
            format.map_or(error.offset, |(format, wire)| format.offset_of(wire, error.field));
        let error = MapError { offset, ..error };
        let is_answered = self.answer_fault(heard, Fault::from(&error)).await;
        let (field, text) = (error.field.to_string().into(), error.detail.into());
        self.note(&BadMessage { kind, field, offset, text, is_answered });
    }

    /// Answers a message that could not be understood, as far as it could be read; whether an answer
    /// was queued.
    async fn answer_fault(&self, heard: &ReceivedMessage, fault: Fault) -> bool {
        let mut out = BytesMut::with_capacity(128);
        cauce87::format_error_answer(&heard.bytes, fault, &mut out)
            && send_reply(&self.line, heard.header.as_ref(), out).await
    }

    /// An answer of the participant that makes no sense; its request's time runs out.
    pub(super) fn bad_answer(&self, error: &MapError) {
        let (field, text) = (error.field.to_string().into(), error.detail.into());
        let offset = error.offset;
        self.note(&BadMessage { kind: "bad_answer", field, offset, text, is_answered: false });
    }

    /// A message of ours that the network sent back.
    pub(super) fn rejected(&self, code: Option<u16>) {
        let text = code.map_or_else(String::new, |code| format!("reject code {code:04}"));
        let (field, text) = ("h".into(), text.into());
        self.note(&BadMessage { kind: "rejected", field, offset: 0, text, is_answered: false });
    }

    /// A message before the sign-on, which was told so where it is a request.
    pub(super) fn before_sign_on(&self, is_answered: bool) {
        let (field, text) = (MTI.to_string().into(), "there was no sign-on on this line".into());
        let kind = "before_sign_on";
        self.note(&BadMessage { kind, field, offset: 0, text, is_answered });
    }

    /// Bytes that are no frames ended the line.
    pub(super) fn note_end(&self, closed: &Closed) {
        let (kind, offset) = match closed {
            Closed::Frame(FrameError::Io(_)) => return,
            Closed::Frame(error) => (error.name(), error.offset()),
            Closed::HalfFrame(_)
            | Closed::ByPeer
            | Closed::Idle(_)
            | Closed::NoSignOn(_)
            | Closed::Read(_) => return self.note_unfinished(closed),
            Closed::Stopping | Closed::Retired | Closed::NotReading | Closed::Displaced => {
                return;
            }
        };
        let text = storage::with_causes(closed).to_string().into();
        self.note(&BadMessage { kind, field: FRAME.into(), offset, text, is_answered: false });
    }

    /// A frame that had begun when the line ended.
    fn note_unfinished(&self, closed: &Closed) {
        let Some(unfinished) = &self.unfinished else { return };
        let text = format!("{unfinished} ({})", storage::with_causes(closed)).into();
        let (kind, field) = ("unfinished_frame", FRAME.into());
        self.note(&BadMessage { kind, field, offset: 0, text, is_answered: false });
    }

    /// Counts a message that was refused, by its participant.
    pub(super) fn count_refused(&self, why: &'static str) {
        let participant = self.line.identity().name().to_owned();
        metrics::counter!("cauce_messages_refused_total", "participant" => participant,
            "why" => why)
        .increment(1);
    }

    fn note(&self, bad_message: &BadMessage<'_>) {
        let BadMessage { kind, field, offset, text, is_answered } = bad_message;
        self.count_refused(kind);
        self.line.note(|| LineEventKind::NotUnderstood {
            kind,
            field: field.to_string(),
            offset: *offset,
            is_answered: *is_answered,
        });
        let Some(left_out) = self.is_due(&self.log.not_understood) else { return };
        let identity = self.line.identity();
        let peer = identity.peer.map(tracing::field::display);
        tracing::info!(line = self.line.number(), participant = identity.name(), peer, kind,
            %field, offset, answered = is_answered, %text, left_out = left_out.of_line,
            peers_left_out = left_out.of_peers, "message not understood");
    }

    /// Tells of a refused sign-on: whom it named, and why it was refused.
    pub(super) fn note_refused_sign_on(&self, acquirer_id: &str, reason: &'static str) {
        let identity = self.line.identity();
        let participant = identity.name().to_owned();
        metrics::counter!("cauce_sign_ons_refused_total", "participant" => participant,
            "why" => reason)
        .increment(1);
        let Some(left_out) = self.is_due(&self.log.sign_ons) else { return };
        let peer = identity.peer.map(tracing::field::display);
        let de32 = if acquirer_id.is_empty() { "-" } else { acquirer_id };
        tracing::warn!(
            line = self.line.number(),
            participant = identity.name(),
            peer,
            de32,
            reason,
            left_out = left_out.of_line,
            peers_left_out = left_out.of_peers,
            "sign-on refused"
        );
    }

    /// Whether a log line about what this peer sent may be written now: one of few about its line,
    /// and before the sign-on one of few about peers that have proved nothing.
    fn is_due(&self, of_line: &Seldom) -> Option<LeftOut> {
        let is_stranger = self.participant.is_none();
        let place = self.caller.place.as_ref().filter(|_| is_stranger);
        let mut of_peers = None;
        let of_line = of_line.is_due_if(|| {
            let may_log = place.map_or(Some(0), |place| place.may_log_frame());
            of_peers = may_log.filter(|_| place.is_some());
            may_log.is_some()
        });
        of_line.map(|of_line| LeftOut { of_line, of_peers })
    }
}

/// Whether a message came behind the header of its line. A TPDU says so by its first byte, whose
/// upper half is 6.
fn has_header(heard: &ReceivedMessage) -> bool {
    let is_tpdu = |header: &&Header| header.kind() == HeaderKind::Tpdu;
    let header = heard.header.as_ref().filter(is_tpdu);
    header.is_none_or(|header| header.raw().first().is_some_and(|id| id >> 4 == 6))
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
