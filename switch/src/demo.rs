//! The demonstration: the switch on this machine with simulated banks and merchants, one payment
//! of each kind through its real listeners, and what came of each.
//!
//! The only part of the switch that knows the simulators of `loadtest`.

mod bank;
mod client;
mod folder;
mod next;
mod sandbox;
mod screen;
mod told;
mod tour;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use loadtest::simulator::merchant::MerchantError;
use tokio::runtime::Handle;

use crate::app::{Ended, StartError};
use crate::config::{self, Config, Layers, Mistake};
use crate::configured::{self, Configured};
use crate::process::{self, ServiceProcess, StopSignals};
use crate::{log, stop_deadline};
use folder::DataFolder;
use sandbox::{Sandbox, SandboxError};

const DEMO_CONFIG: &str = include_str!("../../config/demo.toml");

/// Arguments of `cauce demo`.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    #[command(subcommand)]
    command: Option<DemoCommand>,
    /// Exit after the tour: 0 if every step went as it should, 1 if not
    #[arg(long)]
    once: bool,
    /// Data folder; a folder of an earlier demonstration is continued, without a second tour
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// One value, e.g. `--set http.listen=127.0.0.1:0`
    #[arg(long, value_name = "A.B=VALUE")]
    set: Vec<String>,
}

/// What can be done beside a demonstration that runs.
#[derive(Debug, Clone, clap::Subcommand)]
enum DemoCommand {
    /// Pay once as the demonstration's bank-a: sign on, send a 0200, print its 0210
    Bank {
        /// Address of its ISO 8583 port, on this machine
        #[arg(default_value = "127.0.0.1:8583")]
        address: SocketAddr,
    },
}

/// Why the demonstration did not run.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    /// The configuration is wrong.
    #[error("the configuration is wrong")]
    Config(Vec<Mistake>),
    /// The switch did not start.
    #[error("the switch did not start")]
    Start(#[from] StartError),
    /// The simulators did not start.
    #[error("the sandbox did not start")]
    Sandbox(#[from] SandboxError),
    /// A file or socket failed.
    #[error("a file or socket failed")]
    Io(#[from] io::Error),
}

/// How a demonstration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TourOutcome {
    /// Everything was shown, or not all of it as it should be.
    Whole { went_well: bool },
    /// It was told to stop before the tour's end.
    CutShort,
    /// It was told to stop before the switch was ready.
    NotReady,
}

/// Runs the demonstration.
pub fn main(args: &DemoArgs, process: ServiceProcess) -> ExitCode {
    let ServiceProcess { runtime, stop, hangup } = process;
    let mut stop = stop.with(hangup);
    let code = match &args.command {
        Some(DemoCommand::Bank { address }) => runtime.block_on(bank::pay(*address, &mut stop)),
        None => runtime.block_on(shown(args, &mut stop)),
    };
    // Nothing is left to finish: what still blocks is a start that was told to stop.
    runtime.shutdown_background();
    code
}

/// Shows everything in a folder of its own or a given one, and says what becomes of that folder.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
async fn shown(args: &DemoArgs, stop: &mut StopSignals) -> ExitCode {
    screen::line("Cauce: one payment of each kind, through the real listeners\n");
    let failed = |error: &DemoError| eprintln!("{}{}", storage::with_causes(error), advice(error));
    let folder = match DataFolder::new(args.data.as_deref()) {
        Ok(folder) => folder,
        Err(error) => {
            failed(&DemoError::Io(error));
            return ExitCode::FAILURE;
        }
    };
    match run(args, &folder, stop).await {
        Ok((shown, ended)) => {
            let has_had_its_use = match shown {
                TourOutcome::Whole { went_well } => args.once && went_well,
                TourOutcome::CutShort => true,
                // The start may still be writing there.
                TourOutcome::NotReady => false,
            };
            folder.leave(has_had_its_use && ended == Ended::Drained);
            exit_code(args, shown, ended)
        }
        Err(DemoError::Config(mistakes)) => {
            folder.leave(true);
            configured::told_mistakes(&mistakes)
        }
        Err(error) => {
            failed(&error);
            folder.leave(true);
            ExitCode::FAILURE
        }
    }
}

/// What helps against an error; empty where only the operator can know.
fn advice(error: &DemoError) -> String {
    match error {
        DemoError::Start(error) => error.advice("cauce demo --set").unwrap_or_default(),
        // Its endpoints in the switch have the address that its merchants had.
        DemoError::Sandbox(SandboxError::Merchant(MerchantError::Io(error)))
            if error.kind() == io::ErrorKind::AddrInUse =>
        {
            ": the merchants of this --data had a port that another program has now; end it, or \
             begin a demonstration in another folder"
                .to_owned()
        }
        DemoError::Config(_) | DemoError::Sandbox(_) | DemoError::Io(_) => String::new(),
    }
}

/// 0 after everything went well, or where it served and was told to stop; a tour that was to be all
/// and was cut short did not go well.
fn exit_code(args: &DemoArgs, shown: TourOutcome, ended: Ended) -> ExitCode {
    match shown {
        _ if ended != Ended::Drained => ended.exit_code(),
        TourOutcome::Whole { went_well: true } => ExitCode::SUCCESS,
        TourOutcome::CutShort | TourOutcome::NotReady if !args.once => ExitCode::SUCCESS,
        TourOutcome::Whole { went_well: false } | TourOutcome::CutShort | TourOutcome::NotReady => {
            ExitCode::FAILURE
        }
    }
}

async fn run(
    args: &DemoArgs,
    folder: &DataFolder,
    stop: &mut StopSignals,
) -> Result<(TourOutcome, Ended), DemoError> {
    let dir = folder.path();
    let is_continued = dir.join(told::FILE_NAME).exists();
    let mut sandbox = Sandbox::start(dir).await?;
    let config = configuration(args, dir, &sandbox).map_err(DemoError::Config)?;
    log::start(&config.service.log);
    let Some(app) = process::start(config, stop).await? else {
        screen::line("Told to stop before the switch was ready.");
        return Ok((TourOutcome::NotReady, Ended::Drained));
    };
    stop_deadline::watch(&app.stop_times, Handle::current())?;
    sandbox.open_endpoints(&app, dir).await?;
    told::write(dir, &app, &sandbox)?;

    let shown = match is_continued {
        true => told::continued(dir),
        false => tokio::select! {
            went_well = tour::run(&app, &sandbox) => TourOutcome::Whole { went_well },
            () = stop.asked() => TourOutcome::CutShort,
        },
    };
    let serves = !args.once && shown != TourOutcome::CutShort;
    if serves {
        told::addresses(dir, &app);
        next::tell(dir, &app, &sandbox);
        screen::line("\nServing. Ctrl-C drains and stops.");
    }
    let longest = app.stop_times.longest();
    let ended = app
        .run_until(async {
            if serves {
                stop.asked().await;
            }
            if serves || shown == TourOutcome::CutShort {
                told::draining(longest);
            }
        })
        .await;
    sandbox.stop().await;
    Ok((shown, ended))
}

/// Defaults, the demonstration's own file, the simulators' addresses, environment, `--set`.
fn configuration(args: &DemoArgs, dir: &Path, sandbox: &Sandbox) -> Result<Config, Vec<Mistake>> {
    let own = Layers::compiled_in()
        .with_text("demo.toml", &sandbox.with_addresses(DEMO_CONFIG))?
        .with_set(&format!("data.dir={}", dir.display()))?;
    let configured = Configured { config: Vec::new(), set: args.set.clone() };
    config::load(&configured::layered(own, &configured)?)
}
