//! What stands of an approved payment that is reversed in part, and in which steps it became less.

use crate::record::PartOwed;
use crate::time::Timestamp;

/// Most partial reversals of one payment; after them only the whole rest can be reversed.
pub const PARTS_MAX: usize = 64;

/// What stands of a payment.
///
/// Shape: 0 < owed <= confirmed <= amount.
/// Units: minor units of the payment's amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The payment's amount.
    pub amount_minor: i64,
    /// What stands at the participant, by its last confirmation.
    pub confirmed_minor: i64,
    /// What is to stand, by the last partial reversal.
    pub owed_minor: i64,
}

impl Standing {
    /// After one more partial reversal is owed; none where the record does not fit what stood.
    pub(super) fn owing(before: Option<Self>, part: &PartOwed) -> Option<Self> {
        let PartOwed { amount_minor, from_minor, stands_minor, key: _ } = *part;
        let untouched =
            Self { amount_minor, confirmed_minor: amount_minor, owed_minor: amount_minor };
        let before = before.unwrap_or(untouched);
        let fits = before.amount_minor == amount_minor && before.owed_minor == from_minor;
        let is_part = 0 < stands_minor && stands_minor < from_minor;
        (fits && is_part).then_some(Self { owed_minor: stands_minor, ..before })
    }

    /// After the participant confirmed that this much stands; none where it cannot.
    pub(super) fn confirming(self, stands_minor: i64) -> Option<Self> {
        let fits = self.owed_minor <= stands_minor && stands_minor < self.confirmed_minor;
        fits.then_some(Self { confirmed_minor: stands_minor, ..self })
    }

    /// Whether the participant still has to confirm a partial reversal.
    pub fn is_owed(self) -> bool {
        self.owed_minor < self.confirmed_minor
    }
}

/// One partial reversal of a payment.
///
/// Units: minor units of the payment's amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialReversal {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Digest of the idempotency key it was asked under, where one was given.
    pub key: Option<u128>,
    /// What stood before it.
    pub from_minor: i64,
    /// What stands after it.
    pub stands_minor: i64,
    /// When the participant confirmed it.
    pub confirmed_at: Option<Timestamp>,
}
