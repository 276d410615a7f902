//! What must be reserved before a payment may be sent, as data.
//!
//! A guard checks everything, then applies everything, or applies nothing. It knows no business
//! rule: [`crate::plan::plan`] wrote the rules down as holds, counters and slots.

use smallvec::SmallVec;

use crate::id::AccountId;
use crate::message::{Fingerprint, IdempotencyKey};
use crate::money::Money;
use crate::reason::Reason;
use crate::time::Timestamp;

/// The one atomic step between plan and intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Who asked; at most one live intent per key.
    pub key: IdempotencyKey,
    /// What exactly was asked.
    pub fingerprint: Fingerprint,
    /// Money made unavailable until the outcome.
    pub holds: SmallVec<[Hold; 2]>,
    /// Counts and sums within a window.
    pub counters: SmallVec<[Counter; 2]>,
    /// Exclusive claims.
    pub slots: SmallVec<[Slot; 1]>,
}

/// Money made unavailable on an account: balance − held − amount must not go below the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The account.
    pub account: AccountId,
    /// How much; more than zero.
    pub amount: Money,
    /// What must stay, in minor units; negative for a credit line.
    pub floor_minor: i64,
    /// Said when it does not.
    pub reason: Reason,
}

/// A count or sum that may not pass its ceiling within its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Which counter: the digest of rule, scope value and window.
    pub key: CounterKey,
    /// What this payment adds: 1 for a count, minor units for a sum.
    pub delta: i64,
    /// The most it may reach.
    pub ceiling: i64,
    /// When the window closes and the counter may be forgotten.
    pub window_end: Timestamp,
    /// Said when the ceiling would be passed.
    pub reason: Reason,
}

/// An exclusive claim, held until the outcome; kept for ever if the payment is approved and
/// `keep` says so (a bill is paid once).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// What is claimed: a digest of its kind and name.
    pub key: SlotKey,
    /// What an approval does to it.
    pub keep: Keep,
    /// Said when somebody else has it.
    pub reason: Reason,
}

/// What becomes of a slot when the payment is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Freed, as after a decline.
    UntilOutcome,
    /// Stays taken until a reversal frees it.
    WhileApproved,
    /// Stays taken after an approval until an instant (a repeat of the same operation that day),
    /// or until a reversal frees it.
    Until(Timestamp),
}

/// Names one counter of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CounterKey(pub u128);

/// Names one exclusive claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotKey(pub u128);

/// How a reservation ends. Only a durable record ends one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settle {
    /// Approved: holds are taken from the balance, counters stay, slots stay as they say.
    Post,
    /// Declined or reversed before an approval: everything is given back.
    Release,
    /// Reversed after an approval: what was posted is given back too.
    Undo,
}
