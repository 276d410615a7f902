//! Segment files: their names, their header, their folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Chain, Head};

pub(super) const HEADER_LEN: usize = 64;
const MAGIC: &[u8; 8] = b"CAUCEJ\r\n";
const VERSION: u32 = 1;

/// The folder of a data folder's segments.
pub(crate) fn dir_of(data: &Path) -> PathBuf {
    data.join("journal")
}

pub(crate) fn path_of(dir: &Path, first_sequence: u64) -> PathBuf {
    dir.join(format!("{first_sequence:020}.log"))
}

/// First sequences of the segments, ascending.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".log"));
        let digits = stem.filter(|stem| stem.len() == 20);
        firsts.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// The header of a segment that continues after `previous`.
pub(super) fn header(previous: &Head) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&(previous.sequence + 1).to_le_bytes());
    bytes[24..56].copy_from_slice(&previous.chain.0);
    let crc = crc32c::crc32c(&bytes[..56]);
    bytes[56..60].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Where the journal stood before a segment; none when the header is not whole or not ours.
pub(super) fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Head> {
    let crc = crc32c::crc32c(&bytes[..56]).to_le_bytes();
    let version = VERSION.to_le_bytes();
    if &bytes[..8] != MAGIC || bytes[8..12] != version || bytes[56..60] != crc {
        return None;
    }
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[16..24]);
    let mut chain = [0; 32];
    chain.copy_from_slice(&bytes[24..56]);
    let sequence = u64::from_le_bytes(first).checked_sub(1)?;
    Some(Head { sequence, chain: Chain(chain) })
}

/// Makes new, renamed and removed names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
