//! One node: its lane, its threads, and the lanes it holds for others.

mod beat;
mod name;
mod notices;
mod others;
mod own;
mod takeover;
mod threads;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use router::id::{AccountId, Lane};
use router::money::Currency;
use router::posting::Entry;
use storage::guard::GateEpoch;
use storage::store::{Appending, Redelivery, RedeliveryFuture};
use storage::{Recovered, Sealer, Store, StoreFailure};
use storage_cql::once::{Once, Turn};
use storage_cql::{Control, Cql, CqlError, LaneRow, Lanes, Nodes, Owner};
use storage_redis::{Gate, GateError};
use tokio::sync::mpsc;

use self::others::NodeStores;
use self::threads::thread;
use crate::folios::Folios;
use crate::gatekeeper::{GateLog, Gatekeeper, WaitingLanes};
use crate::lanes::{LaneError, LaneOpener};
use crate::settings::ClusterSettings;
use crate::stop::Stop;
use crate::watch::Watch;

/// Lanes taken over that nobody has asked for yet.
const TAKEN_LEN_MAX: usize = 64;
/// How long a look at the gate counts.
const SERVED_FOR: Duration = Duration::from_secs(5);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal's servers.
    #[error("the CQL servers")]
    Cql(#[from] CqlError),
    /// The gate's settings.
    #[error("the gate")]
    Gate(#[from] GateError),
    /// Its lane.
    #[error("lane {lane}")]
    Lane {
        /// The lane.
        lane: Lane,
        /// Why.
        source: LaneError,
    },
    /// There are as many lanes as there may be.
    #[error("all {max} lanes have an owner")]
    NoLane {
        /// How many there may be.
        max: u16,
    },
    /// Another process uses the node's name, and lives: this one stays out.
    #[error("another process uses the name {node}: it is at {theirs}, this one at {ours}")]
    NameInUse {
        /// The name.
        node: Box<str>,
        /// Where the other one says that it is.
        theirs: Box<str>,
        /// Where this one would be.
        ours: Box<str>,
    },
    /// No thread could be started.
    #[error("a thread of the node")]
    Thread(#[from] std::io::Error),
}

/// A dead node's lane that this node now holds.
pub struct TakenLane {
    /// Takes what follows up on its payments.
    pub store: Store,
    /// What it left open.
    pub recovered: Recovered,
}

/// How the nodes that hold other lanes are asked.
pub trait Peers: Send + Sync {
    /// Has the node at an address append a record to a lane it holds.
    fn append(&self, address: &str, lane: Lane, encoded: Vec<u8>) -> Appending;

    /// Has the node at an address redeliver notices of an endpoint that the owner of a lane it holds
    /// serves.
    fn redeliver(&self, address: &str, lane: Lane, redelivery: Redelivery) -> RedeliveryFuture;
}

/// A node that runs. Stop it before its stores are closed.
pub struct Node {
    inner: Arc<NodeInner>,
    store: Store,
    folios: Arc<Folios>,
    taken: Mutex<Option<mpsc::Receiver<TakenLane>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct NodeInner {
    settings: ClusterSettings,
    me: Owner,
    started_at_ms: i64,
    control: Control,
    lanes: Lanes,
    nodes: Nodes,
    gate: Arc<Gate>,
    opener: LaneOpener,
    watch: Arc<Mutex<Watch>>,
    pending: Arc<WaitingLanes>,
    served: Arc<Mutex<Option<(GateEpoch, Instant)>>>,
    own: OnceLock<Store>,
    held: Mutex<BTreeMap<Lane, Store>>,
    owners: Mutex<BTreeMap<Lane, Owner>>,
    beat: Mutex<u64>,
    /// Where another process is that uses this node's name, or tried to.
    twin: Mutex<Option<Box<str>>>,
    note: Mutex<String>,
    config_version: Mutex<u64>,
    is_furnished: AtomicBool,
    taken: mpsc::Sender<TakenLane>,
    /// Lanes of dead nodes that are being opened.
    taking: Mutex<BTreeMap<Lane, JoinHandle<()>>>,
    stop: Arc<Stop>,
}

impl Node {
    /// Takes this node's lane, folds it, and starts everything. The gate may open later: until
    /// then new payments are refused and everything else works.
    ///
    /// Blocks for the time of the replay.
    pub fn start(
        settings: ClusterSettings,
        sealer: Sealer,
        started_at_ms: i64,
    ) -> Result<(Arc<Self>, Recovered), StartError> {
        let (taken, taken_queue) = mpsc::channel(TAKEN_LEN_MAX);
        let inner = Arc::new(NodeInner::new(settings, sealer, started_at_ms, taken)?);
        let row = inner.own_lane()?;
        let folios = Arc::new(Folios::open(inner.control.clone(), inner.me.to_string())?);
        // From here on, for reading the lane may take longer than a node may be silent.
        let beats = inner.start_beating(&folios)?;
        let opened = inner.open_own(row).inspect_err(|_| inner.stop.say());
        let (store, recovered) = opened?;
        let _ = inner.own.set(store.clone());
        if inner.stop.is_said() {
            // The thread that gives signs of life panicked, and found no store to give up.
            store.give_up(StoreFailure::Panicked);
        }
        let mut threads = inner.start_threads()?;
        threads.push(beats);
        let threads = Mutex::new(threads);
        let taken = Mutex::new(Some(taken_queue));
        Ok((Arc::new(Self { inner, store, folios, taken, threads }), recovered))
    }

    /// The store of this node's own lane.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Numbers for people.
    pub fn folios(&self) -> &Arc<Folios> {
        &self.folios
    }

    /// Lanes as they are taken over; there is one such queue.
    pub fn taken(&self) -> Option<mpsc::Receiver<TakenLane>> {
        self.taken.lock().take()
    }

    /// The epoch under which the gate serves this node; none while it does not.
    pub fn served(&self) -> Option<GateEpoch> {
        self.inner.served().filter(|_| !self.inner.pending.has(self.store.lane()))
    }

    /// Why this node and Redis do not agree on what time it is; none while they do.
    pub fn clock_trouble(&self) -> Option<String> {
        self.inner.gate.clock_trouble()
    }

    /// Makes the stores of this node know the other lanes.
    pub fn join(self: &Arc<Self>, peers: Arc<dyn Peers>) {
        self.store.join(Arc::new(NodeStores { node: Arc::clone(self), peers }));
    }

    /// What other nodes are told of this one, with its next sign of life.
    pub fn say(&self, note: String) {
        *self.inner.note.lock() = note;
    }

    /// Says that everything is there that payments need: what is done once has been done.
    pub fn set_furnished(&self) {
        self.inner.is_furnished.store(true, Ordering::Release);
    }

    /// Whether that was said.
    pub fn is_furnished(&self) -> bool {
        self.inner.is_furnished.load(Ordering::Acquire)
    }

    /// The version of the rules this node works by, for who compares the nodes.
    pub fn set_config_version(&self, version: u64) {
        *self.inner.config_version.lock() = version;
    }

    /// What the living nodes say of themselves, this one left out: name, address, note.
    pub fn others(&self) -> Vec<(Box<str>, Box<str>, Box<str>)> {
        self.inner.watch.lock().others(&self.inner.settings.node, Instant::now())
    }

    /// The connection to the journal's servers.
    pub fn cql(&self) -> &Cql {
        &self.inner.opener.cql
    }

    /// Asks for the turn to do what is done once in the life of the cluster. The turn of a node
    /// that is gone is taken over once all its lanes were: by then everything that it did is in the
    /// journal, where the next must look before it does it. Blocks.
    pub fn once(&self, what: &str) -> Result<Turn, CqlError> {
        let (once, me) = (Once::new(self.cql()), self.inner.me.to_string());
        match once.begin(what, &me)? {
            Turn::HeldBy(other) if self.inner.is_gone(&other) => {
                once.begin_after(what, &me, &other)
            }
            turn => Ok(turn),
        }
    }

    /// Whether any lane's journal has a movement of an account in a currency. Reads them all.
    /// Blocks.
    ///
    /// Errors: the journal cannot be read.
    pub fn is_opened(&self, account: AccountId, currency: Currency) -> Result<bool, LaneError> {
        for row in self.inner.lanes.all()? {
            for record in storage_cql::frames::records(self.cql(), row.lane)? {
                let (_, record) = record?;
                let mut lines = record.movement().into_iter().flat_map(Entry::lines);
                if lines.any(|line| (line.account, line.amount.currency) == (account, currency)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Says that it is done. Blocks.
    pub fn done(&self, what: &str) -> Result<(), CqlError> {
        Once::new(self.cql()).done(what, &self.inner.me.to_string())
    }

    /// Says that this run is over, so that the next of this name starts at once. For a node whose
    /// store was closed: whoever starts then takes its lane. Blocks.
    ///
    /// Errors: the servers cannot be asked; the next start then watches for a while.
    pub fn say_ended(&self) -> Result<(), CqlError> {
        self.inner.say_ended()
    }

    /// Stops the threads; lanes of others are let go. Blocks. The own store goes on until it is
    /// closed.
    pub fn stop(&self) {
        self.inner.stop.say();
        for thread in self.threads.lock().drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        let taking = std::mem::take(&mut *self.inner.taking.lock());
        for (_, thread) in taking {
            let _ = thread.join();
        }
        let held = std::mem::take(&mut *self.inner.held.lock());
        drop(held);
    }
}

impl NodeInner {
    fn new(
        settings: ClusterSettings,
        sealer: Sealer,
        started_at_ms: i64,
        taken: mpsc::Sender<TakenLane>,
    ) -> Result<Self, StartError> {
        let cql = Cql::connect(&settings.cql)?;
        let gate = Gate::new(settings.gate.clone())?.with_clock(Arc::clone(&settings.clock));
        let gate = Arc::new(gate);
        let stop = Arc::new(Stop::default());
        Ok(Self {
            me: Owner { node: settings.node.as_str().into(), incarnation: incarnation() },
            started_at_ms,
            control: Control::new(&cql),
            lanes: Lanes::new(&cql),
            nodes: Nodes::new(&cql),
            gate: Arc::clone(&gate),
            opener: LaneOpener::new(&settings, cql, gate, sealer, Arc::clone(&stop)),
            watch: Arc::new(Mutex::new(Watch::new(settings.takeover_after))),
            pending: Arc::default(),
            served: Arc::default(),
            own: OnceLock::new(),
            held: Mutex::default(),
            owners: Mutex::default(),
            beat: Mutex::new(0),
            twin: Mutex::default(),
            note: Mutex::default(),
            config_version: Mutex::default(),
            is_furnished: AtomicBool::new(false),
            taken,
            taking: Mutex::default(),
            stop,
            settings,
        })
    }

    /// Opens the own lane, once the others are known.
    fn open_own(&self, row: LaneRow) -> Result<(Store, Recovered), StartError> {
        // Payments of the other lanes may be asked about from the first request on.
        self.see_lanes()?;
        if let (_, Some(error)) = self.look_at_notices() {
            return Err(error.into());
        }
        let lane = row.lane;
        let opened = self.opener.open(row.clone());
        let (store, recovered, mended) =
            opened.map_err(|source| StartError::Lane { lane, source })?;
        self.pending.add(row, mended);
        Ok((store, recovered))
    }

    fn gatekeeper(&self) -> Gatekeeper {
        Gatekeeper {
            me: self.me.to_string(),
            node: self.settings.node.clone(),
            control: self.control.clone(),
            lanes: self.lanes.clone(),
            gate: Arc::clone(&self.gate),
            opener: self.opener.clone(),
            watch: Arc::clone(&self.watch),
            pending: Arc::clone(&self.pending),
            served: Arc::clone(&self.served),
            not_before: Instant::now(),
            log: GateLog::default(),
        }
    }

    fn start_beating(self: &Arc<Self>, folios: &Arc<Folios>) -> std::io::Result<JoinHandle<()>> {
        let (beats, folios) = (Arc::clone(self), Arc::clone(folios));
        thread("cluster-beat", self, move || beats.keep_beating(&folios))
    }

    fn start_threads(self: &Arc<Self>) -> std::io::Result<Vec<JoinHandle<()>>> {
        let (gate, mut keeper) = (Arc::clone(self), self.gatekeeper());
        let gate = thread("cluster-gate", self, move || gate.keep(&mut keeper))?;
        let lanes = Arc::clone(self);
        let lanes = thread("cluster-lanes", self, move || lanes.watch_lanes())?;
        let notices = Arc::clone(self);
        let notices = thread("cluster-notices", self, move || notices.watch_notices())?;
        Ok(vec![gate, lanes, notices])
    }

    /// Keeps the gate: at every beat, and at once when a guard is in trouble.
    fn keep(&self, keeper: &mut Gatekeeper) {
        let mut seen = 0;
        while !self.stop.is_said() {
            keeper.turn();
            if let Some(trouble) = self.gate.wait_trouble(seen, self.settings.beat_every) {
                seen = trouble.count;
            }
        }
    }

    /// Whether a node's run is over and no lane is left to it.
    fn is_gone(&self, run: &str) -> bool {
        let lives = self.watch.lock().lives(run, Instant::now());
        let owners = self.owners.lock();
        !lives && !owners.is_empty() && owners.values().all(|owner| owner.to_string() != run)
    }

    fn address_of(&self, lane: Lane) -> Result<String, String> {
        let owner = self.owners.lock().get(&lane).cloned();
        let owner = owner.ok_or_else(|| "nobody is known to hold it".to_owned())?;
        let watch = self.watch.lock();
        let address = watch.address(&owner.node).filter(|address| !address.is_empty());
        address.map(str::to_owned).ok_or_else(|| format!("{owner} gives no address"))
    }
}

fn incarnation() -> u64 {
    rand::random::<u64>() >> 1
}
