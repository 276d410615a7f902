//! Refunds of an approved payment: together they never give back more than stands of it.

use super::progress::Progress;
use super::{Effects, Payment, PaymentState};
use crate::id::RefundId;
use crate::notice::NoticeType;
use crate::outcome::{Approval, Decline};
use crate::record::{Attempt, Refund, RefundBegun, RefundStep};
use crate::reservation::{Settle, Share};
use crate::time::Timestamp;

/// Most refunds of one payment, those that failed counted: one bit of a number each.
pub const REFUNDS_MAX: u32 = u128::BITS;

/// What the refunds of a payment add up to.
///
/// Shape: 0 <= done <= taken <= what stands of the payment.
/// Units: minor units of the payment's amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundSums {
    /// The payment's amount.
    pub paid_minor: i64,
    /// What is given back, or being given back.
    pub taken_minor: i64,
    /// What is given back.
    pub done_minor: i64,
    /// How many were begun.
    pub begun: u32,
    /// The places of those that have no end yet, one bit each.
    pub pending: u128,
}

/// One refund of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRefund {
    /// Which.
    pub id: RefundId,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// What it gives back, in minor units of the payment's amount.
    pub amount_minor: i64,
    /// Digest of what was asked for.
    pub fingerprint: u128,
    /// Why, in the originator's words; empty where it said nothing.
    pub reason: Box<str>,
    /// How the participant knows the request.
    pub attempt: Attempt,
    /// When and how it ended; none while it is pending.
    pub end: Option<(Timestamp, RefundEnd)>,
}

/// How a refund ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundEnd {
    /// The participant gave the money back.
    Done(Approval),
    /// It did not.
    Failed(Decline),
}

impl PaymentRefund {
    fn new(refund: &Refund, begun: &RefundBegun) -> Self {
        Self {
            id: refund.refund,
            begun_at: refund.at,
            amount_minor: begun.amount_minor,
            fingerprint: begun.fingerprint,
            reason: begun.reason.clone(),
            attempt: begun.attempt,
            end: None,
        }
    }

    /// The name of where it stands, as the API has it.
    pub fn state_name(&self) -> &'static str {
        match self.end {
            None => "pending",
            Some((_, RefundEnd::Done(_))) => "done",
            Some((_, RefundEnd::Failed(_))) => "failed",
        }
    }
}

impl Payment {
    /// Takes a step into the refunds; false, and nothing is changed, where it begins one that is
    /// there or of another amount paid, or ends one that is not pending or is of another amount.
    pub(super) fn take_refund(&mut self, refund: &Refund) -> bool {
        let (place, amount_minor, end) = match &refund.step {
            RefundStep::Begun(begun) => {
                let is_new = self.refund_of(refund.refund).is_none();
                let fits = is_new && begun.paid_minor == self.request.amount.minor;
                self.refunds.extend(fits.then(|| PaymentRefund::new(refund, begun)));
                return fits;
            }
            RefundStep::Done(done) => {
                (done.place, done.amount_minor, RefundEnd::Done(done.approval))
            }
            RefundStep::Failed(failed) => {
                (failed.place, failed.amount_minor, RefundEnd::Failed(failed.decline))
            }
        };
        let known = usize::try_from(place).ok().and_then(|place| self.refunds.get_mut(place));
        let is_it = |known: &&mut PaymentRefund| {
            (known.id, known.amount_minor) == (refund.refund, amount_minor) && known.end.is_none()
        };
        let Some(known) = known.filter(is_it) else { return false };
        known.end = Some((refund.at, end));
        true
    }

    /// One of its refunds, and its place among them.
    pub fn refund_of(&self, id: RefundId) -> Option<(u64, &PaymentRefund)> {
        (0..).zip(&self.refunds).find(|(_, refund)| refund.id == id)
    }
}

/// What the refunds of a payment of so much add up to; none where there is none.
pub(super) fn sums(paid_minor: i64, refunds: &[PaymentRefund]) -> Option<RefundSums> {
    let mut sums = RefundSums::none_of(paid_minor);
    for refund in refunds {
        let bit = 1_u128.checked_shl(sums.begun).unwrap_or_default();
        sums.begun += 1;
        match refund.end {
            None => {
                sums.taken_minor += refund.amount_minor;
                sums.pending |= bit;
            }
            Some((_, RefundEnd::Done(_))) => {
                sums.taken_minor += refund.amount_minor;
                sums.done_minor += refund.amount_minor;
            }
            Some((_, RefundEnd::Failed(_))) => {}
        }
    }
    (sums.begun > 0).then_some(sums)
}

impl Progress {
    /// A step of a refund; none where the record cannot follow.
    pub(super) fn refund(&mut self, step: &RefundStep) -> Option<Effects> {
        match step {
            RefundStep::Begun(begun) => self.begin_refund(begun),
            RefundStep::Done(done) => {
                let sums = self.refunds?.ended(done.place, done.amount_minor)?;
                let done_minor = sums.done_minor.checked_add(done.amount_minor)?;
                self.refunded(RefundSums { done_minor, ..sums });
                let (settle, notice) = (Some(Settle::Undo), Some(NoticeType::PaymentRefunded));
                Some(Effects { settle, notice, owes_reversal: false })
            }
            RefundStep::Failed(failed) => {
                let sums = self.refunds?.ended(failed.place, failed.amount_minor)?;
                let taken_minor = sums.taken_minor.checked_sub(failed.amount_minor)?;
                self.refunded(RefundSums { taken_minor, ..sums });
                Some(Effects::default())
            }
        }
    }

    fn begin_refund(&mut self, begun: &RefundBegun) -> Option<Effects> {
        let may_begin = matches!(self.state, PaymentState::Approved | PaymentState::Refunding)
            && self.part_owed().is_none();
        let sums = self.refunds.unwrap_or(RefundSums::none_of(begun.paid_minor));
        let left_minor = self.stands_of(sums.paid_minor) - sums.taken_minor;
        let fits = sums.paid_minor == begun.paid_minor
            && (1..=left_minor).contains(&begun.amount_minor)
            && sums.begun < REFUNDS_MAX;
        if !may_begin || !fits {
            return None;
        }
        let taken_minor = sums.taken_minor + begun.amount_minor;
        let pending = sums.pending | 1 << sums.begun;
        self.refunds = Some(RefundSums { taken_minor, pending, begun: sums.begun + 1, ..sums });
        self.state = PaymentState::Refunding;
        Some(Effects::default())
    }

    /// What stands of the payment at its participant, refunds left out.
    fn stands_of(self, paid_minor: i64) -> i64 {
        self.standing.map_or(paid_minor, |standing| standing.confirmed_minor)
    }

    fn refunded(&mut self, sums: RefundSums) {
        self.refunds = Some(sums);
        let stands_minor = self.stands_of(sums.paid_minor);
        self.state = match sums.pending {
            0 if sums.done_minor == stands_minor => PaymentState::Refunded,
            0 => PaymentState::Approved,
            _ => PaymentState::Refunding,
        };
    }

    /// The share of the payment that a refund gives back when it is done.
    pub(super) fn share_refunded(self, amount_minor: i64) -> Option<Share> {
        let sums = self.refunds?;
        let from_minor = self.stands_of(sums.paid_minor) - sums.done_minor;
        let to_minor = from_minor - amount_minor;
        Some(Share { amount_minor: sums.paid_minor, from_minor, to_minor })
    }

    /// What may still be refunded of a payment of so much, in minor units; none where no refund may
    /// begin.
    pub fn refundable_minor(self, paid_minor: i64) -> Option<i64> {
        let may_begin = matches!(self.state, PaymentState::Approved | PaymentState::Refunding)
            && self.part_owed().is_none();
        let taken_minor = self.refunds.map_or(0, |sums| sums.taken_minor);
        may_begin.then(|| self.stands_of(paid_minor) - taken_minor)
    }

    /// Whether money is given back, or being given back, by refunds: then nothing is reversed.
    pub fn has_refunds(self) -> bool {
        self.refunds.is_some_and(|sums| sums.taken_minor > 0)
    }
}

impl RefundSums {
    fn none_of(paid_minor: i64) -> Self {
        Self { paid_minor, taken_minor: 0, done_minor: 0, begun: 0, pending: 0 }
    }

    /// With one refund less that is pending; none where the refund at the place is not, or cannot
    /// have been of so much.
    fn ended(self, place: u64, amount_minor: i64) -> Option<Self> {
        let bit = u32::try_from(place).ok().and_then(|place| 1_u128.checked_shl(place))?;
        let pending_minor = self.taken_minor - self.done_minor;
        let is_pending = self.pending & bit != 0 && (1..=pending_minor).contains(&amount_minor);
        is_pending.then_some(Self { pending: self.pending & !bit, ..self })
    }
}
