//! Payments of bills that were made elsewhere, as their biller says: at its cash desk, to its own bank
//! account. Nothing is asked of a participant and no money is moved; the journal keeps that it was
//! paid, with a memorandum in the ledger, so that the guard's count of the bill is right, and that it was
//! taken back.
//!
//! The same words about a bill – method, day and reference – name the same payment, however often they
//! come, until it is taken back.

use router::bill::{BillMoment, BillState, PlannedBill};
use router::exchange::AttemptRef;
use router::free_text::FreeText;
use router::id::{ExternalPaymentId, ParticipantId, PaymentId};
use router::message::{
    Fingerprint, IdempotencyKey, Originator, Payer, PaymentRequest, Rail, Trace, digest128,
};
use router::money::Money;
use router::outcome::{Approval, Outcome};
use router::payment::{Payment, PaymentState};
use router::plan::{EXTERNAL, Plan, plan_external};
use router::posting::Entry;
use router::reason::Reason;
use router::record::{Attempt, Concluded, Intent, Record};
use router::request_context::BillTerms;
use router::time::Date;
use storage::{Admission, StoreError};
use storage_backoffice::bill::BillEntry;
use storage_backoffice::external::ExternalPayment;
use storage_backoffice::{Backoffice, BackofficeError};

use crate::backoffice::{NoBackoffice, moment_of, standing_of};
use crate::clock;
use crate::engine::Engine;

/// How often the same words may be said anew of a bill, each time after they were taken back.
const SAID_MAX: u32 = 100;
/// How often it is tried while other payments of the bill come and go.
const TRIES_MAX: u32 = 2;
/// How many of a bill's external payments are looked at.
const LOOKED_AT_MAX: i64 = 1_000;

/// What a biller says of a payment.
#[derive(Debug, Clone)]
pub struct ExternalWish {
    /// How it was paid, in the biller's words.
    pub method: Box<str>,
    /// The day on which it was paid.
    pub paid_on: Date,
    /// The biller's own name of it.
    pub reference: FreeText<40>,
    /// How much.
    pub amount: Money,
}

/// What came of it.
#[derive(Debug)]
pub enum ExternalReply {
    /// It counts.
    Stands {
        /// The payment.
        id: ExternalPaymentId,
        /// Whether it was said before.
        is_replay: bool,
    },
    /// It is not taken.
    Refused {
        /// Why.
        reason: Reason,
        /// What may be said of the bill at most, where the amount is what does not fit.
        payable_now: Option<Money>,
    },
    /// The same is being taken, by another request.
    InProgress,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// The back office does not answer.
    #[error(transparent)]
    Backoffice(#[from] NoBackoffice),
    /// The journal does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BackofficeError> for ExternalError {
    fn from(error: BackofficeError) -> Self {
        Self::Backoffice(error.into())
    }
}

/// Takes what a biller says was paid of its bill.
///
/// Errors: the journal's and the back office's. Not cancel-safe: a dropped call may leave a payment
/// that the next start concludes.
pub async fn register(
    engine: &Engine,
    bill: &BillEntry,
    wish: &ExternalWish,
    actor: &str,
) -> Result<ExternalReply, ExternalError> {
    let office = engine.backoffice.office()?;
    let reply = match said_before(engine, &office, bill, wish).await? {
        Some(reply) => reply,
        None => taken(engine, &office, bill, wish).await?,
    };
    if let ExternalReply::Stands { id, .. } = &reply {
        let ExternalWish { method, paid_on, reference, amount } = wish;
        let payment = ExternalPayment {
            id: *id,
            bill: bill.id,
            method: method.clone(),
            paid_on: *paid_on,
            reference: reference.as_str().into(),
            amount_minor: amount.minor,
        };
        office.note_external_payment(&payment, clock::now(), actor).await?;
    }
    Ok(reply)
}

/// Takes back what was said of a payment; once, however often it is asked for.
///
/// Errors: the journal's and the back office's. Not cancel-safe: a dropped call may leave it to the
/// next start.
pub async fn undo(engine: &Engine, payment: PaymentId, actor: &str) -> Result<(), ExternalError> {
    crate::reversal::undo_external(engine, payment).await?;
    let office = engine.backoffice.office()?;
    Ok(office.note_external_undone(payment.into(), clock::now(), actor).await?)
}

/// Makes the outcome of an external payment durable, which can only be that it was paid.
///
/// Errors: the journal's.
pub async fn conclude(engine: &Engine, payment: PaymentId, entry: Entry) -> Result<(), StoreError> {
    let outcome = Outcome::Approved(Approval::default());
    let concluded = Concluded { payment, at: clock::now(), outcome, entry };
    match engine.store.append(Record::Outcome(Box::new(concluded))).await {
        // Another request or start was first.
        Ok(_) | Err(StoreError::Illegal(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The reply to words that were said before and stand, by the register's memory, which has no end.
async fn said_before(
    engine: &Engine,
    office: &Backoffice,
    bill: &BillEntry,
    wish: &ExternalWish,
) -> Result<Option<ExternalReply>, ExternalError> {
    let said = office.external_payments(bill.id, LOOKED_AT_MAX).await?;
    let same = said.iter().rev().find(|said| {
        said.undone_by.is_none()
            && *said.method == *wish.method
            && said.paid_on == wish.paid_on.to_string()
            && said.reference == wish.reference.as_str()
    });
    let Some(id) = same.and_then(|said| said.id.parse::<ExternalPaymentId>().ok()) else {
        return Ok(None);
    };
    let payment = engine.store.payment(id.into()).await?;
    Ok(payment.and_then(|payment| repeated(&payment, wish)))
}

/// The reply to words that made a payment before; none where it was refused or taken back.
fn repeated(payment: &Payment, wish: &ExternalWish) -> Option<ExternalReply> {
    match payment.state {
        PaymentState::Approved | PaymentState::Settled if payment.request.amount != wish.amount => {
            Some(ExternalReply::Refused { reason: Reason::IdempotencyConflict, payable_now: None })
        }
        PaymentState::Approved | PaymentState::Settled => {
            Some(ExternalReply::Stands { id: payment.id.into(), is_replay: true })
        }
        PaymentState::Sent | PaymentState::Received => Some(ExternalReply::InProgress),
        PaymentState::AwaitingPayer
        | PaymentState::Declined
        | PaymentState::Unknown
        | PaymentState::Reversing
        | PaymentState::Reversed
        | PaymentState::Expired
        | PaymentState::Refunding
        | PaymentState::Refunded => None,
    }
}

/// Takes it under the first key that these words have not used.
async fn taken(
    engine: &Engine,
    office: &Backoffice,
    bill: &BillEntry,
    wish: &ExternalWish,
) -> Result<ExternalReply, ExternalError> {
    let mut tries = 0;
    for time in 0..SAID_MAX {
        let key = key_of(bill, wish, time);
        if let Some(payment) = engine.store.payment_by_key(key, None).await? {
            match repeated(&payment, wish) {
                Some(reply) => return Ok(reply),
                None => continue,
            }
        }
        let (planned, is_in_payment) = match checked(engine, office, bill, wish).await? {
            Ok(checked) => checked,
            Err(refused) => return Ok(refused),
        };
        let intent = intent(engine, bill, wish, (key, planned, is_in_payment));
        let Some(intent) = intent else {
            return Ok(refused(Reason::GateUnavailable));
        };
        let (id, entry) = (intent.payment, intent.plan.entry.clone());
        match engine.store.admit(intent).await? {
            Admission::Granted { .. } => {
                conclude(engine, id, entry).await?;
                return Ok(ExternalReply::Stands { id: id.into(), is_replay: false });
            }
            // The same was said by another request, meanwhile.
            Admission::Replay(payment) => {
                if let Some(reply) = repeated(&payment, wish) {
                    return Ok(reply);
                }
            }
            // A payment of the bill began meanwhile, or ended: looked at anew.
            Admission::Refused(_) if tries < TRIES_MAX => tries += 1,
            Admission::Refused(_) => return Ok(refused(Reason::BillInProgress)),
            Admission::InFlight(..) => return Ok(ExternalReply::InProgress),
            Admission::KeyReused(_) => return Ok(refused(Reason::IdempotencyConflict)),
        }
    }
    Ok(refused(Reason::DuplicateTransaction))
}

fn refused(reason: Reason) -> ExternalReply {
    ExternalReply::Refused { reason, payable_now: None }
}

/// What the journal is to keep of the bill, and whether a payment of it is under way; or why nothing
/// more can have been paid of it.
async fn checked(
    engine: &Engine,
    office: &Backoffice,
    bill: &BillEntry,
    wish: &ExternalWish,
) -> Result<Result<(PlannedBill, bool), ExternalReply>, ExternalError> {
    engine.backoffice.rows_are_current(&engine.store).await;
    let standing = standing_of(office, bill).await?;
    let moment = moment_of(&engine.policy(), bill.biller, clock::now());
    // What it came to on the day on which it was paid.
    let paid_at = BillMoment { today: wish.paid_on, ..moment };
    let reason = match bill.terms.state(standing, paid_at) {
        BillState::Paid | BillState::PaidExternal => Some(Reason::BillAlreadyPaid),
        BillState::Cancelled => Some(Reason::BillCancelled),
        BillState::InPayment => bill.terms.cancelled_at.map(|_| Reason::BillCancelled),
        BillState::Open
        | BillState::PartiallyPaid
        | BillState::Overdue
        // Whoever paid at a desk has paid, whatever the network would have said.
        | BillState::Expired => None,
    };
    if let Some(reason) = reason {
        return Ok(Err(refused(reason)));
    }
    let left = bill.terms.remaining(standing, wish.paid_on);
    if wish.amount.currency != left.currency {
        return Ok(Err(refused(Reason::CurrencyNotAllowed)));
    }
    if left.minor < wish.amount.minor {
        let (reason, payable_now) = (Reason::AmountMismatch, Some(left));
        return Ok(Err(ExternalReply::Refused { reason, payable_now }));
    }
    let planned = bill.terms.planned(bill.id, bill.version, wish.paid_on);
    Ok(Ok((planned, standing.is_in_payment)))
}

/// The payment; none while nobody knows what time it is, or no folio can be had.
fn intent(
    engine: &Engine,
    bill: &BillEntry,
    wish: &ExternalWish,
    (key, planned, is_in_payment): (IdempotencyKey, PlannedBill, bool),
) -> Option<Intent> {
    let at = clock::for_admission().ok()?;
    let mut request = request(bill, wish, key);
    request.fingerprint = engine.fingerprint(&request);
    let amount = Money::new(planned.amount_minor, wish.amount.currency);
    let terms = BillTerms { amount, allows_partial: true };
    let terms = Some(terms).filter(|_| !is_in_payment);
    let plan = plan_external(&request, terms, wish.paid_on, &engine.policy(), at);
    let plan = Plan { bill: Some(planned), ..plan };
    let (payment, folio) = engine.new_payment(at)?;
    let participant = ParticipantId::new(EXTERNAL).expect("invariant: the name is short ASCII");
    let attempt = Attempt { participant, reference: AttemptRef::Payment };
    Some(Intent { payment, folio, at, request, plan, attempt })
}

fn request(bill: &BillEntry, wish: &ExternalWish, key: IdempotencyKey) -> PaymentRequest {
    PaymentRequest {
        originator: Originator::Biller(bill.biller),
        key,
        fingerprint: Fingerprint::UNSET,
        rail: Rail::External,
        amount: wish.amount,
        biller: Some(bill.biller),
        client: Some(bill.client_id),
        bill: Some(bill.bill_no),
        product: bill.product,
        float_ref: None,
        operator: None,
        remaining_debt: None,
        payer: Payer::default(),
        trace: Trace::default(),
        reference: Some(wish.reference.clone()),
        metadata: None,
        transient: None,
        sealed_texts: None,
    }
}

/// The key of words about a bill, the same until they were taken back so many times.
fn key_of(bill: &BillEntry, wish: &ExternalWish, time: u32) -> IdempotencyKey {
    IdempotencyKey(digest128(&[
        b"external",
        bill.id.to_string().as_bytes(),
        wish.method.as_bytes(),
        wish.paid_on.to_string().as_bytes(),
        wish.reference.as_str().as_bytes(),
        &time.to_be_bytes(),
    ]))
}
