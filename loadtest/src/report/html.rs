//! The report as one HTML file: tables and inline SVG, no script, nothing fetched. It reads on a
//! telephone as on a desk.

mod chart;
mod style;
mod tables;

use std::fmt::Write;

use super::search::{Objective, RatePoint};
use super::units::{grouped, round_duration};
use super::{Report, Second};
use chart::{Axis, Chart, Scale, Series};
use style::STYLE;

const BLUE: &str = "#0969da";
const GREEN: &str = "#116329";
const RED: &str = "#a40e26";
const LATENCY_LABEL: &str = "latency from the planned instant, logarithmic";
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
        write!(out, "<p class=\"lead\">{}</p>", escape(&held(&report.rates)))?;
        over_rates(out, &report.rates, None)?;
    }
    tables::headline(out, report)?;
    tables::verdicts(out, report)?;
    tables::figures(out, report)?;
    let seconds = planned_seconds(report);
    throughput_over_time(out, seconds)?;
    latency_over_time(out, seconds)?;
    by_quantile(out, report)?;
    tables::environment(out, report)?;
    write!(out, "</body></html>")
}

/// The curves and the table of all rates.
fn over_rates(
    out: &mut String,
    rates: &[RatePoint],
    objective: Option<Objective>,
) -> std::fmt::Result {
    let mut tried: Vec<_> = rates.iter().collect();
    tried.sort_by_key(|point| point.rate);
    latency_over_rates(out, &tried, objective)?;
    throughput_over_rates(out, &tried)?;
    let served = if objective.is_some() { "served" } else { "as planned" };
    tables::rates(out, &tried, served)
}

/// What became of several rates without an objective, in one sentence.
fn held(rates: &[RatePoint]) -> String {
    let went_well = rates.iter().filter(|point| point.is_served()).count();
    let count = rates.len();
    let how = match went_well {
        _ if went_well == count => "at each the payments ended as planned".to_owned(),
        0 => "at none the payments ended as planned".to_owned(),
        _ => format!("at {went_well} of them the payments ended as planned"),
    };
    format!("{count} rates were held one after the other: {how}.")
}

/// A value of each rate.
fn by_rate(tried: &[&RatePoint], value: fn(&RatePoint) -> u64) -> Vec<(u64, u64)> {
    tried.iter().map(|point| (point.rate, value(point))).collect()
}

fn latency_over_rates(
    out: &mut String,
    tried: &[&RatePoint],
    objective: Option<Objective>,
) -> std::fmt::Result {
    let line = |name, colour, value| Series { name, colour, points: by_rate(tried, value) };
    Chart {
        caption: "Latency over the rate",
        x: axis("payments offered a second", Scale::Linear, grouped),
        y: axis(LATENCY_LABEL, Scale::Logarithmic, round_duration),
        series: vec![
            line("median", BLUE, |point| point.p50_us),
            line("99th percentile", RED, |point| point.p99_us),
        ],
        level: objective.map(|objective| (objective.p99_us, "objective for the 99th percentile")),
    }
    .write(out)
}

fn throughput_over_rates(out: &mut String, tried: &[&RatePoint]) -> std::fmt::Result {
    let line = |name, colour, value| Series { name, colour, points: by_rate(tried, value) };
    Chart {
        caption: "Throughput over the rate",
        x: axis("payments offered a second", Scale::Linear, grouped),
        y: axis("payments a second", Scale::Linear, grouped),
        series: vec![
            line("offered", BLUE, |point| point.rate),
            line("approved", GREEN, |point| point.approved_per_second),
        ],
        level: None,
    }
    .write(out)
}

/// The seconds in which requests were planned; what comes after them is answers alone.
fn planned_seconds(report: &Report) -> &[Second] {
    let ran_ms = report.stopped_after_ms.unwrap_or(report.settings.duration_ms);
    let whole = usize::try_from(ran_ms / 1000).unwrap_or(usize::MAX);
    let seconds = report.seconds.get(..whole).filter(|seconds| !seconds.is_empty());
    seconds.unwrap_or(&report.seconds)
}

/// A value of each second, at most [`POINTS_MAX`] points: several seconds become one by `merge`.
fn by_second(
    seconds: &[Second],
    value: fn(&Second) -> u64,
    merge: fn(&[u64]) -> u64,
) -> Vec<(u64, u64)> {
    let each = seconds.len().div_ceil(POINTS_MAX).max(1);
    let point = |chunk: &[Second]| {
        let values: Vec<u64> = chunk.iter().map(value).collect();
        (chunk[0].second + 1, merge(&values))
    };
    seconds.chunks(each).map(point).collect()
}

fn mean(values: &[u64]) -> u64 {
    values.iter().sum::<u64>() / u64::try_from(values.len()).unwrap_or(1).max(1)
}

fn worst(values: &[u64]) -> u64 {
    values.iter().copied().max().unwrap_or(0)
}

fn throughput_over_time(out: &mut String, seconds: &[Second]) -> std::fmt::Result {
    let line =
        |name, colour, value| Series { name, colour, points: by_second(seconds, value, mean) };
    Chart {
        caption: "Throughput over time",
        x: axis("seconds from the start", Scale::Linear, grouped),
        y: axis("requests a second", Scale::Linear, grouped),
        series: vec![
            line("sent", BLUE, |second| second.sent),
            line("approved", GREEN, |second| second.approved),
        ],
        level: None,
    }
    .write(out)
}

fn latency_over_time(out: &mut String, seconds: &[Second]) -> std::fmt::Result {
    let line =
        |name, colour, value| Series { name, colour, points: by_second(seconds, value, worst) };
    Chart {
        caption: "Latency over time",
        x: axis("seconds from the start", Scale::Linear, grouped),
        y: axis(LATENCY_LABEL, Scale::Logarithmic, round_duration),
        series: vec![
            line("median", BLUE, |second| second.p50_us),
            line("99th percentile", RED, |second| second.p99_us),
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
