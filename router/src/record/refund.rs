//! The records of refunds: money of an approved payment that is given back by a request of its own.

use super::Attempt;
use crate::id::{PaymentId, RefundId};
use crate::message::digest128;
use crate::outcome::{Approval, Decline};
use crate::posting::Entry;
use crate::time::Timestamp;

/// A step of one refund of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The payment.
    pub payment: PaymentId,
    /// When.
    pub at: Timestamp,
    /// Which of its refunds.
    pub refund: RefundId,
    /// Which step.
    pub step: RefundStep,
}

/// The steps of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundStep {
    /// It is about to be asked of the participant.
    Begun(RefundBegun),
    /// The participant gave the money back.
    Done(Box<RefundDone>),
    /// The participant refused, or it is certain that nothing was asked of it.
    Failed(RefundFailed),
}

impl RefundStep {
    /// The name used in exports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Begun(_) => "begun",
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
        }
    }
}

/// A refund that is about to be asked of the participant of its payment.
///
/// Units: minor units of the payment's amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundBegun {
    /// The payment's amount.
    pub paid_minor: i64,
    /// What is given back; more than zero.
    pub amount_minor: i64,
    /// Digest of what was asked for, to tell a repeat of its key from another wish.
    pub fingerprint: u128,
    /// Why, in the originator's words; empty where it said nothing.
    pub reason: Box<str>,
    /// How the participant knows the request.
    pub attempt: Attempt,
}

/// A refund that the participant carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundDone {
    /// Its place among the refunds of its payment, from zero.
    pub place: u64,
    /// What was given back, in minor units: as it began.
    pub amount_minor: i64,
    /// What the participant said.
    pub approval: Approval,
    /// What is posted: the payee is debited, the source of the money is credited.
    pub entry: Entry,
}

/// A refund that was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundFailed {
    /// Its place among the refunds of its payment, from zero.
    pub place: u64,
    /// What is not given back, in minor units: as it began.
    pub amount_minor: i64,
    /// Why.
    pub decline: Decline,
}

impl RefundId {
    /// The refund that is asked for under a key: the same however often it is asked for.
    ///
    /// Shape: `key` is the digest of the idempotency key and of whose key it is.
    pub fn of(payment: PaymentId, key: u128) -> Self {
        let digest = digest128(&[b"refund", &payment.0.to_be_bytes(), &key.to_be_bytes()]);
        Self::from_parts(payment.unix_ms(), digest)
    }
}
