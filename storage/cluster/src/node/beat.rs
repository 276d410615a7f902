//! Signs of life: this node's, and what it sees of the others'. Nothing else may keep them waiting.

use std::time::Instant;

use storage::guard::GateEpoch;
use storage_cql::CqlError;
use storage_cql::nodes::NodeRow;

use super::{NodeInner, SERVED_FOR};
use crate::folios::Folios;
use crate::trouble_log::TroubleLog;

impl NodeInner {
    /// Gives signs of life and sees those of others. A node whose own lane has failed gives none.
    pub(super) fn keep_beating(&self, folios: &Folios) {
        let mut told = TroubleLog::default();
        let has_failed = || self.own.get().is_some_and(|store| *store.failed().borrow());
        while !self.stop.wait(self.settings.beat_every) && !has_failed() {
            match self.give_sign().and_then(|()| folios.refill()) {
                Ok(()) => told.went_well("signs of life are given again"),
                Err(error) => told.failed(&error, "no sign of life can be given"),
            }
        }
    }

    pub(super) fn give_sign(&self) -> Result<(), CqlError> {
        let beat = {
            let mut beat = self.beat.lock();
            *beat += 1;
            *beat
        };
        self.nodes.beat(&NodeRow { beat, ..self.sign() })?;
        let rows = self.nodes.all()?;
        self.see_twin(&rows);
        self.watch.lock().see(rows, Instant::now());
        Ok(())
    }

    /// What this node says of itself.
    pub(super) fn sign(&self) -> NodeRow {
        NodeRow {
            name: self.me.node.clone(),
            incarnation: self.me.incarnation,
            address: self.settings.address.as_str().into(),
            version: self.settings.version.as_str().into(),
            beat: *self.beat.lock(),
            gate_epoch: self.served(),
            started_at_ms: self.started_at_ms,
            config_version: *self.config_version.lock(),
            redis_clock_ahead_ms: self.gate.clock_ahead_micros().map(|ahead| ahead / 1_000),
            status: self.note.lock().as_str().into(),
            has_ended: false,
            refused: "".into(),
        }
    }

    /// The epoch under which the gate serves this node, by a look that is not old: one who looks no
    /// more must not keep others from a new epoch.
    pub(super) fn served(&self) -> Option<GateEpoch> {
        let served = *self.served.lock();
        served.filter(|(_, at)| at.elapsed() < SERVED_FOR).map(|(epoch, _)| epoch)
    }
}
