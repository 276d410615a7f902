//! The state machine alone: which record may follow which, for whoever decides without the data.

use super::standing::Standing;
use super::{Effects, IllegalStep, PaymentState};
use crate::notice::NoticeType;
use crate::outcome::Outcome;
use crate::record::{Record, ReversalStep};
use crate::reservation::{Settle, Share};

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
    };

    /// A payment that was refused by a rule.
    pub const REFUSED: Self = Self {
        state: PaymentState::Declined,
        told: Some(OutcomeKind::Declined),
        was_sent: false,
        was_reversed: false,
        is_owed_anew: false,
        standing: None,
    };

    /// Takes the next record of the payment.
    ///
    /// Errors: [`IllegalStep`] when the record cannot follow; nothing is changed then.
    pub fn apply(&mut self, record: &Record) -> Result<Effects, IllegalStep> {
        let illegal = IllegalStep { state: self.state, record: record.kind() };
        match record {
            Record::Rerouted(_) if self.state == PaymentState::Sent => Ok(Effects::default()),
            Record::Outcome(concluded) if self.state == PaymentState::Sent => {
                let (state, effects) = effects_of(&concluded.outcome);
                (self.state, self.told) = (state, Some(OutcomeKind::of(&concluded.outcome)));
                Ok(effects)
            }
            Record::Reversal(reversal) => match &reversal.step {
                ReversalStep::Owed(_) if self.may_be_reversed() || self.is_owed_anew => {
                    (self.state, self.is_owed_anew) = (PaymentState::Reversing, false);
                    Ok(Effects { owes_reversal: true, ..Effects::default() })
                }
                ReversalStep::Confirmed(_) if self.may_be_confirmed() => Ok(self.confirm()),
                ReversalStep::PartOwed(part) if self.state == PaymentState::Approved => {
                    self.standing = Some(Standing::owing(self.standing, part).ok_or(illegal)?);
                    Ok(Effects { owes_reversal: true, ..Effects::default() })
                }
                ReversalStep::PartConfirmed(part) if self.has_approval() => {
                    let standing = self.standing.ok_or(illegal)?;
                    self.standing = Some(standing.confirming(part.stands_minor).ok_or(illegal)?);
                    Ok(Effects { settle: Some(Settle::Undo), ..Effects::default() })
                }
                ReversalStep::Owed(_)
                | ReversalStep::Confirmed(_)
                | ReversalStep::PartOwed(_)
                | ReversalStep::PartConfirmed(_) => Err(illegal),
            },
            Record::LateAnswer(late) if self.was_sent && self.told.is_some() => {
                Ok(self.hear_late(&late.outcome))
            }
            Record::Rerouted(_)
            | Record::Outcome(_)
            | Record::LateAnswer(_)
            | Record::Intent(_)
            | Record::Refused(_)
            | Record::Account(_)
            | Record::Event(_)
            | Record::NoticeMark(_)
            | Record::EarlyReversal(_) => Err(illegal),
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
            PaymentState::Declined | PaymentState::Reversing | PaymentState::Reversed => true,
            PaymentState::Received
            | PaymentState::AwaitingPayer
            | PaymentState::Sent
            | PaymentState::Approved
            | PaymentState::Unknown
            | PaymentState::Expired
            | PaymentState::Settled
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
        matches!(self.state, PaymentState::Approved | PaymentState::Unknown)
    }

    /// Whether anything is still owed to a participant.
    pub fn is_open(self) -> bool {
        matches!(self.state, PaymentState::Sent | PaymentState::Unknown | PaymentState::Reversing)
            || self.part_owed().is_some()
    }

    /// What is to stand of the payment, in minor units, while its participant has not confirmed
    /// that; none where no partial reversal is owed, or the whole is being undone.
    pub fn part_owed(self) -> Option<i64> {
        let standing = self.standing.filter(|_| self.state == PaymentState::Approved)?;
        standing.is_owed().then_some(standing.owed_minor)
    }

    /// The share of the payment that a reversal's record gives back when it is applied to this;
    /// none where that is the whole payment.
    pub fn share_given_back(self, record: &Record) -> Option<Share> {
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
