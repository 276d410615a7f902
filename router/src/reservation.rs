//! What must be reserved before a payment may be sent, as data.
//!
//! A guard checks everything, then applies everything, or applies nothing. It knows no business
//! rule: [`crate::plan::plan`] wrote the rules down as slots, counters and holds.
//!
//! Order matters: a guard checks slots first, then counters, then holds, each list in its own
//! order, and says the reason of the first that fails. That is the catalogue's precedence: a
//! repeated operation is told as a duplicate and not as "one payment a day", and both before a
//! float that is too low.

mod share;

use smallvec::SmallVec;

use crate::id::{AccountId, PaymentId};
use crate::message::{Fingerprint, IdempotencyKey};
use crate::money::Money;
use crate::reason::Reason;
use crate::time::Timestamp;

pub use share::Share;

/// The one atomic step between plan and intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Who asked; at most one live intent per key.
    pub key: IdempotencyKey,
    /// What exactly was asked.
    pub fingerprint: Fingerprint,
    /// Exclusive claims; checked first.
    pub slots: SmallVec<[Slot; 1]>,
    /// Counts and sums within a window; checked second.
    pub counters: SmallVec<[Counter; 2]>,
    /// Money made unavailable until the outcome; checked last.
    pub holds: SmallVec<[Hold; 2]>,
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
    /// Said instead when nothing is left below the ceiling; none where `reason` says it too.
    pub reason_once_full: Option<Reason>,
}

impl Counter {
    /// What is said when so much is left below the ceiling, and it is too little.
    pub fn reason_with(&self, left: i128) -> Reason {
        let is_full = left <= 0;
        self.reason_once_full.filter(|_| is_full).unwrap_or(self.reason)
    }
}

/// An exclusive claim, held until the outcome; kept after an approval where `keep` says so (a bill
/// of unknown terms is paid once).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// What is claimed: a digest of its kind and name.
    pub key: SlotKey,
    /// What an approval does to it.
    pub keep: Keep,
    /// Said while a payment without an outcome has it: a bill is being paid.
    pub reason_while_open: Reason,
    /// Said once an approved payment keeps it: the bill is paid.
    pub reason_once_kept: Reason,
}

/// What has a claim: the owner alone frees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimOwner {
    /// A payment, until its outcome or for as long as its slot says.
    Payment(PaymentId),
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
    /// Reversed after an approval, in part or whole: what was posted is given back too.
    Undo,
}
