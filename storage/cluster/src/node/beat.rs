//! Signs of life: this node's, and what it sees of the others'. Nothing else may keep them waiting.

use std::time::Instant;

use storage::guard::GateEpoch;
use storage_cql::CqlError;
use storage_cql::nodes::NodeRow;
use tokio::sync::watch;

use super::{Inner, SERVED_FOR};
use crate::folios::Folios;
use crate::lanes::chain;

impl Inner {
    /// Gives signs of life and sees those of others. A node whose own lane has failed gives none.
    pub(super) fn keep_beating(&self, folios: &Folios, own_failed: &watch::Receiver<bool>) {
        while !self.stop.wait(self.settings.beat_every) && !*own_failed.borrow() {
            if let Err(error) = self.give_sign().and_then(|()| folios.refill()) {
                tracing::warn!(error = chain(&error), "no sign of life could be given");
            }
        }
    }

    pub(super) fn give_sign(&self) -> Result<(), CqlError> {
        let beat = {
            let mut beat = self.beat.lock();
            *beat += 1;
            *beat
        };
        self.nodes.beat(&NodeRow {
            name: self.me.node.clone(),
            incarnation: self.me.incarnation,
            address: self.settings.address.as_str().into(),
            version: self.settings.version.as_str().into(),
            beat,
            gate_epoch: self.served(),
            started_at_ms: self.started_at_ms,
            config_version: *self.config_version.lock(),
            status: self.note.lock().as_str().into(),
        })?;
        let rows = self.nodes.all()?;
        self.watch.lock().see(rows, Instant::now());
        Ok(())
    }

    /// The epoch under which the gate serves this node, by a look that is not old: one who looks no
    /// more must not keep others from a new epoch.
    pub(super) fn served(&self) -> Option<GateEpoch> {
        let served = *self.served.lock();
        served.filter(|(_, at)| at.elapsed() < SERVED_FOR).map(|(epoch, _)| epoch)
    }
}
