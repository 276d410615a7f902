//! What a ZIP archive unpacks to, found before the spreadsheet reader keeps any of it.
//!
//! The reader behind this one opens archives with the same library, so both find the same directory
//! in the same bytes. Each part is unpacked into nothing, one after the other, and followed no
//! further than to the length stated: sizes an archive states cannot be trusted. No byte belongs to
//! two parts: many entries of one run of data would each be followed from its beginning to its end.
//! So the length of the file bounds the time: the worst 8 MiB, empty blocks that each bring codes of
//! their own, take about a second.

use std::io::{Cursor, Read, copy, sink};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

/// The most parts of a workbook; those of programs have a few for each sheet.
pub(super) const PART_COUNT_MAX: usize = 4096;

/// Why an archive is not unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no archive, or not a plain one, or its sizes are wrong, or its parts overlap.
    Malformed,
    /// It unpacks to more than it may.
    TooLarge,
    /// It has more parts than it may.
    TooManyParts,
}

impl From<ZipError> for Unfit {
    fn from(_: ZipError) -> Self {
        Self::Malformed
    }
}

/// An archive in memory.
type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Checks that the parts unpack to at most `max` bytes: as stated, and in fact.
///
/// Shape: a plain archive, without comment, other data in front of it, encryption or two parts of
///        one name.
pub(super) fn check(file: &[u8], max: u64) -> Result<(), Unfit> {
    let mut archive = ZipArchive::new(Cursor::new(file))?;
    if archive.len() > PART_COUNT_MAX {
        return Err(Unfit::TooManyParts);
    }
    let is_plain = archive.offset() == 0
        && archive.comment().is_empty()
        && !archive.has_duplicate_names()
        && !archive.has_overlapping_entries()?;
    if !is_plain {
        return Err(Unfit::Malformed);
    }
    let mut stated = 0_u64;
    for part in 0..archive.len() {
        stated = stated.saturating_add(archive.by_index_raw(part)?.size());
    }
    if stated > max {
        return Err(Unfit::TooLarge);
    }
    (0..archive.len()).try_for_each(|part| unpack(&mut archive, part))
}

/// Unpacks a part into nothing: its length is as stated, and its checksum too.
fn unpack(archive: &mut Archive<'_>, part: usize) -> Result<(), Unfit> {
    let part = archive.by_index(part)?;
    let is_known =
        matches!(part.compression(), CompressionMethod::Stored | CompressionMethod::Deflated);
    if part.encrypted() || !is_known {
        return Err(Unfit::Malformed);
    }
    let stated = part.size();
    let found = copy(&mut part.take(stated.saturating_add(1)), &mut sink());
    if found.is_ok_and(|found| found == stated) { Ok(()) } else { Err(Unfit::Malformed) }
}
