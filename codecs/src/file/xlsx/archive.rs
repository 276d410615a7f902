//! The directory of a ZIP archive, read to know how large its parts say they are.

/// End of the directory: signature, and the length of the record without its comment.
const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
const COMMENT_LEN_MAX: usize = 65_535;
/// An entry of the directory: signature, and its length without name, extra field and comment.
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LEN: usize = 46;
/// What stands for "see the ZIP64 record", which no bill base needs.
const ZIP64: u32 = u32::MAX;

/// The sum of what the archive says its parts unpack to; none when it is no plain ZIP archive.
///
/// Source: PKWARE APPNOTE 6.3, sections 4.3.12 and 4.3.16.
pub(super) fn unpacked_len(file: &[u8]) -> Option<u64> {
    let from = file.len().saturating_sub(END_LEN + COMMENT_LEN_MAX);
    let end = from + file.get(from..)?.windows(END.len()).rposition(|bytes| bytes == END)?;
    let count = u16_at(file, end + 10)?;
    let mut at = usize::try_from(u32_at(file, end + 16)?).ok()?;
    let mut sum = 0_u64;
    for _ in 0..count {
        let entry = file.get(at..at.checked_add(ENTRY_LEN)?)?;
        let size = u32_at(entry, 24).filter(|size| *size != ZIP64)?;
        if !entry.starts_with(ENTRY) {
            return None;
        }
        sum += u64::from(size);
        let tail = [28, 30, 32].into_iter().map(|field| u16_at(entry, field));
        at = tail.sum::<Option<usize>>()?.checked_add(at + ENTRY_LEN)?;
    }
    Some(sum)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(usize::from(u16::from_le_bytes(bytes)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes))
}
