//! What carries payments out at participants: one adapter for each dialect, all behind one seam.
//!
//! [`payment`](crate::payment) and [`reversal`](crate::reversal) know this seam and no dialect. A new
//! dialect is a folder here that implements [`Adapter`], and a variant of
//! [`Participant`](crate::participant::ParticipantAdapter).

mod bulkhead;
pub mod iso8583;
pub mod json;

use router::exchange::{
    Ask, Confirmation, InquiryAnswer, KnownPayment, NoAnswer, NotReady, NotSent, RefundAsk,
    Started, Undo, UndoAnswer,
};
use router::id::Folio;
use router::outcome::Outcome;
use router::record::Attempt;

pub use bulkhead::{Bulkhead, DECIDED_AT_ONCE_MAX};

/// What carries payments out at one participant, in its dialect.
pub trait Adapter {
    /// A payment as it will be sent.
    type Ready<'a>: ReadyPayment
    where
        Self: 'a;

    /// Names a payment for the participant and writes its message.
    ///
    /// Errors: the participant is away, or its dialect cannot carry the payment.
    fn ready(&self, ask: &Ask<'_>) -> Result<(Attempt, Self::Ready<'_>), NotReady>;

    /// Tells the participant that a payment, or a part of it, is undone, and waits for its answer.
    ///
    /// `own` names this undoing, the same in each repeat: none before the first. Not cancel-safe.
    fn undo(
        &self,
        undo: &Undo<'_>,
        own: &mut Option<Attempt>,
    ) -> impl Future<Output = UndoAnswer> + Send;

    /// Passes a payer's confirmation on and waits for what comes of it.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    fn confirm(
        &self,
        confirmation: &Confirmation<'_>,
    ) -> impl Future<Output = Result<Started, NoAnswer>> + Send;

    /// Asks what became of a payment.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    fn inquire(
        &self,
        of: &KnownPayment<'_>,
    ) -> impl Future<Output = Result<InquiryAnswer, NoAnswer>> + Send;

    /// Names a refund for the participant, before it is made durable.
    ///
    /// Errors: [`NotSent`] when nothing could be sent anyway.
    fn name_refund(&self, folio: Folio) -> Result<Attempt, NotSent>;

    /// Asks for a refund, which is durable by now, and waits for what comes of it.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    fn refund(
        &self,
        refund: &RefundAsk<'_>,
    ) -> impl Future<Output = Result<Outcome, NoAnswer>> + Send;

    /// Takes note of a request that an earlier process or another node sent: its answer may still
    /// come, here.
    fn remember(&self, attempt: &Attempt, folio: Folio);
}

/// A payment that is named at its participant and written in its dialect; nothing of it has left.
pub trait ReadyPayment: Send {
    /// Sends the payment, whose intent is durable by now, and waits for what comes of it, at most the
    /// participant's deadline.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe: a dropped call may
    /// leave a request sent whose answer is then late.
    fn start(self) -> impl Future<Output = Result<Started, NoAnswer>> + Send;
}
