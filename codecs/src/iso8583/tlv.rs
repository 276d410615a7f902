//! BER-TLV as chip cards use it (DE55): tag, length, value.
//!
//! Bytes 00 and FF between and behind the objects fill a field up. They have no meaning, are passed
//! over when objects are read, and are not written again.
//!
//! Source: ISO/IEC 8825-1 as restricted by EMV Book 3, annex B: definite lengths only; ISO/IEC 7816-4
//! for FF. Values of constructed tags are kept as they are.

mod filling;

use bytes::{BufMut, BytesMut};

/// Bytes of the longest tag read.
pub const TAG_LEN_MAX: usize = 4;
/// Bytes of the longest length read, without the one that announces them.
const LENGTH_LEN_MAX: usize = 3;

/// Tags that hold card numbers, tracks or the holder's name: PAN, track 1 and 2 equivalents and
/// discretionary data, name, PAN of a kernel's own track data, transaction PIN data.
///
/// Source: EMV Book 3, annex A; PCI DSS 3.3.
pub const SECRET_TAGS: [u32; 13] = [
    0x56, 0x57, 0x5A, 0x99, 0x5F20, 0x5F24, 0x9F0B, 0x9F1F, 0x9F20, 0x9F62, 0x9F63, 0x9F6B,
    0xDF_812A,
];

/// One tag and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag's bytes as a number.
    pub tag: u32,
    /// Where the tag begins, from the start of the data.
    pub at: usize,
    /// The value.
    pub value: &'a [u8],
}

/// The place, from the start of the data, where a tag or its length cannot be read or its value
/// runs past the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortTlv {
    /// Where the tag or the length begins that cannot be read.
    pub at: usize,
    /// Bytes needed from there.
    pub need: usize,
    /// Bytes there.
    pub have: usize,
}

/// The tags of some data, in their order, without what fills the data up.
pub fn read(data: &[u8]) -> Tlvs<'_> {
    Tlvs { data, at: 0, nesting: filling::NESTING_MAX }
}

/// See [`read`].
#[derive(Debug, Clone)]
pub struct Tlvs<'a> {
    data: &'a [u8],
    at: usize,
    /// Templates that are looked into before FF is taken for the first byte of a tag.
    nesting: u8,
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, ShortTlv>;

    fn next(&mut self) -> Option<Self::Item> {
        self.at += filling::len(&self.data[self.at..], self.nesting);
        if self.at >= self.data.len() {
            return None;
        }
        let read = self.object();
        if read.is_err() {
            self.at = self.data.len();
        }
        Some(read)
    }
}

impl<'a> Tlvs<'a> {
    fn object(&mut self) -> Result<Tlv<'a>, ShortTlv> {
        let start = self.at;
        let short = |need, have| ShortTlv { at: start, need, have };
        let rest = &self.data[start..];
        let (tag, tag_len) = tag(rest).ok_or(short(rest.len() + 1, rest.len()))?;
        let after_tag = &rest[tag_len..];
        let (length, length_len) =
            length(after_tag).ok_or(short(tag_len + after_tag.len() + 1, rest.len()))?;
        let head = tag_len + length_len;
        let value = rest[head..].get(..length).ok_or(short(head + length, rest.len()))?;
        self.at = start + head + length;
        Ok(Tlv { tag, at: start, value })
    }
}

/// A tag and its length; none when it is cut short or longer than [`TAG_LEN_MAX`].
fn tag(bytes: &[u8]) -> Option<(u32, usize)> {
    let first = *bytes.first()?;
    if first & 0x1F != 0x1F {
        return Some((u32::from(first), 1));
    }
    let mut tag = u32::from(first);
    for (at, byte) in bytes.iter().enumerate().take(TAG_LEN_MAX).skip(1) {
        tag = tag << 8 | u32::from(*byte);
        if byte & 0x80 == 0 {
            return Some((tag, at + 1));
        }
    }
    None
}

/// The tag that some bytes are; none where they are not exactly one, or would be read as filling.
pub(super) fn tag_of(bytes: &[u8]) -> Option<u32> {
    let (tag, len) = tag(bytes)?;
    (len == bytes.len() && bytes[0] != 0).then_some(tag)
}

/// A length and the bytes it takes; none when it is cut short, indefinite or absurd.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.first()?;
    if first & 0x80 == 0 {
        return Some((usize::from(first), 1));
    }
    let more = usize::from(first & 0x7F);
    if more == 0 || more > LENGTH_LEN_MAX {
        return None;
    }
    let length = bytes.get(1..=more)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    Some((length, 1 + more))
}

/// Appends a tag.
///
/// Shape:  `tag` is the tag's bytes; the shortest form of the length is written.
/// Errors: false, and nothing appended, when `tag` is not exactly one tag, when it would be read as
///         filling, or when the value is longer than a length of three bytes can say.
pub fn write(tag_bytes: &[u8], value: &[u8], out: &mut BytesMut) -> bool {
    let is_one_tag = tag(tag_bytes).is_some_and(|(_, len)| len == tag_bytes.len());
    let Ok(length) = u32::try_from(value.len()) else { return false };
    if !is_one_tag || length > 0xFF_FFFF || filling::hides(tag_bytes, value) {
        return false;
    }
    out.put_slice(tag_bytes);
    let bytes = length.to_be_bytes();
    match length {
        0..=0x7F => out.put_slice(&bytes[3..]),
        0x80..=0xFF => out.put_slice(&[0x81, bytes[3]]),
        0x100..=0xFFFF => out.put_slice(&[0x82, bytes[2], bytes[3]]),
        _ => out.put_slice(&[0x83, bytes[1], bytes[2], bytes[3]]),
    }
    out.put_slice(value);
    true
}

/// A tag in upper-case hexadecimal, such as `9F26`.
pub fn tag_name(tag: u32) -> String {
    let bytes = tag.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
    hex::encode_upper(&bytes[first..])
}

/// What people call a tag; empty where it is not known here.
pub fn tag_label(name: &str) -> &'static str {
    LABELS.binary_search_by(|(tag, _)| (*tag).cmp(name)).map_or("", |at| LABELS[at].1)
}

/// Names of tags, ascending. Source: EMV Book 3, annex A.
const LABELS: [(&str, &str); 55] = [
    ("4F", "application identifier"),
    ("50", "application label"),
    ("57", "track 2 equivalent data"),
    ("5A", "application PAN"),
    ("5F20", "cardholder name"),
    ("5F24", "application expiration date"),
    ("5F25", "application effective date"),
    ("5F28", "issuer country code"),
    ("5F2A", "transaction currency code"),
    ("5F2D", "language preference"),
    ("5F34", "PAN sequence number"),
    ("71", "issuer script template 1"),
    ("72", "issuer script template 2"),
    ("82", "application interchange profile"),
    ("84", "dedicated file name"),
    ("8A", "authorisation response code"),
    ("8E", "cardholder verification method list"),
    ("91", "issuer authentication data"),
    ("95", "terminal verification results"),
    ("9A", "transaction date"),
    ("9B", "transaction status information"),
    ("9C", "transaction type"),
    ("9F02", "amount, authorised"),
    ("9F03", "amount, other"),
    ("9F06", "application identifier, terminal"),
    ("9F07", "application usage control"),
    ("9F08", "application version number, card"),
    ("9F09", "application version number, terminal"),
    ("9F0D", "issuer action code, default"),
    ("9F0E", "issuer action code, denial"),
    ("9F0F", "issuer action code, online"),
    ("9F10", "issuer application data"),
    ("9F12", "application preferred name"),
    ("9F15", "merchant category code"),
    ("9F16", "merchant identifier"),
    ("9F1A", "terminal country code"),
    ("9F1C", "terminal identification"),
    ("9F1E", "interface device serial number"),
    ("9F1F", "track 1 discretionary data"),
    ("9F21", "transaction time"),
    ("9F26", "application cryptogram"),
    ("9F27", "cryptogram information data"),
    ("9F33", "terminal capabilities"),
    ("9F34", "cardholder verification method results"),
    ("9F35", "terminal type"),
    ("9F36", "application transaction counter"),
    ("9F37", "unpredictable number"),
    ("9F39", "point-of-service entry mode"),
    ("9F40", "additional terminal capabilities"),
    ("9F41", "transaction sequence counter"),
    ("9F4C", "ICC dynamic number"),
    ("9F53", "transaction category code"),
    ("9F5B", "issuer script results"),
    ("9F6E", "form factor indicator"),
    ("9F7C", "customer exclusive data"),
];

#[cfg(test)]
mod tests;
