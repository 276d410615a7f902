//! Answers nobody waits for any more: recorded, counted, never forwarded as an approval.
//!
//! A late approval means that money may have moved, so none is lost: where the journal gives no
//! answer, recording it is tried again until the switch stops. What a participant's late answer is
//! about, its adapter finds out.

use std::time::Duration;

use router::id::ParticipantId;
use router::outcome::Outcome;
use router::payment::{OutcomeKind, Payment, PaymentState};
use router::record::{LateAnswer, Record};
use storage::{Backoff, StoreError};

use crate::clock;
use crate::engine::Engine;

/// How long a late answer waits for the outcome it is too late for, before it looks again.
const OUTCOME_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pauses between two tries to record an answer.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Counts an answer that met no open request, here or at another node.
pub fn count(participant: ParticipantId) {
    let id = participant.to_string();
    metrics::counter!("cauce_unmatched_answers_total", "participant" => id).increment(1);
}

/// The pauses between two tries to record a late answer.
#[derive(Debug)]
pub struct RecordingPauses(Backoff);

impl RecordingPauses {
    /// Before the first pause.
    pub fn new() -> Self {
        Self(Backoff::between(PAUSE_MIN, PAUSE_MAX))
    }

    /// Waits after a try that failed; false where the switch ends. Cancel-safe.
    pub async fn wait(
        &mut self,
        engine: &Engine,
        participant: ParticipantId,
        error: &StoreError,
    ) -> bool {
        tracing::warn!(%participant, error = %storage::with_causes(error),
            "a late answer is not recorded yet");
        let ending = &engine.tasks.stages().ending;
        tokio::select! {
            () = ending.cancelled() => return false,
            () = tokio::time::sleep(self.0.pause()) => {}
        }
        true
    }
}

impl Default for RecordingPauses {
    fn default() -> Self {
        Self::new()
    }
}

/// Records what a late answer of a participant says of a payment, if it tells something new, and has
/// the payment reversed where that is owed.
///
/// Errors: the journal's, when it is not known whether the answer is recorded.
pub async fn record(
    engine: &Engine,
    participant: ParticipantId,
    payment: &Payment,
    outcome: Outcome,
) -> Result<(), StoreError> {
    if !payment.is_news(&outcome) {
        return Ok(());
    }
    let (id, name) = (payment.id, OutcomeKind::of(&outcome).name());
    let late = LateAnswer { payment: id, at: clock::now(), outcome };
    let appended = engine.store.append(Record::LateAnswer(late)).await?;
    let owes_reversal = appended.effects.owes_reversal;
    metrics::counter!("cauce_late_answers_total",
        "participant" => participant.to_string(), "outcome" => name)
    .increment(1);
    tracing::warn!(payment_id = %id, participant = participant.as_str(), outcome = name,
        state = payment.state.name(), owes_reversal, "late answer recorded");
    if owes_reversal {
        engine.owed.push(id);
    }
    Ok(())
}

/// The payment with its outcome. One given up a moment ago is about to have it; where that takes
/// long, the payment as it stands, behind which no late answer can be recorded yet.
///
/// Errors: the journal's. Cancel-safe: it only reads.
pub async fn concluded(engine: &Engine, payment: Payment) -> Result<Payment, StoreError> {
    if payment.state != PaymentState::Sent {
        return Ok(payment);
    }
    let wait = engine.store.outcome_of(payment.id)?;
    match tokio::time::timeout(OUTCOME_WAIT_MAX, wait.outcome()).await {
        Ok(concluded) => concluded,
        Err(_) => engine.store.payment(payment.id).await.map(|known| known.unwrap_or(payment)),
    }
}
