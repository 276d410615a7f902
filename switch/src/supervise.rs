//! Tasks: every one is started here, by name, and stopped in phases.
//!
//! A *critical* task that ends before the stop takes the process down with it; a task of one
//! request that panics is counted and logged, and nobody else notices.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::rt::Executor;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Critical tasks that may die before anyone looks.
const DEATHS_LEN_MAX: usize = 64;

/// Starts tasks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasks {
    payments: TaskTracker,
    line_requests: TaskTracker,
    services: TaskTracker,
    stages: Stages,
    deaths: mpsc::Sender<&'static str>,
}

/// A request that is worked on.
#[derive(Debug)]
pub struct UnderWay {
    _counted: TaskTrackerToken,
}

/// The two moments of a stop: first nothing new is taken, then what is left is ended.
#[derive(Debug, Clone, Default)]
pub struct Stages {
    /// Cancelled first: listeners close, readers take no new request.
    pub draining: CancellationToken,
    /// Cancelled when payments under way are done or the grace is over: lines and jobs end.
    pub ending: CancellationToken,
}

/// Watches the tasks; owned by the main function.
#[derive(Debug)]
pub struct Supervisor {
    tasks: Tasks,
    died: mpsc::Receiver<&'static str>,
}

/// Runs the start of the switch, which nothing supervises yet, as a task: its caller can end while
/// the start blocks.
pub fn start<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    TaskTracker::new().spawn(work)
}

impl Supervisor {
    /// A supervisor with no task yet.
    pub fn new() -> Self {
        let (deaths, died) = mpsc::channel(DEATHS_LEN_MAX);
        let (payments, services) = (TaskTracker::new(), TaskTracker::new());
        let (line_requests, stages) = (TaskTracker::new(), Stages::default());
        Self { tasks: Tasks { payments, line_requests, services, stages, deaths }, died }
    }

    /// What starts tasks.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Waits until a critical task has died, and gives its name. Cancel-safe.
    pub async fn death(&mut self) -> &'static str {
        match self.died.recv().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }

    /// Stops everything: no new work, then the payments under way, then the rest.
    ///
    /// Returns whether all payments ended within `grace`, and all tasks within `closing` after that.
    /// Not cancel-safe.
    pub async fn drain(self, grace: Duration, closing: Duration) -> bool {
        let Tasks { payments, services, stages, .. } = self.tasks;
        stages.draining.cancel();
        payments.close();
        let in_time = tokio::time::timeout(grace, payments.wait()).await.is_ok();
        stages.ending.cancel();
        services.close();
        let ended = tokio::time::timeout(closing, services.wait()).await.is_ok();
        in_time && ended
    }
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// The moments of a stop.
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Payments under way.
    pub fn payments_under_way(&self) -> usize {
        self.payments.len()
    }

    /// Starts the work of one request; a drain waits for it.
    pub fn payment(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.payments.spawn(guarded("payment", work));
    }

    /// Starts the task that works on the requests of one line, each of which is
    /// [under way](Self::under_way); a drain waits for those, and not for the line.
    pub fn line_requests(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.line_requests.spawn(guarded("line requests", work));
    }

    /// Notes a request that is worked on, until the note is dropped; a drain waits for it.
    pub fn under_way(&self) -> UnderWay {
        UnderWay { _counted: self.payments.token() }
    }

    /// Starts a task that serves as long as the switch runs, or one of many such (a line, a
    /// connection); its end is its own business.
    pub fn service(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.services.spawn(guarded(name, work));
    }

    /// Starts a task the switch cannot do without: if it ends before the stop, so does the switch.
    pub fn critical(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.critical_until(name, CancellationToken::new(), work);
    }

    /// The same for a task that the switch can do without once a token is cancelled.
    pub fn critical_until(
        &self,
        name: &'static str,
        over: CancellationToken,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let (deaths, ending) = (self.deaths.clone(), self.stages.ending.clone());
        let draining = self.stages.draining.clone();
        self.services.spawn(async move {
            guarded(name, work).await;
            if !draining.is_cancelled() && !ending.is_cancelled() && !over.is_cancelled() {
                // A full queue means a death is already being reported.
                deaths.try_send(name).ok();
            }
        });
    }
}

/// Runs the connections of an HTTP client as tasks of the switch, which end with it.
#[derive(Debug, Clone)]
pub struct Connections(pub Tasks);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Connections {
    fn execute(&self, connection: F) {
        let ending = self.0.stages().ending.clone();
        self.0.service("client connection", async move {
            tokio::select! {
                () = ending.cancelled() => {}
                () = connection => {}
            }
        });
    }
}

/// Ends with the work, also where that panics. It takes no more room than the work does: an `async`
/// block would keep it twice.
pub fn guarded(name: &'static str, work: impl Future<Output = ()>) -> impl Future<Output = ()> {
    AssertUnwindSafe(work).catch_unwind().map(move |ended| {
        if ended.is_err() {
            metrics::counter!("cauce_task_panics_total", "task" => name).increment(1);
            tracing::error!(task = name, "a task panicked; this is a defect of the switch");
        }
    })
}
