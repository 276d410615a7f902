//! What can be wrong with a journal.

use std::io;

use router::id::Lane;

use super::FrameFault;

/// The fault of a journal. Segments are named by their first sequence, offsets in bytes.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Bytes were changed.
    #[error("segment {segment:020} is damaged at offset {offset}: {fault}")]
    Frame {
        /// First sequence of the segment.
        segment: u64,
        /// Offset in it.
        offset: u64,
        /// The fault.
        fault: FrameFault,
    },
    /// A frame's chain hash does not follow from what stands before it.
    #[error("segment {segment:020} breaks the hash chain at offset {offset}")]
    Chain {
        /// First sequence of the segment.
        segment: u64,
        /// Offset in it.
        offset: u64,
    },
    /// Records are missing or doubled.
    #[error(
        "segment {segment:020} goes on with record {found} at offset {offset}, \
         record {expected} is missing"
    )]
    Gap {
        /// First sequence of the segment.
        segment: u64,
        /// Offset in it.
        offset: u64,
        /// The record that should follow.
        expected: u64,
        /// The record that does.
        found: u64,
    },
    /// A whole segment is missing.
    #[error("the segment that begins with record {expected} is missing, the next is {found:020}")]
    MissingSegment {
        /// The record it should begin with.
        expected: u64,
        /// The segment found instead.
        found: u64,
    },
    /// The oldest segments were removed, and with them the file that says what stood before.
    #[error(
        "the journal begins with record {first}, and the file `beginning`, which says what stood \
         before it, is missing"
    )]
    NoBeginning {
        /// The first record that is there.
        first: u64,
    },
    /// The file that says what stood before the oldest segment is not as it was written.
    #[error("the file `beginning`, which says what stood before the oldest segment, was changed")]
    Beginning {
        /// How that shows.
        source: Box<crate::SnapshotError>,
    },
    /// The record was removed, since it was older than records are kept.
    #[error("record {sequence} is no longer kept: the journal begins with record {first}")]
    Removed {
        /// The record asked for.
        sequence: u64,
        /// The first record that is there.
        first: u64,
    },
    /// There is no such record.
    #[error("the journal ends with record {end}, before record {sequence}")]
    NotReached {
        /// The record asked for.
        sequence: u64,
        /// The journal's last record.
        end: u64,
    },
    /// The end was cut off.
    #[error("the journal ends with record {end}, before its head anchor at {anchored}")]
    CutTail {
        /// Its last record.
        end: u64,
        /// The last record it once had for certain.
        anchored: u64,
    },
    /// The journal says something else than it did when it was anchored.
    #[error("the journal up to record {sequence} differs from its head anchor")]
    Rewritten {
        /// The anchored record.
        sequence: u64,
    },
    /// A record within a whole frame cannot be read.
    #[error("record {sequence} cannot be read")]
    Record {
        /// The record.
        sequence: u64,
        /// Why.
        source: crate::record::DecodeError,
    },
    /// A record posts what does not balance.
    #[error("record {sequence}, of kind `{kind}`, breaks the ledger")]
    Entry {
        /// The record.
        sequence: u64,
        /// Its kind.
        kind: &'static str,
        /// On which account, and by how much.
        source: Box<router::posting::EntryError>,
    },
    /// A record posts something else than it should, or moves a balance without an entry.
    #[error("record {sequence}, of kind `{kind}`, breaks the ledger")]
    Ledger {
        /// The record.
        sequence: u64,
        /// Its kind.
        kind: &'static str,
        /// On which account, and by how much.
        source: Box<router::invariant::Violation>,
    },
    /// The books do not balance, though no single record breaks them; or a snapshot's do not.
    #[error("the ledger does not balance at record {sequence}")]
    Books {
        /// The last record taken.
        sequence: u64,
        /// On which account, and by how much.
        source: Box<router::invariant::Violation>,
    },
    /// A record cannot follow the ones before it.
    #[error("record {sequence} cannot follow")]
    Step {
        /// The record.
        sequence: u64,
        /// Why.
        source: router::payment::IllegalStep,
    },
    /// An event of a subject that this build knows does not follow the subject's version.
    #[error("record {sequence} cannot follow")]
    Event {
        /// The record.
        sequence: u64,
        /// The subject, and the version that had to come.
        source: Box<router::event::StaleVersion>,
    },
    /// A frame of a lane was changed.
    #[error("lane {lane} is damaged at record {sequence}: {fault}")]
    LaneFrame {
        /// The lane.
        lane: Lane,
        /// The record the frame should begin with.
        sequence: u64,
        /// The fault.
        fault: FrameFault,
    },
    /// A frame of a lane does not follow from the ones before it.
    #[error("lane {lane} breaks the hash chain at record {sequence}")]
    LaneChain {
        /// The lane.
        lane: Lane,
        /// The first record of the frame.
        sequence: u64,
    },
    /// A frame of a lane is missing.
    #[error(
        "lane {lane} has no frame that begins with record {expected}, though its head is {head}"
    )]
    LaneGap {
        /// The lane.
        lane: Lane,
        /// The record that should follow.
        expected: u64,
        /// The last record that counts.
        head: u64,
    },
    /// The servers cannot be asked.
    #[error("the journal cannot be read")]
    Remote(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The files cannot be read.
    #[error("the journal cannot be read")]
    Io(#[from] io::Error),
}
