//! The head anchor: how far the journal reached at some moment, in a file of its own, so that an
//! end that was cut off cleanly shows. It lags; it never leads.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::{Chain, Head, sync_dir};

const MAGIC: &[u8; 8] = b"CAUCEH\r\n";
const LEN: usize = 52;

/// Replaces the anchor, durably.
pub(crate) fn write_anchor(data: &Path, head: &Head) -> io::Result<()> {
    let mut bytes = [0; LEN];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&head.sequence.to_le_bytes());
    bytes[16..48].copy_from_slice(&head.chain.0);
    let crc = crc32c::crc32c(&bytes[..48]);
    bytes[48..].copy_from_slice(&crc.to_le_bytes());
    let fresh = data.join("head.tmp");
    let mut file = File::create(&fresh)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, data.join("head"))?;
    sync_dir(data)
}

/// The anchor; none when it is missing or not whole.
pub(crate) fn read_anchor(data: &Path) -> io::Result<Option<Head>> {
    let bytes = match fs::read(data.join("head")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(bytes) = <[u8; LEN]>::try_from(bytes) else { return Ok(None) };
    if &bytes[..8] != MAGIC || bytes[48..] != crc32c::crc32c(&bytes[..48]).to_le_bytes() {
        return Ok(None);
    }
    let mut sequence = [0; 8];
    sequence.copy_from_slice(&bytes[8..16]);
    let mut chain = [0; 32];
    chain.copy_from_slice(&bytes[16..48]);
    Ok(Some(Head { sequence: u64::from_le_bytes(sequence), chain: Chain(chain) }))
}
