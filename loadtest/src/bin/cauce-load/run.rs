//! `cauce-load run`.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use loadtest::audit::client;
use loadtest::drive::{DriveSettings, Keep, Run};
use loadtest::report::machine::{Machine, ProcessUse};
use loadtest::report::{Report, page};
use loadtest::simulator::issuer::IssuerHandle;

use crate::audit::{self, EvidenceArgs};
use crate::load::LoadArgs;
use crate::{print, say};

/// Requests a second, or as many as answers allow.
#[derive(Debug, Clone, Copy)]
pub struct Rate(Option<u64>);

impl FromStr for Rate {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" { Ok(Self(None)) } else { text.parse().map(|rate| Self(Some(rate))) }
    }
}

/// Options of a run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Requests a second, or `max` for a closed loop.
    #[arg(long, default_value = "1000")]
    rate: Rate,
    /// Seconds.
    #[arg(long, default_value_t = 30)]
    duration: u64,
    /// Where to write what the client heard, for a later audit.
    #[arg(long)]
    answers: Option<PathBuf>,
    /// Where to write the result as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Where to write the result as one HTML file.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Options of the load.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Where the evidence for the audit is.
    #[command(flatten)]
    evidence: EvidenceArgs,
}

/// Makes a run, audits it where there is a journal, and reports.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let is_kept = args.evidence.is_wanted() || args.answers.is_some();
    let keep = if is_kept { Keep::Answers } else { Keep::Figures };
    let settings = args.load.settings(args.rate.0, Duration::from_secs(args.duration), keep)?;
    let issuer = args.load.host_issuer().await?;
    let before = args.load.processes();
    let run = args.load.drive(&settings).await?;
    let mut report = Report::new(&settings, &run);
    report.processes = used_since(args.load.processes(), &before);
    report.machine = Machine::look(args.evidence.data.as_deref());
    let code = conclude(args, &settings, &run, issuer.as_ref(), &mut report)?;
    if let Some(issuer) = issuer {
        issuer.stop().await.context("the hosted issuer's log")?;
    }
    Ok(code)
}

fn conclude(
    args: &Args,
    settings: &DriveSettings,
    run: &Run,
    issuer: Option<&IssuerHandle>,
    report: &mut Report,
) -> anyhow::Result<ExitCode> {
    let claims = client::claims(run, &settings.workload);
    if let Some(path) = &args.answers {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        client::write(&claims, BufWriter::new(file))?;
    }
    if args.evidence.is_wanted() {
        let hosted = issuer.map(|issuer| (args.load.issuer.issuer_participant.as_str(), issuer));
        report.audit = Some(args.evidence.audit(claims, hosted)?);
    }
    write_reports(args, report)?;
    summarise(report);
    Ok(report.audit.as_ref().map(audit::exit_code).unwrap_or_default())
}

/// What each process used between two looks.
pub fn used_since(after: Vec<ProcessUse>, before: &[ProcessUse]) -> Vec<ProcessUse> {
    let used = |now: ProcessUse| match before.iter().find(|then| then.pid == now.pid) {
        Some(then) => now.since(then),
        None => now,
    };
    after.into_iter().map(used).collect()
}

fn write_reports(args: &Args, report: &Report) -> anyhow::Result<()> {
    if let Some(path) = &args.report {
        std::fs::write(path, report.to_json()).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.html {
        std::fs::write(path, page(report)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Prints the figures that matter.
pub fn summarise(report: &Report) {
    let counts = &report.counts;
    print(&format!(
        "offered {}/s  achieved {}/s  sent {}  approved {}  declined {}  unknown {}  no answer {}  \
         line lost {}  unsent {}",
        report.offered_per_second,
        report.achieved_per_second,
        counts.sent,
        counts.approved,
        counts.declined,
        counts.unknown,
        counts.no_answer,
        counts.line_lost,
        counts.unsent
    ));
    for (name, quantiles) in
        [("from planned", &report.latency), ("from sending", &report.uncorrected)]
    {
        let named = quantiles.named();
        let shown = named.iter().map(|(name, value)| format!("{name} {value}"));
        print(&format!("{name} (µs): {}", shown.collect::<Vec<_>>().join("  ")));
    }
    for process in &report.processes {
        print(&format!(
            "{} ({}): {} ms of processor, {} µs for 1,000 payments, peak {} KiB",
            process.name,
            process.pid,
            process.cpu_ms,
            report.cpu_us_per_thousand(process),
            process.peak_rss_kib
        ));
    }
    if let Some(summary) = &report.audit {
        audit::tell(summary);
    }
    for why in &report.invalid {
        say(&format!("not to be used: {why}"));
    }
}
