//! API keys: shown once when made, kept only as a SHA-256.
//!
//! They live in `<data>/api-keys.jsonl`, one line a key, so that `cauce key create` works beside a
//! running switch, which looks at the file again when it meets a key it does not know. A key has
//! 256 random bits, so a plain hash of it cannot be searched. Of many nodes all know a key that one
//! of them was told: there the hashes stand in a table of the journal's servers (`common`), whose
//! word a node believes for some seconds.

mod common;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage_cql::CqlError;
use storage_cql::api_keys::{ApiKeyRow, ApiKeys};

use self::common::Common;
use crate::clock;

const FILE_NAME: &str = "api-keys.jsonl";
const PREFIX: &str = "ck_";

/// What a key's holder may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Role {
    /// A merchant: its own payments and endpoints.
    Biller,
    /// A person or tool of the switch's owner: everything, read only.
    Operator,
}

/// Who holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What it may do.
    pub role: Role,
    /// Whose it is: a biller's id, an operator's name.
    pub owner: String,
}

/// One line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sha256: String,
    role: Role,
    owner: String,
    created_at: String,
}

/// Whether a key is known cannot be said now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the API keys cannot be looked at now")]
pub struct NoWord;

/// Known keys by their hash.
type Known = HashMap<[u8; 32], Principal>;

/// The keys of one data folder, and of the cluster it belongs to.
#[derive(Debug)]
pub struct Keys {
    path: PathBuf,
    known: ArcSwap<Known>,
    len_read: AtomicU64,
    common: Option<Common>,
}

impl Keys {
    /// The keys of a data folder; none when it has no file yet.
    ///
    /// Errors: when the file is there and cannot be read.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE_NAME);
        let known = read(&path)?;
        Ok(Self {
            path,
            known: ArcSwap::from_pointee(known),
            len_read: AtomicU64::new(0),
            common: None,
        })
    }

    /// With those that all nodes of a cluster know.
    pub fn with_common(self, common: ApiKeys) -> Self {
        Self { common: Some(Common::new(move |hash| common.find(hash))), ..self }
    }

    /// Whose key this is. Cancel-safe.
    ///
    /// Errors: the key is not known here, and the servers that might know it do not answer.
    pub async fn principal(&self, key: &str) -> Result<Option<Principal>, NoWord> {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        if let Some(principal) = self.known.load().get(&hash) {
            return Ok(Some(principal.clone()));
        }
        let is_common = self.common.as_ref().is_some_and(|common| common.knew(&hash));
        if !is_common {
            self.look_again();
        }
        match self.known.load().get(&hash) {
            Some(principal) => Ok(Some(principal.clone())),
            None => match &self.common {
                Some(common) => common.principal(hash, Instant::now()).await,
                None => Ok(None),
            },
        }
    }

    /// Reads the file again if it has grown; an unknown key costs a look at its length.
    fn look_again(&self) {
        let len = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if self.len_read.swap(len, Ordering::AcqRel) == len {
            return;
        }
        match read(&self.path) {
            Ok(known) => self.known.store(known.into()),
            Err(error) => tracing::warn!(%error, "the file of API keys cannot be read"),
        }
    }
}

/// A key nobody has.
fn new_key() -> String {
    let random: [u8; 32] = rand::random();
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// Makes a key that all nodes of a cluster know, and gives it – this once. Blocks.
///
/// Errors: when its hash may not be kept.
pub fn create_common(common: &ApiKeys, role: Role, owner: &str) -> Result<String, CqlError> {
    let key = new_key();
    let value = clap::ValueEnum::to_possible_value(&role);
    common.put(&ApiKeyRow {
        sha256: Sha256::digest(key.as_bytes()).into(),
        role: value.expect("invariant: each role has a name").get_name().into(),
        owner: owner.into(),
        created_at: clock::now().to_string().into(),
    })?;
    Ok(key)
}

/// Makes a key, notes its hash in the data folder, and gives it – this once.
///
/// Errors: when the folder or file cannot be written.
pub fn create(dir: &Path, role: Role, owner: &str) -> io::Result<String> {
    std::fs::create_dir_all(dir)?;
    let key = new_key();
    let line = Line {
        sha256: hex::encode(Sha256::digest(key.as_bytes())),
        role,
        owner: owner.to_owned(),
        created_at: clock::now().to_string(),
    };
    let mut file = private_append(&dir.join(FILE_NAME))?;
    let mut text = serde_json::to_string(&line).map_err(io::Error::other)?;
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    Ok(key)
}

/// Opens a file for appending that only its owner may read.
pub fn private_append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn read(path: &Path) -> io::Result<Known> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Known::new()),
        Err(error) => return Err(error),
    };
    let mut known = Known::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let bad = |why: String| io::Error::other(format!("{FILE_NAME} line {}: {why}", number + 1));
        let line: Line = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        let mut hash = [0; 32];
        hex::decode_to_slice(&line.sha256, &mut hash).map_err(|error| bad(error.to_string()))?;
        known.insert(hash, Principal { role: line.role, owner: line.owner });
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_made_beside_a_running_switch_is_known_at_its_first_use() {
        let dir = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(dir.path()).expect("no file yet");
        let key = create(dir.path(), Role::Biller, "isp-ve").expect("a key");
        let principal = Principal { role: Role::Biller, owner: "isp-ve".to_owned() };
        assert_eq!(keys.principal(&key).await, Ok(Some(principal)));
        assert_eq!(keys.principal("ck_guess").await, Ok(None));
        let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).expect("the file");
        assert!(!text.contains(&key));
    }
}
