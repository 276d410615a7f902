//! The backend of a lane: frames written plainly, the head moved by one conditional update each.

use std::time::Duration;

use bytes::Bytes;
use storage::guard::GateEpoch;
use storage::journal::{Backend, BackendError, Frame, Head};

use super::LaneTail;
use super::write::{GIVE_UP_AFTER, LaneEpoch, Moved, Pace, insert, move_head};
use crate::lane::{LaneRow, LaneSignals, LaneTakeover, fence, regain};
use crate::session::{Cql, CqlError, Deadline};

/// Appends to one lane, as its owner.
///
/// Never are two updates of the head under way at once, nor is a frame written that does not follow
/// the head.
pub struct LaneBackend {
    cql: Cql,
    row: LaneRow,
    shared: LaneSignals,
    pace: Pace,
    give_up_after: Duration,
}

impl LaneBackend {
    /// Of a lane that was just taken or made: `row` is what that gave.
    pub fn new(cql: &Cql, row: LaneRow) -> Self {
        let shared = LaneSignals::new(&row);
        let (cql, pace, give_up_after) = (cql.clone(), Pace::default(), GIVE_UP_AFTER);
        Self { cql, row, shared, pace, give_up_after }
    }

    /// How long a frame is tried before the writer gives up for good; a minute unless told.
    #[must_use]
    pub fn give_up_after(mut self, give_up_after: Duration) -> Self {
        self.give_up_after = give_up_after;
        self
    }

    /// The lane as this writer knows it.
    pub fn row(&self) -> &LaneRow {
        &self.row
    }

    /// Reads behind this writer, after a record: what was appended of late without asking the
    /// servers.
    pub fn tail(&self, after: u64) -> LaneTail {
        LaneTail::behind(&self.cql, self.shared.clone(), after)
    }

    async fn write(&mut self, frame: &Frame<'_>) -> Result<(), BackendError> {
        if *frame.previous != self.row.head {
            return Err(BackendError::Unavailable {
                doing: "continued",
                detail: format!("the lane's head is {}", self.row.head.sequence).into(),
            });
        }
        let first = frame.previous.sequence + 1;
        let mut deadline = self.cql.trying_for(self.give_up_after);
        loop {
            let place = LaneEpoch { lane: self.row.lane, epoch: self.row.epoch };
            let frames = [(first, frame.bytes)];
            let tried = (&mut self.pace, &mut deadline);
            insert(&self.cql, place, &frames, tried).await.map_err(failed("written"))?;
            let guard_epoch = frame.decided_under.unwrap_or(self.row.guard_epoch);
            match self.advance(place, guard_epoch, frame, &mut deadline).await? {
                Advanced::There => {
                    self.row.guard_epoch = guard_epoch;
                    self.row.head = *frame.head;
                    let bytes = Bytes::copy_from_slice(frame.bytes);
                    self.shared.appended(first, bytes, *frame.head);
                    return Ok(());
                }
                Advanced::Fenced => {
                    if let Some(decided_under) = frame.decided_under {
                        return Err(BackendError::Fenced { decided_under });
                    }
                }
            }
        }
    }

    /// Moves the head over a frame that is written, or finds that it cannot be under that guard.
    async fn advance(
        &mut self,
        place: LaneEpoch,
        guard_epoch: GateEpoch,
        frame: &Frame<'_>,
        deadline: &mut Deadline,
    ) -> Result<Advanced, BackendError> {
        loop {
            let heads: (&Head, &Head) = (frame.previous, frame.head);
            let moved = move_head(&self.cql, place, guard_epoch, heads, deadline).await;
            match moved.map_err(failed("moved on"))? {
                Moved::There => return Ok(Advanced::There),
                Moved::Lost(row) => return Err(lost(&row)),
                // The lane was made while the guard's epoch changed, and nobody has told it yet.
                Moved::OtherGuard(row) if row.guard_epoch < guard_epoch => {
                    let fenced = fence(&self.cql, place.lane, guard_epoch).await;
                    fenced.map_err(failed("fenced"))?;
                }
                Moved::OtherGuard(row) => {
                    self.row = self.regained(&row).await?;
                    self.shared.set_reach(&self.row);
                    return Ok(Advanced::Fenced);
                }
            }
        }
    }

    /// Under the next epoch of the lane, so that the frame written under this one counts for
    /// nothing: what is appended next begins with the same record.
    async fn regained(&self, row: &LaneRow) -> Result<LaneRow, BackendError> {
        match regain(&self.cql, row).await.map_err(failed("regained"))? {
            LaneTakeover::Taken(row) => Ok(row),
            LaneTakeover::Lost(row) => Err(lost(&row)),
        }
    }
}

enum Advanced {
    There,
    Fenced,
}

impl Backend for LaneBackend {
    fn append(&mut self, frame: &Frame<'_>) -> Result<(), BackendError> {
        let cql = self.cql.clone();
        cql.block_on(self.write(frame))
    }

    fn guard_epoch(&self) -> GateEpoch {
        self.row.guard_epoch
    }

    /// The head of the lane's row is the anchor.
    fn anchor(&mut self, _head: &Head) -> Result<(), BackendError> {
        Ok(())
    }
}

fn lost(row: &LaneRow) -> BackendError {
    BackendError::LaneLost { lane: row.lane, owner: row.owner.to_string().into() }
}

fn failed(doing: &'static str) -> impl FnOnce(CqlError) -> BackendError {
    move |error| {
        let mut detail = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            detail.push_str(": ");
            detail.push_str(&error.to_string());
            source = error.source();
        }
        BackendError::Unavailable { doing, detail: detail.into() }
    }
}
