//! What a ZIP archive unpacks to, found before anything is unpacked.
//!
//! Strict where archives are told apart by their readers: no comment, no second disk, no ZIP64, the
//! directory right in front of its end. No program that writes workbooks does otherwise, and so no
//! other reader of the same bytes finds another directory. No byte belongs to two parts: many
//! entries of one run of data would each be followed from its beginning to its end.

use std::ops::Range;

use super::inflate::inflated_len;

/// End of the directory: signature, and its length.
const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
/// An entry of the directory: signature, and its length without name, extra field and comment.
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LEN: usize = 46;
/// What stands in front of an entry's data: signature, and its length without name and extra field.
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LEN: usize = 30;
const STORED: usize = 0;
const DEFLATED: usize = 8;

/// Why an archive is not unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no archive, or not a plain one, or its sizes are wrong, or its parts overlap.
    Malformed,
    /// It unpacks to more than it may.
    TooLarge,
}

/// Checks that the parts unpack to at most `max` bytes: as stated, and in fact.
///
/// Source: PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16.
pub(super) fn check(file: &[u8], max: u64) -> Result<(), Unfit> {
    let entries = entries(file).ok_or(Unfit::Malformed)?;
    if overlap(&entries) {
        return Err(Unfit::Malformed);
    }
    let stated: u64 = entries.iter().map(|entry| entry.unpacked).sum();
    if stated > max {
        return Err(Unfit::TooLarge);
    }
    for Entry { method, data, unpacked, .. } in entries {
        let found = match method {
            STORED => u64::try_from(data.len()).ok(),
            DEFLATED => inflated_len(data, unpacked),
            _ => None,
        };
        if found != Some(unpacked) {
            return Err(Unfit::Malformed);
        }
    }
    Ok(())
}

/// One part of an archive.
struct Entry<'a> {
    /// Where it stands in the file, with what stands in front of its data.
    span: Range<usize>,
    method: usize,
    data: &'a [u8],
    /// What it unpacks to, as stated.
    unpacked: u64,
}

fn entries(file: &[u8]) -> Option<Vec<Entry<'_>>> {
    let end_at = file.len().checked_sub(END_LEN)?;
    let end = file.get(end_at..)?;
    let (count, directory_len) = (u16_at(end, 10)?, u32_at(end, 12)?);
    let directory_at = u32_at(end, 16)?;
    let is_plain = end.starts_with(END)
        && u32_at(end, 4)? == 0
        && u16_at(end, 8)? == count
        && u16_at(end, 20)? == 0
        && directory_at.checked_add(directory_len)? == end_at;
    if !is_plain {
        return None;
    }
    let (parts, mut at) = (file.get(..directory_at)?, directory_at);
    let mut entries = Vec::new();
    for _ in 0..count {
        let entry = file.get(at..at.checked_add(ENTRY_LEN)?)?;
        if !entry.starts_with(ENTRY) {
            return None;
        }
        let (packed_len, local_at) = (u32_at(entry, 20)?, u32_at(entry, 42)?);
        let local = parts.get(local_at..local_at.checked_add(LOCAL_LEN)?)?;
        if !local.starts_with(LOCAL) {
            return None;
        }
        let data_at = local_at + LOCAL_LEN + u16_at(local, 26)? + u16_at(local, 28)?;
        let data_end = data_at.checked_add(packed_len)?;
        let data = parts.get(data_at..data_end)?;
        let unpacked = u64::try_from(u32_at(entry, 24)?).ok()?;
        let span = local_at..data_end;
        entries.push(Entry { span, method: u16_at(entry, 10)?, data, unpacked });
        at += ENTRY_LEN + u16_at(entry, 28)? + u16_at(entry, 30)? + u16_at(entry, 32)?;
    }
    (at == end_at).then_some(entries)
}

fn overlap(entries: &[Entry<'_>]) -> bool {
    let mut spans: Vec<_> = entries.iter().map(|entry| &entry.span).collect();
    spans.sort_unstable_by_key(|span| span.start);
    spans.windows(2).any(|pair| pair[0].end > pair[1].start)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(usize::from(u16::from_le_bytes(bytes)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}
