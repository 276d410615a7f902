//! The result of a run: JSON with a version, and one HTML file that needs nothing else.

mod answers;
mod compare;
mod html;
pub mod machine;
pub mod search;
pub mod units;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

pub use answers::AnswerCount;
pub use compare::{Comparison, compare};
pub use html::page;

use crate::audit::AuditSummary;
use crate::drive::record::{Counts, Second};
use crate::drive::{DriveSettings, Entrance, Run};
use crate::workload::Shares;
use crate::workload::schedule::Pace;
use machine::{Machine, ProcessUse};
use search::{RatePoint, Search};
use units::{duration, percent, round_duration};

/// Version of the JSON; raised when a field changes its meaning.
pub const SCHEMA_VERSION: u32 = 2;

/// A result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema_version: u32,
    /// When the run ended, RFC 3339.
    pub at: String,
    /// Why the figures must not be used; empty when they may.
    pub invalid: Vec<String>,
    /// On what it was made.
    pub machine: Machine,
    /// What was done.
    pub settings: Settings,
    /// When the run was stopped before its end, milliseconds from its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_after_ms: Option<u64>,
    /// Requests planned, up to the stop where there was one.
    pub planned: u64,
    /// Requests planned a second.
    pub offered_per_second: u64,
    /// Payments approved a second, while requests were planned. Declines are no achievement.
    pub achieved_per_second: u64,
    /// Requests answered a second, declines included, while requests were planned.
    pub answered_per_second: u64,
    /// From the planned instant to the answer: *the* latency.
    pub latency: Quantiles,
    /// From the sending to the answer.
    pub uncorrected: Quantiles,
    /// From the planned instant to the sending.
    pub lag: Quantiles,
    /// Counts.
    pub counts: Counts,
    /// Answers by response code; of ISO 8583 lines alone.
    pub by_code: BTreeMap<String, u64>,
    /// What answers other than approvals said, the most frequent first.
    pub answers: Vec<AnswerCount>,
    /// Processes watched, this one first.
    pub processes: Vec<ProcessUse>,
    /// One entry a second.
    pub seconds: Vec<Second>,
    /// The end audit, where one was made.
    pub audit: Option<AuditSummary>,
    /// What each rate gave, where several were held one after the other; the other figures are of the
    /// last one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<RatePoint>,
    /// The search that led to this run, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Address loaded.
    pub target: String,
    /// What listens there: `iso8583` or `http`.
    pub entrance: String,
    /// `constant`, `poisson` or `max`.
    pub pace: String,
    /// Requests a second asked for; 0 for a closed loop.
    pub rate: u64,
    /// Planned length, milliseconds.
    pub duration_ms: u64,
    /// Lines.
    pub connections: u32,
    /// Requests open at most on each.
    pub in_flight: u32,
    /// An approval later than this counts as slow, milliseconds.
    pub slow_after_ms: u64,
    /// Seed.
    pub seed: u64,
    /// Shares, in basis points.
    pub shares: Shares,
}

/// Percentiles, µs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50_us: u64,
    /// 75th percentile.
    pub p75_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 95th percentile.
    pub p95_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.5th percentile.
    pub p99_5_us: u64,
    /// 99.9th percentile.
    pub p99_9_us: u64,
    /// 99.99th percentile.
    pub p99_99_us: u64,
    /// Worst.
    pub max_us: u64,
}

impl Quantiles {
    /// The percentiles of a histogram of microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            p50_us: at(0.5),
            p75_us: at(0.75),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p99_5_us: at(0.995),
            p99_9_us: at(0.999),
            p99_99_us: at(0.9999),
            max_us: histogram.max(),
        }
    }

    /// Name and value of each, ascending.
    pub fn named(&self) -> [(&'static str, u64); 9] {
        [
            ("p50", self.p50_us),
            ("p75", self.p75_us),
            ("p90", self.p90_us),
            ("p95", self.p95_us),
            ("p99", self.p99_us),
            ("p99.5", self.p99_5_us),
            ("p99.9", self.p99_9_us),
            ("p99.99", self.p99_99_us),
            ("max", self.max_us),
        ]
    }
}

impl Settings {
    /// What these settings say.
    pub fn of(settings: &DriveSettings) -> Self {
        let (pace, rate) = match settings.pace {
            Pace::Constant { per_second } => ("constant", per_second),
            Pace::Poisson { per_second, .. } => ("poisson", per_second),
            Pace::Max => ("max", 0),
        };
        let entrance = match settings.entrance {
            Entrance::Iso8583 { .. } => "iso8583",
            Entrance::Http { .. } => "http",
        };
        Self {
            target: settings.target.to_string(),
            entrance: entrance.to_owned(),
            slow_after_ms: millis(settings.slow_after),
            pace: pace.to_owned(),
            rate,
            duration_ms: millis(settings.duration),
            connections: settings.connections,
            in_flight: settings.in_flight,
            seed: settings.workload.seed,
            shares: settings.workload.shares,
        }
    }
}

impl Report {
    /// The figures of a run; machine, processes and audit are filled in by the caller.
    pub fn new(settings: &DriveSettings, run: &Run) -> Self {
        let recorder = &run.recorder;
        let ran_ms = millis(run.stopped_after.unwrap_or(settings.duration)).max(1);
        let Counts { approved, declined, unknown, .. } = recorder.counts;
        let report = Self {
            schema_version: SCHEMA_VERSION,
            at: crate::clock::now().to_string(),
            settings: Settings::of(settings),
            stopped_after_ms: run.stopped_after.map(millis),
            planned: run.planned,
            offered_per_second: run.planned.saturating_mul(1000) / ran_ms,
            achieved_per_second: per_second(run, ran_ms, approved, |second| second.approved),
            answered_per_second: per_second(run, ran_ms, approved + declined + unknown, |second| {
                second.answered
            }),
            latency: Quantiles::of(&recorder.from_planned),
            uncorrected: Quantiles::of(&recorder.from_sent),
            lag: Quantiles::of(&recorder.lag),
            counts: recorder.counts,
            by_code: by_code(&recorder.by_code),
            answers: answers::counted(recorder),
            seconds: recorder.seconds.clone(),
            ..Self::default()
        };
        Self { invalid: report.objections(), ..report }
    }

    /// Processor time of a watched process for a thousand payments, µs; the figure that does not
    /// depend on how many cores the machine has.
    pub fn cpu_us_per_thousand(&self, process: &ProcessUse) -> u64 {
        let Counts { approved, declined, unknown, .. } = self.counts;
        process.cpu_ms.saturating_mul(1_000_000) / (approved + declined + unknown).max(1)
    }

    /// The same for one payment, µs, rounded down.
    pub fn cpu_us_a_payment(&self, process: &ProcessUse) -> u64 {
        self.cpu_us_per_thousand(process) / 1_000
    }

    /// The report as indented JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("invariant: a report has string keys")
    }

    /// Reasons not to trust the figures: the harness itself was the bottleneck, or what was measured
    /// is not what was planned.
    fn objections(&self) -> Vec<String> {
        let mut objections = Vec::new();
        let counts = &self.counts;
        if let Some(after) = self.stopped_after_ms {
            let (after, planned) = (after * 1000, self.settings.duration_ms * 1000);
            objections.push(format!(
                "the run was stopped after {} of {}",
                duration(after),
                round_duration(planned)
            ));
        }
        if counts.unsent > 0 {
            objections.push(format!("{} planned requests were never sent", counts.unsent));
        }
        let lag_max_us = 1_000.max(self.latency.p99_us / 20);
        // With full windows the server delays the sending; that lag is the server's.
        if self.lag.p99_us > lag_max_us && self.uncorrected.p99_us < self.lag.p99_us {
            objections.push(format!(
                "requests left {} late at p99, more than the server took",
                duration(self.lag.p99_us)
            ));
        }
        objections.extend(self.unplanned());
        objections
    }

    /// Whether the payments ended as planned: at least one approved, where some were declined, and no
    /// more than one in a hundred otherwise than the plan has it or never sent.
    pub fn is_as_planned(&self) -> bool {
        let unsent = self.counts.unsent.saturating_mul(100) > self.planned;
        self.unplanned().is_empty() && !unsent
    }

    /// Endings other than planned, where they are more than one in a hundred.
    fn unplanned(&self) -> Vec<String> {
        let counts = &self.counts;
        let is_many = |count: u64| count.saturating_mul(100) > self.planned;
        let mut told = Vec::new();
        if counts.declined > 0 && counts.approved == 0 {
            told.push("not one payment was approved".to_owned());
        }
        let most = |meaning: &str| {
            let found = self.answers.iter().find(|answer| answer.meaning == meaning);
            found.map_or(String::new(), |most| format!("; most often {}", most.codes()))
        };
        if is_many(counts.declined_unplanned) {
            let share = percent(counts.declined_unplanned, self.planned);
            let most = most("declined");
            told.push(format!("{share} of the payments were declined against the plan{most}"));
        }
        if is_many(counts.lost_unplanned) {
            let share = percent(counts.lost_unplanned, self.planned);
            told.push(format!("{share} of the payments had no outcome in time"));
        }
        if is_many(counts.line_lost) {
            let share = percent(counts.line_lost, self.planned);
            told.push(format!("{share} of the payments fell with their line"));
        }
        told
    }
}

/// How many a second while requests were planned; what was heard later is not counted. A run of
/// less than a second is counted as a whole.
fn per_second(run: &Run, ran_ms: u64, in_all: u64, of: impl Fn(&Second) -> u64) -> u64 {
    let whole = ran_ms / 1000;
    let seconds = run.recorder.seconds.iter().filter(|second| second.second < whole);
    let counted: u64 = seconds.map(of).sum();
    counted.checked_div(whole).unwrap_or(in_all.saturating_mul(1000) / ran_ms)
}

fn by_code(counts: &[u64; 100]) -> BTreeMap<String, u64> {
    let counted = (0..).zip(counts).filter(|(_, count)| **count > 0);
    counted.map(|(code, count): (u8, _)| (format!("{code:02}"), *count)).collect()
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
