//! What happened to a biller's payments, over all lanes.

use std::sync::Arc;

use router::id::{BillerId, Lane};

use super::{Inner, Store, StoreError};
use crate::events;
use crate::journal::Head;
use crate::outbox::{OwedPage, ReadThrough, owed_page};
use crate::view::ViewError;

impl Store {
    /// What happened to a biller's payments after what was read, as the notices that tell of it,
    /// whether or not an endpoint is owed them.
    ///
    /// Shape:  in the order of each lane; between lanes by the time of the payments' ids. A page may
    ///         be short, or empty, while there is more. What is no longer kept is passed over.
    /// Errors: the store's. Cancel-safe.
    pub async fn events(
        &self,
        biller: BillerId,
        after: &ReadThrough,
        limit: usize,
    ) -> Result<OwedPage, StoreError> {
        let (inner, after) = (Arc::clone(&self.inner), after.clone());
        self.blocking(move || Ok(inner.events(biller, after, limit)?)).await
    }

    /// Behind everything that has happened so far and is known here.
    pub fn events_end(&self) -> ReadThrough {
        let mut end = ReadThrough::default();
        for (lane, through) in self.inner.followed_lanes() {
            end.set(lane, through);
        }
        end
    }

    /// Whether any lane has records after the position that was read. Reads nothing.
    pub fn has_records_after(&self, read: &ReadThrough) -> bool {
        self.inner.followed_lanes().iter().any(|(lane, through)| *through > read.of(*lane))
    }
}

impl Inner {
    /// How far each lane's events are known.
    fn followed_lanes(&self) -> Vec<(Lane, u64)> {
        let own = (self.lane, self.shared.followed());
        let others = self.other_lanes().map(|other| (other.lane, other.noticed));
        [own].into_iter().chain(others).collect()
    }

    fn events(
        &self,
        biller: BillerId,
        after: ReadThrough,
        limit: usize,
    ) -> Result<OwedPage, ViewError> {
        let mut pages = Vec::new();
        let span = |lane, through| (after.of(lane).max(Head::of_lane(lane).sequence), through);
        let own = span(self.lane, self.shared.followed());
        if own.1 > own.0 {
            let recent = self.shared.recent_events.lock().page(biller, own, limit);
            let page = match recent {
                Some(page) => page,
                None => events::page(&*self.views, biller, own, limit)?,
            };
            pages.push((self.lane, page));
        }
        for other in self.other_lanes() {
            let span = span(other.lane, other.noticed);
            if span.1 > span.0 {
                let page = events::page(&*other.views, biller, span, limit)?;
                pages.push((other.lane, page));
            }
        }
        Ok(owed_page(after, pages, limit))
    }
}
