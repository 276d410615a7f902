//! The keys that seal card numbers and secrets, from the configuration.

use std::io::{self, Write};
use std::path::Path;

use storage::seal::{SealError, Sealer, SealingKey};
use zeroize::Zeroizing;

use crate::config::{KeySource, SealConfig};
use crate::keys::private_append;

/// Name and file of the key that is made where none is configured.
const LOCAL_KEY_NAME: &str = "local-1";
const LOCAL_KEY_FILE: &str = "seal-local-1.key";

/// Why there is no sealer. Never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key's file cannot be read or written.
    #[error("sealing key `{name}`: its file cannot be used")]
    File {
        /// The key's name.
        name: String,
        /// What is wrong.
        source: io::Error,
    },
    /// Not 64 hexadecimal digits.
    #[error("sealing key `{name}` is not 64 hexadecimal digits")]
    Digits {
        /// The key's name.
        name: String,
    },
    /// The keys do not go together.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The sealer of the configuration; with no key configured, one is made beside the data.
///
/// Errors: [`KeyError`].
pub fn sealer(config: &SealConfig, dir: &Path) -> Result<Sealer, KeyError> {
    let mut keys = Vec::new();
    for (name, source) in &config.keys {
        keys.push(key(name, &digits_of(name, source)?)?);
    }
    let active = match &config.active {
        Some(active) => active.clone(),
        None => {
            keys.push(local_key(dir)?);
            LOCAL_KEY_NAME.to_owned()
        }
    };
    Ok(Sealer::new(&active, keys)?)
}

/// The digits of a configured key.
///
/// Errors: [`KeyError::File`].
pub(crate) fn digits_of(name: &str, source: &KeySource) -> Result<Zeroizing<String>, KeyError> {
    match source {
        KeySource::Inline(digits) => Ok(Zeroizing::new(digits.clone())),
        KeySource::File(path) => read(name, path),
    }
}

fn local_key(dir: &Path) -> Result<SealingKey, KeyError> {
    let path = dir.join(LOCAL_KEY_FILE);
    let file = |source| KeyError::File { name: LOCAL_KEY_NAME.to_owned(), source };
    if !path.exists() {
        std::fs::create_dir_all(dir).map_err(file)?;
        let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
        let mut out = private_append(&path).map_err(file)?;
        out.write_all(Zeroizing::new(hex::encode(*bytes)).as_bytes()).map_err(file)?;
        out.sync_all().map_err(file)?;
        tracing::warn!(
            path = %path.display(),
            "no sealing key is configured: made one beside the data it protects; set [seal] in production"
        );
    }
    key(LOCAL_KEY_NAME, &read(LOCAL_KEY_NAME, &path)?)
}

fn read(name: &str, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let file = |source| KeyError::File { name: name.to_owned(), source };
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(file)
}

fn key(name: &str, digits: &str) -> Result<SealingKey, KeyError> {
    Ok(SealingKey { name: name.into(), bytes: hex_key(name, digits)? })
}

/// The 32 bytes that 64 hexadecimal digits stand for.
///
/// Errors: [`KeyError::Digits`].
pub(crate) fn hex_key(name: &str, digits: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits.trim(), bytes.as_mut_slice())
        .map_err(|_| KeyError::Digits { name: name.to_owned() })?;
    Ok(bytes)
}
