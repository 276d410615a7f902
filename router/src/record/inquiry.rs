//! The record of what is known of an unknown payment after all.

use crate::id::PaymentId;
use crate::outcome::{Approval, Decline};
use crate::posting::Entry;
use crate::text::Text;
use crate::time::Timestamp;

/// INQUIRY: what a participant said of a payment whose outcome was unknown, or what its rules say
/// where it said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// The payment.
    pub payment: PaymentId,
    /// When the participant said it.
    pub at: Timestamp,
    /// What it said.
    pub finding: InquiryFinding,
    /// The code it gave, as it came; empty where it gave none.
    pub raw_code: Text<16>,
    /// What is posted: the entry of an approval where one was found, else empty.
    pub entry: Entry,
}

/// What an inquiry found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InquiryFinding {
    /// The participant approved the payment.
    Approved(Approval),
    /// The participant declined it.
    Declined(Decline),
    /// The participant knows no such payment. It may still come to know it: the payment is reversed.
    NotFound,
    /// Nothing was said, and the participant's rules call such a payment approved.
    DeemedApproved,
}

impl InquiryFinding {
    /// The name used in exports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approved(_) => "approved",
            Self::Declined(_) => "declined",
            Self::NotFound => "not_found",
            Self::DeemedApproved => "deemed_approved",
        }
    }
}
