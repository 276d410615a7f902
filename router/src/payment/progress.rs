//! The state machine alone: which record may follow which, for whoever decides without the data.

use super::refunds::RefundSums;
use super::standing::Standing;
use super::{Effects, IllegalStep, PaymentState};
use crate::notice::NoticeType;
use crate::outcome::Outcome;
use crate::record::{Record, RefundStep, Reversal, ReversalStep};
use crate::reservation::{Settle, Share};
use crate::time::Timestamp;

/// Where a payment stands, without its data; a few bytes, so that all open ones fit in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub state: PaymentState,
    /// Which outcome its originator was told.
    pub told: Option<OutcomeKind>,
    /// Whether it had an intent: a participant may have been asked.
    pub was_sent: bool,
    /// Whether a reversal of it was confirmed once.
    pub was_reversed: bool,
    /// Whether a late answer says that money may have moved since its last reversal began. A
    /// confirmation counts again only behind a reversal that is owed for that.
    pub is_owed_anew: bool,
    /// What stands of it, once a partial reversal was owed.
    pub standing: Option<Standing>,
    /// When its wait is over; none while it does not wait.
    pub waits_until: Option<Timestamp>,
    /// What its refunds add up to, once one was begun.
    pub refunds: Option<RefundSums>,
}

/// Which outcome was told, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// Approved.
    Approved,
    /// Declined.
    Declined,
    /// Unknown.
    Unknown,
}

impl OutcomeKind {
    /// Which one an outcome is.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Approved(_) => Self::Approved,
            Outcome::Declined(_) => Self::Declined,
            Outcome::Unknown(_) => Self::Unknown,
        }
    }

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Unknown => "unknown",
        }
    }
}

impl Progress {
    /// A payment whose intent was just decided.
    pub const SENT: Self = Self {
        state: PaymentState::Sent,
        told: None,
        was_sent: true,
        was_reversed: false,
        is_owed_anew: false,
        standing: None,
        waits_until: None,
        refunds: None,
    };

    /// A payment that was refused by a rule.
    pub const REFUSED: Self = Self {
        state: PaymentState::Declined,
        told: Some(OutcomeKind::Declined),
        was_sent: false,
        was_reversed: false,
        is_owed_anew: false,
        standing: None,
        waits_until: None,
        refunds: None,
    };

    /// Takes the next record of the payment.
    ///
    /// Errors: [`IllegalStep`] when the record cannot follow; nothing is changed then.
    pub fn apply(&mut self, record: &Record) -> Result<Effects, IllegalStep> {
        let illegal = IllegalStep { state: self.state, record: record.kind() };
        let taken = match record {
            Record::Rerouted(_) => (self.state == PaymentState::Sent).then_some(Effects::default()),
            Record::Outcome(concluded) => self.conclude(&concluded.outcome),
            Record::Reversal(reversal) => self.reverse(reversal),
            Record::LateAnswer(late) => {
                (self.was_sent && self.told.is_some()).then(|| self.hear_late(&late.outcome))
            }
            Record::Awaiting(wait) => self.wait(wait),
            Record::Confirming(confirming) => self.confirm_payer(confirming),
            Record::Expired(expired) => self.expire(expired),
            Record::Inquiry(inquiry) => self.inquired(&inquiry.finding),
            Record::Refund(refund) => self.refund(&refund.step),
            Record::Intent(_)
            | Record::Refused(_)
            | Record::Account(_)
            | Record::Event(_)
            | Record::NoticeMark(_)
            | Record::EarlyReversal(_) => None,
        };
        taken.ok_or(illegal)
    }

    /// An answer, or the end of the time for one, to a payment that was sent or waits; none where
    /// the record cannot follow.
    fn conclude(&mut self, outcome: &Outcome) -> Option<Effects> {
        if !matches!(self.state, PaymentState::Sent | PaymentState::AwaitingPayer) {
            return None;
        }
        let (state, effects) = effects_of(outcome);
        (self.state, self.told) = (state, Some(OutcomeKind::of(outcome)));
        self.waits_until = None;
        Some(effects)
    }

    /// A step of undoing the payment, or a part of it; none where the record cannot follow.
    fn reverse(&mut self, reversal: &Reversal) -> Option<Effects> {
        let owed = Effects { owes_reversal: true, ..Effects::default() };
        match &reversal.step {
            ReversalStep::Owed(_) => (self.may_be_reversed() || self.is_owed_anew).then(|| {
                (self.state, self.is_owed_anew) = (PaymentState::Reversing, false);
                owed
            }),
            ReversalStep::Confirmed(_) => self.may_be_confirmed().then(|| self.confirm()),
            ReversalStep::PartOwed(part) => {
                let may_begin = self.state == PaymentState::Approved && !self.has_refunds();
                let standing = Standing::owing(self.standing, part).filter(|_| may_begin)?;
                self.standing = Some(standing);
                Some(owed)
            }
            ReversalStep::PartConfirmed(part) => {
                let standing = self.standing.filter(|_| self.has_approval())?;
                self.standing = Some(standing.confirming(part.stands_minor)?);
                Some(Effects { settle: Some(Settle::Undo), ..Effects::default() })
            }
        }
    }

    /// The end of a reversal. What the payment reserved ends with the first one alone, and so does
    /// what its merchant is told: a decline has released it before, and a later reversal undoes a
    /// debit that was never posted.
    fn confirm(&mut self) -> Effects {
        self.state = PaymentState::Reversed;
        if std::mem::replace(&mut self.was_reversed, true) {
            return Effects::default();
        }
        let settle = match self.told {
            Some(OutcomeKind::Approved) => Some(Settle::Undo),
            Some(OutcomeKind::Unknown) | None => Some(Settle::Release),
            Some(OutcomeKind::Declined) => None,
        };
        Effects { settle, notice: Some(NoticeType::PaymentReversed), owes_reversal: false }
    }

    /// An answer behind the outcome. One that says money may have moved owes a reversal, whatever
    /// was believed before, but where the payment stands as approved, or where its first reversal
    /// is still to begin.
    pub(super) fn hear_late(&mut self, outcome: &Outcome) -> Effects {
        let is_against_state = match self.state {
            PaymentState::Declined
            | PaymentState::Expired
            | PaymentState::Reversing
            | PaymentState::Reversed => true,
            PaymentState::Received
            | PaymentState::AwaitingPayer
            | PaymentState::Sent
            | PaymentState::Approved
            | PaymentState::Unknown
            | PaymentState::Settled
            | PaymentState::Refunding
            | PaymentState::Refunded => false,
        };
        let owes_reversal = is_against_state && outcome.may_have_moved_money();
        if owes_reversal {
            (self.state, self.is_owed_anew) = (PaymentState::Reversing, true);
        }
        Effects { owes_reversal, ..Effects::default() }
    }

    /// Whether a participant's confirmation ends its reversal.
    fn may_be_confirmed(self) -> bool {
        self.state == PaymentState::Reversing && !self.is_owed_anew
    }

    /// Whether a reversal may begin: money moved, or may have.
    pub fn may_be_reversed(self) -> bool {
        let may_have_moved = matches!(self.state, PaymentState::Approved | PaymentState::Unknown);
        may_have_moved && !self.has_refunds()
    }

    /// Whether anything is still to come of it: from its participant, its payer, or the switch.
    pub fn is_open(self) -> bool {
        let is_under_way = matches!(
            self.state,
            PaymentState::Sent | PaymentState::AwaitingPayer | PaymentState::Refunding
        );
        is_under_way || self.owes_reversal()
    }

    /// Whether a reversal, or an inquiry before it, is owed to a participant.
    pub fn owes_reversal(self) -> bool {
        matches!(self.state, PaymentState::Unknown | PaymentState::Reversing)
            || self.part_owed().is_some()
    }

    /// What is to stand of the payment, in minor units, while its participant has not confirmed
    /// that; none where no partial reversal is owed, or the whole is being undone.
    pub fn part_owed(self) -> Option<i64> {
        let standing = self.standing.filter(|_| self.state == PaymentState::Approved)?;
        standing.is_owed().then_some(standing.owed_minor)
    }

    /// The share of the payment that the record of a reversal or refund gives back when it is applied
    /// to this; none where that is the whole payment, or nothing.
    pub fn share_given_back(self, record: &Record) -> Option<Share> {
        if let Record::Refund(refund) = record {
            return match &refund.step {
                RefundStep::Done(done) => self.share_refunded(done.amount_minor),
                RefundStep::Begun(_) | RefundStep::Failed(_) => None,
            };
        }
        let Record::Reversal(reversal) = record else { return None };
        let standing = self.standing?;
        let to_minor = match &reversal.step {
            ReversalStep::PartConfirmed(part) => part.stands_minor,
            ReversalStep::Confirmed(_) => 0,
            ReversalStep::Owed(_) | ReversalStep::PartOwed(_) => return None,
        };
        let (amount_minor, from_minor) = (standing.amount_minor, standing.confirmed_minor);
        Some(Share { amount_minor, from_minor, to_minor })
    }

    /// Whether an approval stands, or is being undone.
    fn has_approval(self) -> bool {
        self.told == Some(OutcomeKind::Approved)
            && !self.was_reversed
            && matches!(self.state, PaymentState::Approved | PaymentState::Reversing)
    }
}

/// Where an outcome leads, and what it does beyond.
pub fn effects_of(outcome: &Outcome) -> (PaymentState, Effects) {
    let (state, settle, notice) = match outcome {
        Outcome::Approved(_) => {
            (PaymentState::Approved, Some(Settle::Post), NoticeType::PaymentApproved)
        }
        Outcome::Declined(_) => {
            (PaymentState::Declined, Some(Settle::Release), NoticeType::PaymentDeclined)
        }
        Outcome::Unknown(_) => (PaymentState::Unknown, None, NoticeType::PaymentUnknown),
    };
    let owes_reversal = state == PaymentState::Unknown;
    (state, Effects { settle, notice: Some(notice), owes_reversal })
}
