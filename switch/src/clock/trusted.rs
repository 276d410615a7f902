//! The wall clock, believed only while it agrees with the time since the machine's start.
//!
//! CLOCK_BOOTTIME of Linux counts on while a machine is suspended and is slewed with the wall
//! clock, so the difference of the two changes by a step of the wall clock alone. A step within the
//! tolerance is taken; what is left of it is absorbed slowly ([`TrustedClock::absorb`]), so that
//! many small steps do not add up to a large one. A larger step is a jump: the time since the
//! machine's start then says what time it is, until the wall clock returns or an operator accepts
//! it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use router::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// How much of a difference within the tolerance is absorbed at each look, in microseconds: a
/// look a second takes a steady drift of 1,000 ppm, twice what NTP slews at.
const ABSORBED_MICROS: i64 = 1_000;
/// Readings before a disagreement counts: a thread may be held up between the two clocks.
const READINGS: usize = 3;
/// The two clocks have not been compared yet.
const UNSET: i64 = i64::MIN;
/// Tolerance before the configuration is known, in microseconds.
const TOLERANCE_MICROS: i64 = 5_000_000;

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The machine's wall clock.
    pub wall: Timestamp,
    /// Microseconds since the machine's start, suspension included.
    pub boot_micros: i64,
}

impl Reading {
    /// Reads both clocks.
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX));
        let boot = clock_gettime(ClockId::Boottime);
        let boot_micros = boot.tv_sec.saturating_mul(1_000_000).saturating_add(boot.tv_nsec / 1000);
        Self { wall, boot_micros }
    }

    /// The wall clock's time at the machine's start, in microseconds of Unix time.
    pub fn offset_micros(self) -> i64 {
        self.wall.0.saturating_sub(self.boot_micros)
    }
}

/// The wall clock disagrees with the time since the machine's start, or with what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disagreement {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// What time it is by the time since the machine's start.
    pub expected: Timestamp,
    /// Since when they disagree, by the latter.
    pub since: Timestamp,
}

impl Disagreement {
    /// How far the wall clock is ahead, in microseconds; below zero if it is behind.
    pub fn ahead_micros(&self) -> i64 {
        self.wall.0.saturating_sub(self.expected.0)
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wall, expected, since } = self;
        write!(
            f,
            "the wall clock says {wall}, expected is {expected}, since {since}: new payments are \
             declined until the clock is right again, or until `cauce clock accept` says that it is"
        )
    }
}

/// A wall clock that is checked at each reading.
#[derive(Debug)]
pub struct TrustedClock {
    /// Trusted wall clock less the time since the machine's start, in microseconds.
    offset: AtomicI64,
    /// Most difference that is believed, in microseconds.
    tolerance: AtomicI64,
    /// How far ahead the wall clock may be to be believed, in microseconds: the tolerance, or more
    /// while all that is known is a time that has passed.
    ahead_max: AtomicI64,
    /// Time since the machine's start at which the clocks began to disagree; [`UNSET`] while they
    /// agree.
    disagree_since: AtomicI64,
}

impl TrustedClock {
    /// One that will believe its first reading.
    pub const fn new() -> Self {
        Self {
            offset: AtomicI64::new(UNSET),
            tolerance: AtomicI64::new(TOLERANCE_MICROS),
            ahead_max: AtomicI64::new(TOLERANCE_MICROS),
            disagree_since: AtomicI64::new(UNSET),
        }
    }

    /// Reads the machine's clocks.
    ///
    /// Errors: they disagree; what time it is by the other one is said with it.
    pub fn read(&self) -> Result<Timestamp, Disagreement> {
        let mut judged = self.judge(Reading::now());
        for _ in 1..READINGS {
            if judged.is_ok() {
                break;
            }
            judged = self.judge(Reading::now());
        }
        self.note(judged.err());
        judged
    }

    /// What is believed of a reading.
    ///
    /// Errors: the wall clock is not.
    pub fn judge(&self, reading: Reading) -> Result<Timestamp, Disagreement> {
        let Reading { wall, boot_micros } = reading;
        let offset = self.offset.load(Ordering::Acquire);
        if offset == UNSET {
            self.trust(reading.offset_micros());
            return Ok(wall);
        }
        let expected = Timestamp(boot_micros.saturating_add(offset));
        let ahead = wall.0.saturating_sub(expected.0);
        let tolerance = self.tolerance.load(Ordering::Relaxed);
        if (-tolerance..=tolerance).contains(&ahead) {
            return Ok(wall);
        }
        if (0..=self.ahead_max.load(Ordering::Acquire)).contains(&ahead) {
            self.trust(reading.offset_micros());
            return Ok(wall);
        }
        let since = match self.disagree_since.load(Ordering::Relaxed) {
            UNSET => expected,
            began => Timestamp(began.saturating_add(offset)),
        };
        Err(Disagreement { wall, expected, since })
    }

    /// Believes the wall clock of this offset from now on.
    ///
    /// Units: microseconds of Unix time at the machine's start.
    pub fn trust(&self, offset_micros: i64) {
        self.ahead_max.store(self.tolerance.load(Ordering::Relaxed), Ordering::Release);
        self.offset.store(offset_micros, Ordering::Release);
    }

    /// Expects an instant at the least, at a moment after the machine's start: the wall clock is
    /// believed once it is no further ahead of that than `ahead_max_micros`.
    pub fn expect_at_least(&self, at: Timestamp, boot_micros: i64, ahead_max_micros: i64) {
        self.offset.store(at.0.saturating_sub(boot_micros), Ordering::Release);
        self.ahead_max.store(ahead_max_micros, Ordering::Release);
    }

    /// Sets the most difference that is believed, in microseconds.
    pub fn set_tolerance(&self, tolerance_micros: i64) {
        self.tolerance.store(tolerance_micros, Ordering::Relaxed);
        self.ahead_max.store(tolerance_micros, Ordering::Release);
    }

    /// The most difference that is believed, in microseconds.
    pub fn tolerance_micros(&self) -> i64 {
        self.tolerance.load(Ordering::Relaxed)
    }

    /// Absorbs a little of the difference of a reading that is believed; gives the offset that is
    /// trusted now.
    pub fn absorb(&self, reading: Reading) -> Option<i64> {
        self.judge(reading).ok()?;
        let offset = self.offset.load(Ordering::Acquire);
        let difference = reading.offset_micros().saturating_sub(offset);
        let step = difference.clamp(-ABSORBED_MICROS, ABSORBED_MICROS);
        let absorbed = offset.saturating_add(step);
        // Whoever accepted another time meanwhile is right.
        let exchanged =
            self.offset.compare_exchange(offset, absorbed, Ordering::AcqRel, Ordering::Acquire);
        Some(exchanged.map_or_else(|other| other, |_| absorbed))
    }

    /// Says once when a disagreement begins, and when it ends.
    fn note(&self, disagreement: Option<Disagreement>) {
        let since = &self.disagree_since;
        let known = since.load(Ordering::Relaxed);
        match disagreement {
            Some(found) if known == UNSET => {
                let offset = self.offset.load(Ordering::Acquire);
                let began = found.expected.0.saturating_sub(offset);
                let set = since.compare_exchange(UNSET, began, Ordering::AcqRel, Ordering::Relaxed);
                if set.is_ok() {
                    tracing::error!("{found}");
                }
            }
            None if known != UNSET => {
                let set = since.compare_exchange(known, UNSET, Ordering::AcqRel, Ordering::Relaxed);
                if set.is_ok() {
                    tracing::warn!("the wall clock is trusted again: new payments are taken");
                }
            }
            Some(_) | None => {}
        }
    }
}

impl Default for TrustedClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;
    /// Some instant at which the machine was started.
    const START: i64 = 20_000 * DAY;

    /// A reading so many seconds after the start, of a wall clock that is ahead by so much.
    fn reading(seconds: i64, ahead_micros: i64) -> Reading {
        let boot_micros = seconds * SECOND;
        Reading { wall: Timestamp(START + boot_micros + ahead_micros), boot_micros }
    }

    fn clock() -> TrustedClock {
        let clock = TrustedClock::new();
        clock.set_tolerance(2 * SECOND);
        assert!(clock.judge(reading(100, 0)).is_ok());
        clock
    }

    #[test]
    fn a_jump_is_not_believed_and_the_return_is() {
        let clock = clock();
        for ahead in [3 * DAY, -3 * DAY, 400 * DAY, 2 * SECOND + 1] {
            let found = clock.judge(reading(200, ahead)).expect_err("a jump");
            assert_eq!(found.expected, Timestamp(START + 200 * SECOND));
            assert_eq!(found.ahead_micros(), ahead);
        }
        assert_eq!(clock.judge(reading(300, 0)), Ok(Timestamp(START + 300 * SECOND)));
    }

    #[test]
    fn a_small_step_is_believed_and_absorbed_and_many_of_them_are_a_jump() {
        let clock = clock();
        let mut ahead = 0;
        for second in 1..=3_600 {
            ahead += 900;
            assert!(clock.absorb(reading(100 + second, ahead)).is_some(), "a drift of 900 ppm");
        }
        let small = clock.judge(reading(4_000, ahead + SECOND));
        assert!(small.is_ok(), "a step of a second");
        assert!(clock.absorb(reading(4_000, ahead + SECOND)).is_some());
        let more = clock.judge(reading(4_001, ahead + 3 * SECOND));
        assert!(more.is_err(), "and two more at once");
    }

    #[test]
    fn what_an_operator_accepts_is_believed() {
        let clock = clock();
        let jumped = reading(200, 3 * DAY);
        assert!(clock.judge(jumped).is_err());
        clock.trust(jumped.offset_micros());
        assert_eq!(clock.judge(reading(201, 3 * DAY)), Ok(reading(201, 3 * DAY).wall));
        assert!(clock.judge(reading(202, 0)).is_err(), "the earlier time is a jump now");
    }

    #[test]
    fn a_clock_behind_what_is_recorded_is_not_believed_and_one_ahead_of_it_is() {
        let clock = TrustedClock::new();
        clock.set_tolerance(2 * SECOND);
        let recorded = Timestamp(START + 50 * SECOND);
        clock.expect_at_least(recorded, 50 * SECOND, 30 * DAY);
        let behind = clock.judge(reading(60, -DAY)).expect_err("behind the last record");
        assert_eq!(behind.expected, Timestamp(START + 60 * SECOND));
        assert!(clock.judge(reading(60, 31 * DAY)).is_err(), "further ahead than allowed");
        assert!(clock.judge(reading(60, 29 * DAY)).is_ok());
        assert!(clock.judge(reading(61, 28 * DAY)).is_err(), "it is known now");
    }

    #[test]
    fn the_machine_s_clocks_agree_with_themselves() {
        let clock = TrustedClock::new();
        let first = clock.read().expect("the first reading is believed");
        assert!(clock.read().expect("the second agrees with it") >= first);
    }
}
