//! `cauce key`.

use std::path::PathBuf;
use std::process::ExitCode;

use storage_cql::Cql;
use storage_cql::api_keys::ApiKeys;

use super::{Configured, configuration, told_mistakes};
use crate::cluster::cql_settings;
use crate::config::ScyllaConfig;
use crate::keys::{self, Role};
use crate::log;

/// Makes a key and prints it, this once.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn create(
    role: Role,
    owner: &str,
    data: Option<PathBuf>,
    configured: &Configured,
) -> ExitCode {
    let config = match configuration(configured) {
        Ok(config) => config,
        Err(mistakes) => return told_mistakes(&mistakes),
    };
    let names_files = !configured.config.is_empty();
    let is_known = config.policy.billers.keys().any(|biller| biller.as_str() == owner);
    if role == Role::Biller && names_files && !is_known {
        eprintln!("warning: the configuration has no biller `{owner}`");
    }
    if let Some(cluster) = config.service.cluster.filter(|_| data.is_none()) {
        return create_common(&cluster.scylla, role, owner);
    }
    let dir = data.unwrap_or(config.service.data.dir);
    match keys::create(&dir, role, owner) {
        Ok(key) => {
            println!("{key}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the key could not be kept in {}: {error}", dir.display());
            ExitCode::FAILURE
        }
    }
}

/// Makes a key that all nodes know.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
fn create_common(config: &ScyllaConfig, role: Role, owner: &str) -> ExitCode {
    let made = Cql::connect(&cql_settings(config))
        .and_then(|cql| keys::create_common(&ApiKeys::new(&cql), role, owner));
    match made {
        Ok(key) => {
            println!("{key}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the key could not be kept: {}", log::chain(&error));
            ExitCode::FAILURE
        }
    }
}
