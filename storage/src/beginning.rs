//! Where a journal begins whose oldest segments were removed, and the state behind what was removed.
//!
//! ```text
//! beginning = magic, version, payments that ended, state, checksum
//!   magic                 8 bytes, "CAUCEB\r\n"
//!   version               u64; the layout of what follows it
//!   payments that ended   u64 count; each an id (u128) and its records (a history)
//!   state                 position, chain hash, the balances of all accounts, and with all their
//!                         records the payments that are open behind the last record removed
//!   checksum              u32, crc32c of everything before it
//! ```
//! A journal that nothing was removed from has no such file and begins with record 1. The file is
//! replaced, durably, before anything it stands for is removed. The payments that ended are those
//! whose first records were removed by an earlier removal and whose last one is removed by this one:
//! no record that is left tells what their look-ups are.
//!
//! # Versions
//! A snapshot of another version is passed over, and the journal is read from further back. Nothing
//! stands further back than this file, so its version is its own, and a build reads the file of every
//! version that was released. A version's reader stays as it is once the version was released: where
//! the layout of the state changes after that, the present version becomes one more, and the reader
//! of the version before keeps the layout that it had. `storage/testdata/beginnings` holds a file of
//! every version, and the tests read each.
//!
//! | version | released with | reader of its state |
//! |---|---|---|
//! | 1 | the first release | [`crate::snapshot::read_state`] |

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use router::id::PaymentId;

use crate::history::History;
use crate::journal::{Damage, Head, dir_of, list, sync_dir};
use crate::packing::{Reader, put_blob, put_u64, put_u128};
use crate::proof::LedgerProof;
use crate::state::State;
use crate::state_image::{SnapshotError, put_state, read_state};

const NAME: &str = "beginning";
const FRESH_NAME: &str = "beginning.tmp";
const MAGIC: &[u8; 8] = b"CAUCEB\r\n";
/// The version that is written.
const VERSION: u64 = 1;

/// What the file says.
pub(crate) struct Beginning {
    /// The state behind the last record that was removed.
    pub state: State,
    /// That record; zero where nothing was removed.
    pub head: Head,
    /// The payments whose last records were removed last, with all their records.
    pub ended: Vec<(PaymentId, History)>,
}

/// What the file of a data folder says; the state before the first record where nothing was removed.
///
/// Errors: [`Damage::NoBeginning`] and [`Damage::Beginning`] where the file is missing, was changed,
/// or is of a version that this build does not know.
pub(crate) fn read(data: &Path, key_retention: Duration) -> Result<Beginning, Damage> {
    let bytes = match fs::read(data.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let first = first_segment(data)?;
            if first > 1 {
                return Err(Damage::NoBeginning { first });
            }
            let (state, ended) = (State::new(key_retention), Vec::new());
            return Ok(Beginning { state, head: Head::ZERO, ended });
        }
        Err(error) => return Err(error.into()),
    };
    parse(&bytes, key_retention).map_err(|source| Damage::Beginning { source: Box::new(source) })
}

/// The state behind the last record that was removed, and where that is.
///
/// Errors: as [`read`].
pub(crate) fn load(data: &Path, key_retention: Duration) -> Result<(State, Head), Damage> {
    let Beginning { state, head, .. } = read(data, key_retention)?;
    Ok((state, head))
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
pub(crate) fn write(
    data: &Path,
    head: &Head,
    state: &State,
    ended: &[(PaymentId, History)],
) -> Result<(), SnapshotError> {
    let fresh = data.join(FRESH_NAME);
    let mut file = File::create(&fresh)?;
    file.write_all(&bytes(head, state, ended))?;
    file.sync_all()?;
    fs::rename(&fresh, data.join(NAME))?;
    Ok(sync_dir(data)?)
}

fn bytes(head: &Head, state: &State, ended: &[(PaymentId, History)]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put_u64(VERSION, &mut out);
    put_u64(ended.len() as u64, &mut out);
    for (id, history) in ended {
        put_u128(id.0, &mut out);
        put_blob(history.bytes(), &mut out);
    }
    put_state(head, state, &mut out);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

fn parse(bytes: &[u8], key_retention: Duration) -> Result<Beginning, SnapshotError> {
    let (whole, crc) = bytes.split_last_chunk::<4>().ok_or(SnapshotError::NotWhole)?;
    if crc32c::crc32c(whole).to_le_bytes() != *crc || !whole.starts_with(MAGIC) {
        return Err(SnapshotError::NotWhole);
    }
    let mut reader = Reader::new(&whole[MAGIC.len()..]);
    let version = reader.u64()?;
    let beginning = match version {
        1 => read_version_1(&mut reader, key_retention)?,
        found => return Err(SnapshotError::UnknownVersion { found, newest: VERSION }),
    };
    reader.finish()?;
    Ok(beginning)
}

fn read_version_1(
    reader: &mut Reader<'_>,
    key_retention: Duration,
) -> Result<Beginning, SnapshotError> {
    let mut ended = Vec::new();
    for _ in 0..reader.u64()? {
        let id = PaymentId(reader.u128()?);
        ended.push((id, History::from_bytes(reader.blob()?)));
    }
    let (state, head) = read_state(reader, key_retention)?;
    Ok(Beginning { state, head, ended })
}

fn first_segment(data: &Path) -> io::Result<u64> {
    match list(&dir_of(data)) {
        Ok(segments) => Ok(segments.first().copied().unwrap_or(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
