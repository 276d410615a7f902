//! How a run ends: with everything finished, or within a stated time without.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use storage::{Store, StoreFailure};
use storage_cluster::Node;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::cluster;
use crate::config::ServiceConfig;
use crate::line_trace::LineTrace;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Stopped as asked; all payments under way were finished.
    Drained,
    /// Stopped as asked, but not everything was finished in its time.
    CutShort,
    /// A task the switch cannot do without died.
    Died(&'static str),
    /// The journal failed.
    JournalFailed,
    /// Another node has taken this node's lane.
    LaneLost,
}

/// How long a node may take to say its end: the next of its name then starts at once.
pub(super) const SAYING_MAX: Duration = Duration::from_millis(500);
/// Exit code of a stop in whose time not everything was finished.
const CUT_SHORT: u8 = 3;

impl Ended {
    /// What the process exits with: 0 after a clean drain, 3 after one that was cut short, 1 where
    /// the switch ended by itself.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Drained => ExitCode::SUCCESS,
            Self::CutShort => CUT_SHORT.into(),
            Self::Died(_) | Self::JournalFailed | Self::LaneLost => ExitCode::FAILURE,
        }
    }

    /// How a run ends whose store takes nothing more; none while it does.
    pub(super) fn of_failed(store: &Store) -> Option<Self> {
        Some(match store.failure()? {
            StoreFailure::LaneLost { .. } => Self::LaneLost,
            StoreFailure::Journal
            | StoreFailure::Guard
            | StoreFailure::ReadModels
            | StoreFailure::Panicked
            | StoreFailure::Stopped => Self::JournalFailed,
        })
    }
}

/// How long the parts of a stop may take.
#[derive(Debug, Clone)]
pub struct StopTimes {
    /// For payments under way.
    pub grace: Duration,
    /// After that, for tasks to end and the journal to close.
    pub closing: Duration,
    /// Cancelled when a stop begins, whatever begins it.
    pub begun: CancellationToken,
}

impl StopTimes {
    /// As they are configured; no stop has begun.
    pub fn of(service: &ServiceConfig) -> Self {
        let (grace, closing) = (service.drain_grace, service.drain_close);
        Self { grace, closing, begun: CancellationToken::new() }
    }

    /// Longest time from the beginning of a stop to its end.
    pub fn longest(&self) -> Duration {
        self.grace + self.closing
    }
}

/// Writes the trace of lines to its end, within a time. What is lost then is counted and told in the
/// log. Not cancel-safe.
pub(super) async fn finish_trace(line_trace: Arc<LineTrace>, within: Duration) {
    tokio::task::spawn_blocking(move || line_trace.finish(within)).await.ok();
}

/// Stops a node's threads and closes the journal; tells whether the journal was closed within its
/// time. What was not is left as it is: the next start decides. Not cancel-safe.
pub(super) async fn close(store: Store, node: Option<Arc<Node>>, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    if let Some(node) = &node {
        // A thread that waits for a server that is away ends with the process.
        timeout(within / 4, cluster::stop(Arc::clone(node))).await.ok();
    }
    if timeout_at(deadline, store.clone().close()).await.is_err() {
        tracing::error!("the journal was not closed in time: the next start decides what is open");
        store.leave();
        return false;
    }
    if let Some(node) = node {
        timeout(SAYING_MAX, cluster::say_ended(node)).await.ok();
    }
    true
}
