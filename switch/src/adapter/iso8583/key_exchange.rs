//! A participant changes the key of its authentication codes (0800, DE70 101).
//!
//! What came is kept sealed, so that the key is in use again after a restart: see `session_keys`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use codecs::security::exchange::{KeyLayout, KeyMaterial, KeyMaterialError};
use codecs::security::{
    CheckMethod, CheckValue, KeyError, KeyImport, KeyName, KeyStore, KeyUsage, Parity,
};
use router::id::ParticipantId;
use router::reason::Reason;

use super::Iso8583Participant;
use super::message_format::MessageFormat;
use crate::engine::Engine;

/// Where a new key stands in a message, and under which key it comes.
pub struct KeyExchange {
    /// Holds both keys.
    pub keys: Arc<dyn KeyStore>,
    /// The key that changes.
    pub key: KeyName,
    /// The key-encrypting key.
    pub under: KeyName,
    /// The data element it comes in.
    pub field: u8,
    /// Characters or bytes of the field in front of it.
    pub skipped_len: usize,
    /// What it looks like.
    pub layout: KeyLayout,
    /// How its check value is made.
    pub check_method: CheckMethod,
    /// Whether its parity bits must be right.
    pub parity: Parity,
    /// By which the key shows as it is configured.
    pub configured: CheckValue,
    /// How long messages under the old key are taken.
    pub previous_kept: Duration,
    /// The generation in use, where it was changed.
    pub generation: AtomicU32,
}

impl std::fmt::Debug for KeyExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} under {:?} in field {}", self.key, self.under, self.field)
    }
}

/// Why a key is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyChangeError {
    /// The field is not there, or shorter than what stands in front of the key.
    #[error("field {0} holds no key")]
    NoMaterial(u8),
    /// What stands there is no key material.
    #[error("what came is no key")]
    Material(#[from] KeyMaterialError),
    /// The key cannot be used.
    #[error("the key cannot be used")]
    Key(#[from] KeyError),
}

impl KeyChangeError {
    /// The name used in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoMaterial(_) => "no_material",
            Self::Material(error) => error.name(),
            Self::Key(error) => error.kind.name(),
        }
    }

    /// What the participant is told.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NoMaterial(_) | Self::Material(_) => Reason::FormatError,
            Self::Key(_) => Reason::OperatorUnauthorised,
        }
    }
}

impl KeyExchange {
    /// The part of a message that is the new key, still encrypted.
    ///
    /// Errors: [`KeyChangeError::NoMaterial`].
    pub fn material(
        &self,
        message_format: &MessageFormat,
        wire: &[u8],
    ) -> Result<Vec<u8>, KeyChangeError> {
        let content = message_format.dialect().content(wire, self.field).unwrap_or_default();
        let material = content.get(self.skipped_len..).filter(|material| !material.is_empty());
        let material = material.ok_or(KeyChangeError::NoMaterial(self.field))?;
        Ok(material.get(..self.layout.content_len()).unwrap_or(material).to_vec())
    }

    /// Takes a new key in; it is not yet used.
    ///
    /// Errors: [`KeyChangeError`]; nothing has changed then.
    pub fn take_in(&self, material: &[u8]) -> Result<CheckValue, KeyChangeError> {
        let material = KeyMaterial::parse(&self.layout, material)?;
        Ok(self.keys.import_key(&KeyImport {
            key: &self.key,
            usage: KeyUsage::Mac,
            algorithm: self.layout.algorithm,
            under: &self.under,
            wrap: self.layout.wrap,
            cryptogram: material.cryptogram(),
            check_method: self.check_method,
            check_value: material.check_value(),
            parity: self.parity,
        })?)
    }
}

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

impl KeyExchange {
    /// Forgets the key before a generation, unless there has been another since.
    fn retire(&self, generation: u32) {
        if self.generation.load(Ordering::Acquire) == generation {
            // Gone already is as good.
            self.keys.retire_previous(&self.key).ok();
        }
    }
}
