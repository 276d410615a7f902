//! The connection, and how statements are executed over it.

mod error;
mod execute;
mod reconnect;
mod settings;
mod statement;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use scylla::client::execution_profile::{
    ExecutionProfile, ExecutionProfileBuilder, ExecutionProfileHandle,
};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::statement::prepared::PreparedStatement;
use tokio::runtime::{Builder, Runtime};

pub(crate) use error::is_refused;
pub use error::{CqlError, Effect};
pub(crate) use execute::{Deadline, Judged};
use reconnect::CurrentSession;
pub use settings::{Consistency, CqlSettings, Password, Replication, Serial};
pub(crate) use statement::Statement;

const WORKERS: usize = 2;
/// A node that answers nothing for so long has its connections given up, and others are asked.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
const KEEPALIVE_MAX: Duration = Duration::from_secs(5);
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A connection to the servers; clones share it.
#[derive(Clone)]
pub struct Cql {
    inner: Arc<SessionInner>,
}

struct SessionInner {
    current: Arc<CurrentSession>,
    /// By their texts, prepared when they are first needed.
    prepared: RwLock<Vec<(&'static str, Arc<PreparedStatement>)>>,
    reads: ExecutionProfileHandle,
    settings: CqlSettings,
    statements: AtomicU64,
    conditional_updates: AtomicU64,
    /// Taken out when the last clone goes.
    runtime: Option<Runtime>,
}

/// What was asked of the servers so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementFigures {
    /// Statements of every kind, each attempt counted.
    pub statements: u64,
    /// Those of them that cost a round of consensus to write.
    pub conditional_updates: u64,
}

impl Cql {
    /// Connects to tables that were checked before.
    ///
    /// Errors: none of the nodes answers.
    pub(crate) fn connect_checked(settings: &CqlSettings) -> Result<Self, CqlError> {
        let (runtime, session) = open(settings, true)?;
        let current = Arc::new(CurrentSession::new(session));
        runtime.spawn(reconnect::keep(Arc::clone(&current), settings.clone()));
        let inner = SessionInner {
            current,
            prepared: RwLock::default(),
            reads: profile_of_reads(settings).into_handle(),
            settings: settings.clone(),
            statements: AtomicU64::new(0),
            conditional_updates: AtomicU64::new(0),
            runtime: Some(runtime),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What was asked of the servers over this connection.
    pub fn figures(&self) -> StatementFigures {
        StatementFigures {
            statements: self.inner.statements.load(Ordering::Relaxed),
            conditional_updates: self.inner.conditional_updates.load(Ordering::Relaxed),
        }
    }

    /// Settings it was made from.
    pub fn settings(&self) -> &CqlSettings {
        &self.inner.settings
    }

    /// The session in use now.
    pub(crate) fn session(&self) -> Arc<Session> {
        self.inner.current.session()
    }

    /// How long something is tried; it is tried at once when a server is connected again.
    pub(crate) fn trying_for(&self, within: Duration) -> Deadline {
        Deadline::within(within).renewed_by(self.inner.current.renewals())
    }

    /// Waits for what is asked of the servers.
    pub(crate) fn block_on<T>(&self, asked: impl Future<Output = T>) -> T {
        let runtime = self.inner.runtime.as_ref();
        runtime.expect("invariant: taken out in drop alone").block_on(asked)
    }
}

impl Drop for SessionInner {
    fn drop(&mut self) {
        // The last clone may go anywhere, also where a runtime may not wait for its end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Cql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cql").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

/// A runtime and a session on it; with the keyspace in use, or where it is not there yet, without.
pub(crate) fn open(
    settings: &CqlSettings,
    in_keyspace: bool,
) -> Result<(Runtime, Session), CqlError> {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(WORKERS).thread_name("cql").enable_all();
    let runtime = runtime.build().map_err(|source| CqlError::connect(settings, source))?;
    match runtime.block_on(connect(settings, &[], in_keyspace)) {
        Ok(session) => Ok((runtime, session)),
        Err(error) => {
            runtime.shutdown_background();
            Err(error)
        }
    }
}

/// A session with the servers that are configured, and with others that were learnt before.
async fn connect(
    settings: &CqlSettings,
    learnt: &[SocketAddr],
    in_keyspace: bool,
) -> Result<Session, CqlError> {
    let mut builder = SessionBuilder::new()
        .known_nodes(&settings.nodes)
        .known_nodes_addr(learnt)
        .connection_timeout(CONNECT_MAX)
        .keepalive_interval(KEEPALIVE_EVERY)
        .keepalive_timeout(KEEPALIVE_MAX)
        .keyspaces_to_fetch([&settings.keyspace])
        // Whoever changes the schema waits for it; see `schema::apply`.
        .auto_await_schema_agreement(false)
        .default_execution_profile_handle(profile(settings).build().into_handle())
        .tls_context(settings.tls_context()?);
    if let Some((user, password)) = &settings.login {
        builder = builder.user(user, password.expose());
    }
    if in_keyspace {
        builder = builder.use_keyspace(&settings.keyspace, false);
    }
    builder.build().await.map_err(|source| CqlError::connect(settings, source))
}

/// Retries are ours: the driver cannot know what a statement that may have been applied means.
/// And no timestamps of ours: the servers', which conditional updates need, unless a statement
/// carries one of its own.
fn profile(settings: &CqlSettings) -> ExecutionProfileBuilder {
    let mut policy = DefaultPolicy::builder().token_aware(true);
    if let Some(datacentre) = &settings.local_datacentre {
        policy = policy.prefer_datacenter(datacentre.clone());
    }
    ExecutionProfile::builder()
        .consistency(settings.consistency.into())
        .serial_consistency(Some(settings.serial.into()))
        .request_timeout(Some(settings.request_timeout))
        .retry_policy(Arc::new(FallthroughRetryPolicy::new()))
        .load_balancing_policy(policy.build())
}

/// Of reads: one that takes long is asked of another node as well, because a node that was paused
/// answers nothing and is not known to be down. Writes are not: they take long under load, too,
/// and more of them would make that worse.
fn profile_of_reads(settings: &CqlSettings) -> ExecutionProfile {
    let retry_interval = settings.request_timeout / 4;
    let again = SimpleSpeculativeExecutionPolicy { max_retry_count: 1, retry_interval };
    profile(settings).speculative_execution_policy(Some(Arc::new(again))).build()
}
