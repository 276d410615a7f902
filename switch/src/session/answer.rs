//! Writes answers to what participants ask on their lines.

use bytes::{Bytes, BytesMut};
use codecs::iso8583::cauce87::{self, Wire, WireAnswer};
use router::reason::{Language, Reason};

use crate::respond::{self, Reply};

/// A request as it came in on a line.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedRequest<'a> {
    /// Where its fields are.
    pub wire: &'a Wire,
    /// Its bytes.
    pub bytes: &'a Bytes,
}

/// Writes the ISO 8583 answer to a payment, reversal or inquiry.
pub fn write(asked: &ReceivedRequest<'_>, reply: &Reply, out: &mut BytesMut) {
    let info = reply.reason.info();
    let is_success = reply.reason == Reason::Approved;
    let text = (!is_success).then(|| reply.text(Language::Es));
    let answer = WireAnswer {
        de39: reply.de39(),
        folio: reply.payment.map(|(_, folio)| folio),
        authorisation: is_success.then_some(reply.approval.authorisation),
        reason_no: (!is_success).then_some(info.no),
        text: text.as_deref(),
        original_folio: reply.original,
        additional_amounts: &[],
        stands_minor: reply.stands_minor,
    };
    written(asked, &answer, out);
}

/// Writes the ISO 8583 answer that says a reason and nothing else.
pub fn with_reason(asked: &ReceivedRequest<'_>, reason: Reason, out: &mut BytesMut) {
    let is_success = reason == Reason::Approved;
    let answer = WireAnswer {
        de39: respond::de39(reason),
        reason_no: (!is_success).then_some(reason.info().no),
        ..WireAnswer::default()
    };
    written(asked, &answer, out);
}

fn written(asked: &ReceivedRequest<'_>, answer: &WireAnswer<'_>, out: &mut BytesMut) {
    let start = out.len();
    if let Err(error) = cauce87::answer(&asked.wire.index, asked.bytes, answer, out) {
        tracing::error!(%error, "an answer could not be written");
        out.truncate(start);
    }
}
