//! The journal: frames of records, chained by hash, made durable one group at a time.
//!
//! ```text
//! journal/00000000000000000001.log     segment: header 64 bytes, then frames
//! frame = "CFRM" · body length u32 · crc32c u32 · records u32 · first sequence u64 · chain 32
//!         · body (the records, one after another)
//! chain = SHA-256(previous chain · first sequence · records · body)
//! ```
//! Integers are little-endian. The checksum covers everything of the frame but the magic and
//! itself. A segment's file is written ahead with zeros, and what is still zero behind its last frame
//! is no part of the journal. A frame that is not whole at the very end was never acknowledged and is
//! cut; damage anywhere else is an error that names its place.

mod ahead;
mod anchor;
mod chain;
mod damage;
mod files;
mod frame;
mod lookup;
pub(crate) mod reader;
mod segment;
mod tail;
mod walk;

use router::id::Lane;

pub(crate) use anchor::read_anchor;
pub use chain::{Chain, Head};
pub use damage::Damage;
pub(crate) use files::{Files, SegmentEnd};
pub use frame::Frame;
pub(crate) use frame::HEADER_LEN as FRAME_HEADER_LEN;
pub use lookup::FrameRecords;
pub(crate) use lookup::{FramePlace, PLACE_EVERY, RecordReader};
pub use reader::FrameFault;
pub(crate) use reader::{SegmentReader, Step};
pub(crate) use segment::{dir_of, list, path_of, sync_dir};
pub(crate) use tail::FileTail;
pub use tail::{Tail, TailFrame, tail_after};
pub use walk::Torn;
pub(crate) use walk::{End, Walked, cut, walk};

use crate::guard::GateEpoch;

/// Why a frame may not be durable. Never tried again: after a failed sync the kernel may have
/// dropped the pages and a second sync would lie.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The disk refused.
    #[error("the journal cannot be {doing}")]
    Io {
        /// The operation: `written`, `synced`, …
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The guard's epoch has changed since the frame's payments were admitted.
    #[error("admitted under guard epoch {}, which is over", decided_under.0)]
    Fenced {
        /// The epoch that is over.
        decided_under: GateEpoch,
    },
    /// Another node has taken the lane.
    #[error("lane {lane} was taken over by {owner}")]
    LaneLost {
        /// The lane.
        lane: Lane,
        /// The process that has it now.
        owner: Box<str>,
    },
    /// The servers did not answer for too long.
    #[error("the journal cannot be {doing}: {detail}")]
    Unavailable {
        /// The operation.
        doing: &'static str,
        /// The cause, as far as it is known.
        detail: Box<str>,
    },
}

/// Where frames are made durable: a segment file here, a lane of rows elsewhere.
pub trait Backend: Send {
    /// Returns when the frame is durable.
    ///
    /// Errors: [`BackendError::Fenced`] says that nothing of the frame is or will be in the
    /// journal, and that other frames may be appended. All others are final: whether the frame is
    /// there is decided by the next start; nothing more may be appended.
    fn append(&mut self, frame: &Frame<'_>) -> Result<(), BackendError>;

    /// The earliest epoch of the guard whose decisions the journal still took when it was last
    /// appended to.
    fn guard_epoch(&self) -> GateEpoch {
        GateEpoch::ONLY
    }

    /// Notes how far the journal certainly reaches, so that a cut end shows.
    fn anchor(&mut self, head: &Head) -> Result<(), BackendError>;

    /// Notes where the journal ends; nothing is appended after it.
    fn close(&mut self, head: &Head) -> Result<(), BackendError> {
        self.anchor(head)
    }
}

/// The writing end: numbers records, chains frames, hands them to its backend.
pub(crate) struct Journal<B> {
    backend: B,
    head: Head,
    frame: Vec<u8>,
}

impl<B: Backend> Journal<B> {
    pub fn new(backend: B, head: Head) -> Self {
        Self { backend, head, frame: Vec::new() }
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// As [`Backend::guard_epoch`].
    pub fn guard_epoch(&self) -> GateEpoch {
        self.backend.guard_epoch()
    }

    /// Starts a frame.
    pub fn begin(&mut self) {
        self.frame.clear();
        self.frame.resize(FRAME_HEADER_LEN, 0);
    }

    /// The frame: room for its header, then the records appended so far.
    pub fn frame_mut(&mut self) -> &mut Vec<u8> {
        &mut self.frame
    }

    /// Makes the frame begun durable; it must hold `count` > 0 records.
    pub fn commit(
        &mut self,
        count: u32,
        decided_under: Option<GateEpoch>,
    ) -> Result<(), BackendError> {
        let next = frame::seal(&self.head, count, &mut self.frame);
        let frame = Frame { bytes: &self.frame, previous: &self.head, head: &next, decided_under };
        self.backend.append(&frame)?;
        self.head = next;
        Ok(())
    }

    pub fn anchor(&mut self) -> Result<(), BackendError> {
        self.backend.anchor(&self.head)
    }

    pub fn close(&mut self) -> Result<(), BackendError> {
        self.backend.close(&self.head)
    }
}
