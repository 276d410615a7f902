//! What stands between the length and the message: whom a message is from and for.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::FrameError;

/// Bytes of a BASE1-like header of a message that was not rejected.
const BASE1_LEN: usize = 22;
/// Bytes of a BASE1-like header that tells a reject code, at least.
const BASE1_REJECT_LEN: usize = 26;
/// Where a BASE1-like header keeps the length of itself and the message.
const BASE1_TOTAL: Range<usize> = 3..5;
/// Where it keeps the station a message is for; the one it is from follows.
const BASE1_DESTINATION: usize = 5;
/// The bit of byte 1 that says another header follows; the bit of byte 22 that says rejected.
const BASE1_FLAG: u8 = 0x80;

/// What stands between the length and the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderKind {
    /// Nothing.
    None,
    /// This many bytes nobody looks at, 1 to 255; a reply has the same.
    Fixed(u8),
    /// A transport protocol data unit header of five bytes: protocol, destination, source.
    Tpdu,
    /// A header whose first byte is its own length, 22 as a rule. The stations are three bytes of
    /// BCD each: destination at 5, source at 8. Where the first bit of byte 1 is set, the header
    /// belongs to a rejected message and that message's own header follows it.
    Base1,
}

/// The header of one frame, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    kind: HeaderKind,
    raw: Bytes,
}

impl HeaderKind {
    /// Bytes of a TPDU: protocol, destination (2), source (2).
    pub const TPDU_LEN: u8 = 5;

    /// Bytes the shortest such header takes.
    pub(super) fn len_min(self) -> usize {
        match self {
            Self::None => 0,
            Self::Fixed(len) => len.into(),
            Self::Tpdu => Self::TPDU_LEN.into(),
            Self::Base1 => BASE1_LEN,
        }
    }

    /// Bytes the longest such header takes; for a rejected message that is two of 255.
    pub(super) fn len_max(self) -> usize {
        match self {
            Self::Base1 => 2 * usize::from(u8::MAX),
            Self::None | Self::Fixed(_) | Self::Tpdu => self.len_min(),
        }
    }

    /// How long the header is that `bytes` begin with; none where they are too few to tell.
    ///
    /// Errors: `BadHeader`, its offset counted from `at`.
    pub(super) fn measure(self, bytes: &[u8], at: usize) -> Result<Option<usize>, FrameError> {
        if self != Self::Base1 {
            return Ok((bytes.len() >= self.len_min()).then_some(self.len_min()));
        }
        let Some(first) = base1_len(bytes, at)? else { return Ok(None) };
        if bytes[1] & BASE1_FLAG == 0 {
            return Ok(Some(first));
        }
        let second = base1_len(&bytes[first..], at + first)?;
        Ok(second.map(|second| first + second))
    }

    /// Completes a header that was written in front of `message_len` bytes: a BASE1-like one keeps
    /// the total. A total of more than its two bytes is written as the most they hold; the length
    /// of two bytes in front of such a header refuses that frame anyway.
    pub(super) fn complete(self, written: &mut [u8], message_len: usize) {
        if self == Self::Base1 {
            let total = u16::try_from(written.len() + message_len).unwrap_or(u16::MAX);
            written[BASE1_TOTAL].copy_from_slice(&total.to_be_bytes());
        }
    }

    /// The header of what a side sends unasked and knows no stations for.
    pub(super) fn blank(self) -> Option<Header> {
        let raw = match self {
            Self::None => return None,
            Self::Fixed(len) => Bytes::from(vec![0; len.into()]),
            // Protocol 60, no network address.
            Self::Tpdu => Bytes::from_static(&[0x60, 0, 0, 0, 0]),
            Self::Base1 => {
                let mut bytes = [0; BASE1_LEN];
                // Length, header format 1, text format 2.
                bytes[..3].copy_from_slice(&[22, 1, 2]);
                Bytes::copy_from_slice(&bytes)
            }
        };
        Some(Header { kind: self, raw })
    }
}

/// One BASE1-like header's length; none where `bytes` end before the header does.
fn base1_len(bytes: &[u8], at: usize) -> Result<Option<usize>, FrameError> {
    let Some(first) = bytes.first() else { return Ok(None) };
    let len = usize::from(*first);
    if len < BASE1_LEN {
        return Err(FrameError::BadHeader { offset: at });
    }
    Ok((bytes.len() >= len).then_some(len))
}

impl Header {
    /// A header from its bytes.
    ///
    /// Errors: `HeaderMismatch` where they are no header of this kind.
    pub fn new(kind: HeaderKind, raw: Bytes) -> Result<Self, FrameError> {
        match kind.measure(&raw, 0) {
            Ok(Some(len)) if len == raw.len() && len > 0 => Ok(Self { kind, raw }),
            _ => Err(FrameError::HeaderMismatch),
        }
    }

    /// A header cut from a frame, which was measured.
    pub(super) fn measured(kind: HeaderKind, raw: Bytes) -> Option<Self> {
        (kind != HeaderKind::None).then_some(Self { kind, raw })
    }

    /// Its kind.
    pub fn kind(&self) -> HeaderKind {
        self.kind
    }

    /// Its bytes as they came; of a rejected message both headers, the reject's first.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Whether the network sends back a message of ours that it did not take. It is nothing to be
    /// answered: the message behind it is our own.
    pub fn is_rejected(&self) -> bool {
        self.kind == HeaderKind::Base1
            && (self.raw[1] & BASE1_FLAG != 0 || self.reject_code().is_some())
    }

    /// Why a message was rejected, four digits, where the header says so: its byte 22 has the
    /// first bit set and bytes 24 and 25 hold the code in BCD.
    pub fn reject_code(&self) -> Option<u16> {
        let says = self.kind == HeaderKind::Base1
            && usize::from(self.raw[0]) >= BASE1_REJECT_LEN
            && self.raw[22] & BASE1_FLAG != 0;
        let pair = |byte: u8| u16::from(byte >> 4) * 10 + u16::from(byte & 0x0F);
        says.then(|| pair(self.raw[24]) * 100 + pair(self.raw[25]))
    }

    /// The header of the reply: source and destination swapped where the kind has them.
    ///
    /// Of a rejected message, the reply to its own header, without what told the reject.
    pub fn reply(&self) -> Self {
        let raw = match self.kind {
            HeaderKind::None | HeaderKind::Fixed(_) => self.raw.clone(),
            HeaderKind::Tpdu => swapped(&self.raw, 1, 2),
            HeaderKind::Base1 => {
                let first = usize::from(self.raw[0]);
                let last = self.raw.get(first..).filter(|second| !second.is_empty());
                let mut plain = [0; BASE1_LEN];
                plain.copy_from_slice(&last.unwrap_or(&self.raw)[..BASE1_LEN]);
                plain[0] = 22;
                plain[1] &= !BASE1_FLAG;
                swapped(&plain, BASE1_DESTINATION, 3)
            }
        };
        Self { kind: self.kind, raw }
    }
}

/// A copy with two neighbouring parts of `len` bytes swapped.
fn swapped(raw: &[u8], at: usize, len: usize) -> Bytes {
    let mut out = BytesMut::from(raw);
    out[at..at + 2 * len].rotate_left(len);
    out.freeze()
}
