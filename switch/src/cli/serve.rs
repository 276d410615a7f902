//! `cauce serve`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use router::id::ParticipantId;
use tokio::runtime::Handle;
use tokio::signal::unix::Signal;
use tokio::task::{JoinError, spawn_blocking};

use super::data_folder;
use super::watch::FileWatch;
use crate::app::{Ended, StartError};
use crate::config::{Config, Mistake};
use crate::configured::{Configured, configuration, told_mistakes};
use crate::keys::billers;
use crate::process::{self, ServiceProcess, StopSignals};
use crate::reload::{Reload, Taken};
use crate::{log, stop_deadline};

/// What `cauce serve` is told.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    configured: Configured,
    /// Keep everything in this folder; as `data.dir` does
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Write what goes over participants' lines into files of this folder, masked; as
    /// `trace.lines` and `trace.dir` do
    #[arg(long, value_name = "DIR")]
    trace_lines: Option<String>,
}

impl ServeArgs {
    /// The configuration with what the other options add to it.
    fn configured(self) -> Configured {
        let mut configured = self.configured;
        let text = toml::Value::String;
        if let Some(dir) = self.data {
            configured.set.push(format!("data.dir={}", text(dir)));
        }
        if let Some(dir) = self.trace_lines {
            configured.set.push(format!("trace.dir={}", text(dir)));
            configured.set.push("trace.lines=true".to_owned());
        }
        configured
    }
}

/// Runs the switch until it is told to stop.
pub(super) fn main(args: ServeArgs, process: ServiceProcess) -> ExitCode {
    let configured = &args.configured();
    let watch = FileWatch::new(configured.config.clone());
    let config = match configuration(configured) {
        Ok(config) => config,
        Err(mistakes) => return told_mistakes(&mistakes),
    };
    log::start(&config.service.log);
    data_folder::tell_if_missing(&config.service.data.dir);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let ServiceProcess { runtime, stop, hangup } = process;
    let code = match runtime.block_on(serve(config, (configured, watch), stop, hangup)) {
        Ok(ended) => exit_code(ended),
        Err(error) => {
            let advice = error.advice("--set").unwrap_or_default();
            tracing::error!(error = %storage::with_causes(&error), "the switch did not start{advice}");
            ExitCode::FAILURE
        }
    };
    // What still blocks was given its time.
    runtime.shutdown_background();
    code
}

/// The exit code that tells how a run ended.
fn exit_code(ended: Ended) -> ExitCode {
    match ended {
        Ended::Drained => {}
        Ended::CutShort => tracing::warn!("the stop's time was over before all was finished"),
        Ended::Died(task) => {
            tracing::error!(task, "a task the switch cannot do without has ended");
        }
        Ended::JournalFailed | Ended::LaneLost => {}
    }
    ended.exit_code()
}

async fn serve(
    config: Config,
    (configured, watch): (&Configured, FileWatch),
    mut stop: StopSignals,
    hangup: Signal,
) -> Result<Ended, StartError> {
    let mut watch = watch.every(config.service.watch_every);
    watch.look_at(watched(configured, config.files.clone()));
    let Some(app) = process::start(config, &mut stop).await? else {
        tracing::info!("told to stop before it was ready");
        return Ok(Ended::Drained);
    };
    stop_deadline::watch(&app.stop_times, Handle::current()).map_err(StartError::Thread)?;
    let tasks = &app.engine.tasks;
    let (configured, reload) = (configured.clone(), Arc::clone(&app.reload));
    tasks.service("reload", {
        let ending = tasks.stages().ending.clone();
        async move {
            tokio::select! {
                () = ending.cancelled() => {}
                () = reload_at(hangup, &reload, &configured, watch) => {}
            }
        }
    });
    Ok(app.run_until(stop.asked()).await)
}

/// Notes who is served, for `cauce key create`. A disk that refuses it stops no reload.
async fn note_billers(config: &Config) {
    let dir = config.service.data.dir.clone();
    let billers: Vec<_> = config.policy.billers.keys().copied().collect();
    let noted = spawn_blocking(move || billers::note(&dir, billers.iter())).await;
    if let Ok(Err(error)) = noted {
        tracing::warn!(%error, "the list of billers cannot be written into the data folder");
    }
}

/// Reads the configuration outside the runtime: 600,000 rules take seconds.
async fn read_again(configured: &Configured) -> Result<Config, Vec<Mistake>> {
    let configured = configured.clone();
    match spawn_blocking(move || configuration(&configured))
        .await
        .map_err(JoinError::try_into_panic)
    {
        Ok(read) => read,
        Err(Ok(panicked)) => std::panic::resume_unwind(panicked),
        // The runtime ends, and this task with it.
        Err(Err(_)) => std::future::pending().await,
    }
}

/// Reads the configuration again at each SIGHUP and whenever one of its files has changed; one with
/// mistakes changes nothing.
async fn reload_at(
    mut hangup: Signal,
    reload: &Reload,
    configured: &Configured,
    mut watch: FileWatch,
) {
    loop {
        let why = tokio::select! {
            asked = hangup.recv() => match asked {
                Some(()) => {
                    watch.note();
                    "SIGHUP"
                }
                None => return,
            },
            () = watch.changed() => "a file has changed",
        };
        let result = match read_again(configured).await {
            Ok(config) => {
                note_billers(&config).await;
                watch.look_at(watched(configured, config.files.clone()));
                take_in(reload, config, why).await
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    tracing::error!(%mistake, why, "configuration not changed");
                }
                "refused"
            }
        };
        metrics::counter!("cauce_rules_reloads_total", "result" => result).increment(1);
    }
}

/// The files of a configuration, and those that they name.
fn watched(configured: &Configured, mut named: Vec<PathBuf>) -> Vec<PathBuf> {
    named.extend(configured.config.iter().cloned());
    named
}

/// Puts a configuration in force, and says what came of it.
async fn take_in(reload: &Reload, config: Config, why: &str) -> &'static str {
    let rules_version = config.rules_version;
    match reload.put_in_force(config).await {
        Ok(Taken { added, changed, removed }) => {
            let names = |ids: &[ParticipantId]| {
                let ids: Vec<&str> = ids.iter().map(ParticipantId::as_str).collect();
                if ids.is_empty() { "-".to_owned() } else { ids.join(",") }
            };
            let (added, changed, removed) = (names(&added), names(&changed), names(&removed));
            let rules = format_args!("{rules_version:016x}");
            tracing::info!(why, %rules, added, changed, removed,
                "configuration read again; addresses of listeners, storage and keys need a restart");
            "ok"
        }
        Err(error) => {
            let error = storage::with_causes(&error);
            tracing::error!(why, %error, "configuration not changed");
            "refused"
        }
    }
}
