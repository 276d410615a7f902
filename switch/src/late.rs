//! Answers nobody waits for any more: recorded, counted, never forwarded as an approval.

use std::sync::Arc;

use codecs::iso8583::cauce87::ParticipantAnswer;
use router::outcome::{Approval, Decline, Outcome};
use router::reason::Reason;
use router::record::{LateAnswer, Record};

use crate::clock;
use crate::engine::Engine;
use crate::participant::Participant;

/// Records a late answer with the payment it names, if that was given up.
pub fn record(engine: &Arc<Engine>, participant: &Participant, answer: ParticipantAnswer) {
    let id = participant.id();
    metrics::counter!("cauce_unmatched_answers_total", "participant" => id.to_string())
        .increment(1);
    if answer.is_reversal {
        return;
    }
    let Some(folio) = answer.rrn else { return };
    let at = clock::now();
    let owned = Arc::clone(engine);
    engine.tasks.payment(async move {
        let engine = owned;
        let Ok(Some(payment)) = engine.store.payment_by_folio(folio).await else { return };
        let ours = payment.attempt.is_some_and(|attempt| {
            attempt.participant == id
                && attempt.stan == answer.stan
                && attempt.transmitted_at == answer.transmitted_at
        });
        if !ours || !payment.was_given_up() {
            return;
        }
        let late = LateAnswer { payment: payment.id, at, outcome: meaning(&answer) };
        tracing::warn!(payment_id = %payment.id, participant = %id, "late answer recorded");
        if let Err(error) = engine.store.append(Record::LateAnswer(late)).await {
            tracing::warn!(payment_id = %payment.id, %error, "late answer not recorded");
        }
    });
}

fn meaning(answer: &ParticipantAnswer) -> Outcome {
    match Reason::from_response_code(answer.de39) {
        Reason::Approved => Outcome::Approved(Approval {
            authorisation: answer.authorisation,
            bank_reference: answer.bank_reference,
        }),
        reason => Outcome::Declined(Decline { reason, network_code: Some(answer.de39) }),
    }
}
