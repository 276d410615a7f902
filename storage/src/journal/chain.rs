//! The hash chain over frames.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use router::id::Lane;

/// Bits of a position within its lane.
const LANE_SHIFT: u32 = 48;

/// SHA-256 over everything up to a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chain(pub [u8; 32]);

impl Chain {
    /// Before the first frame.
    pub const ZERO: Self = Self([0; 32]);

    pub(crate) fn next(&self, first_sequence: u64, count: u32, body: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(&first_sequence.to_le_bytes());
        context.update(&count.to_le_bytes());
        context.update(body);
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far a journal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its last record; 0 when there is none.
    pub sequence: u64,
    /// The chain over all frames up to it.
    pub chain: Chain,
}

impl Head {
    /// Of an empty journal.
    pub const ZERO: Self = Self { sequence: 0, chain: Chain::ZERO };

    /// Of an empty lane: positions carry the lane in their upper 16 bits, so that each is
    /// unique among all lanes.
    pub fn of_lane(lane: Lane) -> Self {
        Self { sequence: u64::from(lane.0) << LANE_SHIFT, chain: Chain::ZERO }
    }

    /// The lane of a position.
    pub fn lane_of(sequence: u64) -> Lane {
        let [high, low, ..] = sequence.to_be_bytes();
        Lane(u16::from_be_bytes([high, low]))
    }
}
