//! What an inquiry makes of a payment whose outcome was unknown.

use super::progress::{Progress, effects_of};
use super::{Effects, OutcomeKind, PaymentState};
use crate::exchange::InquiryFinding;
use crate::outcome::{Approval, Cause, Outcome};
use crate::time::Timestamp;

/// When and why the outcome of a payment was given up as unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
}

impl InquiryFinding {
    /// The outcome it makes; none where the payment stays unknown.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Approved(approval) => Some(Outcome::Approved(*approval)),
            Self::Declined(decline) => Some(Outcome::Declined(*decline)),
            Self::DeemedApproved => Some(Outcome::Approved(Approval::default())),
            Self::NotFound => None,
        }
    }
}

impl Progress {
    /// An unknown payment has its outcome after all. Where its participant does not know it, it is
    /// reversed: its request may still arrive. None where the record cannot follow.
    pub(super) fn inquired(&mut self, finding: &InquiryFinding) -> Option<Effects> {
        if self.state != PaymentState::Unknown {
            return None;
        }
        let Some(outcome) = finding.outcome() else {
            return Some(Effects { owes_reversal: true, ..Effects::default() });
        };
        let (state, effects) = effects_of(&outcome);
        (self.state, self.told) = (state, Some(OutcomeKind::of(&outcome)));
        Some(effects)
    }
}
