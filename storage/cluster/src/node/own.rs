//! The lane of a node that starts.

use router::id::Lane;
use storage::guard::GateEpoch;
use storage_cql::lane::{Created, Taken};
use storage_cql::{CqlError, LaneRow};

use super::{Inner, StartError};

/// Most lanes of a cluster.
const LANES_MAX: u16 = 4_096;

impl Inner {
    /// This node's lane: the one it had, or the first free number.
    pub(super) fn own_lane(&self) -> Result<LaneRow, StartError> {
        loop {
            let rows = self.lanes.all()?;
            if let Some(row) = rows.iter().find(|row| *row.home == *self.me.node) {
                match self.take_back(row)? {
                    Some(row) => return Ok(self.rechecked(row)?),
                    // Another process of the same name starts at the same moment.
                    None => continue,
                }
            }
            let used: Vec<u16> = rows.iter().map(|row| row.lane.0).collect();
            let free = (0..LANES_MAX).find(|number| !used.contains(number));
            let lane = Lane(free.ok_or(StartError::NoLane { max: LANES_MAX })?);
            let trusted = self.control.gate()?.map_or(GateEpoch(0), |row| row.epoch);
            match self.lanes.create(lane, &self.me.node, &self.me, trusted)? {
                Created::Exists(_) => {}
                Created::Created(row) => return Ok(self.rechecked(row)?),
            }
        }
    }

    /// Takes this node's lane from whoever holds it, though that lives and appends: it is this
    /// node's by right.
    fn take_back(&self, row: &LaneRow) -> Result<Option<LaneRow>, CqlError> {
        let mut expected = row.clone();
        loop {
            match self.lanes.take(row.lane, &self.me, &expected)? {
                Taken::Taken(row) => return Ok(Some(row)),
                Taken::Lost(now) if now.epoch == row.epoch => expected = now,
                Taken::Lost(_) => return Ok(None),
            }
        }
    }

    /// A lane that was just made or taken, fenced by the epoch of now. A change of epoch may have
    /// listed the lanes before this one was made, by this node or by the one it was taken from:
    /// it either saw the lane, or is seen here.
    pub(super) fn rechecked(&self, row: LaneRow) -> Result<LaneRow, CqlError> {
        match self.control.gate()? {
            Some(gate) if gate.epoch > row.guard_epoch => self.lanes.fence(row.lane, gate.epoch),
            Some(_) | None => Ok(row),
        }
    }
}
