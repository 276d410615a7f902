//! What merchants are told, and under which stable id.

use crate::id::{NoticeId, PaymentId};
use crate::message::digest128;

/// The types of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeType {
    /// A payment was approved.
    PaymentApproved,
    /// A payment was declined.
    PaymentDeclined,
    /// A payment's outcome is not known yet.
    PaymentUnknown,
    /// A payment was undone.
    PaymentReversed,
}

impl NoticeType {
    /// Every type.
    pub const ALL: [Self; 4] =
        [Self::PaymentApproved, Self::PaymentDeclined, Self::PaymentUnknown, Self::PaymentReversed];

    /// The name used in JSON and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::PaymentApproved => "payment.approved",
            Self::PaymentDeclined => "payment.declined",
            Self::PaymentUnknown => "payment.unknown",
            Self::PaymentReversed => "payment.reversed",
        }
    }

    /// The type of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The id of the notice that tells this of this payment: always the same, however often it is
/// computed, so a rebuild of the outbox cannot give a second id to one event.
pub fn notice_id(payment: PaymentId, kind: NoticeType) -> NoticeId {
    let digest = digest128(&[b"notice", &payment.0.to_be_bytes(), kind.name().as_bytes()]);
    NoticeId::from_parts(payment.unix_ms(), digest)
}
