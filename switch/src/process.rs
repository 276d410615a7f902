//! What a switch's process has before anything else: its runtime, and its ears for signals.

use std::ffi::OsStr;
use std::io;
use std::pin::pin;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{App, StartError};
use crate::config::Config;
use crate::supervise;

/// Threads for work that blocks, beside those of the runtime and the journal. Whoever needs one
/// waits for it. Each kind of work has places of its own, kept until the work ends, and the threads
/// suffice for all at once: 48 reads of a store, for each of three lanes that a node may come to
/// hold (144), 16 looks for keys that are known and 16 for others, 16 names of endpoints and 16 of
/// participants, and fewer than 16 of the clock, floats, key files and clients of the cluster make 224.
pub const BLOCKING_THREADS_MAX: usize = 256;

/// A process that serves.
pub struct ServiceProcess {
    /// What its tasks run on.
    pub runtime: Runtime,
    /// What stops it.
    pub stop: StopSignals,
    /// What has it read its rules again.
    pub hangup: Signal,
}

/// The signals that stop it, since the process began: SIGTERM and SIGINT.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// Where it stops the process, too.
    hangup: Option<Signal>,
}

impl ServiceProcess {
    /// Starts the runtime and listens for signals: from here on none of them ends the process, and
    /// none is lost.
    ///
    /// Errors: the system gives no thread, or takes no handler.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let hangup = signal(SignalKind::hangup())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        drop(entered);
        Ok(Self { runtime, stop: StopSignals { terminate, interrupt, hangup: None }, hangup })
    }

    /// Whether the first argument of the command line names a command that serves.
    pub fn is_wanted(first_argument: Option<&OsStr>) -> bool {
        first_argument.is_none_or(|name| name == "serve" || name == "demo")
    }
}

impl StopSignals {
    /// Stops the process at the end of its terminal, too.
    pub fn with(self, hangup: Signal) -> Self {
        Self { hangup: Some(hangup), ..self }
    }

    /// Resolves at one of its signals that has come since the process began and was not told of
    /// before. Cancel-safe.
    pub async fn asked(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Starts a switch; none where the process was told to stop before it was ready.
///
/// Errors: those of [`App::start`]. Not cancel-safe.
pub async fn start(config: Config, stop: &mut StopSignals) -> Result<Option<App>, StartError> {
    // A task of its own, for a start also blocks: opening a journal replays it.
    let mut starting = supervise::start(App::start(config));
    let mut stop = pin!(stop.asked());
    tokio::select! {
        biased;
        started = &mut starting => {
            let started = started.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
            started.map(Some)
        }
        // Nothing was taken yet, and what was written is whole: the process just ends.
        () = &mut stop => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_listens_for_signals_where_its_command_serves() {
        let check = |name: Option<&str>, expect| {
            assert_eq!(ServiceProcess::is_wanted(name.map(OsStr::new)), expect, "{name:?}");
        };
        check(None, true);
        check(Some("serve"), true);
        check(Some("demo"), true);
        check(Some("check"), false);
        check(Some("--help"), false);
    }
}
