//! Changes of endpoints. The lane that serves an endpoint keeps its versions, so of two changes
//! that were made from the same version, at whichever nodes, one is refused.

use router::id::EndpointId;
use router::record::{Endpoint, Record};

use super::{Store, StoreError};
use crate::record;
use crate::view::Homed;

impl Store {
    /// Replaces an endpoint by its next version, or deletes it; the lane that serves it stays.
    ///
    /// Shape:  `changed.version` is one more than that of the endpoint it was made from.
    /// Errors: the store's; [`StoreError::EndpointChanged`] when the endpoint was changed or deleted
    ///         meanwhile; [`StoreError::Elsewhere`] when its server cannot be reached. Dropping the
    ///         call may leave the endpoint changed.
    pub async fn change_endpoint(&self, changed: Endpoint) -> Result<(), StoreError> {
        let id = changed.id;
        let home = self.home_of(id).ok_or(StoreError::EndpointChanged)?;
        let record = Record::Endpoint(changed.clone());
        if home == self.lane() {
            return Box::pin(self.append(record)).await.map(drop);
        }
        let mut encoded = Vec::new();
        record::encode(&record, &self.inner.sealer, &mut encoded);
        self.append_elsewhere(home, record, encoded).await?;
        // Reads of this node are right at once, not only when it looks at the read models again.
        self.inner.shared.take_endpoints(&[Homed { home, endpoint: changed }]);
        Ok(())
    }

    /// An endpoint that is set.
    pub fn endpoint(&self, id: EndpointId) -> Option<Endpoint> {
        self.inner.shared.endpoints.lock().get(&id).map(|homed| homed.endpoint.clone())
    }

    /// The version of an endpoint that is set.
    pub fn endpoint_version(&self, id: EndpointId) -> Option<u32> {
        self.inner.shared.endpoints.lock().get(&id).map(|homed| homed.endpoint.version)
    }
}
