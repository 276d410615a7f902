//! Changes of an endpoint that is set: another address, other types, another secret, its end.
//!
//! Each is one record, made from the version before it; of two that are made at once from the same
//! version, the later one is made again from what the earlier one left.

use std::time::Duration;

use router::endpoint::{Endpoint, OldSecret};
use router::event::{Actor, Event, EventKind, StaleVersion, Subject};
use router::id::{EndpointId, SecretId};
use router::notice::NoticeType;
use router::record::Record;
use router::time::Timestamp;
use storage::StoreError;
use tokio::time::Instant;

use super::{EndpointError, NewEndpoint, Notices, sign};
use crate::clock;

/// Old secrets of an endpoint that sign at once; more are refused, so that nobody loses one that
/// receivers still use.
const OLD_SECRETS_MAX: usize = 10;
/// Other nodes read endpoints twice a second; by then all know what was changed here.
const KNOWN_EVERYWHERE_AFTER: Duration = Duration::from_millis(1_500);
/// Pause between two looks for another node's change.
const VERSION_LOOK_EVERY: Duration = Duration::from_millis(50);
/// Times a change is made again. On one node changes come one after the other; another node's may
/// come between.
const TRIES_MAX: usize = 4;

/// What is changed of an endpoint; none stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointPatch {
    /// Where notices go.
    pub url: Option<String>,
    /// Types it wants; empty means all.
    pub types: Option<Vec<NoticeType>>,
}

impl Notices {
    /// Gives an endpoint a new signing secret. The old one signs beside it for the time that is
    /// configured.
    ///
    /// Errors: [`EndpointError`]. Dropping the call may leave the secret changed; the old one signs
    /// all the same.
    pub async fn rotate_secret(
        &self,
        id: EndpointId,
        actor: Actor,
    ) -> Result<NewEndpoint, EndpointError> {
        let secret = sign::new_secret();
        let endpoint = self
            .change(id, (EventKind::SecretRotated, actor), |endpoint, at| {
                let mut old_secrets: Vec<OldSecret> =
                    endpoint.old_secrets_at(at).cloned().collect();
                let overlap = i64::try_from(self.config.secret_overlap.as_micros());
                let ends_at = at.plus_micros(overlap.unwrap_or(i64::MAX));
                if ends_at > at {
                    old_secrets.insert(0, OldSecret { secret: endpoint.secret.clone(), ends_at });
                }
                if old_secrets.len() > OLD_SECRETS_MAX {
                    return Err(EndpointError::TooManySecrets { max: OLD_SECRETS_MAX });
                }
                let id = SecretId::from_parts(at.millis(), rand::random());
                let secret = self.sealer.seal_secret(&secret, id);
                Ok(Endpoint { secret, old_secrets, ..endpoint.clone() })
            })
            .await?;
        tracing::info!(endpoint = %id, "endpoint's secret changed");
        self.known_everywhere().await;
        Ok(NewEndpoint { endpoint, secret: sign::printed(&secret) })
    }

    /// Changes an endpoint's address or types. What it is owed already goes to the new address.
    ///
    /// Errors: [`EndpointError`]. Dropping the call may leave the endpoint changed.
    pub async fn patch(
        &self,
        id: EndpointId,
        patch: &EndpointPatch,
        actor: Actor,
    ) -> Result<Endpoint, EndpointError> {
        let url = match &patch.url {
            Some(url) => Some(self.reach.check(url)?.to_string().into_boxed_str()),
            None => None,
        };
        let endpoint = self
            .change(id, (EventKind::Changed, actor), |endpoint, _| {
                Ok(Endpoint {
                    url: url.clone().or_else(|| endpoint.url.clone()),
                    types: patch.types.clone().unwrap_or_else(|| endpoint.types.clone()),
                    ..endpoint.clone()
                })
            })
            .await?;
        self.changed.notify_one();
        self.store.redelivery_signal(id).wake();
        tracing::info!(endpoint = %id, "endpoint changed");
        self.known_everywhere().await;
        Ok(endpoint)
    }

    /// Deletes an endpoint; nothing more is sent to it. Of one that is not there, does nothing.
    ///
    /// Errors: [`EndpointError::Store`]. Dropping the call may leave the endpoint deleted.
    pub async fn delete(&self, id: EndpointId, actor: Actor) -> Result<(), EndpointError> {
        self.delete_if(id, actor, |_| Ok(())).await?;
        self.known_everywhere().await;
        Ok(())
    }

    /// The same by the switch itself, if the endpoint is still at a version. Other nodes learn of it
    /// within a second.
    ///
    /// Errors: [`EndpointError::Store`]; [`StoreError::StaleVersion`] when it was changed since.
    pub(super) async fn delete_version(
        &self,
        id: EndpointId,
        version: u32,
    ) -> Result<(), EndpointError> {
        let is_meant = |endpoint: &Endpoint| match endpoint.version == version {
            true => Ok(()),
            false => Err(StaleVersion {
                subject: Subject::Endpoint(id),
                expected: endpoint.version.saturating_add(1),
                found: version.saturating_add(1),
            }),
        };
        self.delete_if(id, Actor::Node, is_meant).await
    }

    async fn delete_if(
        &self,
        id: EndpointId,
        actor: Actor,
        is_meant: impl Fn(&Endpoint) -> Result<(), StaleVersion>,
    ) -> Result<(), EndpointError> {
        let deleted = self.change(id, (EventKind::Deleted, actor), |endpoint, _| {
            is_meant(endpoint).map_err(StoreError::from)?;
            Ok(Endpoint { url: None, ..endpoint.clone() })
        });
        match deleted.await {
            Ok(_) => {}
            Err(EndpointError::Deleted) => return Ok(()),
            Err(error) => return Err(error),
        }
        if let Some(served) = self.workers.lock().remove(&id) {
            served.stop.cancel();
        }
        tracing::info!(endpoint = %id, "endpoint deleted");
        Ok(())
    }

    /// Makes the next version of an endpoint durable, as `next` makes it from the one that stands
    /// at a time, which is later than that version. Where that changes nothing, does nothing.
    async fn change(
        &self,
        id: EndpointId,
        (kind, actor): (EventKind, Actor),
        next: impl Fn(&Endpoint, Timestamp) -> Result<Endpoint, EndpointError>,
    ) -> Result<Endpoint, EndpointError> {
        let _alone = self.changing.lock().await;
        let mut tries = 0;
        loop {
            let endpoint = self.endpoint(id).ok_or(EndpointError::Deleted)?;
            let at = clock::now().max(endpoint.at.plus_micros(1));
            let version = endpoint.version.saturating_add(1);
            let next = next(&endpoint, at)?;
            if next == endpoint {
                return Ok(endpoint);
            }
            let changed = Endpoint { at, version, ..next };
            let event = Event::of_endpoint(changed.clone(), kind, actor);
            tries += 1;
            match self.store.append(Record::Event(Box::new(event))).await {
                Ok(_) => return Ok(changed),
                Err(StoreError::StaleVersion(stale)) if tries < TRIES_MAX => {
                    self.wait_for_version(id, stale.expected).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until this node knows an endpoint's version that another node's change has left, from
    /// which the next change has to be made: as long as that takes at most.
    async fn wait_for_version(&self, id: EndpointId, next: u32) {
        let is_known = || match self.store.endpoint_version(id) {
            Some(version) => next > 1 && version.saturating_add(1) >= next,
            None => true,
        };
        let until = Instant::now() + KNOWN_EVERYWHERE_AFTER;
        while !is_known() && Instant::now() < until {
            tokio::time::sleep(VERSION_LOOK_EVERY).await;
        }
    }

    /// Waits until every node has read the endpoints again: whoever is told of a change may rely on
    /// it, whichever node is asked next.
    pub(super) async fn known_everywhere(&self) {
        if self.engine.is_one_of_many() {
            tokio::time::sleep(KNOWN_EVERYWHERE_AFTER).await;
        }
    }
}
