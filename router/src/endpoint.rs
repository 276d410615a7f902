//! A merchant's address for notices, and the secrets that sign them.

use crate::id::{BillerId, EndpointId};
use crate::notice::NoticeType;
use crate::secret::SealedSecret;
use crate::time::Timestamp;

/// A merchant's address for notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The endpoint.
    pub id: EndpointId,
    /// Whose payments it hears of.
    pub biller: BillerId,
    /// When it was set, or changed last.
    pub at: Timestamp,
    /// Counts its changes, from 1. A change follows the version before it and no other.
    pub version: u32,
    /// Where notices go; none once the endpoint is deleted.
    pub url: Option<Box<str>>,
    /// The signing secret.
    pub secret: SealedSecret,
    /// Secrets before it that still sign, newest first.
    pub old_secrets: Vec<OldSecret>,
    /// Types it wants; empty means all.
    pub types: Vec<NoticeType>,
}

/// A signing secret that another one has followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSecret {
    /// The secret.
    pub secret: SealedSecret,
    /// When it stops to sign, as it was decided when the other one followed.
    pub ends_at: Timestamp,
}

impl Endpoint {
    /// The old secrets that sign at a time, newest first.
    pub fn old_secrets_at(&self, now: Timestamp) -> impl Iterator<Item = &OldSecret> {
        self.old_secrets.iter().filter(move |old| now < old.ends_at)
    }

    /// When it was set.
    ///
    /// Units: of its id, to the millisecond.
    pub fn created_at(&self) -> Timestamp {
        Timestamp(self.id.unix_ms().saturating_mul(1000))
    }
}
