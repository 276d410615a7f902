//! What the log says of the gate: each change, but not the flutter of a Redis that is hardly reached.

use std::time::{Duration, Instant};

use storage::guard::GateEpoch;
use storage::with_causes;

use super::GatekeeperError;

/// Pause between two reasons that are told for one state.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// So many lines are told within so long; what was left out is told later, if it is still so.
const LINES_MAX: u32 = 4;
const WINDOW: Duration = Duration::from_secs(10);

/// What was told of the gate.
#[derive(Default)]
pub struct GateLog {
    /// Why the gate did not serve this node, or that it did, and when that was told.
    told: Option<(Option<String>, Instant)>,
    /// Since when lines are counted, and how many there were.
    window: Option<(Instant, u32)>,
}

impl GateLog {
    /// Tells what a look found.
    pub fn tell(&mut self, looked: &Result<GateEpoch, GatekeeperError>) {
        let why_not = looked.as_ref().err().map(|error| with_causes(error).to_string());
        let was_served = self.told.as_ref().is_some_and(|(why_not, _)| why_not.is_none());
        if !self.is_due(why_not.as_deref(), Instant::now()) {
            return;
        }
        match (looked, why_not) {
            (Ok(epoch), _) => tracing::info!(epoch = epoch.0, "the gate serves this node"),
            (Err(_), error) if was_served => {
                tracing::warn!(error, "the gate does not serve this node");
            }
            (Err(_), error) => tracing::info!(error, "the gate does not serve this node yet"),
        }
    }

    /// Whether a look is to be told of that found why the gate does not serve this node, or that it
    /// does.
    fn is_due(&mut self, why_not: Option<&str>, now: Instant) -> bool {
        let is_news = match &self.told {
            None => true,
            Some((last, _)) if last.is_none() != why_not.is_none() => true,
            Some((last, at)) => last.as_deref() != why_not && TELL_EVERY <= now.duration_since(*at),
        };
        if !is_news || !self.has_room(now) {
            return false;
        }
        self.told = Some((why_not.map(str::to_owned), now));
        true
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let window = self.window.filter(|(began, _)| now.duration_since(*began) < WINDOW);
        let (began, lines) = window.unwrap_or((now, 0));
        self.window = Some((began, (lines + 1).min(LINES_MAX)));
        lines < LINES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_flutters_is_told_of_now_and_then_and_its_last_state_always() {
        let (mut log, began, beat) = (GateLog::default(), Instant::now(), WINDOW / 20);
        let why_not = |look: u32| (look % 2 == 1).then_some("no answer in time");
        let mut told = Vec::new();
        for look in 0..=120 {
            if log.is_due(why_not(look), began + beat * look) {
                told.push(look);
            }
        }
        assert_eq!(told[..4], [0, 1, 2, 3], "a change is told at once");
        assert!(told.len() <= 7 * 4, "{told:?}");
        // It stays as it is.
        let later = (121..=160).filter(|look| log.is_due(None, began + beat * *look)).count();
        assert!(later <= 1);
        assert_eq!(log.told.map(|(why_not, _)| why_not), Some(None), "served");
    }

    #[test]
    fn another_reason_for_the_same_state_is_told_after_a_while() {
        let (mut log, now) = (GateLog::default(), Instant::now());
        assert!(log.is_due(Some("node-2 is rebuilding the gate"), now));
        assert!(!log.is_due(Some("no answer in time"), now + TELL_EVERY / 2));
        assert!(log.is_due(Some("no answer in time"), now + TELL_EVERY));
        assert!(!log.is_due(Some("no answer in time"), now + TELL_EVERY * 3));
    }
}
