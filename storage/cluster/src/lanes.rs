//! How a lane is folded, reflected in the gate, and written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use router::early::EarlyReversal;
use router::id::{Lane, PaymentId};
use storage::guard::{Credit, Guard, ReservationEnd, ReserveAsk};
use storage::journal::{Damage, Head, Tail};
use storage::settings::Limits;
use storage::view::Views;
use storage::{
    Fold, OpenError, Parts, Recovered, Reflect, Sealer, SnapshotError, State, Store, StoreFailure,
    Unreflected, with_causes,
};
use storage_cql::{Cql, CqlError, CqlViews, LaneBackend, LaneRow, LaneTail, Snapshots};
use storage_redis::{Gate, GateError, Rebuild, RedisGuard, Replay};

use crate::noticed::Noticed;
use crate::settings::ClusterSettings;
use crate::stop::Stop;

/// Pause between two looks whether a snapshot is due.
const SNAPSHOT_LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often endpoints that other nodes set are read.
const ENDPOINTS_EVERY: Duration = Duration::from_millis(500);

/// Why a lane cannot be read or reflected.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The journal's servers.
    #[error("the CQL servers")]
    Cql(#[from] CqlError),
    /// The lane itself.
    #[error("the lane's journal")]
    Journal(#[from] Damage),
    /// The gate.
    #[error("the gate")]
    Gate(#[from] GateError),
    /// The store above it.
    #[error("the lane's store")]
    Store(#[from] OpenError),
    /// The node stops: nothing was wrong with the lane.
    #[error("the node stops")]
    Stopped,
    /// Another node took it while it was being opened.
    #[error("lane {lane} was taken by another node meanwhile")]
    Lost {
        /// The lane.
        lane: Lane,
    },
}

/// What lanes are made from.
#[derive(Clone)]
pub struct LaneOpener {
    pub cql: Cql,
    pub noticed: Arc<Noticed>,
    pub gate: Arc<Gate>,
    pub sealer: Sealer,
    pub limits: Limits,
    pub key_retention: Duration,
    pub snapshot_records: u64,
    pub give_up_after: Duration,
    pub stop: Arc<Stop>,
}

/// Whether a lane's guard may be asked: the gate reflects what the lane's earlier writer recorded.
pub type IsMended = Arc<AtomicBool>;

impl LaneOpener {
    pub fn new(
        settings: &ClusterSettings,
        cql: Cql,
        gate: Arc<Gate>,
        sealer: Sealer,
        stop: Arc<Stop>,
    ) -> Self {
        Self {
            noticed: Noticed::new(&cql),
            cql,
            gate,
            sealer,
            limits: settings.limits.clone(),
            key_retention: settings.key_retention,
            snapshot_records: settings.snapshot_records,
            give_up_after: settings.give_up_after,
            stop,
        }
    }

    /// Starts the store of a lane that was just made or taken. Its guard refuses until the gate
    /// reflects the lane.
    pub fn open(&self, row: LaneRow) -> Result<(Store, Recovered, IsMended), LaneError> {
        self.open_while(row, || true)
    }

    /// The same, but given up when the node stops: nobody waits for this lane but its next owner.
    pub fn open_unless_stopped(
        &self,
        row: LaneRow,
    ) -> Result<(Store, Recovered, IsMended), LaneError> {
        self.open_while(row, || !self.stop.is_said())
    }

    fn open_while(
        &self,
        row: LaneRow,
        goes_on: impl Fn() -> bool,
    ) -> Result<(Store, Recovered, IsMended), LaneError> {
        let lane = row.lane;
        let (mut state, from) = self.snapshot(lane, row.head.sequence)?;
        let (began, replayed) = (Instant::now(), row.head.sequence - from.sequence);
        self.walk(&row, from, |frame| match goes_on() {
            true => Ok(state.take(frame)?),
            false => Err(LaneError::Stopped),
        })?;
        let fold = state.into_fold();
        let views: Arc<dyn Views> = Arc::new(CqlViews::new(&self.cql, lane));
        let written = views.position().map_err(OpenError::from)?.written;
        let after = written.max(Head::of_lane(lane).sequence);
        let head = row.head;
        let mended = IsMended::default();
        let guard = self.guard_of(&row, &mended);
        let backend = LaneBackend::new(&self.cql, row).give_up_after(self.give_up_after);
        let maker = self.clone();
        let parts = Parts {
            lane,
            head,
            fold,
            guard,
            tail: Box::new(backend.tail(after)),
            backend,
            views,
            endpoints_every: Some(ENDPOINTS_EVERY),
            other_lanes: Some(self.noticed.clone()),
            snapshots: Box::new(move |stop| maker.make_snapshots(lane, &stop)),
            kept: Box::new(()),
        };
        let (store, recovered) = Store::begin(parts, self.limits.clone(), self.sealer.clone())?;
        let recovered =
            Recovered { records_replayed: replayed, took: began.elapsed(), ..recovered };
        match store.wait_for_views(goes_on)? {
            true => Ok((store, recovered, mended)),
            false => {
                store.give_up(StoreFailure::Stopped);
                Err(LaneError::Stopped)
            }
        }
    }

    /// The guard of a lane that was just made or taken: it decides under no epoch that the lane
    /// trusts no more, and nothing before the gate is mended.
    fn guard_of(&self, row: &LaneRow, mended: &IsMended) -> RedisGuard {
        let guard = RedisGuard::new(Arc::clone(&self.gate), row.lane);
        let mut guard = guard.taken_at(row.epoch).after(Arc::clone(mended));
        guard.raise_epoch(row.guard_epoch);
        guard
    }

    /// The state of a lane at its head.
    pub fn fold(&self, row: &LaneRow) -> Result<State, LaneError> {
        let (mut state, head) = self.snapshot(row.lane, row.head.sequence)?;
        self.walk(row, head, |frame| Ok(state.take(frame)?))?;
        Ok(state)
    }

    /// The latest snapshot of a lane that is whole and at most at a position.
    fn snapshot(&self, lane: Lane, at_most: u64) -> Result<(State, Head), LaneError> {
        for (sequence, bytes) in Snapshots::new(&self.cql).latest(lane)? {
            if sequence > at_most {
                continue;
            }
            match State::from_image(&bytes, self.key_retention) {
                Ok(found) => return Ok(found),
                Err(error) => passed_over(lane, sequence, &error),
            }
        }
        Ok((State::new(self.key_retention), Head::of_lane(lane)))
    }

    /// Reads a lane from a head on to its own, holding every frame against the one before.
    fn walk(
        &self,
        row: &LaneRow,
        from: Head,
        mut visit: impl FnMut(&storage::journal::TailFrame) -> Result<(), LaneError>,
    ) -> Result<(), LaneError> {
        let mut head = from;
        let mut tail = LaneTail::open(&self.cql, row.lane, head.sequence)?;
        while head.sequence < row.head.sequence {
            let frame = tail.next_frame()?;
            if !frame.follows(&head) {
                let (lane, sequence) = (row.lane, frame.first_sequence);
                return Err(Damage::LaneChain { lane, sequence }.into());
            }
            visit(&frame)?;
            head = frame.head();
        }
        if head == row.head {
            return Ok(());
        }
        Err(Damage::LaneChain { lane: row.lane, sequence: head.sequence }.into())
    }

    /// Makes the gate reflect a lane from what it reflects of it already, then releases what the
    /// lane's writers were granted and never recorded. The lane must be fenced, or its writer be
    /// the caller: nothing of what has no record now can get one later.
    pub fn reflect(
        &self,
        row: &LaneRow,
        mark: Option<u64>,
        rebuild: &mut Rebuild<'_>,
    ) -> Result<(), LaneError> {
        let base = Head::of_lane(row.lane).sequence;
        let mark = mark.unwrap_or(base).max(base);
        let views = CqlViews::new(&self.cql, row.lane);
        let written = views.position().map_err(OpenError::from)?.written.max(base);
        // What is not in the look-up rows yet is learnt from the records themselves.
        let known = mark.min(written);
        let (state, head) = self.snapshot(row.lane, known)?;
        let mut fold = state.into_fold();
        let mut begun = BTreeSet::new();
        let mut failed = None;
        self.walk(row, head, |frame| {
            let through = frame.head().sequence;
            if through <= known {
                return Ok(fold.take(frame, &mut Unreflected)?);
            }
            let mut steps = Steps { lane: row.lane, replay: Replay::new(), begun: &mut begun };
            fold.take(frame, &mut steps)?;
            if through > mark && failed.is_none() {
                failed = rebuild.replay(&steps.replay).err();
            }
            Ok(())
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.release(row.lane, &fold, &begun, rebuild)?;
        Ok(rebuild.set_mark(row.lane, row.head.sequence)?)
    }

    fn release(
        &self,
        lane: Lane,
        fold: &Fold,
        begun: &BTreeSet<PaymentId>,
        rebuild: &mut Rebuild<'_>,
    ) -> Result<(), LaneError> {
        let mut unrecorded = Vec::new();
        for (payment, key) in rebuild.claims(lane)? {
            let is_recorded = begun.contains(&payment)
                || fold.is_open(payment)
                || self.is_recorded(lane, payment)?;
            if !is_recorded {
                unrecorded.push((payment, key));
            }
        }
        if unrecorded.is_empty() {
            return Ok(());
        }
        tracing::info!(%lane, count = unrecorded.len(), "what was granted without a record is released");
        Ok(rebuild.release_claims(lane, &unrecorded)?)
    }

    /// Whether a payment that was begun before what was read here has its row: the look-up rows
    /// reach as far as that, and the records were read from there on.
    fn is_recorded(&self, lane: Lane, payment: PaymentId) -> Result<bool, LaneError> {
        let views = CqlViews::new(&self.cql, lane);
        let found = views.history(payment).map_err(OpenError::from)?;
        Ok(found.is_some())
    }

    fn make_snapshots(&self, lane: Lane, stop: &Receiver<()>) {
        loop {
            match stop.recv_timeout(SNAPSHOT_LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            if let Err(error) = self.make_snapshot(lane) {
                let detail = with_causes(&error).to_string();
                tracing::warn!(%lane, error = detail, "no snapshot was made; rebuilds take longer");
            }
        }
    }

    fn make_snapshot(&self, lane: Lane) -> Result<(), LaneError> {
        let snapshots = Snapshots::new(&self.cql);
        let base = Head::of_lane(lane).sequence;
        let last = snapshots.newest(lane)?.unwrap_or(base);
        let Some(row) = storage_cql::Lanes::new(&self.cql).lane(lane)? else { return Ok(()) };
        if row.head.sequence < last + self.snapshot_records {
            return Ok(());
        }
        let state = self.fold(&row)?;
        Ok(snapshots.put(lane, row.head.sequence, &state.image(&row.head))?)
    }
}

/// Turns records into steps of a replay.
struct Steps<'a> {
    lane: Lane,
    replay: Replay,
    begun: &'a mut BTreeSet<PaymentId>,
}

impl Reflect for Steps<'_> {
    fn regrant(&mut self, ask: &ReserveAsk<'_>, sequence: u64) {
        self.begun.insert(ask.payment);
        self.replay.begin(self.lane, sequence, ask.payment, ask.at, ask.wants);
    }

    fn end(&mut self, settlement: &ReservationEnd<'_>) {
        self.replay.end(self.lane, settlement);
    }

    fn credit(&mut self, credit: &Credit<'_>) {
        self.replay.credit(self.lane, credit);
    }

    fn forestall(&mut self, early: &EarlyReversal) {
        self.replay.forestall(self.lane, early);
    }
}

fn passed_over(lane: Lane, sequence: u64, error: &SnapshotError) {
    tracing::warn!(%lane, sequence, %error, "a snapshot is passed over");
}

/// Notes that a lane's guard may be asked.
pub fn mend(mended: &IsMended) {
    mended.store(true, Ordering::Release);
}
