//! Answers nobody waits for any more: recorded, counted, never forwarded as an approval.

use std::sync::Arc;
use std::time::Duration;

use codecs::iso8583::cauce87::{ParticipantAnswer, WireKind};
use router::id::Folio;
use router::payment::{Payment, PaymentState};
use router::record::{LateAnswer, Record};
use tokio::sync::Semaphore;

use crate::clock;
use crate::engine::Engine;
use crate::participant::Participant;

/// Late answers being recorded at once; beyond, they are counted and dropped.
static AT_WORK: Semaphore = Semaphore::const_new(256);
/// How long a late answer waits for the outcome it is too late for.
const OUTCOME_WAIT_MAX: Duration = Duration::from_secs(5);

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
    let Ok(permit) = AT_WORK.try_acquire() else {
        metrics::counter!("cauce_late_answers_dropped_total").increment(1);
        return;
    };
    let at = clock::now();
    let owned = Arc::clone(engine);
    engine.tasks.payment(async move {
        let (engine, _permit) = (owned, permit);
        let Ok(Some(payment)) = engine.store.payment_by_folio(folio).await else { return };
        // Given up a moment ago: its outcome is about to be durable.
        let payment = match payment.state {
            PaymentState::Sent => match outcome_of(&engine, payment).await {
                Some(payment) => payment,
                None => return,
            },
            _ => payment,
        };
        let ours = payment.attempt.is_some_and(|attempt| {
            attempt.participant == id
                && attempt.stan == answer.stan
                && attempt.transmitted_at == answer.transmitted_at
        });
        if !ours || !payment.was_given_up() || payment.late_answer.is_some() {
            return;
        }
        let late = LateAnswer { payment: payment.id, at, outcome: answer.outcome(folio) };
        tracing::warn!(payment_id = %payment.id, participant = %id, "late answer recorded");
        if let Err(error) = engine.store.append(Record::LateAnswer(late)).await {
            tracing::warn!(payment_id = %payment.id, %error, "late answer not recorded");
        }
    });
}

async fn outcome_of(engine: &Engine, payment: Payment) -> Option<Payment> {
    let wait = engine.store.outcome_of(payment.id).ok()?;
    tokio::time::timeout(OUTCOME_WAIT_MAX, wait.outcome()).await.ok()?.ok()
}
