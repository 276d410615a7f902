//! What a bank tells by itself.

use super::answer::{AnswerFault, AnswerMap, AnswerProblem, AnswerTo, ExpectedAnswer};
use super::dialect::JsonDialect;
use super::pointer::{Document, Found, Pointer};
use super::values::BankValues;

/// Longest reference that a notification is looked up by.
const ATTEMPT_LEN_MAX: usize = 64;

/// How notifications are read.
#[derive(Debug, Clone)]
pub(super) struct NotificationMap {
    pub attempt: Pointer,
    pub answer: AnswerMap,
}

/// A notification that names a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankNotification {
    /// Our reference of the payment, as the bank repeats it.
    pub attempt: String,
}

/// Why a notification cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotificationFault {
    /// The dialect has no notifications.
    #[error("the participant's dialect has no notifications")]
    None,
    /// It cannot be read.
    #[error(transparent)]
    Answer(#[from] AnswerFault),
}

impl JsonDialect {
    /// Which payment a notification tells of.
    ///
    /// Errors: [`NotificationFault`].
    pub fn notified_payment(&self, body: &[u8]) -> Result<BankNotification, NotificationFault> {
        let map = self.notification.as_ref().ok_or(NotificationFault::None)?;
        let fault = |field: String, problem| AnswerFault { field, problem };
        let document = Document::read(body);
        let document = document.ok_or(fault("body".to_owned(), AnswerProblem::NotJson))?;
        match document.at(&map.attempt) {
            Found::Scalar(attempt) if attempt.len() <= ATTEMPT_LEN_MAX => {
                Ok(BankNotification { attempt: attempt.into_owned() })
            }
            Found::Scalar(_) | Found::NoScalar => {
                Err(fault(map.attempt.to_string(), AnswerProblem::NotAValue).into())
            }
            Found::Nothing => Err(fault(map.attempt.to_string(), AnswerProblem::Missing).into()),
        }
    }

    /// What a notification about a payment with these values must fit; [`JsonDialect::read`] reads it
    /// as an answer of status 200.
    ///
    /// Errors: [`NotificationFault::None`].
    pub fn expect_notification(
        &self,
        values: &BankValues<'_>,
    ) -> Result<ExpectedAnswer, NotificationFault> {
        let map = self.notification.as_ref().ok_or(NotificationFault::None)?;
        Ok(ExpectedAnswer::of(AnswerTo::Nothing, &map.answer, values, &self.constants))
    }
}
