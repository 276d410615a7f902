//! Refunds, what a payment waits for, and its confirmation.

use std::fmt;

use router::exchange::Awaited;
use router::id::RefundId;
use router::money::Money;
use router::payment::{Payment, PaymentRefund, PaymentState};
use router::reason::Reason;
use router::secret::Secret;
use router::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AmountBody, AmountView, FieldError, Shown, parse, schema};

/// Most characters of the reason of a refund.
const REASON_LEN_MAX: usize = 140;
/// Digits of a one-time key.
const ONE_TIME_KEY_LEN: std::ops::RangeInclusive<usize> = 4..=12;

/// A refund as a merchant asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefundRequest)]
pub struct RefundBody {
    /// How much is to be given back; all that may be refunded where it is left out.
    #[serde(default, deserialize_with = "parse::given_object")]
    #[schema(schema_with = schema::amount_given_back, required = false)]
    pub amount: Option<AmountBody>,
    /// Why, in your own words.
    #[schema(min_length = 1, max_length = 140)]
    pub reason: Option<String>,
}

/// What is to be refunded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundWish {
    /// How much; none where it is all that may be refunded.
    pub amount: Option<Money>,
    /// Why; empty where nothing was said.
    pub reason: Box<str>,
}

/// A confirmation: the one-time key that the payer told.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConfirmationRequest)]
pub struct ConfirmationBody {
    /// The key: 4 to 12 digits. It is passed on to the bank, and never kept.
    #[schema(pattern = "^[0-9]{4,12}$")]
    otp: String,
}

impl fmt::Debug for ConfirmationBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfirmationBody(…)")
    }
}

/// Reads the body of `POST /v1/payments/{id}/refunds`.
///
/// Errors: names the field; `amount_invalid` for an amount of zero.
pub fn parse_refund(bytes: &[u8]) -> Result<RefundWish, FieldError> {
    let RefundBody { amount, reason } = parse::json(bytes)?;
    let amount = amount.map(|amount| amount.to_money("amount")).transpose()?;
    if amount.is_some_and(|amount| amount.minor == 0) {
        let detail = "must be more than zero";
        return Err(FieldError::new("amount.minor", Reason::AmountInvalid, detail));
    }
    let len = reason.as_ref().map(|reason| reason.chars().count());
    if len.is_some_and(|len| len == 0 || len > REASON_LEN_MAX) {
        let detail = "must have 1 to 140 characters";
        return Err(FieldError::new("reason", Reason::FormatError, detail));
    }
    Ok(RefundWish { amount, reason: reason.unwrap_or_default().into() })
}

/// Reads the body of `POST /v1/payments/{id}/confirm`: the one-time key.
///
/// Errors: names the field and never repeats what stood there; `otp_invalid` for a key of another
///         form.
pub fn parse_confirmation(bytes: &[u8]) -> Result<Secret, FieldError> {
    let ConfirmationBody { otp } = parse::json(bytes)?;
    let is_key =
        ONE_TIME_KEY_LEN.contains(&otp.len()) && otp.bytes().all(|byte| byte.is_ascii_digit());
    if !is_key {
        return Err(FieldError::new("otp", Reason::OtpInvalid, "must be 4 to 12 digits"));
    }
    Ok(Secret::new(otp.as_bytes()))
}

/// What a payment waits for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Awaiting)]
pub struct AwaitingView<'a> {
    /// `one_time_key`: the payer tells you a key, which you confirm the payment with. `redirect`: the
    /// payer goes to `url`. `confirmation`: the bank tells later.
    #[schema(schema_with = schema::awaited)]
    pub what: &'static str,
    /// Where the payer goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
    /// When the payment expires.
    #[schema(value_type = String, format = DateTime)]
    pub until: Shown<Timestamp>,
}

impl<'a> AwaitingView<'a> {
    /// None for a payment that does not wait.
    pub fn of(payment: &'a Payment) -> Option<Self> {
        let waits = payment.state == PaymentState::AwaitingPayer;
        let wait = payment.wait.as_deref().filter(|_| waits)?;
        let url = match &wait.awaited {
            Awaited::Redirect(url) => Some(&**url),
            Awaited::OneTimeKey | Awaited::Confirmation => None,
        };
        Some(Self { what: wait.awaited.name(), url, until: Shown(wait.until) })
    }
}

/// A refund of a payment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
pub struct RefundView {
    /// The refund.
    #[schema(value_type = String, pattern = "^rfn_")]
    pub id: Shown<RefundId>,
    /// `pending` until the bank has answered, then `done` or `failed`.
    #[schema(schema_with = schema::refund_state)]
    pub state: &'static str,
    /// What is given back.
    pub amount: AmountView,
}

impl RefundView {
    /// One refund of a payment.
    pub fn new(payment: &Payment, refund: &PaymentRefund) -> Self {
        let amount = Money::new(refund.amount_minor, payment.request.amount.currency);
        Self { id: Shown(refund.id), state: refund.state_name(), amount: amount.into() }
    }

    /// All refunds of a payment.
    pub fn all_of(payment: &Payment) -> Vec<Self> {
        payment.refunds.iter().map(|refund| Self::new(payment, refund)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_says_how_much_and_why_or_nothing() {
        let nothing = RefundWish { amount: None, reason: "".into() };
        assert_eq!(parse_refund(b"{}"), Ok(nothing));
        let body = r#"{"amount":{"currency":"MXN","minor":4000},"reason":"pedido repetido"}"#;
        let wish = parse_refund(body.as_bytes()).expect("a wish");
        assert_eq!(wish.amount.map(|amount| amount.minor), Some(4_000));
        assert_eq!(&*wish.reason, "pedido repetido");
    }

    #[test]
    fn what_is_no_refund_is_refused_by_its_field() {
        let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(141));
        for (body, field) in [
            (r#"{"amount":{"currency":"MXN","minor":0}}"#, "amount.minor"),
            (r#"{"amount":{"currency":"MXN","minor":-1}}"#, "amount.minor"),
            (r#"{"amount":null}"#, "amount"),
            (r#"{"reason":""}"#, "reason"),
            (r#"{"reason":7}"#, "reason"),
            (&long, "reason"),
            (r#"{"whole":true}"#, "whole"),
            ("[]", ""),
        ] {
            let refused = parse_refund(body.as_bytes()).map_err(|error| error.field);
            assert_eq!(refused, Err(field.to_owned()), "{body}");
        }
    }

    #[test]
    fn a_one_time_key_has_digits_and_is_not_repeated_where_it_is_wrong() {
        let key = parse_confirmation(br#"{"otp":"12345678"}"#).expect("a key");
        assert_eq!(key.expose(), b"12345678");
        for wrong in ["123", "1234567890123", "1234567a", "12 34", "", "١٢٣٤"] {
            let body = format!(r#"{{"otp":"{wrong}"}}"#);
            let error = parse_confirmation(body.as_bytes()).expect_err("no key");
            assert_eq!((error.field.as_str(), error.reason), ("otp", Reason::OtpInvalid));
            assert!(wrong.is_empty() || !error.to_string().contains(wrong), "{error}");
        }
        assert!(parse_confirmation(b"{}").is_err());
        assert!(!format!("{:?}", ConfirmationBody { otp: "12345678".into() }).contains('5'));
    }
}
