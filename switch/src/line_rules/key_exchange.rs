//! How a participant changes the key of its authentication codes (0800, DE70 101).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use codecs::security::exchange::{KeyLayout, KeyMaterial, KeyMaterialError};
use codecs::security::{
    CheckMethod, CheckValue, KeyError, KeyImport, KeyName, KeyStore, KeyUsage, Parity,
};
use router::reason::Reason;

use super::message_format::MessageFormat;

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

    /// Forgets the key before a generation, unless there has been another since.
    pub fn retire(&self, generation: u32) {
        if self.generation.load(Ordering::Acquire) == generation {
            // Gone already is as good.
            self.keys.retire_previous(&self.key).ok();
        }
    }
}
