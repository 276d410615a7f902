//! Pauses between tries, each twice the one before up to a longest: the one form of it that all parts
//! share.

use std::time::Duration;

/// The pauses between the tries of one thing.
///
/// Shape: 0 < shortest; a longest that is shorter counts as the shortest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Before the first try.
    pub const fn between(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, next: shortest }
    }

    /// The pause after a try that failed.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.longest).max(self.shortest);
        pause
    }

    /// The same, three quarters to five quarters of it, so that many who failed together do not try
    /// again together.
    ///
    /// Units: `random` is any number, drawn anew for each pause.
    pub fn spread_pause(&mut self, random: u32) -> Duration {
        self.pause() * (75 + random % 51) / 100
    }

    /// The pause that the next failure brings.
    pub fn next_pause(&self) -> Duration {
        self.next
    }

    /// A try went well: the next failure brings the shortest pause again.
    pub fn reset(&mut self) {
        self.next = self.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_pause_is_twice_the_one_before_up_to_the_longest_and_begins_anew_after_a_success() {
        let mut backoff = Backoff::between(ms(50), ms(300));
        assert_eq!([(); 5].map(|()| backoff.pause()), [50, 100, 200, 300, 300].map(ms));
        backoff.reset();
        assert_eq!(
            (backoff.next_pause(), backoff.pause(), backoff.pause()),
            (ms(50), ms(50), ms(100))
        );
    }

    #[test]
    fn a_longest_below_the_shortest_counts_as_the_shortest_and_nothing_overflows() {
        let mut backoff = Backoff::between(ms(50), ms(10));
        assert_eq!((backoff.pause(), backoff.pause()), (ms(50), ms(50)));
        let mut endless = Backoff::between(Duration::MAX, Duration::MAX);
        assert_eq!((endless.pause(), endless.pause()), (Duration::MAX, Duration::MAX));
    }

    #[test]
    fn a_spread_pause_is_three_quarters_to_five_quarters_of_its_length() {
        let spread = |random| Backoff::between(ms(1000), ms(1000)).spread_pause(random);
        assert_eq!(
            (spread(0), spread(25), spread(50), spread(51)),
            (ms(750), ms(1000), ms(1250), ms(750))
        );
        assert!((0..1000).all(|random| (ms(750)..=ms(1250)).contains(&spread(random))));
    }
}
