//! `/v1/bills`: bills as billers register and change them, and as they are shown.

mod batch;
mod draft;
mod external;
mod row;
mod statement;
#[cfg(test)]
mod tests;
mod view;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{AmountBody, FieldError, parse, schema};
pub use batch::{BatchAcceptedView, BatchResultView, BatchView};
pub use draft::{BillContact, BillDraft, DraftLine};
pub use external::{
    ExternalDraft, ExternalPaymentBody, ExternalPaymentView, parse_external_payment,
};
pub use statement::{StatementBillView, StatementPaymentView, StatementTotalView, StatementView};
pub use view::{
    BillEventView, BillExists, BillListView, BillStandingView, BillTimelineView, BillView, DueView,
    LineView,
};

/// A bill as a biller registers it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillRequest)]
pub struct BillBody {
    /// Your number of the bill; no other bill of yours has it.
    #[schema(min_length = 1, max_length = 40, pattern = "^[ -~]+$")]
    pub bill_no: String,
    /// Your number of the payer.
    #[schema(min_length = 1, max_length = 28, pattern = "^[ -~]+$")]
    pub client_id: String,
    /// Your number of the contract.
    #[schema(min_length = 1, max_length = 40)]
    pub contract_no: Option<String>,
    /// How the payer is reached.
    #[serde(default, deserialize_with = "parse::optional_object")]
    pub client: Option<ClientBody>,
    /// What it is for; the lines sum to the amount. At most 100.
    #[serde(default, deserialize_with = "parse::optional_objects")]
    #[schema(max_items = 100)]
    pub lines: Option<Vec<LineBody>>,
    /// What it comes to.
    #[serde(deserialize_with = "parse::object")]
    #[schema(schema_with = schema::amount_above_zero)]
    pub amount: AmountBody,
    /// What it comes to until each of these days, in their order; behind the last it stays at the
    /// last amount.
    #[serde(default, deserialize_with = "parse::optional_objects")]
    #[schema(min_items = 1, max_items = 3)]
    pub due: Option<Vec<DueBody>>,
    /// Whether it may be paid in parts.
    #[serde(default)]
    pub allow_partial: bool,
    /// The least amount of one payment, unless less is left.
    #[serde(default, deserialize_with = "parse::optional_object")]
    pub min: Option<AmountBody>,
    /// The greatest amount of one payment.
    #[serde(default, deserialize_with = "parse::optional_object")]
    pub max: Option<AmountBody>,
    /// What must stay owed after every payment.
    #[serde(default, deserialize_with = "parse::optional_object")]
    pub must_leave: Option<AmountBody>,
    /// Kind of credit or service.
    #[schema(min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    pub product: Option<String>,
    /// When it stops being payable.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// `online` for a bill that is made while its payer waits.
    #[schema(schema_with = schema::bill_origin)]
    pub origin: Option<String>,
    /// Refused unless empty: payment elements are not served.
    #[schema(max_items = 0)]
    pub elements: Option<Vec<String>>,
    /// Your own data, kept as it came; at most 4096 bytes.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
}

/// A change of a bill: what is left out stays, `null` takes away.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillChange)]
pub struct BillPatchBody {
    /// The version that the change is made from.
    #[schema(minimum = 1)]
    pub version: u32,
    /// Your number of the payer.
    #[schema(min_length = 1, max_length = 28, pattern = "^[ -~]+$")]
    pub client_id: Option<String>,
    /// Your number of the contract.
    #[serde(default, deserialize_with = "parse::changed")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 40)]
    pub contract_no: Option<Option<String>>,
    /// How the payer is reached.
    #[serde(default, deserialize_with = "parse::changed_object")]
    #[schema(value_type = Option<ClientBody>)]
    pub client: Option<Option<ClientBody>>,
    /// What it is for; the lines sum to the amount. At most 100.
    #[serde(default, deserialize_with = "parse::changed_objects")]
    #[schema(value_type = Option<Vec<LineBody>>, max_items = 100)]
    pub lines: Option<Option<Vec<LineBody>>>,
    /// What it comes to, in the bill's currency.
    #[serde(default, deserialize_with = "parse::given_object")]
    #[schema(schema_with = schema::amount_above_zero, required = false)]
    pub amount: Option<AmountBody>,
    /// What it comes to until each of these days.
    #[serde(default, deserialize_with = "parse::changed_objects")]
    #[schema(value_type = Option<Vec<DueBody>>, min_items = 1, max_items = 3)]
    pub due: Option<Option<Vec<DueBody>>>,
    /// Whether it may be paid in parts.
    pub allow_partial: Option<bool>,
    /// The least amount of one payment, unless less is left.
    #[serde(default, deserialize_with = "parse::changed_object")]
    #[schema(value_type = Option<AmountBody>)]
    pub min: Option<Option<AmountBody>>,
    /// The greatest amount of one payment.
    #[serde(default, deserialize_with = "parse::changed_object")]
    #[schema(value_type = Option<AmountBody>)]
    pub max: Option<Option<AmountBody>>,
    /// What must stay owed after every payment.
    #[serde(default, deserialize_with = "parse::changed_object")]
    #[schema(value_type = Option<AmountBody>)]
    pub must_leave: Option<Option<AmountBody>>,
    /// Kind of credit or service.
    #[serde(default, deserialize_with = "parse::changed")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    pub product: Option<Option<String>>,
    /// When it stops being payable.
    #[serde(default, deserialize_with = "parse::changed")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Option<String>>,
    /// Your own data, kept as it came; at most 4096 bytes.
    #[serde(default, deserialize_with = "parse::changed")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Option<Box<RawValue>>>,
}

/// How a payer is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillClient)]
pub struct ClientBody {
    /// The payer's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 140)]
    pub name: Option<String>,
    /// Telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 32)]
    pub phone: Option<String>,
    /// Mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 254)]
    pub email: Option<String>,
    /// Identity document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 32)]
    pub doc: Option<String>,
    /// Language of texts for the payer, as `es`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z]{2}$")]
    pub language: Option<String>,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillLineRequest)]
pub struct LineBody {
    /// What people read.
    #[schema(min_length = 1, max_length = 200)]
    pub text: String,
    /// How much.
    #[serde(deserialize_with = "parse::object")]
    pub amount: AmountBody,
}

/// What a bill comes to until a day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillDueRequest)]
pub struct DueBody {
    /// The last day, in the biller's time zone.
    #[schema(format = Date)]
    pub date: String,
    /// How much.
    #[serde(deserialize_with = "parse::object")]
    #[schema(schema_with = schema::amount_above_zero)]
    pub amount: AmountBody,
}

/// Reads the body of `POST /v1/bills`.
///
/// Errors: names the field, line and column; never what stood there.
pub fn parse_bill(bytes: &[u8]) -> Result<BillBody, FieldError> {
    parse::json(bytes)
}

/// Reads the body of `PATCH /v1/bills/{id}`.
///
/// Errors: names the field, line and column; never what stood there.
pub fn parse_bill_patch(bytes: &[u8]) -> Result<BillPatchBody, FieldError> {
    parse::json(bytes)
}
