//! The result of a search for capacity: every rate tried, and why it was not served.

use serde::{Deserialize, Serialize};

use super::Report;
use super::units::{duration, grouped, percent, round_duration};
use crate::workload::schedule::{RANDOM_ARRIVALS_MAX, REQUESTS_MAX};

/// When a rate counts as served well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// 99th percentile from the planned instant, µs.
    pub p99_us: u64,
}

impl Objective {
    /// No objective for the latency: payments are to end as planned, and that is all.
    pub const NONE: Self = Self { p99_us: u64::MAX };
}

/// How a search ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnd {
    /// Between a rate that was served and one that was not.
    #[default]
    Knee,
    /// At the greatest rate that it was allowed to try, which was served: the knee lies higher.
    Ceiling,
    /// At its first rate, which was not served: the knee, if there is one, lies lower.
    FirstRate,
    /// It was stopped.
    Stopped,
}

/// What limits the greatest rate of a search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchLimit {
    /// The option `--to`.
    #[default]
    Option,
    /// The greatest rate of the harness.
    Harness,
    /// The requests of one run.
    Requests,
    /// The random arrivals of one run.
    RandomArrivals,
}

impl SearchLimit {
    /// The limit and what to change, after "the knee lies higher".
    fn advice(self) -> String {
        match self {
            Self::Option => "; raise --to.".to_owned(),
            Self::Harness => {
                ", and the harness sends no more; split the load over several processes.".to_owned()
            }
            Self::Requests => format!(
                ". One run has at most {} requests, which limits the rate; lower --hold.",
                grouped(REQUESTS_MAX)
            ),
            Self::RandomArrivals => format!(
                ". One run has at most {} random arrivals, which limits the rate; lower --hold, or \
                 leave --poisson out.",
                grouped(RANDOM_ARRIVALS_MAX)
            ),
        }
    }
}

/// A search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// What a rate had to meet.
    pub objective: Objective,
    /// Requests a second tried first.
    pub from: u64,
    /// No rate above this was tried.
    pub to: u64,
    /// What limited that rate.
    #[serde(default)]
    pub limit: SearchLimit,
    /// How it ended.
    pub end: SearchEnd,
    /// Greatest rate that was served, requests a second; none when none was.
    pub knee_per_second: Option<u64>,
    /// Every rate tried, in order.
    pub tried: Vec<RatePoint>,
}

/// What one rate gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatePoint {
    /// Requests planned a second.
    pub rate: u64,
    /// Approvals a second.
    pub approved_per_second: u64,
    /// Median latency from the planned instant, µs.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p99_9_us: u64,
    /// Worst.
    pub max_us: u64,
    /// Why the rate does not count as served; empty when it does.
    pub why_not: Vec<String>,
}

impl RatePoint {
    /// The point of a run at a rate.
    pub fn new(rate: u64, report: &Report, objective: Objective) -> Self {
        Self {
            rate,
            approved_per_second: report.achieved_per_second,
            p50_us: report.latency.p50_us,
            p99_us: report.latency.p99_us,
            p99_9_us: report.latency.p99_9_us,
            max_us: report.latency.max_us,
            why_not: why_not(report, objective),
        }
    }

    /// Whether the rate was served well.
    pub fn is_served(&self) -> bool {
        self.why_not.is_empty()
    }
}

impl Search {
    /// What was found, in one sentence.
    pub fn verdict(&self) -> String {
        let p99 = round_duration(self.objective.p99_us);
        let (first, highest) = (grouped(self.from), grouped(self.to));
        match (self.end, self.knee_per_second) {
            (SearchEnd::Ceiling, _) => format!(
                "The search ended at its own ceiling: {highest} requests a second are still \
                 served with p99 under {p99}. The knee lies higher{}",
                self.limit.advice()
            ),
            (SearchEnd::FirstRate, _) | (SearchEnd::Knee, None) => format!(
                "Not even the first rate, {first} requests a second, is served with p99 under \
                 {p99}. The knee lies lower, if there is one; lower --from."
            ),
            (SearchEnd::Knee, Some(knee)) => format!(
                "The knee lies at {} requests a second: more are not served with p99 under {p99}.",
                grouped(knee)
            ),
            (SearchEnd::Stopped, Some(best)) => format!(
                "The search was stopped. The greatest rate served so far is {} a second.",
                grouped(best)
            ),
            (SearchEnd::Stopped, None) => {
                "The search was stopped before a rate was served.".to_owned()
            }
        }
    }
}

/// What keeps a run from counting as served: p99 above the objective, requests never sent, or more
/// than one payment in ten thousand that ended otherwise than planned.
fn why_not(report: &Report, objective: Objective) -> Vec<String> {
    let (counts, planned) = (&report.counts, report.planned);
    let mut why = Vec::new();
    if report.latency.p99_us > objective.p99_us {
        why.push(format!("p99 {}", duration(report.latency.p99_us)));
    }
    if counts.unsent > 0 {
        why.push(format!("{} never sent", percent(counts.unsent, planned)));
    }
    let is_many = |count: u64| count.saturating_mul(10_000) > planned;
    if is_many(counts.declined_unplanned) {
        let most = report.answers.iter().find(|answer| answer.meaning == "declined");
        let codes = most.map_or(String::new(), |most| format!(", mostly {}", most.codes()));
        let share = percent(counts.declined_unplanned, planned);
        why.push(format!("{share} declined{codes}"));
    }
    if is_many(counts.lost_unplanned) {
        why.push(format!("{} not answered in time", percent(counts.lost_unplanned, planned)));
    }
    if is_many(counts.line_lost) {
        why.push(format!("{} fell with their line", percent(counts.line_lost, planned)));
    }
    if why.is_empty() && counts.approved == 0 {
        why.push("nothing was approved".to_owned());
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::record::Counts;

    const OBJECTIVE: Objective = Objective { p99_us: 20_000 };

    fn report(counts: Counts) -> Report {
        let mut report = Report { planned: 10_000, counts, ..Report::default() };
        report.latency.p99_us = 5_000;
        report
    }

    #[test]
    fn declines_do_not_serve_a_rate() {
        let served = report(Counts { approved: 9_999, declined_unplanned: 1, ..Counts::default() });
        assert!(RatePoint::new(1_000, &served, OBJECTIVE).is_served());
        let mut declined =
            report(Counts { approved: 9_000, declined_unplanned: 1_000, ..Counts::default() });
        declined.answers = vec![crate::report::AnswerCount {
            meaning: "declined".to_owned(),
            response_code: "91".to_owned(),
            reason_no: Some("6001".to_owned()),
            reason: "issuer_unavailable".to_owned(),
            ..crate::report::AnswerCount::default()
        }];
        let point = RatePoint::new(1_000, &declined, OBJECTIVE);
        assert_eq!(point.why_not, ["10.0 % declined, mostly DE39 91, 6001 issuer_unavailable"]);
    }

    #[test]
    fn planned_declines_and_silences_do_serve_a_rate() {
        let counts =
            Counts { approved: 8_000, declined: 1_000, no_answer: 1_000, ..Counts::default() };
        assert!(RatePoint::new(1_000, &report(counts), OBJECTIVE).is_served());
    }

    #[test]
    fn the_verdict_names_the_limit_that_ended_the_search_and_what_to_change() {
        let check = |limit, expect: &str| {
            let search = Search {
                objective: OBJECTIVE,
                from: 1_000,
                to: 3_000,
                limit,
                end: SearchEnd::Ceiling,
                knee_per_second: Some(3_000),
                tried: Vec::new(),
            };
            let begin = "The search ended at its own ceiling: 3,000 requests a second are still \
                         served with p99 under 20 ms. The knee lies higher";
            assert_eq!(search.verdict(), format!("{begin}{expect}"));
        };
        check(SearchLimit::Option, "; raise --to.");
        check(
            SearchLimit::Harness,
            ", and the harness sends no more; split the load over several processes.",
        );
        check(
            SearchLimit::Requests,
            ". One run has at most 100,000,000 requests, which limits the rate; lower --hold.",
        );
        check(
            SearchLimit::RandomArrivals,
            ". One run has at most 20,000,000 random arrivals, which limits the rate; lower \
             --hold, or leave --poisson out.",
        );
    }
}
