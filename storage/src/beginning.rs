//! Where a journal begins whose oldest segments were removed, and the state behind what was removed.
//!
//! ```text
//! beginning = a snapshot of the state behind the last record that is kept no longer
//! ```
//! It states position, chain hash, the balances of all accounts, and with all their records the
//! payments that were open there. Its checksum is that of a snapshot. A journal that nothing was
//! removed from has no such file and begins with record 1. The file is replaced, durably, before
//! anything it stands for is removed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::journal::{Damage, Head, dir_of, list, sync_dir};
use crate::proof::LedgerProof;
use crate::snapshot::{SnapshotError, parse};
use crate::state::State;

const NAME: &str = "beginning";
const FRESH_NAME: &str = "beginning.tmp";

/// The state behind the last record that was removed, and where that is; the state before the first
/// record where nothing was removed.
///
/// Errors: [`Damage::NoBeginning`] and [`Damage::Beginning`] where the file is missing or changed.
pub(crate) fn load(data: &Path, key_retention: Duration) -> Result<(State, Head), Damage> {
    let bytes = match fs::read(data.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let first = first_segment(data)?;
            if first > 1 {
                return Err(Damage::NoBeginning { first });
            }
            return Ok((State::new(key_retention), Head::ZERO));
        }
        Err(error) => return Err(error.into()),
    };
    parse(&bytes, key_retention).map_err(|source| Damage::Beginning { source: Box::new(source) })
}

/// The same with no look at keys.
pub(crate) fn load_books(data: &Path) -> Result<(State, Head), Damage> {
    load(data, LedgerProof::KEY_RETENTION)
}

/// The last record that was removed; zero where nothing was.
///
/// Errors: as [`load`].
pub(crate) fn head(data: &Path) -> Result<Head, Damage> {
    Ok(load_books(data)?.1)
}

/// Replaces the file, durably.
pub(crate) fn write(data: &Path, head: &Head, state: &State) -> Result<(), SnapshotError> {
    let fresh = data.join(FRESH_NAME);
    let mut file = File::create(&fresh)?;
    file.write_all(&state.image(head))?;
    file.sync_all()?;
    fs::rename(&fresh, data.join(NAME))?;
    Ok(sync_dir(data)?)
}

fn first_segment(data: &Path) -> io::Result<u64> {
    match list(&dir_of(data)) {
        Ok(segments) => Ok(segments.first().copied().unwrap_or(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}
