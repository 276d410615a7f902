//! Taking the journal of one machine into the cluster, as lane 0: its positions are that lane's.

use router::id::Lane;
use storage::guard::GateEpoch;
use storage::journal::{Damage, Head, TailFrame};

use super::write::{GIVE_UP_AFTER, LaneEpoch, Moved, Pace, insert, move_head};
use crate::lane::{LaneCreation, LaneRow, Owner, create};
use crate::session::{Cql, CqlError};

/// Bytes of frames that one move of the head covers.
const BATCH_BYTES: usize = 4 << 20;
const OWNER: &str = "import";

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Frames that were written now.
    pub frames: u64,
    /// Records that were written now.
    pub records: u64,
    /// How far the lane reaches.
    pub head: Head,
}

/// Why a journal was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The lane belongs to a node already.
    #[error("lane {lane} is {owner}'s already: a journal is imported before any node begins")]
    Owned {
        /// The lane.
        lane: Lane,
        /// Whose it is.
        owner: Box<str>,
    },
    /// Another journal was imported before.
    #[error("lane {lane} holds another journal, up to record {head}")]
    OtherJournal {
        /// The lane.
        lane: Lane,
        /// How far it reaches.
        head: u64,
    },
    /// The journal is damaged.
    #[error(transparent)]
    Journal(#[from] Damage),
    /// The servers did not do as asked.
    #[error(transparent)]
    Cql(#[from] CqlError),
}

/// Writes the frames of a journal, from its first on, as a lane that nobody owns yet: a node then
/// takes it as it would a dead node's. Repeated, it goes on where it ended.
///
/// Errors: the lane is owned by a node or holds another journal; the journal's frames do not
/// follow each other.
pub fn import(
    cql: &Cql,
    lane: Lane,
    frames: impl Iterator<Item = Result<TailFrame, Damage>>,
) -> Result<Imported, ImportError> {
    let owner = Owner { node: OWNER.into(), incarnation: 0 };
    let created = cql.block_on(create(cql, lane, OWNER, &owner, GateEpoch::default()))?;
    let row = match created {
        LaneCreation::Created(row) => row,
        LaneCreation::Exists(row) => {
            return Err(ImportError::Owned { lane, owner: row.owner.to_string().into() });
        }
    };
    let mut run =
        ImportRun { cql, there: row, head: Head::of_lane(lane), batch: Vec::new(), len: 0 };
    let mut imported = Imported { frames: 0, records: 0, head: run.head };
    for frame in frames {
        let frame = frame?;
        if !frame.follows(&run.head) {
            return Err(Damage::LaneChain { lane, sequence: frame.first_sequence }.into());
        }
        let is_new = run.take(&frame)?;
        imported.frames += u64::from(is_new);
        imported.records += u64::from(frame.count) * u64::from(is_new);
    }
    run.flush()?;
    if run.head.sequence < run.there.head.sequence {
        return Err(run.other());
    }
    Ok(Imported { head: run.head, ..imported })
}

struct ImportRun<'a> {
    cql: &'a Cql,
    /// The lane as far as it is written.
    there: LaneRow,
    /// How far the journal was read.
    head: Head,
    batch: Vec<(u64, Vec<u8>)>,
    len: usize,
}

impl ImportRun<'_> {
    /// Takes the next frame; false where the lane has it already.
    fn take(&mut self, frame: &TailFrame) -> Result<bool, ImportError> {
        let there = self.there.head;
        self.head = frame.head();
        if frame.first_sequence <= there.sequence {
            let is_same = match self.head.sequence {
                end if end < there.sequence => true,
                _ => self.head == there,
            };
            return if is_same { Ok(false) } else { Err(self.other()) };
        }
        let bytes = frame.to_bytes();
        self.len += bytes.len();
        self.batch.push((frame.first_sequence, bytes));
        if self.len >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(true)
    }

    /// Writes the frames that wait, then moves the head over all of them.
    fn flush(&mut self) -> Result<(), ImportError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let place = LaneEpoch { lane: self.there.lane, epoch: self.there.epoch };
        let batch: Vec<_> = self.batch.iter().map(|(first, bytes)| (*first, &**bytes)).collect();
        let (there, head) = (self.there.head, self.head);
        let moved = self.cql.block_on(async {
            let mut deadline = self.cql.trying_for(GIVE_UP_AFTER);
            let mut pace = Pace::default();
            insert(self.cql, place, &batch, (&mut pace, &mut deadline)).await?;
            let guard_epoch = self.there.guard_epoch;
            move_head(self.cql, place, guard_epoch, (&there, &head), &mut deadline).await
        })?;
        match moved {
            Moved::There => {}
            Moved::OtherGuard(row) | Moved::Lost(row) => {
                let owner = row.owner.to_string().into();
                return Err(ImportError::Owned { lane: row.lane, owner });
            }
        }
        self.there.head = head;
        self.batch.clear();
        self.len = 0;
        Ok(())
    }

    fn other(&self) -> ImportError {
        ImportError::OtherJournal { lane: self.there.lane, head: self.there.head.sequence }
    }
}
