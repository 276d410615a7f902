//! Gathering the evidence of an audit, and repeating an audit on files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use loadtest::audit::client::{self, Claim};
use loadtest::audit::issuer::IssuerTruth;
use loadtest::audit::journal::Journal;
use loadtest::audit::{AuditSummary, Evidence, Mismatch, json_lines};
use loadtest::simulator::issuer::IssuerHandle;

use crate::{print, say};

/// Where the evidence is.
#[derive(Debug, clap::Args)]
pub struct EvidenceArgs {
    /// The switch's data folder; its journal is exported with `cauce journal export`.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// An export of the journal that is there already (JSON lines).
    #[arg(long, conflicts_with = "data")]
    pub journal: Option<PathBuf>,
    /// The `cauce` program.
    #[arg(long, default_value = "cauce")]
    pub cauce: PathBuf,
    /// Log of the simulated issuers; may be given several times.
    #[arg(long)]
    pub issuer_log: Vec<PathBuf>,
    /// Log of the simulated merchant.
    #[arg(long)]
    pub merchant_log: Option<PathBuf>,
    /// A biller whose endpoint was there from the beginning, where the journal's export does not
    /// say so; may be given several times.
    #[arg(long)]
    pub notified: Vec<String>,
    /// Seconds in which what is under way may come to rest before it counts as a mismatch.
    #[arg(long, default_value_t = 0)]
    pub settle: u64,
}

/// Options of an audit on files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the client heard: `answers.jsonl` of a run.
    #[arg(long)]
    answers: PathBuf,
    #[command(flatten)]
    evidence: EvidenceArgs,
}

/// Repeats an audit on files.
pub fn audit(args: &Args) -> anyhow::Result<ExitCode> {
    if !args.evidence.is_wanted() {
        bail!("an audit needs the journal: --data or --journal");
    }
    let claims = client::read(open(&args.answers)?)?;
    let summary = args.evidence.audit(claims, None)?;
    tell(&summary);
    Ok(exit_code(&summary))
}

/// 0, or 2 when there are mismatches.
pub fn exit_code(summary: &AuditSummary) -> ExitCode {
    ExitCode::from(if summary.mismatches == 0 { 0 } else { 2 })
}

/// Prints what an audit found.
pub fn tell(summary: &AuditSummary) {
    print(&format!(
        "audit: {} mismatches between {} requests, {} payments in the journal, {} at the issuers, \
         {} notices about {} payments",
        summary.mismatches,
        summary.claims,
        summary.payments,
        summary.issuer_payments,
        summary.notices,
        summary.payments_with_notices
    ));
    for mismatch in &summary.first {
        print(&format!("  {mismatch}"));
    }
}

impl EvidenceArgs {
    /// Whether there is a journal to audit against.
    pub fn is_wanted(&self) -> bool {
        self.data.is_some() || self.journal.is_some()
    }

    /// Audits, again and again while something may still come to rest in the time allowed.
    pub fn audit(
        &self,
        claims: Vec<Claim>,
        issuer: Option<(&str, &IssuerHandle)>,
    ) -> anyhow::Result<AuditSummary> {
        let give_up = Instant::now() + Duration::from_secs(self.settle);
        let mut evidence = Evidence { claims, ..Evidence::default() };
        loop {
            self.gather(&mut evidence, issuer)?;
            let mismatches = loadtest::audit::audit(&evidence);
            let may_settle = mismatches.iter().any(Mismatch::may_settle);
            if !may_settle || Instant::now() >= give_up {
                return Ok(AuditSummary::new(&evidence, &mismatches));
            }
            say(&format!("audit: {} mismatches, some under way", mismatches.len()));
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn gather(
        &self,
        evidence: &mut Evidence,
        issuer: Option<(&str, &IssuerHandle)>,
    ) -> anyhow::Result<()> {
        evidence.journal = self.read_journal()?;
        for biller in &self.notified {
            evidence.journal.endpoints.insert(biller.clone(), 0);
        }
        evidence.issuers = IssuerTruth::default();
        for log in &self.issuer_log {
            evidence.issuers.add_log(open(log)?).with_context(|| log.display().to_string())?;
        }
        if let Some((participant, issuer)) = issuer {
            evidence.issuers.add_effects(participant, &issuer.truth());
            evidence.issuers.since = Some(issuer.started_at().to_string());
        }
        if let Some(log) = &self.merchant_log {
            evidence.notices = Some(json_lines(open(log)?, "merchant log")?);
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

fn open(path: &Path) -> anyhow::Result<impl BufRead + use<>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::with_capacity(1 << 20, file))
}
