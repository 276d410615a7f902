//! `cauce serve`.

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use storage_cluster::Node;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Configured, configuration, told_mistakes};
use crate::app::{App, Ended, StartError};
use crate::config::Config;
use crate::engine::Engine;
use crate::{log, stop_deadline, supervise};

/// Threads for work that blocks, beside those of the runtime and the journal. Whoever needs one
/// waits for it. Each kind of work has places of its own, kept until the work ends, and the threads
/// suffice for all at once: 48 reads of a store, for each of three lanes that a node may come to
/// hold (144), 16 looks for keys that are known and 16 for others, 16 names of endpoints, and fewer
/// than 16 of the clock, floats, key files and clients of the cluster make 208.
pub const BLOCKING_THREADS_MAX: usize = 256;

/// Runs the switch until it is told to stop.
pub(super) fn main(configured: &Configured) -> ExitCode {
    let config = match configuration(configured) {
        Ok(config) => config,
        Err(mistakes) => return told_mistakes(&mistakes),
    };
    log::start(&config.service.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let code = match runtime.block_on(serve(config, configured)) {
        Ok(ended) => exit_code(ended),
        Err(error) => {
            tracing::error!(error = %log::chain(&error), "the switch did not start");
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

async fn serve(config: Config, configured: &Configured) -> Result<Ended, StartError> {
    // Before anything that takes long: as a container's first process, the switch would not be ended
    // by a signal that it does not listen for.
    let mut stop = pin!(asked_to_stop());
    // A task of its own, for a start also blocks: opening a journal replays it.
    let mut starting = supervise::start(App::start(config));
    let started = tokio::select! {
        biased;
        started = &mut starting => started,
        () = &mut stop => {
            // Nothing was taken yet, and what was written is whole: the process just ends.
            tracing::info!("told to stop before it was ready");
            return Ok(Ended::Drained);
        }
    };
    let app = started.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))?;
    stop_deadline::watch(&app.stop_times, Handle::current()).map_err(StartError::Thread)?;
    let engine = Arc::clone(&app.engine);
    let (rules, node) = (configured.clone(), app.node.clone());
    engine.tasks.service("rules", {
        let ending = engine.tasks.stages().ending.clone();
        let engine = Arc::clone(&engine);
        async move {
            tokio::select! {
                () = ending.cancelled() => {}
                () = reload_at_hangup(&engine, node.as_deref(), &rules) => {}
            }
        }
    });
    Ok(app.run_until(stop).await)
}

/// Resolves at a SIGTERM or SIGINT since the call, which must be made within a runtime. Cancel-safe.
pub fn asked_to_stop() -> impl Future<Output = ()> {
    let signals = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async move {
        let (Some(mut terminate), Some(mut interrupt)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Reads the rules again at each SIGHUP; a configuration with mistakes changes nothing.
async fn reload_at_hangup(engine: &Engine, node: Option<&Node>, configured: &Configured) {
    let Some(mut hangup) = listen(SignalKind::hangup()) else {
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        match configuration(configured) {
            Ok(config) => {
                engine.set_policy(config.policy);
                if let Some(node) = node {
                    node.set_config_version(config.rules_version);
                }
                metrics::counter!("cauce_rules_reloads_total", "result" => "ok").increment(1);
                tracing::info!("rules read again; participants and addresses need a restart");
            }
            Err(mistakes) => {
                metrics::counter!("cauce_rules_reloads_total", "result" => "refused").increment(1);
                for mistake in mistakes {
                    tracing::error!(%mistake, "rules not changed");
                }
            }
        }
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    match signal(kind) {
        Ok(signal) => Some(signal),
        Err(error) => {
            tracing::error!(%error, "a signal cannot be listened for");
            None
        }
    }
}
