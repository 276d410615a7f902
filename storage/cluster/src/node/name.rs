//! A node's name is one process's alone: the later of two stays out.
//!
//! A node counts up a number for as long as it runs, from before it takes its lane. So a process that
//! finds another run under its name watches that number: where it moves, the other process lives.
//! Only the watcher's own monotonic clock is looked at. Two that start at the same moment meet at
//! the lane, which one of them takes by a conditional update.

use std::time::Instant;

use storage_cql::nodes::NodeRow;
use storage_cql::{CqlError, Owner};

use super::{NodeInner, StartError};

/// Movements after which the other process lives. One may be the last write of a process that was
/// killed, on its way when it was.
const MOVEMENTS: u32 = 2;

impl NodeInner {
    /// Waits until it is certain that no other process of this name lives, which takes half the
    /// time after which a silent node is taken for dead. A run that said its end is not waited for.
    ///
    /// Errors: another process uses the name; the servers cannot be asked.
    pub(super) fn wait_until_alone(&self) -> Result<(), StartError> {
        let Some(mut last) = self.nodes.node(&self.me.node)?.filter(|row| self.is_other(row))
        else {
            return Ok(());
        };
        let (silent_for, pause) = (self.settings.takeover_after / 2, self.settings.beat_every / 4);
        let (mut moved, mut moved_at) = (0, Instant::now());
        while moved_at.elapsed() < silent_for {
            self.stop.wait(pause);
            let Some(now) = self.nodes.node(&self.me.node)?.filter(|row| self.is_other(row)) else {
                return Ok(());
            };
            if (now.incarnation, now.beat) != (last.incarnation, last.beat) {
                (moved, moved_at) = (moved + 1, Instant::now());
            }
            if moved >= MOVEMENTS {
                return Err(self.refused_for(&now));
            }
            last = now;
        }
        Ok(())
    }

    /// Whether a row of this node's name is that of another run which has not said its end.
    fn is_other(&self, row: &NodeRow) -> bool {
        row.incarnation != self.me.incarnation && !row.has_ended
    }

    /// The name is another process's, by what became of the lane. That process gives a sign soon
    /// which says where it is: the last one may be this process's.
    pub(super) fn refused_by(&self, owner: &Owner) -> StartError {
        let began = Instant::now();
        while began.elapsed() < self.settings.takeover_after {
            match self.nodes.node(&self.me.node) {
                Ok(Some(row)) if row.incarnation == owner.incarnation => {
                    return self.refused_for(&row);
                }
                Ok(_) => self.stop.wait(self.settings.beat_every / 4),
                Err(error) => return error.into(),
            };
        }
        self.refused(owner.to_string().into())
    }

    fn refused_for(&self, other: &NodeRow) -> StartError {
        self.refused(other.address.clone())
    }

    fn refused(&self, theirs: Box<str>) -> StartError {
        let ours: Box<str> = self.settings.address.as_str().into();
        // For operators alone: what `cluster status` and the other process tell of this one.
        if let Err(error) = self.nodes.note_refused(&self.me.node, &ours) {
            tracing::debug!(%error, "the refusal could not be noted");
        }
        StartError::NameInUse { node: self.me.node.clone(), theirs, ours }
    }

    /// Sees in the rows of all nodes whether another process tried to use this node's name, or does;
    /// tells of it once.
    pub(super) fn see_twin(&self, rows: &[NodeRow]) {
        let Some(row) = rows.iter().find(|row| row.name == self.me.node) else { return };
        let twin = match row.incarnation == self.me.incarnation {
            true => Some(row.refused.clone()).filter(|address| !address.is_empty()),
            false => Some(row.address.clone()),
        };
        let mut told = self.twin.lock();
        if *told == twin {
            return;
        }
        if let Some(theirs) = &twin {
            let (node, ours) = (&self.me.node, &self.settings.address);
            tracing::error!(%node, %theirs, ours, "another process uses this node's name");
        }
        *told = twin;
    }

    /// Says that this run is over, so that the next need not watch whether it lives.
    pub(super) fn say_ended(&self) -> Result<(), CqlError> {
        self.nodes.beat(&NodeRow { has_ended: true, gate_epoch: None, ..self.sign() })
    }
}
