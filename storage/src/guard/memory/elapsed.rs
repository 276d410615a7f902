//! Elapsed time, as the instants of what was decided show it.
//!
//! What is forgotten is forgotten by this time. A clock that jumps ahead adds one step to it at
//! most, and a clock that returns takes nothing from it.

use router::time::Timestamp;

/// The most that one step between two decisions adds, in microseconds: a longer pause without any
/// payment counts for ten minutes, so that memory is kept too long rather than too short.
pub(super) const STEP_MAX_MICROS: i64 = 600_000_000;
/// An instant so far before the one seen last means that the clock went back, in microseconds.
/// Requests that are decided together are out of order by less.
pub(super) const BACK_MICROS: i64 = 3_600_000_000;

/// Time that has passed since the first decision, and the instant it is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ElapsedTime {
    last: Timestamp,
    elapsed_micros: i64,
}

impl Default for ElapsedTime {
    fn default() -> Self {
        Self { last: NEVER, elapsed_micros: 0 }
    }
}

/// Before the first decision.
const NEVER: Timestamp = Timestamp(i64::MIN);

impl ElapsedTime {
    /// As an image says.
    pub fn restored(last: Timestamp, elapsed_micros: i64) -> Self {
        Self { last, elapsed_micros }
    }

    /// The instant that was seen last; `i64::MIN` before the first.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Time that has passed, in microseconds; never less than it was.
    pub fn elapsed(&self) -> i64 {
        self.elapsed_micros
    }

    /// Takes note of the instant of a decision.
    pub fn see(&mut self, at: Timestamp) {
        if self.last == NEVER {
            self.last = at;
        }
        let step = at.0.saturating_sub(self.last.0);
        if step > 0 {
            let step = step.min(STEP_MAX_MICROS);
            self.elapsed_micros = self.elapsed_micros.saturating_add(step);
            self.last = at;
        } else if step < -BACK_MICROS {
            self.last = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn elapsed(instants: &[i64]) -> i64 {
        let mut time = ElapsedTime::default();
        instants.iter().for_each(|at| time.see(Timestamp(*at)));
        time.elapsed()
    }

    #[test]
    fn time_passes_as_the_instants_of_decisions_do() {
        assert_eq!(elapsed(&[5, 7, 10]), 5);
        assert_eq!(elapsed(&[5, 10, 7, 8, 12]), 7, "out of order by a little");
    }

    #[test]
    fn a_jump_ahead_counts_for_one_step_and_the_return_for_none() {
        assert_eq!(elapsed(&[0, 3 * DAY, 10, 20]), STEP_MAX_MICROS + 10);
        assert_eq!(elapsed(&[0, 3 * DAY, 1, 6 * DAY, 2]), 2 * STEP_MAX_MICROS);
    }
}
