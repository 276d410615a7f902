//! API keys managed by a running switch, which says at once what a command would.
//!
//! Of many nodes all know a key that one makes: it goes to the common table. On one machine it goes
//! to the folder's file.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use router::id::BillerId;
use router::time::Timestamp;
use storage_cql::CqlError;
use tokio_util::sync::CancellationToken;

use super::{KeyName, Keys, ListedKey, OldKeyEnd, Role, Rotated, file, hash_of, new_key, table};

/// Longest name of a key's owner, in bytes.
pub const OWNER_LEN_MAX: usize = 64;
/// Pause between two writes of the last uses.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Why the keys cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The file of the data folder.
    #[error("the file of API keys cannot be used")]
    File(#[from] io::Error),
    /// The table that all nodes share.
    #[error("the table of API keys cannot be used")]
    Table(#[from] CqlError),
}

/// Why a key is not for an owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// It is no name.
    #[error("an owner is a name of 1 to {OWNER_LEN_MAX} printable characters")]
    NoName,
    /// There is no such biller.
    #[error("there is no such biller")]
    NoBiller,
}

/// A key that was made.
#[derive(Debug)]
pub struct NewKey {
    /// The key; nobody is told again.
    pub key: String,
    /// The same as it is listed.
    pub listed: ListedKey,
}

/// Holds the owner of a key against what may own one.
///
/// Errors: it is no name; or the key is a biller's and `serves` knows no such biller.
pub fn checked_owner(
    role: Role,
    owner: &str,
    serves: impl FnOnce(&BillerId) -> bool,
) -> Result<(), OwnerError> {
    let is_printable = owner.chars().all(|letter| !letter.is_control());
    if owner.trim().is_empty() || owner.len() > OWNER_LEN_MAX || !is_printable {
        return Err(OwnerError::NoName);
    }
    match role {
        Role::Operator | Role::Admin => Ok(()),
        Role::Biller => {
            let served = BillerId::new(owner).ok().filter(serves);
            served.map(drop).ok_or(OwnerError::NoBiller)
        }
    }
}

impl Keys {
    /// Every key that counts, the oldest first: those of this node's folder, and the common ones.
    pub async fn listed(self: &Arc<Self>) -> Result<Vec<ListedKey>, KeyStoreError> {
        self.blocking(|keys| {
            let mut listed = file::list(&keys.dir)?.keys;
            if let Some(common) = &keys.table {
                listed.extend(table::list(common)?);
            }
            listed.sort_by(|one, other| {
                (&one.created_at, one.hash).cmp(&(&other.created_at, other.hash))
            });
            Ok(listed)
        })
        .await
    }

    /// When a key was last used, as far as this node knows.
    pub fn last_use(&self, key: &ListedKey) -> Option<Timestamp> {
        self.uses.of(&key.hash)
    }

    /// Makes a key. Not cancel-safe: a key may be made that nobody is told.
    pub async fn make(
        self: &Arc<Self>,
        role: Role,
        owner: &str,
        ends_at: Option<Timestamp>,
    ) -> Result<NewKey, KeyStoreError> {
        let key = new_key();
        let listed = ListedKey { ends_at, ..ListedKey::new(hash_of(&key), role, owner) };
        let made = listed.clone();
        self.blocking(move |keys| match &keys.table {
            Some(common) => Ok(table::add(common, &made)?),
            None => Ok(file::add(&keys.dir, made)?),
        })
        .await?;
        Ok(NewKey { key, listed })
    }

    /// Removes a key; none where there is none of this name. Dropping the call may leave it removed.
    pub async fn end(self: &Arc<Self>, name: KeyName) -> Result<Option<ListedKey>, KeyStoreError> {
        self.blocking(move |keys| match (file::revoke(&keys.dir, &name)?, &keys.table) {
            (None, Some(common)) => Ok(table::revoke(common, &name)?),
            (revoked, _) => Ok(revoked),
        })
        .await
    }

    /// Makes a key in the place of another; none where there is none of this name. Not cancel-safe.
    pub async fn replace(
        self: &Arc<Self>,
        name: KeyName,
        ends: OldKeyEnd,
    ) -> Result<Option<Rotated>, KeyStoreError> {
        self.blocking(move |keys| match (file::rotate(&keys.dir, &name, ends)?, &keys.table) {
            (None, Some(common)) => Ok(table::rotate(common, &name, ends)?),
            (rotated, _) => Ok(rotated),
        })
        .await
    }

    /// Writes down the last uses now and then, and at the end. Run as a task.
    pub async fn save_uses(self: Arc<Self>, ending: CancellationToken) {
        loop {
            let is_end = tokio::select! {
                () = ending.cancelled() => true,
                () = tokio::time::sleep(SAVE_EVERY) => false,
            };
            if let Err(error) = self.blocking(|keys| Ok(keys.uses.save()?)).await {
                let error = storage::with_causes(&error);
                tracing::warn!(%error, "the last uses of API keys were not written down");
            }
            if is_end {
                return;
            }
        }
    }

    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, KeyStoreError> + Send + 'static,
    ) -> Result<T, KeyStoreError> {
        let keys = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&keys)).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_biller_s_key_is_for_a_biller_that_is_served_and_others_need_a_name() {
        let serves = |biller: &BillerId| biller.as_str() == "shop-1";
        let check = |role, owner: &str, expect| {
            assert_eq!(checked_owner(role, owner, serves), expect, "{role} {owner:?}");
        };
        check(Role::Biller, "shop-1", Ok(()));
        check(Role::Biller, "shop-2", Err(OwnerError::NoBiller));
        check(Role::Biller, "an id that is much too long", Err(OwnerError::NoBiller));
        for role in [Role::Biller, Role::Operator, Role::Admin] {
            for owner in ["", " ", "a\nb", &"x".repeat(65)] {
                check(role, owner, Err(OwnerError::NoName));
            }
        }
        check(Role::Operator, "desk 1", Ok(()));
        check(Role::Admin, "María", Ok(()));
    }
}
