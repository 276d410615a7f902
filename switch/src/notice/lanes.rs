//! Ceilings on deliveries under way: one for each endpoint, which it must earn; one for all
//! endpoints of a biller; and one for all. A biller's endpoints take places from nobody but each
//! other, whatever they do.
//!
//! Half of the places are for endpoints that answer at once, half for those that keep us waiting,
//! and a biller has at most a quarter of either half. Whether an endpoint is slow is only known
//! afterwards: so a delivery that takes too long moves over to the slow half at that moment. If
//! there is no place for it, it is broken off and tried again later; in the quick half it would take
//! a place from endpoints that are well.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use router::id::BillerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// An answer that takes this long makes its endpoint a slow one.
const SLOW: Duration = Duration::from_secs(1);
/// Deliveries at once to an endpoint nothing is known of.
const FIRST_ALLOWANCE: usize = 1;
/// A biller's endpoints together have this part of each lane's places.
const BILLERS_PART: usize = 4;

/// The ceilings that all endpoints share.
#[derive(Debug)]
pub struct Lanes {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    /// Places of one biller in each lane.
    share_len: (usize, usize),
    /// Those of billers that have endpoints, which are no more than are configured.
    shares: Mutex<HashMap<BillerId, Arc<BillerPlaces>>>,
    /// A delivery that takes this long is overdue.
    slow_after: Duration,
}

/// The places of one biller's endpoints.
#[derive(Debug)]
pub struct BillerPlaces {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
}

/// A delivery was broken off: it was overdue, and its lane had no place for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryOverdue;

/// A place of a lane, out of a biller's share.
struct Place {
    _own: OwnedSemaphorePermit,
    _common: OwnedSemaphorePermit,
}

impl Lanes {
    /// Lanes for so many deliveries at once: half of them for slow endpoints, at least one each.
    pub fn new(in_flight_max: usize) -> Self {
        let slow = (in_flight_max / 2).max(1);
        let quick = in_flight_max.saturating_sub(slow).max(1);
        let part = |places: usize| (places / BILLERS_PART).max(1);
        Self {
            quick: Arc::new(Semaphore::new(quick)),
            slow: Arc::new(Semaphore::new(slow)),
            share_len: (part(quick), part(slow)),
            shares: Mutex::default(),
            slow_after: SLOW,
        }
    }

    /// The places of a biller's endpoints, the same for all of them.
    pub fn share(&self, biller: BillerId) -> Arc<BillerPlaces> {
        let (quick, slow) = self.share_len;
        let new = || BillerPlaces {
            quick: Arc::new(Semaphore::new(quick)),
            slow: Arc::new(Semaphore::new(slow)),
        };
        Arc::clone(self.shares.lock().entry(biller).or_insert_with(|| Arc::new(new())))
    }

    /// Does a delivery's work in a place of its endpoint's lane. As cancel-safe as the work.
    ///
    /// Errors: the work was broken off; nothing is known of what came of it.
    pub async fn with_place<T>(
        &self,
        share: &BillerPlaces,
        pace: &Pace,
        work: impl Future<Output = T>,
    ) -> Result<T, DeliveryOverdue> {
        let (lane, place) = self.place(share, pace).await;
        let mut work = pin!(work);
        if let Ok(done) = timeout(self.slow_after, work.as_mut()).await {
            return Ok(done);
        }
        pace.overdue();
        let place = match lane {
            EndpointSpeed::Slow => place,
            EndpointSpeed::Quick => {
                drop(place);
                self.try_take(EndpointSpeed::Slow, share).ok_or(DeliveryOverdue)?
            }
        };
        let done = work.await;
        drop(place);
        Ok(done)
    }

    /// Waits for a place in the lane of an endpoint, which may change meanwhile. Cancel-safe, but a
    /// dropped wait loses its turn.
    async fn place(&self, share: &BillerPlaces, pace: &Pace) -> (EndpointSpeed, Place) {
        let mut lane = pace.lane.subscribe();
        loop {
            let current = *lane.borrow_and_update();
            tokio::select! {
                biased;
                _ = lane.changed() => {}
                place = self.take(current, share) => return (current, place),
            }
        }
    }

    /// Waits for its biller's place first: who waits for that holds up nobody else.
    async fn take(&self, lane: EndpointSpeed, share: &BillerPlaces) -> Place {
        let (own, common) = self.of_lane(lane, share);
        let taken = async |places: &Arc<Semaphore>| {
            let place = Arc::clone(places).acquire_owned().await;
            place.expect("invariant: lanes are never closed")
        };
        Place { _own: taken(own).await, _common: taken(common).await }
    }

    fn try_take(&self, lane: EndpointSpeed, share: &BillerPlaces) -> Option<Place> {
        let (own, common) = self.of_lane(lane, share);
        let own = Arc::clone(own).try_acquire_owned().ok()?;
        Some(Place { _own: own, _common: Arc::clone(common).try_acquire_owned().ok()? })
    }

    fn of_lane<'a>(
        &'a self,
        lane: EndpointSpeed,
        share: &'a BillerPlaces,
    ) -> (&'a Arc<Semaphore>, &'a Arc<Semaphore>) {
        match lane {
            EndpointSpeed::Quick => (&share.quick, &self.quick),
            EndpointSpeed::Slow => (&share.slow, &self.slow),
        }
    }
}

/// Which places an endpoint may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointSpeed {
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
    allowance: Mutex<usize>,
    allowance_max: usize,
    lane: watch::Sender<EndpointSpeed>,
}

impl Pace {
    /// An endpoint nothing is known of.
    pub fn new(allowance_max: usize) -> Self {
        let allowance = Mutex::new(FIRST_ALLOWANCE.min(allowance_max));
        Self { allowance, allowance_max, lane: watch::Sender::new(EndpointSpeed::Quick) }
    }

    /// Deliveries it may have under way; at least one.
    pub fn allowance(&self) -> usize {
        *self.allowance.lock()
    }

    /// Learns that an answer is overdue, while it is still waited for: the endpoint is a slow one
    /// from now on, and has half of its places.
    fn overdue(&self) {
        self.halve();
        self.set(EndpointSpeed::Slow);
    }

    /// After a pause it earns its places as at first: it had more than it could take.
    pub fn begin_anew(&self) {
        *self.allowance.lock() = FIRST_ALLOWANCE.min(self.allowance_max);
    }

    /// Learns from an attempt: one more place for each quick success, half for each broken
    /// connection. What took long was learnt when it was overdue.
    pub fn learn(&self, response: Response, took: Duration) {
        if took >= SLOW {
            return self.set(EndpointSpeed::Slow);
        }
        self.set(EndpointSpeed::Quick);
        match response {
            Response::Accepted => {
                let mut allowance = self.allowance.lock();
                *allowance = (*allowance + 1).min(self.allowance_max);
            }
            Response::Silent => self.halve(),
            Response::Rejected => {}
        }
    }

    fn halve(&self) {
        let mut allowance = self.allowance.lock();
        *allowance = (*allowance / 2).max(1);
    }

    fn set(&self, lane: EndpointSpeed) {
        self.lane.send_if_modified(|current| std::mem::replace(current, lane) != lane);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use futures_util::stream::FuturesUnordered;

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    fn biller(name: &str) -> BillerId {
        BillerId::new(name).unwrap()
    }

    /// Free places: quick, slow.
    fn free(lanes: &Lanes) -> (usize, usize) {
        (lanes.quick.available_permits(), lanes.slow.available_permits())
    }

    fn lane(pace: &Pace) -> (usize, EndpointSpeed) {
        (pace.allowance(), *pace.lane.borrow())
    }

    #[test]
    fn an_endpoint_earns_its_places_and_loses_half_at_a_time() {
        let pace = Pace::new(32);
        assert_eq!(lane(&pace), (1, EndpointSpeed::Quick));
        pace.learn(Response::Rejected, SHORT);
        assert_eq!(lane(&pace), (1, EndpointSpeed::Quick));
        for _ in 0..40 {
            pace.learn(Response::Accepted, SHORT);
        }
        assert_eq!(lane(&pace), (32, EndpointSpeed::Quick));
        pace.learn(Response::Silent, SHORT);
        assert_eq!(lane(&pace), (16, EndpointSpeed::Quick));
        pace.overdue();
        assert_eq!(lane(&pace), (8, EndpointSpeed::Slow));
        pace.learn(Response::Accepted, SLOW);
        assert_eq!(lane(&pace), (8, EndpointSpeed::Slow));
        for _ in 0..4 {
            pace.overdue();
        }
        assert_eq!(lane(&pace), (1, EndpointSpeed::Slow));
        pace.learn(Response::Accepted, SHORT);
        assert_eq!(lane(&pace), (2, EndpointSpeed::Quick));
        pace.begin_anew();
        assert_eq!(lane(&pace), (1, EndpointSpeed::Quick));
    }

    #[tokio::test]
    async fn one_biller_s_endpoints_leave_places_to_others_however_many_hang() {
        let lanes = Lanes::new(32);
        let (hog, other) = (lanes.share(biller("hog")), lanes.share(biller("other")));
        let paces: Vec<Pace> = (0..40).map(|_| Pace::new(32)).collect();
        let hang = |pace| lanes.with_place(&hog, pace, std::future::pending::<()>());
        let mut hanging: FuturesUnordered<_> = paces.iter().map(hang).collect();
        assert!(futures_util::poll!(hanging.next()).is_pending());
        assert_eq!(free(&lanes), (12, 16), "a quarter of the quick ones");
        let pace = Pace::new(32);
        let told = futures_util::poll!(Box::pin(lanes.with_place(&other, &pace, async { 7 })));
        assert_eq!(told, std::task::Poll::Ready(Ok(7)), "another biller's place is free at once");
        drop(hanging);
        assert_eq!(free(&lanes), (16, 16));
    }

    #[tokio::test]
    async fn a_delivery_that_is_overdue_leaves_the_quick_lane_at_that_moment() {
        let lanes = Lanes { slow_after: Duration::ZERO, ..Lanes::new(32) };
        let share = lanes.share(biller("hog"));
        let pace = Pace::new(32);
        let hang = |_| lanes.with_place(&share, &pace, std::future::pending::<()>());
        let mut hanging: FuturesUnordered<_> = (0..4).map(hang).collect();
        while free(&lanes) != (16, 12) {
            assert!(futures_util::poll!(hanging.next()).is_pending());
            tokio::task::yield_now().await;
        }
        assert_eq!(lane(&pace), (1, EndpointSpeed::Slow), "known before any of them has ended");
        // The biller has no slow place left: what is overdue then is broken off.
        let other = Pace::new(32);
        let more = lanes.with_place(&share, &other, std::future::pending::<()>()).await;
        assert_eq!(more, Err(DeliveryOverdue));
        assert_eq!((free(&lanes), lane(&other)), ((16, 12), (1, EndpointSpeed::Slow)));
        drop(hanging);
        assert_eq!(free(&lanes), (16, 16));
    }

    #[tokio::test]
    async fn what_waits_for_a_quick_place_goes_to_the_slow_lane_once_its_endpoint_is_slow() {
        let lanes = Lanes::new(8);
        let share = lanes.share(biller("hog"));
        let pace = Pace::new(32);
        let _held = lanes.take(EndpointSpeed::Quick, &share).await;
        let mut waiting = Box::pin(lanes.place(&share, &pace));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        pace.overdue();
        assert_eq!(waiting.await.0, EndpointSpeed::Slow);
    }

    #[tokio::test]
    async fn slow_work_waits_for_slow_places_alone() {
        let lanes = Lanes::new(8);
        let share = lanes.share(biller("shop"));
        let held = lanes.take(EndpointSpeed::Slow, &share).await;
        let (slow, quick) = (Pace::new(32), Pace::new(32));
        slow.overdue();
        let mut second = Box::pin(lanes.with_place(&share, &slow, async {}));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(lanes.with_place(&share, &quick, async {}).await, Ok(()));
        drop(held);
        assert_eq!(second.await, Ok(()));
    }

    #[test]
    fn each_lane_has_a_place_however_few_there_are() {
        assert_eq!(free(&Lanes::new(1)), (1, 1));
        assert_eq!(Lanes::new(1).share_len, (1, 1));
    }
}
