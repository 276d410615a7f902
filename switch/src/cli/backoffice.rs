//! `cauce backoffice`: migrations, standing, backup, and rows made anew.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use router::id::Lane;
use router::record::Record;
use storage::folder::{FolderError, FolderLock};
use storage::journal::{self, Damage};
use storage_backoffice::status::BackofficeStatus;
use storage_backoffice::{Backoffice, BackofficeError, BackofficeSettings};
use storage_cql::{Cql, CqlError, Lanes, frames};

use super::data_folder;
use crate::cluster::cql_settings;
use crate::config::{ClusterConfig, Config};
use crate::configured::{Configured, EXIT_USAGE, configuration, told_mistakes};

/// What to do with the back office.
#[derive(Debug, Subcommand)]
pub(super) enum BackofficeCommand {
    /// Apply the migrations that it lacks; files in the data folder migrate themselves at a start
    Migrate(Configured),
    /// Say which migrations it has, and how far its rows follow the journal; exit 1 if it lacks any
    Status(Configured),
    /// Write an online copy of what was registered to a new file
    Backup {
        /// The file to make
        file: PathBuf,
        #[command(flatten)]
        configured: Configured,
    },
    /// Make the rows that come from the journal anew; the switch, or all of its nodes, must be stopped
    Rebuild(Configured),
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Backoffice(#[from] BackofficeError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{0}")]
    NoFolder(String),
    #[error("the lanes cannot be read")]
    Lanes(#[from] CqlError),
    #[error("there is no thread to work with")]
    Runtime(#[from] std::io::Error),
}

#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn main(command: &BackofficeCommand) -> ExitCode {
    let (BackofficeCommand::Migrate(configured)
    | BackofficeCommand::Status(configured)
    | BackofficeCommand::Backup { configured, .. }
    | BackofficeCommand::Rebuild(configured)) = command;
    let config = match configuration(configured) {
        Ok(config) => config,
        Err(mistakes) => return told_mistakes(&mistakes),
    };
    let Some(settings) = &config.service.backoffice.settings else {
        eprintln!("backoffice.url is empty: many nodes need one PostgreSQL");
        return ExitCode::from(EXIT_USAGE);
    };
    match work(command, &config, settings) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", storage::with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn work(
    command: &BackofficeCommand,
    config: &Config,
    settings: &BackofficeSettings,
) -> Result<ExitCode, CommandError> {
    let data = &config.service.data.dir;
    if config.service.cluster.is_none() {
        let there = data_folder::is_there(data);
        there.map_err(|none| CommandError::NoFolder(none.to_string()))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        BackofficeCommand::Migrate(_) => runtime.block_on(migrate(settings)),
        BackofficeCommand::Status(_) => runtime.block_on(status(settings)),
        BackofficeCommand::Backup { file, .. } => runtime.block_on(backup(settings, file)),
        BackofficeCommand::Rebuild(_) => match &config.service.cluster {
            None => runtime.block_on(rebuild(settings, data)),
            // The lanes are read by a runtime of their own, so nothing blocks in this one.
            Some(cluster) => rebuild_lanes(&runtime, settings, cluster),
        },
    }
}

#[expect(clippy::print_stdout, reason = "this is a program's own output")]
async fn migrate(settings: &BackofficeSettings) -> Result<ExitCode, CommandError> {
    let before = Backoffice::schema_status(settings).await?;
    Backoffice::migrate(settings).await?.close().await;
    for part in before {
        let (name, known, pending) = (part.part.name(), part.known, part.pending);
        println!("{name}: {pending} of {known} migrations applied now, {known} in all");
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "this is a program's own output")]
async fn status(settings: &BackofficeSettings) -> Result<ExitCode, CommandError> {
    let schema = Backoffice::schema_status(settings).await?;
    for part in &schema {
        println!("{}: {} migrations, {} pending", part.part.name(), part.known, part.pending);
    }
    if schema.iter().any(|part| part.pending > 0) {
        println!("`cauce backoffice migrate` applies them");
        return Ok(ExitCode::FAILURE);
    }
    let office = Backoffice::open(settings).await?;
    let BackofficeStatus { lanes, bills, payments, .. } = office.status().await?;
    println!("{bills} bills, {payments} payments");
    for (lane, at) in lanes {
        let position = journal_position(lane, at.position);
        println!("lane {lane}: rows up to record {position}, of {}", at.record_at);
    }
    office.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The position of a record within its lane.
fn journal_position(lane: Lane, position: u64) -> u64 {
    position.saturating_sub(journal::Head::of_lane(lane).sequence)
}

#[expect(clippy::print_stdout, reason = "this is a program's own output")]
async fn backup(settings: &BackofficeSettings, file: &Path) -> Result<ExitCode, CommandError> {
    let office = Backoffice::open(settings).await?;
    office.backup(file).await?;
    office.close().await;
    println!("{}: what was registered, as of now", file.display());
    Ok(ExitCode::SUCCESS)
}

async fn rebuild(settings: &BackofficeSettings, data: &Path) -> Result<ExitCode, CommandError> {
    let _lock = FolderLock::take(data)?;
    let office = Backoffice::open(settings).await?;
    office.clear_projections().await?;
    let records = storage::verify::records(data);
    let at = office.project_all(Lane::default(), records).await?;
    tell_rebuilt(Lane::default(), at.position);
    office.close().await;
    Ok(ExitCode::SUCCESS)
}

fn rebuild_lanes(
    runtime: &tokio::runtime::Runtime,
    settings: &BackofficeSettings,
    cluster: &ClusterConfig,
) -> Result<ExitCode, CommandError> {
    let cql = Cql::connect(&cql_settings(&cluster.scylla))?;
    let lanes: Vec<Lane> = Lanes::new(&cql).all()?.into_iter().map(|row| row.lane).collect();
    let office = runtime.block_on(Backoffice::open(settings))?;
    runtime.block_on(office.clear_projections())?;
    for lane in lanes {
        let mut records = frames::records(&cql, lane)?;
        let mut reached = 0;
        loop {
            let batch: Vec<Result<(u64, Record), Damage>> = records.by_ref().take(10_000).collect();
            if batch.is_empty() {
                break;
            }
            reached = runtime.block_on(office.project_all(lane, batch.into_iter()))?.position;
        }
        tell_rebuilt(lane, reached);
    }
    runtime.block_on(office.close());
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "this is a program's own output")]
fn tell_rebuilt(lane: Lane, position: u64) {
    println!("lane {lane}: rows up to record {}", journal_position(lane, position));
}
