//! What the journal keeps: one record for each step of a payment, and for what changes around it.

mod inquiry;
mod refund;
mod waiting;

use crate::bill::PlannedBill;
use crate::detail::Detail;
use crate::early::EarlyReversal;
use crate::endpoint::Endpoint;
use crate::event::{Event, EventBody};
use crate::exchange::{Ask, AttemptRef};
use crate::id::{EndpointId, Folio, ParticipantId, PaymentId, RefundId};
use crate::message::PaymentRequest;
use crate::outcome::{Cause, Outcome};
use crate::plan::Plan;
use crate::posting::Entry;
use crate::reason::Reason;
use crate::time::{Date, Timestamp};

pub use inquiry::Inquiry;
pub use refund::{Refund, RefundBegun, RefundDone, RefundFailed, RefundStep};
pub use waiting::{Confirming, Expired, WaitBegun};

/// One step, as it is made durable.
#[derive(Debug, Clone)]
pub enum Record {
    /// A payment is about to be sent.
    Intent(Box<Intent>),
    /// A payment was refused by a rule; nothing was or will be sent.
    Refused(Box<Refused>),
    /// A payment whose request certainly never left goes to its next route.
    Rerouted(Rerouted),
    /// What came of a payment.
    Outcome(Box<Concluded>),
    /// A step of undoing a payment.
    Reversal(Box<Reversal>),
    /// An answer that came after the payment had its outcome.
    LateAnswer(LateAnswer),
    /// Balances were raised or lowered from outside a payment.
    Account(Box<AccountMovement>),
    /// Something around payments changed: an endpoint was set, changed or deleted.
    Event(Box<Event>),
    /// How far an endpoint's notices are delivered, so that a rebuild does not send them again.
    NoticeMark(NoticeMark),
    /// A reversal came whose original is not known.
    EarlyReversal(EarlyReversal),
    /// A payment waits for its payer, or for a confirmation.
    Awaiting(Box<WaitBegun>),
    /// A payer's confirmation is about to be sent.
    Confirming(Confirming),
    /// What a payment waited for did not come in time.
    Expired(Expired),
    /// The finding of an inquiry about an unknown payment.
    Inquiry(Box<Inquiry>),
    /// A step of giving money back by a request of its own.
    Refund(Box<Refund>),
}

/// INTENT: everything needed to send, to answer, and – after a crash – to reverse.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The payment.
    pub payment: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// When the request was received.
    pub at: Timestamp,
    /// The request.
    pub request: PaymentRequest,
    /// How it is carried out.
    pub plan: Plan,
    /// Where it goes first.
    pub attempt: Attempt,
}

impl Intent {
    /// The request to the participant that carries it out.
    pub fn ask(&self) -> Ask<'_> {
        let Self { payment, folio, at, request, plan, attempt: _ } = self;
        Ask { payment: *payment, folio: *folio, at: *at, request, plan }
    }
}

/// One request to one participant, by what names it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The participant asked.
    pub participant: ParticipantId,
    /// How the request is named there.
    pub reference: AttemptRef,
}

/// A refusal that is final: a repeat of the key gets it again.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The payment.
    pub payment: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// When the request was received.
    pub at: Timestamp,
    /// The biller's calendar day it belongs to.
    pub business_date: Date,
    /// The request.
    pub request: PaymentRequest,
    /// Why it was refused.
    pub reason: Reason,
    /// The payment it repeats, for `duplicate_transaction`.
    pub original: Option<PaymentId>,
    /// What people need beyond the catalogue's text.
    pub detail: Option<Detail>,
    /// What the register said of the bill, where it was asked.
    pub bill: Option<PlannedBill>,
}

/// A change of route before anything left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rerouted {
    /// The payment.
    pub payment: PaymentId,
    /// When.
    pub at: Timestamp,
    /// Where it goes now.
    pub attempt: Attempt,
}

/// OUTCOME: what came of a payment, with its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concluded {
    /// The payment.
    pub payment: PaymentId,
    /// When the answer came or the deadline passed.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// The entry it posts; empty unless approved.
    pub entry: Entry,
}

/// A step of undoing a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The payment.
    pub payment: PaymentId,
    /// When.
    pub at: Timestamp,
    /// Which step.
    pub step: ReversalStep,
}

/// The steps of undoing a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReversalStep {
    /// It must be undone, and why.
    Owed(ReversalCause),
    /// The participant confirmed (0430, 0410) with this response code.
    Confirmed(ReversalConfirmed),
    /// A part of an approved payment must be given back; the rest stands.
    PartOwed(PartOwed),
    /// The participant confirmed that a part was given back.
    PartConfirmed(PartConfirmed),
}

/// A partial reversal that is owed to a participant.
///
/// Units: minor units of the payment's amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartOwed {
    /// The payment's amount.
    pub amount_minor: i64,
    /// The amount that stood before: the record cannot follow any other amount.
    pub from_minor: i64,
    /// The amount that stands from now on; more than zero and less than before.
    pub stands_minor: i64,
    /// Digest of the idempotency key it was asked under, where one was given.
    pub key: Option<u128>,
}

/// A whole reversal that the participant confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalConfirmed {
    /// DE39 of the confirmation.
    pub response_code: [u8; 2],
    /// The contra-entry of what stood of an approval; empty where nothing had been posted.
    pub entry: Entry,
}

/// A partial reversal that the participant confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartConfirmed {
    /// What stands now, in minor units of the payment's amount.
    pub stands_minor: i64,
    /// DE39 of the confirmation.
    pub response_code: [u8; 2],
    /// The entry it posts: the payee is debited, the source of the money is credited.
    pub entry: Entry,
}

/// Why a payment is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReversalCause {
    /// Its outcome is unknown.
    Unknown(Cause),
    /// Its originator said so.
    Asked,
    /// A late answer said that money may have moved, after the payment had been declined or its
    /// reversal had begun.
    LateAnswer,
}

/// An answer that came after the payment had its outcome. It changes nothing the originator was told;
/// where money may have moved against that outcome, it owes a reversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateAnswer {
    /// The payment.
    pub payment: PaymentId,
    /// When it came.
    pub at: Timestamp,
    /// The answer.
    pub outcome: Outcome,
}

/// Balances were raised or lowered from outside a payment: a top-up, room under a cap, an
/// adjustment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMovement {
    /// When.
    pub at: Timestamp,
    /// The entry it posts.
    pub entry: Entry,
}

/// Every notice of records up to and including a position has been delivered or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeMark {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The journal position (record sequence number).
    pub through: u64,
}

impl Record {
    /// The payment it belongs to, where it belongs to one.
    pub fn payment(&self) -> Option<PaymentId> {
        match self {
            Self::Intent(intent) => Some(intent.payment),
            Self::Refused(refused) => Some(refused.payment),
            Self::Rerouted(rerouted) => Some(rerouted.payment),
            Self::Outcome(concluded) => Some(concluded.payment),
            Self::Reversal(reversal) => Some(reversal.payment),
            Self::LateAnswer(late) => Some(late.payment),
            Self::Awaiting(wait) => Some(wait.payment),
            Self::Confirming(confirming) => Some(confirming.payment),
            Self::Expired(expired) => Some(expired.payment),
            Self::Inquiry(inquiry) => Some(inquiry.payment),
            Self::Refund(refund) => Some(refund.payment),
            Self::Account(_) | Self::Event(_) | Self::NoticeMark(_) | Self::EarlyReversal(_) => {
                None
            }
        }
    }

    /// When it was made, where it says so.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Intent(intent) => Some(intent.at),
            Self::Refused(refused) => Some(refused.at),
            Self::Rerouted(rerouted) => Some(rerouted.at),
            Self::Outcome(concluded) => Some(concluded.at),
            Self::Reversal(reversal) => Some(reversal.at),
            Self::LateAnswer(late) => Some(late.at),
            Self::Awaiting(wait) => Some(wait.at),
            Self::Confirming(confirming) => Some(confirming.at),
            Self::Expired(expired) => Some(expired.at),
            Self::Inquiry(inquiry) => Some(inquiry.at),
            Self::Refund(refund) => Some(refund.at),
            Self::Account(movement) => Some(movement.at),
            Self::Event(event) => Some(event.at()),
            Self::EarlyReversal(early) => Some(early.at),
            Self::NoticeMark(_) => None,
        }
    }

    /// What it posts; none where a record of its kind moves no balance, empty where this one moves
    /// none.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Outcome(concluded) => Some(&concluded.entry),
            Self::Reversal(reversal) => match &reversal.step {
                ReversalStep::Confirmed(confirmed) => Some(&confirmed.entry),
                ReversalStep::PartConfirmed(part) => Some(&part.entry),
                ReversalStep::Owed(_) | ReversalStep::PartOwed(_) => None,
            },
            Self::Account(movement) => Some(&movement.entry),
            Self::Event(event) => Some(&event.entry),
            Self::Inquiry(inquiry) => Some(&inquiry.entry),
            Self::Refund(refund) => match &refund.step {
                RefundStep::Done(done) => Some(&done.entry),
                RefundStep::Begun(_) | RefundStep::Failed(_) => None,
            },
            Self::Intent(_)
            | Self::Refused(_)
            | Self::Rerouted(_)
            | Self::LateAnswer(_)
            | Self::NoticeMark(_)
            | Self::EarlyReversal(_)
            | Self::Awaiting(_)
            | Self::Confirming(_)
            | Self::Expired(_) => None,
        }
    }

    /// What it posts of no payment; none where it belongs to one, or posts nothing.
    pub fn movement(&self) -> Option<&Entry> {
        match self.payment() {
            Some(_) => None,
            None => self.entry().filter(|entry| !entry.is_empty()),
        }
    }

    /// The endpoint that it sets, changes or deletes.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Event(event) => event.endpoint(),
            Self::Intent(_)
            | Self::Refused(_)
            | Self::Rerouted(_)
            | Self::Outcome(_)
            | Self::Reversal(_)
            | Self::LateAnswer(_)
            | Self::Account(_)
            | Self::NoticeMark(_)
            | Self::EarlyReversal(_)
            | Self::Awaiting(_)
            | Self::Confirming(_)
            | Self::Expired(_)
            | Self::Inquiry(_)
            | Self::Refund(_) => None,
        }
    }

    /// The same, to be kept.
    pub fn into_endpoint(self) -> Option<Endpoint> {
        match self {
            Self::Event(event) => match event.body {
                EventBody::Endpoint(endpoint) => Some(endpoint),
                EventBody::ApiKey(_) | EventBody::Other(_) => None,
            },
            Self::Intent(_)
            | Self::Refused(_)
            | Self::Rerouted(_)
            | Self::Outcome(_)
            | Self::Reversal(_)
            | Self::LateAnswer(_)
            | Self::Account(_)
            | Self::NoticeMark(_)
            | Self::EarlyReversal(_)
            | Self::Awaiting(_)
            | Self::Confirming(_)
            | Self::Expired(_)
            | Self::Inquiry(_)
            | Self::Refund(_) => None,
        }
    }

    /// The refund that it is a step of.
    pub fn refund(&self) -> Option<RefundId> {
        match self {
            Self::Refund(refund) => Some(refund.refund),
            Self::Intent(_)
            | Self::Refused(_)
            | Self::Rerouted(_)
            | Self::Outcome(_)
            | Self::Reversal(_)
            | Self::LateAnswer(_)
            | Self::Account(_)
            | Self::Event(_)
            | Self::NoticeMark(_)
            | Self::EarlyReversal(_)
            | Self::Awaiting(_)
            | Self::Confirming(_)
            | Self::Expired(_)
            | Self::Inquiry(_) => None,
        }
    }

    /// Its name in dumps and exports.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Intent(_) => "intent",
            Self::Refused(_) => "refused",
            Self::Rerouted(_) => "rerouted",
            Self::Outcome(_) => "outcome",
            Self::Reversal(_) => "reversal",
            Self::LateAnswer(_) => "late_answer",
            Self::Account(_) => "account",
            Self::Event(_) => "event",
            Self::NoticeMark(_) => "notice_mark",
            Self::EarlyReversal(_) => "early_reversal",
            Self::Awaiting(_) => "awaiting",
            Self::Confirming(_) => "confirming",
            Self::Expired(_) => "expired",
            Self::Inquiry(_) => "inquiry",
            Self::Refund(_) => "refund",
        }
    }
}
