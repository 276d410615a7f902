//! Where a payment stands.

/// Where a payment stands. The names are those of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentState {
    /// Asked for, nothing sent.
    Received,
    /// Waits for the payer (key, redirect, consent).
    AwaitingPayer,
    /// Its intent is durable; it may be on its way.
    Sent,
    /// The participant said yes.
    Approved,
    /// The participant or a rule said no.
    Declined,
    /// Not known: a reversal or inquiry is owed.
    Unknown,
    /// Being undone.
    Reversing,
    /// Undone, with the participant's confirmation.
    Reversed,
    /// What it waited for did not come in time; no money moved.
    Expired,
    /// Paid out.
    Settled,
    /// A refund of it is under way.
    Refunding,
    /// All that stood of it was given back by refunds.
    Refunded,
}

impl PaymentState {
    /// Every state, in the order the documentation lists them.
    pub const ALL: [Self; 12] = [
        Self::Received,
        Self::AwaitingPayer,
        Self::Sent,
        Self::Approved,
        Self::Declined,
        Self::Unknown,
        Self::Reversing,
        Self::Reversed,
        Self::Expired,
        Self::Settled,
        Self::Refunding,
        Self::Refunded,
    ];

    /// The name used in JSON and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::AwaitingPayer => "awaiting_payer",
            Self::Sent => "sent",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Unknown => "unknown",
            Self::Reversing => "reversing",
            Self::Reversed => "reversed",
            Self::Expired => "expired",
            Self::Settled => "settled",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }
}
