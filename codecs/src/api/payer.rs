//! Who pays, as the API tells it.

use std::fmt;

use router::message::Payer;
use router::money::Currency;
use router::reason::Reason;
use router::secret::{CardNumber, Pan};
use router::text::Text;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use utoipa::ToSchema;

use super::{FieldError, parse};

/// Who pays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PayerRequest)]
pub struct PayerBody {
    /// Identity document. In VES: V, E, P, J or G and 5 to 9 digits.
    #[schema(min_length = 3, max_length = 20, pattern = "^[0-9A-Za-z]+$")]
    pub doc: Option<String>,
    /// Telephone, 8 to 15 digits.
    #[schema(pattern = "^[0-9]{8,15}$")]
    pub phone: Option<String>,
    /// The payer's bank.
    #[schema(min_length = 1, max_length = 11, pattern = "^[0-9A-Za-z]+$")]
    pub bank_code: Option<String>,
    /// Account number or IBAN.
    #[schema(min_length = 1, max_length = 34, pattern = "^[0-9A-Za-z]+$")]
    pub account: Option<String>,
    /// Card.
    #[serde(default, deserialize_with = "parse::optional_object")]
    pub card: Option<CardBody>,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CardRequest)]
pub struct CardBody {
    /// Its number, 12 to 19 digits.
    #[serde(deserialize_with = "pan")]
    #[schema(value_type = String, pattern = "^[0-9]{12,19}$")]
    pub number: Pan,
    /// YYMM
    #[schema(pattern = "^[0-9]{2}(0[1-9]|1[0-2])$")]
    pub expiry: Option<String>,
}

/// Reads a card number without ever repeating it.
fn pan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pan, D::Error> {
    struct Digits;

    impl Visitor<'_> for Digits {
        type Value = Pan;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a card number as a string of digits")
        }

        fn visit_str<E: Error>(self, digits: &str) -> Result<Pan, E> {
            Pan::new(digits.as_bytes()).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Digits)
}

impl PayerBody {
    /// Checks what is said of the payer; which documents there are depends on the currency.
    pub fn to_payer(self, currency: Currency) -> Result<Payer, FieldError> {
        if let Some(doc) = &self.doc {
            check_document(doc, currency)?;
        }
        let phone = |text: &[u8]| (8..=15).contains(&text.len()) && text.iter().all(digit);
        let alphanumeric = |text: &[u8]| text.iter().all(u8::is_ascii_alphanumeric);
        let (card, expiry) = match self.card {
            Some(CardBody { number, expiry }) => (Some(CardNumber::Clear(number)), expiry),
            None => (None, None),
        };
        Ok(Payer {
            document: checked("payer.doc", self.doc, |_| true, "at most 20 characters")?,
            phone: checked("payer.phone", self.phone, phone, "must be 8 to 15 digits")?,
            bank_code: checked(
                "payer.bank_code",
                self.bank_code,
                alphanumeric,
                "must be 1 to 11 letters and digits",
            )?,
            account: checked(
                "payer.account",
                self.account,
                alphanumeric,
                "must be 1 to 34 letters and digits",
            )?,
            expiry: checked("payer.card.expiry", expiry, is_expiry, "must be YYMM")?,
            card,
        })
    }
}

fn digit(byte: &u8) -> bool {
    byte.is_ascii_digit()
}

fn is_expiry(text: &[u8]) -> bool {
    text.len() == 4 && text.iter().all(digit) && (&b"01"[..]..=b"12").contains(&&text[2..])
}

fn checked<const MAX: usize>(
    field: &str,
    text: Option<String>,
    fits: impl Fn(&[u8]) -> bool,
    detail: &str,
) -> Result<Option<Text<MAX>>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let taken = Text::new(&text).ok().filter(|text| !text.is_empty() && fits(text.as_bytes()));
    match taken {
        Some(text) => Ok(Some(text)),
        None => Err(FieldError::new(field, Reason::FormatError, detail)),
    }
}

/// Venezuelan documents are a letter for the kind – V, E, P, J or G – and 5 to 9 digits; those of
/// other countries (CUIT, RFC, CURP, CNP, codice fiscale) 3 to 20 letters and digits.
fn check_document(doc: &str, currency: Currency) -> Result<(), FieldError> {
    let (fits, detail) = match currency.code() {
        "VES" => (is_venezuelan(doc), "must be V, E, P, J or G and 5 to 9 digits"),
        _ => (
            (3..=20).contains(&doc.len()) && doc.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "must be 3 to 20 letters and digits",
        ),
    };
    if fits { Ok(()) } else { Err(FieldError::new("payer.doc", Reason::PayerIdInvalid, detail)) }
}

fn is_venezuelan(doc: &str) -> bool {
    let digits = doc.strip_prefix(['V', 'E', 'P', 'J', 'G']).unwrap_or_default();
    (5..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
