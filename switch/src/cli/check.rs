//! `cauce check`.

use std::process::ExitCode;

use super::{Configured, configuration, told_mistakes};

/// Prints every mistake, or what the configuration amounts to.
#[expect(clippy::print_stdout, reason = "this is a program's own output")]
pub(super) fn main(configured: &Configured) -> ExitCode {
    let config = match configuration(configured) {
        Ok(config) => config,
        Err(mistakes) => return told_mistakes(&mistakes),
    };
    for warning in &config.warnings {
        println!("warning: {warning}");
    }
    for key in &config.keys.shown {
        println!("{key}");
    }
    for participant in &config.participants {
        if let Some(message_format) = &participant.message_format {
            println!("participant {}: {}", participant.id, message_format);
        }
    }
    println!(
        "ok: {} participants, {} billers, {} routes, {} fees, {} limits",
        config.participants.len(),
        config.policy.billers.len(),
        config.policy.routes.len(),
        config.policy.fees.len(),
        config.policy.limits.len()
    );
    ExitCode::SUCCESS
}
