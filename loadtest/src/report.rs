//! The result of a run: JSON with a version, and one HTML file that needs nothing else.

mod compare;
mod html;
pub mod machine;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

pub use compare::{Comparison, compare};
pub use html::page;

use crate::audit::AuditSummary;
use crate::drive::record::{Counts, Second};
use crate::drive::{DriveSettings, Run};
use crate::workload::Shares;
use crate::workload::schedule::Pace;
use machine::{Machine, ProcessUse};

/// Version of the JSON; raised when a field changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// A result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Requests planned a second.
    pub offered_per_second: u64,
    /// Requests answered a second, while requests were planned.
    pub achieved_per_second: u64,
    /// From the planned instant to the answer: *the* latency.
    pub latency: Quantiles,
    /// From the sending to the answer.
    pub uncorrected: Quantiles,
    /// From the planned instant to the sending.
    pub lag: Quantiles,
    /// Counts.
    pub counts: Counts,
    /// Answers by response code.
    pub by_code: BTreeMap<String, u64>,
    /// Processes watched, this one first.
    pub processes: Vec<ProcessUse>,
    /// One entry a second.
    pub seconds: Vec<Second>,
    /// The end audit, where one was made.
    pub audit: Option<AuditSummary>,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Address loaded.
    pub target: String,
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
        Self {
            target: settings.target.to_string(),
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
        let planned_ms = millis(settings.duration).max(1);
        let report = Self {
            schema_version: SCHEMA_VERSION,
            at: crate::clock::now().to_string(),
            settings: Settings::of(settings),
            offered_per_second: run.planned.saturating_mul(1000) / planned_ms,
            achieved_per_second: achieved(run, planned_ms),
            latency: Quantiles::of(&recorder.from_planned),
            uncorrected: Quantiles::of(&recorder.from_sent),
            lag: Quantiles::of(&recorder.lag),
            counts: recorder.counts,
            by_code: by_code(&recorder.by_code),
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

    /// The report as indented JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("invariant: a report has string keys")
    }

    /// Reasons not to trust the figures: the harness itself was the bottleneck.
    fn objections(&self) -> Vec<String> {
        let mut objections = Vec::new();
        if self.counts.unsent > 0 {
            objections.push(format!("{} planned requests were never sent", self.counts.unsent));
        }
        let lag_max_us = 1_000.max(self.latency.p99_us / 20);
        // With full windows the server delays the sending; that lag is the server's.
        if self.lag.p99_us > lag_max_us && self.uncorrected.p99_us < self.lag.p99_us {
            objections.push(format!(
                "requests left {} µs late at p99, more than the server took",
                self.lag.p99_us
            ));
        }
        objections
    }
}

/// Answers a second while requests were planned; what was heard later is not counted.
fn achieved(run: &Run, planned_ms: u64) -> u64 {
    let whole = planned_ms / 1000;
    let seconds = run.recorder.seconds.iter().filter(|second| second.second < whole);
    let answered: u64 = seconds.map(|second| second.answered).sum();
    let Counts { approved, declined, unknown, .. } = run.recorder.counts;
    let in_all = (approved + declined + unknown).saturating_mul(1000) / planned_ms;
    answered.checked_div(whole).unwrap_or(in_all)
}

fn by_code(counts: &[u64; 100]) -> BTreeMap<String, u64> {
    let counted = (0..).zip(counts).filter(|(_, count)| **count > 0);
    counted.map(|(code, count): (u8, _)| (format!("{code:02}"), *count)).collect()
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
