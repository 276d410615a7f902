//! The driver's session, and a new one as soon as a server can be reached again.
//!
//! The driver pauses longer and longer, up to ten seconds, before it tries a server again that took
//! no connection, and offers no setting for that. So while no server is connected at all, a task
//! connects anew every half second, and what waits to be tried again is tried at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::select_ok;
use parking_lot::RwLock;
use scylla::client::session::Session;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{CqlError, CqlSettings, connect};

/// Pause between two looks whether a server is connected.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Pause between two attempts to connect anew.
const TRY_EVERY: Duration = Duration::from_millis(500);
/// A server that takes no connection for so long is tried again.
const REACH_MAX: Duration = Duration::from_secs(1);
/// A server that takes a connection and does not answer on it for so long is tried again.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// The session in use.
pub(super) struct CurrentSession {
    session: RwLock<Arc<Session>>,
    /// Counts how often a server was connected after none was.
    renewals: watch::Sender<u64>,
}

impl CurrentSession {
    /// Over a session that is connected.
    pub fn new(session: Session) -> Self {
        Self { session: RwLock::new(Arc::new(session)), renewals: watch::Sender::new(0) }
    }

    /// The session in use now.
    pub fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session.read())
    }

    /// Changes when a server is connected after none was.
    pub fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    fn is_connected(&self) -> bool {
        let state = self.session().get_cluster_state();
        state.get_nodes_info().iter().any(|node| node.is_connected())
    }

    fn renew(&self, session: Session) {
        *self.session.write() = Arc::new(session);
    }

    /// Where servers may be found: those that are configured, and those learnt from them.
    async fn addresses(&self, settings: &CqlSettings) -> Vec<SocketAddr> {
        let state = self.session().get_cluster_state();
        let learnt = state.get_nodes_info().iter();
        let mut addresses: Vec<SocketAddr> =
            learnt.map(|node| SocketAddr::new(node.address.ip(), node.address.port())).collect();
        for node in &settings.nodes {
            // A name that cannot be resolved now leaves the others.
            addresses.extend(tokio::net::lookup_host(node).await.into_iter().flatten());
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

/// Keeps a server connected. Runs until it is dropped, with the runtime of the session.
pub(super) async fn keep(current: Arc<CurrentSession>, settings: CqlSettings) {
    loop {
        sleep(LOOK_EVERY).await;
        if current.is_connected() {
            continue;
        }
        let lost_at = Instant::now();
        tracing::warn!("no CQL server is connected");
        while !current.is_connected() {
            match reconnect(&current, &settings).await {
                Ok(session) => current.renew(session),
                Err(error) => {
                    tracing::debug!(error = %error, "no CQL server can be connected yet");
                    sleep(TRY_EVERY).await;
                }
            }
        }
        current.renewals.send_modify(|count| *count += 1);
        let away_ms = u64::try_from(lost_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(away_ms, "a CQL server is connected again");
    }
}

async fn reconnect(current: &CurrentSession, settings: &CqlSettings) -> Result<Session, CqlError> {
    let addresses = current.addresses(settings).await;
    reach(&addresses).await.map_err(|source| CqlError::connect(settings, source))?;
    let connecting = timeout(CONNECT_MAX, connect(settings, &addresses, true));
    connecting.await.map_err(|source| CqlError::connect(settings, source))?
}

/// Whether any of the servers takes a connection: the driver is not asked before one does.
async fn reach(addresses: &[SocketAddr]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if addresses.is_empty() {
        return Err("no address is known".into());
    }
    let connections = addresses.iter().map(|address| Box::pin(TcpStream::connect(address)));
    timeout(REACH_MAX, select_ok(connections)).await??;
    Ok(())
}
