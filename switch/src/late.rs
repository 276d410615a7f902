//! Answers nobody waits for any more: recorded, counted, never forwarded as an approval.

use std::sync::Arc;

use codecs::iso8583::cauce87::{ParticipantAnswer, WireKind};
use router::id::Folio;
use router::record::{LateAnswer, Record};

use crate::clock;
use crate::engine::Engine;
use crate::participant::Participant;

/// Records a late answer with the payment it names, if that was given up.
pub fn record(
    engine: &Arc<Engine>,
    participant: &Participant,
    kind: WireKind,
    answer: ParticipantAnswer,
) {
    let id = participant.id();
    metrics::counter!("cauce_unmatched_answers_total", "participant" => id.to_string())
        .increment(1);
    if kind != WireKind::PaymentAnswer {
        return;
    }
    let Ok(folio) = answer.rrn.as_str().parse::<Folio>() else { return };
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
        let late = LateAnswer { payment: payment.id, at, outcome: answer.outcome(folio) };
        tracing::warn!(payment_id = %payment.id, participant = %id, "late answer recorded");
        if let Err(error) = engine.store.append(Record::LateAnswer(late)).await {
            tracing::warn!(payment_id = %payment.id, %error, "late answer not recorded");
        }
    });
}
