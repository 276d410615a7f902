//! `cauce journal`: prove, print, export, and what every account has.

mod balances;
mod export;
mod lanes;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use router::ledger::Ledger;
use router::record::Record;
use storage::journal::Damage;
use storage::verify;

use super::data_folder;
use crate::configured::Configured;

/// What to do with the journal of a data folder.
#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Walk the whole chain and prove that the books balance; exit 1 and say where and what, if
    /// anything was altered or lost
    Verify(Where),
    /// Print every record as one line of JSON, card numbers masked
    Dump(Where),
    /// Write every record as JSON lines or CSV, card numbers masked
    Export {
        #[command(flatten)]
        at: Where,
        /// Form of the output
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
        /// File to write; standard output without it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print every account with its balance: credits less debits, so that the accounts of a
    /// currency sum to zero
    Balances {
        #[command(flatten)]
        at: Where,
        /// The balances behind this record instead of behind the last one
        #[arg(long = "at", value_name = "POSITION")]
        position: Option<u64>,
        /// Form of the output
        #[arg(long, value_enum, default_value = "text")]
        format: TableFormat,
    },
    /// Take the journal of a data folder into a cluster that no node has joined yet
    Import {
        /// Data folder whose switch has stopped
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        #[command(flatten)]
        configured: Configured,
    },
}

/// Where the journal is.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// Data folder
    #[arg(long, value_name = "DIR", default_value = "./data")]
    data: PathBuf,
    /// Configuration of a cluster: its lanes instead of a data folder
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    config: Vec<PathBuf>,
    /// One value of it, e.g. `--set scylla.keyspace=cauce`
    #[arg(long, value_name = "A.B=VALUE", requires = "config")]
    set: Vec<String>,
    /// One lane of the cluster; all without it
    #[arg(long, value_name = "NUMBER", requires = "config")]
    lane: Option<u16>,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One JSON object a line
    Json,
    /// Comma-separated values with a heading
    Csv,
}

/// Form of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TableFormat {
    /// Columns for people
    Text,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a heading
    Csv,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the journal is damaged")]
    Damage(#[from] Damage),
    #[error("the output cannot be written")]
    Write(#[from] io::Error),
}

#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn main(command: &JournalCommand) -> ExitCode {
    if let Err(none) = command.folder().map_or(Ok(()), data_folder::has_journal) {
        eprintln!("{none}");
        return ExitCode::FAILURE;
    }
    match command {
        JournalCommand::Verify(at) if at.config.is_empty() => verify(&at.data),
        JournalCommand::Verify(at) => lanes::verify(at),
        JournalCommand::Dump(at) => export(at, Format::Json, None),
        JournalCommand::Export { at, format, out } => export(at, *format, out.as_deref()),
        JournalCommand::Balances { at, position, format } if at.config.is_empty() => told(
            verify::balances(&at.data, *position)
                .map_err(ExportError::from)
                .and_then(|(_, ledger)| write_balances(&ledger, *format)),
        ),
        JournalCommand::Balances { at, position, format } => {
            lanes::balances(at, *position, *format)
        }
        JournalCommand::Import { data, configured } => lanes::import(data, configured),
    }
}

impl JournalCommand {
    /// The data folder it reads; none where it reads the lanes of a cluster.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Verify(at)
            | Self::Dump(at)
            | Self::Export { at, .. }
            | Self::Balances { at, .. } => at.config.is_empty().then_some(&at.data),
            Self::Import { data, .. } => Some(data),
        }
    }
}

fn export(at: &Where, format: Format, out: Option<&Path>) -> ExitCode {
    let out: Box<dyn Write> = match out.map(std::fs::File::create) {
        None => Box::new(io::stdout().lock()),
        Some(Ok(file)) => Box::new(file),
        Some(Err(error)) => return told(Err(error.into())),
    };
    if at.config.is_empty() {
        return told(write(verify::records(&at.data), format, out));
    }
    lanes::export(at, format, out)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
fn verify(data: &Path) -> ExitCode {
    let report = match verify::verify(data) {
        Ok(report) => report,
        Err(damage) => {
            eprintln!("NOT whole: {}", storage::with_causes(&damage));
            return ExitCode::FAILURE;
        }
    };
    println!(
        "whole: {} records in {} frames and {} segments; chain {}",
        report.records,
        report.frames,
        report.segments,
        hex::encode(report.head.chain.0)
    );
    println!("{}", balanced(report.accounts, report.snapshots));
    if report.removed_through > 0 {
        println!(
            "begins with record {}: older ones are no longer kept, and the balances behind them \
             are those of the file `beginning`, which sum to zero",
            report.removed_through + 1
        );
    }
    if let Some(torn) = report.torn {
        println!("an unfinished frame at the end is not counted: {torn:?}; the next start cuts it");
    }
    match report.anchor {
        Some(anchor) => {
            println!("anchored at record {}: nothing before it was cut", anchor.sequence)
        }
        None => println!("no anchor yet: a cut of whole frames at the end could not be told"),
    }
    ExitCode::SUCCESS
}

/// What a proof says of the books.
fn balanced(accounts: usize, snapshots: u64) -> String {
    let plural = if snapshots == 1 { "" } else { "s" };
    format!(
        "balanced: {accounts} accounts sum to zero in each currency, at the end and at {snapshots} \
         snapshot{plural}"
    )
}

fn write_balances(ledger: &Ledger, format: TableFormat) -> Result<(), ExportError> {
    Ok(balances::write(ledger, format, &mut BufWriter::new(io::stdout().lock()))?)
}

#[expect(clippy::print_stderr, reason = "this is a program's own output")]
fn told(result: Result<(), ExportError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", storage::with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn write(
    records: impl Iterator<Item = Result<(u64, Record), Damage>>,
    format: Format,
    out: impl Write,
) -> Result<(), ExportError> {
    let mut out = BufWriter::new(out);
    if format == Format::Csv {
        writeln!(out, "{}", export::Row::CSV_HEADING)?;
    }
    for record in records {
        let (sequence, record) = record?;
        let row = export::Row::of(sequence, &record);
        match format {
            Format::Json => serde_json::to_writer(&mut out, &row).map_err(io::Error::from)?,
            Format::Csv => row.write_csv(&mut out)?,
        }
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}
