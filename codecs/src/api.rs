//! JSON shapes of the HTTP API: bodies that come in, views that go out.
//!
//! Bodies refuse unknown fields; every error names the field and never repeats what was in it.

use std::fmt;

use router::money::{Currency, Money};
use router::reason::Reason;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

mod bill;
mod canonical;
mod event;
mod key;
mod notice;
mod parse;
mod payer;
mod payment;
mod problem;
mod refund;
mod reversal;
mod schema;
mod view;

pub use bill::{
    BatchAcceptedView, BatchResultView, BatchView, BillBody, BillContact, BillDraft, BillEventView,
    BillExists, BillListView, BillPatchBody, BillStandingView, BillTimelineView, BillView,
    DraftLine, DueView, ExternalDraft, ExternalPaymentBody, ExternalPaymentView, LineView,
    StatementBillView, StatementPaymentView, StatementTotalView, StatementView, parse_bill,
    parse_bill_patch, parse_external_payment,
};
pub use event::EventPage;
pub use key::{
    KeyBody, KeyPage, KeyRoleName, KeyRotationBody, KeyView, ReplacedKeyView, parse_key,
    parse_key_rotation,
};
pub use notice::{
    EndpointBody, EndpointPatchBody, EndpointView, NoticeBody, NoticeState, NoticeView,
    RecoveryBody, RecoveryView, TestNoticeBody, TestNoticeData, TestView, parse_endpoint,
    parse_endpoint_patch, parse_recovery,
};
pub use payer::{CardBody, PayerBody};
pub use payment::{PaymentBody, parse_payment};
pub use problem::Problem;
pub use refund::{
    AwaitingView, ConfirmationBody, RefundBody, RefundView, RefundWish, parse_confirmation,
    parse_refund,
};
pub use reversal::{ReversalBody, parse_no_fields, parse_reversal};
pub use schema::{NoticeTypeName, OTHER_CODES};
pub use view::{FeeView, PayerView, PaymentView, ReasonView};

/// What is wrong with a body, and where.
///
/// Shape: `field` is a path such as `payer.card.number`; empty when the body as a whole is meant.
///        `detail` never repeats the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct FieldError {
    /// The field to mend.
    pub field: String,
    /// What to answer.
    pub reason: Reason,
    /// What is wrong, for people.
    pub detail: String,
}

impl FieldError {
    /// An error at a field.
    pub fn new(field: &str, reason: Reason, detail: impl fmt::Display) -> Self {
        Self { field: field.to_owned(), reason, detail: detail.to_string() }
    }
}

/// An amount: `{"currency":"MXN","minor":50000}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Amount)]
pub struct AmountBody {
    /// ISO 4217
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// Minor units
    #[schema(minimum = 0, maximum = 999_999_999_999_i64)]
    pub minor: i64,
}

/// The largest amount a message can carry: twelve digits of minor units (DE4).
const MINOR_MAX: i64 = 999_999_999_999;

impl AmountBody {
    /// The amount, which may be zero.
    ///
    /// Errors: `currency_not_allowed` for a currency that is not known, `amount_invalid` below zero
    ///         or above twelve digits.
    pub fn to_money(&self, field: &str) -> Result<Money, FieldError> {
        let currency = Currency::from_code(&self.currency).ok_or_else(|| {
            let field = format!("{field}.currency");
            FieldError::new(&field, Reason::CurrencyNotAllowed, "not an ISO 4217 currency")
        })?;
        if !(0..=MINOR_MAX).contains(&self.minor) {
            let field = format!("{field}.minor");
            return Err(FieldError::new(
                &field,
                Reason::AmountInvalid,
                "must be 0 to 999999999999",
            ));
        }
        Ok(Money::new(self.minor, currency))
    }
}

/// An amount as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AmountView {
    /// ISO 4217 alphabetic code.
    pub currency: &'static str,
    /// Minor units.
    pub minor: i64,
}

impl From<Money> for AmountView {
    fn from(money: Money) -> Self {
        Self { currency: money.currency.code(), minor: money.minor }
    }
}

/// A value that is shown in JSON as the text it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<T>(pub T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
