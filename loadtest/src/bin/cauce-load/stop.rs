//! SIGINT and SIGTERM: the first ends what is under way in order, the second at once.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::say;

/// What the program ends with when it was stopped.
pub const STOPPED: u8 = 130;

/// The exit code of a run that was stopped.
pub fn exit_code() -> ExitCode {
    ExitCode::from(STOPPED)
}

/// Resolves at SIGINT or SIGTERM. Cancel-safe.
///
/// Errors: when signals cannot be heard.
pub async fn signalled() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended,
        _ = terminate.recv() => Ok(()),
    }
}

/// Cancels the token at the first signal and resolves at the second. Cancel-safe.
pub async fn signalled_twice(stop: CancellationToken) {
    if signalled().await.is_ok() {
        say("stopping: no further payment is sent, open ones end; once more ends at once");
        stop.cancel();
        if signalled().await.is_ok() {
            return;
        }
    }
    // Signals cannot be heard: the run ends by itself.
    std::future::pending().await
}
