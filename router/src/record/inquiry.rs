//! The record of what is known of an unknown payment after all.

use crate::exchange::InquiryFinding;
use crate::id::PaymentId;
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
