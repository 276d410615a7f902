//! Answers that met no open request: which payment each is about, and whether it is of it.
//!
//! What bounds the work is the participant's number of places, [`Iso8583Participant::late_place`].

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use codecs::iso8583::cauce87::{self, ParticipantAnswer, Repeat};
use router::exchange::{AttemptRef, RequestTrace, Undo};
use router::id::Folio;
use router::message::Acceptor;
use router::payment::Payment;
use storage::StoreError;

use crate::adapter::iso8583::Iso8583Participant;
use crate::adapter::iso8583::in_flight::MatchedAnswer;
use crate::adapter::iso8583::verdict::{self, AnsweredPayment};
use crate::engine::Engine;
use crate::late;
use crate::sealed;

/// An answer that met no open request.
#[derive(Debug, Clone)]
pub struct UnmatchedAnswer {
    /// What it says.
    pub answer: ParticipantAnswer,
    /// The message, in the switch's own format.
    pub bytes: Bytes,
}

/// Records a late answer with the payment it is about, if it tells something new, and has the
/// payment reversed where that is owed: tried until it is done, at the latest until the switch ends.
///
/// Not cancel-safe: a dropped call may leave the answer unrecorded.
pub async fn record(
    engine: &Arc<Engine>,
    participant: &Iso8583Participant,
    unmatched: UnmatchedAnswer,
) {
    let mut pauses = late::RecordingPauses::new();
    while let Err(error) = take(engine, participant, &unmatched).await {
        if !pauses.wait(engine, participant.id(), &error).await {
            return;
        }
    }
}

/// Errors: the journal's, when it is not known whether the answer is recorded.
async fn take(
    engine: &Engine,
    participant: &Iso8583Participant,
    unmatched: &UnmatchedAnswer,
) -> Result<(), StoreError> {
    let answer = &unmatched.answer;
    let Some((payment, trace)) = find(engine, participant, answer).await? else {
        warn_of_unknown(participant, answer);
        return Ok(());
    };
    let (folio, payment) = (payment.folio, late::concluded(engine, payment).await?);
    let participant_id = participant.id();
    let about = AnsweredPayment { payment: payment.id, folio, participant: participant_id };
    let contradicts = contradiction(engine, participant, (&payment, &trace), &unmatched.bytes);
    let outcome = verdict::of(&MatchedAnswer { answer: unmatched.answer, contradicts }, &about);
    late::record(engine, participant_id, &payment, outcome).await
}

/// The payment that an answer is about, and the request that it answers.
async fn find(
    engine: &Engine,
    participant: &Iso8583Participant,
    answer: &ParticipantAnswer,
) -> Result<Option<(Payment, RequestTrace)>, StoreError> {
    let Some(folio) = folio_of(participant, answer) else { return Ok(None) };
    let Some(payment) = engine.store.payment_by_folio(folio).await? else { return Ok(None) };
    let attempt = payment.attempt.filter(|attempt| attempt.participant == participant.id());
    let trace = attempt.and_then(|attempt| attempt.reference.trace());
    let trace = trace.filter(|trace| is_of(trace, folio, answer));
    Ok(trace.map(|trace| (payment, trace)))
}

/// An answer to no request that is known. An approval among them is for an operator to look at.
fn warn_of_unknown(participant: &Iso8583Participant, answer: &ParticipantAnswer) {
    if answer.de39 == *b"00" {
        tracing::warn!(participant = participant.id().as_str(), stan = %answer.stan,
            "approval of no request that is known");
    }
}

/// The folio of the payment that an answer is about: by its request, where that is remembered, else by the folio
/// that it repeats.
fn folio_of(participant: &Iso8583Participant, answer: &ParticipantAnswer) -> Option<Folio> {
    let past = participant.past().find(answer.stan, &answer.transmitted_at);
    past.map(|past| past.folio).or_else(|| answer.rrn.as_str().parse().ok())
}

/// Whether an answer is to this request: by its time, or, from a participant that does not repeat
/// DE7, by the folio.
fn is_of(trace: &RequestTrace, folio: Folio, answer: &ParticipantAnswer) -> bool {
    let is_of_request = match answer.transmitted_at.is_empty() {
        false => answer.transmitted_at == trace.transmitted_at,
        true => answer.rrn.as_str().parse() == Ok(folio),
    };
    trace.stan == answer.stan && is_of_request
}

/// The first data element in which a late answer disagrees with its request, as far as the records
/// still tell what was asked.
fn contradiction(
    engine: &Engine,
    participant: &Iso8583Participant,
    (payment, trace): (&Payment, &RequestTrace),
    answer: &Bytes,
) -> Option<u8> {
    let card = sealed::card(&engine.sealer, payment).flatten();
    let kept = sealed::request(&engine.sealer, payment)?;
    let undo = Undo {
        payment: payment.id,
        folio: payment.folio,
        request: &kept,
        total: payment.total,
        business_date: payment.business_date,
        original: AttemptRef::Trace(*trace),
        card: card.as_ref(),
        stands_minor: None,
        repeat: Repeat::First,
        has_arrived: true,
        approval: None,
    };
    let speaker = participant.speaker();
    // What the participant's entry says of the acceptor may have changed since: not compared.
    let asking = speaker.asking(Repeat::First, Acceptor::default());
    let write = |out: &mut BytesMut| cauce87::original_request(&undo, trace, asking, out);
    let request = speaker.message(write).ok()?;
    let wire = cauce87::read(answer).ok()?;
    cauce87::contradiction(&request, &wire, answer)
}
