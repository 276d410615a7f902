//! The pause that one endpoint asked for with `Retry-After`: until it ends, no notice goes there.
//!
//! It is held in memory. After a restart, or where another node takes over, the first notice is
//! sent and the endpoint may ask again.

use std::time::Duration;

use parking_lot::Mutex;
use router::time::Timestamp;
use tokio::time::Instant;

/// One endpoint's pause; none at first.
#[derive(Debug, Default)]
pub struct Pause {
    end: Mutex<Option<End>>,
}

/// When it ends: as it is waited for, whatever the wall clock does, and as it is told.
#[derive(Debug, Clone, Copy)]
struct End {
    at: Instant,
    told: Timestamp,
    /// When the endpoint asked for a pause last.
    asked_at: Timestamp,
}

impl Pause {
    /// Nothing is sent for this long from now. A shorter pause ends none that lasts longer.
    pub fn ask(&self, pause: Duration, now: (Instant, Timestamp)) {
        let micros = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
        let asked = End { at: now.0 + pause, told: now.1.plus_micros(micros), asked_at: now.1 };
        let mut end = self.end.lock();
        match &mut *end {
            Some(longer) if longer.at >= asked.at => {
                longer.asked_at = longer.asked_at.max(asked.asked_at);
            }
            Some(_) | None => *end = Some(asked),
        }
    }

    /// Ends it early.
    pub fn end(&self) {
        *self.end.lock() = None;
    }

    /// Ends it early, unless the endpoint has asked for a pause since a time.
    pub fn end_if_asked_before(&self, time: Timestamp) {
        self.end.lock().take_if(|end| end.asked_at < time);
    }

    /// When it ends; none when there is none now.
    pub fn ends_at(&self, now: Instant) -> Option<Instant> {
        self.at(now).map(|end| end.at)
    }

    /// The same by the wall clock.
    pub fn until(&self, now: Instant) -> Option<Timestamp> {
        self.at(now).map(|end| end.told)
    }

    fn at(&self, now: Instant) -> Option<End> {
        self.end.lock().filter(|end| end.at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Timestamp = Timestamp(1_700_000_000_000_000);

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_longest_pause_that_was_asked_for_counts_and_then_ends() {
        let (pause, start) = (Pause::default(), Instant::now());
        assert_eq!((pause.ends_at(start), pause.until(start)), (None, None));
        pause.ask(seconds(10), (start, WALL));
        pause.ask(seconds(4), (start, WALL));
        for later in [start, start + seconds(9)] {
            assert_eq!(pause.ends_at(later), Some(start + seconds(10)));
            assert_eq!(pause.until(later), Some(WALL.plus_micros(10_000_000)));
        }
        let end = start + seconds(10);
        assert_eq!((pause.ends_at(end), pause.until(end)), (None, None));
    }

    #[test]
    fn a_pause_that_was_asked_for_after_a_recovery_began_stays() {
        let (pause, start) = (Pause::default(), Instant::now());
        pause.ask(seconds(3600), (start, WALL));
        pause.end_if_asked_before(WALL);
        assert!(pause.ends_at(start).is_some());
        let later = WALL.plus_micros(2);
        pause.ask(seconds(1), (start, later));
        pause.end_if_asked_before(WALL.plus_micros(1));
        assert_eq!(pause.ends_at(start), Some(start + seconds(3600)));
        pause.end_if_asked_before(WALL.plus_micros(3));
        assert_eq!(pause.ends_at(start), None);
    }

    #[test]
    fn a_pause_that_was_ended_may_be_asked_for_again() {
        let (pause, start) = (Pause::default(), Instant::now());
        pause.ask(seconds(3600), (start, WALL));
        pause.end();
        assert_eq!(pause.ends_at(start), None);
        pause.ask(seconds(1), (start, WALL));
        assert_eq!(pause.ends_at(start), Some(start + seconds(1)));
    }
}
