//! What an answer to a payment comes to, in time or late: the one place where a contradiction, a
//! part of an approval or an unknown response code is counted and logged.

use router::id::{Folio, ParticipantId, PaymentId};
use router::outcome::{Cause, Outcome};

use super::in_flight::MatchedAnswer;

/// The data element of the amount.
const AMOUNT: u8 = 4;

/// The payment that an answer is about.
#[derive(Debug, Clone, Copy)]
pub struct AnsweredPayment {
    /// The payment.
    pub payment: PaymentId,
    /// Its number for people.
    pub folio: Folio,
    /// The participant that answered.
    pub participant: ParticipantId,
}

/// The outcome that an answer tells.
///
/// An answer that disagrees with its request leaves the outcome unknown, whatever its response code:
/// an approval may be one of something else, a decline may be that of another payment.
pub fn of(heard: &MatchedAnswer, about: &AnsweredPayment) -> Outcome {
    let AnsweredPayment { payment, folio, participant } = about;
    let code = heard.answer.de39.escape_ascii();
    // A part of the amount is what a partial approval says.
    let is_of_part = heard.contradicts == Some(AMOUNT) && heard.answer.de39 == *b"10";
    if let Some(field) = heard.contradicts.filter(|_| !is_of_part) {
        metrics::counter!("cauce_answers_contradicting_total",
            "participant" => participant.to_string(), "field" => field.to_string())
        .increment(1);
        tracing::warn!(payment_id = %payment, %participant, field, response_code = %code,
            "answer contradicts its request; the outcome is unknown");
        return Outcome::Unknown(Cause::ContradictsRequest);
    }
    if !heard.answer.has_known_code() {
        metrics::counter!("cauce_response_codes_unknown_total",
            "participant" => participant.to_string())
        .increment(1);
        tracing::warn!(payment_id = %payment, %participant, response_code = %code,
            "response code is not in the catalogue; told as a decline with that code");
    }
    let outcome = heard.answer.outcome(*folio);
    if outcome == Outcome::Unknown(Cause::PartialApproval) {
        metrics::counter!("cauce_partial_approvals_total",
            "participant" => participant.to_string())
        .increment(1);
        tracing::warn!(payment_id = %payment, %participant,
            "partial approval, which was not asked for; the outcome is unknown");
    }
    outcome
}
