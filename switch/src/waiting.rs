//! Payments that wait for their payer or for a confirmation: what confirms them, and what ends their
//! wait.
//!
//! When the waits are over is read from the open payments in memory; one task sleeps until the first
//! end of each lane that this node owns.

use std::sync::Arc;
use std::time::Duration;

use router::exchange::{
    Awaited, Awaiting, Confirmation, InquiryAnswer, InquiryFinding, NoAnswer, Started,
};
use router::id::PaymentId;
use router::outcome::{Cause, Outcome};
use router::payment::{Payment, PaymentState};
use router::posting::Entry;
use router::record::{Concluded, Confirming, Expired, Record, WaitBegun};
use router::secret::Secret;
use router::time::Timestamp;
use storage::{Store, StoreError};

use crate::adapter::Adapter;
use crate::clock;
use crate::engine::Engine;
use crate::known::SentPayment;

/// Payments whose waits are ended in one turn.
const TURN_MAX: usize = 256;
/// How long the clock is trusted at a time: one that is set forward is noticed after this.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// Pause after a wait could not be ended.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Ends the waits of the payments of one lane when they are over, for ever. Run as a critical task for
/// the node's own lane, as a service for another.
pub async fn run(engine: Arc<Engine>, store: Store) {
    let ending = engine.tasks.stages().ending.clone();
    tokio::select! {
        () = ending.cancelled() => {}
        () = end_waits(&engine, &store) => {}
    }
}

async fn end_waits(engine: &Arc<Engine>, store: &Store) {
    let mut first_end = store.first_wait_end();
    let mut failed = store.failed();
    loop {
        let end = *first_end.borrow_and_update();
        let pause = match end.map(|end| end.0 - clock::now().0) {
            Some(micros) => Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
            None => Duration::MAX,
        };
        if !pause.is_zero() {
            tokio::select! {
                changed = first_end.changed() => if changed.is_err() { return },
                // The lane has another owner, or the journal has failed.
                _ = failed.wait_for(|failed| *failed) => return,
                () = tokio::time::sleep(pause.min(SLEEP_MAX)) => {}
            }
            continue;
        }
        for payment in store.waits_over_at(clock::now(), TURN_MAX) {
            if let Err(error) = end_wait(engine, payment).await {
                tracing::warn!(payment_id = %payment, error = %storage::with_causes(&error),
                    "the end of a wait is not recorded yet");
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
                break;
            }
        }
    }
}

/// Ends one wait that is over. A one-time key that was not told moves no money; of what the payer or
/// the participant does elsewhere, the participant is asked first.
async fn end_wait(engine: &Engine, id: PaymentId) -> Result<(), StoreError> {
    let Some(payment) = engine.store.payment(id).await? else { return Ok(()) };
    let awaited = payment.wait.as_ref().map(|wait| &wait.awaited);
    let outcome = match awaited {
        Some(Awaited::Redirect(_) | Awaited::Confirmation) => found(engine, &payment).await,
        Some(Awaited::OneTimeKey) | None => None,
    };
    let record = match outcome {
        Some(outcome) => return conclude(engine, &payment, outcome).await,
        None => Record::Expired(Expired { payment: id, at: clock::now() }),
    };
    metrics::counter!("cauce_payments_expired_total").increment(1);
    if_legal(engine, record).await
}

/// What became of a payment whose wait is over; none where its participant knows nothing of it.
async fn found(engine: &Engine, payment: &Payment) -> Option<Outcome> {
    let Some(of) = SentPayment::of(engine, payment) else {
        return Some(Outcome::Unknown(Cause::Timeout));
    };
    match of.participant.inquire(&of.known()).await {
        Ok(InquiryAnswer { finding: Some(finding), .. }) => match finding {
            InquiryFinding::NotFound => None,
            InquiryFinding::Approved(_)
            | InquiryFinding::Declined(_)
            | InquiryFinding::DeemedApproved => finding.outcome(),
        },
        Ok(InquiryAnswer { finding: None, .. }) | Err(_) => Some(Outcome::Unknown(Cause::Timeout)),
    }
}

/// Makes it durable that a payment waits: its reservation stays.
///
/// Errors: the journal's. Cancel-safe: a dropped call either recorded it or did not.
pub async fn begin(
    engine: &Engine,
    payment: PaymentId,
    awaiting: Awaiting,
) -> Result<(), StoreError> {
    let Awaiting { awaited, until, reference } = awaiting;
    let at = clock::now();
    // A participant that gives no time still gets its answer heard.
    let until = until.max(Timestamp(at.0.saturating_add(1)));
    let wait = WaitBegun { payment, at, awaited, until, reference };
    engine.store.append(Record::Awaiting(Box::new(wait))).await.map(drop)
}

/// What came of a confirmation.
#[derive(Debug)]
pub enum Confirmed {
    /// The payment as it stands now.
    Payment(Box<Payment>),
    /// The payment waits for no one-time key; nothing was passed on.
    NotAwaited(Box<Payment>),
}

/// Passes a payer's one-time key on and records what comes of it.
///
/// Errors: the journal's. Not cancel-safe: run it in a task of its own, which a drain waits for.
pub async fn confirm(
    engine: &Engine,
    payment: Payment,
    one_time_key: &Secret,
) -> Result<Confirmed, StoreError> {
    let id = payment.id;
    let waits = payment.waits_until().is_some();
    let wait = payment.wait.clone().filter(|wait| waits && wait.awaited == Awaited::OneTimeKey);
    let Some(wait) = wait else { return Ok(Confirmed::NotAwaited(Box::new(payment))) };
    let _work = engine.at_work.begin(id);
    // From here on money may move: durable before the key leaves.
    let confirming = Record::Confirming(Confirming { payment: id, at: clock::now() });
    match engine.store.append(confirming).await {
        Ok(_) => {}
        Err(StoreError::Illegal(_)) => {
            let payment = Box::new(known(engine, id).await?);
            return Ok(Confirmed::NotAwaited(payment));
        }
        Err(error) => return Err(error),
    }
    match passed_on(engine, &payment, one_time_key).await {
        Ok(Started::Answered(outcome)) => conclude(engine, &payment, outcome).await?,
        Ok(Started::Awaiting(awaiting)) => begin(engine, id, awaiting).await?,
        Err(NoAnswer::MaybeSent(cause)) => {
            conclude(engine, &payment, Outcome::Unknown(cause)).await?;
        }
        // Nothing has left: the payment waits as before.
        Err(NoAnswer::NotSent(_)) => {
            let WaitBegun { awaited, until, reference, .. } = *wait;
            begin(engine, id, Awaiting { awaited, until, reference }).await?;
        }
    }
    Ok(Confirmed::Payment(Box::new(known(engine, id).await?)))
}

async fn passed_on(
    engine: &Engine,
    payment: &Payment,
    one_time_key: &Secret,
) -> Result<Started, NoAnswer> {
    let Some(of) = SentPayment::of(engine, payment) else {
        return Err(NoAnswer::NotSent(router::exchange::NotSent::Unwritable));
    };
    of.participant.confirm(&Confirmation { of: of.known(), one_time_key }).await
}

async fn known(engine: &Engine, id: PaymentId) -> Result<Payment, StoreError> {
    engine.store.payment(id).await?.ok_or(StoreError::UnknownPayment(id))
}

/// Makes the outcome of a payment that waited durable, and has it reversed where that is owed. That
/// another outcome was first changes nothing.
///
/// Errors: the journal's. Cancel-safe: a dropped call either recorded it or did not.
pub async fn conclude(
    engine: &Engine,
    payment: &Payment,
    outcome: Outcome,
) -> Result<(), StoreError> {
    let entry = match &outcome {
        Outcome::Approved(_) => payment.planned_entry.clone(),
        Outcome::Declined(_) | Outcome::Unknown(_) => Entry::default(),
    };
    let concluded = Concluded { payment: payment.id, at: clock::now(), outcome, entry };
    match engine.store.append(Record::Outcome(Box::new(concluded))).await {
        Ok(appended) if appended.effects.owes_reversal => {
            engine.owed.push(payment.id);
            Ok(())
        }
        Ok(_) | Err(StoreError::Illegal(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn if_legal(engine: &Engine, record: Record) -> Result<(), StoreError> {
    match engine.store.append(record).await {
        Ok(_) | Err(StoreError::Illegal(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a payment waits.
pub fn is_waiting(payment: &Payment) -> bool {
    payment.state == PaymentState::AwaitingPayer
}
