//! This process as one node of many: its settings, what it does for others, and they for it.

mod door;
mod lines;
mod peers;
mod proof;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use router::id::{Lane, Stan};
use router::posting::float_account;
use storage::seal::Sealer;
use storage::settings::Limits;
use storage::{Recovered, Store};
use storage_cluster::{ClusterSettings, FRAME_LEN_MAX, Node, StartError, TakenLane, Turn};
use storage_cql::session::{Consistency, Password, Replication, Serial};
use storage_redis::Form;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::adapter::iso8583::remote_lines::RemoteLines;
use crate::config::{
    ClusterConfig, FloatConfig, NoticesConfig, RedisForm, ScyllaConfig, ServiceConfig,
};
use crate::engine::Engine;
use crate::notice::{self, Notices};
use crate::{clock, floats, payment, waiting};
use lines::NodeLines;
use peers::HttpPeers;

pub use door::Door;

/// Nodes that ask participants with STANs of their own: one that asks beyond so many shares its
/// STANs with another, and a participant that remembers both might take one for the other.
const STAN_SLICES: u32 = 16;

/// Pause before a float is looked at again that could not be opened.
const OPEN_AGAIN: Duration = Duration::from_millis(500);

/// The STANs of a lane's node.
pub fn stans(lane: Lane) -> Range<u32> {
    let len = Stan::COUNT / STAN_SLICES;
    let first = u32::from(lane.0) % STAN_SLICES * len;
    first..first + len
}

/// What the journal's servers are asked with.
pub fn cql_settings(config: &ScyllaConfig) -> storage_cql::CqlSettings {
    let replication = match config.datacentres.is_empty() {
        true => Replication::Everywhere(config.replication_factor),
        false => Replication::PerDatacentre(config.datacentres.clone()),
    };
    let (consistency, serial) = match config.is_local {
        true => (Consistency::LocalQuorum, Serial::LocalSerial),
        false => (Consistency::Quorum, Serial::Serial),
    };
    let login = config.login.as_ref();
    storage_cql::CqlSettings {
        replication,
        consistency,
        serial,
        local_datacentre: config.local_datacentre.clone(),
        login: login.map(|(user, secret)| (user.clone(), Password::new(secret.expose()))),
        tls_ca: config.tls_ca.clone(),
        request_timeout: config.request_timeout,
        retention: config.retention,
        ..storage_cql::CqlSettings::new(config.nodes.clone(), &config.keyspace)
    }
}

fn gate_settings(config: &ClusterConfig, service: &ServiceConfig) -> storage_redis::RedisSettings {
    let redis = &config.redis;
    let mut urls = redis.urls.iter().map(|url| url.expose().to_owned());
    let form = match &redis.form {
        RedisForm::Single => Form::Single { url: urls.next().unwrap_or_default() },
        RedisForm::Sentinel { master, servers } => Form::Sentinel {
            urls: urls.collect(),
            master: master.clone(),
            servers: servers.as_ref().map(|servers| servers.expose().to_owned()),
        },
        RedisForm::Cluster => Form::Cluster { urls: urls.collect() },
    };
    storage_redis::RedisSettings {
        groups: redis.groups,
        tls_roots: redis.tls_roots.clone(),
        key_retention: service.storage.key_retention,
        clock_tolerance: service.clock.tolerance,
        connect_timeout: redis.connect_timeout,
        response_timeout: redis.response_timeout,
        ..storage_redis::RedisSettings::new(form, &redis.namespace)
    }
}

fn settings(config: &ClusterConfig, service: &ServiceConfig, address: String) -> ClusterSettings {
    let (storage, node) = (&service.storage, &config.node);
    let gate = gate_settings(config, service);
    ClusterSettings {
        address,
        limits: Limits {
            queue_len_max: storage.queue_len_max,
            group_len_max: storage.group_len_max,
            view_lag_max: storage.view_lag_max,
            frame_len_max: FRAME_LEN_MAX,
            ..Limits::default()
        },
        beat_every: node.beat_every,
        takeover_after: node.takeover_after,
        snapshot_records: node.snapshot_records,
        clock: Arc::new(clock::ProcessClock),
        ..ClusterSettings::new(&node.name, cql_settings(&config.scylla), gate)
    }
}

/// Starts this node; other nodes will reach it at `address`.
///
/// Errors: [`StartError`]. Not cancel-safe.
pub async fn start(
    config: &ClusterConfig,
    service: &ServiceConfig,
    sealer: Sealer,
    door: &TcpListener,
) -> Result<(Arc<Node>, Store, Recovered), StartError> {
    let address = advertised(config, door);
    let settings = settings(config, service, address);
    let started_at_ms = clock::now().millis();
    let started = tokio::task::spawn_blocking(move || Node::start(settings, sealer, started_at_ms));
    let (node, recovered) = match started.await {
        Ok(started) => started?,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    let store = node.store().clone();
    Ok((node, store, recovered))
}

/// Where others find this node: a free port is known only once it is taken.
fn advertised(config: &ClusterConfig, door: &TcpListener) -> String {
    let node = &config.node;
    match door.local_addr() {
        Ok(bound) if node.listen.port() == 0 => {
            let host = node.advertise.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host);
            format!("{host}:{}", bound.port())
        }
        Ok(_) | Err(_) => node.advertise.clone(),
    }
}

/// Makes the node know the others: their lanes, and their lines.
pub fn join(node: &Arc<Node>, config: &ClusterConfig, engine: &Arc<Engine>) {
    let peers = HttpPeers::new(config.node.secret.clone(), engine.tasks.clone());
    node.join(Arc::new(peers.clone()));
    let remote_lines: Arc<dyn RemoteLines> =
        Arc::new(NodeLines::new(node, peers, engine.sealer.clone()));
    engine.common.share(remote_lines);
    let (node, engine) = (Arc::clone(node), Arc::clone(engine));
    let tasks = engine.tasks.clone();
    tasks.service("lines told to nodes", lines::tell(node, engine, config.node.beat_every));
}

/// Takes up the lanes of dead nodes, for as long as the switch runs. Run as a service task.
pub async fn take_up(
    engine: Arc<Engine>,
    mut taken: mpsc::Receiver<TakenLane>,
    sealer: Sealer,
    config: NoticesConfig,
) {
    let ending = engine.tasks.stages().ending.clone();
    loop {
        let taken = tokio::select! {
            () = ending.cancelled() => return,
            taken = taken.recv() => taken,
        };
        let Some(TakenLane { store, recovered }) = taken else { return };
        tracing::warn!(lane = %store.lane(), open = recovered.open.len(), "payments of a dead node are taken up");
        if let Err(error) = payment::resume(&engine, &recovered.open).await {
            // The scan of open payments tries again.
            tracing::warn!(error = %storage::with_causes(&error), "a payment was not taken up");
        }
        let waits = waiting::run(Arc::clone(&engine), store.clone());
        engine.tasks.service("waits of a lane", waits);
        let notices = Notices::new(Arc::clone(&engine), store, sealer.clone(), config.clone());
        engine.tasks.service("notices of a lane", notice::run(Arc::new(notices)));
    }
}

/// Opens the configured floats, each by one node alone; waits for the gate as long as it takes.
/// Run as a service task.
pub async fn open_floats(engine: Arc<Engine>, node: Arc<Node>, floats: Vec<FloatConfig>) {
    let ending = engine.tasks.stages().ending.clone();
    for float in floats {
        loop {
            match open_once(&engine, &node, &float).await {
                Ok(true) => break,
                Ok(false) => {}
                Err(why) => {
                    tracing::debug!(float = float.float_ref.as_str(), why, "not opened yet");
                }
            }
            tokio::select! {
                () = ending.cancelled() => return,
                () = tokio::time::sleep(OPEN_AGAIN) => {}
            }
        }
    }
    node.set_furnished();
}

/// Opens a float if it is this node's turn; whether it is open.
async fn open_once(engine: &Engine, node: &Arc<Node>, float: &FloatConfig) -> Result<bool, String> {
    let currency = float.opening.currency;
    let what = format!("float:{}:{}", float.float_ref.as_str(), currency.code());
    let (asked, name) = (Arc::clone(node), what.clone());
    match blocking(move || asked.once(&name)).await? {
        Turn::Done => return Ok(true),
        Turn::HeldBy(_) => return Ok(false),
        Turn::Mine => {}
    }
    // Redis may not reflect yet what one who died recorded: the journal says whether it is open.
    let (asked, account) = (Arc::clone(node), float_account(&float.float_ref));
    if !blocking(move || asked.is_opened(account, currency)).await? {
        let opened = floats::fund(engine, float).await;
        opened.map_err(|error| storage::with_causes(&error).to_string())?;
    }
    let node = Arc::clone(node);
    blocking(move || node.done(&what)).await?;
    Ok(true)
}

async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?;
    done.map_err(|error| storage::with_causes(&error).to_string())
}

/// How long a starting node keeps its doors shut for the gate to open.
const SERVED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until the gate serves this node, for a while: with its doors open before, it would decline
/// what another node takes. Cancel-safe.
pub async fn wait_served(node: &Node) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let served = async {
        while node.served().is_none() {
            tick.tick().await;
        }
    };
    if tokio::time::timeout(SERVED_WITHIN, served).await.is_err() {
        tracing::warn!("the gate does not serve this node yet: new payments are declined");
    }
}

/// Stops the node's threads. Not cancel-safe.
pub async fn stop(node: Arc<Node>) {
    let stopped = tokio::task::spawn_blocking(move || node.stop()).await;
    if let Err(error) = stopped {
        tracing::error!(%error, "the node did not stop well");
    }
}

/// Says that the node's run is over, so that the next of its name starts at once. Not cancel-safe.
pub async fn say_ended(node: Arc<Node>) {
    if let Err(why) = blocking(move || node.say_ended()).await {
        tracing::debug!(why, "the end could not be said: the next start takes a little longer");
    }
}
