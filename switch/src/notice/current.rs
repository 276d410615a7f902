//! Where one endpoint's notices go, as of the endpoint's last change.

use std::sync::Arc;

use parking_lot::Mutex;
use router::endpoint::Endpoint;
use router::id::EndpointId;

use super::Notices;
use super::attempt::Target;
use super::lanes::BillerPlaces;

/// The target of an endpoint that may change while notices wait for a place.
pub(super) struct CurrentTarget {
    endpoint: EndpointId,
    /// The places of the endpoint's biller, which never changes.
    pub share: Arc<BillerPlaces>,
    known: Mutex<Known>,
}

struct Known {
    version: u32,
    /// None while nothing can be sent to that version.
    target: Option<Arc<Target>>,
}

impl CurrentTarget {
    /// The target of an endpoint as it stands.
    pub(super) fn new(endpoint: &Endpoint, target: Arc<Target>) -> Self {
        let share = Arc::clone(&target.share);
        let known = Known { version: endpoint.version, target: Some(target) };
        Self { endpoint: endpoint.id, share, known: Mutex::new(known) }
    }

    /// The target as of the endpoint's last change; none while nothing can be sent there.
    pub(super) fn of_now(&self, notices: &Notices) -> Option<Arc<Target>> {
        let mut known = self.known.lock();
        let version = notices.store.endpoint_version(self.endpoint);
        if version.is_some_and(|version| version != known.version)
            && let Some(endpoint) = notices.endpoint(self.endpoint)
        {
            let target = Target::of(notices, &endpoint).map(Arc::new);
            *known = Known { version: endpoint.version, target };
        }
        known.target.clone()
    }
}
