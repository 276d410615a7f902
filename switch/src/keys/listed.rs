//! A key as it may be shown, and how it is named.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use router::time::Timestamp;

use super::{Hash, KeyHolder, PREFIX, Role, hash_of};
use crate::clock;

const ID_PREFIX: &str = "key_";
/// Bytes of a key's hash that name it.
const ID_LEN: usize = 8;

/// One key as it may be shown: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    pub(super) hash: Hash,
    /// What its holder may do.
    pub role: Role,
    /// Whose it is.
    pub owner: Box<str>,
    /// When it was made, RFC 3339.
    pub created_at: Box<str>,
    /// When it ends, where another took its place.
    pub ends_at: Option<Timestamp>,
}

/// How a key is named on the command line: by its id, or by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// Not how a key is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key's id is expected, as `cauce key list` shows it: key_ and 16 hexadecimal digits")]
pub struct NotAKeyName;

/// When a key ends that another takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKeyEnd {
    /// At once.
    Now,
    /// After a time, in which both keys count.
    After(Duration),
}

/// A key in the place of another.
#[derive(Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The new key; nobody is told again.
    pub key: String,
    /// The new key as it is listed.
    pub new: ListedKey,
    /// The old one.
    pub old: ListedKey,
}

impl ListedKey {
    pub(super) fn new(hash: Hash, role: Role, owner: &str) -> Self {
        let created_at = clock::now().to_string().into();
        Self { hash, role, owner: owner.into(), created_at, ends_at: None }
    }

    /// What names it: `key_` and the first 16 digits of its hash, which tell nothing of the key.
    pub fn id(&self) -> String {
        id_of(&self.hash)
    }

    /// Whether it is the key of a name.
    pub fn is_named(&self, name: &KeyName) -> bool {
        name.is_of(&self.hash)
    }

    pub(super) fn principal(&self) -> KeyHolder {
        KeyHolder { role: self.role, owner: self.owner.to_string() }
    }

    pub(super) fn counts_at(&self, now: Timestamp) -> bool {
        counts(self.ends_at, now)
    }

    /// The same, but with an end: the earlier of two.
    pub(crate) fn ending(self, at: Timestamp) -> Self {
        let ends_at = self.ends_at.map_or(at, |before| before.min(at));
        Self { ends_at: Some(ends_at), ..self }
    }

    /// Whole seconds until it ends.
    pub(super) fn seconds_left(&self, now: Timestamp) -> Option<u32> {
        let micros = self.ends_at?.0.saturating_sub(now.0).max(0);
        Some(u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX))
    }
}

/// The bytes of a hash that name its key.
pub(super) fn short_id(hash: &Hash) -> [u8; ID_LEN] {
    let mut id = [0; ID_LEN];
    id.copy_from_slice(&hash[..ID_LEN]);
    id
}

/// What names a key, from the key itself.
pub fn id_of_key(key: &str) -> String {
    id_of(&hash_of(key))
}

fn id_of(hash: &Hash) -> String {
    format!("{ID_PREFIX}{}", hex::encode(&hash[..ID_LEN]))
}

impl KeyName {
    pub(super) fn is_of(&self, hash: &Hash) -> bool {
        self.0 == id_of(hash)
    }
}

impl FromStr for KeyName {
    type Err = NotAKeyName;

    fn from_str(text: &str) -> Result<Self, NotAKeyName> {
        if text.starts_with(PREFIX) {
            return Ok(Self(id_of(&hash_of(text))));
        }
        let digits = text.strip_prefix(ID_PREFIX).ok_or(NotAKeyName)?;
        let is_whole = digits.len() == 2 * ID_LEN && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if is_whole { Ok(Self(text.to_ascii_lowercase())) } else { Err(NotAKeyName) }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OldKeyEnd {
    /// The moment, seen from now: in whole milliseconds, as it is written down.
    pub(super) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::After(time) => {
                let whole = now.plus_micros(-now.0.rem_euclid(1000));
                whole.plus_micros(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }
}

/// Whether a key with such an end counts now.
pub(super) fn counts(ends_at: Option<Timestamp>, now: Timestamp) -> bool {
    ends_at.is_none_or(|ends_at| now < ends_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_id_or_by_itself() {
        let key = ListedKey::new(hash_of("ck_one"), Role::Biller, "one");
        let id = key.id();
        for text in [id.as_str(), "ck_one", &id.to_uppercase().replace("KEY_", "key_")] {
            assert!(text.parse::<KeyName>().expect("a name").is_of(&key.hash), "{text}");
        }
        assert!(!"ck_two".parse::<KeyName>().expect("a name").is_of(&key.hash));
        for text in ["", "key_", "key_12", "one", "key_0123456789abcdeg"] {
            assert_eq!(text.parse::<KeyName>(), Err(NotAKeyName), "{text}");
        }
    }
}
