//! `POST /v1/payments/{id}/reverse`, and bodies of routes that need no field.

use router::money::Money;
use router::reason::Reason;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{AmountBody, FieldError, parse, schema};

/// A reversal as a merchant asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReversalRequest)]
pub struct ReversalBody {
    /// How much is to be given back; all that stands where it is left out.
    #[serde(default, deserialize_with = "parse::given_object")]
    #[schema(schema_with = schema::amount_given_back, required = false)]
    pub amount: Option<AmountBody>,
}

/// The body of a route that needs no field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

/// Reads the body of `POST /v1/payments/{id}/reverse`: how much is to be given back, where it says.
///
/// Errors: names the field; `amount_invalid` for an amount of zero.
pub fn parse_reversal(bytes: &[u8]) -> Result<Option<Money>, FieldError> {
    let Some(amount) = parse::json::<ReversalBody>(bytes)?.amount else { return Ok(None) };
    let amount = amount.to_money("amount")?;
    if amount.minor == 0 {
        let detail = "must be more than zero";
        return Err(FieldError::new("amount.minor", Reason::AmountInvalid, detail));
    }
    Ok(Some(amount))
}

/// Reads the body of a route that needs no field: an object without members.
///
/// Errors: names the first field.
pub fn parse_no_fields(bytes: &[u8]) -> Result<(), FieldError> {
    parse::json::<NoFields>(bytes).map(|NoFields {}| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expect: Result<Option<i64>, (&str, Reason)>) {
        let read = parse_reversal(body.as_bytes());
        let read = read.map(|amount| amount.map(|amount| amount.minor));
        let read = read.map_err(|error| (error.field, error.reason));
        assert_eq!(read, expect.map_err(|(field, reason)| (field.to_owned(), reason)), "{body}");
    }

    #[test]
    fn an_amount_is_what_is_given_back_and_without_one_all_is() {
        check("{}", Ok(None));
        check(r#"{"amount":{"currency":"MXN","minor":4000}}"#, Ok(Some(4_000)));
    }

    #[test]
    fn whatever_else_a_body_says_is_refused_by_its_field() {
        let (format, amount) = (Reason::FormatError, Reason::AmountInvalid);
        check(r#"{"nonsense":true}"#, Err(("nonsense", format)));
        check(r#"{"amount":{"currency":"MXN","minor":0}}"#, Err(("amount.minor", amount)));
        check(r#"{"amount":{"currency":"MXN","minor":-1}}"#, Err(("amount.minor", amount)));
        check(r#"{"amount":{"currency":"MXN","minor":"4000"}}"#, Err(("amount.minor", amount)));
        check(r#"{"amount":{"currency":"MXN","minor":40.0}}"#, Err(("amount.minor", amount)));
        check(r#"{"amount":{"currency":"MXN","minor":1,"x":1}}"#, Err(("amount.x", format)));
        let currency = Reason::CurrencyNotAllowed;
        check(r#"{"amount":{"currency":"XXQ","minor":1}}"#, Err(("amount.currency", currency)));
        check(r#"{"amount":null}"#, Err(("amount", amount)));
        check(r#"{"amount":4000}"#, Err(("amount", amount)));
        check(r#"{"amount":["MXN",4000]}"#, Err(("amount", amount)));
        for body in ["", "[]", "null", "40", "\"\"", "{", "{}{}", "all of it"] {
            check(body, Err(("", format)));
        }
    }

    #[test]
    fn a_route_without_fields_takes_an_empty_object_and_no_other() {
        assert_eq!(parse_no_fields(b" {} "), Ok(()));
        let refused = parse_no_fields(br#"{"amount":1}"#).map_err(|error| error.field);
        assert_eq!(refused, Err("amount".to_owned()));
        assert!(parse_no_fields(b"[]").is_err());
    }
}
