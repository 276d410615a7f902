//! `cauce schema`: the tables in ScyllaDB or Cassandra.

use std::process::ExitCode;

use clap::Subcommand;
use storage_cql::schema::{self, SchemaStanding};

use crate::cluster::cql_settings;
use crate::config::ScyllaConfig;
use crate::configured::{Configured, EXIT_USAGE, configuration, told_mistakes};

/// What to do with the tables.
#[derive(Debug, Subcommand)]
pub(super) enum SchemaCommand {
    /// Make the tables, or bring them up to this version; doing it again does nothing
    Apply(Configured),
    /// Say where the tables stand; exit 1 if a node of this version would not start
    Check(Configured),
}

pub(super) fn main(command: &SchemaCommand) -> ExitCode {
    match command {
        SchemaCommand::Apply(configured) => with_servers(configured, apply),
        SchemaCommand::Check(configured) => with_servers(configured, check),
    }
}

/// Does something with the configured servers; what is configured must be a cluster.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn with_servers(
    configured: &Configured,
    work: impl FnOnce(&ScyllaConfig) -> ExitCode,
) -> ExitCode {
    let config = match configuration(configured) {
        Ok(config) => config,
        Err(mistakes) => return told_mistakes(&mistakes),
    };
    match config.service.cluster {
        Some(cluster) => work(&cluster.scylla),
        None => {
            eprintln!("storage.mode is `embedded`: set it to `cluster`, with scylla.nodes");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
fn apply(config: &ScyllaConfig) -> ExitCode {
    let by = format!("cauce-{}-{}", std::process::id(), rand::random::<u32>());
    match schema::apply(&cql_settings(config), &by) {
        Ok(applied) if applied.before == applied.now => {
            println!("keyspace {}: version {}, nothing to do", config.keyspace, applied.now);
        }
        Ok(applied) => println!(
            "keyspace {}: version {}, was {}",
            config.keyspace, applied.now, applied.before
        ),
        Err(error) => {
            eprintln!("the schema was not applied: {}", storage::with_causes(&error));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
fn check(config: &ScyllaConfig) -> ExitCode {
    let said = match schema::check(&cql_settings(config)) {
        Ok(SchemaStanding::Current) => {
            println!("keyspace {}: as this version knows it", config.keyspace);
            return ExitCode::SUCCESS;
        }
        Ok(SchemaStanding::Missing) => "no tables: `cauce schema apply` makes them".to_owned(),
        Ok(SchemaStanding::Older { found, needed }) => {
            format!("version {found}, needed is {needed}: `cauce schema apply` brings it up")
        }
        Ok(SchemaStanding::Newer { found }) => {
            format!("version {found}, which this program does not know: it is too old")
        }
        Err(error) => storage::with_causes(&error).to_string(),
    };
    eprintln!("keyspace {}: {said}", config.keyspace);
    ExitCode::FAILURE
}
