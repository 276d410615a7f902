//! Recovery: after an outage of a merchant, what was given up is sent once more.

use router::id::EndpointId;
use router::time::Timestamp;
use storage::StoreError;
use storage::outbox::{Delivery, NoticeRow};
use storage::store::Redelivery;

use super::{Notices, SEARCH_LEN_MAX, SEARCH_PAGE_LEN};
use crate::clock;

/// Notices that one call sends once more; the next call goes on with the rest.
const REDELIVERED_MAX: usize = 500;

/// Whether to send what was given up, or to count it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryMode {
    /// Counts.
    Count,
    /// Counts and sends.
    Send,
}

/// What a recovery found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Notices given up since, before it.
    pub given_up: usize,
    /// Those of them that are owed again, oldest first.
    pub sent_again: usize,
}

impl Notices {
    /// Owes again what was given up since a time, among an endpoint's newest 20,000 notices: 500 in
    /// one call, oldest first. Each goes at once, with the whole schedule before it. A pause that the
    /// endpoint asked for before ends; one that it asks for meanwhile does not.
    ///
    /// Errors: the store's. Notices that were owed again before the error, or before the call was
    /// dropped, stay owed.
    pub async fn recover(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        mode: RecoveryMode,
    ) -> Result<Recovery, StoreError> {
        let asked_at = clock::now();
        let rows = self.given_up(endpoint, since).await?;
        let given_up = rows.len();
        let wanted = match mode {
            RecoveryMode::Count => 0,
            RecoveryMode::Send => given_up.min(REDELIVERED_MAX),
        };
        let oldest = rows.iter().rev().take(wanted);
        let sequences: Vec<u64> = oldest.map(|row| row.owed.sequence).collect();
        if wanted > 0 {
            self.redeliver_all(Redelivery { endpoint, asked_at, sequences }).await?;
            tracing::info!(%endpoint, given_up, sent_again = wanted, "notices are sent once more");
        }
        Ok(Recovery { given_up, sent_again: wanted })
    }

    /// Notices whose last attempt was made since a time and that were given up with it, newest
    /// first.
    async fn given_up(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        let (mut rows, mut from) = (Vec::new(), None);
        for _ in 0..SEARCH_LEN_MAX / SEARCH_PAGE_LEN {
            let page = self.store.notices(endpoint, from.as_ref(), SEARCH_PAGE_LEN).await?;
            rows.extend(page.rows.into_iter().filter(|row| {
                row.delivery == Delivery::Dead && row.last_at.is_some_and(|at| since <= at)
            }));
            if page.next.is_none() {
                break;
            }
            from = page.next;
        }
        Ok(rows)
    }
}
