//! What an answer comes to: the one place where one that says nothing is counted and logged.

use codecs::json_bank::{AnswerFault, AnswerProblem, BankReading, BankVerdict};
use router::exchange::{NoAnswer, NotSent};
use router::id::ParticipantId;
use router::outcome::{Approval, Cause, Decline, Outcome};
use router::text::Text;

use crate::outbound::{HttpError, MaybeSentCause};

/// The outcome of a payment that an answer to it tells.
///
/// Errors: the participant guarantees that it did nothing.
pub(super) fn of(reading: &BankReading) -> Result<Outcome, NoAnswer> {
    Ok(match &reading.verdict {
        BankVerdict::Approved => Outcome::Approved(approval(reading)),
        BankVerdict::Declined(reason) => {
            let network_code = network_code(reading);
            Outcome::Declined(Decline { reason: *reason, network_code })
        }
        BankVerdict::NotProcessed => return Err(NoAnswer::NotSent(NotSent::NotTaken)),
        BankVerdict::NotUnderstood(fault) => Outcome::Unknown(cause(fault)),
        // It is not over there, and nothing of the switch can go on with it.
        BankVerdict::Awaiting(_) | BankVerdict::Pending | BankVerdict::NotFound => {
            Outcome::Unknown(Cause::BadAnswer)
        }
    })
}

pub(super) fn cause(fault: &AnswerFault) -> Cause {
    match fault.problem {
        AnswerProblem::Contradicts => Cause::ContradictsRequest,
        AnswerProblem::Silent
        | AnswerProblem::NotJson
        | AnswerProblem::Missing
        | AnswerProblem::NotKnown
        | AnswerProblem::NotAValue => Cause::BadAnswer,
    }
}

/// The name in metrics of an answer that did not come whole, and what it leaves the payment to be.
pub(super) fn of_no_answer(cause: MaybeSentCause) -> (&'static str, Cause) {
    match cause {
        MaybeSentCause::Timeout => ("timeout", Cause::Timeout),
        MaybeSentCause::Broken => ("broken", Cause::LineLost),
        MaybeSentCause::TooLong => ("too_long", Cause::BadAnswer),
    }
}

/// The part of an exchange that failed, as the log names it.
pub(super) fn field_of(error: &HttpError) -> &'static str {
    match error {
        HttpError::NotSent { .. } => "request",
        HttpError::MaybeSent { cause: MaybeSentCause::TooLong, .. } => "body",
        HttpError::MaybeSent {
            cause: MaybeSentCause::Timeout | MaybeSentCause::Broken, ..
        } => "answer",
    }
}

/// What is kept of an approval. A text that is longer than the journal has room for is left out: the
/// participant knows the payment by our reference too.
pub(super) fn approval(reading: &BankReading) -> Approval {
    let authorisation = reading.authorisation.as_deref().and_then(|it| Text::new(it).ok());
    let bank_reference = reading.reference.as_deref().and_then(|it| Text::new(it).ok());
    Approval {
        authorisation: authorisation.unwrap_or_default(),
        bank_reference: bank_reference.unwrap_or_default(),
    }
}

/// The participant's own code, where it has the form of a response code.
pub(super) fn network_code(reading: &BankReading) -> Option<[u8; 2]> {
    reading.code.as_deref()?.as_bytes().try_into().ok()
}

/// Counts and logs an answer that says nothing, by participant and field.
pub(super) fn tell_not_understood(
    participant: ParticipantId,
    operation: &'static str,
    about: &str,
    status: u16,
    fault: &AnswerFault,
) {
    count_not_understood(participant, operation, fault.problem.name());
    tracing::warn!(%participant, payment_id = about, operation, status, field = fault.field,
        problem = %fault.problem, "answer says nothing that can be believed");
}

/// Counts an answer that says nothing.
pub(super) fn count_not_understood(
    participant: ParticipantId,
    operation: &'static str,
    problem: &'static str,
) {
    metrics::counter!("cauce_json_answers_not_understood_total",
        "participant" => participant.to_string(), "operation" => operation, "problem" => problem)
    .increment(1);
}

/// Counts a message whose signature is not believed.
pub(super) fn count_not_believed(
    participant: ParticipantId,
    message: &'static str,
    why: &'static str,
) {
    metrics::counter!("cauce_json_signatures_refused_total",
        "participant" => participant.to_string(), "message" => message, "why" => why)
    .increment(1);
}
