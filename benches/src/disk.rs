//! How fast a folder's disk makes a small write durable: what every figure of the journal on that
//! disk has to be read against.

use std::fmt;
use std::fs::{File, remove_file};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

const WRITES: usize = 2_000;
const WRITE_BYTES: usize = 4096;
/// What the system counts allocated space in.
const BLOCK_BYTES: u64 = 512;

/// What [`probe`] measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Half of the writes were durable within this time, µs.
    pub p50_us: u128,
    /// 99 of 100 were, µs.
    pub p99_us: u128,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_us, p99_us } = self;
        write!(f, "{WRITE_BYTES} bytes and fdatasync, {WRITES} times: ")?;
        write!(f, "p50 {p50_us} µs  p99 {p99_us} µs")
    }
}

/// Appends 4 KiB to a new file of the folder and syncs them, 2,000 times, as the journal does with
/// each group; the file is removed again.
///
/// Errors: what the system says.
pub fn probe(dir: &Path) -> io::Result<Probe> {
    let path = dir.join("fdatasync-probe");
    let (taken, removed) = (append(&path), remove_file(&path));
    let mut taken_us = taken?;
    removed?;
    taken_us.sort_unstable();
    let quantile = |per_cent: usize| taken_us[WRITES * per_cent / 100];
    Ok(Probe { p50_us: quantile(50), p99_us: quantile(99) })
}

fn append(path: &Path) -> io::Result<Vec<u128>> {
    let mut file = File::options().append(true).create_new(true).open(path)?;
    let block = [0x5A; WRITE_BYTES];
    let mut one = || -> io::Result<u128> {
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        Ok(began.elapsed().as_micros())
    };
    (0..WRITES).map(|_| one()).collect()
}

/// Bytes that a folder and everything in it take on the disk, as they are allocated; none where
/// there is no folder.
pub fn allocated(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => allocated(&entry.path()),
        Ok(metadata) => metadata.blocks() * BLOCK_BYTES,
        Err(_) => 0,
    };
    entries.map(of).sum()
}
