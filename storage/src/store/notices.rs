//! The outbox side of the handle.

use router::id::EndpointId;
use router::record::{Endpoint, NoticeMark, Record};
use router::time::Timestamp;
use tokio::sync::{oneshot, watch};

use super::{Store, StoreError};
use crate::outbox::{Attempted, Delivery, NoticeRow, OwedPage};
use crate::record;
use crate::writer::Command;

impl Store {
    /// Endpoints that are set.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.inner.shared.endpoints.lock().values().cloned().collect()
    }

    /// Notices an endpoint is still owed after a position, in order, and how far was looked.
    ///
    /// A page may be short, or empty, while more is owed: go on after its `scanned_through` until
    /// that no longer moves. Cancel-safe.
    pub async fn outbox_page(
        &self,
        endpoint: EndpointId,
        after_sequence: u64,
        limit: usize,
    ) -> Result<OwedPage, StoreError> {
        let inner = std::sync::Arc::clone(&self.inner);
        self.blocking(move || Ok(inner.outbox.page(endpoint, after_sequence, limit)?)).await
    }

    /// A notice was accepted. Dropping the call may leave that noted.
    pub async fn notice_done(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Delivered, Timestamp(0))).await
    }

    /// A notice is to be tried again at `next_at`; also revives a dead one.
    pub async fn notice_retry(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Retrying, next_at)).await
    }

    /// A notice is given up.
    pub async fn notice_dead(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
    ) -> Result<(), StoreError> {
        self.note(endpoint, sequence, attempted, (Delivery::Dead, Timestamp(0))).await
    }

    /// Changes whenever new notices are owed; holds the position they are known up to.
    pub fn notices_signal(&self) -> watch::Receiver<u64> {
        self.inner.shared.noticed.subscribe()
    }

    /// The log of an endpoint's notices, newest first, before a position. Cancel-safe.
    pub async fn notices(
        &self,
        endpoint: EndpointId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        let inner = std::sync::Arc::clone(&self.inner);
        self.blocking(move || Ok(inner.outbox.log(endpoint, before, limit)?)).await
    }

    async fn note(
        &self,
        endpoint: EndpointId,
        sequence: u64,
        attempted: Attempted,
        delivery: (Delivery, Timestamp),
    ) -> Result<(), StoreError> {
        let inner = std::sync::Arc::clone(&self.inner);
        let note = move || Ok(inner.outbox.note(endpoint, sequence, attempted, delivery)?);
        let is_near = self.inner.views.is_near();
        let due = if is_near { note() } else { self.blocking(note).await }?;
        if let Some(mark) = due {
            self.mark_soon(mark);
        }
        Ok(())
    }

    /// Queues a mark without waiting. One that finds no room is made up for by the next.
    fn mark_soon(&self, mark: NoticeMark) {
        let record = Record::NoticeMark(mark);
        let mut encoded = Vec::new();
        record::encode(&record, &self.inner.sealer, &mut encoded);
        let (answer, _) = oneshot::channel();
        let _ = self.inner.commands.try_send(Command::Append { record, encoded, answer });
    }

    pub(super) async fn mark_notices(&self) {
        let inner = std::sync::Arc::clone(&self.inner);
        let marks = self.blocking(move || Ok(inner.outbox.marks()?)).await.unwrap_or_default();
        for mark in marks {
            if let Err(error) = self.append(Record::NoticeMark(mark)).await {
                tracing::warn!(%error, "a notice mark was not recorded");
            }
        }
    }
}
