//! How many requests an API key may make: a bucket for each key that fills again evenly.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use router::reason::Reason;

use super::answer::ApiRefusal;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
/// Above so many buckets those that are full are forgotten.
const BUCKETS_MAX: usize = 10_000;

type Buckets =
    RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// The rate limit of every API key.
#[derive(Debug)]
pub(super) struct RateLimit {
    buckets: Buckets,
    clock: DefaultClock,
    per_second: NonZeroU32,
}

/// How a key stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateStanding {
    /// Requests a second.
    limit: u32,
    /// Requests that may still be made at once.
    remaining: u32,
    /// Time until the next request is taken; none where this one is.
    wait: Option<Duration>,
}

impl RateLimit {
    /// So many requests a second for each key, as many of them at once.
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        let buckets = RateLimiter::keyed(Quota::per_second(per_second))
            .with_middleware::<StateInformationMiddleware>();
        Self { buckets, clock: DefaultClock::default(), per_second }
    }

    /// Takes one request out of a key's bucket. `key_id` is the key's name, never the key.
    pub(super) fn standing(&self, key_id: String) -> RateStanding {
        if self.buckets.len() > BUCKETS_MAX {
            self.buckets.retain_recent();
        }
        let limit = self.per_second.get();
        match self.buckets.check_key(&key_id) {
            Ok(left) => {
                RateStanding { limit, remaining: left.remaining_burst_capacity(), wait: None }
            }
            Err(early) => {
                let wait = early.wait_time_from(self.clock.now());
                RateStanding { limit, remaining: 0, wait: Some(wait) }
            }
        }
    }
}

impl RateStanding {
    /// Errors: 429 with the time to wait.
    pub(super) fn admitted(self) -> Result<(), ApiRefusal> {
        match self.wait {
            None => Ok(()),
            Some(wait) => {
                let detail = format!("this key may make {} requests a second", self.limit);
                let refusal = ApiRefusal::new(Reason::RateLimited, "rate_limit").saying(detail);
                Err(refusal.after(whole_seconds(wait)))
            }
        }
    }

    /// Writes the headers that tell it.
    ///
    /// Units:  requests a second; requests; whole seconds until a request is taken again.
    /// Source: draft-ietf-httpapi-ratelimit-headers-06.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.wait.map_or(1, whole_seconds)));
    }
}

/// A time in seconds, never less than one.
fn whole_seconds(wait: Duration) -> u32 {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    seconds.saturating_add(u32::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_asks_too_much_waits_and_another_does_not() {
        let limit = RateLimit::new(NonZeroU32::new(2).unwrap());
        let ask = |key: &str| limit.standing(key.to_owned());
        assert_eq!(ask("a").remaining, 1);
        assert_eq!(ask("a").remaining, 0);
        let third = ask("a");
        assert!(third.wait.is_some() && third.admitted().is_err(), "{third:?}");
        assert!(ask("b").admitted().is_ok());
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_rounded_up() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(999)), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1_001)), 2);
    }
}
