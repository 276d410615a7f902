//! What a bank with a JSON API tells by itself is recorded with the payment it is about.

use crate::adapter::json::JsonParticipant;
use crate::adapter::json::notification::{Believed, NotTakenIn};
use crate::engine::Engine;
use crate::{late, waiting};

/// Takes in a notification whose signature is right: what it says of its payment is recorded, once.
///
/// Errors: [`NotTakenIn`]. Cancel-safe: a dropped call either recorded it or did not.
pub async fn take(
    engine: &Engine,
    participant: &JsonParticipant,
    believed: Believed,
    body: &[u8],
) -> Result<(), NotTakenIn> {
    if participant.was_taken_in(believed) {
        return Ok(());
    }
    record(engine, participant, body).await?;
    participant.note_taken_in(believed)
}

async fn record(
    engine: &Engine,
    participant: &JsonParticipant,
    body: &[u8],
) -> Result<(), NotTakenIn> {
    let id = participant.notified_payment(body)?;
    let payment = engine.store.payment(id).await?;
    let payment = payment.filter(|payment| participant.was_asked(payment));
    let payment = payment.ok_or_else(|| participant.names_no_payment(Some(id)))?;
    let payment = late::concluded(engine, payment).await?;
    match participant.told(&payment, body)? {
        // What was awaited has come.
        Some(told) if waiting::is_waiting(&payment) => {
            waiting::conclude(engine, &payment, told).await?;
        }
        Some(told) => late::record(engine, participant.id(), &payment, told).await?,
        None => {}
    }
    Ok(())
}
