//! A participant changes the key of its authentication codes (0800, DE70 101).
//!
//! The new key lives in memory: after a restart the configured one is in use again, and the
//! participant must send another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use codecs::security::exchange::{KeyLayout, KeyMaterial, KeyMaterialError};
use codecs::security::{
    CheckMethod, CheckValue, KeyError, KeyImport, KeyName, KeyStore, KeyUsage, Parity,
};
use router::reason::Reason;

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
    /// Takes the key of a message in; it is not yet used.
    ///
    /// Errors: [`KeyChangeError`]; nothing has changed then.
    pub fn import(
        &self,
        message_format: &MessageFormat,
        wire: &[u8],
    ) -> Result<CheckValue, KeyChangeError> {
        let content = message_format.dialect().content(wire, self.field).unwrap_or_default();
        let material = content.get(self.skipped_len..).filter(|material| !material.is_empty());
        let material = material.ok_or(KeyChangeError::NoMaterial(self.field))?;
        let material = material.get(..self.layout.content_len()).unwrap_or(material);
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

impl KeyExchange {
    /// Forgets the key before a generation, unless there has been another since.
    fn retire(&self, generation: u32) {
        if self.generation.load(Ordering::Acquire) == generation {
            // Gone already is as good.
            self.keys.retire_previous(&self.key).ok();
        }
    }
}
