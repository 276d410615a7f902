//! What the log says of the gate.

use std::time::{Duration, Instant};

use storage::guard::GateEpoch;

use super::GatekeeperError;
use crate::lanes::chain;

/// Pause between two reasons that are told while the gate does not serve this node.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What was told of the gate.
#[derive(Default)]
pub struct GateLog {
    is_served: bool,
    /// Why the gate does not serve this node, and when that was told.
    last: Option<(String, Instant)>,
}

impl GateLog {
    /// Tells of each change; of another reason for the same state not too often.
    pub fn tell(&mut self, looked: &Result<GateEpoch, GatekeeperError>) {
        let error = match looked {
            Ok(epoch) => {
                if !self.is_served {
                    tracing::info!(epoch = epoch.0, "the gate serves this node");
                }
                (self.is_served, self.last) = (true, None);
                return;
            }
            Err(error) => chain(error),
        };
        let is_news = |(last, at): &(String, Instant)| *last != error && TELL_EVERY <= at.elapsed();
        if self.is_served {
            tracing::warn!(error, "the gate does not serve this node");
        } else if self.last.as_ref().is_none_or(is_news) {
            tracing::info!(error, "the gate does not serve this node yet");
        } else {
            return;
        }
        (self.is_served, self.last) = (false, Some((error, Instant::now())));
    }
}
