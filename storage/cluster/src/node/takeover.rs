//! The lanes of dead nodes: taken, opened, and let go when their node is back.

use std::sync::Arc;
use std::time::Instant;

use router::id::Lane;
use storage_cql::lane::Taken as TakenRow;
use storage_cql::{CqlError, LaneRow};

use super::threads::thread;
use super::{Inner, Taken};
use crate::lanes::{LaneError, chain};

impl Inner {
    /// Watches the lanes: takes those of dead nodes, lets go what was taken back.
    pub(super) fn watch_lanes(self: &Arc<Self>) {
        // Nobody is judged before they could be seen.
        let mut pause = self.settings.takeover_after;
        while !self.stop.wait(pause) {
            pause = self.settings.takeover_after / 4;
            self.taking.lock().retain(|_, thread| !thread.is_finished());
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

    fn look_for_dead(self: &Arc<Self>) -> Result<(), CqlError> {
        let rows = self.lanes.all()?;
        // After the lanes: a node that has just come back gave its sign before it took its lane,
        // and must not be judged by its last run's silence.
        let nodes = self.nodes.all()?;
        self.watch.lock().see(nodes, Instant::now());
        for row in rows.iter().filter(|row| self.is_nobodys(row)) {
            if self.stop.is_said() {
                break;
            }
            self.take_from_dead(row)?;
        }
        Ok(())
    }

    /// Whether nobody serves a lane, and nobody is about to.
    fn is_nobodys(&self, row: &LaneRow) -> bool {
        if row.owner != self.me {
            return self.watch.lock().is_dead(&row.owner, &row.home, Instant::now());
        }
        // Taken over, and could not be served then.
        let is_served = self.held.lock().contains_key(&row.lane);
        *row.home != *self.me.node && !is_served && !self.taking.lock().contains_key(&row.lane)
    }

    /// Takes a lane and begins to open it. One whose head has moved since it was judged is left to
    /// its owner, who lives.
    fn take_from_dead(self: &Arc<Self>, row: &LaneRow) -> Result<(), CqlError> {
        let lane = row.lane;
        tracing::warn!(%lane, owner = %row.owner, "the owner of a lane is silent: taking it over");
        let row = match self.lanes.take(lane, &self.me, row)? {
            TakenRow::Taken(row) => row,
            TakenRow::Lost(now) => {
                tracing::warn!(%lane, owner = %now.owner, "the lane is not taken: its owner lives");
                return Ok(());
            }
        };
        let row = self.rechecked(row)?;
        metrics::counter!("cauce_cluster_takeovers_total").increment(1);
        // Of the lanes of several dead nodes none waits until another has been read.
        let node = Arc::clone(self);
        let Some(own) = self.own.get() else { return Ok(()) };
        let opening = thread("cluster-taking", own, move || match node.hold(row) {
            Ok(()) => tracing::warn!(%lane, "a lane was taken over"),
            Err(error) => {
                let error = chain(&error);
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

    fn hold(&self, row: LaneRow) -> Result<(), LaneError> {
        let lane: Lane = row.lane;
        let (store, recovered, mended) = self.workshop.open(row.clone())?;
        self.held.lock().insert(lane, store.clone());
        self.pending.add(row, mended);
        // A queue nobody reads ends with the process; the payments stay open for the next.
        let _ = self.taken.blocking_send(Taken { store, recovered });
        Ok(())
    }
}
