//! Banks' JSON APIs, each described by a file: a [`JsonDialect`] says how requests are written and
//! answers are read.
//!
//! There is no expression language: templates hold named values ([`placeholder`]), answers are read
//! at JSON Pointers (RFC 6901) through tables. So every file that loads can be carried out, and what a
//! bank answers – whatever it answers – gives a [`BankReading`].
//!
//! - [`JsonDialect::load`] reads a file and reports every mistake in it;
//! - [`JsonDialect::write`] makes the request of an [`Operation`] out of [`BankValues`];
//! - [`JsonDialect::read`] says what an answer means, or what a bank tells by itself, as far as it fits
//!   the [`ExpectedAnswer`].

mod answer;
mod dialect;
mod instant;
mod load;
mod notification;
pub mod placeholder;
mod pointer;
mod raw;
mod status;
mod template;
#[cfg(test)]
mod tests;
mod values;

pub use answer::{
    AnswerFault, AnswerProblem, AwaitedStep, BankReading, BankVerdict, DeadlineOfStep,
    ExpectedAnswer,
};
pub use dialect::{BankRequest, JsonDialect, Operation};
pub use load::DialectMistake;
pub use notification::{BankNotification, NotificationFault};
pub use placeholder::Placeholder;
pub use values::{BankValues, MissingValue};
