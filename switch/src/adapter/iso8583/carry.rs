//! ISO 8583 behind the seam: a payment is a 0200, an undoing a 0420.

use bytes::Bytes;
use codecs::error::PackError;
use codecs::iso8583::cauce87::{self, Repeat};
use router::exchange::{
    Ask, AttemptRef, Confirmation, InquiryAnswer, KnownPayment, NoAnswer, NotReady, NotSent,
    RefundAsk, RequestTrace, Started, Undo, UndoAnswer, UndoOrder, Unsayable,
};
use router::id::{Folio, PaymentId};
use router::message::PaymentRequest;
use router::outcome::{Cause, Outcome};
use router::rail_needs::PayerField;
use router::record::Attempt;

use super::in_flight::{MatchedAnswer, NO_LINE, RequestKind, StanClaim};
use super::past::PastRequest;
use super::{Iso8583Participant, pin, verdict};
use crate::adapter::{Adapter, ReadyPayment};
use crate::clock;

/// A 0200 with its STAN.
#[derive(Debug)]
pub struct ReadyFrame<'a> {
    participant: &'a Iso8583Participant,
    payment: PaymentId,
    folio: Folio,
    claim: StanClaim<'a>,
    frame: Bytes,
}

impl Adapter for Iso8583Participant {
    type Ready<'a> = ReadyFrame<'a>;

    fn ready(&self, ask: &Ask<'_>) -> Result<(Attempt, ReadyFrame<'_>), NotReady> {
        if let Some(need) = not_carried(ask.request) {
            return Err(NotReady::Unsayable(need));
        }
        let claimed = self.claim(RequestKind::Payment, ask.folio, ask.at);
        let (claim, trace) = claimed.map_err(NotReady::Away)?;
        let frame = self.request_frame(ask, &trace).map_err(unsayable)?;
        let attempt = Attempt { participant: self.id(), reference: AttemptRef::Trace(trace) };
        let Ask { payment, folio, .. } = *ask;
        Ok((attempt, ReadyFrame { participant: self, payment, folio, claim, frame }))
    }

    async fn undo(&self, undo: &Undo<'_>, own: &mut Option<Attempt>) -> UndoAnswer {
        let (original, claim, frame) = match self.ready_undoing(undo, own) {
            Ok(ready) => ready,
            Err(why) => {
                let (code, order) = (Err(NoAnswer::NotSent(why)), UndoOrder::WayUnknown);
                return UndoAnswer { code, order };
            }
        };
        let (heard, order) = match undo.has_arrived {
            true => (self.ask(claim, frame).await, UndoOrder::WayGone),
            false => self.ask_behind(&original, claim, frame).await,
        };
        let code = heard.and_then(|heard| self.heard_of(undo.payment, heard));
        UndoAnswer { code, order }
    }

    async fn confirm(&self, _: &Confirmation<'_>) -> Result<Started, NoAnswer> {
        // The profile has no message that asks for a confirmation, so none is awaited.
        Err(NoAnswer::NotSent(NotSent::Unwritable))
    }

    async fn inquire(&self, of: &KnownPayment<'_>) -> Result<InquiryAnswer, NoAnswer> {
        self.ask_about(of).await
    }

    fn name_refund(&self, folio: Folio) -> Result<Attempt, NotSent> {
        self.named_refund(folio)
    }

    async fn refund(&self, refund: &RefundAsk<'_>) -> Result<Outcome, NoAnswer> {
        self.ask_refund(refund).await
    }

    fn remember(&self, attempt: &Attempt, folio: Folio) {
        if let Some(RequestTrace { stan, transmitted_at }) = attempt.reference.trace() {
            self.past.remember(stan, PastRequest { transmitted_at, folio, line: NO_LINE });
        }
    }
}

impl ReadyPayment for ReadyFrame<'_> {
    async fn start(self) -> Result<Started, NoAnswer> {
        let Self { participant, payment, folio, claim, frame } = self;
        let heard = participant.ask(claim, frame).await?;
        let about = verdict::AnsweredPayment { payment, folio, participant: participant.id() };
        Ok(Started::Answered(verdict::of(&heard, &about)))
    }
}

impl Iso8583Participant {
    /// The request of one attempt.
    ///
    /// Errors: a value of the request does not fit the participant's dialect.
    fn request_frame(&self, ask: &Ask<'_>, trace: &RequestTrace) -> Result<Bytes, PackError> {
        let speaker = self.speaker();
        let asking = speaker.asking(Repeat::First, self.config.acceptor);
        let frame = speaker.message(|out| {
            cauce87::payment_request(ask, trace, asking, out)?;
            pin::translate(&speaker, ask.request, self.config.pin.as_ref(), out)
        })?;
        let message_format = self.config.message_format.as_ref();
        message_format.map_or(Ok(()), |message_format| message_format.fits(&frame))?;
        Ok(frame)
    }

    /// The request that is undone, and the advice of it.
    fn ready_undoing(
        &self,
        undo: &Undo<'_>,
        own: &mut Option<Attempt>,
    ) -> Result<(RequestTrace, StanClaim<'_>, Bytes), NotSent> {
        // A request that is known by another name was never asked of a line.
        let original = undo.original.trace().ok_or(NotSent::Unwritable)?;
        let (claim, trace) = self.claim_undoing(undo.folio, own)?;
        let advice = cauce87::ReversalAdvice { undo, original, own: trace };
        let speaker = self.speaker();
        let asking = speaker.asking(undo.repeat, self.config.acceptor);
        let written = speaker.message(|out| cauce87::reversal_advice(&advice, asking, out));
        let frame = written.map_err(|error| {
            tracing::error!(payment_id = %undo.payment, %error, "a reversal cannot be written");
            NotSent::Unwritable
        })?;
        Ok((original, claim, frame))
    }

    /// A claim for an advice; a repeat has the STAN and time of the first.
    fn claim_undoing(
        &self,
        folio: Folio,
        own: &mut Option<Attempt>,
    ) -> Result<(StanClaim<'_>, RequestTrace), NotSent> {
        let (claim, trace) = match own.and_then(|first| first.reference.trace()) {
            Some(first) => (self.claim_again(RequestKind::Reversal, folio, &first)?, first),
            None => self.claim(RequestKind::Reversal, folio, clock::now())?,
        };
        *own = Some(Attempt { participant: self.id(), reference: AttemptRef::Trace(trace) });
        Ok((claim, trace))
    }

    /// What was said of a reversal.
    ///
    /// Errors: it was said of another one.
    fn heard_of(&self, payment: PaymentId, heard: MatchedAnswer) -> Result<[u8; 2], NoAnswer> {
        let MatchedAnswer { answer, contradicts } = heard;
        let Some(field) = contradicts else { return Ok(answer.de39) };
        let participant = self.id();
        metrics::counter!("cauce_answers_contradicting_total",
            "participant" => participant.to_string(), "field" => field.to_string())
        .increment(1);
        tracing::warn!(payment_id = %payment, %participant, field,
            "answer contradicts its reversal; the reversal is repeated");
        Err(NoAnswer::MaybeSent(Cause::ContradictsRequest))
    }
}

/// What tells the bank who pays, in ISO 8583: DE2 or DE35, and DE102.
const CARRIED: [PayerField; 2] = [PayerField::Card, PayerField::Account];

/// What the payment's rail needs and no message can tell: the bank would not know whom to debit, or
/// would debit without the payer's word.
fn not_carried(request: &PaymentRequest) -> Option<Unsayable> {
    let mut needs = request.rail.payer_needs().iter();
    let lost = needs.find(|need| !need.any_of.iter().any(|field| CARRIED.contains(field)))?;
    let problem = format!(
        "cannot be said to the bank: the rail {} needs it, and ISO 8583 has no place for it",
        request.rail.name()
    );
    Some(Unsayable { field: Some(lost.field()), problem })
}

/// What a participant's dialect has no room for, in the terms of the HTTP API.
fn unsayable(error: PackError) -> NotReady {
    let field = error.field().and_then(cauce87::request_field);
    let problem = format!("cannot be said to the bank: {error}");
    NotReady::Unsayable(Unsayable { field, problem })
}
