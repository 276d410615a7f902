//! `cauce-load capacity`.

use std::cell::RefCell;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use loadtest::drive::Keep;
use loadtest::report::Report;
use loadtest::report::machine::Machine;
use loadtest::report::search::{Objective, RatePoint, Search, SearchEnd};
use loadtest::workload::schedule::RATE_MAX;
use tokio_util::sync::CancellationToken;

use crate::load::{LoadArgs, SECONDS_MAX};
use crate::output::{self, OutputArgs, RATES_HEADING, rate_lines};
use crate::run::used_since;
use crate::{say, say_wrapped, stop, usage};

/// Options of a capacity search.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// First rate tried, requests a second.
    #[arg(long, value_name = "RATE", default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..=RATE_MAX))]
    from: u64,
    /// No rate above this is tried.
    #[arg(long, value_name = "RATE", default_value_t = 500_000,
        value_parser = clap::value_parser!(u64).range(1..=RATE_MAX))]
    to: u64,
    /// Objective: 99th percentile of latency from the planned instant,
    /// milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(1..=60_000))]
    p99_ms: u64,
    /// Seconds each rate is held.
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    hold: u64,
    /// Where the result goes: the search, and the last run, at 70 % of the
    /// greatest rate served.
    #[command(flatten)]
    output: OutputArgs,
    /// Options of the load.
    #[command(flatten)]
    pub load: LoadArgs,
}

/// Finds the knee, then makes a run at 70 % of it.
pub async fn capacity(args: &Args, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    if args.from > args.to {
        return Err(usage::wrong("--from is greater than --to"));
    }
    let settings =
        args.load.settings(Some(args.from), Duration::from_secs(args.hold), Keep::Figures)?;
    let (to, limit) = args.load.search_limit(args.to, args.hold);
    args.output.check()?;
    let issuer = args.load.host_issuer().await?;
    if !args.load.is_ready(&settings, issuer.as_ref(), stop).await? {
        return Ok(stop::exit_code());
    }
    let objective = Objective { p99_us: args.p99_ms.saturating_mul(1000) };
    let mut search = Search::new(args.from, (to, limit), objective);
    let last = RefCell::new(None);
    args.output.tell(&format!("{RATES_HEADING}  served"));
    search.run(async |rate| try_rate(args, rate, objective, stop, &last).await).await?;
    let mut report = last.take().unwrap_or_default();
    tell_knee(args, &search);
    if let (SearchEnd::Knee | SearchEnd::Ceiling, Some(knee)) = (search.end, search.knee_per_second)
    {
        report = run_at(args, (knee * 7 / 10).max(1), stop).await?;
    }
    let code = match search.end {
        SearchEnd::FirstRate => ExitCode::FAILURE,
        SearchEnd::Stopped => stop::exit_code(),
        SearchEnd::Knee | SearchEnd::Ceiling => output::exit_code(std::slice::from_ref(&report)),
    };
    report.search = Some(search);
    args.output.write(&report)?;
    if let Some(issuer) = issuer {
        issuer.stop().await.context("the hosted issuer's log")?;
    }
    Ok(code)
}

/// Makes a run at a rate and tells what it gave; none when the search is to stop.
async fn try_rate(
    args: &Args,
    rate: u64,
    objective: Objective,
    stop: &CancellationToken,
    last: &RefCell<Option<Report>>,
) -> anyhow::Result<Option<RatePoint>> {
    say(&format!("trying {rate}/s for {} s", args.hold));
    let report = run_at(args, rate, stop).await?;
    let is_stopped = report.stopped_after_ms.is_some();
    let point = RatePoint::new(rate, &report, objective);
    last.replace(Some(report));
    if is_stopped {
        return Ok(None);
    }
    rate_lines(&point, "yes").iter().for_each(|line| args.output.tell(line));
    Ok(Some(point))
}

/// Tells what was found: a line for programs, a sentence for people.
fn tell_knee(args: &Args, search: &Search) {
    let rate = search.knee_per_second.unwrap_or(0);
    let p99_ms = args.p99_ms;
    match search.end {
        SearchEnd::Knee => args.output.tell(&format!("knee {rate}/s with p99 under {p99_ms} ms")),
        SearchEnd::Ceiling => {
            args.output.tell(&format!("ceiling {rate}/s with p99 under {p99_ms} ms"));
        }
        SearchEnd::FirstRate | SearchEnd::Stopped => {}
    }
    say_wrapped("", &search.verdict());
}

async fn run_at(args: &Args, rate: u64, stop: &CancellationToken) -> anyhow::Result<Report> {
    let hold = Duration::from_secs(args.hold);
    let settings = args.load.settings(Some(rate), hold, Keep::Figures)?;
    let before = args.load.processes();
    let run = args.load.drive(&settings, stop).await?;
    let mut report = Report::new(&settings, &run);
    report.processes = used_since(args.load.processes(), &before);
    report.machine = Machine::look(None);
    Ok(report)
}
