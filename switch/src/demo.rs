//! The demonstration: the switch on this machine with simulated banks and merchants, one payment
//! of each kind through its real listeners, and what came of each.
//!
//! The only part of the switch that knows the simulators of `loadtest`.

mod client;
mod sandbox;
mod told;
mod tour;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::app::{App, StartError};
use crate::cli::{self, Configured};
use crate::config::{self, Config, Layers, Mistake};
use crate::{clock, log};
use sandbox::{Sandbox, SandboxError};

const DEMO_CONFIG: &str = include_str!("../../config/demo.toml");

/// Arguments of `cauce demo`.
#[derive(Debug, Default, Clone, clap::Args)]
pub struct DemoArgs {
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

/// Runs the demonstration.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub fn main(args: &DemoArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ran = runtime.map_err(DemoError::from).and_then(|runtime| runtime.block_on(run(args)));
    match ran {
        Ok(code) => code,
        Err(DemoError::Config(mistakes)) => cli::told_mistakes(&mistakes),
        Err(error) => {
            eprintln!("{}", log::chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &DemoArgs) -> Result<ExitCode, DemoError> {
    let dir = data_dir(args);
    std::fs::create_dir_all(&dir)?;
    let is_continued = dir.join(told::FILE_NAME).exists();
    let mut sandbox = Sandbox::start(&dir).await?;
    let config = configuration(args, &dir, &sandbox).map_err(DemoError::Config)?;
    log::start(&config.service.log);
    let app = App::start(config).await?;
    sandbox.open_endpoints(&app, &dir).await?;
    told::write(&dir, &app, &sandbox)?;

    let went_well = match is_continued {
        true => told::continued(&dir),
        false => tour::run(&app, &sandbox).await,
    };
    told::addresses(&dir, &app);
    if args.once {
        app.run_until(std::future::ready(())).await;
    } else {
        told::keeps_serving();
        app.run_until(cli::asked_to_stop()).await;
    }
    sandbox.stop().await;
    Ok(if went_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn data_dir(args: &DemoArgs) -> PathBuf {
    args.data.clone().unwrap_or_else(|| {
        let name = format!("cauce-demo-{}-{}", clock::now().millis(), std::process::id());
        std::env::temp_dir().join(name)
    })
}

/// Defaults, the demonstration's own file, the simulators' addresses, environment, `--set`.
fn configuration(args: &DemoArgs, dir: &Path, sandbox: &Sandbox) -> Result<Config, Vec<Mistake>> {
    let own = Layers::compiled_in()
        .with_text("demo.toml", &sandbox.with_addresses(DEMO_CONFIG))?
        .with_set(&format!("data.dir={}", dir.display()))?;
    let configured = Configured { config: Vec::new(), set: args.set.clone() };
    config::load(&cli::layered(own, &configured)?)
}
