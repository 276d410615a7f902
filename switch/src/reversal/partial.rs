//! Reversals of a part of an approved payment.
//!
//! What is to stand is durable before the participant is told (0420 with DE95), and is told until
//! the participant confirms it; then the part is available again. Reversals of one payment follow
//! each other: the next may be asked for while the last is still owed. DE95 says what stands, not
//! how much is given back, so the participant only has to be told the last one.

use router::detail::Detail;
use router::message::ReversalRequest;
use router::money::Money;
use router::payment::{PARTS_MAX, Payment, PaymentState};
use router::posting::Entry;
use router::reason::Reason;
use router::record::{PartConfirmed, PartOwed, ReversalStep};
use storage::StoreError;

use super::{
    PendingAdvice, ReversalStanding, Undoing, advise, concluded, step, step_if_due, undo_asked,
};
use crate::engine::Engine;
use crate::respond::Reply;

/// Times a decision is made: another part of the payment may have come first each time but once.
const DECISIONS_MAX: usize = PARTS_MAX + 1;
/// Response code of an advice that was carried out.
const DONE: [u8; 2] = *b"00";

/// A partial reversal as its originator asks for it.
#[derive(Debug, Clone, Copy)]
pub struct PartRequest {
    /// What is asked.
    pub amount: PartAmount,
    /// Digest of the idempotency key, where one was given.
    pub key: Option<u128>,
}

/// How much of a payment is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartAmount {
    /// What is to stand, in minor units of the payment's amount; more than zero.
    Stands(i64),
    /// What is to be given back; more than zero.
    GivenBack(Money),
}

/// What is to be done about a request.
enum Decision {
    /// Nothing; the originator is told this.
    Reply(Reason),
    /// Everything that stands is undone.
    Whole,
    /// So much is to stand.
    Stands(i64),
}

/// Whether a reversal repeats the amount of the payment it names, as far as it repeats one.
///
/// Source: ISO 8583:1987: DE4 of a reversal is the original's amount; what is to stand of it is
///         told in DE95. So a lower DE4 alone does not say which of the two is meant.
pub(super) fn repeats_amount(request: &ReversalRequest, payment: &Payment) -> bool {
    let amount = payment.request.amount;
    request.amount.is_none_or(|of| of == amount)
        && request.amount_minor.is_none_or(|minor| minor == amount.minor)
}

/// Makes it durable that a part of a payment must be given back because its originator says so.
///
/// Errors: the journal's. Cancel-safe: a dropped call either recorded the step or did not.
pub async fn asked(
    engine: &Engine,
    payment: Payment,
    request: PartRequest,
) -> Result<Reply, StoreError> {
    let mut payment = concluded(engine, payment).await?;
    for _ in 0..DECISIONS_MAX {
        let stands_minor = match decide(engine, &payment, &request) {
            Decision::Reply(reason) => return Ok(reply(&payment, reason)),
            Decision::Whole => return undo_asked(engine, payment).await,
            Decision::Stands(stands_minor) => stands_minor,
        };
        let part = PartOwed {
            amount_minor: payment.request.amount.minor,
            from_minor: payment.stands_minor(),
            stands_minor,
            key: request.key,
        };
        match step(engine, payment.id, ReversalStep::PartOwed(part)).await {
            Ok(()) => {
                engine.owed.push(payment.id);
                return Ok(reply(&payment, Reason::Approved));
            }
            // Another reversal came first: what stands is another amount now.
            Err(StoreError::Illegal(_)) => {}
            Err(error) => return Err(error),
        }
        let known = engine.store.payment(payment.id).await?;
        payment = known.ok_or(StoreError::UnknownPayment(payment.id))?;
    }
    Ok(reply(&payment, Reason::Pending))
}

fn reply(payment: &Payment, reason: Reason) -> Reply {
    let reply = Reply { payment: Some((payment.id, payment.folio)), ..Reply::refused(reason) };
    let stands = Money::new(payment.stands_minor(), payment.request.amount.currency);
    match reason {
        Reason::Pending => Reply { is_in_progress: true, ..reply },
        Reason::CurrencyNotAllowed => Reply { field: Some("amount.currency"), ..reply },
        Reason::ReversalAmountMismatch => Reply {
            field: Some("amount.minor"),
            detail: Some(Detail::Text(format!("what stands is {stands}").into())),
            ..reply
        },
        _ => reply,
    }
}

fn decide(engine: &Engine, payment: &Payment, request: &PartRequest) -> Decision {
    if let Some(reason) = repeated_key(payment, request) {
        return Decision::Reply(reason);
    }
    if let Some(reason) = not_approved(payment, request.amount) {
        return Decision::Reply(reason);
    }
    let standing = payment.stands_minor();
    let stands = match request.amount {
        PartAmount::Stands(stands) if payment.parts.iter().any(|it| it.stands_minor == stands) => {
            return Decision::Reply(Reason::Approved);
        }
        PartAmount::Stands(stands) => stands,
        PartAmount::GivenBack(part) if part.currency != payment.request.amount.currency => {
            return Decision::Reply(Reason::CurrencyNotAllowed);
        }
        PartAmount::GivenBack(part) => standing.saturating_sub(part.minor),
    };
    match stands {
        0 => Decision::Whole,
        stands if stands < 0 || standing <= stands => {
            Decision::Reply(Reason::ReversalAmountMismatch)
        }
        _ if !takes_parts(engine, payment) => Decision::Reply(Reason::PartialReversalNotSupported),
        stands => Decision::Stands(stands),
    }
}

/// What a request is told whose key was used for a reversal of this payment before.
fn repeated_key(payment: &Payment, request: &PartRequest) -> Option<Reason> {
    let key = request.key?;
    let earlier = payment.parts.iter().find(|part| part.key == Some(key))?;
    let is_same = match request.amount {
        PartAmount::Stands(stands) => stands == earlier.stands_minor,
        PartAmount::GivenBack(part) => {
            part.currency == payment.request.amount.currency
                && part.minor == earlier.from_minor - earlier.stands_minor
        }
    };
    Some(if is_same { Reason::Approved } else { Reason::IdempotencyConflict })
}

/// What is told where no approval stands; none where one does.
fn not_approved(payment: &Payment, amount: PartAmount) -> Option<Reason> {
    match payment.state {
        PaymentState::Approved if payment.progress().has_refunds() => {
            Some(Reason::ReversalNotAllowed)
        }
        PaymentState::Approved => None,
        PaymentState::Unknown | PaymentState::Reversing | PaymentState::Reversed => {
            // Who had all that stood given back may ask again.
            let currency = payment.request.amount.currency;
            let rest = PartAmount::GivenBack(Money::new(payment.stands_minor(), currency));
            Some(if amount == rest { Reason::Approved } else { Reason::AlreadyReversed })
        }
        PaymentState::Sent => Some(Reason::Pending),
        PaymentState::Declined | PaymentState::Expired => Some(Reason::NothingToReverse),
        PaymentState::Received
        | PaymentState::AwaitingPayer
        | PaymentState::Settled
        | PaymentState::Refunding
        | PaymentState::Refunded => Some(Reason::ReversalNotAllowed),
    }
}

/// Whether the participant that was asked for the payment takes one more partial reversal of it.
fn takes_parts(engine: &Engine, payment: &Payment) -> bool {
    let participants = engine.participants();
    let participant = payment.attempt.and_then(|at| participants.by_id(at.participant));
    payment.parts.len() < PARTS_MAX
        && participant.is_some_and(|participant| participant.takes_partial_reversals())
}

/// Tells the participant once what is to stand of a payment, and records that it confirmed it.
///
/// Errors: the journal's. Cancel-safe: what is owed stands in the journal.
pub(super) async fn advance(
    engine: &Engine,
    payment: &Payment,
    stands_minor: i64,
    pending: &mut PendingAdvice,
    undoing: &Undoing,
) -> Result<ReversalStanding, StoreError> {
    let permit = undoing.permits.acquire().await;
    let answer = advise(engine, payment, pending).await?;
    drop(permit);
    let Some((code, _)) = answer else { return Ok(ReversalStanding::Owed) };
    // "Not found" is no evidence here: the payment was approved, so there is something to undo. Nor
    // is "already reversed": a bank may say it of an earlier part.
    if code != DONE {
        let code = String::from_utf8_lossy(&code).into_owned();
        tracing::warn!(payment_id = %payment.id, code, "a partial reversal was not confirmed");
        return Ok(ReversalStanding::Owed);
    }
    confirm(engine, payment, stands_minor, code).await?;
    let known = engine.store.payment(payment.id).await?;
    let is_owed = known.is_some_and(|payment| payment.is_open());
    Ok(if is_owed { ReversalStanding::Owed } else { ReversalStanding::Over })
}

async fn confirm(
    engine: &Engine,
    payment: &Payment,
    stands_minor: i64,
    response_code: [u8; 2],
) -> Result<(), StoreError> {
    let confirmed = PartConfirmed { stands_minor, response_code, entry: Entry::default() };
    // Where it cannot follow, another node has recorded it.
    if step_if_due(engine, payment.id, ReversalStep::PartConfirmed(confirmed)).await? {
        metrics::counter!("cauce_reversals_confirmed_total").increment(1);
    }
    Ok(())
}
