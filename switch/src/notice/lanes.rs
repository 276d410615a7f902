//! Ceilings on deliveries under way: one for each endpoint, which it must earn, and two for all,
//! so that endpoints that are slow or dead share a quarter and leave the rest to the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// An answer that takes this long makes its endpoint a slow one.
const SLOW: Duration = Duration::from_secs(1);
/// Deliveries at once to an endpoint nothing is known of.
const FIRST_ALLOWANCE: usize = 4;

/// The ceilings that all endpoints share.
#[derive(Debug)]
pub struct Lanes {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
}

impl Lanes {
    /// Lanes for so many deliveries at once: a quarter for slow endpoints, at least one each.
    pub fn new(in_flight_max: usize) -> Self {
        let slow = (in_flight_max / 4).max(1);
        let quick = in_flight_max.saturating_sub(slow).max(1);
        Self { quick: Arc::new(Semaphore::new(quick)), slow: Arc::new(Semaphore::new(slow)) }
    }

    /// Waits for a place in an endpoint's lane. Cancel-safe, but a dropped wait loses its turn.
    pub async fn place(&self, lane: Lane) -> OwnedSemaphorePermit {
        let places = match lane {
            Lane::Quick => &self.quick,
            Lane::Slow => &self.slow,
        };
        Arc::clone(places).acquire_owned().await.expect("invariant: lanes are never closed")
    }
}

/// Which places an endpoint may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Those of endpoints that answer at once.
    Quick,
    /// Those of endpoints that keep us waiting.
    Slow,
}

/// How an attempt went, as far as it took our time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    /// Accepted.
    Accepted,
    /// Answered, but not accepted.
    Rejected,
    /// Not answered.
    Silent,
}

/// What one endpoint has earned.
#[derive(Debug)]
pub struct Pace {
    allowance: usize,
    allowance_max: usize,
    lane: Lane,
}

impl Pace {
    /// An endpoint nothing is known of.
    pub fn new(allowance_max: usize) -> Self {
        let allowance = FIRST_ALLOWANCE.min(allowance_max);
        Self { allowance, allowance_max, lane: Lane::Quick }
    }

    /// Deliveries it may have under way; at least one.
    pub fn allowance(&self) -> usize {
        self.allowance
    }

    /// Its lane.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Learns from an attempt: one more place for each quick success, half for each long wait.
    pub fn learn(&mut self, response: Response, took: Duration) {
        let kept_waiting = took >= SLOW || response == Response::Silent;
        self.lane = if kept_waiting { Lane::Slow } else { Lane::Quick };
        if kept_waiting {
            self.allowance = (self.allowance / 2).max(1);
        } else if response == Response::Accepted {
            self.allowance = (self.allowance + 1).min(self.allowance_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_endpoint_falls_to_one_place_and_earns_them_back() {
        let mut pace = Pace::new(32);
        assert_eq!((pace.allowance(), pace.lane()), (4, Lane::Quick));
        for _ in 0..3 {
            pace.learn(Response::Silent, Duration::from_millis(1));
        }
        assert_eq!((pace.allowance(), pace.lane()), (1, Lane::Slow));
        pace.learn(Response::Rejected, Duration::from_millis(5));
        assert_eq!((pace.allowance(), pace.lane()), (1, Lane::Quick));
        for _ in 0..40 {
            pace.learn(Response::Accepted, Duration::from_millis(5));
        }
        assert_eq!((pace.allowance(), pace.lane()), (32, Lane::Quick));
        pace.learn(Response::Accepted, Duration::from_secs(2));
        assert_eq!((pace.allowance(), pace.lane()), (16, Lane::Slow));
    }

    #[tokio::test]
    async fn slow_endpoints_cannot_take_the_places_of_quick_ones() {
        let lanes = Lanes::new(8);
        let _held = [lanes.place(Lane::Slow).await, lanes.place(Lane::Slow).await];
        let mut third = Box::pin(lanes.place(Lane::Slow));
        assert!(futures_util::poll!(&mut third).is_pending());
        for _ in 0..6 {
            let place = futures_util::poll!(Box::pin(lanes.place(Lane::Quick)));
            match place {
                std::task::Poll::Ready(place) => place.forget(),
                std::task::Poll::Pending => panic!("a quick endpoint waits for a slow one"),
            }
        }
    }

    #[test]
    fn each_lane_has_a_place_however_few_there_are() {
        let lanes = Lanes::new(1);
        assert_eq!(lanes.quick.available_permits(), 1);
        assert_eq!(lanes.slow.available_permits(), 1);
    }
}
