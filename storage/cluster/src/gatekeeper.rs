//! Which Redis counts.
//!
//! The control row names the epoch and the instances (the *pin*) that it is open on. A node whose
//! Redis is the pinned one, with the epoch's data in it, decides; any other node's gate is closed.
//! When the pinned Redis is gone, or has forgotten, some node begins the next epoch:
//!
//! ```text
//! control: epoch + 1, rebuilding ─► every lane: guard_epoch = epoch + 1 ─► Redis reflects every
//! lane up to its head ─► Redis: open ─► control: open on these instances
//! ```
//! From the second step on, nothing that was decided before and is not in the journal yet can get
//! into it. A node that merely cannot reach the pinned Redis leaves it alone while another node
//! says it is served by it: two halves of a split network would otherwise take it from each other.
//! Where the pinned Redis itself, in the same run, has not the epoch's data, no other node can be
//! served by it, and nobody's word is waited for: a dead node's would stand for seconds.

mod log;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use router::id::Lane;
use storage::guard::GateEpoch;
use storage::with_causes;
use storage_cql::control::{AgreedState, Change, GateRow};
use storage_cql::{Control, CqlError, LaneRow, Lanes};
use storage_redis::{Gate, GateError, GateState, Health, LaneTaker, Pin, Rebuild};

pub use self::log::GateLog;
use crate::lanes::{IsMended, LaneError, LaneOpener, mend};
use crate::rows::Merged;
use crate::watch::Watch;

/// After a change that failed, how long this node leaves the next try to others.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Keeps the gate of one node.
pub struct Gatekeeper {
    pub me: String,
    pub node: String,
    pub control: Control,
    pub lanes: Lanes,
    pub gate: Arc<Gate>,
    pub opener: LaneOpener,
    pub watch: Arc<Mutex<Watch>>,
    pub pending: Arc<WaitingLanes>,
    /// Under which epoch the last look found the gate well, and when that was.
    pub served: Arc<Mutex<Option<(GateEpoch, Instant)>>>,
    pub not_before: Instant,
    pub log: GateLog,
}

/// Lanes of this node whose guards wait until the gate reflects them.
#[derive(Default)]
pub struct WaitingLanes(Mutex<BTreeMap<Lane, (LaneRow, IsMended)>>);

impl WaitingLanes {
    /// Adds one, unless the lane is there as it was taken later.
    pub fn add(&self, row: LaneRow, mended: IsMended) {
        let mut lanes = self.0.lock();
        let is_older = lanes.get(&row.lane).is_some_and(|(known, _)| known.epoch > row.epoch);
        if !is_older {
            lanes.insert(row.lane, (row, mended));
        }
    }

    /// Forgets a lane that is another's by now.
    pub fn drop_lane(&self, lane: Lane) {
        self.0.lock().remove(&lane);
    }

    /// Whether a lane still waits.
    pub fn has(&self, lane: Lane) -> bool {
        self.0.lock().contains_key(&lane)
    }

    fn take(&self) -> BTreeMap<Lane, (LaneRow, IsMended)> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Why the gate is not open.
#[derive(Debug, thiserror::Error)]
pub enum GatekeeperError {
    /// The control row cannot be read or changed.
    #[error("the control row")]
    Control(#[from] CqlError),
    /// Redis cannot be used.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A lane cannot be reflected.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// Another node has begun a later epoch meanwhile.
    #[error("epoch {0} was overtaken")]
    Overtaken(u64),
    /// It is another node's turn.
    #[error("{0}")]
    Waiting(Box<str>),
}

impl Gatekeeper {
    /// Looks at the gate, and does what is to be done.
    pub fn turn(&mut self) {
        let looked = self.look();
        let served = match &looked {
            Ok(epoch) => Some((*epoch, Instant::now())),
            Err(_) => None,
        };
        metrics::gauge!("cauce_gate_served").set(f64::from(u8::from(served.is_some())));
        *self.served.lock() = served;
        self.log.tell(&looked);
    }

    /// The epoch under which the gate serves this node.
    fn look(&mut self) -> Result<GateEpoch, GatekeeperError> {
        let row = self.control.gate()?;
        match row {
            Some(row) if row.state == AgreedState::Open => self.follow(&row),
            Some(row) => {
                self.close(&format!("{} is rebuilding it", row.changed_by));
                let alive = self.watch.lock().lives(&row.changed_by, Instant::now());
                if alive && *row.changed_by != *self.me {
                    return Err(GatekeeperError::Waiting(
                        format!("{} is rebuilding the gate", row.changed_by).into(),
                    ));
                }
                self.change(Some(row.epoch))
            }
            None => self.change(None),
        }
    }

    /// Works under the epoch that is open, or finds that it is over.
    fn follow(&mut self, row: &GateRow) -> Result<GateEpoch, GatekeeperError> {
        let changed = match self.gate.state() {
            GateState::Open { epoch, .. } if epoch == row.epoch => match self.gate.probe() {
                Health::Well => {
                    self.mend(row.epoch);
                    return Ok(row.epoch);
                }
                // What fails now may work again in a moment: each new connection is checked.
                Health::Unreachable(why) => return self.unless_replaced(row, &why),
                Health::Forgotten(why) => return self.begin_after(row, &why),
                Health::Changed(why) => why,
            },
            GateState::Open { .. } | GateState::Closed { .. } => {
                let pin = self.gate.discover()?;
                match self.enter(row, pin) {
                    Health::Well => return Ok(row.epoch),
                    Health::Unreachable(why) => return Err(GatekeeperError::Waiting(why)),
                    Health::Forgotten(why) => return self.begin_after(row, &why),
                    Health::Changed(why) => why,
                }
            }
        };
        self.close(&changed);
        self.replace(row, &changed)
    }

    /// The pinned instance does not answer. If discovery names another, that is a change.
    fn unless_replaced(&mut self, row: &GateRow, why: &str) -> Result<GateEpoch, GatekeeperError> {
        match self.gate.discover() {
            Ok(pin) if pin.to_string() != *row.pin => {
                self.close(why);
                self.replace(row, why)
            }
            Ok(_) | Err(_) => Err(GatekeeperError::Waiting(why.into())),
        }
    }

    /// Opens this node's gate where Redis is the pinned one and has the epoch's data.
    fn enter(&self, row: &GateRow, pin: Pin) -> Health {
        if pin.to_string() != *row.pin {
            return Health::Changed(format!("in use is {pin}, pinned is {}", row.pin).into());
        }
        // StampReading at first: opened for nothing, it would be closed again with each look.
        let health = self.gate.check(row.epoch, &pin);
        if health == Health::Well {
            self.gate.open(row.epoch, pin);
            self.mend(row.epoch);
        }
        health
    }

    /// Begins the next epoch, because the pinned Redis has not the data of this one.
    fn begin_after(&mut self, row: &GateRow, why: &str) -> Result<GateEpoch, GatekeeperError> {
        self.close(why);
        self.change(Some(row.epoch))
    }

    /// Begins the next epoch, unless another node is served under this one.
    fn replace(&mut self, row: &GateRow, why: &str) -> Result<GateEpoch, GatekeeperError> {
        let now = Instant::now();
        let served = self.watch.lock().served(row.epoch, &self.node, now).join(", ");
        if !served.is_empty() {
            return Err(GatekeeperError::Waiting(
                format!("{why}, but {served} is served by it").into(),
            ));
        }
        self.change(Some(row.epoch))
    }

    fn close(&self, why: &str) {
        if matches!(self.gate.state(), GateState::Open { .. }) {
            self.gate.close(why);
        }
    }

    /// Begins an epoch, rebuilds, opens.
    fn change(&mut self, from: Option<GateEpoch>) -> Result<GateEpoch, GatekeeperError> {
        let now = Instant::now();
        if now < self.not_before {
            return Err(GatekeeperError::Waiting("the last change failed a moment ago".into()));
        }
        // Without a Redis to open on, a new epoch helps nobody.
        self.gate.discover()?;
        self.not_before = now + AGAIN_AFTER;
        let row = match self.control.begin_epoch(from, &self.me)? {
            Change::Made(row) => row,
            Change::Overtaken(row) => {
                let epoch = row.map_or(0, |row| row.epoch.0);
                return Err(GatekeeperError::Overtaken(epoch));
            }
        };
        let epoch = row.epoch;
        tracing::warn!(epoch = epoch.0, "a new epoch of the gate: fencing all lanes");
        let began = Instant::now();
        let pin = self.rebuild(epoch)?;
        match self.control.publish(epoch, &pin.to_string())? {
            Change::Made(_) => {}
            Change::Overtaken(_) => return Err(GatekeeperError::Overtaken(epoch.0)),
        }
        self.gate.open(epoch, pin);
        self.mend(epoch);
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(epoch = epoch.0, took_ms, "the gate reflects the journal and is open");
        metrics::histogram!("cauce_gate_rebuild_seconds").record(began.elapsed());
        Ok(epoch)
    }

    fn rebuild(&self, epoch: GateEpoch) -> Result<Pin, GatekeeperError> {
        // Fence first: what is not in the journal by then never gets into it.
        for row in self.lanes.all()? {
            self.lanes.fence(row.lane, epoch)?;
        }
        let pin = self.gate.discover()?;
        let mut rebuild = self.gate.rebuild(epoch, &pin)?;
        let rows = self.lanes.all()?;
        match rebuild.marks()? {
            Some(marks) => {
                for (done, row) in rows.iter().enumerate() {
                    self.tell(epoch, done, rows.len(), "from marks");
                    let mark = marks.get(&row.lane).copied();
                    self.opener.reflect(row, mark, &mut rebuild)?;
                }
            }
            None => self.load_everything(epoch, &rows, &mut rebuild)?,
        }
        let progress = rebuild.publish()?;
        tracing::info!(
            replayed = progress.replayed,
            loaded = progress.loaded,
            released = progress.released,
            "rebuilt"
        );
        Ok(pin)
    }

    fn load_everything(
        &self,
        epoch: GateEpoch,
        rows: &[LaneRow],
        rebuild: &mut Rebuild<'_>,
    ) -> Result<(), GatekeeperError> {
        rebuild.clear()?;
        let mut merged = Merged::default();
        for (done, row) in rows.iter().enumerate() {
            self.tell(epoch, done, rows.len(), "from snapshots");
            merged.add(row.lane, self.opener.fold(row)?.guard());
        }
        rebuild.load(&merged.into_rows())?;
        for row in rows {
            rebuild.set_mark(row.lane, row.head.sequence)?;
        }
        Ok(())
    }

    /// Says how far a rebuild is; that it cannot be said harms nothing.
    fn tell(&self, epoch: GateEpoch, done: usize, of: usize, how: &str) {
        let progress = format!("{how}: {done} of {of} lanes");
        if let Err(error) = self.control.progress(epoch, &progress) {
            tracing::debug!(%error, "progress was not noted");
        }
    }

    /// Makes the gate reflect lanes that this node took since. One that cannot be mended now stays
    /// shut, and is tried again; the gate serves everything else.
    fn mend(&self, epoch: GateEpoch) {
        for (lane, (row, mended)) in self.pending.take() {
            match self.mend_one(epoch, &row) {
                Ok(Mending::Done) => mend(&mended),
                Ok(Mending::Lost) => tracing::warn!(%lane, "a lane was lost before it was mended"),
                Err(error) => {
                    tracing::warn!(%lane, error = %with_causes(&error), "a lane is not mended yet");
                    self.pending.add(row, mended);
                }
            }
        }
    }

    fn mend_one(&self, epoch: GateEpoch, row: &LaneRow) -> Result<Mending, GatekeeperError> {
        // The greeting is refused where a later taker has greeted; who takes the lane after this
        // look greets after it, and ends what is done here.
        let mut mending = self.gate.mend(epoch, row.lane, taker_of(row))?;
        match self.lanes.lane(row.lane)? {
            Some(now) if now.owner == row.owner => {}
            Some(_) | None => return Ok(Mending::Lost),
        }
        let marks = mending.marks()?.unwrap_or_default();
        self.opener.reflect(row, marks.get(&row.lane).copied(), &mut mending)?;
        Ok(Mending::Done)
    }
}

fn taker_of(row: &LaneRow) -> LaneTaker {
    LaneTaker { taken_at: row.epoch, trusted: row.guard_epoch }
}

/// What became of a lane that was to be mended.
enum Mending {
    /// The gate reflects it.
    Done,
    /// It is another's by now.
    Lost,
}
