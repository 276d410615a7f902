//! How far the rows of this process have come, for whatever waits for them or tells of it.

use std::time::Duration;

use parking_lot::Mutex;
use router::time::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::projection::LanePosition;

/// How far the rows of this process's lane have come.
pub struct ProjectorProgress {
    at: watch::Sender<LanePosition>,
    /// The furthest record that something waits for; the greatest number ends all waits.
    wanted: watch::Sender<u64>,
    /// Why it stays behind; none while it works.
    failure: Mutex<Option<String>>,
}

impl Default for ProjectorProgress {
    fn default() -> Self {
        Self {
            at: watch::Sender::new(LanePosition::NONE),
            wanted: watch::Sender::new(0),
            failure: Mutex::default(),
        }
    }
}

impl ProjectorProgress {
    /// The last record that rows were made of.
    pub fn at(&self) -> LanePosition {
        *self.at.borrow()
    }

    /// Why the rows stay behind; none while they follow.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// The time of which the rows tell everything, where the journal has `durable` records.
    pub fn as_of(&self, durable: u64, now: Timestamp) -> Timestamp {
        let at = self.at();
        if at.position >= durable { now } else { at.record_at }
    }

    /// Waits until rows were made of a record, at most so long; gives whether they were.
    /// Cancel-safe.
    pub async fn reaches(&self, position: u64, at_most: Duration) -> bool {
        let mut at = self.at.subscribe();
        if at.borrow_and_update().position >= position {
            return true;
        }
        self.wanted.send_if_modified(|wanted| {
            let is_news = *wanted < position;
            *wanted = (*wanted).max(position);
            is_news
        });
        let reached = at.wait_for(|at| at.position >= position);
        timeout(at_most, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    pub(super) fn reached(&self, to: LanePosition) {
        self.at.send_replace(to);
    }

    pub(super) fn works(&self) {
        *self.failure.lock() = None;
    }

    pub(super) fn fails(&self, why: String) {
        *self.failure.lock() = Some(why);
    }

    /// Ends every wait of the projector.
    pub(super) fn hurry(&self) {
        self.wanted.send_replace(u64::MAX);
    }

    /// Waits until it is told to hurry for good, at most so long.
    pub(super) async fn hurried(&self, at_most: Duration) {
        self.wanted_after(u64::MAX - 1, at_most).await;
    }

    /// Waits until something waits for a record behind `position`, at most so long.
    pub(super) async fn wanted_after(&self, position: u64, at_most: Duration) {
        let mut wanted = self.wanted.subscribe();
        // The end of the wait is all there is to know.
        let _ = timeout(at_most, wanted.wait_for(|wanted| *wanted > position)).await;
    }

    /// Waits until there is a record behind `position`, or it is told to hurry for good.
    pub(super) async fn moved_or_hurried(
        &self,
        moved: Option<watch::Receiver<u64>>,
        position: u64,
        at_most: Duration,
    ) {
        let Some(mut moved) = moved else { return self.wanted_after(position, at_most).await };
        let moves = async {
            if moved.wait_for(|at| *at > position).await.is_err() {
                // Nothing moves any more.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // A look again is due in any case.
            _ = timeout(at_most, moves) => {}
            () = self.wanted_after(position, at_most) => {}
        }
    }
}
