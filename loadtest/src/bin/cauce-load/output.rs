//! Where results go: JSON, one HTML file, the terminal.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use loadtest::report::search::RatePoint;
use loadtest::report::units::{duration, grouped, percent, round_duration};
use loadtest::report::{Report, page};

use crate::{audit, print, say, say_wrapped, stop, usage};

/// What the program ends with when the payments did not end as planned.
const NOT_AS_PLANNED: u8 = 3;
/// Kinds of answers shown in the terminal; the report has all of them.
const ANSWERS_SHOWN: usize = 12;

/// Where the result is written.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Where to write the result as JSON; `-` is the standard output.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Where to write the result as one HTML file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl OutputArgs {
    /// Refuses files that could not be written in the end.
    ///
    /// Errors: a wrong command line.
    pub fn check(&self) -> anyhow::Result<()> {
        let files = self.report.iter().chain(&self.html);
        files.filter(|path| path.as_os_str() != "-").try_for_each(|path| usage::writable(path))
    }

    /// Whether the standard output belongs to the JSON alone.
    fn is_json_printed(&self) -> bool {
        self.report.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// A line of the result, where it does not disturb the JSON.
    pub fn tell(&self, line: &str) {
        if self.is_json_printed() { say(line) } else { print(line) }
    }

    /// Writes the result and tells the figures that matter.
    ///
    /// Errors: a file that cannot be written.
    pub fn write(&self, report: &Report) -> anyhow::Result<()> {
        for line in summary(report) {
            self.tell(&line);
        }
        for why in &report.invalid {
            say_wrapped("not to be used: ", why);
        }
        match &self.report {
            Some(_) if self.is_json_printed() => print(&report.to_json()),
            Some(path) => {
                std::fs::write(path, report.to_json())
                    .with_context(|| path.display().to_string())?;
            }
            None => {}
        }
        if let Some(path) = &self.html {
            std::fs::write(path, page(report)).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// What runs end with: a mismatch weighs more than a stop, and that more than other endings than
/// planned.
pub fn exit_code(reports: &[Report]) -> ExitCode {
    let mismatches = |report: &Report| report.audit.as_ref().is_some_and(|it| it.mismatches > 0);
    let is_stopped = |report: &Report| report.stopped_after_ms.is_some();
    if reports.iter().any(mismatches) {
        ExitCode::from(audit::MISMATCHES)
    } else if reports.iter().any(is_stopped) {
        stop::exit_code()
    } else if reports.iter().all(Report::is_as_planned) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_AS_PLANNED)
    }
}

/// The figures that matter, in lines of at most 80 columns.
fn summary(report: &Report) -> Vec<String> {
    let counts = &report.counts;
    let mut lines = rates(&report.rates);
    lines.extend([
        format!(
            "offered {}/s  achieved {}/s  answered {}/s",
            report.offered_per_second, report.achieved_per_second, report.answered_per_second
        ),
        format!(
            "sent {}  approved {}  declined {}  unknown {}  no answer {}",
            counts.sent, counts.approved, counts.declined, counts.unknown, counts.no_answer
        ),
        format!(
            "line lost {}  unsent {}  slow {} (approved later than {})",
            counts.line_lost,
            counts.unsent,
            counts.slow,
            round_duration(report.settings.slow_after_ms.saturating_mul(1000))
        ),
    ]);
    lines.extend(repeats(report));
    lines.extend(answers(report));
    for (name, quantiles) in
        [("from planned", &report.latency), ("from sending", &report.uncorrected)]
    {
        let named = quantiles.named().into_iter().filter(|(name, _)| SHOWN.contains(name));
        let shown: Vec<_> = named.map(|(name, value)| format!("{name} {value}")).collect();
        lines.push(format!("{name} (µs): {}", shown.join("  ")));
    }
    for process in &report.processes {
        lines.push(format!(
            "{} ({}): {} ms of processor, {} a payment",
            process.name,
            process.pid,
            process.cpu_ms,
            duration(report.cpu_us_a_payment(process))
        ));
    }
    lines.extend(report.audit.as_ref().map(audit::lines).unwrap_or_default());
    lines
}

/// A table of several rates; nothing for one.
fn rates(points: &[RatePoint]) -> Vec<String> {
    let mut lines = Vec::new();
    if !points.is_empty() {
        lines.push(RATES_HEADING.to_owned());
    }
    for point in points {
        lines.extend(rate_lines(point, "as planned"));
    }
    lines
}

/// The heading of [`rate_lines`].
pub const RATES_HEADING: &str = "    rate/s  approved/s        p50        p99";

/// What one rate gave: its figures with a word where it was served, and why it was not.
pub fn rate_lines(point: &RatePoint, served: &str) -> Vec<String> {
    let mut lines = vec![format!(
        "{:>10}  {:>10}  {:>9}  {:>9}  {}",
        grouped(point.rate),
        grouped(point.approved_per_second),
        duration(point.p50_us),
        duration(point.p99_us),
        if point.is_served() { served } else { "no:" }
    )];
    lines.extend(point.why_not.iter().map(|why| format!("            {why}")));
    lines
}

/// The percentiles that fit a line.
const SHOWN: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

fn repeats(report: &Report) -> Option<String> {
    let counts = &report.counts;
    let all = counts.repeats + counts.repeats_lost;
    (all > 0).then(|| {
        format!(
            "repeated {all}: {} answered otherwise than before, {} not answered",
            counts.repeats_differ, counts.repeats_lost
        )
    })
}

/// Code of the reason for which a switch refuses a biller that it does not serve.
const SERVICE_NOT_ENABLED: &str = "service_not_enabled";

/// What answers other than approvals said.
fn answers(report: &Report) -> Vec<String> {
    if report.answers.is_empty() {
        return Vec::new();
    }
    let counts = &report.counts;
    let mut lines = vec![match counts.declined_unplanned + counts.lost_unplanned {
        0 => "not approved, as the shares of the run have it:".to_owned(),
        against => format!(
            "not approved; {} ({}) of them against the plan:",
            grouped(against),
            percent(against, report.planned)
        ),
    }];
    lines.extend(report.answers.iter().take(ANSWERS_SHOWN).map(ToString::to_string));
    if report.answers.iter().any(|answer| answer.reason == SERVICE_NOT_ENABLED) {
        lines.push("           the biller or its currency: see --biller and --currency".to_owned());
    }
    if report.answers.len() > ANSWERS_SHOWN {
        lines.push(format!("           and {} more kinds", report.answers.len() - ANSWERS_SHOWN));
    }
    lines
}
