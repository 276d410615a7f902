//! What merchants are told, and under which stable id.

use crate::id::{NoticeId, PaymentId, RefundId};
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
    /// What a payment waited for did not come in time.
    PaymentExpired,
    /// Money of a payment was given back by a refund.
    PaymentRefunded,
}

impl NoticeType {
    /// Every type.
    pub const ALL: [Self; 6] = [
        Self::PaymentApproved,
        Self::PaymentDeclined,
        Self::PaymentUnknown,
        Self::PaymentReversed,
        Self::PaymentExpired,
        Self::PaymentRefunded,
    ];

    /// The name used in JSON and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::PaymentApproved => "payment.approved",
            Self::PaymentDeclined => "payment.declined",
            Self::PaymentUnknown => "payment.unknown",
            Self::PaymentReversed => "payment.reversed",
            Self::PaymentExpired => "payment.expired",
            Self::PaymentRefunded => "payment.refunded",
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

/// The id of the notice that tells of one refund of this payment, as stable as the others: a payment
/// may have many.
pub fn refund_notice_id(payment: PaymentId, refund: RefundId) -> NoticeId {
    let kind = NoticeType::PaymentRefunded.name().as_bytes();
    let (payment_id, refund_id) = (payment.0.to_be_bytes(), refund.0.to_be_bytes());
    let digest = digest128(&[b"notice", &payment_id, kind, &refund_id]);
    NoticeId::from_parts(refund.unix_ms(), digest)
}
