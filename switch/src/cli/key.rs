//! `cauce key`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Configured, configuration, told_mistakes};
use crate::keys::{self, Role};

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
