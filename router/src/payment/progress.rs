//! The state machine alone: which record may follow which, for whoever decides without the data.

use super::{Effects, IllegalStep, PaymentState};
use crate::notice::NoticeType;
use crate::outcome::Outcome;
use crate::record::{Record, ReversalStep};
use crate::reservation::Settle;

/// Where a payment stands, without its data; a few bytes, so that all open ones fit in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub state: PaymentState,
    /// Which outcome its asker was told.
    pub told: Option<Told>,
}

/// Which outcome was told, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Approved.
    Approved,
    /// Declined.
    Declined,
    /// Unknown.
    Unknown,
}

impl Told {
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
    pub const SENT: Self = Self { state: PaymentState::Sent, told: None };

    /// A payment that was refused by a rule.
    pub const REFUSED: Self = Self { state: PaymentState::Declined, told: Some(Told::Declined) };

    /// Takes the next record of the payment.
    ///
    /// Errors: [`IllegalStep`] when the record cannot follow; nothing is changed then.
    pub fn apply(&mut self, record: &Record) -> Result<Effects, IllegalStep> {
        let illegal = IllegalStep { state: self.state, record: record.kind() };
        match record {
            Record::Rerouted(_) if self.state == PaymentState::Sent => Ok(Effects::default()),
            Record::Outcome(concluded) if self.state == PaymentState::Sent => {
                let (state, effects) = effects_of(&concluded.outcome);
                *self = Self { state, told: Some(Told::of(&concluded.outcome)) };
                Ok(effects)
            }
            Record::Reversal(reversal) => match reversal.step {
                ReversalStep::Owed(_) if self.may_be_reversed() => {
                    self.state = PaymentState::Reversing;
                    Ok(Effects { owes_reversal: true, ..Effects::default() })
                }
                ReversalStep::Confirmed { .. } if self.state == PaymentState::Reversing => {
                    self.state = PaymentState::Reversed;
                    let approved = self.told == Some(Told::Approved);
                    let settle = if approved { Settle::Undo } else { Settle::Release };
                    let notice = Some(NoticeType::PaymentReversed);
                    Ok(Effects { settle: Some(settle), notice, owes_reversal: false })
                }
                ReversalStep::Owed(_) | ReversalStep::Confirmed { .. } => Err(illegal),
            },
            Record::LateAnswer(_) if self.told == Some(Told::Unknown) => Ok(Effects::default()),
            Record::Rerouted(_)
            | Record::Outcome(_)
            | Record::LateAnswer(_)
            | Record::Intent(_)
            | Record::Refused(_)
            | Record::Account(_)
            | Record::Endpoint(_)
            | Record::NoticeMark(_) => Err(illegal),
        }
    }

    /// Whether a reversal may begin: money moved, or may have.
    pub fn may_be_reversed(self) -> bool {
        matches!(self.state, PaymentState::Approved | PaymentState::Unknown)
    }

    /// Whether anything is still owed to a participant.
    pub fn is_open(self) -> bool {
        matches!(self.state, PaymentState::Sent | PaymentState::Unknown | PaymentState::Reversing)
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
