//! Finding the knee: the greatest rate that is still served well.

use std::future::Future;

use crate::report::search::{Objective, RatePoint, Search, SearchEnd, SearchLimit};

/// The bisection stops at steps below a twentieth of the rate.
const RESOLUTION: u64 = 20;

impl Search {
    /// A search that has tried nothing yet; `to` is its greatest rate and what limits that.
    pub fn new(from: u64, (to, limit): (u64, SearchLimit), objective: Objective) -> Self {
        Self { objective, from: from.max(1), to, limit, ..Self::default() }
    }

    /// Climbs stairs of ×1.4 from the first rate until one is not served well, then halves the last
    /// step until it is within 5 %. `serve` makes a run at a rate, or none when it is to stop.
    ///
    /// Errors: the first one `serve` gives.
    pub async fn run<F, E>(&mut self, mut serve: impl FnMut(u64) -> F) -> Result<(), E>
    where
        F: Future<Output = Result<Option<RatePoint>, E>>,
    {
        let mut rate = self.from;
        let mut high = loop {
            let Some(is_served) = self.take(serve(rate).await?) else { return Ok(()) };
            if !is_served {
                break rate;
            }
            if rate >= self.to {
                self.end = SearchEnd::Ceiling;
                return Ok(());
            }
            rate = (rate.saturating_mul(14) / 10).max(rate + 1).min(self.to);
        };
        let Some(mut low) = self.knee_per_second else {
            self.end = SearchEnd::FirstRate;
            return Ok(());
        };
        while high - low > (low / RESOLUTION).max(1) {
            let middle = low + (high - low) / 2;
            let Some(is_served) = self.take(serve(middle).await?) else { return Ok(()) };
            if is_served { low = middle } else { high = middle }
        }
        self.end = SearchEnd::Knee;
        Ok(())
    }

    /// Takes a point down and gives whether its rate was served; none when the search is to stop.
    fn take(&mut self, point: Option<RatePoint>) -> Option<bool> {
        let Some(point) = point else {
            self.end = SearchEnd::Stopped;
            return None;
        };
        let is_served = point.is_served();
        if is_served {
            self.knee_per_second = self.knee_per_second.max(Some(point.rate));
        }
        self.tried.push(point);
        Some(is_served)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// Searches a server that serves up to `capacity`, and stops after so many runs.
    async fn search(capacity: u64, from: u64, to: u64, runs: usize) -> Search {
        let mut search = Search::new(from, (to, SearchLimit::Option), Objective { p99_us: 1 });
        let mut left = runs;
        let serve = |rate| {
            let why_not = if rate <= capacity { vec![] } else { vec!["p99".to_owned()] };
            let is_stopped = left == 0;
            left = left.saturating_sub(1);
            let point = RatePoint { rate, why_not, ..RatePoint::default() };
            std::future::ready(Ok::<_, Infallible>((!is_stopped).then_some(point)))
        };
        let Ok(()) = search.run(serve).await;
        search
    }

    #[tokio::test]
    async fn the_knee_is_found_to_five_per_cent() {
        for capacity in [1_000, 5_700, 23_456, 99_999] {
            let found = search(capacity, 1_000, 1_000_000, 99).await;
            let knee = found.knee_per_second.unwrap();
            assert!(knee <= capacity && knee * 105 >= capacity * 100, "{knee} of {capacity}");
            assert_eq!(found.end, SearchEnd::Knee);
        }
    }

    #[tokio::test]
    async fn a_server_that_cannot_serve_the_first_rate_has_no_knee() {
        let found = search(10, 1_000, 2_000, 99).await;
        assert_eq!((found.knee_per_second, found.end), (None, SearchEnd::FirstRate));
    }

    #[tokio::test]
    async fn the_search_stops_at_its_ceiling_and_says_so() {
        let found = search(u64::MAX, 1_000, 3_000, 99).await;
        assert_eq!((found.knee_per_second, found.end), (Some(3_000), SearchEnd::Ceiling));
        let found = search(u64::MAX, 3_000, 3_000, 99).await;
        assert_eq!((found.tried.len(), found.end), (1, SearchEnd::Ceiling));
    }

    #[tokio::test]
    async fn a_search_that_is_stopped_keeps_what_it_found() {
        let found = search(u64::MAX, 1_000, 3_000, 2).await;
        assert_eq!((found.knee_per_second, found.end), (Some(1_400), SearchEnd::Stopped));
    }
}
