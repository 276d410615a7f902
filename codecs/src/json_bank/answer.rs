//! What an answer means.

use std::borrow::Cow;
use std::collections::BTreeMap;

use router::money::Money;
use router::reason::Reason;
use router::time::Timestamp;

use super::dialect::{JsonDialect, Operation};
use super::instant::InstantForm;
use super::pointer::{Document, Found, Pointer};
use super::status::Treatment;
use super::template::{Escape, TextTemplate};
use super::values::BankValues;
use crate::decimal::{self, Grammar};

/// Longest reference or code of a bank that is kept.
const KEPT_LEN_MAX: usize = 64;
/// Longest address that a payer is sent to.
const REDIRECT_LEN_MAX: usize = 2048;
/// Stands for every code that the table does not name.
pub(super) const OTHER: &str = "*";

/// What one answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankReading {
    /// What became of what was asked.
    pub verdict: BankVerdict,
    /// The bank's authorisation, at most 64 printable characters.
    pub authorisation: Option<String>,
    /// The bank's own reference, at most 64 printable characters.
    pub reference: Option<String>,
    /// The bank's own code, at most 64 printable characters.
    pub code: Option<String>,
}

/// What became of what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BankVerdict {
    /// It was carried out.
    Approved,
    /// It was not, and will not be.
    Declined(Reason),
    /// It waits for somebody.
    Awaiting(AwaitedStep),
    /// The bank is still at it.
    Pending,
    /// The bank knows no such payment.
    NotFound,
    /// The bank guarantees that it did nothing: the request may go elsewhere.
    NotProcessed,
    /// The answer does not say.
    NotUnderstood(AnswerFault),
}

/// What a payment waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwaitedStep {
    /// A one-time key that the bank gave the payer.
    OneTimeKey(DeadlineOfStep),
    /// The payer, at this address (https).
    Redirect(String, DeadlineOfStep),
    /// Word from the bank.
    Confirmation(DeadlineOfStep),
}

/// Until when the bank waits for a step, where it says so.
pub type DeadlineOfStep = Option<Timestamp>;

/// Why an answer says nothing. Never holds a value of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct AnswerFault {
    /// The JSON Pointer of the field, `body` or `status`.
    pub field: String,
    /// What is wrong with it.
    pub problem: AnswerProblem,
}

/// What is wrong with a field of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerProblem {
    /// The status says nothing of the payment.
    #[error("says nothing of the payment")]
    Silent,
    /// Not JSON.
    #[error("is no JSON")]
    NotJson,
    /// Not there.
    #[error("is missing")]
    Missing,
    /// Not in the dialect's table, or not in its form.
    #[error("has a value that the dialect does not know")]
    NotKnown,
    /// There, but no single value, or too long.
    #[error("is no single value of its kind")]
    NotAValue,
    /// Not what was asked for: another payment's, or another amount.
    #[error("contradicts the request")]
    Contradicts,
}

impl AnswerProblem {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::NotJson => "not_json",
            Self::Missing => "missing",
            Self::NotKnown => "not_known",
            Self::NotAValue => "not_a_value",
            Self::Contradicts => "contradicts",
        }
    }
}

/// What a word of a bank's state means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateMeaning {
    Approved,
    Declined,
    AwaitingOneTimeKey,
    AwaitingRedirect,
    AwaitingConfirmation,
    Pending,
    NotFound,
}

/// Their words in a dialect.
pub(super) const MEANINGS: [(&str, StateMeaning); 7] = [
    ("approved", StateMeaning::Approved),
    ("declined", StateMeaning::Declined),
    ("awaiting_one_time_key", StateMeaning::AwaitingOneTimeKey),
    ("awaiting_redirect", StateMeaning::AwaitingRedirect),
    ("awaiting_confirmation", StateMeaning::AwaitingConfirmation),
    ("pending", StateMeaning::Pending),
    ("not_found", StateMeaning::NotFound),
];

/// How an amount is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AmountForm {
    Minor,
    Decimal,
}

/// How a currency is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CurrencyForm {
    Letters,
    Number,
}

/// Where an answer has what.
#[derive(Debug, Clone)]
pub(super) struct AnswerMap {
    pub state: Option<(Pointer, BTreeMap<String, StateMeaning>)>,
    pub code: Option<Pointer>,
    pub codes: BTreeMap<String, Reason>,
    pub authorisation: Option<Pointer>,
    pub reference: Option<Pointer>,
    pub amount: Option<(Pointer, AmountForm)>,
    pub currency: Option<(Pointer, CurrencyForm)>,
    pub echo: Vec<(Pointer, TextTemplate)>,
    pub redirect: Option<Pointer>,
    pub until: Option<(Pointer, InstantForm)>,
}

/// What an answer must fit: made with the request, and kept until the answer is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedAnswer {
    pub(super) to: AnswerTo,
    amount: Money,
    /// What stands at each place where the answer repeats the request; none where the payment has
    /// no such value.
    echo: Vec<Option<String>>,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerTo {
    Request(Operation),
    /// Nothing: the bank tells by itself.
    Nothing,
}

impl ExpectedAnswer {
    pub(super) fn of(
        to: AnswerTo,
        map: &AnswerMap,
        values: &BankValues<'_>,
        constants: &BTreeMap<String, String>,
    ) -> Self {
        let echo = map.echo.iter();
        let echo = echo.map(|(_, template)| template.write(values, constants, Escape::None).ok());
        Self { to, amount: values.amount, echo: echo.collect() }
    }
}

impl JsonDialect {
    /// Reads the answer to a request, whatever it is.
    ///
    /// Shape: `expected` was made by this dialect; another's reads as not understood.
    pub fn read(&self, expected: &ExpectedAnswer, status: u16, body: &[u8]) -> BankReading {
        let found = match expected.to {
            AnswerTo::Request(operation) => {
                self.operations.get(&operation).map(|it| (&it.answer, it.on.of(status)))
            }
            AnswerTo::Nothing => self.notification.as_ref().map(|it| (&it.answer, Treatment::Read)),
        };
        match found {
            Some((map, treatment)) => CheckedAnswer { map, expected }.read(treatment, body),
            None => BankReading::of(not_understood("status", AnswerProblem::Silent)),
        }
    }
}

/// An answer's map, and what was asked.
struct CheckedAnswer<'a> {
    map: &'a AnswerMap,
    expected: &'a ExpectedAnswer,
}

fn not_understood(field: impl ToString, problem: AnswerProblem) -> BankVerdict {
    BankVerdict::NotUnderstood(AnswerFault { field: field.to_string(), problem })
}

impl BankReading {
    fn of(verdict: BankVerdict) -> Self {
        Self { verdict, authorisation: None, reference: None, code: None }
    }
}

type Checked<T> = Result<T, AnswerFault>;

fn fault(field: &Pointer, problem: AnswerProblem) -> AnswerFault {
    AnswerFault { field: field.to_string(), problem }
}

impl CheckedAnswer<'_> {
    fn read(&self, treatment: Treatment, body: &[u8]) -> BankReading {
        match treatment {
            Treatment::Unknown => {
                return BankReading::of(not_understood("status", AnswerProblem::Silent));
            }
            Treatment::NotFound => return BankReading::of(BankVerdict::NotFound),
            Treatment::NotProcessed => return BankReading::of(BankVerdict::NotProcessed),
            Treatment::Read
            | Treatment::Approved
            | Treatment::Declined
            | Treatment::DeclinedIfMapped => {}
        }
        match Document::read(body) {
            Some(document) => self.read_document(treatment, document),
            None if treatment == Treatment::Declined => {
                BankReading::of(BankVerdict::Declined(self.reason(None)))
            }
            None => BankReading::of(not_understood("body", AnswerProblem::NotJson)),
        }
    }

    fn read_document(&self, treatment: Treatment, document: Document<'_>) -> BankReading {
        let text = |pointer: &Option<Pointer>| {
            pointer.as_ref().and_then(|pointer| kept(document.at(pointer)))
        };
        let code = text(&self.map.code);
        let verdict = match self.verdict(treatment, document, code.as_deref()) {
            Ok(verdict) => verdict,
            Err(fault) => BankVerdict::NotUnderstood(fault),
        };
        let (authorisation, reference) = (text(&self.map.authorisation), text(&self.map.reference));
        BankReading { verdict, authorisation, reference, code }
    }

    fn verdict(
        &self,
        treatment: Treatment,
        document: Document<'_>,
        code: Option<&str>,
    ) -> Checked<BankVerdict> {
        let meaning = match treatment {
            Treatment::Approved => StateMeaning::Approved,
            Treatment::Declined => StateMeaning::Declined,
            Treatment::DeclinedIfMapped => self.mapped_decline(document, code)?,
            Treatment::Read
            | Treatment::NotFound
            | Treatment::NotProcessed
            | Treatment::Unknown => self.state(document)?,
        };
        self.check_echo(document, meaning)?;
        self.check_amount(document, meaning)?;
        Ok(match meaning {
            StateMeaning::Approved => BankVerdict::Approved,
            StateMeaning::Declined => BankVerdict::Declined(self.reason(code)),
            StateMeaning::AwaitingOneTimeKey => {
                BankVerdict::Awaiting(AwaitedStep::OneTimeKey(self.until(document)?))
            }
            StateMeaning::AwaitingRedirect => {
                let url = self.redirect(document)?;
                BankVerdict::Awaiting(AwaitedStep::Redirect(url, self.until(document)?))
            }
            StateMeaning::AwaitingConfirmation => {
                BankVerdict::Awaiting(AwaitedStep::Confirmation(self.until(document)?))
            }
            StateMeaning::Pending => BankVerdict::Pending,
            StateMeaning::NotFound => BankVerdict::NotFound,
        })
    }

    fn state(&self, document: Document<'_>) -> Checked<StateMeaning> {
        let Some((pointer, meanings)) = &self.map.state else {
            let (field, problem) = ("status".to_owned(), AnswerProblem::Silent);
            return Err(AnswerFault { field, problem });
        };
        let word = match document.at(pointer) {
            Found::Scalar(word) => word,
            Found::Nothing => return Err(fault(pointer, AnswerProblem::Missing)),
            Found::NoScalar => return Err(fault(pointer, AnswerProblem::NotAValue)),
        };
        let meaning = meanings.get(word.as_ref()).copied();
        meaning.ok_or_else(|| fault(pointer, AnswerProblem::NotKnown))
    }

    /// A decline, by its state or by its code; anything else under a status of failure is not
    /// believed, least of all an approval.
    fn mapped_decline(&self, document: Document<'_>, code: Option<&str>) -> Checked<StateMeaning> {
        let by_code = code.is_some_and(|code| code != OTHER && self.map.codes.contains_key(code));
        match self.state(document) {
            Ok(StateMeaning::Declined) => Ok(StateMeaning::Declined),
            Ok(StateMeaning::NotFound)
                if self.expected.to == AnswerTo::Request(Operation::Inquire) =>
            {
                Ok(StateMeaning::NotFound)
            }
            Ok(
                StateMeaning::Approved
                | StateMeaning::AwaitingOneTimeKey
                | StateMeaning::AwaitingRedirect
                | StateMeaning::AwaitingConfirmation
                | StateMeaning::Pending
                | StateMeaning::NotFound,
            ) => {
                Err(AnswerFault { field: "status".to_owned(), problem: AnswerProblem::Contradicts })
            }
            Err(_) if by_code => Ok(StateMeaning::Declined),
            Err(fault) => Err(fault),
        }
    }

    /// The reason of a decline by the bank's code.
    fn reason(&self, code: Option<&str>) -> Reason {
        let named = code.and_then(|code| self.map.codes.get(code));
        named.or_else(|| self.map.codes.get(OTHER)).copied().unwrap_or(Reason::CardDeclined)
    }

    /// What the answer repeats of the request must be what was asked; an approval must repeat it.
    fn check_echo(&self, document: Document<'_>, meaning: StateMeaning) -> Checked<()> {
        for ((pointer, _), asked) in self.map.echo.iter().zip(&self.expected.echo) {
            let Some(asked) = asked else { continue };
            match document.at(pointer) {
                Found::Scalar(told) if told == *asked => {}
                Found::Nothing if meaning != StateMeaning::Approved => {}
                Found::Nothing => return Err(fault(pointer, AnswerProblem::Missing)),
                Found::Scalar(_) | Found::NoScalar => {
                    return Err(fault(pointer, AnswerProblem::Contradicts));
                }
            }
        }
        Ok(())
    }

    fn check_amount(&self, document: Document<'_>, meaning: StateMeaning) -> Checked<()> {
        let asked = self.expected.amount;
        let exponent = asked.currency.exponent();
        let amount = self.map.amount.as_ref().map(|(pointer, form)| {
            let places = match form {
                AmountForm::Minor => 0,
                AmountForm::Decimal => exponent,
            };
            let is_asked = move |told: &str| {
                decimal::read(told, Grammar::Mark('.'), places) == Some(asked.minor)
            };
            self.check(document, meaning, pointer, is_asked)
        });
        amount.transpose()?;
        let currency = self.map.currency.as_ref().map(|(pointer, form)| {
            let is_asked = |told: &str| match form {
                CurrencyForm::Letters => told == asked.currency.code(),
                CurrencyForm::Number => told.parse() == Ok(asked.currency.numeric()),
            };
            self.check(document, meaning, pointer, is_asked)
        });
        currency.transpose().map(drop)
    }

    fn check(
        &self,
        document: Document<'_>,
        meaning: StateMeaning,
        pointer: &Pointer,
        is_asked: impl Fn(&str) -> bool,
    ) -> Checked<()> {
        match document.at(pointer) {
            Found::Scalar(told) if is_asked(&told) => Ok(()),
            Found::Scalar(_) | Found::NoScalar => Err(fault(pointer, AnswerProblem::Contradicts)),
            Found::Nothing if meaning == StateMeaning::Approved => {
                Err(fault(pointer, AnswerProblem::Missing))
            }
            Found::Nothing => Ok(()),
        }
    }

    fn redirect(&self, document: Document<'_>) -> Checked<String> {
        let pointer =
            self.map.redirect.as_ref().expect("invariant: a dialect that redirects says where to");
        let Found::Scalar(url) = document.at(pointer) else {
            return Err(fault(pointer, AnswerProblem::Missing));
        };
        let is_fit = url.starts_with("https://")
            && url.len() <= REDIRECT_LEN_MAX
            && url.bytes().all(|byte| byte.is_ascii_graphic());
        if is_fit { Ok(url.into_owned()) } else { Err(fault(pointer, AnswerProblem::NotAValue)) }
    }

    fn until(&self, document: Document<'_>) -> Checked<DeadlineOfStep> {
        let Some((pointer, form)) = &self.map.until else { return Ok(None) };
        match document.at(pointer) {
            Found::Nothing => Ok(None),
            Found::NoScalar => Err(fault(pointer, AnswerProblem::NotAValue)),
            Found::Scalar(text) => match form.read(&text) {
                Some(until) => Ok(Some(until)),
                None => Err(fault(pointer, AnswerProblem::NotAValue)),
            },
        }
    }
}

/// A text of a bank that may be kept and shown; none for one that is too long or not printable.
fn kept(found: Found<'_>) -> Option<String> {
    let Found::Scalar(text) = found else { return None };
    let is_fit =
        text.len() <= KEPT_LEN_MAX && text.bytes().all(|byte| (0x20..=0x7E).contains(&byte));
    (is_fit && !text.is_empty()).then(|| Cow::into_owned(text))
}
