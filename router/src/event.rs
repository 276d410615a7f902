//! Events: what changes around payments, as one record whatever its subject.
//!
//! An event tells which subject it is about, what happened to it, at whose request, and how the
//! subject is afterwards. What moves money or owes a notice outside a payment is an event too: it
//! carries the entry and the notices. The events of a subject are numbered by its versions, so that
//! of two changes made from the same version one is refused.

use std::fmt;

use crate::endpoint::Endpoint;
use crate::id::{BillNo, BillerId, EndpointId, PaymentId};
use crate::notice::NoticeType;
use crate::posting::Entry;
use crate::text::Text;
use crate::time::Timestamp;

/// A name of a closed list that a later build may make longer: printable ASCII.
pub type Word = Text<24>;
/// An id in its printed form.
pub type PrintedId = Text<64>;

/// One change of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// At whose request.
    pub actor: Actor,
    /// The second person's consent, where the change needed one.
    pub approver: Option<Actor>,
    /// The subject as the event leaves it.
    pub body: EventBody,
    /// The entry it posts; empty where it moves no balance.
    pub entry: Entry,
    /// The notices it owes; at most one a biller.
    pub notices: Vec<OwedNotice>,
}

/// The subject as an event leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// An endpoint. One without an address is deleted.
    Endpoint(Endpoint),
    /// An API key.
    ApiKey(ApiKeyChange),
    /// A subject that this build does not know.
    Other(OtherBody),
}

/// What the switch was told to do with an API key, for the record: the keys themselves, which are
/// hashes, are kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyChange {
    /// The key's id; the key cannot be derived from it.
    pub id: PrintedId,
    /// Counts the changes of the key that stand in this journal, or in this lane of it.
    pub version: u32,
    /// When it was changed.
    pub at: Timestamp,
    /// What its holder may do.
    pub role: Word,
    /// Whose it is.
    pub owner: Box<str>,
    /// When it ends; none of one that counts until it is revoked.
    pub ends_at: Option<Timestamp>,
}

/// A subject that this build does not know, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherBody {
    /// The kind of the subject.
    pub kind: Word,
    /// The subject's id.
    pub id: PrintedId,
    /// Its version.
    pub version: u32,
    /// When the event happened.
    pub at: Timestamp,
    /// What the event says of it, unread.
    pub bytes: Box<[u8]>,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A merchant's address for notices.
    Endpoint(EndpointId),
    /// An API key, by its id.
    ApiKey(PrintedId),
    /// A subject that this build does not know.
    Other {
        /// Its kind.
        kind: Word,
        /// Its id.
        id: PrintedId,
    },
}

/// What happened to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It is new.
    Created,
    /// It is another than before.
    Changed,
    /// It has a new signing secret.
    SecretRotated,
    /// It is no more.
    Deleted,
    /// What this build does not know.
    Other(Word),
}

/// At whose request something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The holder of an API key, by the key's id.
    Key(PrintedId),
    /// The switch itself, by its own rules.
    Node,
    /// A kind of actor that this build does not know.
    Other {
        /// Its kind.
        kind: Word,
        /// Its id.
        id: PrintedId,
    },
}

/// A notice that an event owes. All notices today are about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwedNotice {
    /// The biller whose endpoints receive it.
    pub biller: BillerId,
    /// The type of the notice.
    pub kind: NoticeType,
    /// The payment it is about.
    pub payment: PaymentId,
    /// The bill of the payment: its notices go one after the other.
    pub bill: Option<BillNo>,
}

/// A change was made from a version that is not the subject's present one.
///
/// Units: versions count from 1; 1 is expected of a subject that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stale version of {subject}: version {expected} is expected, version {found} was found")]
pub struct StaleVersion {
    /// The subject.
    pub subject: Subject,
    /// The version that a change has to have now.
    pub expected: u32,
    /// The version that it had.
    pub found: u32,
}

impl Event {
    /// An event of an endpoint, which posts nothing and owes no notice.
    pub fn of_endpoint(endpoint: Endpoint, kind: EventKind, actor: Actor) -> Self {
        let body = EventBody::Endpoint(endpoint);
        Self { kind, actor, approver: None, body, entry: Entry::default(), notices: Vec::new() }
    }

    /// An event of an API key, which posts nothing and owes no notice.
    pub fn of_api_key(change: ApiKeyChange, kind: EventKind, actor: Actor) -> Self {
        let body = EventBody::ApiKey(change);
        Self { kind, actor, approver: None, body, entry: Entry::default(), notices: Vec::new() }
    }

    /// Its subject.
    pub fn subject(&self) -> Subject {
        match &self.body {
            EventBody::Endpoint(endpoint) => Subject::Endpoint(endpoint.id),
            EventBody::ApiKey(change) => Subject::ApiKey(change.id),
            EventBody::Other(OtherBody { kind, id, .. }) => Subject::Other { kind: *kind, id: *id },
        }
    }

    /// The subject's version after it, from 1.
    pub fn version(&self) -> u32 {
        match &self.body {
            EventBody::Endpoint(endpoint) => endpoint.version,
            EventBody::ApiKey(change) => change.version,
            EventBody::Other(other) => other.version,
        }
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match &self.body {
            EventBody::Endpoint(endpoint) => endpoint.at,
            EventBody::ApiKey(change) => change.at,
            EventBody::Other(other) => other.at,
        }
    }

    /// The endpoint that it is about, where it is about one.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match &self.body {
            EventBody::Endpoint(endpoint) => Some(endpoint),
            EventBody::ApiKey(_) | EventBody::Other(_) => None,
        }
    }

    /// Whether its subject is no more: its next version, if it ever comes back, is 1.
    pub fn ends_subject(&self) -> bool {
        match &self.body {
            EventBody::Endpoint(endpoint) => endpoint.url.is_none(),
            EventBody::ApiKey(_) | EventBody::Other(_) => self.kind == EventKind::Deleted,
        }
    }

    /// Whether it follows a subject's present version; none where the subject is not there.
    ///
    /// Errors: [`StaleVersion`] unless its version is one more than that.
    pub fn follows(&self, present: Option<u32>) -> Result<(), StaleVersion> {
        let (present, found) = (present.unwrap_or(0), self.version());
        if present.checked_add(1) == Some(found) {
            return Ok(());
        }
        let expected = present.saturating_add(1);
        Err(StaleVersion { subject: self.subject(), expected, found })
    }

    /// The first biller that it owes more than one notice.
    pub fn biller_owed_twice(&self) -> Option<BillerId> {
        let billers = || self.notices.iter().map(|notice| notice.biller);
        billers()
            .enumerate()
            .find(|(at, one)| billers().take(*at).any(|other| other == *one))
            .map(|(_, biller)| biller)
    }
}

impl Subject {
    /// The kind of endpoints.
    pub const ENDPOINT: &'static str = "endpoint";
    /// The kind of API keys.
    pub const API_KEY: &'static str = "api_key";

    /// The subject of a kind with an id; as it came where the kind is not known.
    ///
    /// Errors: none where the id is not one of the kind.
    pub fn of_parts(kind: Word, id: PrintedId) -> Option<Self> {
        match kind.as_str() {
            Self::ENDPOINT => id.as_str().parse().ok().map(Self::Endpoint),
            Self::API_KEY => Some(Self::ApiKey(id)),
            _ => Some(Self::Other { kind, id }),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Word {
        match self {
            Self::Endpoint(_) => word(Self::ENDPOINT),
            Self::ApiKey(_) => word(Self::API_KEY),
            Self::Other { kind, .. } => *kind,
        }
    }

    /// Its id, printed.
    pub fn id(&self) -> PrintedId {
        match self {
            Self::Endpoint(id) => {
                Text::new(&id.to_string()).expect("invariant: a printed id is short ASCII")
            }
            Self::ApiKey(id) | Self::Other { id, .. } => *id,
        }
    }
}

impl EventKind {
    const KNOWN: [Self; 4] = [Self::Created, Self::Changed, Self::SecretRotated, Self::Deleted];

    /// The kind with a name; as it came where the name is not known.
    pub fn of_name(name: Word) -> Self {
        let known = Self::KNOWN.into_iter().find(|known| known.name() == name);
        known.unwrap_or(Self::Other(name))
    }

    /// Its name.
    pub fn name(self) -> Word {
        match self {
            Self::Created => word("created"),
            Self::Changed => word("changed"),
            Self::SecretRotated => word("secret_rotated"),
            Self::Deleted => word("deleted"),
            Self::Other(name) => name,
        }
    }
}

impl Actor {
    const KEY: &'static str = "key";
    const NODE: &'static str = "node";

    /// The actor of a kind with an id; as it came where that is not known.
    pub fn of_parts(kind: Word, id: PrintedId) -> Self {
        match (kind.as_str(), id.is_empty()) {
            (Self::KEY, _) => Self::Key(id),
            (Self::NODE, true) => Self::Node,
            _ => Self::Other { kind, id },
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Word {
        match self {
            Self::Key(_) => word(Self::KEY),
            Self::Node => word(Self::NODE),
            Self::Other { kind, .. } => *kind,
        }
    }

    /// Its id; empty where its kind says all.
    pub fn id(&self) -> PrintedId {
        match self {
            Self::Key(id) | Self::Other { id, .. } => *id,
            Self::Node => Text::EMPTY,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str(Self::NODE),
            Self::Key(_) | Self::Other { .. } => write!(f, "{}:{}", self.kind(), self.id()),
        }
    }
}

fn word(word: &str) -> Word {
    Text::new(word).expect("invariant: a known word is short ASCII")
}

#[cfg(test)]
mod tests;
