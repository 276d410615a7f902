//! SIGINT and SIGTERM: the first ends what is under way in order, the second at once.

use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::say;

/// What the program ends with when it was stopped.
pub const STOPPED: u8 = 130;

/// The exit code of a run that was stopped.
pub fn exit_code() -> ExitCode {
    ExitCode::from(STOPPED)
}

/// SIGINT and SIGTERM. Neither ends the process from the moment this is made, and none that comes
/// after it is lost: one made anew for each wait would lose those that come between two waits.
#[derive(Debug)]
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Begins to listen.
    ///
    /// Errors: when signals cannot be heard.
    pub fn listen() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Resolves at a signal that came since the last call, or comes now. Cancel-safe.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Does something until it ends, or a signal comes; none at a signal.
    pub async fn unless_received<F: Future>(&mut self, doing: F) -> Option<F::Output> {
        tokio::select! {
            () = self.received() => None,
            done = doing => Some(done),
        }
    }

    /// Cancels the token at the first signal and resolves at the second. Cancel-safe.
    pub async fn received_twice(&mut self, stop: CancellationToken) {
        self.received().await;
        say("stopping: no further payment is sent, open ones end; once more ends at once");
        stop.cancel();
        self.received().await;
    }
}
