//! The lane of a node that starts.

use router::id::Lane;
use storage::guard::GateEpoch;
use storage_cql::lane::{LaneCreation, LaneTakeover};
use storage_cql::{CqlError, LaneRow};

use super::{NodeInner, StartError};

/// Most lanes of a cluster.
const LANES_MAX: u16 = 4_096;
/// Frames that a killed process may have had on their way.
const LAST_FRAMES_MAX: u32 = 1;

impl NodeInner {
    /// This node's lane: the one it had, or the first free number. From then on this process gives
    /// signs of life, and none before: it may not be the only one of its name.
    pub(super) fn own_lane(&self) -> Result<LaneRow, StartError> {
        loop {
            let rows = self.lanes.all()?;
            let home = rows.iter().find(|row| *row.home == *self.me.node);
            // A process whose lane another node has taken ends by itself, should it still live.
            if home.is_none_or(|row| row.owner.node == self.me.node) {
                self.wait_until_alone()?;
            }
            // Whoever sees the lane's new owner must find that it lives.
            self.give_sign()?;
            if let Some(row) = home {
                match self.take_back(row)? {
                    Some(row) => return Ok(self.rechecked(row)?),
                    // Another node has taken it meanwhile.
                    None => continue,
                }
            }
            let used: Vec<u16> = rows.iter().map(|row| row.lane.0).collect();
            let free = (0..LANES_MAX).find(|number| !used.contains(number));
            let lane = Lane(free.ok_or(StartError::NoLane { max: LANES_MAX })?);
            let trusted = self.control.gate()?.map_or(GateEpoch(0), |row| row.epoch);
            match self.lanes.create(lane, &self.me.node, &self.me, trusted)? {
                LaneCreation::Exists(row) if *row.home == *self.me.node => {
                    return Err(self.refused_by(&row.owner));
                }
                LaneCreation::Exists(_) => {}
                LaneCreation::Created(row) => return Ok(self.rechecked(row)?),
            }
        }
    }

    /// Takes this node's lane from another node, though that lives and appends: it is this node's
    /// by right. A process of the same name that lives keeps it; none where another node has taken
    /// it since the row was read.
    fn take_back(&self, row: &LaneRow) -> Result<Option<LaneRow>, StartError> {
        let (mut expected, mut frames) = (row.clone(), 0);
        loop {
            let now = match self.lanes.take(row.lane, &self.me, &expected)? {
                LaneTakeover::Taken(row) => return Ok(Some(row)),
                LaneTakeover::Lost(now) => now,
            };
            let (is_ours, is_same) = (now.owner.node == self.me.node, now.epoch == row.epoch);
            match (is_ours, is_same) {
                // It was appended to since, at most by what was on its way.
                (true, true) if frames < LAST_FRAMES_MAX => frames += 1,
                // It appends, was fenced and goes on, or was taken by a process that starts too.
                (true, _) => return Err(self.refused_by(&now.owner)),
                (false, true) => {}
                (false, false) => return Ok(None),
            }
            expected = now;
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
