//! One node: its lane, its threads, and the lanes it holds for others.

mod others;
mod threads;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use router::id::{AccountId, Lane};
use router::money::Currency;
use router::record::Record;
use storage::guard::GateEpoch;
use storage::store::Appending;
use storage::{Recovered, Sealer, Store};
use storage_cql::lane::{Created, Taken as TakenRow};
use storage_cql::nodes::NodeRow;
use storage_cql::once::{Once, Turn};
use storage_cql::{Control, Cql, CqlError, LaneRow, Lanes, Nodes, Owner};
use storage_redis::{Gate, GateError};
use tokio::sync::mpsc;

use self::others::OthersOf;
use self::threads::thread;
use crate::folios::Folios;
use crate::gatekeeper::{Gatekeeper, Pending};
use crate::lanes::{LaneError, Workshop, chain};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::watch::Watch;

/// Lanes taken over that nobody has asked for yet.
const TAKEN_LEN_MAX: usize = 64;
/// How long a look at the gate counts.
const SERVED_FOR: Duration = Duration::from_secs(5);
/// Most lanes of a cluster.
const LANES_MAX: u16 = 4_096;

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
    #[error("all {LANES_MAX} lanes have an owner")]
    NoLane,
    /// No thread could be started.
    #[error("a thread of the node")]
    Thread(#[from] std::io::Error),
}

/// A dead node's lane that this node now holds.
pub struct Taken {
    /// Takes what follows up on its payments.
    pub store: Store,
    /// What it left open.
    pub recovered: Recovered,
}

/// How the nodes that hold other lanes are asked.
pub trait Peers: Send + Sync {
    /// Has the node at an address append a record to a lane it holds.
    fn append(&self, address: &str, lane: Lane, encoded: Vec<u8>) -> Appending;
}

/// A node that runs. Stop it before its stores are closed.
pub struct Node {
    inner: Arc<Inner>,
    store: Store,
    folios: Arc<Folios>,
    taken: Mutex<Option<mpsc::Receiver<Taken>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Inner {
    settings: Settings,
    me: Owner,
    started_at_ms: i64,
    control: Control,
    lanes: Lanes,
    nodes: Nodes,
    gate: Arc<Gate>,
    workshop: Workshop,
    watch: Arc<Mutex<Watch>>,
    pending: Arc<Pending>,
    served: Arc<Mutex<Option<(GateEpoch, Instant)>>>,
    own: OnceLock<Store>,
    held: Mutex<BTreeMap<Lane, Store>>,
    owners: Mutex<BTreeMap<Lane, Owner>>,
    beat: Mutex<u64>,
    note: Mutex<String>,
    config_version: Mutex<u64>,
    is_furnished: AtomicBool,
    taken: mpsc::Sender<Taken>,
    stop: Stop,
}

impl Node {
    /// Takes this node's lane, folds it, and starts everything. The gate may open later: until
    /// then new payments are refused and everything else works.
    ///
    /// Blocks for the time of the replay.
    pub fn start(
        settings: Settings,
        sealer: Sealer,
        started_at_ms: i64,
    ) -> Result<(Arc<Self>, Recovered), StartError> {
        let cql = Cql::connect(&settings.cql)?;
        let gate = Arc::new(Gate::new(settings.gate.clone())?);
        let incarnation = incarnation();
        let me = Owner { node: settings.node.as_str().into(), incarnation };
        let control = Control::new(&cql);
        let (taken, taken_queue) = mpsc::channel(TAKEN_LEN_MAX);
        let inner = Arc::new(Inner {
            me: me.clone(),
            started_at_ms,
            control: control.clone(),
            lanes: Lanes::new(&cql),
            nodes: Nodes::new(&cql),
            gate: Arc::clone(&gate),
            workshop: Workshop::new(&settings, cql, gate, sealer),
            watch: Arc::new(Mutex::new(Watch::new(settings.takeover_after))),
            pending: Arc::default(),
            served: Arc::default(),
            own: OnceLock::new(),
            held: Mutex::default(),
            owners: Mutex::default(),
            beat: Mutex::new(0),
            note: Mutex::default(),
            config_version: Mutex::default(),
            is_furnished: AtomicBool::new(false),
            taken,
            stop: Stop::default(),
            settings,
        });
        // Whoever sees the lane's new owner must find that it lives.
        inner.give_sign()?;
        let folios = Arc::new(Folios::open(control.clone(), me.to_string())?);
        let row = inner.own_lane()?;
        // Payments of the other lanes may be asked about from the first request on.
        inner.see_owners(&inner.lanes.all()?);
        let lane = row.lane;
        let opened = inner.workshop.open(row.clone());
        let (store, recovered, mended) =
            opened.map_err(|source| StartError::Lane { lane, source })?;
        inner.pending.add(row, mended);
        let keeper = Gatekeeper {
            me: me.to_string(),
            node: inner.settings.node.clone(),
            control,
            lanes: inner.lanes.clone(),
            gate: Arc::clone(&inner.gate),
            workshop: inner.workshop.clone(),
            watch: Arc::clone(&inner.watch),
            pending: Arc::clone(&inner.pending),
            served: Arc::clone(&inner.served),
            not_before: Instant::now(),
        };
        let _ = inner.own.set(store.clone());
        let threads = Mutex::new(inner.start_threads(keeper, &folios, &store)?);
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
    pub fn taken(&self) -> Option<mpsc::Receiver<Taken>> {
        self.taken.lock().take()
    }

    /// The epoch under which the gate serves this node; none while it does not.
    pub fn served(&self) -> Option<GateEpoch> {
        self.inner.served().filter(|_| !self.inner.pending.has(self.store.lane()))
    }

    /// Makes the stores of this node know the other lanes.
    pub fn join(self: &Arc<Self>, peers: Arc<dyn Peers>) {
        self.store.join(Arc::new(OthersOf { node: Arc::clone(self), peers }));
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
        &self.inner.workshop.cql
    }

    /// Asks for the turn to do what is done once in the life of the cluster. The turn of a node
    /// that is gone is taken over once all its lanes were: by then everything that it did is in the
    /// journal, where the next must look before it does it. Blocks.
    pub fn once(&self, what: &str) -> Result<Turn, CqlError> {
        let (once, me) = (Once::new(self.cql()), self.inner.me.to_string());
        match once.begin(what, &me)? {
            Turn::Others(other) if self.inner.is_gone(&other) => {
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
                if let (_, Record::Account(movement)) = record?
                    && (movement.account, movement.delta.currency) == (account, currency)
                {
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

    /// Stops the threads; lanes of others are let go. Blocks. The own store goes on until it is
    /// closed.
    pub fn stop(&self) {
        self.inner.stop.say();
        for thread in self.threads.lock().drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        let held = std::mem::take(&mut *self.inner.held.lock());
        drop(held);
    }
}

impl Inner {
    fn start_threads(
        self: &Arc<Self>,
        mut keeper: Gatekeeper,
        folios: &Arc<Folios>,
        store: &Store,
    ) -> std::io::Result<Vec<JoinHandle<()>>> {
        let (beats, folios) = (Arc::clone(self), Arc::clone(folios));
        let own = store.failed();
        let beats = thread("cluster-beat", store, move || beats.beat(&folios, &own))?;
        let gate = Arc::clone(self);
        let gate = thread("cluster-gate", store, move || gate.keep(&mut keeper))?;
        let lanes = Arc::clone(self);
        let lanes = thread("cluster-lanes", store, move || lanes.take_over())?;
        Ok(vec![beats, gate, lanes])
    }

    /// Gives signs of life and sees those of others. A node whose own lane has failed gives none.
    fn beat(&self, folios: &Folios, own_failed: &tokio::sync::watch::Receiver<bool>) {
        while !self.stop.wait(self.settings.beat_every) && !*own_failed.borrow() {
            if let Err(error) = self.give_sign().and_then(|()| folios.refill()) {
                tracing::warn!(error = chain(&error), "no sign of life could be given");
            }
        }
    }

    /// The epoch under which the gate serves this node, by a look that is not old: one who looks no
    /// more must not keep others from a new epoch.
    fn served(&self) -> Option<GateEpoch> {
        let served = *self.served.lock();
        served.filter(|(_, at)| at.elapsed() < SERVED_FOR).map(|(epoch, _)| epoch)
    }

    fn give_sign(&self) -> Result<(), CqlError> {
        let beat = {
            let mut beat = self.beat.lock();
            *beat += 1;
            *beat
        };
        self.nodes.beat(&NodeRow {
            name: self.me.node.clone(),
            incarnation: self.me.incarnation,
            address: self.settings.address.as_str().into(),
            version: self.settings.version.as_str().into(),
            beat,
            gate_epoch: self.served(),
            started_at_ms: self.started_at_ms,
            config_version: *self.config_version.lock(),
            status: self.note.lock().as_str().into(),
        })?;
        let rows = self.nodes.all()?;
        self.watch.lock().see(rows, Instant::now());
        Ok(())
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

    /// This node's lane: the one it had, or the first free number.
    fn own_lane(&self) -> Result<LaneRow, StartError> {
        loop {
            let rows = self.lanes.all()?;
            if let Some(row) = rows.iter().find(|row| *row.home == *self.me.node) {
                match self.lanes.take(row.lane, &self.me, row)? {
                    TakenRow::Taken(row) => return Ok(self.rechecked(row)?),
                    // Another process of the same name starts at the same moment.
                    TakenRow::Lost(_) => continue,
                }
            }
            let used: Vec<u16> = rows.iter().map(|row| row.lane.0).collect();
            let free = (0..LANES_MAX).find(|number| !used.contains(number));
            let lane = Lane(free.ok_or(StartError::NoLane)?);
            let trusted = self.control.gate()?.map_or(GateEpoch(0), |row| row.epoch);
            match self.lanes.create(lane, &self.me.node, &self.me, trusted)? {
                Created::Exists(_) => {}
                Created::Created(row) => return Ok(self.rechecked(row)?),
            }
        }
    }

    /// A lane that was just made or taken, fenced by the epoch of now. A change of epoch may have
    /// listed the lanes before this one was made, by this node or by the one it was taken from:
    /// it either saw the lane, or is seen here.
    fn rechecked(&self, row: LaneRow) -> Result<LaneRow, CqlError> {
        match self.control.gate()? {
            Some(gate) if gate.epoch > row.guard_epoch => self.lanes.fence(row.lane, gate.epoch),
            Some(_) | None => Ok(row),
        }
    }

    /// Watches the lanes: takes those of dead nodes, lets go what was taken back.
    fn take_over(&self) {
        // Nobody is judged before they could be seen.
        let mut pause = self.settings.takeover_after;
        while !self.stop.wait(pause) {
            pause = self.settings.takeover_after / 4;
            self.let_go();
            if let Err(error) = self.look_for_dead() {
                tracing::warn!(error = chain(&error), "the lanes cannot be looked at");
            }
        }
    }

    fn let_go(&self) {
        let mut lost = Vec::new();
        self.held.lock().retain(|lane, store| {
            let has_failed = *store.failed().borrow();
            if has_failed {
                self.pending.drop_lane(*lane);
                lost.push((*lane, store.clone()));
            }
            !has_failed
        });
        for (lane, store) in lost {
            tracing::info!(%lane, "a lane held for another node was let go");
            drop(store);
        }
    }

    fn see_owners(&self, rows: &[LaneRow]) {
        *self.owners.lock() = rows.iter().map(|row| (row.lane, row.owner.clone())).collect();
    }

    /// Gives up lanes that others have taken meanwhile: this node slept, or was cut off. A lane that
    /// nothing is appended to would not find out by itself, and decline everything for ever.
    fn give_up_lost(&self, rows: &[LaneRow]) {
        for row in rows.iter().filter(|row| row.owner != self.me) {
            let own = self.own.get().filter(|store| store.lane() == row.lane).cloned();
            let store = own.or_else(|| self.held.lock().get(&row.lane).cloned());
            if let Some(store) = store {
                tracing::error!(lane = %row.lane, owner = %row.owner, "this lane was taken by another node");
                store.give_up();
            }
        }
    }

    fn look_for_dead(&self) -> Result<(), CqlError> {
        let rows = self.lanes.all()?;
        // After the lanes: a node that has just come back gave its sign before it took its lane,
        // and must not be judged by its last run's silence.
        let nodes = self.nodes.all()?;
        self.watch.lock().see(nodes, Instant::now());
        self.see_owners(&rows);
        self.give_up_lost(&rows);
        for row in rows {
            let is_dead = match row.owner == self.me {
                // Taken over, and could not be served then.
                true => *row.home != *self.me.node && !self.held.lock().contains_key(&row.lane),
                false => self.watch.lock().is_dead(&row.owner, &row.home, Instant::now()),
            };
            if !is_dead || self.stop.is_said() {
                continue;
            }
            let lane = row.lane;
            tracing::warn!(%lane, owner = %row.owner, "the owner of a lane is silent: taking it over");
            let TakenRow::Taken(row) = self.lanes.take(lane, &self.me, &row)? else { continue };
            let row = self.rechecked(row)?;
            metrics::counter!("cauce_cluster_takeovers_total").increment(1);
            match self.hold(row) {
                Ok(()) => tracing::warn!(%lane, "a lane was taken over"),
                Err(error) => {
                    tracing::error!(%lane, error = chain(&error), "a lane that was taken over cannot be served");
                }
            }
        }
        Ok(())
    }

    fn hold(&self, row: LaneRow) -> Result<(), LaneError> {
        let lane = row.lane;
        let (store, recovered, mended) = self.workshop.open(row.clone())?;
        self.held.lock().insert(lane, store.clone());
        self.pending.add(row, mended);
        // A queue nobody reads ends with the process; the payments stay open for the next.
        let _ = self.taken.blocking_send(Taken { store, recovered });
        Ok(())
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
