//! `cauce-load capacity`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use loadtest::capacity::{Objective, is_served, search};
use loadtest::drive::Keep;
use loadtest::report::machine::Machine;
use loadtest::report::{Report, page};

use crate::load::LoadArgs;
use crate::run::{summarise, used_since};
use crate::{print, say};

/// Options of a capacity search.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// First rate tried.
    #[arg(long, default_value_t = 1000)]
    from: u64,
    /// No rate above this is tried.
    #[arg(long, default_value_t = 500_000)]
    to: u64,
    /// Objective: 99th percentile of latency from the planned instant, milliseconds.
    #[arg(long, default_value_t = 20)]
    p99_ms: u64,
    /// Seconds each rate is held.
    #[arg(long, default_value_t = 30)]
    hold: u64,
    /// Where to write the result of the last run, at 70 % of the knee, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Where to write it as one HTML file.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Options of the load.
    #[command(flatten)]
    pub load: LoadArgs,
}

/// Finds the knee, then makes a run at 70 % of it.
pub async fn capacity(args: &Args) -> anyhow::Result<ExitCode> {
    let issuer = args.load.host_issuer().await?;
    let objective = Objective { p99_us: args.p99_ms.saturating_mul(1000) };
    let knee = search(args.from, args.to, |rate| serve(args, rate, objective)).await?;
    for (rate, is_good) in &knee.tried {
        print(&format!("{rate:>8}/s  {}", if *is_good { "served" } else { "not served" }));
    }
    let Some(rate) = knee.rate else {
        say(&format!("not even {}/s is served with p99 under {} ms", args.from, args.p99_ms));
        return Ok(ExitCode::FAILURE);
    };
    print(&format!("knee {rate}/s with p99 under {} ms", args.p99_ms));
    report_at(args, (rate * 7 / 10).max(1)).await?;
    if let Some(issuer) = issuer {
        issuer.stop().await.context("the hosted issuer's log")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &Args, rate: u64, objective: Objective) -> anyhow::Result<bool> {
    say(&format!("trying {rate}/s"));
    let hold = Duration::from_secs(args.hold);
    let settings = args.load.settings(Some(rate), hold, Keep::Figures)?;
    let run = args.load.drive(&settings).await?;
    Ok(is_served(&run, args.load.shares, objective))
}

async fn report_at(args: &Args, rate: u64) -> anyhow::Result<()> {
    let hold = Duration::from_secs(args.hold);
    let settings = args.load.settings(Some(rate), hold, Keep::Figures)?;
    let before = args.load.processes();
    let run = args.load.drive(&settings).await?;
    let mut report = Report::new(&settings, &run);
    report.processes = used_since(args.load.processes(), &before);
    report.machine = Machine::look(None);
    summarise(&report);
    if let Some(path) = &args.report {
        std::fs::write(path, report.to_json()).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.html {
        std::fs::write(path, page(&report)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
