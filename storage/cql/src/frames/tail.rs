//! Reads a lane's frames in order, behind its writer, here or on another node.

use std::collections::VecDeque;

use router::id::Lane;
use storage::journal::{Damage, Head, Tail, TailFrame};

use super::read::{find, frames, oldest};
use crate::lane::{LaneExtent, LaneSignals, known};
use crate::session::{Cql, CqlError};

/// The reading end of a lane.
pub struct LaneTail {
    cql: Cql,
    shared: LaneSignals,
    /// Read ahead, up to the head as it was then.
    ahead: VecDeque<TailFrame>,
    next_sequence: u64,
    /// Whether the next frame begins with `next_sequence`; before the first it may begin earlier.
    is_at_frame: bool,
}

impl LaneTail {
    /// Reads on after a record, up to the head as it is now and as [`LaneTail::refresh`] finds it.
    ///
    /// Errors: no such lane; the servers do not answer.
    pub fn open(cql: &Cql, lane: Lane, after: u64) -> Result<Self, CqlError> {
        let row = cql.block_on(known(cql, lane))?;
        Ok(Self::behind(cql, LaneSignals::new(&row), after))
    }

    /// Reads a lane from its first record that is kept. Where rows are kept for ever, that is its
    /// first.
    pub(super) fn whole(cql: &Cql, lane: Lane) -> Result<Self, CqlError> {
        let start = Head::of_lane(lane).sequence;
        let mut tail = Self::open(cql, lane, start)?;
        if !cql.settings().retention.is_zero() {
            let first = cql.block_on(oldest(cql, &tail.shared.reach()))?;
            tail.next_sequence = first.max(start + 1);
        }
        Ok(tail)
    }

    pub(crate) fn behind(cql: &Cql, shared: LaneSignals, after: u64) -> Self {
        let lane = shared.reach().lane;
        let next_sequence = after.max(Head::of_lane(lane).sequence) + 1;
        let is_at_frame = after <= Head::of_lane(lane).sequence;
        Self { cql: cql.clone(), shared, ahead: VecDeque::new(), next_sequence, is_at_frame }
    }

    /// Looks how far the lane reaches now, and who wrote what; gives the head.
    pub fn refresh(&mut self) -> Result<Head, CqlError> {
        let lane = self.shared.reach().lane;
        let row = self.cql.block_on(known(&self.cql, lane))?;
        // A head that moved back is older news than what the writer here told.
        if row.head.sequence >= self.shared.reach().head.sequence {
            self.shared.set_reach(&row);
        }
        Ok(row.head)
    }

    /// How far the lane is known to reach.
    pub fn head(&self) -> Head {
        self.shared.reach().head
    }

    /// The frame that holds the next record, from the servers.
    fn read(&mut self) -> Result<Option<TailFrame>, Damage> {
        let reach = self.shared.reach();
        if self.next_sequence > reach.head.sequence {
            return Ok(None);
        }
        let cql = self.cql.clone();
        self.ahead = cql.block_on(self.read_ahead(&reach)).map_err(remote)??;
        Ok(self.ahead.pop_front())
    }

    async fn read_ahead(
        &self,
        reach: &LaneExtent,
    ) -> Result<Result<VecDeque<TailFrame>, Damage>, CqlError> {
        let from = match self.is_at_frame {
            true => Some(self.next_sequence),
            false => find(&self.cql, reach, self.next_sequence).await?,
        };
        match from {
            Some(from) => frames(&self.cql, reach, from).await,
            None => Ok(Ok(VecDeque::new())),
        }
    }
}

impl Tail for LaneTail {
    fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    fn next_frame(&mut self) -> Result<TailFrame, Damage> {
        let mut found = self.ahead.pop_front();
        if found.is_none() {
            found = self.shared.recent(self.next_sequence);
        }
        if found.is_none() {
            found = self.read()?;
        }
        if found.is_none() {
            // It may be durable since, or written under an epoch that is not known here.
            self.refresh().map_err(remote)?;
            found = self.read()?;
        }
        let (reach, expected) = (self.shared.reach(), self.next_sequence);
        let (lane, head) = (reach.lane, reach.head.sequence);
        let holds =
            |frame: &TailFrame| (frame.first_sequence..=frame.head().sequence).contains(&expected);
        let frame = found.filter(holds).ok_or(Damage::LaneGap { lane, expected, head })?;
        (self.next_sequence, self.is_at_frame) = (frame.head().sequence + 1, true);
        Ok(frame)
    }
}

pub(super) fn remote(error: CqlError) -> Damage {
    Damage::Remote(Box::new(error))
}
