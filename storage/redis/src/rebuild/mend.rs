//! One lane that has a new writer, while the gate is open.

use router::id::Lane;
use storage::guard::GateEpoch;

use super::{Rebuild, RebuildProgress};
use crate::failure::{Failure, Why};
use crate::gate::{Gate, GateError, Opening, open_value};
use crate::library::Function;
use crate::link::text_of;

/// The new writer of a lane, as the lane's row was when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneTaker {
    /// Epoch of the lane at which it was taken.
    pub taken_at: u64,
    /// The earliest epoch of the gate that the lane still takes decisions of.
    pub trusted: GateEpoch,
}

impl Gate {
    /// Takes a lane over under the epoch that is open: no call of the lane's earlier writer is
    /// obeyed any more. What is replayed then is decided beside everything else; there is nothing
    /// to publish.
    ///
    /// Errors: another epoch is open here, or none; the lane trusts a later one; the lane was taken
    /// by another since; Redis cannot be used.
    pub fn mend(
        &self,
        epoch: GateEpoch,
        lane: Lane,
        taker: LaneTaker,
    ) -> Result<Rebuild<'_>, GateError> {
        let Opening { epoch: open, pin, .. } = self.opening().map_err(GateError::from)?;
        if open != epoch {
            let other = format!("epoch {} is open, not {}", open.0, epoch.0);
            return Err(Failure::new(Why::Closed, other).into());
        }
        if open < taker.trusted {
            // The earlier writer may have appended since the next epoch's rebuild read the lane:
            // what is replayed here would be missing there.
            let over = format!("epoch {} is open, the lane trusts {}", open.0, taker.trusted.0);
            return Err(Failure::new(Why::Closed, over).into());
        }
        let mut links = self.connect(&pin)?;
        let (value, lane, taken_at) =
            (open_value(epoch), lane.to_string(), taker.taken_at.to_string());
        let mut round = links.round(self.layout());
        for group in 0..self.layout().groups() {
            let arguments = [value.as_bytes(), lane.as_bytes(), taken_at.as_bytes()];
            round.call(group, Function::Greet, &arguments);
        }
        let sessions = links.exchange(round)?.iter().map(text_of).collect::<Result<_, _>>()?;
        let (is_whole, progress) = (true, RebuildProgress::default());
        Ok(Rebuild { gate: self, epoch, value, links, is_whole, sessions, progress })
    }
}
