//! Messages to a participant about a payment that it was asked for before: its payer's
//! confirmation, an inquiry, a refund.

use super::{AttemptRef, Repeat};
use crate::id::{Folio, PaymentId, RefundId};
use crate::message::PaymentRequest;
use crate::money::Money;
use crate::outcome::{Approval, Decline};
use crate::secret::{Pan, Secret};
use crate::text::Text;
use crate::time::{Date, Timestamp};

/// What a payment waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The payer gives the originator a one-time key.
    OneTimeKey,
    /// The payer goes to this address, and the participant tells the outcome.
    Redirect(Box<str>),
    /// The participant tells later; nothing is asked of the payer.
    Confirmation,
}

impl Awaited {
    /// The name used in JSON and exports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OneTimeKey => "one_time_key",
            Self::Redirect(_) => "redirect",
            Self::Confirmation => "confirmation",
        }
    }
}

/// What a participant waits for, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// The event that is awaited.
    pub awaited: Awaited,
    /// When the wait is over.
    pub until: Timestamp,
    /// The participant's reference of the payment; empty where it gave none.
    pub reference: Text<64>,
}

/// A payment that a participant knows, as it is needed to speak of it again.
#[derive(Debug, Clone, Copy)]
pub struct KnownPayment<'a> {
    /// The payment.
    pub payment: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// The request, readable.
    pub request: &'a PaymentRequest,
    /// Its business date.
    pub business_date: Date,
    /// The request that the participant was asked with.
    pub original: AttemptRef,
    /// What the payer paid: the amount, and the payer's fees on top of it.
    pub total: Money,
    /// The participant's reference of it; empty where it gave none.
    pub reference: &'a str,
    /// What the participant said when it approved the payment; none where it did not.
    pub approval: Option<Approval>,
    /// The card number, where the payment had one.
    pub card: Option<&'a Pan>,
}

/// A payer's confirmation, to be passed on. Nothing of it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation<'a> {
    /// The payment.
    pub of: KnownPayment<'a>,
    /// The one-time key from the payer.
    pub one_time_key: &'a Secret,
}

/// What a participant said of a payment that it was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InquiryAnswer {
    /// The outcome of the payment; none while the participant does not know it itself.
    pub finding: Option<InquiryFinding>,
    /// The code it gave, as it came; empty where it gave none.
    pub raw_code: Text<16>,
}

/// A refund that a participant is to carry out.
#[derive(Debug, Clone, Copy)]
pub struct RefundAsk<'a> {
    /// The payment.
    pub of: KnownPayment<'a>,
    /// Which of its refunds.
    pub refund: RefundId,
    /// The amount that is given back.
    pub amount: Money,
    /// How the request is named, the same in each repeat.
    pub own: AttemptRef,
    /// Whether the participant may have been asked before.
    pub repeat: Repeat,
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
