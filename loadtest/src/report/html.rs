//! The report as one HTML file: tables and inline SVG, no script, nothing fetched. It reads on a
//! telephone as on a desk.

mod chart;
mod style;
mod tables;

use std::fmt::Write;

use super::Report;
use super::search::{Objective, RatePoint};
use super::units::{grouped, round_duration};
use chart::{Axis, Chart, Scale, Series};
use style::STYLE;

const BLUE: &str = "#0969da";
const GREEN: &str = "#116329";
const RED: &str = "#a40e26";
/// A line over time has at most so many points.
const POINTS_MAX: usize = 240;

/// The page of a report.
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    let written = write_page(&mut page, report);
    written.expect("invariant: memory takes what is written");
    page
}

fn write_page(out: &mut String, report: &Report) -> std::fmt::Result {
    let title = if report.search.is_some() { "Capacity report" } else { "Load report" };
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}, {}</title><style>{STYLE}</style></head><body><h1>{title}</h1>",
        escape(&report.at)
    )?;
    if let Some(search) = &report.search {
        write!(out, "<p class=\"lead\">{}</p>", escape(&search.verdict()))?;
        over_rates(out, &search.tried, Some(search.objective))?;
    } else if !report.rates.is_empty() {
        over_rates(out, &report.rates, None)?;
    }
    tables::headline(out, report)?;
    tables::verdicts(out, report)?;
    tables::figures(out, report)?;
    over_time(out, report)?;
    by_quantile(out, report)?;
    tables::environment(out, report)?;
    write!(out, "</body></html>")
}

/// The curves over all rates.
fn over_rates(
    out: &mut String,
    rates: &[RatePoint],
    objective: Option<Objective>,
) -> std::fmt::Result {
    let mut tried: Vec<_> = rates.iter().collect();
    tried.sort_by_key(|point| point.rate);
    let points = |value: fn(&RatePoint) -> u64| {
        tried.iter().map(|point| (point.rate, value(point))).collect()
    };
    let rate = || axis("payments offered a second", Scale::Linear, grouped);
    Chart {
        caption: "Latency over the rate",
        x: rate(),
        y: axis(
            "latency from the planned instant, logarithmic",
            Scale::Logarithmic,
            round_duration,
        ),
        series: vec![
            Series { name: "median", colour: BLUE, points: points(|point| point.p50_us) },
            Series { name: "99th percentile", colour: RED, points: points(|point| point.p99_us) },
        ],
        level: objective.map(|objective| (objective.p99_us, "objective for the 99th percentile")),
    }
    .write(out)?;
    Chart {
        caption: "Throughput over the rate",
        x: rate(),
        y: axis("payments a second", Scale::Linear, grouped),
        series: vec![
            Series { name: "offered", colour: BLUE, points: points(|point| point.rate) },
            Series {
                name: "approved",
                colour: GREEN,
                points: points(|point| point.approved_per_second),
            },
        ],
        level: None,
    }
    .write(out)?;
    tables::rates(out, &tried)
}

fn over_time(out: &mut String, report: &Report) -> std::fmt::Result {
    let ran_ms = report.stopped_after_ms.unwrap_or(report.settings.duration_ms);
    let whole = usize::try_from(ran_ms / 1000).unwrap_or(usize::MAX);
    // What comes after the last planned request is answers alone.
    let seconds = report.seconds.get(..whole).filter(|seconds| !seconds.is_empty());
    let seconds = seconds.unwrap_or(&report.seconds);
    let each = seconds.len().div_ceil(POINTS_MAX).max(1);
    let points = |value: fn(&super::Second) -> u64, merge: fn(&[u64]) -> u64| {
        let chunks = seconds.chunks(each).map(|chunk| {
            let values: Vec<u64> = chunk.iter().map(value).collect();
            (chunk[0].second + 1, merge(&values))
        });
        chunks.collect::<Vec<_>>()
    };
    let mean: fn(&[u64]) -> u64 =
        |values| values.iter().sum::<u64>() / u64::try_from(values.len()).unwrap_or(1).max(1);
    let worst: fn(&[u64]) -> u64 = |values| values.iter().copied().max().unwrap_or(0);
    let time = || axis("seconds from the start", Scale::Linear, grouped);
    Chart {
        caption: "Throughput over time",
        x: time(),
        y: axis("requests a second", Scale::Linear, grouped),
        series: vec![
            Series { name: "sent", colour: BLUE, points: points(|second| second.sent, mean) },
            Series {
                name: "approved",
                colour: GREEN,
                points: points(|second| second.approved, mean),
            },
        ],
        level: None,
    }
    .write(out)?;
    Chart {
        caption: "Latency over time",
        x: time(),
        y: axis(
            "latency from the planned instant, logarithmic",
            Scale::Logarithmic,
            round_duration,
        ),
        series: vec![
            Series { name: "median", colour: BLUE, points: points(|second| second.p50_us, worst) },
            Series {
                name: "99th percentile",
                colour: RED,
                points: points(|second| second.p99_us, worst),
            },
        ],
        level: None,
    }
    .write(out)
}

fn by_quantile(out: &mut String, report: &Report) -> std::fmt::Result {
    let named = report.latency.named();
    let points = |values: [(&'static str, u64); 9]| {
        (0_u64..).zip(values).map(|(at, (_, value))| (at, value)).collect()
    };
    let places = (0_u64..).zip(named).filter(|(at, _)| SHOWN_QUANTILES.contains(at));
    Chart {
        caption: "Latency by percentile",
        x: Axis {
            label: "percentile of the requests",
            scale: Scale::Linear,
            tick: grouped,
            places: places.map(|(at, (name, _))| (at, name)).collect(),
        },
        y: axis("latency, logarithmic", Scale::Logarithmic, round_duration),
        series: vec![
            Series { name: "from the planned instant", colour: RED, points: points(named) },
            Series {
                name: "from the sending",
                colour: BLUE,
                points: points(report.uncorrected.named()),
            },
        ],
        level: None,
    }
    .write(out)
}

/// The percentiles that are labelled; all of them would not fit a telephone.
const SHOWN_QUANTILES: [u64; 5] = [0, 2, 4, 6, 8];

fn axis(label: &'static str, scale: Scale, tick: fn(u64) -> String) -> Axis {
    Axis { label, scale, tick, places: Vec::new() }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
