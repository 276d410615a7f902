//! One frame: the records of one group commit.

use super::{Chain, Head};
use crate::guard::GateEpoch;

pub(crate) const HEADER_LEN: usize = 56;
pub(super) const MAGIC: &[u8; 4] = b"CFRM";
const CRC_AT: usize = 8;

/// A frame ready to be made durable.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Header and body.
    pub bytes: &'a [u8],
    /// Where the journal stood before.
    pub previous: &'a Head,
    /// Where it stands with this frame.
    pub head: &'a Head,
    /// Under which epoch of the guard its payments were admitted; none when it admits none.
    pub decided_under: Option<GateEpoch>,
}

/// A frame's header as it was read; not yet checked against the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub body_len: usize,
    pub crc: u32,
    pub count: u32,
    pub first_sequence: u64,
    pub chain: Chain,
}

/// Fills in the header before the records in `frame`; gives the head after it.
pub(super) fn seal(previous: &Head, count: u32, frame: &mut [u8]) -> Head {
    let first_sequence = previous.sequence + 1;
    let chain = previous.chain.next(first_sequence, count, &frame[HEADER_LEN..]);
    put_header((first_sequence, count, chain), frame);
    Head { sequence: previous.sequence + u64::from(count), chain }
}

/// Fills in the header before the body in `frame`, its checksum last.
pub(super) fn put_header((first_sequence, count, chain): (u64, u32, Chain), frame: &mut [u8]) {
    let (header, body) = frame.split_at_mut(HEADER_LEN);
    let body_len = u32::try_from(body.len()).expect("invariant: a frame has its ceiling");
    header[..4].copy_from_slice(MAGIC);
    header[4..8].copy_from_slice(&body_len.to_le_bytes());
    header[12..16].copy_from_slice(&count.to_le_bytes());
    header[16..24].copy_from_slice(&first_sequence.to_le_bytes());
    header[24..56].copy_from_slice(&chain.0);
    let crc = checksum(header, body);
    header[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

pub(super) fn checksum(header: &[u8], body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&header[4..CRC_AT]);
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &header[CRC_AT + 4..]), body)
}

/// Reads a header; none without the magic.
pub(super) fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Header> {
    let u32_at =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut first_sequence = [0; 8];
    first_sequence.copy_from_slice(&bytes[16..24]);
    let mut chain = [0; 32];
    chain.copy_from_slice(&bytes[24..56]);
    (&bytes[..4] == MAGIC).then(|| Header {
        body_len: crate::packing::to_usize(u32_at(4)),
        crc: u32_at(CRC_AT),
        count: u32_at(12),
        first_sequence: u64::from_le_bytes(first_sequence),
        chain: Chain(chain),
    })
}
