//! `POST /v1/payments`.

use std::fmt::Display;

use router::free_text::FreeText;
use router::id::{BillNo, BillerId, ClientRef, FloatRef, OperatorId, Product};
use router::message::{
    Fingerprint, IdempotencyKey, Originator, Payer, PaymentRequest, Rail, Trace,
};
use router::money::Money;
use router::rail_needs::PayerNeed;
use router::reason::Reason;
use router::text::Text;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::canonical::canonical;
use super::payer::PayerBody;
use super::{AmountBody, FieldError, parse, schema};

/// A payment as a merchant asks for it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PaymentRequest)]
pub struct PaymentBody {
    /// How money is to be moved.
    #[schema(schema_with = schema::rail)]
    pub rail: String,
    /// What the payee is to receive.
    #[serde(deserialize_with = "parse::object")]
    #[schema(schema_with = schema::amount_above_zero)]
    pub amount: AmountBody,
    /// The bill that is paid; it is paid once.
    #[schema(min_length = 1, max_length = 40, pattern = "^[ -~]+$")]
    pub bill: Option<String>,
    /// Refused: look-ups are not served.
    pub lookup_id: Option<String>,
    /// The rail `account` needs a card, an account, a phone or a document; `c2p` a document, a phone
    /// and the bank. A bank that is reached over ISO 8583 needs a card, or an account of at most 28
    /// characters.
    #[serde(default, deserialize_with = "parse::optional_object")]
    pub payer: Option<PayerBody>,
    /// Your own reference, in any language; no control or invisible characters, no digits but 0 to 9, no
    /// blanks and dashes but the space and the hyphen.
    /// The pattern has the usual scripts; letters of others are taken too.
    #[schema(min_length = 1, max_length = 40, pattern = "^[ -~À-ɏͰ-ϿЀ-ӿぁ-ゟァ-ヿ一-鿿🌀-🫿]+$")]
    pub reference: Option<String>,
    /// Your number of the payer.
    #[schema(min_length = 1, max_length = 28, pattern = "^[ -~]+$")]
    pub client: Option<String>,
    /// Kind of credit or service.
    #[schema(min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    pub product: Option<String>,
    /// The collector's float.
    #[schema(min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    pub float_ref: Option<String>,
    /// The person at the terminal.
    #[schema(min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    pub operator: Option<String>,
    /// The terminal.
    #[schema(min_length = 1, max_length = 8, pattern = "^[ -~]+$")]
    pub terminal: Option<String>,
    /// What the payer still owes before this payment.
    #[serde(default, deserialize_with = "parse::optional_object")]
    pub remaining_debt: Option<AmountBody>,
    /// Your own data, kept as it came; at most 4096 bytes.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
}

/// Longest metadata, in bytes of JSON.
const METADATA_LEN_MAX: usize = 4096;

/// Reads the body of `POST /v1/payments`.
///
/// Errors: names the field, line and column; never what stood there.
pub fn parse_payment(bytes: &[u8]) -> Result<PaymentBody, FieldError> {
    parse::json(bytes)
}

impl PaymentBody {
    /// The canonical request.
    ///
    /// Errors: the first field that makes no sense, with the reason to answer.
    pub fn to_request(
        self,
        originator: BillerId,
        key: IdempotencyKey,
    ) -> Result<PaymentRequest, FieldError> {
        let rail = Rail::from_name(&self.rail)
            .ok_or_else(|| FieldError::new("rail", Reason::FormatError, "not a known rail"))?;
        let amount = self.amount.to_money("amount")?;
        if amount.minor == 0 {
            let detail = "must be more than zero";
            return Err(FieldError::new("amount.minor", Reason::AmountInvalid, detail));
        }
        if self.lookup_id.is_some() {
            let detail = "look-ups are not served";
            return Err(FieldError::new("lookup_id", Reason::ServiceNotEnabled, detail));
        }
        let remaining_debt = remaining_debt(self.remaining_debt, amount)?;
        let request = PaymentRequest {
            originator: Originator::Biller(originator),
            key,
            fingerprint: Fingerprint::UNSET,
            rail,
            amount,
            biller: Some(originator),
            client: id("client", self.client, ClientRef::new)?,
            bill: id("bill", self.bill, BillNo::new)?,
            product: id("product", self.product, Product::new)?,
            float_ref: id("float_ref", self.float_ref, FloatRef::new)?,
            operator: id("operator", self.operator, OperatorId::new)?,
            remaining_debt,
            payer: self.payer.map_or(Ok(Payer::default()), |p| p.to_payer(amount.currency))?,
            trace: Trace {
                terminal: id("terminal", self.terminal, Text::new)?.unwrap_or_default(),
                ..Trace::default()
            },
            reference: id("reference", self.reference, FreeText::new)?,
            metadata: metadata(self.metadata)?,
            transient: None,
            sealed_texts: None,
        };
        match rail.missing_of(&request.payer) {
            Some(need) => Err(payer_lacks(rail, need)),
            None => Ok(request),
        }
    }
}

fn payer_lacks(rail: Rail, need: PayerNeed) -> FieldError {
    let names: Vec<&str> = need.any_of.iter().map(|field| field.member()).collect();
    let detail = match names.split_last() {
        Some((last, [])) => format!("the rail {} needs {last}", rail.name()),
        Some((last, others)) => format!("must name who pays: {} or {last}", others.join(", ")),
        None => String::new(),
    };
    FieldError::new(need.field(), Reason::FormatError, detail)
}

fn remaining_debt(body: Option<AmountBody>, amount: Money) -> Result<Option<Money>, FieldError> {
    let Some(body) = body else { return Ok(None) };
    let debt = body.to_money("remaining_debt")?;
    if debt.currency != amount.currency {
        let (field, detail) = ("remaining_debt.currency", "must be the currency of the amount");
        return Err(FieldError::new(field, Reason::CurrencyNotAllowed, detail));
    }
    Ok(Some(debt))
}

fn id<T, E: Display>(
    field: &str,
    text: Option<String>,
    new: fn(&str) -> Result<T, E>,
) -> Result<Option<T>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    if text.is_empty() {
        return Err(FieldError::new(field, Reason::FormatError, "must not be empty"));
    }
    match new(&text) {
        Ok(id) => Ok(Some(id)),
        Err(error) => Err(FieldError::new(field, Reason::FormatError, error)),
    }
}

pub(super) fn metadata(raw: Option<Box<RawValue>>) -> Result<Option<Box<str>>, FieldError> {
    let Some(raw) = raw else { return Ok(None) };
    let error = |detail: &dyn Display| FieldError::new("metadata", Reason::FormatError, detail);
    if !raw.get().starts_with('{') {
        return Err(error(&"must be an object"));
    }
    if raw.get().len() > METADATA_LEN_MAX {
        return Err(error(&"at most 4096 bytes"));
    }
    canonical(&raw).map(Some).map_err(|problem| error(&problem))
}

#[cfg(test)]
mod tests;
