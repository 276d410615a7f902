//! `cauce check`.

use std::process::ExitCode;

use crate::configured::{Configured, configuration, told_mistakes};

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
        if let Some(json) = &participant.json {
            println!("participant {}: {}, at {}", participant.id, json.dialect.name(), json.url);
        }
    }
    let policy = &config.policy;
    let needed = [
        (config.participants.len(), "participant"),
        (policy.billers.len(), "biller"),
        (policy.routes.len(), "route"),
    ];
    let missing: Vec<&str> =
        needed.iter().filter(|(count, _)| *count == 0).map(|(_, what)| *what).collect();
    if !missing.is_empty() {
        println!("note: nothing can be paid yet: there is no {}", missing.join(", no "));
    }
    let rules = [(policy.fees.len(), "fee"), (policy.limits.len(), "limit")];
    let counts: Vec<String> =
        needed.iter().chain(&rules).map(|(count, what)| counted(*count, what)).collect();
    println!("ok: {}", counts.join(", "));
    ExitCode::SUCCESS
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
