//! Ceilings on deliveries under way: one for each endpoint, which it must earn, and two for all,
//! so that endpoints that are slow or dead share a quarter and leave the rest to the others.
//!
//! Whether an endpoint is slow is only known afterwards. So a delivery that has begun among the
//! quick ones and takes too long moves over, as soon as there is a place among the slow ones.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// An answer that takes this long makes its endpoint a slow one.
const SLOW: Duration = Duration::from_secs(1);
/// Deliveries at once to an endpoint nothing is known of.
const FIRST_ALLOWANCE: usize = 1;

/// The ceilings that all endpoints share.
#[derive(Debug)]
pub struct Lanes {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    /// Work that takes this long moves to the slow lane.
    slow_after: Duration,
}

impl Lanes {
    /// Lanes for so many deliveries at once: a quarter for slow endpoints, at least one each.
    pub fn new(in_flight_max: usize) -> Self {
        let slow = (in_flight_max / 4).max(1);
        let quick = in_flight_max.saturating_sub(slow).max(1);
        let (quick, slow) = (Arc::new(Semaphore::new(quick)), Arc::new(Semaphore::new(slow)));
        Self { quick, slow, slow_after: SLOW }
    }

    /// Does a delivery's work in a place of its lane; work among the quick ones that takes long
    /// moves over to the slow ones as soon as there is room. As cancel-safe as the work.
    pub async fn with_place<T>(&self, lane: Lane, work: impl Future<Output = T>) -> T {
        let quick_place = self.place(lane).await;
        let mut work = pin!(work);
        if lane == Lane::Slow {
            return work.await;
        }
        if let Ok(done) = timeout(self.slow_after, work.as_mut()).await {
            return done;
        }
        let slow_place = tokio::select! {
            biased;
            done = work.as_mut() => return done,
            slow_place = self.place(Lane::Slow) => slow_place,
        };
        drop(quick_place);
        let done = work.await;
        drop(slow_place);
        done
    }

    /// Waits for a place in a lane. Cancel-safe, but a dropped wait loses its turn.
    async fn place(&self, lane: Lane) -> OwnedSemaphorePermit {
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

    /// Learns from an attempt: one more place for each quick success, half for each long wait or
    /// broken connection.
    pub fn learn(&mut self, response: Response, took: Duration) {
        let kept_waiting = took >= SLOW;
        self.lane = if kept_waiting { Lane::Slow } else { Lane::Quick };
        if kept_waiting || response == Response::Silent {
            self.allowance = (self.allowance / 2).max(1);
        } else if response == Response::Accepted {
            self.allowance = (self.allowance + 1).min(self.allowance_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use futures_util::stream::FuturesUnordered;

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    #[test]
    fn an_endpoint_earns_its_places_and_loses_half_at_a_time() {
        let mut pace = Pace::new(32);
        assert_eq!((pace.allowance(), pace.lane()), (1, Lane::Quick));
        pace.learn(Response::Rejected, SHORT);
        assert_eq!((pace.allowance(), pace.lane()), (1, Lane::Quick));
        for _ in 0..40 {
            pace.learn(Response::Accepted, SHORT);
        }
        assert_eq!((pace.allowance(), pace.lane()), (32, Lane::Quick));
        pace.learn(Response::Silent, SHORT);
        assert_eq!((pace.allowance(), pace.lane()), (16, Lane::Quick));
        pace.learn(Response::Accepted, SLOW);
        assert_eq!((pace.allowance(), pace.lane()), (8, Lane::Slow));
        for _ in 0..4 {
            pace.learn(Response::Silent, SLOW);
        }
        assert_eq!((pace.allowance(), pace.lane()), (1, Lane::Slow));
    }

    #[tokio::test]
    async fn work_that_takes_long_leaves_the_quick_lane_and_takes_a_slow_place() {
        let lanes = Lanes { slow_after: Duration::ZERO, ..Lanes::new(8) };
        let places = || (lanes.quick.available_permits(), lanes.slow.available_permits());
        let mut hanging: FuturesUnordered<_> =
            (0..6).map(|_| lanes.with_place(Lane::Quick, std::future::pending::<()>())).collect();
        while places() != (2, 0) {
            assert!(futures_util::poll!(hanging.next()).is_pending());
            tokio::task::yield_now().await;
        }
        assert!(futures_util::poll!(hanging.next()).is_pending());
        assert_eq!(places(), (2, 0), "no more move than there are slow places");
        drop(hanging);
        assert_eq!(places(), (6, 2));
    }

    #[tokio::test]
    async fn slow_work_waits_for_slow_places_alone() {
        let lanes = Lanes::new(8);
        let _held = [lanes.place(Lane::Slow).await, lanes.place(Lane::Slow).await];
        let mut third = Box::pin(lanes.with_place(Lane::Slow, async {}));
        assert!(futures_util::poll!(&mut third).is_pending());
        lanes.with_place(Lane::Quick, async {}).await;
    }

    #[test]
    fn each_lane_has_a_place_however_few_there_are() {
        let lanes = Lanes::new(1);
        assert_eq!(lanes.quick.available_permits(), 1);
        assert_eq!(lanes.slow.available_permits(), 1);
    }
}
