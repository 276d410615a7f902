//! When each request is to be sent, decided before the run begins: nothing that happens during
//! the run moves a planned instant.

use crate::conduct::mix;

/// Greatest rate, requests a second; no machine sends more.
pub const RATE_MAX: u64 = 1_000_000;
/// Requests of one run; their references have eight digits for the number.
pub const REQUESTS_MAX: u64 = 100_000_000;
/// Random arrivals of one run; they are drawn before it begins, 8 bytes each.
pub const RANDOM_ARRIVALS_MAX: u64 = 20_000_000;

/// How requests are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Evenly.
    Constant {
        /// Requests a second.
        per_second: u64,
    },
    /// As independent callers ask: a Poisson process, a function of the seed.
    Poisson {
        /// Requests a second, in the mean.
        per_second: u64,
        /// Seed.
        seed: u64,
    },
    /// As fast as answers free the windows: a closed loop, for finding capacity only. Latency
    /// then hides whatever the server delays.
    Max,
}

/// The planned instants of a run.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// Request `i` at `i` periods.
    Constant {
        /// Requests a second.
        per_second: u64,
        /// How many.
        count: u64,
    },
    /// At these nanoseconds, ascending.
    Listed(Vec<u64>),
    /// Whenever there is room, until the end.
    Max,
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl Schedule {
    /// The instants of a run of this length, in nanoseconds from its start.
    ///
    /// Poisson: given their number, the arrivals of such a process are independent and uniform
    /// over the run; so that many uniform instants, sorted, are one, without a logarithm.
    pub fn new(pace: Pace, duration_ns: u64) -> Self {
        let count_at = |per_second: u64| {
            let count = u128::from(per_second) * u128::from(duration_ns);
            u64::try_from(count / u128::from(NANOS_PER_SECOND)).unwrap_or(u64::MAX)
        };
        match pace {
            Pace::Constant { per_second } => {
                Self::Constant { per_second, count: count_at(per_second) }
            }
            Pace::Poisson { per_second, seed } => {
                let at = |number| mix(seed ^ mix(number)) % duration_ns.max(1);
                let mut instants: Vec<u64> = (0..count_at(per_second)).map(at).collect();
                instants.sort_unstable();
                Self::Listed(instants)
            }
            Pace::Max => Self::Max,
        }
    }

    /// When request `index` is to be sent; none when there is no such request.
    ///
    /// Units: nanoseconds from the start; 0 for every request of a closed loop.
    pub fn planned_ns(&self, index: u64) -> Option<u64> {
        match self {
            Self::Constant { per_second, count } => (index < *count).then(|| {
                let nanos = u128::from(index) * u128::from(NANOS_PER_SECOND);
                u64::try_from(nanos / u128::from(*per_second)).unwrap_or(u64::MAX)
            }),
            Self::Listed(instants) => {
                usize::try_from(index).ok().and_then(|at| instants.get(at)).copied()
            }
            Self::Max => Some(0),
        }
    }

    /// How many requests are planned; none for a closed loop.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Constant { count, .. } => Some(*count),
            Self::Listed(instants) => u64::try_from(instants.len()).ok(),
            Self::Max => None,
        }
    }

    /// How many requests are planned before an instant; none for a closed loop.
    pub fn count_before(&self, instant_ns: u64) -> Option<u64> {
        let (mut low, mut high) = (0, self.count()?);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.planned_ns(middle).is_some_and(|planned| planned < instant_ns) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_SECONDS: u64 = 10 * NANOS_PER_SECOND;

    #[test]
    fn a_constant_pace_has_no_drift() {
        let schedule = Schedule::new(Pace::Constant { per_second: 3 }, TEN_SECONDS);
        assert_eq!(schedule.count(), Some(30));
        assert_eq!(schedule.planned_ns(1), Some(333_333_333));
        assert_eq!(schedule.planned_ns(3), Some(NANOS_PER_SECOND));
        assert_eq!(schedule.planned_ns(29), Some(9_666_666_666));
        assert_eq!(schedule.planned_ns(30), None);
        assert_eq!(schedule.count_before(0), Some(0));
        assert_eq!(schedule.count_before(NANOS_PER_SECOND), Some(3));
        assert_eq!(schedule.count_before(NANOS_PER_SECOND + 1), Some(4));
        assert_eq!(schedule.count_before(u64::MAX), Some(30));
    }

    #[test]
    fn poisson_arrivals_are_as_bunched_as_such_a_process_is() {
        let schedule = Schedule::new(Pace::Poisson { per_second: 1_000, seed: 11 }, TEN_SECONDS);
        let count = schedule.count().unwrap();
        let instants: Vec<u64> = (0..count).filter_map(|i| schedule.planned_ns(i)).collect();
        assert!(instants.is_sorted());
        // Gaps longer than the mean make up 1/e = 36.8 % of an exponential distribution.
        let mean = TEN_SECONDS / count;
        let long = instants.windows(2).filter(|pair| pair[1] - pair[0] > mean).count();
        assert!((3_480..3_880).contains(&long), "{long} of {count} gaps, seed 11");
    }
}
