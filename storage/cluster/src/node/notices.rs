//! Tells the stores of this node what other lanes owe the endpoints they serve.

use router::id::Lane;
use storage::{Store, with_causes};
use storage_cql::CqlError;

use super::NodeInner;
use crate::noticed::LOOK_EVERY;

impl NodeInner {
    /// Looks at all lanes again and again, until the node stops.
    pub(super) fn watch_notices(&self) {
        let mut is_blind = false;
        loop {
            let (news, failed) = self.look_at_notices();
            self.tell(&news);
            // Told once: the next look comes at once.
            if let Some(error) = failed.as_ref().filter(|_| !is_blind) {
                let error = with_causes(error).to_string();
                tracing::warn!(error, "what other lanes owe merchants cannot be looked at");
            }
            is_blind = failed.is_some();
            if self.stop.wait(LOOK_EVERY) {
                return;
            }
        }
    }

    /// Looks at the lanes that are known. Who serves an endpoint must have looked once before: it
    /// would take its own lane's notices for all there are.
    pub(super) fn look_at_notices(&self) -> (Vec<Lane>, Option<CqlError>) {
        let lanes: Vec<Lane> = self.owners.lock().keys().copied().collect();
        self.opener.noticed.look(&lanes)
    }

    /// A store knows of its own lane's notices before anybody else does.
    fn tell(&self, news: &[Lane]) {
        let held: Vec<Store> = self.held.lock().values().cloned().collect();
        for store in held.iter().chain(self.own.get()) {
            if news.iter().any(|lane| *lane != store.lane()) {
                store.tell_other_lanes_owe();
            }
        }
    }
}
