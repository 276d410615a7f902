//! API keys: shown once when made, kept only as a SHA-256.
//!
//! They live in `<data>/api-keys.jsonl`, one line a key (`file`), so that `cauce key` works beside
//! a running switch. The switch looks at the file's stamp at each request, one system call, and
//! reads the file again where it has changed: a key that is revoked there is dead at the next
//! request. A key has 256 random bits, so a plain hash of it cannot be searched. Of many
//! nodes all know a key that one of them was told: there the hashes stand in a table of the
//! journal's servers (`table`), whose word a node believes for a second (`common`).

pub mod billers;
mod common;
mod file;
mod listed;
mod managed;
mod stamp;
mod table;
mod uses;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, io};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use router::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage_cql::api_keys::ApiKeys;
use tokio::sync::Mutex;

use self::common::CachedKeyTable;
use self::listed::counts;
use self::stamp::{Stamp, StampReading};
use self::uses::Uses;
use crate::clock;

pub use self::file::{Fault, Listed, create, list, revoke, rotate};
pub use self::listed::{KeyName, ListedKey, NotAKeyName, OldKeyEnd, Rotated, id_of_key};
pub use self::managed::{KeyStoreError, NewKey, OwnerError, checked_owner};
pub use self::table::{
    create as create_common, list as list_common, revoke as revoke_common, rotate as rotate_common,
};

const PREFIX: &str = "ck_";
/// SHA-256 of a key.
type Hash = [u8; 32];

/// What a key's holder may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Role {
    /// A merchant: its own payments and endpoints.
    Biller,
    /// A person or tool of the switch's owner: everything, read only.
    Operator,
    /// Who looks after API keys: makes and ends them, and sees nothing else.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Biller => "biller",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// Who holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    /// What it may do.
    pub role: Role,
    /// Whose it is: a biller's id, an operator's name.
    pub owner: String,
}

/// The key is not known here, and the table or file that may have it cannot be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the API keys cannot be read now")]
pub struct KeyTableUnavailable;

/// The keys of a file by their hashes, each with the time it ends.
type Known = HashMap<Hash, (KeyHolder, Option<Timestamp>)>;

/// The keys of one data folder, and of the cluster it belongs to.
#[derive(Debug)]
pub struct Keys {
    dir: PathBuf,
    read: ArcSwap<Read>,
    /// Held while the file is read, so that it is read once a change.
    reading: Mutex<()>,
    common: Option<CachedKeyTable>,
    /// The table itself, for changes.
    table: Option<ApiKeys>,
    uses: Uses,
}

/// The file as it was last read.
#[derive(Debug)]
struct Read {
    looked: StampReading,
    /// None while the file cannot be read: a key of it may have been revoked.
    known: Option<Known>,
}

impl Keys {
    /// The keys of a data folder; none when it has no file yet. Lines that cannot be read are
    /// logged, and the others count. Blocks.
    ///
    /// Errors: when the file is there and cannot be read.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let stamp = Stamp::of(&file::path_of(dir))?;
        let known = Some(known(&list(dir)?));
        let read = Read { looked: StampReading::first(stamp, Instant::now()), known };
        let (dir, read) = (dir.to_owned(), ArcSwap::from_pointee(read));
        let uses = Uses::read(&dir);
        Ok(Self { dir, read, reading: Mutex::new(()), common: None, table: None, uses })
    }

    /// Warns of each biller that this folder has a key for and that is not served: such a key is
    /// refused, and was perhaps made with a slip in its owner's name before the first start.
    pub fn warn_of_unserved(&self, is_served: impl Fn(&str) -> bool) {
        let read = self.read.load();
        let principals = read.known.iter().flatten().map(|(_, (principal, _))| principal);
        let billers = principals.filter(|principal| principal.role == Role::Biller);
        let owners: BTreeSet<&str> = billers.map(|principal| principal.owner.as_str()).collect();
        for owner in owners.into_iter().filter(|owner| !is_served(owner)) {
            tracing::warn!(owner, "an API key belongs to no biller of the configuration");
        }
    }

    /// The same, and the keys of the table that all nodes of a cluster share.
    pub fn with_common(self, common: ApiKeys) -> Self {
        let table = Some(common.clone());
        Self { common: Some(CachedKeyTable::new(move |hash| common.find(hash))), table, ..self }
    }

    /// Whose key this is. Cancel-safe.
    ///
    /// Errors: the key is not known here, and the servers that might know it do not answer; or the
    /// file cannot be read.
    pub async fn principal(&self, key: &str) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        let hash = hash_of(key);
        let holder = self.holder(hash).await?;
        if holder.is_some() {
            self.uses.note(&hash, clock::now());
        }
        Ok(holder)
    }

    async fn holder(&self, hash: Hash) -> Result<Option<KeyHolder>, KeyTableUnavailable> {
        let read = self.as_it_is_now().await;
        if let Some((principal, ends_at)) = read.known.as_ref().and_then(|known| known.get(&hash))
            && counts(*ends_at, clock::now())
        {
            return Ok(Some(principal.clone()));
        }
        let common = match &self.common {
            Some(common) => common.principal(hash, Instant::now()).await?,
            None => None,
        };
        if common.is_none() && read.known.is_none() { Err(KeyTableUnavailable) } else { Ok(common) }
    }

    /// What the file says, read again if it has changed. Cancel-safe.
    async fn as_it_is_now(&self) -> Arc<Read> {
        let path = file::path_of(&self.dir);
        let is_now = |read: &Read, stamp: &io::Result<Option<Stamp>>| match stamp {
            Ok(stamp) => read.known.is_some() && read.looked.is_still(*stamp, Instant::now()),
            Err(_) => false,
        };
        let read = self.read.load_full();
        if is_now(&read, &Stamp::of(&path)) {
            return read;
        }
        let _reading = self.reading.lock().await;
        // Another request may have read it meanwhile.
        let (read, stamp) = (self.read.load_full(), Stamp::of(&path));
        if is_now(&read, &stamp) {
            return read;
        }
        let dir = self.dir.clone();
        let listed = tokio::task::spawn_blocking(move || list(&dir)).await;
        let listed = listed.unwrap_or_else(|error| Err(io::Error::other(error)));
        let again = Arc::new(read.again(stamp, listed));
        self.read.store(Arc::clone(&again));
        again
    }
}

impl Read {
    /// What is known after another look. Logs what was not known before.
    fn again(&self, stamp: io::Result<Option<Stamp>>, listed: io::Result<Listed>) -> Self {
        match stamp.and_then(|stamp| Ok((stamp, listed?))) {
            Ok((stamp, listed)) => {
                let looked = self.looked.again(stamp, Instant::now());
                let known = if looked.is_news() || self.known.is_none() {
                    known(&listed)
                } else {
                    by_hash(&listed)
                };
                Self { looked, known: Some(known) }
            }
            Err(error) => {
                if self.known.is_some() {
                    tracing::error!(error = %storage::with_causes(&error), "the file of API keys cannot be read; its keys are refused until it can");
                }
                Self { looked: self.looked, known: None }
            }
        }
    }
}

/// The keys of a file; tells what could not be read of it.
fn known(listed: &Listed) -> Known {
    for fault in &listed.faults {
        tracing::warn!(%fault, "an API key cannot be read");
    }
    by_hash(listed)
}

fn by_hash(listed: &Listed) -> Known {
    let entry = |key: &ListedKey| (key.hash, (key.principal(), key.ends_at));
    listed.keys.iter().map(entry).collect()
}

/// A key nobody has.
fn new_key() -> String {
    let random: [u8; 32] = rand::random();
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

fn hash_of(key: &str) -> Hash {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn owner(keys: &Keys, key: &str) -> Option<String> {
        let principal = keys.principal(key).await.expect("a word");
        principal.map(|principal| principal.owner)
    }

    #[tokio::test]
    async fn a_key_made_beside_a_running_switch_is_known_at_its_first_use() {
        let dir = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(dir.path()).expect("no file yet");
        let key = create(dir.path(), Role::Biller, "isp-ve").expect("a key");
        let principal = KeyHolder { role: Role::Biller, owner: "isp-ve".to_owned() };
        assert_eq!(keys.principal(&key).await, Ok(Some(principal)));
        assert_eq!(keys.principal("ck_guess").await, Ok(None));
        let text = std::fs::read_to_string(file::path_of(dir.path())).expect("the file");
        assert!(!text.contains(&key));
    }

    #[tokio::test]
    async fn a_revoked_key_is_dead_at_the_next_request() {
        let dir = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(dir.path()).expect("no file yet");
        let one = create(dir.path(), Role::Biller, "one").expect("a key");
        let two = create(dir.path(), Role::Biller, "two").expect("a key");
        assert_eq!(owner(&keys, &one).await.as_deref(), Some("one"));
        let name = one.parse().expect("a name");
        revoke(dir.path(), &name).expect("written").expect("a key");
        assert_eq!(owner(&keys, &one).await, None);
        assert_eq!(owner(&keys, &two).await.as_deref(), Some("two"));
        let rotated = rotate(dir.path(), &two.parse().expect("a name"), OldKeyEnd::Now);
        let rotated = rotated.expect("written").expect("a key");
        assert_eq!(owner(&keys, &two).await, None);
        assert_eq!(owner(&keys, &rotated.key).await.as_deref(), Some("two"));
        std::fs::remove_file(file::path_of(dir.path())).expect("removed");
        assert_eq!(owner(&keys, &rotated.key).await, None);
    }

    #[tokio::test]
    async fn a_key_whose_line_was_removed_by_hand_is_dead_and_one_put_back_counts() {
        let dir = tempfile::tempdir().expect("a folder");
        let (one, two) = (
            create(dir.path(), Role::Biller, "one").expect("a key"),
            create(dir.path(), Role::Biller, "two").expect("a key"),
        );
        let keys = Keys::open(dir.path()).expect("the file");
        let path = file::path_of(dir.path());
        let whole = std::fs::read_to_string(&path).expect("the file");
        let second: String = whole.lines().skip(1).map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, second).expect("written");
        assert_eq!(owner(&keys, &one).await, None);
        assert_eq!(owner(&keys, &two).await.as_deref(), Some("two"));
        std::fs::write(&path, whole).expect("written");
        assert_eq!(owner(&keys, &one).await.as_deref(), Some("one"));
    }

    #[tokio::test]
    async fn a_key_that_was_rotated_counts_until_its_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(dir.path()).expect("no file yet");
        let old = create(dir.path(), Role::Biller, "one").expect("a key");
        let name = old.parse().expect("a name");
        let hour = OldKeyEnd::After(Duration::from_secs(3600));
        let rotated = rotate(dir.path(), &name, hour).expect("written").expect("a key");
        assert_eq!(owner(&keys, &old).await.as_deref(), Some("one"));
        assert_eq!(owner(&keys, &rotated.key).await.as_deref(), Some("one"));
        // The clock passes its end: the file says it ended a second ago.
        let path = file::path_of(dir.path());
        let text = std::fs::read_to_string(&path).expect("the file");
        let (then, past) = (rotated.old.ends_at.expect("an end"), clock::now());
        let past = past.plus_micros(-1_000_000);
        std::fs::write(&path, text.replace(&then.to_string(), &past.to_string())).expect("written");
        assert_eq!(owner(&keys, &old).await, None);
        assert_eq!(owner(&keys, &rotated.key).await.as_deref(), Some("one"));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_refuses_its_keys_until_it_can_and_says_why() {
        let dir = tempfile::tempdir().expect("a folder");
        let key = create(dir.path(), Role::Biller, "one").expect("a key");
        let keys = Keys::open(dir.path()).expect("the file");
        let (path, aside) = (file::path_of(dir.path()), dir.path().join("aside"));
        std::fs::rename(&path, &aside).expect("moved");
        std::fs::create_dir(&path).expect("a folder in its place");
        assert_eq!(keys.principal(&key).await, Err(KeyTableUnavailable));
        std::fs::remove_dir(&path).expect("removed");
        std::fs::rename(&aside, &path).expect("moved back");
        assert_eq!(owner(&keys, &key).await.as_deref(), Some("one"));
    }
}
