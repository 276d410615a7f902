//! `cauce-load run`.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use loadtest::audit::client::{self, ClientClaim};
use loadtest::drive::{DriveSettings, Keep};
use loadtest::report::Report;
use loadtest::report::machine::{Machine, ProcessUse};
use loadtest::report::search::{Objective, RatePoint};
use loadtest::simulator::issuer::IssuerHandle;
use loadtest::workload::schedule::RATE_MAX;
use tokio_util::sync::CancellationToken;

use crate::audit::EvidenceArgs;
use crate::load::{LoadArgs, SECONDS_MAX};
use crate::output::{self, OutputArgs};
use crate::{stop, usage};

/// Requests a second, or as many as answers allow.
#[derive(Debug, Clone, Copy)]
pub struct Rate(Option<u64>);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(rate) if (1..=RATE_MAX).contains(&rate) => Ok(Self(Some(rate))),
            _ => Err(format!("1 to {RATE_MAX} requests a second, or `max`")),
        }
    }
}

/// Options of a run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Requests a second, or `max` for a closed loop. Several rates, as
    /// `500,1000,2000`, are held one after the other, and the page shows the
    /// curve over them.
    #[arg(long, default_value = "1000", value_delimiter = ',')]
    rate: Vec<Rate>,
    /// Seconds each rate is held.
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    duration: u64,
    /// Where to write what the client heard, for a later audit.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Where the result goes.
    #[command(flatten)]
    output: OutputArgs,
    /// Options of the load.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Where the evidence for the audit is.
    #[command(flatten)]
    evidence: EvidenceArgs,
}

/// Makes a run at each rate, audits them where there is a journal, and reports.
pub async fn run(args: &Args, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let rates = args.settings()?;
    args.output.check()?;
    args.evidence.check(args.load.issuer.issuer_truth.as_deref())?;
    args.answers.iter().try_for_each(|path| usage::writable(path))?;
    let issuer = args.load.host_issuer().await?;
    if !args.load.is_ready(&rates[0], issuer.as_ref(), stop).await? {
        return Ok(stop::exit_code());
    }
    // Not before: the switch that was waited for makes its folder.
    args.evidence.check_data()?;
    let (mut reports, mut claims) = (Vec::new(), Vec::new());
    for settings in &rates {
        let before = args.load.processes();
        let run = args.load.drive(settings, stop).await?;
        let mut report = Report::new(settings, &run);
        report.processes = used_since(args.load.processes(), &before);
        claims.extend(client::claims(&run, settings));
        reports.push(report);
        if stop.is_cancelled() {
            break;
        }
    }
    let is_cut_short = reports.len() < rates.len();
    let mut last = reports.pop().unwrap_or_default();
    if is_cut_short {
        // Stopped between two rates: the last one held came to its end.
        last.stopped_after_ms.get_or_insert(last.settings.duration_ms);
    }
    last.machine = Machine::look(args.evidence.data());
    if rates.len() > 1 {
        let held = reports.iter().chain([&last]);
        last.rates = held
            .map(|report| RatePoint::new(report.settings.rate, report, Objective::NONE))
            .collect();
    }
    conclude(args, claims, issuer.as_ref(), &mut last).await?;
    if let Some(issuer) = issuer {
        issuer.stop().await.context("the hosted issuer's log")?;
    }
    reports.push(last);
    Ok(output::exit_code(&reports))
}

impl Args {
    /// The settings of each run.
    ///
    /// Errors: a wrong command line.
    fn settings(&self) -> anyhow::Result<Vec<DriveSettings>> {
        if self.rate.len() > 1 && self.rate.iter().any(|rate| rate.0.is_none()) {
            return Err(usage::wrong("--rate max stands alone"));
        }
        let is_kept = self.evidence.is_wanted() || self.answers.is_some();
        let keep = if is_kept { Keep::Answers } else { Keep::Figures };
        let duration = Duration::from_secs(self.duration);
        self.rate.iter().map(|rate| self.load.settings(rate.0, duration, keep)).collect()
    }
}

async fn conclude(
    args: &Args,
    claims: Vec<ClientClaim>,
    issuer: Option<&IssuerHandle>,
    report: &mut Report,
) -> anyhow::Result<()> {
    if let Some(path) = &args.answers {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        client::write(&claims, BufWriter::new(file))?;
    }
    if args.evidence.is_wanted() {
        let hosted = issuer.map(|issuer| (args.load.issuer.issuer_participant.as_str(), issuer));
        let truth = args.load.issuer.issuer_truth.as_deref();
        report.audit = Some(args.evidence.audit(claims, hosted, truth).await?);
    }
    args.output.write(report)
}

/// What each process used between two looks.
pub fn used_since(after: Vec<ProcessUse>, before: &[ProcessUse]) -> Vec<ProcessUse> {
    let used = |now: ProcessUse| match before.iter().find(|then| then.pid == now.pid) {
        Some(then) => now.since(then),
        None => now,
    };
    after.into_iter().map(used).collect()
}
