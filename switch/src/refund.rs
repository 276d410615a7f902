//! Refunds: money of an approved payment that is given back by a request of its own.
//!
//! A refund is durable before it is asked of the participant, and is asked again, by the same trace,
//! until the participant has answered. Whether it may begin is decided in the lane of its payment:
//! together refunds never give back more than stands.

use std::sync::Arc;
use std::time::Duration;

use router::detail::Detail;
use router::exchange::{NoAnswer, RefundAsk, Repeat};
use router::id::{PaymentId, RefundId};
use router::message::Rail;
use router::money::Money;
use router::outcome::{Decline, Outcome};
use router::payment::{Payment, PaymentRefund, PaymentState};
use router::posting::Entry;
use router::reason::Reason;
use router::record::{Record, Refund, RefundBegun, RefundDone, RefundFailed, RefundStep};
use storage::StoreError;
use tokio::sync::watch;

use crate::adapter::Adapter;
use crate::clock;
use crate::engine::{Engine, GRACE_OF_OTHER_NODES};
use crate::known::SentPayment;

/// Pauses between two requests for one refund; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A refund as its originator asks for it.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    /// Digest of its idempotency key.
    pub key: u128,
    /// Digest of what is asked.
    pub fingerprint: u128,
    /// How much; all that may be refunded where it says nothing.
    pub amount: Option<Money>,
    /// Why, in the originator's words.
    pub reason: Box<str>,
}

/// What is told of a refund.
#[derive(Debug)]
pub enum RefundReply {
    /// It was begun, now or before.
    Known {
        /// The payment as it stands now.
        payment: Box<Payment>,
        /// The refund.
        refund: RefundId,
        /// Whether it was begun before.
        is_replay: bool,
    },
    /// It was not begun, and nothing is kept of it.
    Refused {
        /// Why.
        reason: Reason,
        /// The field to mend.
        field: Option<&'static str>,
        /// What people need beyond the reason's text.
        detail: Option<Detail>,
    },
}

impl RefundReply {
    fn refused(reason: Reason) -> Self {
        Self::Refused { reason, field: None, detail: None }
    }
}

/// Begins a refund and waits until it has ended, at most so long. It goes on by itself.
///
/// Errors: the journal's. Not cancel-safe: a dropped call may leave a refund begun that is asked for
/// by the next start alone; run it in a task of its own.
pub async fn asked(
    engine: &Arc<Engine>,
    payment: Payment,
    request: RefundRequest,
    patience: Duration,
) -> Result<RefundReply, StoreError> {
    let (id, refund) = (payment.id, RefundId::of(payment.id, request.key));
    let mut payment = payment;
    loop {
        if let Some((_, known)) = payment.refund_of(refund) {
            return Ok(match known.fingerprint == request.fingerprint {
                true => RefundReply::Known { payment: Box::new(payment), refund, is_replay: true },
                false => RefundReply::refused(Reason::IdempotencyConflict),
            });
        }
        let begun = match begun(engine, &payment, &request) {
            Ok(begun) => begun,
            Err(refused) => return Ok(refused),
        };
        let step = RefundStep::Begun(begun);
        match append(engine, id, refund, step).await {
            Ok(()) => break,
            // Another step of the payment came first: decided anew on what stands now.
            Err(StoreError::Illegal(_)) => payment = known(engine, id).await?,
            Err(error) => return Err(error),
        }
    }
    let (ended, mut end) = watch::channel(false);
    start(engine, id, refund, Repeat::First, Some(ended));
    // A task that has ended has dropped its end of the channel: the refund is read all the same.
    let _ = tokio::time::timeout(patience, end.wait_for(|ended| *ended)).await;
    let payment = Box::new(known(engine, id).await?);
    Ok(RefundReply::Known { payment, refund, is_replay: false })
}

async fn known(engine: &Engine, id: PaymentId) -> Result<Payment, StoreError> {
    engine.store.payment(id).await?.ok_or(StoreError::UnknownPayment(id))
}

/// The record that begins a refund.
fn begun(
    engine: &Engine,
    payment: &Payment,
    request: &RefundRequest,
) -> Result<RefundBegun, RefundReply> {
    let paid = payment.request.amount;
    if payment.request.rail == Rail::External {
        // No participant has the money.
        return Err(RefundReply::refused(Reason::RefundNotAllowed));
    }
    let Some(refundable_minor) = payment.refundable_minor() else {
        return Err(RefundReply::refused(not_refundable(payment)));
    };
    let amount_minor = match request.amount {
        Some(amount) if amount.currency != paid.currency => {
            let (reason, field) = (Reason::CurrencyNotAllowed, Some("amount.currency"));
            return Err(RefundReply::Refused { reason, field, detail: None });
        }
        Some(amount) => amount.minor,
        None => refundable_minor,
    };
    if !(1..=refundable_minor).contains(&amount_minor) {
        let left = Money::new(refundable_minor, paid.currency);
        let detail = Some(Detail::Text(format!("what may be refunded is {left}").into()));
        let (reason, field) = (Reason::RefundExceedsPayment, Some("amount.minor"));
        return Err(RefundReply::Refused { reason, field, detail });
    }
    let participants = engine.participants();
    let attempt = payment.attempt.and_then(|at| participants.by_id(at.participant));
    let attempt = attempt.and_then(|participant| participant.name_refund(payment.folio).ok());
    let attempt = attempt.filter(|_| engine.refunds.available_permits() > 0);
    Ok(RefundBegun {
        paid_minor: paid.minor,
        amount_minor,
        fingerprint: request.fingerprint,
        reason: request.reason.clone(),
        attempt: attempt.ok_or(RefundReply::refused(Reason::IssuerUnavailable))?,
    })
}

/// Why no refund of a payment may begin.
fn not_refundable(payment: &Payment) -> Reason {
    match payment.state {
        PaymentState::Sent | PaymentState::AwaitingPayer | PaymentState::Received => {
            Reason::Pending
        }
        PaymentState::Reversing | PaymentState::Reversed => Reason::AlreadyReversed,
        PaymentState::Refunded => Reason::RefundExceedsPayment,
        PaymentState::Approved
        | PaymentState::Declined
        | PaymentState::Unknown
        | PaymentState::Expired
        | PaymentState::Settled
        | PaymentState::Refunding => Reason::RefundNotAllowed,
    }
}

/// Takes up the refunds of a payment that an earlier process or another node has begun.
pub fn resume(engine: &Arc<Engine>, payment: &Payment) {
    for refund in payment.refunds.iter().filter(|refund| refund.end.is_none()) {
        start(engine, payment.id, refund.id, Repeat::Again, None);
    }
}

/// Asks for a refund until it has ended, in a task of its own.
fn start(
    engine: &Arc<Engine>,
    payment: PaymentId,
    refund: RefundId,
    repeat: Repeat,
    ended: Option<watch::Sender<bool>>,
) {
    let work_engine = Arc::clone(engine);
    engine.tasks.service("refund", async move {
        let _work = work_engine.at_work.begin(payment);
        let ending = work_engine.tasks.stages().ending.clone();
        tokio::select! {
            () = ending.cancelled() => {}
            () = carry_out(&work_engine, payment, refund, repeat) => {
                // A caller that went away reads the refund later.
                let _ = ended.map(|ended| ended.send(true));
            }
        }
    });
}

async fn carry_out(engine: &Engine, payment: PaymentId, refund: RefundId, mut repeat: Repeat) {
    if !engine.store.holds(payment.lane()) {
        return ask_once(engine, payment, refund, repeat).await;
    }
    let mut pause = PAUSE_MIN;
    loop {
        match advance(engine, payment, refund, &mut repeat).await {
            Ok(RefundStanding::Over) => return,
            Ok(RefundStanding::Pending) => {}
            Err(error) => {
                tracing::warn!(payment_id = %payment, %refund,
                    error = %storage::with_causes(&error), "a refund is not recorded yet");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Asks for a refund of a payment in another node's lane. Without an end in time the owner of the
/// lane goes on alone: two nodes never ask for one refund at the same time.
async fn ask_once(engine: &Engine, payment: PaymentId, refund: RefundId, mut repeat: Repeat) {
    let Ok(known) = known(engine, payment).await else { return };
    let limit = engine.deadline_of(&known) + GRACE_OF_OTHER_NODES / 2;
    let asked = advance(engine, payment, refund, &mut repeat);
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(RefundStanding::Over)) => {}
        Ok(Ok(RefundStanding::Pending)) | Err(_) => {
            tracing::info!(payment_id = %payment, %refund,
                "a refund has no end yet; the owner of the payment's lane goes on with it");
        }
        Ok(Err(error)) => {
            tracing::warn!(payment_id = %payment, %refund, error = %storage::with_causes(&error),
                "a refund is not recorded yet; the owner of the payment's lane goes on with it");
        }
    }
}

/// Whether a refund is still under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RefundStanding {
    Pending,
    Over,
}

/// Asks for the refund once more and records its end, where there is one.
async fn advance(
    engine: &Engine,
    id: PaymentId,
    refund: RefundId,
    repeat: &mut Repeat,
) -> Result<RefundStanding, StoreError> {
    let payment = known(engine, id).await?;
    let Some((place, pending)) = payment.refund_of(refund).filter(|(_, it)| it.end.is_none())
    else {
        return Ok(RefundStanding::Over);
    };
    // Held for one request only, so that a bank that is away does not keep others waiting.
    let permit = engine.refunds.acquire().await;
    let heard = ask(engine, &payment, pending, *repeat).await;
    drop(permit);
    let outcome = match heard {
        Ok(outcome) => outcome,
        Err(NoAnswer::NotSent(_)) => return Ok(RefundStanding::Pending),
        Err(NoAnswer::MaybeSent(_)) => {
            *repeat = Repeat::Again;
            return Ok(RefundStanding::Pending);
        }
    };
    let was_asked_before = std::mem::replace(repeat, Repeat::Again) == Repeat::Again;
    let Some(step) = end_of(&payment, (place, pending), outcome, was_asked_before) else {
        return Ok(RefundStanding::Pending);
    };
    let name = step.name();
    match append(engine, id, refund, step).await {
        Ok(()) => {
            metrics::counter!("cauce_refunds_total", "end" => name).increment(1);
            Ok(RefundStanding::Over)
        }
        Err(StoreError::Illegal(_)) => Ok(RefundStanding::Over),
        Err(error) => Err(error),
    }
}

async fn ask(
    engine: &Engine,
    payment: &Payment,
    pending: &PaymentRefund,
    repeat: Repeat,
) -> Result<Outcome, NoAnswer> {
    let Some(of) = SentPayment::of(engine, payment) else {
        return Err(NoAnswer::NotSent(router::exchange::NotSent::Unwritable));
    };
    let amount = Money::new(pending.amount_minor, payment.request.amount.currency);
    let own = pending.attempt.reference;
    let ask = RefundAsk { of: of.known(), refund: pending.id, amount, own, repeat };
    of.participant.refund(&ask).await
}

/// The record that ends a refund; none where the answer is no evidence of it. That a refund is a
/// duplicate, said of a repeat, may be said of one that was carried out.
fn end_of(
    payment: &Payment,
    (place, pending): (u64, &PaymentRefund),
    outcome: Outcome,
    was_asked_before: bool,
) -> Option<RefundStep> {
    let amount_minor = pending.amount_minor;
    match outcome {
        Outcome::Approved(approval) => {
            let done = |entry| {
                RefundStep::Done(Box::new(RefundDone { place, amount_minor, approval, entry }))
            };
            let record = record_of(payment.id, pending.id, done(Entry::default()));
            payment.due_entry(&record).map(done)
        }
        Outcome::Declined(Decline { reason: Reason::DuplicateTransaction, .. })
            if was_asked_before =>
        {
            None
        }
        Outcome::Declined(decline) => {
            Some(RefundStep::Failed(RefundFailed { place, amount_minor, decline }))
        }
        Outcome::Unknown(_) => None,
    }
}

fn record_of(payment: PaymentId, refund: RefundId, step: RefundStep) -> Record {
    Record::Refund(Box::new(Refund { payment, at: clock::now(), refund, step }))
}

async fn append(
    engine: &Engine,
    payment: PaymentId,
    refund: RefundId,
    step: RefundStep,
) -> Result<(), StoreError> {
    engine.store.append(record_of(payment, refund, step)).await.map(drop)
}
