//! The records of a payment that waits for somebody.

use crate::exchange::Awaited;
use crate::id::PaymentId;
use crate::text::Text;
use crate::time::Timestamp;

/// AWAITING: the participant has taken the payment and waits for its payer, or for a confirmation of
/// its own. What the payer gives is never recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitBegun {
    /// The payment.
    pub payment: PaymentId,
    /// When the participant said so.
    pub at: Timestamp,
    /// What is awaited.
    pub awaited: Awaited,
    /// When the wait is over; later than `at`.
    pub until: Timestamp,
    /// The participant's reference of the payment; empty where it gave none.
    pub reference: Text<64>,
}

/// A payer's confirmation is about to be sent to the participant: from now on money may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirming {
    /// The payment.
    pub payment: PaymentId,
    /// When; before the wait is over.
    pub at: Timestamp,
}

/// What was awaited did not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// The payment.
    pub payment: PaymentId,
    /// When; not before the wait is over.
    pub at: Timestamp,
}
