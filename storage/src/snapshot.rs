//! Snapshots of the state, so that a start need not replay everything.
//!
//! One is made in the background from the one before and the segments closed since: a fold of
//! the journal, which the writer does not notice. It always stands at the end of a segment. A
//! damaged one is passed over, and replay begins earlier.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::beginning;
use crate::journal::{Damage, End, Head, dir_of, list, sync_dir, walk};
use crate::packing::{Reader, put_u64};
use crate::proof::LedgerProof;
use crate::record::bodies;
use crate::settings::Settings;
use crate::state::State;
pub use crate::state_image::SnapshotError;
use crate::state_image::{put_state, read_state};

const MAGIC: &[u8; 8] = b"CAUCES\r\n";
const VERSION: u64 = 4;
/// Snapshots kept; the older ones are for when the newest is damaged.
const KEPT: usize = 2;

/// Makes a snapshot when enough segments were closed since the last one; says whether it did.
///
/// The store does this by itself while it is open; this is for tools and tests.
pub fn snapshot_now(settings: &Settings) -> Result<bool, SnapshotError> {
    let last = positions(&settings.dir)?.last().copied().unwrap_or(0);
    let segments = list(&dir_of(&settings.dir))?;
    let newer: Vec<u64> = segments.into_iter().filter(|first| *first > last).collect();
    let closed = newer.len().saturating_sub(1);
    let Some(current) = newer.last().filter(|_| settings.snapshot_segments > 0) else {
        return Ok(false);
    };
    if closed < usize::try_from(settings.snapshot_segments).unwrap_or(usize::MAX) {
        return Ok(false);
    }
    let (mut state, head) = load_latest(&settings.dir, settings.key_retention)?;
    let walked = walk(&settings.dir, head, End::Before(*current), |_, frame| {
        for (sequence, body) in (frame.first_sequence..).zip(bodies(frame.body)) {
            let body = body.map_err(|source| Damage::Record { sequence, source })?;
            state.apply(sequence, body)?;
        }
        Ok::<(), Damage>(())
    })?;
    write(&settings.dir, &walked.head, &state)?;
    Ok(true)
}

/// The newest snapshot that is whole, or the state the journal begins with.
///
/// Errors: [`Damage`] of that beginning.
pub(crate) fn load_latest(data: &Path, key_retention: Duration) -> Result<(State, Head), Damage> {
    load_newest(data, u64::MAX, key_retention)
}

/// The same of the snapshots that stand at or before a record, for a look at balances alone.
pub(crate) fn load_until(data: &Path, last: u64) -> Result<(State, Head), Damage> {
    load_newest(data, last, LedgerProof::KEY_RETENTION)
}

fn load_newest(data: &Path, last: u64, key_retention: Duration) -> Result<(State, Head), Damage> {
    let (state, begun_after) = beginning::load(data, key_retention)?;
    // Records behind an older snapshot were removed.
    let is_usable = |sequence: &u64| (begun_after.sequence..=last).contains(sequence);
    for sequence in positions(data)?.into_iter().rev().filter(is_usable) {
        if let Some(found) = read(data, sequence, key_retention)? {
            return Ok(found);
        }
    }
    Ok((state, begun_after))
}

/// Removes the snapshots before a record.
pub(crate) fn remove_before(data: &Path, sequence: u64) -> io::Result<()> {
    for old in positions(data)?.into_iter().filter(|position| *position < sequence) {
        fs::remove_file(path_of(data, old))?;
    }
    Ok(())
}

/// The snapshot of a position, for a look at balances alone; none where it is damaged.
pub(crate) fn load(data: &Path, sequence: u64) -> io::Result<Option<(State, Head)>> {
    read(data, sequence, LedgerProof::KEY_RETENTION)
}

fn read(data: &Path, sequence: u64, retention: Duration) -> io::Result<Option<(State, Head)>> {
    let bytes = match fs::read(path_of(data, sequence)) {
        // Another start of this moment has made two newer ones.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    match parse(&bytes, retention) {
        Ok(found) => Ok(Some(found)),
        Err(error) => {
            tracing::warn!(%error, sequence, "a snapshot is passed over");
            Ok(None)
        }
    }
}

fn write(data: &Path, head: &Head, state: &State) -> Result<(), SnapshotError> {
    let dir = data.join("snapshots");
    fs::create_dir_all(&dir)?;
    let fresh = dir.join("fresh.tmp");
    let mut file = File::create(&fresh)?;
    file.write_all(&image(head, state))?;
    file.sync_all()?;
    fs::rename(&fresh, path_of(data, head.sequence))?;
    sync_dir(&dir)?;
    sync_dir(data)?;
    let kept = positions(data)?;
    for old in kept.iter().rev().skip(KEPT) {
        fs::remove_file(path_of(data, *old))?;
    }
    Ok(())
}

impl State {
    /// The state as bytes, where a snapshot keeps it; equal states give equal bytes.
    pub fn image(&self, head: &Head) -> Vec<u8> {
        image(head, self)
    }

    /// The state of an image, and the head it was made at.
    pub fn from_image(
        bytes: &[u8],
        key_retention: Duration,
    ) -> Result<(Self, Head), SnapshotError> {
        parse(bytes, key_retention)
    }
}

fn image(head: &Head, state: &State) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put_u64(VERSION, &mut out);
    put_state(head, state, &mut out);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// The state of an image, and the head it was made at.
fn parse(bytes: &[u8], key_retention: Duration) -> Result<(State, Head), SnapshotError> {
    let (whole, crc) = bytes.split_last_chunk::<4>().ok_or(SnapshotError::NotWhole)?;
    if crc32c::crc32c(whole).to_le_bytes() != *crc || !whole.starts_with(MAGIC) {
        return Err(SnapshotError::NotWhole);
    }
    let mut reader = Reader::new(&whole[MAGIC.len()..]);
    if reader.u64()? != VERSION {
        return Err(SnapshotError::NotWhole);
    }
    let found = read_state(&mut reader, key_retention)?;
    reader.finish()?;
    Ok(found)
}

/// Positions of the snapshots there are, ascending.
pub(crate) fn positions(data: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(data.join("snapshots")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".snap"));
        found.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

fn path_of(data: &Path, sequence: u64) -> PathBuf {
    data.join("snapshots").join(format!("{sequence:020}.snap"))
}
