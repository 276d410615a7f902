//! A dialect without mistakes, and the requests it makes.

use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderName, HeaderValue, Method};

use super::answer::{AnswerMap, AnswerTo, ExpectedAnswer};
use super::notification::NotificationMap;
use super::placeholder::Placeholder;
use super::status::StatusRules;
use super::template::{BodyTemplate, Escape, TextTemplate};
use super::values::{BankValues, MissingValue};

/// What a bank is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Move the money.
    Start,
    /// Go on with a payment that waits for its payer.
    Confirm,
    /// What became of a payment.
    Inquire,
    /// Undo a payment.
    Reverse,
    /// Give back a part of a payment, or all of it.
    Refund,
}

impl Operation {
    /// Every operation, in the order of a payment's life.
    pub const ALL: [Self; 5] =
        [Self::Start, Self::Confirm, Self::Inquire, Self::Reverse, Self::Refund];

    /// Its name in dialects and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Confirm => "confirm",
            Self::Inquire => "inquire",
            Self::Reverse => "reverse",
            Self::Refund => "refund",
        }
    }
}

/// How a bank's JSON API is spoken: a file under `config/participants/json`, without mistakes.
#[derive(Debug, Clone)]
pub struct JsonDialect {
    pub(super) name: String,
    pub(super) constants: BTreeMap<String, String>,
    pub(super) operations: BTreeMap<Operation, OperationMap>,
    pub(super) notification: Option<NotificationMap>,
}

/// One operation of a dialect.
#[derive(Debug, Clone)]
pub(super) struct OperationMap {
    pub method: Method,
    pub path: TextTemplate,
    pub headers: Vec<(HeaderName, TextTemplate)>,
    pub body: Option<BodyTemplate>,
    pub on: StatusRules,
    pub answer: AnswerMap,
}

/// A request that is ready to be sent to the participant's address.
pub struct BankRequest {
    /// The method.
    pub method: Method,
    /// Path and query, behind the participant's address.
    pub path: String,
    /// The dialect's headers; `content-type` among them where there is a body.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The JSON; none for a request without a body. It may hold a card number or a one-time key.
    pub body: Option<Vec<u8>>,
    /// What its answer must fit.
    pub expected: ExpectedAnswer,
}

impl fmt::Debug for BankRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body_len = self.body.as_ref().map_or(0, Vec::len);
        write!(f, "{} {} with {body_len} bytes", self.method, self.path)
    }
}

impl JsonDialect {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the bank offers an operation.
    pub fn has(&self, operation: Operation) -> bool {
        self.operations.contains_key(&operation)
    }

    /// Whether a part of a payment can be reversed: the bank is told what is to stand. Of one that is
    /// told what is given back nobody knows how much that was, where its answer did not come.
    pub fn reverses_parts(&self) -> bool {
        let body = self.operations.get(&Operation::Reverse).and_then(|it| it.body.as_ref());
        body.is_some_and(|body| body.values().into_iter().any(Placeholder::says_what_stands))
    }

    /// Whether the bank tells of payments by itself.
    pub fn has_notification(&self) -> bool {
        self.notification.is_some()
    }

    /// The request of an operation.
    ///
    /// Errors: [`MissingValue`] when the payment lacks something that the bank needs, so that nothing
    ///         can be sent. None where the bank does not offer the operation.
    pub fn write(
        &self,
        operation: Operation,
        values: &BankValues<'_>,
    ) -> Option<Result<BankRequest, MissingValue>> {
        let map = self.operations.get(&operation)?;
        let expected =
            ExpectedAnswer::of(AnswerTo::Request(operation), &map.answer, values, &self.constants);
        Some(map.write(values, &self.constants, expected))
    }
}

impl OperationMap {
    fn write(
        &self,
        values: &BankValues<'_>,
        constants: &BTreeMap<String, String>,
        expected: ExpectedAnswer,
    ) -> Result<BankRequest, MissingValue> {
        let mut headers = Vec::with_capacity(self.headers.len() + 1);
        for (name, template) in &self.headers {
            let value = template.write(values, constants, Escape::None)?;
            // A value with characters that no header takes is one that the bank cannot be sent.
            let value = HeaderValue::from_str(&value).map_err(|_| {
                let placeholder = template.values().next().cloned();
                MissingValue(placeholder.expect("invariant: literals of headers were checked"))
            })?;
            headers.push((name.clone(), value));
        }
        let mut body = None;
        if let Some(template) = &self.body {
            let mut json = String::new();
            template.write(values, constants, &mut json)?;
            body = Some(json.into_bytes());
            let json = HeaderValue::from_static("application/json");
            headers.push((http::header::CONTENT_TYPE, json));
        }
        let path = self.path.write(values, constants, Escape::Path)?;
        Ok(BankRequest { method: self.method.clone(), path, headers, body, expected })
    }
}
