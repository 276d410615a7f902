//! Tells the stores of this node what other lanes owe the endpoints they serve.

use router::id::Lane;
use storage::Store;

use super::Inner;
use crate::lanes::chain;
use crate::noticed::LOOK_EVERY;

impl Inner {
    /// Looks at all lanes again and again, until the node stops.
    pub(super) fn watch_notices(&self) {
        let mut is_blind = false;
        loop {
            let lanes: Vec<Lane> = self.owners.lock().keys().copied().collect();
            match self.workshop.noticed.look(&lanes) {
                Ok(news) => {
                    self.tell(&news);
                    is_blind = false;
                }
                // Told once: the next look comes at once.
                Err(error) if !is_blind => {
                    is_blind = true;
                    let error = chain(&error);
                    tracing::warn!(error, "what other lanes owe merchants cannot be looked at");
                }
                Err(_) => {}
            }
            if self.stop.wait(LOOK_EVERY) {
                return;
            }
        }
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
