//! Lists of texts boiled down to 128 bits.

use sha2::{Digest as _, Sha256};

use crate::text::Text;

/// Hashes parts into 128 bits; no two different lists of parts give the same input bytes.
///
/// Units: each part is preceded by its length – one byte below 255, else 255 and eight bytes,
/// big-endian – so `["ab","c"]` and `["a","bc"]` differ. The first half of their SHA-256.
pub fn digest128(parts: &[&[u8]]) -> u128 {
    let mut bytes = Vec::new();
    for part in parts {
        match u8::try_from(part.len()) {
            Ok(len) if len < u8::MAX => bytes.push(len),
            _ => {
                bytes.push(u8::MAX);
                bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(part);
    }
    first_half(&bytes)
}

fn first_half(bytes: &[u8]) -> u128 {
    half_of(Sha256::new_with_prefix(bytes))
}

fn half_of(hasher: Sha256) -> u128 {
    let digest = hasher.finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(first)
}

/// The same as [`digest128`] for short parts of bounded length, gathered in place: every payment
/// makes two of these. `ROOM` holds the parts at their longest, and a byte for each.
pub(super) struct Gathered<const ROOM: usize> {
    bytes: [u8; ROOM],
    len: usize,
}

impl<const ROOM: usize> Gathered<ROOM> {
    pub fn new() -> Self {
        Self { bytes: [0; ROOM], len: 0 }
    }

    /// Adds a part of fixed length.
    #[inline]
    pub fn array<const LEN: usize>(&mut self, part: [u8; LEN]) {
        self.copy(&part, LEN);
    }

    /// Adds a text; none is the empty one.
    #[inline]
    pub fn text<const MAX: usize>(&mut self, text: Option<&Text<MAX>>) {
        match text {
            Some(text) => self.copy(text.room(), text.len()),
            None => self.copy(&[], 0),
        }
    }

    /// Adds a part of fewer than 255 bytes.
    #[inline]
    pub fn part(&mut self, part: &[u8]) {
        let end = self.len + 1 + part.len();
        self.bytes[self.len] = u8::try_from(part.len()).expect("invariant: parts are short");
        self.bytes[self.len + 1..end].copy_from_slice(part);
        self.len = end;
    }

    /// Copies a whole array, whose size is known here, and keeps its first bytes: that takes a few
    /// instructions, where copying just those bytes would take a call.
    #[inline]
    fn copy<const MAX: usize>(&mut self, part: &[u8; MAX], len: usize) {
        let start = self.len + 1;
        self.bytes[self.len] = u8::try_from(len).expect("invariant: texts are short");
        self.bytes[start..start + MAX].copy_from_slice(part);
        self.len = start + len;
    }

    pub fn digest(&self) -> u128 {
        first_half(&self.bytes[..self.len])
    }

    /// The digest behind what a hasher has taken already.
    pub fn keyed_digest(&self, keyed: &Sha256) -> u128 {
        half_of(keyed.clone().chain_update(&self.bytes[..self.len]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_parts_that_differ_differ() {
        let long = [b'x'; 300];
        let lists: [&[&[u8]]; 6] =
            [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[&long], &[&long[..299]]];
        let digests = lists.map(digest128);
        for (at, digest) in digests.iter().enumerate() {
            assert!(!digests[..at].contains(digest), "{at}");
        }
    }

    /// Source: `printf '\002ab\001c' | sha256sum`, the first 32 digits.
    #[test]
    fn a_digest_is_the_first_half_of_sha_256() {
        assert_eq!(digest128(&[b"ab", b"c"]), 0xC150_B536_A0D7_450F_5D04_0D8D_AC8F_6924);
    }

    #[test]
    fn gathering_in_place_gives_the_same() {
        let mut gathered = Gathered::<64>::new();
        gathered.text(Some(&Text::<20>::new("ab").unwrap()));
        gathered.text::<20>(None);
        gathered.array(*b"12345678");
        gathered.part(b"c");
        assert_eq!(gathered.digest(), digest128(&[b"ab", b"", b"12345678", b"c"]));
    }
}
