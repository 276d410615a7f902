//! Changes of an endpoint that is set: another address, other types, another secret, its end.
//!
//! Each is one record, made from the version before it; of two that are made at once from the same
//! version, the later one is made again from what the earlier one left.

use router::id::{EndpointId, SecretId};
use router::notice::NoticeType;
use router::record::{Endpoint, OldSecret};
use router::time::Timestamp;
use storage::StoreError;

use super::{EndpointError, NewEndpoint, Notices, sign};
use crate::clock;

/// Old secrets of an endpoint that sign at once; more are refused, so that nobody loses one that
/// receivers still use.
const OLD_SECRETS_MAX: usize = 10;
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
    pub async fn rotate_secret(&self, id: EndpointId) -> Result<NewEndpoint, EndpointError> {
        let secret = sign::new_secret();
        let endpoint = self
            .change(id, |endpoint, at| {
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
        Ok(NewEndpoint { endpoint, secret: sign::printed(&secret) })
    }

    /// Changes an endpoint's address or types. What it is owed already goes to the new address.
    ///
    /// Errors: [`EndpointError`]. Dropping the call may leave the endpoint changed.
    pub async fn patch(
        &self,
        id: EndpointId,
        patch: &EndpointPatch,
    ) -> Result<Endpoint, EndpointError> {
        let url = match &patch.url {
            Some(url) => Some(self.reach.check(url)?.to_string().into_boxed_str()),
            None => None,
        };
        let endpoint = self
            .change(id, |endpoint, _| {
                Ok(Endpoint {
                    url: url.clone().or_else(|| endpoint.url.clone()),
                    types: patch.types.clone().unwrap_or_else(|| endpoint.types.clone()),
                    ..endpoint.clone()
                })
            })
            .await?;
        self.changed.notify_one();
        self.store.revival(id).wake();
        tracing::info!(endpoint = %id, "endpoint changed");
        Ok(endpoint)
    }

    /// Deletes an endpoint; nothing more is sent to it. Of one that is not there, does nothing.
    ///
    /// Errors: [`EndpointError::Store`]. Dropping the call may leave the endpoint deleted.
    pub async fn delete(&self, id: EndpointId) -> Result<(), EndpointError> {
        self.delete_if(id, |_| true).await
    }

    /// The same, if the endpoint is still at a version.
    ///
    /// Errors: [`EndpointError::Store`]; [`StoreError::EndpointChanged`] when it was changed since.
    pub(super) async fn delete_version(
        &self,
        id: EndpointId,
        version: u32,
    ) -> Result<(), EndpointError> {
        self.delete_if(id, |endpoint| endpoint.version == version).await
    }

    async fn delete_if(
        &self,
        id: EndpointId,
        is_meant: impl Fn(&Endpoint) -> bool,
    ) -> Result<(), EndpointError> {
        let deleted = self.change(id, |endpoint, _| match is_meant(endpoint) {
            true => Ok(Endpoint { url: None, ..endpoint.clone() }),
            false => Err(StoreError::EndpointChanged.into()),
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
        next: impl Fn(&Endpoint, Timestamp) -> Result<Endpoint, EndpointError>,
    ) -> Result<Endpoint, EndpointError> {
        let _alone = self.changing.lock().await;
        let mut refused = StoreError::EndpointChanged;
        for _ in 0..TRIES_MAX {
            let endpoint = self.endpoint(id).ok_or(EndpointError::Deleted)?;
            let at = clock::now().max(endpoint.at.plus_micros(1));
            let version = endpoint.version.saturating_add(1);
            let next = next(&endpoint, at)?;
            if next == endpoint {
                return Ok(endpoint);
            }
            let changed = Endpoint { at, version, ..next };
            match self.store.change_endpoint(changed.clone()).await {
                Ok(()) => return Ok(changed),
                Err(error @ StoreError::EndpointChanged) => refused = error,
                Err(error) => return Err(error.into()),
            }
        }
        Err(refused.into())
    }
}
