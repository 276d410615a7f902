//! Requests to participants and their answers, free of any dialect.
//!
//! A participant is reached by an adapter: ISO 8583 over its lines, or another one. The adapter turns
//! an [`Ask`] into its participant's own message and the answer into an [`Outcome`]; everything else
//! – rules, journal, limits, what is told to whom – knows these values alone.

mod later;

use crate::id::{Folio, PaymentId, Stan};
use crate::message::PaymentRequest;
use crate::money::Money;
use crate::outcome::{Approval, Cause, Outcome};
use crate::plan::Plan;
use crate::secret::Pan;
use crate::text::Text;
use crate::time::{Date, Timestamp};

pub use later::{
    Awaited, Awaiting, Confirmation, InquiryAnswer, InquiryFinding, KnownPayment, RefundAsk,
};

/// A payment that a participant is to carry out.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The payment.
    pub payment: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// When it was received.
    pub at: Timestamp,
    /// What its originator asked for; what must not be stored is still in it.
    pub request: &'a PaymentRequest,
    /// How it is carried out: fees, business date.
    pub plan: &'a Plan,
}

/// How one request to a participant is named there: by this a late answer is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptRef {
    /// By trace numbers, as ISO 8583 does.
    Trace(RequestTrace),
    /// By the payment's own id, the same however often it is sent.
    Payment,
}

impl AttemptRef {
    /// The trace numbers; none where the participant knows the request by the payment's id.
    pub fn trace(&self) -> Option<RequestTrace> {
        match self {
            Self::Trace(trace) => Some(*trace),
            Self::Payment => None,
        }
    }
}

/// The data elements that name one of the switch's own requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTrace {
    /// The STAN given to the request (DE11).
    pub stan: Stan,
    /// Its transmission date and time, MMDDhhmmss UTC (DE7).
    pub transmitted_at: Text<10>,
}

/// A payment, or a part of it, that a participant is to undo.
#[derive(Debug, Clone, Copy)]
pub struct Undo<'a> {
    /// The payment.
    pub payment: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// The request, readable.
    pub request: &'a PaymentRequest,
    /// What the payer paid: the amount, and the payer's fees on top of it.
    pub total: Money,
    /// Its business date.
    pub business_date: Date,
    /// The request that is undone.
    pub original: AttemptRef,
    /// The card number, where the payment had one.
    pub card: Option<&'a Pan>,
    /// The amount that is to stand, in minor units; none where all of the payment is reversed.
    pub stands_minor: Option<i64>,
    /// Whether this process or another may have sent the request before.
    pub repeat: Repeat,
    /// Whether the request is known to have arrived, so that nothing can overtake it.
    pub has_arrived: bool,
    /// What the participant said when it approved the payment; none where it did not, or where that
    /// is not known.
    pub approval: Option<&'a Approval>,
}

/// Whether a message may have been sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// The first sending.
    First,
    /// A repeat.
    Again,
}

/// What came of starting a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The participant answered. An answer that contradicts its request is an unknown outcome.
    Answered(Outcome),
    /// The participant waits for the payer, or answers later.
    Awaiting(Awaiting),
}

/// What a participant said of an undoing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoAnswer {
    /// The answer as a response code of ISO 8583: `00` done, `21` done before, `25` no such
    /// payment, any other: not done. An error where it said nothing of this undoing.
    pub code: Result<[u8; 2], NoAnswer>,
    /// Whether the request could still have come behind the undoing.
    pub order: UndoOrder,
}

/// Whether a request may reach its participant behind its own undoing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoOrder {
    /// It cannot: the undoing took the same way, behind it.
    Behind,
    /// The connection of the request is gone. Messages sent on it may still arrive for a while.
    WayGone,
    /// The state of the connection is not known: the node that has it does not answer.
    WayUnknown,
}

/// Why a request brought no answer. The two differ in what may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// It certainly never left: another route may be tried.
    NotSent(NotSent),
    /// It may have left: only an inquiry or a reversal can tell.
    MaybeSent(Cause),
}

/// Why a request certainly never left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The participant cannot be reached: none of its lines is signed on, or nothing connects.
    SignedOff,
    /// The queues of all its lines are full, or too many requests are open.
    Congested,
    /// The participant's format cannot say it.
    Unwritable,
    /// Too many reversals are owed by it.
    ReversalsPending,
    /// Its reversal was handed over before it.
    Undone,
    /// The participant guarantees that it did not take the request up.
    NotTaken,
}

impl NotSent {
    /// The name used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignedOff => "signed_off",
            Self::Congested => "congested",
            Self::Unwritable => "unwritable",
            Self::ReversalsPending => "reversals_pending",
            Self::Undone => "undone",
            Self::NotTaken => "not_taken",
        }
    }
}

/// Why a payment cannot be asked of a participant; nothing has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// Nothing could be sent to it now.
    Away(NotSent),
    /// Its dialect cannot carry the request.
    Unsayable(Unsayable),
}

/// What a participant's dialect has no room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsayable {
    /// The field of the request, in the terms of the HTTP API; none where no single one is at fault.
    pub field: Option<&'static str>,
    /// The fault, for people.
    pub problem: String,
}
