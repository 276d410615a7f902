//! Undoing payments: asked for by their originator, or owed because their outcome is unknown.
//!
//! Owed reversals stand in the journal, and the store lists them; the queue here only says "look at
//! this payment now". The list is read now and then, so a payment that the queue missed is not
//! forgotten.

mod dispatch;
mod inquire;
mod partial;
mod proof;

use std::sync::Arc;
use std::time::Duration;

use router::exchange::{Repeat, Undo, UndoAnswer, UndoOrder};
use router::id::PaymentId;
use router::message::{Rail, ReversalRequest};
use router::outcome::{Approval, Outcome};
use router::payment::{Payment, PaymentState};
use router::posting::Entry;
use router::reason::Reason;
use router::record::{Attempt, Record, Reversal, ReversalCause, ReversalConfirmed, ReversalStep};
use storage::{Backoff, StoreError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::adapter::Adapter;
use crate::clock;
use crate::config::ReversalsConfig;
use crate::early;
use crate::engine::Engine;
use crate::respond::Reply;
use crate::sealed;
use inquire::UnknownPayment;
use proof::ReversalProof;

pub use dispatch::run;
pub use partial::{PartAmount, PartRequest, asked as part_asked};

/// Response code of what was undone before.
const DONE_BEFORE: [u8; 2] = *b"21";
/// The response code that stands for a participant's where none was asked.
const UNDONE_ELSEWHERE: [u8; 2] = *b"00";
/// How long the originator of a reversal waits for the payment itself to be concluded.
const CONCLUDE_WAIT_MAX: Duration = Duration::from_secs(30);

/// A reversal asked for by a payment's own originator.
pub async fn asked(engine: &Arc<Engine>, request: &ReversalRequest) -> Reply {
    let found = match early::find(engine, request).await {
        Ok(Some(payment)) => payment,
        Ok(None) => return Reply::refused(Reason::OriginalNotFound),
        Err(error) => return Reply::not_decided(&error),
    };
    if !partial::repeats_amount(request, &found) {
        let payment = Some((found.id, found.folio));
        return Reply { payment, ..Reply::refused(Reason::ReversalAmountMismatch) };
    }
    let reply = match request.stands_minor.map(PartAmount::Stands) {
        Some(amount) => part_asked(engine, found, PartRequest { amount, key: None }).await,
        None => undo_asked(engine, found).await,
    };
    match reply {
        Ok(reply) => acknowledged(request, reply),
        Err(error) => Reply::not_decided(&error),
    }
}

/// An advice that a payment without effect is undone asks for nothing: it is taken note of, and
/// the reason says that no money moved.
fn acknowledged(request: &ReversalRequest, reply: Reply) -> Reply {
    match reply.reason {
        Reason::NothingToReverse if request.is_advice => {
            Reply { network_code: Some(*b"00"), ..reply }
        }
        _ => reply,
    }
}

/// Makes it durable that a payment must be undone because its originator says so.
///
/// Errors: the journal's. Cancel-safe: a dropped call either recorded the step or did not.
pub async fn undo_asked(engine: &Engine, payment: Payment) -> Result<Reply, StoreError> {
    let payment = concluded(engine, payment).await?;
    let reply =
        |reason| Reply { payment: Some((payment.id, payment.folio)), ..Reply::refused(reason) };
    match payment.state {
        PaymentState::Approved => {
            let owed = ReversalStep::Owed(ReversalCause::Asked);
            let is_owed = step_if_legal(engine, payment.id, owed).await?;
            if !is_owed && has_refunds(engine, payment.id).await? {
                return Ok(reply(Reason::ReversalNotAllowed));
            }
            engine.owed.push(payment.id);
            Ok(reply(Reason::Approved))
        }
        // Already owed, or done: a repeat of the same wish.
        PaymentState::Unknown | PaymentState::Reversing | PaymentState::Reversed => {
            Ok(reply(Reason::Approved))
        }
        PaymentState::Sent => Ok(Reply { is_in_progress: true, ..reply(Reason::Pending) }),
        PaymentState::Declined | PaymentState::Expired => Ok(reply(Reason::NothingToReverse)),
        PaymentState::Received
        | PaymentState::AwaitingPayer
        | PaymentState::Settled
        | PaymentState::Refunding
        | PaymentState::Refunded => Ok(reply(Reason::ReversalNotAllowed)),
    }
}

/// Undoes a payment that was made elsewhere: nothing is asked of a participant. What a crash leaves
/// half done is done by the next start.
///
/// Errors: the journal's. Not cancel-safe: a dropped call may leave the payment reversing.
pub async fn undo_external(engine: &Engine, id: PaymentId) -> Result<(), StoreError> {
    step_if_legal(engine, id, ReversalStep::Owed(ReversalCause::Asked)).await?;
    let response_code = UNDONE_ELSEWHERE;
    let confirmed = ReversalConfirmed { response_code, entry: Entry::default() };
    step_if_due(engine, id, ReversalStep::Confirmed(confirmed)).await.map(|_| ())
}

/// Whether money of a payment was refunded, or is being refunded: then it is not reversed.
async fn has_refunds(engine: &Engine, id: PaymentId) -> Result<bool, StoreError> {
    let payment = engine.store.payment(id).await?;
    Ok(payment.is_some_and(|payment| payment.progress().has_refunds()))
}

async fn concluded(engine: &Engine, payment: Payment) -> Result<Payment, StoreError> {
    if payment.state != PaymentState::Sent {
        return Ok(payment);
    }
    let wait = engine.store.outcome_of(payment.id)?;
    match tokio::time::timeout(CONCLUDE_WAIT_MAX, wait.outcome()).await {
        Ok(concluded) => concluded,
        Err(_) => Ok(payment),
    }
}

/// Sends 0420, then 0421, until there is evidence.
async fn undo(
    engine: &Engine,
    id: PaymentId,
    repeat: Repeat,
    undoing: &Undoing,
) -> Result<(), StoreError> {
    let mut backoff = Backoff::between(undoing.config.retry_min, undoing.config.retry_max);
    let mut pending = PendingAdvice::new(repeat);
    while advance(engine, id, &mut pending, undoing).await? == ReversalStanding::Owed {
        pending.repeat = Repeat::Again;
        metrics::counter!("cauce_reversal_repeats_total").increment(1);
        tokio::time::sleep(backoff.pause()).await;
    }
    Ok(())
}

/// What all reversals share.
struct Undoing {
    permits: Arc<Semaphore>,
    config: ReversalsConfig,
}

/// Whether a reversal is still owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReversalStanding {
    Owed,
    Over,
}

/// One reversal on its way: it begins when it is owed, and anew when a late answer owes another.
struct PendingAdvice {
    repeat: Repeat,
    /// What names its advice, the same in each repeat.
    own: Option<Attempt>,
    proof: ReversalProof,
    /// What it leaves standing, in minor units; none where all is undone.
    stands_minor: Option<i64>,
    /// Inquiries that were sent before it.
    inquiries: u32,
}

impl PendingAdvice {
    fn new(repeat: Repeat) -> Self {
        let proof = ReversalProof::default();
        Self { repeat, own: None, proof, stands_minor: None, inquiries: 0 }
    }

    /// Begins anew where something else is to stand than its advice said.
    fn leave(&mut self, stands_minor: Option<i64>) {
        if self.stands_minor == stands_minor {
            return;
        }
        let was_sent = self.own.is_some();
        let repeat = if was_sent { Repeat::First } else { self.repeat };
        *self = Self { stands_minor, ..Self::new(repeat) };
    }
}

/// Looks where the payment stands now, and takes the next step.
async fn advance(
    engine: &Engine,
    id: PaymentId,
    pending: &mut PendingAdvice,
    undoing: &Undoing,
) -> Result<ReversalStanding, StoreError> {
    let Some(payment) = engine.store.payment(id).await? else { return Ok(ReversalStanding::Over) };
    let part_owed = payment.part_owed();
    pending.leave(part_owed);
    if let Some(stands_minor) = part_owed {
        return partial::advance(engine, &payment, stands_minor, pending, undoing).await;
    }
    let inquired = inquire::next(engine, &payment, &mut pending.inquiries).await?;
    if inquired == UnknownPayment::LookAgain {
        return Ok(ReversalStanding::Owed);
    }
    match owed_cause(&payment) {
        Some(cause) => {
            // An advice of its own: an answer to the one before is no evidence any more.
            *pending = PendingAdvice::new(Repeat::First);
            if !step_if_legal(engine, id, ReversalStep::Owed(cause)).await? {
                return Ok(ReversalStanding::Owed);
            }
        }
        None if payment.state == PaymentState::Reversing => {}
        None => return Ok(ReversalStanding::Over),
    }
    // Held for one advice only, so that a bank that is away does not keep others waiting.
    let permit = undoing.permits.acquire().await;
    let answer = advise(engine, &payment, pending).await?;
    drop(permit);
    let Some((code, order)) = answer else { return Ok(ReversalStanding::Owed) };
    let not_found_after = undoing.config.not_found_after;
    // "Already reversed" may be said of a part that was given back before.
    let is_of_a_part = code == DONE_BEFORE && !payment.parts.is_empty();
    if is_of_a_part || !pending.proof.is_given_by(code, order, Instant::now(), not_found_after) {
        return Ok(ReversalStanding::Owed);
    }
    let confirmed = ReversalConfirmed { response_code: code, entry: Entry::default() };
    let step = ReversalStep::Confirmed(confirmed);
    if !step_if_due(engine, id, step).await? {
        return Ok(ReversalStanding::Owed);
    }
    metrics::counter!("cauce_reversals_confirmed_total").increment(1);
    Ok(ReversalStanding::Over)
}

/// Why a reversal must be recorded as owed before its advice leaves; none where it is recorded, or
/// where none is owed.
fn owed_cause(payment: &Payment) -> Option<ReversalCause> {
    match (payment.state, &payment.outcome) {
        (PaymentState::Unknown, Some(Outcome::Unknown(cause))) => {
            Some(ReversalCause::Unknown(*cause))
        }
        _ => payment.is_owed_anew.then_some(ReversalCause::LateAnswer),
    }
}

/// Sends one reversal advice; none when there was no answer to it that counts.
async fn advise(
    engine: &Engine,
    payment: &Payment,
    pending: &mut PendingAdvice,
) -> Result<Option<([u8; 2], UndoOrder)>, StoreError> {
    if payment.request.rail == Rail::External {
        return Ok(Some((UNDONE_ELSEWHERE, UndoOrder::Behind)));
    }
    let Some(original) = payment.attempt else { return Ok(None) };
    let participants = engine.participants();
    let Some(participant) = participants.by_id(original.participant) else {
        tracing::error!(participant = original.participant.as_str(), payment_id = %payment.id,
            "a reversal is owed to a participant that is no longer configured");
        return Ok(None);
    };
    let Some(card) = sealed::card(&engine.sealer, payment) else { return Ok(None) };
    let Some(request) = sealed::request(&engine.sealer, payment) else { return Ok(None) };
    let undo = Undo {
        payment: payment.id,
        folio: payment.folio,
        request: &request,
        total: payment.total,
        business_date: payment.business_date,
        original: original.reference,
        card: card.as_ref(),
        stands_minor: pending.stands_minor,
        repeat: pending.repeat,
        has_arrived: matches!(payment.outcome, Some(Outcome::Approved(_))),
        approval: approval_of(payment),
    };
    let UndoAnswer { code, order } = participant.undo(&undo, &mut pending.own).await;
    pending.proof.was_asked(order, Instant::now());
    match code {
        Ok(code) => Ok(Some((code, order))),
        Err(why) => {
            tracing::debug!(participant = %participant.id(), ?why, "reversal not answered");
            Ok(None)
        }
    }
}

/// What the participant said when it approved a payment.
fn approval_of(payment: &Payment) -> Option<&Approval> {
    match &payment.outcome {
        Some(Outcome::Approved(approval)) => Some(approval),
        Some(Outcome::Declined(_) | Outcome::Unknown(_)) | None => None,
    }
}

/// Makes a step durable; false where it cannot follow what is recorded by now: a late answer owes
/// another reversal, or another node was first.
async fn step_if_legal(
    engine: &Engine,
    payment: PaymentId,
    step_of: ReversalStep,
) -> Result<bool, StoreError> {
    match step(engine, payment, step_of).await {
        Ok(()) => Ok(true),
        Err(StoreError::Illegal(_) | StoreError::EntryDiffers { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The same for a step that posts what the payment owes there as it stands now.
async fn step_if_due(
    engine: &Engine,
    id: PaymentId,
    mut step: ReversalStep,
) -> Result<bool, StoreError> {
    let reversal = Reversal { payment: id, at: clock::now(), step: step.clone() };
    let payment = engine.store.payment(id).await?;
    let due = payment.and_then(|payment| payment.due_entry(&Record::Reversal(Box::new(reversal))));
    let Some(due) = due else { return Ok(false) };
    match &mut step {
        ReversalStep::Confirmed(confirmed) => confirmed.entry = due,
        ReversalStep::PartConfirmed(part) => part.entry = due,
        ReversalStep::Owed(_) | ReversalStep::PartOwed(_) => {}
    }
    step_if_legal(engine, id, step).await
}

async fn step(engine: &Engine, payment: PaymentId, step: ReversalStep) -> Result<(), StoreError> {
    let reversal = Reversal { payment, at: clock::now(), step };
    engine.store.append(Record::Reversal(Box::new(reversal))).await.map(|_| ())
}
