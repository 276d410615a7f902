//! A participant changes the key of its authentication codes while its lines are open.
//!
//! What came is kept sealed, so that the key is in use again after a restart: see `session_keys`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use codecs::security::CheckValue;
use router::id::ParticipantId;

use crate::adapter::iso8583::Iso8583Participant;
use crate::engine::Engine;
use crate::line_rules::key_exchange::KeyExchange;

/// Puts the key that was taken in to use, and forgets the one before when nothing under it can be
/// on its way any more.
pub fn activate(engine: &Engine, exchange: &Arc<KeyExchange>) {
    let generation = match exchange.keys.activate(&exchange.key) {
        Ok(generation) => generation.0,
        Err(error) => {
            tracing::error!(%error, "a key that was taken in cannot be used");
            return;
        }
    };
    exchange.generation.store(generation, Ordering::Release);
    let (exchange, ending) = (Arc::clone(exchange), engine.tasks.stages().ending.clone());
    engine.tasks.service("previous key", async move {
        tokio::select! {
            () = ending.cancelled() => {}
            () = tokio::time::sleep(exchange.previous_kept) => exchange.retire(generation),
        }
    });
}

/// Keeps what a participant sent to change its key, over a restart. One that cannot be kept counts
/// until the switch stops, and is told of.
pub async fn keep(
    engine: &Arc<Engine>,
    participant: ParticipantId,
    exchange: &Arc<KeyExchange>,
    material: Vec<u8>,
) {
    let (engine, exchange) = (Arc::clone(engine), Arc::clone(exchange));
    let write = move || {
        let changed = (&exchange.key, &exchange.configured);
        engine.session_keys.keep(participant, changed, &material)
    };
    let kept = tokio::task::spawn_blocking(write).await;
    let kept = kept.unwrap_or_else(|error| Err(std::io::Error::other(error).into()));
    if let Err(error) = kept {
        let error = storage::with_causes(&error);
        tracing::error!(%participant, %error, "a session key is not kept: it ends with this process");
    }
}

/// Puts the keys that were kept of participants in use again, before their lines are opened. Blocks
/// for a small file.
pub fn restore<'a>(
    engine: &Engine,
    participants: impl Iterator<Item = &'a Arc<Iso8583Participant>>,
) {
    for participant in participants {
        let Some(exchange) = &participant.config.key_exchange else { continue };
        let (participant, key) = (participant.id(), exchange.key);
        match restored(engine, participant, exchange) {
            Ok(None) => {}
            Ok(Some(check_value)) => {
                activate(engine, exchange);
                tracing::info!(%participant, %key, %check_value, "session key in use again");
            }
            Err(error) => {
                let error = storage::with_causes(&*error);
                tracing::warn!(%participant, %key, %error,
                    "its session key is lost: the configured key is in use until it sends another (0800, DE70 101)");
            }
        }
    }
}

/// The check value of a key that was kept and is taken in again.
fn restored(
    engine: &Engine,
    participant: ParticipantId,
    exchange: &KeyExchange,
) -> Result<Option<CheckValue>, Box<dyn std::error::Error>> {
    match engine.session_keys.kept(participant, (&exchange.key, &exchange.configured))? {
        Some(material) => Ok(Some(exchange.take_in(&material)?)),
        None => Ok(None),
    }
}
