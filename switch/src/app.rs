//! The composition root: builds everything once, in order, and stops it in order.

mod advice;
mod opened;
mod stop;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use router::id::{BillerId, ParticipantId};
use router::policy::Policy;
use router::time::Timestamp;
use storage::folder::{FolderError, FolderLock};
use storage::{OpenError, Sealer, StoreError};
use storage_cluster::Node;
use storage_cql::api_keys::ApiKeys;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::opened::Opened;
pub use self::stop::{Ended, StopTimes};
use crate::adapter::iso8583::tls::{ListenerTls, TlsError};
use crate::adapter::iso8583::{CommonParts, Speaker};
use crate::admin::Admin;
use crate::admin::access::Access;
use crate::admission::{Admission, Ceilings};
use crate::backoffice::{BackofficeService, JournalSource};
use crate::config::{Config, ServiceConfig};
use crate::descriptors::{self, DescriptorError};
use crate::engine::{EarlyReversals, Engine, OwedQueue, OwedReversals, Parts};
use crate::keys::{self, Keys};
use crate::line_trace::LineTrace;
use crate::notice::Notices;
use crate::outbound::{Host, Sockets};
use crate::participant::Participants;
use crate::reload::Reload;
use crate::seal::KeyError;
use crate::session::key_change;
use crate::session::lines::{Lines, OwnAddress};
use crate::session_keys::SessionKeys;
use crate::supervise::{Supervisor, Tasks};
use crate::{
    clock, fingerprint, floats, left_work, metrics, notice, payment, reversal, seal, waiting, web,
};

/// Why the switch did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("{what} cannot listen on {address}")]
    Listen {
        /// The key of the address.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The journal cannot be opened.
    #[error("the journal cannot be opened")]
    Open(#[from] OpenError),
    /// This node cannot be one of many.
    #[error("the node cannot join the cluster")]
    Cluster(#[from] storage_cluster::StartError),
    /// The journal cannot be written.
    #[error("the journal cannot be written")]
    Store(#[from] StoreError),
    /// The sealing keys cannot be used.
    #[error("the sealing keys cannot be used")]
    Seal(#[from] KeyError),
    /// TLS files cannot be used.
    #[error("TLS files cannot be used")]
    Tls(#[from] TlsError),
    /// The file of API keys cannot be read.
    #[error("the file of API keys cannot be read")]
    Keys(#[source] io::Error),
    /// The list of billers cannot be written.
    #[error("the list of billers cannot be written into the data folder")]
    Billers(#[source] io::Error),
    /// The trace of lines cannot be written.
    #[error("the trace of participants' lines cannot be started")]
    LineTrace(#[source] io::Error),
    /// No thread could be started.
    #[error("a thread of the switch")]
    Thread(#[source] io::Error),
    /// The token that drains cannot be kept.
    #[error("the drain token cannot be written into the data folder")]
    DrainToken(#[source] io::Error),
    /// The process may not have enough files open.
    #[error("too few files may be open at once")]
    Descriptors(#[from] DescriptorError),
    /// The metrics recorder cannot be made.
    #[error("the metrics recorder cannot be made")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Where the switch listens, ports known.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// JSON API.
    pub http: SocketAddr,
    /// Participants' lines.
    pub iso8583: SocketAddr,
    /// Health, metrics, drain.
    pub admin: SocketAddr,
}

impl Addresses {
    fn of(
        (http, iso8583, admin): (&TcpListener, &TcpListener, SocketAddr),
        service: &ServiceConfig,
    ) -> Self {
        Self {
            http: http.local_addr().unwrap_or(service.http.listen),
            iso8583: iso8583.local_addr().unwrap_or(service.iso8583.listen),
            admin,
        }
    }
}

/// A running switch.
pub struct App {
    /// What every part works with.
    pub engine: Arc<Engine>,
    /// Where it listens.
    pub addresses: Addresses,
    /// Where participants with an address of their own call.
    pub own_addresses: Vec<(ParticipantId, SocketAddr)>,
    /// This process among many nodes; none on one machine.
    pub node: Option<Arc<Node>>,
    /// Takes changed configurations in.
    pub reload: Arc<Reload>,
    /// Of a node of many; on one machine the journal has it.
    folder: Option<FolderLock>,
    supervisor: Supervisor,
    drain_asked: CancellationToken,
    /// How long a stop takes at most.
    pub stop_times: StopTimes,
}

impl App {
    /// Starts everything: journal, reversals, notices, lines, API – then says it is ready.
    ///
    /// Not cancel-safe.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let metrics = metrics::install()?;
        let supervisor = Supervisor::new();
        let tasks = supervisor.tasks();
        let service = &config.service;

        let admission = admission(&config)?;
        // Addresses first, all of them: a port in use should cost neither a replay of the journal nor
        // the lane of another process.
        let Ports { http, doors, admin: admin_port } = Ports::open(&config).await?;

        let (sealer, opened) = open_data(&config).await?;
        start_clock(&tasks, service, opened.recovered.last_at);
        let stans = opened.stans();
        let Opened { store, recovered, numbers, member, folder } = opened;
        let (owed, owed_queue) = OwedReversals::new();
        let common = Arc::new(common_parts(&config, stans, &tasks));
        let engine = Arc::new(Engine::new(Parts {
            store,
            sealer: sealer.clone(),
            numbers,
            participants: Participants::new(config.participants, &common, &tasks)?,
            common,
            policy: config.policy,
            tasks: tasks.clone(),
            sockets: Sockets::for_requests(service.notices.in_flight_max),
            owed,
            early: EarlyReversals::kept_for(service.reversals.early_kept),
            fingerprint_key: fingerprint::key(service)?,
            in_free_fields: service.in_free_fields,
            line_trace: LineTrace::start(service).map_err(StartError::LineTrace)?,
            session_keys: SessionKeys::new(&service.data.dir, sealer.clone()),
            backoffice: Arc::new(BackofficeService::new(service.backoffice.clone())),
        }));
        match &member {
            None => floats::open_all(&engine, &config.floats).await?,
            Some(member) => member.join(&engine, &sealer, &service.notices, &config.floats),
        }
        payment::resume(&engine, &recovered.open).await?;

        let node = member.as_ref().map(|member| member.node_with(config.rules_version));
        let (admin, admin_at) = start_admin(&engine, (metrics, node.clone()), admin_port, service)?;
        let addresses = Addresses::of((&http, &doors.shared, admin_at), service);
        let own_addresses = doors.own_addresses();

        start_follow_ups(&engine, owed_queue, service);
        if let Some(member) = member {
            member.answer_and_wait(&engine, &admission).await;
        }
        start_backoffice(&engine, node.as_deref(), service);
        let lines = start_lines(&engine, doors, service, &admission)?;
        let http_tls = service.http.tls.as_ref().map(ListenerTls::read).transpose()?;
        let reload = Reload::new(Arc::clone(&engine), lines, http_tls.clone(), node.clone());
        start_api(&engine, node.as_deref(), (http, http_tls), service, (sealer, admission))?;
        admin.set_started();
        tracing::info!(%addresses.http, %addresses.iso8583, %addresses.admin, "ready");
        let stop_times = StopTimes::of(service);
        Ok(Self {
            engine,
            addresses,
            own_addresses,
            node,
            reload: Arc::new(reload),
            folder,
            supervisor,
            drain_asked: admin.drain_asked(),
            stop_times,
        })
    }

    /// Serves until `stop` resolves, `/drain` is posted to, or something vital dies; then drains,
    /// within the [`StopTimes`].
    ///
    /// Not cancel-safe.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Ended {
        let mut journal_failed = self.engine.store.failed();
        let early = tokio::select! {
            () = stop => None,
            () = self.drain_asked.cancelled() => None,
            name = self.supervisor.death() => Some(Ended::Died(name)),
            _ = journal_failed.wait_for(|failed| *failed) => None,
        };
        let StopTimes { grace, closing, begun } = self.stop_times;
        begun.cancel();
        let store = &self.engine.store;
        // Whatever ended first: a task that needs the journal may have seen its failure before us.
        if let Some(failed) = Ended::of_failed(store) {
            // Nothing can be made durable any more: leave at once, the next start decides.
            let why = store.failure().map_or_else(String::new, |why| why.to_string());
            tracing::error!("{why}; stopping at once");
            store.leave();
            let line_trace = Arc::clone(&self.engine.line_trace);
            stop::finish_trace(line_trace, stop::SAYING_MAX).await;
            return failed;
        }
        tracing::info!(under_way = self.engine.tasks.payments_under_way(), "draining");
        let in_time = self.supervisor.drain(grace, closing / 4).await;
        let line_trace = Arc::clone(&self.engine.line_trace);
        let (is_closed, ()) = tokio::join!(
            stop::close(store.clone(), self.node, closing / 4 * 3),
            stop::finish_trace(line_trace, closing / 4 * 3),
        );
        let ended = if in_time && is_closed { Ended::Drained } else { Ended::CutShort };
        let ended = Ended::of_failed(store).or(early).unwrap_or(ended);
        tracing::info!(?ended, "stopped");
        drop(self.folder);
        ended
    }
}

/// What all participants share that speak ISO 8583.
fn common_parts(config: &Config, stans: Range<u32>, tasks: &Tasks) -> CommonParts {
    let service = &config.service;
    let speaker = Speaker::new(service.acquirer_id, &service.iso8583.framing, &config.participants);
    CommonParts::new(speaker, stans, tasks.stages().clone())
}

/// Makes room for the connections that are configured, as far as the system lets.
fn admission(config: &Config) -> Result<Arc<Admission>, DescriptorError> {
    let room = descriptors::make_room(config)?;
    let service = &config.service;
    let ceilings = Ceilings {
        sockets: room.sockets,
        per_address: service.connections_per_address_max,
        lines: service.iso8583.connections_max,
        unsigned: service.iso8583.unsigned_max,
        unsigned_per_address: service.iso8583.unsigned_per_address_max,
        http: service.http.connections_max,
        peers: service.cluster.as_ref().map_or(0, |_| descriptors::PEERS_MAX),
    };
    let ceilings = ceilings.within_sockets();
    let dialled = config.participants.iter().filter_map(|one| one.reach.as_ref());
    // What address a name has is not known before it is called.
    let addresses = dialled.filter_map(|reach| match reach.address.host {
        Host::Ip(ip) => Some(ip),
        Host::Name(_) => None,
    });
    Ok(Admission::new(ceilings, addresses))
}

/// Starts the clock, and what looks after it.
fn start_clock(tasks: &Tasks, service: &ServiceConfig, last_record: Option<Timestamp>) {
    let (data, ending) = (service.data.dir.clone(), tasks.stages().ending.clone());
    clock::keeper::start(service.clock, &data, last_record);
    tasks.service("clock", clock::keeper::run(data, ending));
}

/// Opens the data folder and the journal, with the keys that its records need.
/// Notes there who is served.
async fn open_data(config: &Config) -> Result<(Sealer, Opened), StartError> {
    let service = &config.service;
    let dir = &service.data.dir;
    storage::folder::prepare(dir)?;
    let sealer = seal::sealer(&service.seal, dir)?;
    let opened = Opened::of(service, &sealer).await?;
    seal::note_in_use(&sealer, dir)?;
    keys::billers::note(dir, config.policy.billers.keys()).map_err(StartError::Billers)?;
    Ok((sealer, opened))
}

/// Starts the admin port, which says "starting" at first; gives its address.
fn start_admin(
    engine: &Arc<Engine>,
    (recorded, node): (PrometheusHandle, Option<Arc<Node>>),
    port: TcpListener,
    service: &ServiceConfig,
) -> Result<(Admin, SocketAddr), StartError> {
    let config = &service.admin;
    metrics::register(&engine.participants().names(), &web::route_names(), node.is_some());
    let access = Access::new(config, &service.data.dir).map_err(StartError::DrainToken)?;
    let admin = Admin::new(Arc::clone(engine), recorded, node, access);
    let address = config.listen;
    let listening = port.into_std().and_then(|port| admin.clone().start(port, config));
    let failed = |source| StartError::Listen { what: "admin.listen", address, source };
    listening.map_err(failed).map(|address| (admin, address))
}

/// Opens the back office beside everything else, and has it follow the journal.
fn start_backoffice(engine: &Engine, node: Option<&Node>, service: &ServiceConfig) {
    let store = engine.store.clone();
    let source = match node {
        Some(node) => JournalSource::of_lane(store, node.cql().clone()),
        None => JournalSource::of_folder(store, service.data.dir.clone()),
    };
    let ending = engine.tasks.stages().ending.clone();
    let work = Arc::clone(&engine.backoffice).run(Box::new(source), ending);
    engine.tasks.service("back office", work);
}

/// Starts notices, and the API that shows them.
fn start_api(
    engine: &Arc<Engine>,
    node: Option<&Node>,
    (listener, tls): (TcpListener, Option<Arc<ListenerTls>>),
    service: &ServiceConfig,
    (sealer, admission): (Sealer, Arc<Admission>),
) -> Result<(), StartError> {
    let (store, tasks) = (engine.store.clone(), &engine.tasks);
    let notices = Notices::new(Arc::clone(engine), store, sealer, service.notices.clone());
    let notices = Arc::new(notices);
    tasks.critical("notices", notice::run(Arc::clone(&notices)));
    let keys = Keys::open(&service.data.dir).map_err(StartError::Keys)?;
    keys.warn_of_unserved(|owner| serves(&engine.policy(), owner));
    let keys = match node {
        Some(node) => keys.with_common(ApiKeys::new(node.cql())),
        None => keys,
    };
    let keys = Arc::new(keys);
    let ending = tasks.stages().ending.clone();
    tasks.service("last uses of API keys", Arc::clone(&keys).save_uses(ending));
    let api = web::Api::new(Arc::clone(engine), keys, notices);
    tasks.critical("http", web::run(api, listener, service.http.clone(), tls, admission));
    Ok(())
}

/// Whether a biller of this id is configured.
fn serves(policy: &Policy, owner: &str) -> bool {
    BillerId::new(owner).is_ok_and(|id| policy.billers.contains_key(&id))
}

/// The addresses that the switch listens on, but for that of other nodes.
struct Ports {
    http: TcpListener,
    doors: Doors,
    admin: TcpListener,
}

impl Ports {
    async fn open(config: &Config) -> Result<Self, StartError> {
        let http = bind("http.listen", config.service.http.listen).await?;
        let doors = Doors::open(config).await?;
        let admin = bind("admin.listen", config.service.admin.listen).await?;
        Ok(Self { http, doors, admin })
    }
}

/// The addresses participants call at.
struct Doors {
    shared: TcpListener,
    own: Vec<OwnAddress>,
}

impl Doors {
    async fn open(config: &Config) -> Result<Self, StartError> {
        let shared = bind("iso8583.listen", config.service.iso8583.listen).await?;
        let mut own = Vec::new();
        for participant in &config.participants {
            if let Some(configured) = participant.listen {
                let listener = bind("participants.listen", configured).await?;
                own.push(OwnAddress { participant: participant.id, configured, listener });
            }
        }
        Ok(Self { shared, own })
    }

    fn own_addresses(&self) -> Vec<(ParticipantId, SocketAddr)> {
        let own = self.own.iter();
        own.filter_map(|own| Some((own.participant, own.listener.local_addr().ok()?))).collect()
    }
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Listen { what, address, source })
}

/// Starts what follows up on payments that are not over: reversals, and the ends of waits.
fn start_follow_ups(engine: &Arc<Engine>, owed_queue: OwedQueue, service: &ServiceConfig) {
    let reversals = reversal::run(Arc::clone(engine), owed_queue, service.reversals);
    engine.tasks.critical("reversals", reversals);
    engine.tasks.critical("left work", left_work::run(Arc::clone(engine)));
    let waits = waiting::run(Arc::clone(engine), engine.store.clone());
    engine.tasks.critical("waits", waits);
}

fn start_lines(
    engine: &Arc<Engine>,
    doors: Doors,
    service: &ServiceConfig,
    admission: &Arc<Admission>,
) -> Result<Lines, StartError> {
    let limits = service.iso8583.clone();
    let tls = limits.tls.as_ref().map(ListenerTls::read).transpose()?;
    let lines = Lines::new(Arc::clone(engine), limits, tls, Arc::clone(admission));
    key_change::restore(engine, engine.participants().iso8583());
    lines.listen(doors.shared);
    doors.own.into_iter().for_each(|own| lines.listen_for(own));
    engine.participants().iso8583().for_each(|participant| lines.start(participant));
    Ok(lines)
}
