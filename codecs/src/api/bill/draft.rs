//! A bill as its body says, checked: what is registered, or put in the place of what was.

use std::fmt::Display;

use router::bill::{DUE_DATES_MAX, DueAmount, RegisteredBill};
use router::id::{BillNo, ClientRef, Product};
use router::money::{Currency, Money};
use router::reason::Reason;
use router::text::TextError;
use router::time::{Date, Timestamp};

use super::{BillBody, BillPatchBody, ClientBody, DueBody, LineBody};
use crate::api::payment::metadata;
use crate::api::{AmountBody, FieldError};

const LINES_MAX: usize = 100;

/// A bill, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillDraft {
    /// The biller's own number of it.
    pub bill_no: BillNo,
    /// The biller's own number of the payer.
    pub client_id: ClientRef,
    /// The biller's own number of the contract.
    pub contract_no: Option<Box<str>>,
    /// How the payer is reached.
    pub contact: BillContact,
    /// What it is for.
    pub lines: Vec<DraftLine>,
    /// What may be paid of it.
    pub terms: RegisteredBill,
    /// Kind of credit or service.
    pub product: Option<Product>,
    /// Whether it is made while its payer waits.
    pub is_online: bool,
    /// The biller's own data, in canonical form.
    pub metadata: Option<Box<str>>,
}

/// How a payer is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BillContact {
    /// The payer's name.
    pub name: Option<Box<str>>,
    /// Telephone.
    pub phone: Option<Box<str>>,
    /// Mail address.
    pub email: Option<Box<str>>,
    /// Identity document.
    pub doc: Option<Box<str>>,
    /// Language.
    pub language: Option<Box<str>>,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftLine {
    /// What people read.
    pub text: Box<str>,
    /// How much, in minor units of the bill's currency.
    pub minor: i64,
}

/// Reads an instant, RFC 3339; the crate has no calendar of its own.
pub type ReadTime = fn(&str) -> Option<Timestamp>;

impl BillBody {
    /// The bill to register.
    ///
    /// Errors: the first field that makes no sense, with the reason to answer.
    pub fn checked(self, read_time: ReadTime) -> Result<BillDraft, FieldError> {
        if self.elements.is_some_and(|elements| !elements.is_empty()) {
            let detail = "payment elements are not served";
            return Err(FieldError::new("elements", Reason::ServiceNotEnabled, detail));
        }
        let amount = above_zero("amount", &self.amount)?;
        let currency = amount.currency;
        let optional = |field, body: Option<AmountBody>| optional_minor(field, body, currency);
        let draft = BillDraft {
            bill_no: named("bill_no", &self.bill_no, BillNo::new)?,
            client_id: named("client_id", &self.client_id, ClientRef::new)?,
            contract_no: text("contract_no", self.contract_no, 40)?,
            contact: contact(self.client.unwrap_or_default())?,
            lines: lines(self.lines.unwrap_or_default(), currency)?,
            terms: RegisteredBill {
                amount,
                due: due(self.due, currency)?,
                allows_partial: self.allow_partial,
                min_minor: optional("min", self.min)?,
                max_minor: optional("max", self.max)?,
                must_leave_minor: optional("must_leave", self.must_leave)?,
                expires_at: time("expires_at", self.expires_at, read_time)?,
                cancelled_at: None,
            },
            product: product(self.product)?,
            is_online: is_online(self.origin.as_deref())?,
            metadata: metadata(self.metadata)?,
        };
        draft.consistent()
    }
}

impl BillPatchBody {
    /// The bill as it is to be, from the one that it was.
    ///
    /// Errors: the first field that makes no sense, with the reason to answer.
    pub fn amended(self, bill: BillDraft, read_time: ReadTime) -> Result<BillDraft, FieldError> {
        let currency = bill.terms.amount.currency;
        let mut next = bill;
        if let Some(client_id) = self.client_id {
            next.client_id = named("client_id", &client_id, ClientRef::new)?;
        }
        if let Some(contract_no) = self.contract_no {
            next.contract_no = text("contract_no", contract_no, 40)?;
        }
        if let Some(client) = self.client {
            next.contact = contact(client.unwrap_or_default())?;
        }
        if let Some(body) = self.lines {
            next.lines = lines(body.unwrap_or_default(), currency)?;
        }
        if let Some(amount) = self.amount {
            next.terms.amount = of_currency("amount", above_zero("amount", &amount)?, currency)?;
        }
        if let Some(body) = self.due {
            next.terms.due = due(body, currency)?;
        }
        next.terms.allows_partial = self.allow_partial.unwrap_or(next.terms.allows_partial);
        let change = |field, body: Option<Option<AmountBody>>, before: Option<i64>| match body {
            Some(body) => optional_minor(field, body, currency),
            None => Ok(before),
        };
        next.terms.min_minor = change("min", self.min, next.terms.min_minor)?;
        next.terms.max_minor = change("max", self.max, next.terms.max_minor)?;
        next.terms.must_leave_minor =
            change("must_leave", self.must_leave, next.terms.must_leave_minor)?;
        if let Some(expires_at) = self.expires_at {
            next.terms.expires_at = time("expires_at", expires_at, read_time)?;
        }
        if let Some(body) = self.product {
            next.product = product(body)?;
        }
        if let Some(body) = self.metadata {
            next.metadata = metadata(body)?;
        }
        next.consistent()
    }
}

impl BillDraft {
    /// The rules between the members.
    fn consistent(self) -> Result<Self, FieldError> {
        let invalid =
            |field: &str, detail: &str| Err(FieldError::new(field, Reason::AmountInvalid, detail));
        let terms = &self.terms;
        let sum: i128 = self.lines.iter().map(|line| i128::from(line.minor)).sum();
        if !self.lines.is_empty() && sum != i128::from(terms.amount.minor) {
            return invalid("lines", "must sum to the amount");
        }
        let amounts = || terms.due.iter().map(|due| due.minor).chain([terms.amount.minor]);
        let least = amounts().min().unwrap_or(terms.amount.minor);
        if terms.min_minor.zip(terms.max_minor).is_some_and(|(min, max)| max < min) {
            return invalid("max", "must not be less than min");
        }
        if terms.min_minor.is_some_and(|min| least < min) {
            return invalid("min", "must not be more than the bill comes to");
        }
        if terms.must_leave_minor.is_some_and(|stays| least <= stays) {
            return invalid("must_leave", "must be less than the bill comes to");
        }
        let needs_parts = terms.must_leave_minor.is_some()
            || terms.max_minor.is_some_and(|max| amounts().any(|amount| max < amount));
        if needs_parts && !terms.allows_partial {
            let detail = "must be true: no payment could be of the whole bill";
            return Err(FieldError::new("allow_partial", Reason::FormatError, detail));
        }
        Ok(self)
    }
}

pub(super) fn format_error(field: &str, detail: impl Display) -> FieldError {
    FieldError::new(field, Reason::FormatError, detail)
}

fn named<T>(
    field: &str,
    text: &str,
    new: fn(&str) -> Result<T, TextError>,
) -> Result<T, FieldError> {
    new(text).map_err(|error| format_error(field, error))
}

fn product(text: Option<String>) -> Result<Option<Product>, FieldError> {
    text.map(|text| named("product", &text, Product::new)).transpose()
}

/// A text for people: any characters but control characters.
pub(super) fn text(
    field: &str,
    text: Option<String>,
    chars_max: usize,
) -> Result<Option<Box<str>>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let count = text.chars().count();
    if count == 0 || count > chars_max {
        return Err(format_error(field, format_args!("must have 1 to {chars_max} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(format_error(field, "must have no control characters"));
    }
    Ok(Some(text.into()))
}

fn contact(body: ClientBody) -> Result<BillContact, FieldError> {
    let ClientBody { name, phone, email, doc, language } = body;
    let is_language = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase());
    if language.as_deref().is_some_and(|language| !is_language(language)) {
        return Err(format_error("client.language", "must be two letters, as es"));
    }
    Ok(BillContact {
        name: text("client.name", name, 140)?,
        phone: text("client.phone", phone, 32)?,
        email: text("client.email", email, 254)?,
        doc: text("client.doc", doc, 32)?,
        language: language.map(Into::into),
    })
}

fn lines(body: Vec<LineBody>, currency: Currency) -> Result<Vec<DraftLine>, FieldError> {
    if body.len() > LINES_MAX {
        return Err(format_error("lines", format_args!("must be at most {LINES_MAX}")));
    }
    let line = |LineBody { text: shown, amount }: LineBody| {
        let amount = of_currency("lines.amount", amount.to_money("lines.amount")?, currency)?;
        let shown = text("lines.text", Some(shown), 200)?;
        Ok(DraftLine { text: shown.unwrap_or_default(), minor: amount.minor })
    };
    body.into_iter().map(line).collect()
}

fn due(body: Option<Vec<DueBody>>, currency: Currency) -> Result<Vec<DueAmount>, FieldError> {
    let Some(body) = body else { return Ok(Vec::new()) };
    if body.is_empty() || body.len() > DUE_DATES_MAX {
        return Err(format_error("due", format_args!("must have 1 to {DUE_DATES_MAX} dates")));
    }
    let mut dates: Vec<DueAmount> = Vec::with_capacity(body.len());
    for DueBody { date, amount } in body {
        let amount = of_currency("due.amount", above_zero("due.amount", &amount)?, currency)?;
        let date = day(&date)
            .ok_or_else(|| format_error("due.date", "must be a date such as 2026-12-10"))?;
        if dates.last().is_some_and(|before| date <= before.date) {
            return Err(format_error("due.date", "must be later than the date before"));
        }
        dates.push(DueAmount { date, minor: amount.minor });
    }
    Ok(dates)
}

/// A day that exists, as 2026-12-10.
pub(super) fn day(text: &str) -> Option<Date> {
    let [year, month, day] = [text.get(..4)?, text.get(5..7)?, text.get(8..)?];
    let [month, day] = [month.parse().ok()?, day.parse().ok()?];
    let date = Date::from_year_month_day(year.parse().ok()?, month, day);
    (date.to_string() == text).then_some(date)
}

fn time(
    field: &str,
    text: Option<String>,
    read_time: ReadTime,
) -> Result<Option<Timestamp>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let expected = || format_error(field, "must be a time such as 2026-12-31T23:59:59Z");
    read_time(&text).ok_or_else(expected).map(Some)
}

fn is_online(origin: Option<&str>) -> Result<bool, FieldError> {
    match origin {
        None | Some("api") => Ok(false),
        Some("online") => Ok(true),
        Some(_) => Err(format_error("origin", "must be api or online")),
    }
}

pub(super) fn above_zero(field: &str, amount: &AmountBody) -> Result<Money, FieldError> {
    let amount = amount.to_money(field)?;
    if amount.minor > 0 {
        return Ok(amount);
    }
    let field = format!("{field}.minor");
    Err(FieldError::new(&field, Reason::AmountInvalid, "must be more than zero"))
}

fn of_currency(field: &str, amount: Money, currency: Currency) -> Result<Money, FieldError> {
    if amount.currency == currency {
        return Ok(amount);
    }
    let field = format!("{field}.currency");
    let detail = "must be the currency of the bill";
    Err(FieldError::new(&field, Reason::CurrencyNotAllowed, detail))
}

fn optional_minor(
    field: &str,
    body: Option<AmountBody>,
    currency: Currency,
) -> Result<Option<i64>, FieldError> {
    let Some(body) = body else { return Ok(None) };
    of_currency(field, above_zero(field, &body)?, currency).map(|amount| Some(amount.minor))
}
