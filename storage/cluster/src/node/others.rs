//! The other lanes, as the stores of a node see them.

use std::sync::Arc;

use router::id::Lane;
use storage::store::{Appending, OtherLaneStores, Redelivery, RedeliveryFuture};
use storage::{Store, StoreError};

use super::{Node, Peers};

/// What a store sees of the other lanes.
pub(super) struct NodeStores {
    pub node: Arc<Node>,
    pub peers: Arc<dyn Peers>,
}

impl OtherLaneStores for NodeStores {
    fn held(&self, lane: Lane) -> Option<Store> {
        self.node.inner.held.lock().get(&lane).cloned()
    }

    fn all_held(&self) -> Vec<Store> {
        self.node.inner.held.lock().values().cloned().collect()
    }

    fn append(&self, lane: Lane, encoded: Vec<u8>) -> Appending {
        match self.node.inner.address_of(lane) {
            Ok(address) => self.peers.append(&address, lane, encoded),
            Err(detail) => Box::pin(async move { Err(unreachable(lane, detail)) }),
        }
    }

    fn redeliver(&self, lane: Lane, redelivery: Redelivery) -> RedeliveryFuture {
        match self.node.inner.address_of(lane) {
            Ok(address) => self.peers.redeliver(&address, lane, redelivery),
            Err(detail) => Box::pin(async move { Err(unreachable(lane, detail)) }),
        }
    }
}

fn unreachable(lane: Lane, detail: String) -> StoreError {
    StoreError::Elsewhere { lane, detail: detail.into() }
}
