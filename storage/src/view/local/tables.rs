//! The tables of the rows: sorted files, each written once, in keyspaces of the embedded store.
//!
//! Keys begin with what grows with time – an id, a folio, a day, a transmission time – so that later
//! files seldom have keys between those of earlier ones, and merging them moves little.

use std::ops::RangeInclusive;

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, Slice};

use super::recent::RecentRows;
use crate::view::{Positions, ViewError};

/// The keyspaces of payments.
pub(super) struct Tables {
    pub by_id: Keyspace,
    pub by_folio: Keyspace,
    pub by_trace: Keyspace,
    pub by_name: Keyspace,
    pub by_biller: Keyspace,
    pub places: Keyspace,
}

/// Which end of a range is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum RangeEnd {
    First,
    Last,
}

impl Tables {
    pub fn open(db: &Database) -> Result<Self, ViewError> {
        let compressed = || {
            let lz4 = CompressionPolicy::all(CompressionType::Lz4);
            KeyspaceCreateOptions::default().data_block_compression_policy(lz4)
        };
        Ok(Self {
            by_id: db.keyspace("by_id", compressed)?,
            by_folio: db.keyspace("by_folio", compressed)?,
            by_trace: db.keyspace("by_trace", compressed)?,
            by_name: db.keyspace("by_name", compressed)?,
            by_biller: db.keyspace("by_biller", compressed)?,
            places: db.keyspace("places", compressed)?,
        })
    }

    /// Writes rows as new files, durably. Should it end half-way, the same rows may be put again.
    pub fn put(&self, rows: &RecentRows) -> Result<(), ViewError> {
        put(&self.places, rows.places.rows(), |offset| offset.to_be_bytes().into())?;
        put(&self.by_id, rows.by_id.rows(), |row| row.to_bytes().into())?;
        put(&self.by_folio, rows.by_folio.rows(), Slice::from)?;
        put(&self.by_trace, rows.by_trace.rows(), |()| Slice::empty())?;
        put(&self.by_name, rows.by_name.rows(), |()| Slice::empty())?;
        put(&self.by_biller, rows.by_biller.rows(), |()| Slice::empty())
    }

    /// Removes rows, durably. Should it end half-way, the same rows may be removed again.
    pub fn remove(&self, rows: &RecentRows) -> Result<(), ViewError> {
        remove(&self.by_id, rows.by_id.rows())?;
        remove(&self.by_folio, rows.by_folio.rows())?;
        remove(&self.by_trace, rows.by_trace.rows())?;
        remove(&self.by_name, rows.by_name.rows())?;
        remove(&self.by_biller, rows.by_biller.rows())?;
        remove(&self.places, rows.places.rows())
    }

    pub fn positions(&self, id: [u8; 16]) -> Result<Option<Positions>, ViewError> {
        let found = self.by_id.get(id)?;
        found.map(|row| Positions::from_bytes(&row).map_err(ViewError::lasting)).transpose()
    }
}

/// Some keys of a range, from the end that is wanted.
pub(super) fn keys<const LEN: usize>(
    keyspace: &Keyspace,
    range: &RangeInclusive<[u8; LEN]>,
    (wanted, limit): (RangeEnd, usize),
) -> Result<Vec<[u8; LEN]>, ViewError> {
    let rows = keyspace.range(range.clone());
    let key = |row: fjall::Guard| -> Result<Option<[u8; LEN]>, ViewError> {
        Ok(row.key()?.as_ref().try_into().ok())
    };
    let found: Result<Vec<Option<[u8; LEN]>>, ViewError> = match wanted {
        RangeEnd::First => rows.take(limit).map(key).collect(),
        RangeEnd::Last => rows.rev().take(limit).map(key).collect(),
    };
    Ok(found?.into_iter().flatten().collect())
}

fn put<K: Into<Slice>, V>(
    keyspace: &Keyspace,
    rows: Vec<(K, V)>,
    row: impl Fn(V) -> Slice,
) -> Result<(), ViewError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut file = keyspace.start_ingestion()?;
    for (key, value) in rows {
        file.write(key, row(value))?;
    }
    Ok(file.finish()?)
}

fn remove<K: AsRef<[u8]>, V>(keyspace: &Keyspace, rows: Vec<(K, V)>) -> Result<(), ViewError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut file = keyspace.start_ingestion()?;
    for (key, _) in rows {
        file.write_tombstone(key.as_ref())?;
    }
    Ok(file.finish()?)
}
