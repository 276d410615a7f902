//! `/v1/bills/{id}/external-payments`: what was paid of a bill elsewhere.

use router::free_text::FreeText;
use router::id::ExternalPaymentId;
use router::money::Money;
use router::time::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BillView;
use super::draft::{above_zero, day, format_error, text};
use crate::api::{AmountBody, FieldError, Shown, parse, schema};

/// A payment of a bill that was made elsewhere, as its biller says.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExternalPaymentRequest)]
pub struct ExternalPaymentBody {
    /// How it was paid, as `cash desk`.
    #[schema(min_length = 1, max_length = 40)]
    pub method: String,
    /// How much; at most what was left of the bill on that day.
    #[serde(deserialize_with = "parse::object")]
    #[schema(schema_with = schema::amount_above_zero)]
    pub amount: AmountBody,
    /// The day on which it was paid, in the biller's time zone.
    #[schema(format = Date)]
    pub date: String,
    /// Your name of it. The same method, day and reference are the same payment.
    #[schema(min_length = 1, max_length = 40)]
    pub reference: String,
}

/// The same, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalDraft {
    /// How it was paid.
    pub method: Box<str>,
    /// How much; more than zero.
    pub amount: Money,
    /// The day on which it was paid.
    pub date: Date,
    /// The biller's name of it.
    pub reference: FreeText<40>,
}

impl ExternalPaymentBody {
    /// Checks it, as far as it can be by itself.
    ///
    /// Errors: the first field that makes no sense.
    pub fn checked(self) -> Result<ExternalDraft, FieldError> {
        let amount = above_zero("amount", &self.amount)?;
        let method = text("method", Some(self.method), 40)?.unwrap_or_default();
        let date = day(&self.date)
            .ok_or_else(|| format_error("date", "must be a date such as 2026-12-10"))?;
        let reference = FreeText::new(&self.reference);
        let reference = reference.map_err(|error| format_error("reference", error))?;
        Ok(ExternalDraft { method, amount, date, reference })
    }
}

/// A payment that was made elsewhere, and its bill as it stands with it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ExternalPayment)]
pub struct ExternalPaymentView {
    /// The payment.
    #[schema(value_type = String, pattern = "^ext_")]
    pub id: Shown<ExternalPaymentId>,
    /// The bill as it is now.
    pub bill: BillView,
}

/// Reads the body of `POST /v1/bills/{id}/external-payments`.
///
/// Errors: names the field, line and column; never what stood there.
pub fn parse_external_payment(bytes: &[u8]) -> Result<ExternalPaymentBody, FieldError> {
    parse::json(bytes)
}
