//! Finding the knee: the greatest rate that is still served well.

use std::future::Future;

use crate::drive::Run;
use crate::workload::Shares;

/// When a rate counts as served well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objective {
    /// 99th percentile from the planned instant, µs.
    pub p99_us: u64,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knee {
    /// Greatest rate served well; none when even the first was not.
    pub rate: Option<u64>,
    /// Every rate tried, in order, and whether it was served well.
    pub tried: Vec<(u64, bool)>,
}

/// Rates below which bisection stops: a twentieth of the rate.
const RESOLUTION: u64 = 20;

/// Climbs stairs of ×1.4 from a rate until one is not served well, then halves the last step
/// until it is within 5 %. `serve` says whether a rate is served well.
///
/// Errors: the first one `serve` gives.
pub async fn search<F, E>(
    from: u64,
    highest: u64,
    mut serve: impl FnMut(u64) -> F,
) -> Result<Knee, E>
where
    F: Future<Output = Result<bool, E>>,
{
    let mut tried = Vec::new();
    let (mut good, mut rate) = (None, from.max(1));
    let bad = loop {
        let is_served = serve(rate).await?;
        tried.push((rate, is_served));
        if !is_served {
            break rate;
        }
        good = Some(rate);
        if rate >= highest {
            return Ok(Knee { rate: good, tried });
        }
        rate = (rate.saturating_mul(14) / 10).max(rate + 1).min(highest);
    };
    let Some(mut low) = good else { return Ok(Knee { rate: None, tried }) };
    let mut high = bad;
    while high - low > (low / RESOLUTION).max(1) {
        let middle = low + (high - low) / 2;
        let is_served = serve(middle).await?;
        tried.push((middle, is_served));
        if is_served { low = middle } else { high = middle }
    }
    Ok(Knee { rate: Some(low), tried })
}

/// Whether a run served its rate well: p99 within the objective, nothing unsent, at least 99 % of
/// the plan answered, and fewer than one in ten thousand ended as nobody planned.
pub fn is_served(run: &Run, shares: Shares, objective: Objective) -> bool {
    let counts = &run.recorder.counts;
    let planned_losses = u64::from(shares.silents + shares.lates > 0);
    let surprises = counts.line_lost
        + counts.unsent
        + (counts.no_answer + counts.unknown) * (1 - planned_losses)
        + if shares.declines == 0 { counts.declined } else { 0 };
    let answered = counts.approved + counts.declined + counts.unknown;
    run.recorder.from_planned.value_at_quantile(0.99) <= objective.p99_us
        && counts.unsent == 0
        && answered * 100 >= run.planned * 99
        && surprises * 10_000 <= run.planned
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    async fn knee_of(capacity: u64, from: u64, highest: u64) -> Knee {
        let serve = |rate| std::future::ready(Ok::<_, Infallible>(rate <= capacity));
        let Ok(knee) = search(from, highest, serve).await;
        knee
    }

    #[tokio::test]
    async fn the_knee_is_found_to_five_per_cent() {
        for capacity in [1_000, 5_700, 23_456, 99_999] {
            let found = knee_of(capacity, 1_000, 1_000_000).await.rate.unwrap();
            assert!(found <= capacity && found * 105 >= capacity * 100, "{found} of {capacity}");
        }
    }

    #[tokio::test]
    async fn a_server_that_cannot_serve_the_first_rate_has_no_knee() {
        assert_eq!(knee_of(10, 1_000, 2_000).await.rate, None);
    }

    #[tokio::test]
    async fn the_search_stops_at_its_ceiling() {
        assert_eq!(knee_of(u64::MAX, 1_000, 3_000).await.rate, Some(3_000));
    }
}
