//! The frames of a lane: appended, read behind the writer, verified, imported.
//!
//! A frame is written plainly, in parts; then the lane's head is moved over it by one small
//! conditional update, which is what makes it part of the journal. So a frame counts if it begins
//! at or before the head and was written under the epoch that the lane's `starts` give for it; what
//! a fenced writer left is not deleted, it just counts for nothing.

mod backend;
mod import;
mod read;
mod tail;
mod verify;
mod write;

use router::id::Lane;

pub use backend::LaneBackend;
pub use import::{ImportError, Imported, import};
pub(crate) use read::records_from;
pub use tail::LaneTail;
pub use verify::{LaneRecords, LaneReport, balances, records, verify};

/// Bits of a position within its lane.
const LANE_BITS: u32 = 48;
/// Records of one segment, as a power of two.
const SEGMENT_BITS: u32 = 15;
/// Largest part of a frame: larger cells make the servers' heaps suffer.
const PART_BYTES_MAX: usize = 64 * 1024;

/// The partition of the frame that begins with a record.
fn segment_of(sequence: u64) -> u64 {
    (sequence & ((1 << LANE_BITS) - 1)) >> SEGMENT_BITS
}

/// The first position of a segment.
fn first_of(lane: Lane, segment: u64) -> u64 {
    (u64::from(lane.0) << LANE_BITS) | (segment << SEGMENT_BITS)
}

/// The last position of a segment.
fn last_of(lane: Lane, segment: u64) -> u64 {
    first_of(lane, segment) | ((1 << SEGMENT_BITS) - 1)
}
