//! Codes for a SEPA credit transfer, also known as GiroCode.
//!
//! Source: European Payments Council, EPC069-12 version 2.1, with its two examples.

use router::money::{Currency, Money};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::findings::Findings;
use super::{QrError, QrErrorKind, Reading};
use crate::charset::Charset;
use crate::decimal;

mod rules;

/// The longest payload, in bytes: a code of version 13 at level M.
pub const PAYLOAD_LEN_MAX: usize = 331;
/// The longest payload read leniently, in bytes: the most that any QR code holds.
const ANY_PAYLOAD_LEN_MAX: usize = super::emv::PAYLOAD_LEN_MAX;
/// The most elements, one a line.
pub(super) const ELEMENT_COUNT_MAX: usize = 12;
/// The largest amount, in cents.
const AMOUNT_MAX: i64 = 99_999_999_999;
const AMOUNT_HEAD: &str = "EUR";

/// Names of the elements, in their order.
const NAMES: [&str; ELEMENT_COUNT_MAX] = [
    "service",
    "version",
    "charset",
    "identification",
    "bic",
    "name",
    "iban",
    "amount",
    "purpose",
    "structured_ref",
    "text",
    "information",
];

/// A SEPA credit transfer to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditTransfer {
    /// The version, which decides whether a BIC is needed.
    pub version: Version,
    /// How the text is written.
    pub charset: Charset,
    /// The beneficiary's bank, 8 or 11 characters.
    pub bic: Option<String>,
    /// The beneficiary, at most 70 characters.
    pub name: String,
    /// The beneficiary's account.
    pub iban: String,
    /// EUR 0.01 to 999999999.99; none when the payer states it.
    pub amount: Option<Money>,
    /// ISO 20022 purpose code, at most 4 letters or digits.
    pub purpose: Option<String>,
    /// What the beneficiary knows the payment by.
    pub remittance: Option<Remittance>,
    /// A text for the payer, at most 70 characters.
    pub information: Option<String>,
}

/// The version of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `001`: the BIC is mandatory.
    V1,
    /// `002`: the BIC is optional within the European Economic Area.
    V2,
}

/// Structured or unstructured, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remittance {
    /// A creditor reference, at most 35 characters; one that begins with `RF` has check digits.
    Structured(String),
    /// Text of at most 140 characters.
    Unstructured(String),
}

/// How the lines of a code end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// Line feed.
    Lf,
    /// Carriage return and line feed.
    CrLf,
}

/// A code that keeps the rules it was read by.
///
/// Shape: serializes as an object of its elements by name, without empty ones, and with
///        `minor_units`, a string of digits, and `currency` where there is an amount, and
///        `warnings` where there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpcCode {
    elements: Vec<String>,
    transfer: CreditTransfer,
    warnings: Vec<QrError>,
}

impl EpcCode {
    /// Reads a payload that keeps all the rules.
    ///
    /// Shape:  lines that end in LF or CR LF; the last may do so too, and empty ones may follow.
    /// Errors: the first rule broken.
    pub fn parse(payload: &[u8]) -> Result<Self, QrError> {
        Self::read(payload, Reading::Strict)
    }

    /// Reads a payload as strictly as asked.
    ///
    /// Shape:  as of [`EpcCode::parse`]; read leniently, NUL and the blanks at the end of a line are
    ///         cut, text may be longer than its rule, and blank lines may follow the twelfth.
    /// Errors: as of [`EpcCode::parse`].
    pub fn read(payload: &[u8], reading: Reading) -> Result<Self, QrError> {
        let mut findings = Findings::new(reading);
        if payload.len() > ANY_PAYLOAD_LEN_MAX {
            let rule = "has at most 2953 bytes";
            return Err(QrError::new(QrErrorKind::TooLong, "", ANY_PAYLOAD_LEN_MAX, rule));
        }
        if payload.len() > PAYLOAD_LEN_MAX {
            let rule = "has at most 331 bytes";
            findings.allow(QrError::new(QrErrorKind::TooLong, "", PAYLOAD_LEN_MAX, rule))?;
        }
        let lines = rules::lines(payload, &mut findings)?;
        let charset = rules::charset(&lines)?;
        let elements = rules::decode(&lines, charset)?;
        let transfer = rules::transfer(&elements, charset, &mut findings)?;
        let elements = elements.into_iter().map(|element| element.text).collect();
        Ok(Self { elements, transfer, warnings: findings.warnings })
    }

    /// What breaks a rule and was read all the same.
    pub fn warnings(&self) -> &[QrError] {
        &self.warnings
    }

    /// What it says.
    pub fn transfer(&self) -> &CreditTransfer {
        &self.transfer
    }
}

impl CreditTransfer {
    /// Builds the payload, without the empty elements at its end.
    ///
    /// Errors: the element that breaks a rule; `BadEncoding` for a character that the set lacks.
    pub fn build(&self, line_end: LineEnd) -> Result<Vec<u8>, QrError> {
        self.check_money()?;
        let mut elements = self.to_elements();
        while elements.last().is_some_and(|element| element.is_empty()) {
            elements.pop();
        }
        let separator: &[u8] = match line_end {
            LineEnd::Lf => b"\n",
            LineEnd::CrLf => b"\r\n",
        };
        let mut payload = Vec::new();
        for (element, name) in elements.iter().zip(NAMES) {
            if !payload.is_empty() {
                payload.extend_from_slice(separator);
            }
            let offset = payload.len();
            if element.chars().any(char::is_control) {
                return Err(QrError::new(QrErrorKind::BadContent, name, offset, rules::PRINTABLE));
            }
            let bytes = self.charset.encode(element).map_err(|_| {
                let rule = "has a character that is not in the character set";
                QrError::new(QrErrorKind::BadEncoding, name, offset, rule)
            })?;
            payload.extend(bytes);
        }
        EpcCode::parse(&payload)?;
        Ok(payload)
    }

    fn check_money(&self) -> Result<(), QrError> {
        let is_sound =
            |amount: Money| amount.currency == euro() && (1..=AMOUNT_MAX).contains(&amount.minor);
        if self.amount.is_some_and(|amount| !is_sound(amount)) {
            return Err(QrError::new(QrErrorKind::BadContent, "amount", 0, rules::AMOUNT));
        }
        Ok(())
    }

    fn to_elements(&self) -> Vec<String> {
        let (structured, text) = match &self.remittance {
            None => (None, None),
            Some(Remittance::Structured(reference)) => (Some(reference), None),
            Some(Remittance::Unstructured(text)) => (None, Some(text)),
        };
        let optional = |text: Option<&String>| text.cloned().unwrap_or_default();
        vec![
            rules::SERVICE.to_owned(),
            self.version.code().to_owned(),
            self.charset.code().to_owned(),
            rules::IDENTIFICATION.to_owned(),
            optional(self.bic.as_ref()),
            self.name.clone(),
            self.iban.clone(),
            self.amount.map(amount_text).unwrap_or_default(),
            optional(self.purpose.as_ref()),
            optional(structured),
            optional(text),
            optional(self.information.as_ref()),
        ]
    }
}

fn euro() -> Currency {
    Currency::from_code(AMOUNT_HEAD).expect("invariant: EUR is a currency of ISO 4217")
}

/// As the examples of the guidelines write it: without zeros at the end, `EUR12.3`.
fn amount_text(amount: Money) -> String {
    let digits = decimal::write(amount.minor, '.', amount.currency.exponent());
    format!("{AMOUNT_HEAD}{}", digits.trim_end_matches('0').trim_end_matches('.'))
}

impl Version {
    fn code(self) -> &'static str {
        match self {
            Self::V1 => "001",
            Self::V2 => "002",
        }
    }
}

impl Serialize for EpcCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let elements = NAMES.iter().zip(&self.elements);
        for (name, element) in elements.filter(|(_, element)| !element.is_empty()) {
            map.serialize_entry(name, element)?;
        }
        if let Some(amount) = self.transfer.amount {
            map.serialize_entry("minor_units", &amount.minor.to_string())?;
            map.serialize_entry("currency", amount.currency.code())?;
        }
        if !self.warnings.is_empty() {
            map.serialize_entry("warnings", &self.warnings)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
