//! From lines to a transfer, one rule an element.

use std::borrow::Cow;

use router::money::Money;

use super::{
    AMOUNT_HEAD, AMOUNT_MAX, CreditTransfer, ELEMENT_COUNT_MAX, NAMES, Remittance, Version, euro,
};
use crate::charset::Charset;
use crate::decimal::{self, Grammar};
use crate::forms::{has_iban_form, has_right_check_digits, is_bic};
use crate::qr::findings::Findings;
use crate::qr::{QrError, QrErrorKind};

pub(super) const SERVICE: &str = "BCD";
pub(super) const IDENTIFICATION: &str = "SCT";
pub(super) const AMOUNT: &str = "is EUR and 0.01 to 999999999.99, at most 12 characters";

/// Characters of an amount behind `EUR`.
const AMOUNT_LEN_MAX: usize = 12;

pub(super) const PRINTABLE: &str = "has no control characters";

/// A line as it stands in the payload.
pub(super) struct Line<'a> {
    offset: usize,
    bytes: Cow<'a, [u8]>,
}

/// An element as text.
pub(super) struct Element {
    offset: usize,
    pub text: String,
}

/// Cuts a payload into at most twelve lines.
pub(super) fn lines<'a>(
    payload: &'a [u8],
    findings: &mut Findings,
) -> Result<Vec<Line<'a>>, QrError> {
    // The guidelines end the last element with nothing; many generators end it with a line.
    let body = payload.strip_suffix(b"\n").unwrap_or(payload);
    let mut lines = Vec::with_capacity(ELEMENT_COUNT_MAX);
    let mut offset = 0;
    for line in body.split(|byte| *byte == b'\n') {
        let bytes = line.strip_suffix(b"\r").unwrap_or(line);
        match NAMES.get(lines.len()) {
            Some(name) => {
                let bytes = unfilled(bytes, name, offset, findings)?;
                lines.push(Line { offset, bytes });
            }
            None => {
                let rest = &body[offset..];
                let is_blank = rest.iter().all(|byte| is_filler(*byte) || b"\r\n".contains(byte));
                let rule = "has at most 12 lines";
                let mistake = QrError::new(QrErrorKind::Misplaced, "", offset, rule);
                if is_blank {
                    findings.allow(mistake)?
                } else {
                    return Err(mistake);
                }
                break;
            }
        }
        offset += line.len() + 1;
    }
    Ok(lines)
}

/// What fills a field up to a fixed width.
fn is_filler(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t')
}

/// A line without NUL, which is in no character set, and without blanks at its end; where every
/// rule holds as it is.
fn unfilled<'a>(
    line: &'a [u8],
    name: &str,
    offset: usize,
    findings: &mut Findings,
) -> Result<Cow<'a, [u8]>, QrError> {
    if findings.is_strict() {
        return Ok(Cow::Borrowed(line));
    }
    let filled = line.iter().rev().take_while(|byte| is_filler(**byte)).count();
    let (kept, _) = line.split_at(line.len() - filled);
    let kept = match kept.contains(&0) {
        true => Cow::Owned(kept.iter().copied().filter(|byte| *byte != 0).collect()),
        false => Cow::Borrowed(kept),
    };
    if kept.len() < line.len() {
        let rule = "has no NUL, and no blanks at its end: they are cut";
        findings.allow(QrError::new(QrErrorKind::BadContent, name, offset, rule))?;
    }
    Ok(kept)
}

/// The character set stated in the third line.
pub(super) fn charset(lines: &[Line<'_>]) -> Result<Charset, QrError> {
    // Stated before anything else: a payload that is no code at all should say so.
    let service = lines.first().map(|line| &*line.bytes);
    if service != Some(SERVICE.as_bytes()) {
        return Err(QrError::new(QrErrorKind::BadContent, NAMES[0], 0, "is BCD"));
    }
    let rule = "is a digit from 1 to 8";
    let Some(line) = lines.get(2) else {
        return Err(QrError::new(QrErrorKind::Missing, NAMES[2], 0, rule));
    };
    let code = std::str::from_utf8(&line.bytes).unwrap_or_default();
    let charset = Charset::from_code(code);
    charset.ok_or_else(|| QrError::new(QrErrorKind::BadContent, NAMES[2], line.offset, rule))
}

pub(super) fn decode(lines: &[Line<'_>], charset: Charset) -> Result<Vec<Element>, QrError> {
    let decode = |(line, name): (&Line<'_>, &str)| {
        let text = charset.decode(&line.bytes).map_err(|at| {
            let rule = "is no text of the character set stated";
            QrError::new(QrErrorKind::BadEncoding, name, line.offset + at, rule)
        })?;
        if text.chars().any(char::is_control) {
            return Err(QrError::new(QrErrorKind::BadContent, name, line.offset, PRINTABLE));
        }
        Ok(Element { offset: line.offset, text })
    };
    lines.iter().zip(NAMES).map(decode).collect()
}

pub(super) fn transfer(
    elements: &[Element],
    charset: Charset,
    findings: &mut Findings,
) -> Result<CreditTransfer, QrError> {
    let mut reader = Reader { elements, findings };
    let version = reader.version()?;
    reader.require(3, |code| code == IDENTIFICATION, "is SCT")?;
    let bic = reader.optional(4, is_bic, "is 8 or 11 capitals and digits")?;
    reader.bound(5, 70, "is 1 to 70 characters")?;
    let name = reader.required(5, |name| !name.trim().is_empty(), "is 1 to 70 characters")?;
    let iban = reader.iban()?;
    reader.check_bic(bic.as_deref(), version, &iban)?;
    let amount = reader.amount()?;
    reader.bound(8, 4, "is 1 to 4 letters or digits")?;
    let purpose = reader.optional(8, is_purpose, "is 1 to 4 letters or digits")?;
    let remittance = reader.remittance()?;
    reader.bound(11, 70, "has at most 70 characters")?;
    let information = reader.optional(11, |_| true, "is text")?;
    Ok(CreditTransfer {
        version,
        charset,
        bic,
        name,
        iban,
        amount,
        purpose,
        remittance,
        information,
    })
}

struct Reader<'a> {
    elements: &'a [Element],
    findings: &'a mut Findings,
}

impl Reader<'_> {
    /// Checks the length of a text.
    fn bound(&mut self, at: usize, longest: usize, rule: &'static str) -> Result<(), QrError> {
        if self.text(at).chars().count() <= longest {
            return Ok(());
        }
        let mistake = self.error(at, QrErrorKind::TooLong, rule);
        self.findings.allow(mistake)
    }

    fn text(&self, at: usize) -> &str {
        self.elements.get(at).map_or("", |element| element.text.as_str())
    }

    fn error(&self, at: usize, kind: QrErrorKind, rule: &'static str) -> QrError {
        let offset = self.elements.get(at).map_or(0, |element| element.offset);
        QrError::new(kind, NAMES[at], offset, rule)
    }

    fn require(
        &self,
        at: usize,
        is_sound: impl Fn(&str) -> bool,
        rule: &'static str,
    ) -> Result<&str, QrError> {
        match self.text(at) {
            "" => Err(self.error(at, QrErrorKind::Missing, rule)),
            text if is_sound(text) => Ok(text),
            _ => Err(self.error(at, QrErrorKind::BadContent, rule)),
        }
    }

    fn required(
        &self,
        at: usize,
        is_sound: impl Fn(&str) -> bool,
        rule: &'static str,
    ) -> Result<String, QrError> {
        self.require(at, is_sound, rule).map(str::to_owned)
    }

    fn optional(
        &self,
        at: usize,
        is_sound: impl Fn(&str) -> bool,
        rule: &'static str,
    ) -> Result<Option<String>, QrError> {
        match self.text(at) {
            "" => Ok(None),
            _ => self.required(at, is_sound, rule).map(Some),
        }
    }

    fn version(&self) -> Result<Version, QrError> {
        let rule = "is 001 or 002";
        match self.require(1, |code| matches!(code, "001" | "002"), rule)? {
            "001" => Ok(Version::V1),
            _ => Ok(Version::V2),
        }
    }

    fn iban(&self) -> Result<String, QrError> {
        let rule = "is an account number of the length its country has";
        let iban = self.required(6, has_iban_form, rule)?;
        if !has_right_check_digits(&iban) {
            return Err(self.error(6, QrErrorKind::BadCheckDigits, "has wrong check digits"));
        }
        Ok(iban)
    }

    fn check_bic(&self, bic: Option<&str>, version: Version, iban: &str) -> Result<(), QrError> {
        let missing = |rule| Err(self.error(4, QrErrorKind::Missing, rule));
        match (bic, version) {
            (Some(_), _) => Ok(()),
            (None, Version::V1) => missing("must be there in version 001"),
            (None, Version::V2) if is_in_eea(iban) => Ok(()),
            (None, Version::V2) => missing("must be there for an account outside the EEA"),
        }
    }

    fn amount(&self) -> Result<Option<Money>, QrError> {
        let text = self.text(7);
        if text.is_empty() {
            return Ok(None);
        }
        let amount = text.strip_prefix(AMOUNT_HEAD).and_then(cents);
        let amount = amount.filter(|cents| (1..=AMOUNT_MAX).contains(cents));
        let amount = amount.ok_or_else(|| self.error(7, QrErrorKind::BadContent, AMOUNT))?;
        Ok(Some(Money::new(amount, euro())))
    }

    fn remittance(&mut self) -> Result<Option<Remittance>, QrError> {
        self.bound(9, 35, "has at most 35 characters")?;
        self.bound(10, 140, "has at most 140 characters")?;
        let structured = self.optional(9, |_| true, "is a reference")?;
        let text = self.optional(10, |_| true, "is text")?;
        match (structured, text) {
            (Some(_), Some(_)) => {
                let rule = "does not go with a structured reference";
                Err(self.error(10, QrErrorKind::Conflict, rule))
            }
            (Some(reference), None) if !is_reference(&reference) => {
                Err(self.error(9, QrErrorKind::BadCheckDigits, "is no creditor reference"))
            }
            (Some(reference), None) => Ok(Some(Remittance::Structured(reference))),
            (None, text) => Ok(text.map(Remittance::Unstructured)),
        }
    }
}

/// Up to two decimals, and a digit behind the point if there is one; no zero in front of another
/// digit.
fn cents(text: &str) -> Option<i64> {
    if text.len() > AMOUNT_LEN_MAX || has_idle_zero(text) {
        return None;
    }
    let decimals = text.split_once('.').map_or(1, |(_, decimals)| decimals.len());
    (1..=2).contains(&decimals).then(|| decimal::read(text, Grammar::Mark('.'), 2))?
}

fn has_idle_zero(text: &str) -> bool {
    text.strip_prefix('0').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_purpose(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// References of ISO 11649 are checked; those of a country's own kind are the bank's to check.
fn is_reference(text: &str) -> bool {
    if !text.starts_with("RF") {
        return true;
    }
    (5..=25).contains(&text.len()) && has_right_check_digits(text)
}

/// Countries of the European Economic Area, whose accounts need no BIC.
const EEA: &str = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT \
                   RO SE SI SK";

/// Whether an account number is of a country in the European Economic Area.
fn is_in_eea(iban: &str) -> bool {
    iban.get(..2).is_some_and(|country| EEA.split(' ').any(|member| member == country))
}
