//! Payments of other lanes: in the hands of another store of this node, or of another node.
//!
//! A payment stays in the lane it began in, because one writer alone can say which of two steps
//! came first. What any node may do is read: the read models are common to all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use router::id::{EndpointId, Lane, PaymentId};
use router::payment::{Payment, PaymentState};
use router::record::Record;
use router::time::Timestamp;

use super::{Admission, Appended, OutcomeWait, Store, StoreError};
use crate::live::{WAITERS_MAX, Wait};
use crate::record::{self, RECORD_HEADER_LEN};
use crate::view::Views;

/// Pause between two looks for what another node is about to write.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long what another node has made durable may be unseen here.
pub(super) const UNSEEN_MAX: Duration = Duration::from_millis(1_500);

/// Within this time after a payment began its records are in the tables, a takeover of its lane
/// included.
const COMES_UP_WITHIN_MS: i64 = 300_000;
/// How far the clocks of two nodes may be apart.
const CLOCKS_APART_MS: i64 = 5_000;

/// Notices of one endpoint that are to be sent once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redelivery {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// When somebody asked for it; the notices are due from then.
    pub asked_at: Timestamp,
    /// Their positions.
    pub sequences: Vec<u64>,
}

/// The stores of other lanes, as one store sees them.
pub trait OtherLaneStores: Send + Sync {
    /// The store of a lane that this node holds besides.
    fn held(&self, lane: Lane) -> Option<Store>;

    /// All such stores.
    fn all_held(&self) -> Vec<Store>;

    /// Has the node that holds a lane append a record, given as [`Store::append_encoded`] takes
    /// it.
    fn append(&self, lane: Lane, encoded: Vec<u8>) -> Appending;

    /// Has the node that holds a lane redeliver notices, as [`Store::redeliver_here`] does it.
    fn redeliver(&self, lane: Lane, redelivery: Redelivery) -> RedeliveryFuture;
}

/// All lanes of the journal, as far as who delivers their notices must know them.
pub trait OtherLanes: Send + Sync {
    /// The lanes that are known, the originator's own included. Reads nothing.
    fn all(&self) -> Vec<OtherLane>;
}

/// A lane that somebody else writes.
#[derive(Clone)]
pub struct OtherLane {
    /// The lane.
    pub lane: Lane,
    /// Its notices are known up to here.
    pub noticed: u64,
    /// Its read models, which show the notices up to there.
    pub views: Arc<dyn Views>,
}

/// A record on its way to another node.
pub type Appending = Pin<Box<dyn Future<Output = Result<Appended, StoreError>> + Send>>;

/// A redelivery that another node was asked for.
pub type RedeliveryFuture = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

impl Store {
    /// Makes the stores of other lanes known, once.
    pub fn join(&self, others: Arc<dyn OtherLaneStores>) {
        // A store is joined by who starts it, so nobody is there to join it twice.
        let _ = self.inner.others.set(others);
    }

    /// Appends a record that another node has encoded and sent here, as it is: fields of a later
    /// build stay.
    ///
    /// Errors: besides those of [`Store::append`], [`StoreError::Elsewhere`] when the record
    /// cannot be read or its lane is not held here. As cancel-safe as that.
    pub async fn append_encoded(&self, encoded: &[u8]) -> Result<Appended, StoreError> {
        let unreadable = |error: record::DecodeError| StoreError::Elsewhere {
            lane: self.lane(),
            detail: format!("the record sent here: {error}").into(),
        };
        let record = one_record(encoded).map_err(unreadable)?;
        let lane = match (record.payment(), &record) {
            (Some(id), _) if self.is_elsewhere(id) => id.lane(),
            (Some(_), _) => return Box::pin(self.append_sent(record, encoded)).await,
            // Its server alone says which of two changes comes first.
            (None, Record::Event(event)) => {
                let home = self.lane_of(event)?;
                if home == self.lane() {
                    return Box::pin(self.append_sent(record, encoded)).await;
                }
                home
            }
            // What else belongs to no payment is any node's own to say.
            (None, _) => return Err(StoreError::NotAppendable { kind: record.kind() }),
        };
        match self.held(lane) {
            Some(store) => Box::pin(store.append_sent(record, encoded)).await,
            None => Err(StoreError::Elsewhere { lane, detail: "it is not held here".into() }),
        }
    }

    async fn append_sent(&self, record: Record, encoded: &[u8]) -> Result<Appended, StoreError> {
        if matches!(record, Record::Intent(_) | Record::Refused(_)) {
            return Err(StoreError::NotAppendable { kind: record.kind() });
        }
        record::check_lists(&record)?;
        self.append_as(record, encoded.to_vec()).await
    }

    pub(super) async fn append_elsewhere(
        &self,
        lane: Lane,
        record: Record,
        encoded: Vec<u8>,
    ) -> Result<Appended, StoreError> {
        if let Some(store) = self.held(lane) {
            return Box::pin(store.append(record)).await;
        }
        match self.inner.others.get() {
            Some(others) => others.append(lane, encoded).await,
            None => Err(StoreError::Elsewhere { lane, detail: "this is the only lane".into() }),
        }
    }

    /// A request was made before, at another lane.
    pub(super) async fn repeated_elsewhere(
        &self,
        owner: PaymentId,
    ) -> Result<Admission, StoreError> {
        if let Some(store) = self.held(owner.lane()) {
            match store.inner.shared.live.wait(owner) {
                Wait::Over => {}
                Wait::Until(outcome) => {
                    let wait = OutcomeWait::new(store.clone(), owner, Some(outcome));
                    return Ok(Admission::InFlight(owner, wait));
                }
                Wait::Full => {
                    return Err(StoreError::TooManyWaiters { payment: owner, max: WAITERS_MAX });
                }
            }
        }
        match self.payment(owner).await? {
            Some(payment) if payment.state != PaymentState::Sent => {
                Ok(Admission::Replay(Box::new(payment)))
            }
            Some(_) | None => {
                let wait = OutcomeWait::new(self.clone(), owner, None);
                Ok(Admission::InFlight(owner, wait))
            }
        }
    }

    /// Looks until a payment of another lane has an outcome.
    pub(super) async fn outcome_elsewhere(&self, id: PaymentId) -> Result<Payment, StoreError> {
        loop {
            match self.payment(id).await? {
                Some(payment) if payment.state != PaymentState::Sent => return Ok(payment),
                Some(_) | None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Whether this node holds a lane, by this store or another one. One machine holds all lanes.
    pub fn holds(&self, lane: Lane) -> bool {
        lane == self.lane() || !self.has_others() || self.held(lane).is_some()
    }

    /// Whether a payment that the read models do not show may still come up in them: its id names a
    /// lane that another node writes, or wrote until it died, and a time not long ago. The records
    /// of a lane come into the tables a moment after its writer, and once more after a takeover. Ask
    /// before the payment is looked for: meanwhile this node may take the lane over.
    pub fn may_come_up(&self, id: PaymentId, now: Timestamp) -> bool {
        let lane = id.lane();
        let age_ms = now.millis().saturating_sub(id.unix_ms());
        (-CLOCKS_APART_MS..=COMES_UP_WITHIN_MS).contains(&age_ms)
            && !self.holds(lane)
            && self.inner.other_lanes().any(|other| other.lane == lane)
    }

    /// The store of another lane that this node holds.
    pub(super) fn held(&self, lane: Lane) -> Option<Self> {
        self.inner.others.get().and_then(|others| others.held(lane))
    }

    /// Whether a payment is another lane's. A store that knows of no others has every payment.
    pub(super) fn is_elsewhere(&self, id: PaymentId) -> bool {
        id.lane() != self.lane() && self.has_others()
    }

    /// Whether other lanes' payments may turn up in the read models.
    pub(super) fn has_others(&self) -> bool {
        self.inner.others.get().is_some()
    }
}

/// The record that bytes are, from the first to the last.
fn one_record(encoded: &[u8]) -> Result<Record, record::DecodeError> {
    let mut bodies = record::bodies(encoded);
    let body = bodies.next().unwrap_or(Ok(&[]))?;
    match encoded.len().saturating_sub(RECORD_HEADER_LEN + body.len()) {
        0 => record::decode(body),
        len => Err(record::DecodeError::Trailing { len }),
    }
}
