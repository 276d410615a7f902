//! The endpoints that notices are owed to, as the follower knows them.

use std::time::{Duration, Instant};

use router::endpoint::Endpoint;

use super::{FollowError, Follower, Refresh};
use crate::view::{EndpointHome, ViewError};

impl Follower {
    /// Reads endpoints now and from now on, for other nodes set them too.
    pub fn read_endpoints_every(&mut self, every: Option<Duration>) -> Result<(), ViewError> {
        self.refresh = every.map(|every| Refresh { every, last: Instant::now() });
        if self.refresh.is_some() {
            self.take_endpoints(self.views.endpoints()?);
        }
        Ok(())
    }

    pub(super) fn take_endpoints(&mut self, endpoints: Vec<EndpointHome>) {
        self.shared.take_endpoints(&endpoints);
        endpoints.into_iter().for_each(|homed| self.set_endpoint(homed.endpoint));
    }

    pub(super) fn refresh_endpoints(&mut self) -> Result<(), FollowError> {
        let Some(refresh) = &mut self.refresh else { return Ok(()) };
        if refresh.last.elapsed() < refresh.every {
            return Ok(());
        }
        refresh.last = Instant::now();
        let endpoints = self.retry.ask(|| Ok(self.views.endpoints()?))?;
        self.take_endpoints(endpoints);
        Ok(())
    }

    pub(super) fn set_endpoint(&mut self, endpoint: Endpoint) {
        let before = self.billers.remove(&endpoint.id);
        if let Some(endpoints) = before.and_then(|biller| self.endpoints.get_mut(&biller)) {
            endpoints.retain(|known| known.id != endpoint.id);
        }
        if endpoint.url.is_some() {
            self.billers.insert(endpoint.id, endpoint.biller);
            self.endpoints.entry(endpoint.biller).or_default().push(endpoint);
        }
    }
}
