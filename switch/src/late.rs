//! Answers nobody waits for any more: recorded, counted, never forwarded as an approval.
//!
//! A late approval means that money may have moved, so none is lost: where the journal gives no
//! answer, recording it is tried again until the switch stops. What bounds the work is the
//! participant's number of places, [`Participant::late_place`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use codecs::iso8583::cauce87::{self, ParticipantAnswer, Repeat};
use router::id::Folio;
use router::payment::{Payment, PaymentState};
use router::record::{Attempt, LateAnswer, Record};
use storage::StoreError;

use crate::clock;
use crate::engine::Engine;
use crate::participant::Participant;
use crate::participant::in_flight::MatchedAnswer;
use crate::reversal::{card_of, request_of};
use crate::verdict;

/// How long a late answer waits for the outcome it is too late for, before it looks again.
const OUTCOME_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pauses between two tries to record an answer.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// An answer that met no open request.
#[derive(Debug, Clone)]
pub struct UnmatchedAnswer {
    /// What it says.
    pub answer: ParticipantAnswer,
    /// The message, in the switch's own format.
    pub bytes: Bytes,
}

/// Counts an answer that met no open request, here or at another node.
pub fn count(participant: &Participant) {
    let id = participant.id().to_string();
    metrics::counter!("cauce_unmatched_answers_total", "participant" => id).increment(1);
}

/// Records a late answer with the payment it is about, if it tells something new, and has the
/// payment reversed where that is owed. Ends at the latest when the switch does.
///
/// Not cancel-safe: a dropped call may leave the answer unrecorded.
pub async fn record(engine: &Arc<Engine>, participant: &Participant, unmatched: UnmatchedAnswer) {
    let ending = engine.tasks.stages().ending.clone();
    let mut pause = PAUSE_MIN;
    loop {
        let Err(error) = take(engine, participant, &unmatched).await else { return };
        let participant = participant.id();
        tracing::warn!(%participant, error = %storage::with_causes(&error),
            "a late answer is not recorded yet");
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Errors: the journal's, when it is not known whether the answer is recorded.
async fn take(
    engine: &Engine,
    participant: &Participant,
    unmatched: &UnmatchedAnswer,
) -> Result<(), StoreError> {
    let answer = &unmatched.answer;
    let Some((payment, attempt)) = find(engine, participant, answer).await? else {
        warn_of_unknown(participant, answer);
        return Ok(());
    };
    let (folio, payment) = (payment.folio, concluded(engine, payment).await?);
    let about =
        verdict::AnsweredPayment { payment: payment.id, folio, participant: attempt.participant };
    let contradicts = contradiction(engine, &payment, &attempt, &unmatched.bytes);
    let outcome = verdict::of(&MatchedAnswer { answer: unmatched.answer, contradicts }, &about);
    if !payment.is_news(&outcome) {
        return Ok(());
    }
    let (id, name) = (payment.id, router::payment::OutcomeKind::of(&outcome).name());
    let late = LateAnswer { payment: id, at: clock::now(), outcome };
    let appended = engine.store.append(Record::LateAnswer(late)).await?;
    let owes_reversal = appended.effects.owes_reversal;
    metrics::counter!("cauce_late_answers_total",
        "participant" => participant.id().to_string(), "outcome" => name)
    .increment(1);
    tracing::warn!(payment_id = %id, participant = participant.id().as_str(), outcome = name,
        state = payment.state.name(), owes_reversal, "late answer recorded");
    if owes_reversal {
        engine.owed.push(id);
    }
    Ok(())
}

/// The payment that an answer is about, and the request that it answers.
async fn find(
    engine: &Engine,
    participant: &Participant,
    answer: &ParticipantAnswer,
) -> Result<Option<(Payment, Attempt)>, StoreError> {
    let Some(folio) = folio_of(participant, answer) else { return Ok(None) };
    let Some(payment) = engine.store.payment_by_folio(folio).await? else { return Ok(None) };
    let is_of = |attempt: &Attempt| is_of(participant, attempt, folio, answer);
    let attempt = payment.attempt.filter(is_of);
    Ok(attempt.map(|attempt| (payment, attempt)))
}

/// An answer to no request that is known. An approval among them is for an operator to look at.
fn warn_of_unknown(participant: &Participant, answer: &ParticipantAnswer) {
    if answer.de39 == *b"00" {
        tracing::warn!(participant = participant.id().as_str(), stan = %answer.stan,
            "approval of no request that is known");
    }
}

/// The folio of the payment that an answer is about: by its request, where that is remembered, else by the folio
/// that it repeats.
fn folio_of(participant: &Participant, answer: &ParticipantAnswer) -> Option<Folio> {
    let past = participant.past().find(answer.stan, &answer.transmitted_at);
    past.map(|past| past.folio).or_else(|| answer.rrn.as_str().parse().ok())
}

/// Whether an answer is to this attempt: by its time, or, from a participant that does not repeat
/// DE7, by the folio.
fn is_of(
    participant: &Participant,
    attempt: &Attempt,
    folio: Folio,
    answer: &ParticipantAnswer,
) -> bool {
    let is_of_request = match answer.transmitted_at.is_empty() {
        false => answer.transmitted_at == attempt.transmitted_at,
        true => answer.rrn.as_str().parse() == Ok(folio),
    };
    attempt.participant == participant.id() && attempt.stan == answer.stan && is_of_request
}

/// The payment with its outcome. One given up a moment ago is about to have it; where that takes
/// long, the payment as it stands, behind which no late answer can be recorded yet.
async fn concluded(engine: &Engine, payment: Payment) -> Result<Payment, StoreError> {
    if payment.state != PaymentState::Sent {
        return Ok(payment);
    }
    let wait = engine.store.outcome_of(payment.id)?;
    match tokio::time::timeout(OUTCOME_WAIT_MAX, wait.outcome()).await {
        Ok(concluded) => concluded,
        Err(_) => engine.store.payment(payment.id).await.map(|known| known.unwrap_or(payment)),
    }
}

/// The first data element in which a late answer disagrees with its request, as far as the records
/// still tell what was asked.
fn contradiction(
    engine: &Engine,
    payment: &Payment,
    attempt: &Attempt,
    answer: &Bytes,
) -> Option<u8> {
    let card = card_of(engine, payment).flatten();
    let kept = request_of(engine, payment)?;
    let advice = cauce87::ReversalAdvice {
        folio: payment.folio,
        request: &kept,
        business_date: payment.business_date,
        original: attempt,
        card: card.as_ref(),
        stan: attempt.stan,
        transmitted_at: attempt.transmitted_at,
        stands_minor: None,
    };
    let asking = engine.asking(Repeat::First);
    let request = engine.message(|out| cauce87::original_request(&advice, asking, out)).ok()?;
    let wire = cauce87::read(answer).ok()?;
    cauce87::contradiction(&request, &wire, answer)
}
