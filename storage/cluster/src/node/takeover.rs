//! Who holds which lane. The lanes of dead nodes: taken, opened, and let go when their node is back.
//!
//! Seeing and taking is one thread's: what it saw before it took a lane it does not judge by
//! afterwards. Opening takes as long as a replay does, so that is left to threads of its own.

use std::sync::Arc;
use std::time::Instant;

use router::id::Lane;
use storage::{StoreFailure, with_causes};
use storage_cql::lane::LaneTakeover;
use storage_cql::{CqlError, LaneRow};

use super::threads::thread;
use super::{NodeInner, TakenLane};
use crate::lanes::LaneError;
use crate::trouble_log::TroubleLog;

/// Lanes opened at once: each is a fold in memory and a reader of the journal. The others are left
/// to whoever has room.
const OPENING_MAX: usize = 4;

impl NodeInner {
    /// Watches the lanes: sees whose they are, takes those of dead nodes, lets go what was taken
    /// back.
    pub(super) fn watch_lanes(self: &Arc<Self>) {
        let (began, mut told) = (Instant::now(), TroubleLog::default());
        let pause = self.settings.takeover_after / 4;
        while !self.stop.wait(pause) {
            self.taking.lock().retain(|_, thread| !thread.is_finished());
            self.let_go();
            // Nobody is judged before they could be seen.
            let judges = began.elapsed() >= self.settings.takeover_after;
            let looked = self.see_lanes().and_then(|rows| match judges {
                true => self.look_for_dead(&rows),
                false => Ok(()),
            });
            match looked {
                Ok(()) => told.went_well("the lanes can be looked at again"),
                Err(error) => told.failed(&error, "the lanes cannot be looked at"),
            }
        }
    }

    /// Sees who holds which lane, and gives up what others have taken from this node.
    pub(super) fn see_lanes(&self) -> Result<Vec<LaneRow>, CqlError> {
        let rows = self.lanes.all()?;
        *self.owners.lock() = rows.iter().map(|row| (row.lane, row.owner.clone())).collect();
        self.give_up_lost(&rows);
        Ok(rows)
    }

    /// Gives up lanes that others have taken meanwhile: this node slept, or was cut off. A lane that
    /// nothing is appended to would not find out by itself, and decline everything for ever.
    fn give_up_lost(&self, rows: &[LaneRow]) {
        for row in rows.iter().filter(|row| row.owner != self.me) {
            let own = self.own.get().filter(|store| store.lane() == row.lane).cloned();
            let store = own.or_else(|| self.held.lock().get(&row.lane).cloned());
            if let Some(store) = store.filter(|store| !*store.failed().borrow()) {
                tracing::error!(lane = %row.lane, owner = %row.owner, "this lane was taken by another node");
                store.give_up(StoreFailure::LaneLost { owner: row.owner.to_string().into() });
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

    fn look_for_dead(self: &Arc<Self>, rows: &[LaneRow]) -> Result<(), CqlError> {
        // After the lanes: a node that has just come back gave its sign before it took its lane,
        // and must not be judged by its last run's silence.
        let nodes = self.nodes.all()?;
        self.watch.lock().see(nodes, Instant::now());
        for row in rows {
            let has_room = self.taking.lock().len() < OPENING_MAX;
            if has_room && !self.stop.is_said() && self.is_nobodys(row) {
                self.take_from_dead(row)?;
            }
        }
        Ok(())
    }

    /// Whether nobody serves a lane, and this node is not about to.
    fn is_nobodys(&self, row: &LaneRow) -> bool {
        if self.taking.lock().contains_key(&row.lane) {
            return false;
        }
        if row.owner != self.me {
            return self.watch.lock().is_dead(&row.owner, &row.home, Instant::now());
        }
        // Taken over, and could not be served then.
        *row.home != *self.me.node && !self.held.lock().contains_key(&row.lane)
    }

    /// Takes a lane and begins to open it. One whose head has moved since it was judged is left to
    /// its owner, who lives.
    fn take_from_dead(self: &Arc<Self>, row: &LaneRow) -> Result<(), CqlError> {
        let lane = row.lane;
        tracing::warn!(%lane, owner = %row.owner, "the owner of a lane is silent: taking it over");
        let row = match self.lanes.take(lane, &self.me, row)? {
            LaneTakeover::Taken(row) => row,
            LaneTakeover::Lost(now) => {
                tracing::warn!(%lane, owner = %now.owner, "the lane is not taken: its owner lives");
                return Ok(());
            }
        };
        let row = self.rechecked(row)?;
        metrics::counter!("cauce_cluster_takeovers_total").increment(1);
        // Of the lanes of several dead nodes none waits until another has been read.
        let node = Arc::clone(self);
        let opening = thread("cluster-taking", self, move || match node.hold(row) {
            Ok(()) => tracing::warn!(%lane, "a lane was taken over"),
            Err(error) => {
                let error = with_causes(&error).to_string();
                tracing::error!(%lane, error, "a lane that was taken over cannot be served");
            }
        });
        match opening {
            Ok(opening) => {
                self.taking.lock().insert(lane, opening);
            }
            // The next look finds that nobody serves it.
            Err(error) => tracing::error!(%lane, %error, "no thread to open a lane with"),
        }
        Ok(())
    }

    /// Opens a lane that was taken, and serves it unless it was lost meanwhile.
    fn hold(&self, row: LaneRow) -> Result<(), LaneError> {
        let lane: Lane = row.lane;
        let (store, recovered, mended) = self.opener.open_unless_stopped(row.clone())?;
        match self.lanes.lane(lane)? {
            Some(now) if (&now.owner, now.epoch) == (&row.owner, row.epoch) => {}
            Some(_) | None => {
                store.give_up(StoreFailure::Stopped);
                return Err(LaneError::Lost { lane });
            }
        }
        self.held.lock().insert(lane, store.clone());
        self.pending.add(row, mended);
        // A queue nobody reads ends with the process; the payments stay open for the next.
        let _ = self.taken.blocking_send(TakenLane { store, recovered });
        Ok(())
    }
}
