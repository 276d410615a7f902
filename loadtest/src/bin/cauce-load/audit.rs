//! Gathering the evidence of an audit, and repeating an audit on files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use loadtest::audit::client::{self, ClientClaim};
use loadtest::audit::issuer::IssuerTruth;
use loadtest::audit::journal::Journal;
use loadtest::audit::{AuditSummary, Evidence, Mismatch, json_lines};
use loadtest::clock;
use loadtest::simulator::issuer::IssuerHandle;

use crate::{print, say, usage};

/// What the program ends with when an audit found mismatches.
pub const MISMATCHES: u8 = 2;

const AUDIT: &str = "The audit after the run";

/// Where the evidence is.
#[derive(Debug, clap::Args)]
pub struct EvidenceArgs {
    /// The switch's data folder; its journal is exported with
    /// `cauce journal export`.
    #[arg(long, value_name = "FOLDER", help_heading = AUDIT)]
    data: Option<PathBuf>,
    /// An export of the journal that is there already (JSON lines).
    #[arg(long, value_name = "FILE", conflicts_with = "data", help_heading = AUDIT)]
    journal: Option<PathBuf>,
    /// The `cauce` program.
    #[arg(long, value_name = "PROGRAM", default_value = "cauce", help_heading = AUDIT)]
    cauce: PathBuf,
    /// Log of simulated issuers in other processes; may be given several times.
    /// The bank in this process (--issuer-listen) is audited without it.
    #[arg(long, value_name = "FILE", help_heading = AUDIT)]
    issuer_log: Vec<PathBuf>,
    /// Log of the simulated merchant.
    #[arg(long, value_name = "FILE", help_heading = AUDIT)]
    merchant_log: Option<PathBuf>,
    /// A biller whose endpoint was there from the beginning, where the
    /// journal's export does not say so; may be given several times.
    #[arg(long, value_name = "BILLER", help_heading = AUDIT)]
    notified: Vec<String>,
    /// Seconds in which what is under way may come to rest before it counts as
    /// a mismatch.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, help_heading = AUDIT)]
    settle: u64,
}

/// Options of an audit on files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the client heard: the file of `run --answers`.
    #[arg(long, value_name = "FILE")]
    answers: PathBuf,
    #[command(flatten)]
    evidence: EvidenceArgs,
}

/// Repeats an audit on files.
pub async fn audit(args: &Args) -> anyhow::Result<ExitCode> {
    if !args.evidence.is_wanted() {
        return Err(usage::wrong("an audit needs the journal: --data or --journal"));
    }
    usage::readable(&args.answers)?;
    args.evidence.check(None)?;
    args.evidence.check_data()?;
    let claims = client::read(open(&args.answers)?)?;
    let summary = args.evidence.audit(claims, None, None).await?;
    lines(&summary).iter().for_each(|line| print(line));
    Ok(ExitCode::from(if summary.mismatches == 0 { 0 } else { MISMATCHES }))
}

/// What an audit found.
pub fn lines(summary: &AuditSummary) -> Vec<String> {
    let mut lines = vec![
        format!(
            "audit: {} mismatches between {} requests, {} payments in the journal,",
            summary.mismatches, summary.claims, summary.payments
        ),
        format!(
            "       {} at the issuers, {} notices about {} payments",
            summary.issuer_payments, summary.notices, summary.payments_with_notices
        ),
    ];
    lines.extend(summary.first.iter().map(|mismatch| format!("  {mismatch}")));
    lines
}

impl EvidenceArgs {
    /// Whether there is a journal to audit against.
    pub fn is_wanted(&self) -> bool {
        self.data.is_some() || self.journal.is_some()
    }

    /// The switch's data folder, where it is known.
    pub fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// Refuses evidence that is not there before a run is made for it; the data folder is looked at
    /// by [`EvidenceArgs::check_data`]. `truth` is the file of the hosted bank.
    ///
    /// Errors: a wrong command line.
    pub fn check(&self, truth: Option<&Path>) -> anyhow::Result<()> {
        let files = self.journal.iter().chain(&self.merchant_log).map(PathBuf::as_path);
        let logs = self.other_issuer_logs(truth);
        files.chain(logs).try_for_each(usage::readable)?;
        // The switch that the run waits for makes this folder, but none that it would be in.
        let around = self.data.as_deref().and_then(|data| std::path::absolute(data).ok());
        if let Some(parent) = around.as_deref().and_then(Path::parent).filter(|it| !it.is_dir()) {
            let data = around.as_deref().unwrap_or(parent).display();
            return Err(usage::wrong(format!("{data}: there is no folder {}", parent.display())));
        }
        if self.data.is_some() {
            let asked = Command::new(&self.cauce).arg("--version").stdout(Stdio::null()).status();
            if let Err(error) = asked {
                let program = self.cauce.display();
                return Err(usage::wrong(format!("{program} does not run: {error}; see --cauce")));
            }
        } else if self.journal.is_none() && (self.merchant_log.is_some() || self.settle > 0) {
            return Err(usage::wrong("the audit needs the journal: --data or --journal"));
        }
        Ok(())
    }

    /// Refuses a data folder that is not there. The switch makes it when it starts.
    ///
    /// Errors: a wrong command line.
    pub fn check_data(&self) -> anyhow::Result<()> {
        self.data.iter().try_for_each(|path| usage::readable(path))
    }

    /// The logs of the issuers in other processes, each once: what the hosted bank writes to `truth`
    /// it tells the audit itself.
    fn other_issuer_logs(&self, truth: Option<&Path>) -> Vec<&Path> {
        let mut seen: Vec<PathBuf> = truth.map(one_name).into_iter().collect();
        let mut logs = Vec::new();
        for log in &self.issuer_log {
            let name = one_name(log);
            if !seen.contains(&name) {
                seen.push(name);
                logs.push(log.as_path());
            }
        }
        logs
    }

    /// Audits, again and again while something may still come to rest in the time allowed.
    ///
    /// Errors: evidence that cannot be read.
    pub async fn audit(
        &self,
        claims: Vec<ClientClaim>,
        issuer: Option<(&str, &IssuerHandle)>,
        truth: Option<&Path>,
    ) -> anyhow::Result<AuditSummary> {
        let give_up = Instant::now() + Duration::from_secs(self.settle);
        let mut evidence = Evidence { claims, ..Evidence::default() };
        loop {
            self.gather(&mut evidence, issuer, truth)?;
            let mismatches = loadtest::audit::audit(&evidence);
            let may_settle = mismatches.iter().any(Mismatch::may_settle);
            if !may_settle || Instant::now() >= give_up {
                return Ok(AuditSummary::new(&evidence, &mismatches));
            }
            say(&format!("audit: {} mismatches, some under way", mismatches.len()));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn gather(
        &self,
        evidence: &mut Evidence,
        issuer: Option<(&str, &IssuerHandle)>,
        truth: Option<&Path>,
    ) -> anyhow::Result<()> {
        // What issuers and merchants know of a payment that begins after this, the journal cannot
        // know: others may be paying beside the run.
        let read_at = clock::now().to_string();
        if let Some(log) = &self.merchant_log {
            evidence.notices = Some(json_lines(open(log)?, "merchant log")?);
        }
        let held = |(_, issuer): (&str, &IssuerHandle)| issuer.truth();
        let held_before = issuer.map(held).unwrap_or_default();
        evidence.journal = self.read_journal()?;
        for biller in &self.notified {
            evidence.journal.endpoints.insert(biller.clone(), 0);
        }
        evidence.issuers = IssuerTruth {
            journal_from: evidence.journal.begins_at.clone(),
            journal_read_at: Some(read_at),
            ..IssuerTruth::default()
        };
        for log in self.other_issuer_logs(truth) {
            evidence.issuers.add_log(open(log)?).with_context(|| log.display().to_string())?;
        }
        if let Some((participant, issuer)) = issuer {
            let held = issuer.truth();
            evidence.issuers.add_effects(participant, &held);
            evidence.issuers.add_newer(&held_before, &held);
            evidence.issuers.since = Some(issuer.started_at().to_string());
        }
        Ok(())
    }

    fn read_journal(&self) -> anyhow::Result<Journal> {
        if let Some(file) = &self.journal {
            return Ok(Journal::read(open(file)?)?);
        }
        let Some(data) = &self.data else { bail!("no journal to audit") };
        let mut export = Command::new(&self.cauce)
            .args(["journal", "export", "--format", "json", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} journal export", self.cauce.display()))?;
        let lines = export.stdout.take().expect("invariant: its output is a pipe");
        let journal = Journal::read(BufReader::new(lines));
        let status = export.wait()?;
        if !status.success() {
            bail!("the journal could not be exported: {status}");
        }
        Ok(journal?)
    }
}

/// One name for a file, however its path is written, whether it is there or not.
fn one_name(path: &Path) -> PathBuf {
    let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.canonicalize().unwrap_or_else(|_| absolute())
}

fn open(path: &Path) -> anyhow::Result<impl BufRead + use<>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        evidence: EvidenceArgs,
    }

    #[test]
    fn the_hosted_bank_s_own_file_and_a_log_given_twice_are_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let [truth, other] = ["truth.jsonl", "other.jsonl"].map(|name| dir.path().join(name));
        let elsewise = dir.path().join(".").join("truth.jsonl");
        let logs = [&truth, &elsewise, &other, &other].map(|path| path.display().to_string());
        let arguments = logs.iter().flat_map(|log| ["--issuer-log", log]);
        let cli = Cli::try_parse_from(std::iter::once("audit").chain(arguments)).unwrap();
        std::fs::write(&other, "").unwrap();
        let evidence = cli.evidence;
        assert_eq!(evidence.other_issuer_logs(Some(&truth)), [other.as_path()]);
        evidence.check(Some(&truth)).expect("the hosted bank's file need not be there");
        std::fs::write(&truth, "").unwrap();
        assert_eq!(evidence.other_issuer_logs(Some(&truth)), [other.as_path()]);
        assert_eq!(evidence.other_issuer_logs(None), [truth.as_path(), other.as_path()]);
    }
}
