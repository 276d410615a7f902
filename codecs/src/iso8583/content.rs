//! Content classes of ISO 8583, checked eight bytes at a time.

use serde::{Deserialize, Serialize};

use super::ebcdic::Page;

/// What characters a field may hold.
///
/// Source: ISO 8583:1987, attribute notation. Letters-only and alphanumeric fields are padded with
/// spaces there, so a space is allowed in both.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Content {
    /// Digits.
    #[serde(rename = "n")]
    Numeric,
    /// Letters and spaces.
    #[serde(rename = "a")]
    Alpha,
    /// Letters, digits and spaces.
    #[serde(rename = "an")]
    AlphaNumeric,
    /// Any printable ASCII.
    #[serde(rename = "ans")]
    Text,
    /// Track 2 and 3: `0`–`?`, and `D` for the separator.
    #[serde(rename = "z")]
    Track,
    /// `C` or `D`, then digits: a signed amount.
    #[serde(rename = "x+n")]
    SignedNumeric,
    /// Bytes.
    #[serde(rename = "b")]
    Binary,
    /// Anything, unchecked: what formats of other projects say of their fields.
    #[default]
    #[serde(rename = "any")]
    Any,
}

const ALPHA: u8 = 1;
const ALPHA_NUMERIC: u8 = 2;
const TRACK: u8 = 4;
const HEX: u8 = 8;

/// For each byte the classes it belongs to.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    loop {
        let mut bits = 0;
        if byte.is_ascii_alphabetic() || byte == b' ' {
            bits |= ALPHA | ALPHA_NUMERIC;
        }
        if byte.is_ascii_digit() {
            bits |= ALPHA_NUMERIC;
        }
        if byte.is_ascii_hexdigit() {
            bits |= HEX;
        }
        if (byte >= b'0' && byte <= b'?') || byte == b'D' {
            bits |= TRACK;
        }
        table[byte as usize] = bits;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

impl Content {
    /// The name used in specifications.
    pub fn name(self) -> &'static str {
        match self {
            Self::Numeric => "n",
            Self::Alpha => "a",
            Self::AlphaNumeric => "an",
            Self::Text => "ans",
            Self::Track => "z",
            Self::SignedNumeric => "x+n",
            Self::Binary => "b",
            Self::Any => "any",
        }
    }

    /// The position of the first byte that breaks the class.
    #[inline]
    pub fn first_violation(self, bytes: &[u8]) -> Option<usize> {
        let clean = match self {
            Self::Binary | Self::Any => true,
            Self::Numeric => all_digits(bytes),
            Self::Text => all_printable(bytes),
            Self::SignedNumeric => match bytes.split_first() {
                Some((sign, digits)) => matches!(sign, b'C' | b'D') && all_digits(digits),
                None => true,
            },
            Self::Alpha => all_in(bytes, ALPHA),
            Self::AlphaNumeric => all_alphanumeric(bytes),
            Self::Track => all_in(bytes, TRACK),
        };
        if clean { None } else { self.search(bytes) }
    }

    /// The position of the first byte whose character breaks the class.
    pub(super) fn first_violation_ebcdic(self, bytes: &[u8], page: Page) -> Option<usize> {
        bytes.iter().enumerate().position(|(at, byte)| !self.allows_at(at, page.decode(*byte)))
    }

    /// Whether a character other than the sign in front belongs to the class.
    pub(super) fn allows(self, character: u8) -> bool {
        self.allows_at(1, character)
    }

    #[cold]
    fn search(self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().enumerate().position(|(at, byte)| !self.allows_at(at, *byte))
    }

    fn allows_at(self, at: usize, character: u8) -> bool {
        let is_in = |class| CLASSES[usize::from(character)] & class != 0;
        match self {
            Self::Binary | Self::Any => true,
            Self::SignedNumeric if at == 0 => matches!(character, b'C' | b'D'),
            Self::Numeric | Self::SignedNumeric => character.is_ascii_digit(),
            Self::Text => (0x20..=0x7E).contains(&character),
            Self::Alpha => is_in(ALPHA),
            Self::AlphaNumeric => is_in(ALPHA_NUMERIC),
            Self::Track => is_in(TRACK),
        }
    }
}

/// Hexadecimal digits by value.
pub(super) const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// The value of a hexadecimal digit.
#[inline]
pub(super) fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// The position of the first byte that is no hexadecimal digit.
pub(super) fn first_not_hex(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| CLASSES[usize::from(*byte)] & HEX == 0)
}

#[inline]
fn all_in(bytes: &[u8], class: u8) -> bool {
    bytes.iter().fold(class, |all, byte| all & CLASSES[usize::from(*byte)]) != 0
}

const HIGH: u64 = repeat(0x80);

const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Whether all bytes are digits.
#[inline]
pub(super) fn all_digits(bytes: &[u8]) -> bool {
    // 0x30..=0x39: the high half is 3, and stays 3 when 6 is added.
    every_word(bytes, b'0', |word| {
        const HALF: u64 = repeat(0xF0);
        const THREES: u64 = repeat(0x30);
        (word & HALF) ^ THREES | (word.wrapping_add(repeat(0x06)) & HALF) ^ THREES
    })
}

/// Sets the high bit of each byte that lies in `low..=high`.
///
/// Shape: no byte of `word` has its high bit set, nor has `high`.
#[inline]
const fn in_range(word: u64, low: u8, high: u8) -> u64 {
    let from_low = word.wrapping_add(repeat(0x80 - low));
    let above_high = word.wrapping_add(repeat(0x7F - high));
    from_low & !above_high & HIGH
}

/// Letters in lower case; digits stay, few others do.
const LOWER: u64 = repeat(0x20);

/// Whether all bytes are letters, digits or spaces.
#[inline]
pub(super) fn all_alphanumeric(bytes: &[u8]) -> bool {
    every_word(bytes, b' ', |word| {
        let low = word & !HIGH;
        let letters = in_range(low | LOWER, b'a', b'z');
        let good = letters | in_range(low, b'0', b'9') | in_range(low, b' ', b' ');
        (word & HIGH) | (good ^ HIGH)
    })
}

/// The value of eight hexadecimal characters; none where one is no hexadecimal digit.
#[inline]
pub(super) fn hex_word(characters: [u8; 8]) -> Option<u32> {
    let word = u64::from_be_bytes(characters);
    let low = word & !HIGH;
    let good = in_range(low | LOWER, b'a', b'f') | in_range(low, b'0', b'9');
    if (word & HIGH) | (good ^ HIGH) != 0 {
        return None;
    }
    // A letter has bit 6 set, and its low half counts from 1 for ten.
    let nibbles = (word & repeat(0x0F)) + (word >> 6 & repeat(0x01)) * 9;
    let bytes = (nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF;
    let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF;
    u32::try_from((pairs | pairs >> 16) & 0xFFFF_FFFF).ok()
}

/// Whether both half bytes of all bytes are digits.
#[inline]
pub(super) fn all_bcd(bytes: &[u8]) -> bool {
    // 6 more carries out of a half byte exactly when it is above 9; the halves are added apart.
    every_word(bytes, 0, |word| {
        const LOW: u64 = repeat(0x0F);
        const TENS: u64 = repeat(0xF0);
        let (low, high) = (word & LOW, word >> 4 & LOW);
        ((low + repeat(0x06)) | (high + repeat(0x06))) & TENS
    })
}

#[inline]
pub(super) fn all_printable(bytes: &[u8]) -> bool {
    // With no high bit set nothing carries: +0x60 sets it from 0x20 on, +1 sets it for 0x7F only.
    every_word(bytes, b' ', |word| {
        let low = word & !HIGH;
        (word & HIGH) | (!(low + repeat(0x60)) & HIGH) | ((low + repeat(0x01)) & HIGH)
    })
}

/// Whether `faults` is zero for every eight bytes; short slices are filled up with `filler`, and
/// the last word overlaps the one before it.
#[inline]
fn every_word(bytes: &[u8], filler: u8, faults: impl Fn(u64) -> u64) -> bool {
    if bytes.is_empty() {
        return true;
    }
    if bytes.len() < 8 {
        return faults(short_word(bytes, filler)) == 0;
    }
    let (words, _) = bytes.as_chunks::<8>();
    let last = bytes.last_chunk::<8>().expect("invariant: at least eight bytes");
    let found = words.iter().fold(0, |found, word| found | faults(u64::from_ne_bytes(*word)));
    (found | faults(u64::from_ne_bytes(*last))) == 0
}

#[inline]
fn short_word(bytes: &[u8], filler: u8) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (low, high) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*last));
        return u64::from(low) | u64::from(high) << 32;
    }
    let mut word = [filler; 8];
    if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
        word[0] = *first;
        word[1] = bytes[bytes.len() / 2];
        word[2] = *last;
    }
    u64::from_ne_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte value at every position of texts of every length up to 20, against the plain
    /// definition of the class.
    fn check(class: Content, good: u8, belongs: impl Fn(u8) -> bool) {
        for len in 1..=20 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut text = vec![good; len];
                    text[at] = byte;
                    let expect = (!belongs(byte)).then_some(at);
                    assert_eq!(class.first_violation(&text), expect, "{class:?} {byte:#x} {at}");
                }
            }
        }
    }

    #[test]
    fn the_fast_checks_agree_with_the_definition_of_the_class() {
        check(Content::Numeric, b'7', |byte| byte.is_ascii_digit());
        check(Content::Text, b'~', |byte| (0x20..=0x7E).contains(&byte));
        check(Content::Alpha, b'z', |byte| byte.is_ascii_alphabetic() || byte == b' ');
        check(Content::AlphaNumeric, b'Q', |byte| byte.is_ascii_alphanumeric() || byte == b' ');
        check(Content::Track, b'=', |byte| (b'0'..=b'?').contains(&byte) || byte == b'D');
        check(Content::Binary, 0, |_| true);
    }

    #[test]
    fn a_signed_amount_begins_with_c_or_d() {
        assert_eq!(Content::SignedNumeric.first_violation(b"D00001200"), None);
        assert_eq!(Content::SignedNumeric.first_violation(b"C00001200"), None);
        assert_eq!(Content::SignedNumeric.first_violation(b"000001200"), Some(0));
        assert_eq!(Content::SignedNumeric.first_violation(b"D0000120D"), Some(8));
    }

    #[test]
    fn nothing_breaks_no_class() {
        for class in [Content::Numeric, Content::Text, Content::Alpha, Content::SignedNumeric] {
            assert_eq!(class.first_violation(b""), None);
        }
    }

    #[test]
    fn hexadecimal_is_read_eight_characters_at_once() {
        assert_eq!(hex_word(*b"0123abCD"), Some(0x0123_ABCD));
        assert_eq!(hex_word(*b"fFeE9890"), Some(0xFFEE_9890));
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_hexdigit()) {
            for at in 0..8 {
                let mut characters = *b"09afAF00";
                characters[at] = byte;
                assert_eq!(hex_word(characters), None, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn packed_digits_are_checked_by_half_bytes() {
        for len in 1..=20 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut packed = vec![0x99; len];
                    packed[at] = byte;
                    let expect = byte >> 4 < 10 && byte & 0x0F < 10;
                    assert_eq!(all_bcd(&packed), expect, "{byte:#x} at {at} of {len}");
                }
            }
        }
    }
}
