//! What came of a payment that was sent. There are three answers, not two.

use crate::reason::Reason;
use crate::text::Text;

/// The outcome of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The participant said yes.
    Approved(Approval),
    /// The participant said no, or it is certain that nothing was asked of anyone.
    Declined(Decline),
    /// Something may have been asked and no answer is known. Money may have moved; this owes an
    /// inquiry or a reversal, and is never told as a decline.
    Unknown(Cause),
}

impl Outcome {
    /// Whether money may have moved, as far as this answer goes.
    pub fn may_have_moved_money(&self) -> bool {
        match self {
            Self::Approved(_) | Self::Unknown(_) => true,
            Self::Declined(_) => false,
        }
    }
}

/// A participant's yes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Approval {
    /// Authorisation number (DE38).
    pub authorisation: Text<6>,
    /// The participant's own reference (DE37 or its kin).
    pub bank_reference: Text<36>,
}

/// A no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decline {
    /// Why.
    pub reason: Reason,
    /// The code the participant itself gave (DE39), where one did.
    pub network_code: Option<[u8; 2]>,
}

impl Decline {
    /// A decline of our own.
    pub fn ours(reason: Reason) -> Self {
        Self { reason, network_code: None }
    }
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The deadline passed.
    Timeout,
    /// The line fell while the request was on its way.
    LineLost,
    /// The switch stopped between sending and hearing.
    Restart,
    /// The answer did not make sense, or said "in progress".
    BadAnswer,
    /// The answer repeats something of the request otherwise than it was asked: another amount,
    /// currency, card, account, acquirer or terminal.
    ContradictsRequest,
    /// The participant approved a part of the amount (DE39 10), which was not asked for.
    PartialApproval,
}

impl Cause {
    /// Every cause, in the order the documentation lists them.
    pub const ALL: [Self; 6] = [
        Self::Timeout,
        Self::LineLost,
        Self::Restart,
        Self::BadAnswer,
        Self::ContradictsRequest,
        Self::PartialApproval,
    ];

    /// The name used in JSON, metrics and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::LineLost => "line_lost",
            Self::Restart => "restart",
            Self::BadAnswer => "bad_answer",
            Self::ContradictsRequest => "contradicts_request",
            Self::PartialApproval => "partial_approval",
        }
    }
}
