//! Whether one result is worse than another.

use super::{Report, Settings};

/// What a comparison says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Within the noise, or better.
    NotWorse,
    /// Worse; in what.
    Worse(Vec<String>),
    /// The two cannot be compared; why.
    Invalid(Vec<String>),
}

/// Differences of a latency below this are the clock's and the scheduler's.
const NOISE_US: u64 = 200;

/// Compares a later result with an earlier one.
///
/// Units: `noise` in per cent; what differs by less is the same.
pub fn compare(earlier: &Report, later: &Report, noise: u64) -> Comparison {
    let objections = objections(earlier, later);
    if !objections.is_empty() {
        return Comparison::Invalid(objections);
    }
    let mut worse = Vec::new();
    let latencies = earlier.latency.named().into_iter().zip(later.latency.named());
    for ((name, before), (_, after)) in latencies.filter(|((name, _), _)| COMPARED.contains(name)) {
        if after > before + NOISE_US && after * 100 > before * (100 + noise) {
            worse.push(format!("{name} {before} → {after} µs"));
        }
    }
    let (before, after) = (earlier.achieved_per_second, later.achieved_per_second);
    if after * 100 < before * 100_u64.saturating_sub(noise) {
        worse.push(format!("achieved rate {before} → {after} a second"));
    }
    for (process, then) in later.processes.iter().zip(&earlier.processes) {
        let (before, after) =
            (earlier.cpu_us_per_thousand(then), later.cpu_us_per_thousand(process));
        if process.name == then.name && after * 100 > before * (100 + noise) && before > 0 {
            worse.push(format!(
                "{}: {before} → {after} µs of processor for 1,000 payments",
                process.name
            ));
        }
    }
    if worse.is_empty() { Comparison::NotWorse } else { Comparison::Worse(worse) }
}

/// Percentiles compared; the worst single one says little.
const COMPARED: [&str; 3] = ["p50", "p90", "p99"];

fn objections(earlier: &Report, later: &Report) -> Vec<String> {
    let mut objections = Vec::new();
    for (which, report) in [("earlier", earlier), ("later", later)] {
        if report.schema_version != super::SCHEMA_VERSION {
            objections.push(format!("the {which} result has schema {}", report.schema_version));
        }
        objections.extend(report.invalid.iter().map(|why| format!("the {which} result: {why}")));
        if report.audit.as_ref().is_some_and(|audit| audit.mismatches > 0) {
            objections.push(format!("the audit of the {which} result failed"));
        }
    }
    let of = |report: &Report| {
        let settings = &report.settings;
        let Settings { entrance, pace, rate, shares, connections, .. } = settings.clone();
        (entrance, pace, rate, shares, connections)
    };
    if of(earlier) != of(later) {
        objections.push("the two runs did not do the same".to_owned());
    }
    objections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::SCHEMA_VERSION;

    fn report(p99_us: u64, achieved_per_second: u64) -> Report {
        let mut report = Report { schema_version: SCHEMA_VERSION, ..Report::default() };
        report.latency.p99_us = p99_us;
        report.achieved_per_second = achieved_per_second;
        report
    }

    #[test]
    fn a_tenth_more_latency_is_worse_and_a_hair_more_is_not() {
        let before = report(10_000, 1_000);
        assert_eq!(compare(&before, &report(10_150, 1_000), 10), Comparison::NotWorse);
        assert_eq!(compare(&before, &report(5_000, 1_000), 10), Comparison::NotWorse);
        let slower = Comparison::Worse(vec!["p99 10000 → 11500 µs".to_owned()]);
        assert_eq!(compare(&before, &report(11_500, 1_000), 10), slower);
        assert!(matches!(compare(&before, &report(10_000, 800), 10), Comparison::Worse(_)));
    }

    #[test]
    fn a_result_that_is_invalid_or_of_another_run_is_not_compared() {
        let before = report(10_000, 1_000);
        let mut after = before.clone();
        after.settings.rate = 5;
        assert!(matches!(compare(&before, &after, 10), Comparison::Invalid(_)));
        let mut after = before.clone();
        after.invalid.push("3 planned requests were never sent".to_owned());
        assert!(matches!(compare(&before, &after, 10), Comparison::Invalid(_)));
    }
}
