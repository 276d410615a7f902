//! Events of endpoints. The lane that serves an endpoint keeps its versions, so of two changes
//! that were made from the same version, at whichever nodes, one is refused.

use router::endpoint::Endpoint;
use router::event::{Event, Subject};
use router::id::{EndpointId, Lane};
use router::record::Record;

use super::{Appended, Store, StoreError};
use crate::view::EndpointHome;

impl Store {
    /// The lane that keeps the versions of an event's subject: the one that it was created in, which
    /// is this store's own for a subject that is new.
    ///
    /// Errors: [`StoreError::StaleVersion`] when the subject is not there and the event does not
    ///         begin it; [`StoreError::UnknownSubject`] where there are other lanes and this build
    ///         does not know the subject's kind, and so not its lane. Read in a journal that a later
    ///         build wrote, such an event is taken: its versions, its entry and its notices count.
    pub(super) fn lane_of(&self, event: &Event) -> Result<Lane, StoreError> {
        match event.subject() {
            Subject::Endpoint(id) => match self.home_of(id) {
                Some(home) => Ok(home),
                None => Ok(event.follows(None).map(|()| self.lane())?),
            },
            // For the record alone: each lane counts the changes that it was told of.
            Subject::ApiKey(_) => Ok(self.lane()),
            subject @ Subject::Other { .. } if self.has_others() => {
                Err(StoreError::UnknownSubject { subject: Box::new(subject) })
            }
            Subject::Other { .. } => Ok(self.lane()),
        }
    }

    /// Appends an event in its subject's lane, which is another one.
    pub(super) async fn append_event_elsewhere(
        &self,
        home: Lane,
        record: Record,
        encoded: Vec<u8>,
    ) -> Result<Appended, StoreError> {
        let endpoint = record.endpoint().cloned();
        let appended = self.append_elsewhere(home, record, encoded).await?;
        if let Some(endpoint) = endpoint {
            // Reads of this node are right at once, not only when it looks at the read models again.
            self.inner.shared.take_endpoints(&[EndpointHome { home, endpoint }]);
        }
        Ok(appended)
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
