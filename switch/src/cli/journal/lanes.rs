//! The same of a cluster's lanes, and the way there from one machine.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use router::id::Lane;
use router::ledger::Ledger;
use storage::verify;
use storage_cql::{Cql, CqlError, Lanes, frames};

use super::{Format, TableFormat, Where, balanced, told, write, write_balances};
use crate::cli::schema::with_servers;
use crate::cluster::cql_settings;
use crate::configured::{Configured, EXIT_USAGE};

impl Where {
    fn configured(&self) -> Configured {
        Configured { config: self.config.clone(), set: self.set.clone() }
    }

    /// The lanes asked for.
    fn lanes(&self, cql: &Cql) -> Result<Vec<Lane>, CqlError> {
        let lanes = Lanes::new(cql).all()?.into_iter().map(|row| row.lane);
        Ok(lanes.filter(|lane| self.lane.is_none_or(|one| lane.0 == one)).collect())
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn verify(at: &Where) -> ExitCode {
    with_lanes(at, |cql, lanes| {
        let mut is_whole = true;
        for lane in lanes {
            match frames::verify(cql, lane) {
                Ok(report) => {
                    println!(
                        "lane {lane} whole: {} records in {} frames and {} segments; chain {}",
                        report.records,
                        report.frames,
                        report.segments,
                        hex::encode(report.head.chain.0)
                    );
                    println!("lane {lane} {}", balanced(report.accounts, report.snapshots));
                }
                Err(damage) => {
                    eprintln!("lane {lane} NOT whole: {}", storage::with_causes(&damage));
                    is_whole = false;
                }
            }
        }
        if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    })
}

/// The balances of the lanes together. A position is one lane's.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn balances(at: &Where, position: Option<u64>, format: TableFormat) -> ExitCode {
    if position.is_some() && at.lane.is_none() {
        eprintln!("a position is in one lane: name it with --lane");
        return ExitCode::from(EXIT_USAGE);
    }
    with_lanes(at, |cql, lanes| {
        let mut all = Ledger::default();
        for lane in lanes {
            match frames::balances(cql, lane, position) {
                Ok(ledger) => all.extend(ledger.accounts()),
                Err(damage) => return told(Err(damage.into())),
            }
        }
        told(write_balances(&all, format))
    })
}

pub(super) fn export(at: &Where, format: Format, out: impl Write) -> ExitCode {
    with_lanes(at, |cql, lanes| {
        let mut records = Vec::new();
        for lane in lanes {
            match frames::records(cql, lane) {
                Ok(of_lane) => records.push(of_lane),
                Err(error) => return failed(&error),
            }
        }
        told(write(records.into_iter().flatten(), format, out))
    })
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn import(data: &Path, configured: &Configured) -> ExitCode {
    with_servers(configured, |config| {
        let cql = match Cql::connect(&cql_settings(config)) {
            Ok(cql) => cql,
            Err(error) => return failed(&error),
        };
        let journal = match verify::frames(data) {
            Ok(journal) => journal,
            Err(damage) => {
                eprintln!("{} is NOT whole: {}", data.display(), storage::with_causes(&damage));
                return ExitCode::FAILURE;
            }
        };
        match frames::import(&cql, Lane::default(), journal) {
            Ok(imported) => {
                println!(
                    "lane 0 has {} records; {} were written now, in {} frames. The first node that \
                     starts takes the lane, and resolves what it left open.",
                    imported.head.sequence, imported.records, imported.frames
                );
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("the journal was not imported: {}", storage::with_causes(&error));
                ExitCode::FAILURE
            }
        }
    })
}

fn with_lanes(at: &Where, work: impl FnOnce(&Cql, Vec<Lane>) -> ExitCode) -> ExitCode {
    with_servers(&at.configured(), |config| {
        let connected = Cql::connect(&cql_settings(config));
        match connected.and_then(|cql| at.lanes(&cql).map(|lanes| (cql, lanes))) {
            Ok((cql, lanes)) => work(&cql, lanes),
            Err(error) => failed(&error),
        }
    })
}

#[expect(clippy::print_stderr, reason = "this is a program's own output")]
fn failed(error: &CqlError) -> ExitCode {
    eprintln!("the lanes cannot be read: {}", storage::with_causes(error));
    ExitCode::FAILURE
}
