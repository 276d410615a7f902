//! Metrics: what they mean, their buckets, and their text for Prometheus.
//!
//! `catalogue` lists every metric of every crate. Each stands at 0 from the start for all values of
//! its labels that are known then, so that a rate or an alert on it has something to count from.

mod catalogue;
mod participant;
mod payment;

use metrics::{Label, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

pub use participant::ParticipantFigures;
pub use payment::payment_told;

use crate::config::UNKNOWN_PARTICIPANT;
use catalogue::{CLUSTER, Dimension, Kind, METRICS, Metric};

/// Upper bounds of time buckets, in seconds: 50 µs to a minute.
const SECONDS: [f64; 19] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// Seconds of processor time that this process took, of all processors.
const CPU_SECONDS: &str = "process_cpu_seconds_total";
/// Upper bounds of batch-size buckets.
const SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Installs the recorder of this process. In a process that has one (tests), that one stays and
/// the returned handle shows nothing.
///
/// Errors: [`BuildError`] when the buckets are no good.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_records".to_owned()), &SIZES)?
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        METRICS.iter().chain(CLUSTER).for_each(Metric::describe);
        metrics_process::Collector::default().describe();
    }
    Ok(handle)
}

/// The participants by what they speak.
#[derive(Debug, Clone, Default)]
pub struct ParticipantNames<'a> {
    /// Those with lines of ISO 8583.
    pub lines: Vec<&'a str>,
    /// Those with a JSON API.
    pub json: Vec<&'a str>,
}

/// Sets every metric to 0 that has not been counted yet, for these participants and routes of the
/// HTTP API.
pub fn register(
    participants: &ParticipantNames<'_>,
    routes: &[&'static str],
    is_one_of_many: bool,
) {
    let cluster = if is_one_of_many { CLUSTER } else { &[] };
    for metric in METRICS.iter().chain(cluster) {
        for labels in series(metric.dimensions, participants, routes) {
            metric.register(labels);
        }
    }
    metrics::gauge!("cauce_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
}

/// All metrics as text for Prometheus, with what the system knows of this process now.
pub fn render(handle: &PrometheusHandle) -> String {
    metrics_process::Collector::default().collect();
    let text = handle.render();
    // A counter of this facade has whole numbers, so the fraction of seconds stands in a gauge.
    let [gauge, counter] =
        ["gauge", "counter"].map(|kind| format!("# TYPE {CPU_SECONDS} {kind}\n"));
    text.replacen(&gauge, &counter, 1)
}

/// The labels of each series: every value of a dimension with every value of the others.
fn series(
    dimensions: &[Dimension],
    participants: &ParticipantNames<'_>,
    routes: &[&str],
) -> Vec<Vec<Label>> {
    let ParticipantNames { lines, json } = participants;
    let all_of_them = || [lines.as_slice(), json.as_slice()].concat();
    let mut all = vec![Vec::new()];
    for dimension in dimensions {
        let (name, values): (&'static str, Vec<String>) = match dimension {
            Dimension::Participant => ("participant", own(&all_of_them())),
            Dimension::ParticipantOfLines => ("participant", own(lines)),
            Dimension::ParticipantOfJson => ("participant", own(json)),
            Dimension::ParticipantOrUnknown => {
                ("participant", own(&[all_of_them(), vec![UNKNOWN_PARTICIPANT]].concat()))
            }
            Dimension::Route => ("route", own(routes)),
            Dimension::Of(name, values) => (name, own(&values())),
        };
        let with = |labels: &Vec<Label>| {
            let labels = labels.clone();
            let with = move |value: &String| {
                let mut labels = labels.clone();
                labels.push(Label::new(name, value.clone()));
                labels
            };
            values.iter().map(with).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    all
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

impl Metric {
    fn describe(&self) {
        match self.kind {
            Kind::Counter => describe_counter!(self.name, self.help),
            Kind::Gauge => describe_gauge!(self.name, self.help),
            Kind::Histogram => describe_histogram!(self.name, self.help),
        }
    }

    /// Makes a series stand at 0, unless it is there.
    fn register(&self, labels: Vec<Label>) {
        match self.kind {
            Kind::Counter => metrics::counter!(self.name, labels).increment(0),
            Kind::Gauge => metrics::gauge!(self.name, labels).increment(0),
            // Its handle is enough.
            Kind::Histogram => drop(metrics::histogram!(self.name, labels)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_stands_for_each_value_of_each_label() {
        let dimensions = [Dimension::ParticipantOrUnknown, Dimension::Of("why", || vec!["a", "b"])];
        let names = ParticipantNames { lines: vec!["bank-a"], json: vec![] };
        let all = series(&dimensions, &names, &[]);
        let shown: Vec<Vec<&str>> =
            all.iter().map(|labels| labels.iter().map(Label::value).collect()).collect();
        let expect = [["bank-a", "a"], ["bank-a", "b"], ["unknown", "a"], ["unknown", "b"]];
        assert_eq!(shown, expect);
        assert_eq!(series(&[], &names, &[]), [vec![]]);
        let both = ParticipantNames { json: vec!["bank-j"], ..names };
        let count = |dimension| series(&[dimension], &both, &[]).len();
        assert_eq!(count(Dimension::Participant), 2);
        assert_eq!(count(Dimension::ParticipantOfLines), 1, "a JSON API has no line to be missed");
        assert_eq!(count(Dimension::ParticipantOfJson), 1);
    }
}
