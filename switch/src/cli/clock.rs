//! `cauce clock`: what an operator sees of the clock, and his word on it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::data_folder;
use crate::clock::Reading;
use crate::clock::evidence::{self, Agreed};
use crate::configured::{Configured, configuration, told_mistakes};

/// What to do about the clock.
#[derive(Debug, Subcommand)]
pub(super) enum ClockCommand {
    /// Show the wall clock and what it should say; exit 1 if they differ
    Show(Place),
    /// Say that the wall clock is right: a switch that does not believe it takes it
    Accept(Place),
}

/// Where the switch is.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// Data folder; wins over the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    configured: Configured,
}

#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn main(command: &ClockCommand) -> ExitCode {
    let (ClockCommand::Show(place) | ClockCommand::Accept(place)) = command;
    let config = match configuration(&place.configured) {
        Ok(config) => config.service,
        Err(mistakes) => return told_mistakes(&mistakes),
    };
    let data = place.data.as_ref().unwrap_or(&config.data.dir);
    if let Err(none) = data_folder::is_there(data) {
        eprintln!("{none}");
        return ExitCode::FAILURE;
    }
    let tolerance = i64::try_from(config.clock.tolerance.as_micros()).unwrap_or(i64::MAX);
    let done = match command {
        ClockCommand::Show(_) => show(data, tolerance),
        ClockCommand::Accept(_) => accept(data),
    };
    done.unwrap_or_else(|error| {
        eprintln!("the clock's files in {} cannot be used: {error}", data.display());
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stdout, reason = "this is a program's own output")]
fn show(data: &Path, tolerance_micros: i64) -> std::io::Result<ExitCode> {
    let now = Reading::now();
    println!("the wall clock says    {}", now.wall);
    match evidence::agreed(data)? {
        Some(agreed) if agreed.boot_id == evidence::boot_id()? => {
            let ahead = now.offset_micros().saturating_sub(agreed.offset_micros());
            println!("it should say          {}", now.wall.plus_micros(-ahead));
            let is_right = ahead.saturating_abs() <= tolerance_micros;
            Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(agreed) => {
            println!("before the machine started anew it said {}", agreed.wall());
            Ok(if agreed.wall() > now.wall { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        None => {
            println!("no switch has written in this folder what it should say");
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is a program's own output")]
fn accept(data: &Path) -> std::io::Result<ExitCode> {
    let now = Reading::now();
    evidence::write_accepted(data, &Agreed::of(now)?)?;
    println!("{} is accepted: a switch that runs takes it within two seconds", now.wall);
    Ok(ExitCode::SUCCESS)
}
