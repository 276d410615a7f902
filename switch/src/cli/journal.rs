//! `cauce journal`: prove, print, export.

mod export;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use storage::journal::{self, Damage};

use crate::log;

/// What to do with the journal of a data folder.
#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Walk the whole chain; exit 1 and say where and what, if anything was altered or lost
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
}

/// Where the journal is.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// Data folder
    #[arg(long, value_name = "DIR", default_value = "./data")]
    data: PathBuf,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
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

pub(super) fn main(command: &JournalCommand) -> ExitCode {
    match command {
        JournalCommand::Verify(at) => verify(&at.data),
        JournalCommand::Dump(at) => told(write(&at.data, Format::Json, io::stdout().lock())),
        JournalCommand::Export { at, format, out: None } => {
            told(write(&at.data, *format, io::stdout().lock()))
        }
        JournalCommand::Export { at, format, out: Some(path) } => {
            let file = std::fs::File::create(path).map_err(ExportError::from);
            told(file.and_then(|file| write(&at.data, *format, file)))
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
fn verify(data: &Path) -> ExitCode {
    let report = match journal::verify(data) {
        Ok(report) => report,
        Err(damage) => {
            eprintln!("NOT whole: {}", log::chain(&damage));
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

#[expect(clippy::print_stderr, reason = "this is a program's own output")]
fn told(result: Result<(), ExportError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", log::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn write(data: &Path, format: Format, out: impl Write) -> Result<(), ExportError> {
    let mut out = BufWriter::new(out);
    if format == Format::Csv {
        writeln!(out, "{}", export::Row::CSV_HEADING)?;
    }
    for record in journal::records(data) {
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
