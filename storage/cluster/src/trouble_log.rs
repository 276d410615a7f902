//! Tells of a trouble when it begins and when it is over, not at every try in between.

use std::time::Instant;

use storage::with_causes;

/// One kind of trouble.
#[derive(Debug, Default)]
pub struct TroubleLog(Option<Instant>);

impl TroubleLog {
    /// It did not go well: `trouble` says what.
    pub fn failed(&mut self, error: &dyn std::error::Error, trouble: &str) {
        let error = with_causes(error).to_string();
        match self.0 {
            Some(_) => tracing::debug!(error, "{trouble}"),
            None => tracing::warn!(error, "{trouble}"),
        }
        self.0.get_or_insert_with(Instant::now);
    }

    /// It went well: `relief` says what is well again.
    pub fn went_well(&mut self, relief: &str) {
        if let Some(since) = self.0.take() {
            let lasted_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(lasted_ms, "{relief}");
        }
    }
}
