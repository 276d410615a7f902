//! How the follower waits for read models that are away.
//!
//! On one machine they are files, and a file that cannot be written ends the process. Elsewhere they
//! are servers: the read models may lag behind the journal for as long as the servers are away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::FollowError;
use crate::causes::with_causes;
use crate::journal::Damage;
use crate::shared::Shared;

/// Pause before the servers are asked again; they were asked for some seconds before.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Asks servers until they answer.
pub(super) struct ViewRetry {
    /// Whether the read models are files of this machine.
    pub is_near: bool,
    pub shared: Arc<Shared>,
    /// Set when the store closes: what is away then is left to the next start.
    pub stop: Arc<AtomicBool>,
}

impl ViewRetry {
    /// Asks until there is an answer; gives an error up where it is final, or the store ends.
    pub fn ask<T>(
        &self,
        mut ask: impl FnMut() -> Result<T, FollowError>,
    ) -> Result<T, FollowError> {
        let mut away_since = None;
        loop {
            let error = match ask() {
                Ok(answer) => {
                    if let Some(since) = away_since {
                        tell_back(since);
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let is_over = self.stop.load(Ordering::Acquire) || self.shared.has_failed();
            if is_over || !self.may_pass(&error) {
                return Err(error);
            }
            if away_since.is_none() {
                away_since = Some(Instant::now());
                let error = with_causes(&error).to_string();
                tracing::warn!(error, "the read models lag until they can be read and written");
            }
            self.shared.show_lag();
            std::thread::sleep(ASK_AGAIN_AFTER);
        }
    }

    fn may_pass(&self, error: &FollowError) -> bool {
        let is_passing = match error {
            // A table that is missing, or a right, is told at once: waiting would not bring it.
            FollowError::View(error) => error.is_passing(),
            FollowError::Journal(damage) => matches!(damage, Damage::Remote(_)),
        };
        is_passing && !self.is_near
    }
}

fn tell_back(since: Instant) {
    let away_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(away_ms, "the read models can be read and written again");
}
