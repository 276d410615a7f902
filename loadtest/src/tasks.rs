//! Starting and ending the tasks of a simulator or a run: all of them end with their owner.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A group of tasks with one token that ends them; dropping the group cancels it.
#[derive(Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    _on_drop: DropGuard,
}

impl Tasks {
    /// An empty group.
    pub fn new() -> Self {
        let token = CancellationToken::new();
        let _on_drop = token.clone().drop_guard();
        Self { tracker: TaskTracker::new(), token, _on_drop }
    }

    /// Starts a task of this group. It is expected to end soon after the token is cancelled.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// A handle by which a task of the group can start others; it does not keep the group alive.
    pub fn spawner(&self) -> Spawner {
        Spawner { tracker: self.tracker.clone(), token: self.token.clone() }
    }

    /// The token every task of the group watches.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Cancels the group and waits until every task has ended. Cancel-safe.
    pub async fn stop(&self) {
        self.token.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

/// Starts tasks in the group it came from.
#[derive(Debug, Clone)]
pub struct Spawner {
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Spawner {
    /// Starts a task of the group.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// The token every task of the group watches.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}
