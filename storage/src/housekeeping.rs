//! Work beside the payments: snapshots as segments close, and the removal of old segments.

use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::prune::Pruner;
use crate::settings::Settings;
use crate::snapshot::snapshot_now;

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Makes snapshots as segments close, and removes old segments, until told to stop.
pub(crate) fn run(settings: &Settings, mut pruner: Option<Pruner>, stop: &Receiver<()>) {
    loop {
        match stop.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Err(error) = snapshot_now(settings) {
            tracing::warn!(%error, "no snapshot was made; starts take longer");
        }
        if let Some(pruner) = &mut pruner {
            pruner.run(stop);
        }
    }
}
