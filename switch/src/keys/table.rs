//! Commands on the keys that all nodes of a cluster know. All of them block.

use clap::ValueEnum as _;
use router::time::Timestamp;
use storage_cql::CqlError;
use storage_cql::api_keys::{ApiKeyRow, ApiKeys};

use super::{KeyName, ListedKey, OldKeyEnd, Role, Rotated, hash_of, new_key};
use crate::clock;

/// Makes a key that all nodes of a cluster know, and gives it – this once.
///
/// Errors: when its hash may not be kept.
pub fn create(keys: &ApiKeys, role: Role, owner: &str) -> Result<String, CqlError> {
    let key = new_key();
    add(keys, &ListedKey::new(hash_of(&key), role, owner))?;
    Ok(key)
}

/// Notes a key in the table, until it ends.
///
/// Errors: as [`create`].
pub fn add(keys: &ApiKeys, key: &ListedKey) -> Result<(), CqlError> {
    match key.seconds_left(clock::now()) {
        Some(seconds) => keys.put_for(&row(key), seconds),
        None => keys.put(&row(key)),
    }
}

/// All keys, in no order.
///
/// Errors: the table cannot be read.
pub fn list(keys: &ApiKeys) -> Result<Vec<ListedKey>, CqlError> {
    Ok(keys.list()?.into_iter().filter_map(shown).collect())
}

/// Removes a key; every node refuses it a second later. None where there is none of this name.
///
/// Errors: it may be there still.
pub fn revoke(keys: &ApiKeys, name: &KeyName) -> Result<Option<ListedKey>, CqlError> {
    let Some(key) = find(keys, name)? else { return Ok(None) };
    keys.delete(&key.hash)?;
    Ok(Some(key))
}

/// Makes a key in the place of another, which ends now or later.
///
/// Errors: the old key may count on; if the new one was kept, nobody knows it.
pub fn rotate(
    keys: &ApiKeys,
    name: &KeyName,
    ends: OldKeyEnd,
) -> Result<Option<Rotated>, CqlError> {
    let Some(old) = find(keys, name)? else { return Ok(None) };
    let key = create(keys, old.role, &old.owner)?;
    let new = ListedKey::new(hash_of(&key), old.role, &old.owner);
    let now = clock::now();
    let old = old.ending(ends.at(now));
    match old.seconds_left(now).filter(|seconds| *seconds > 0) {
        Some(seconds) => keys.put_for(&row(&old), seconds)?,
        None => keys.delete(&old.hash)?,
    }
    Ok(Some(Rotated { key, new, old }))
}

fn find(keys: &ApiKeys, name: &KeyName) -> Result<Option<ListedKey>, CqlError> {
    Ok(list(keys)?.into_iter().find(|key| name.is_of(&key.hash)))
}

fn row(key: &ListedKey) -> ApiKeyRow {
    ApiKeyRow {
        sha256: key.hash,
        role: key.role.to_string().into(),
        owner: key.owner.clone(),
        created_at: key.created_at.clone(),
        seconds_left: None,
    }
}

/// None where the role is one that only a later version knows.
pub(super) fn shown(row: ApiKeyRow) -> Option<ListedKey> {
    let role = Role::from_str(&row.role, false).ok()?;
    let left = |seconds: u32| clock::now().plus_micros(i64::from(seconds) * 1_000_000);
    let ends_at: Option<Timestamp> = row.seconds_left.map(left);
    Some(ListedKey {
        hash: row.sha256,
        role,
        owner: row.owner,
        created_at: row.created_at,
        ends_at,
    })
}
