//! Network participants, whatever their dialect.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use codecs::frame::Framer;
use router::exchange::{Ask, NoAnswer, NotReady, Started, Undo, UndoAnswer};
use router::id::{Folio, ParticipantId};
use router::record::Attempt;
use router::text::Text;

use crate::adapter::iso8583::tls::TlsError;
use crate::adapter::iso8583::{Iso8583Participant, ReadyFrame, Speaker};
use crate::adapter::json::{JsonParticipant, ReadyRequest};
use crate::adapter::{Adapter, Bulkhead, ReadyPayment};
use crate::config::ParticipantConfig;
use crate::metrics::ParticipantNames;
use crate::supervise::Tasks;

/// One participant, by its dialect. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Participant {
    /// It speaks ISO 8583 over lines.
    Iso8583(Arc<Iso8583Participant>),
    /// It has a JSON API.
    Json(Arc<JsonParticipant>),
}

/// A payment as it will be sent to one of them.
#[derive(Debug)]
pub enum Ready<'a> {
    /// In ISO 8583.
    Iso8583(ReadyFrame<'a>),
    /// As a request of a JSON API; in a box, so that it takes no room on the way of the others.
    Json(Box<ReadyRequest<'a>>),
}

impl Participant {
    /// Its id.
    pub fn id(&self) -> ParticipantId {
        match self {
            Self::Iso8583(participant) => participant.id(),
            Self::Json(participant) => participant.id(),
        }
    }

    /// Its ceilings.
    pub fn bulkhead(&self) -> &Bulkhead {
        match self {
            Self::Iso8583(participant) => &participant.bulkhead,
            Self::Json(participant) => &participant.bulkhead,
        }
    }

    /// What it is: `bank`, `aggregator`, `processor`; for people.
    pub fn kind(&self) -> &str {
        match self {
            Self::Iso8583(participant) => &participant.config.kind,
            Self::Json(participant) => &participant.config.kind,
        }
    }

    /// Whether a part of a payment can be reversed there.
    pub fn takes_partial_reversals(&self) -> bool {
        match self {
            Self::Iso8583(participant) => participant.config.partial_reversals,
            Self::Json(participant) => participant.config.partial_reversals,
        }
    }

    /// Its requests that are open.
    pub fn open_requests(&self) -> usize {
        match self {
            Self::Iso8583(participant) => participant.in_flight().len(),
            Self::Json(participant) => participant.open_requests(),
        }
    }
}

impl Adapter for Participant {
    type Ready<'a> = Ready<'a>;

    fn ready(&self, ask: &Ask<'_>) -> Result<(Attempt, Ready<'_>), NotReady> {
        match self {
            Self::Iso8583(participant) => {
                let (attempt, ready) = participant.ready(ask)?;
                Ok((attempt, Ready::Iso8583(ready)))
            }
            Self::Json(participant) => {
                let (attempt, ready) = participant.ready(ask)?;
                Ok((attempt, Ready::Json(Box::new(ready))))
            }
        }
    }

    async fn undo(&self, undo: &Undo<'_>, own: &mut Option<Attempt>) -> UndoAnswer {
        match self {
            Self::Iso8583(participant) => participant.undo(undo, own).await,
            Self::Json(participant) => Box::pin(participant.undo(undo, own)).await,
        }
    }

    fn remember(&self, attempt: &Attempt, folio: Folio) {
        match self {
            Self::Iso8583(participant) => participant.remember(attempt, folio),
            Self::Json(participant) => participant.remember(attempt, folio),
        }
    }
}

impl ReadyPayment for Ready<'_> {
    async fn start(self) -> Result<Started, NoAnswer> {
        match self {
            Self::Iso8583(ready) => ready.start().await,
            Self::Json(ready) => Box::pin(ready.start()).await,
        }
    }
}

/// All participants, by the names they go by.
#[derive(Debug, Default)]
pub struct Participants {
    by_id: HashMap<ParticipantId, Participant>,
    by_acquirer: HashMap<Text<11>, Arc<Iso8583Participant>>,
    by_certificate: HashMap<[u8; 32], Arc<Iso8583Participant>>,
}

impl Participants {
    /// From the configuration. The STANs of all requests are of one range; `framing` is that of the
    /// address where everybody may call. Connections of HTTP clients are started with `tasks`.
    ///
    /// Errors: a file of a participant's TLS cannot be used.
    pub fn new(
        configs: Vec<ParticipantConfig>,
        stans: &Range<u32>,
        (acquirer_id, framing): (Text<11>, &Framer),
        tasks: &Tasks,
    ) -> Result<Self, TlsError> {
        let own = configs.iter().filter_map(|config| config.framing.as_ref());
        let message_len_max = own.chain([framing]).map(Framer::message_len_max).min();
        let pins = configs.iter().filter_map(|config| Some((config.id, config.pin.clone()?)));
        let speaker = Arc::new(Speaker {
            acquirer_id,
            message_len_max: message_len_max.expect("invariant: one framing is everybody's"),
            pins: pins.collect(),
        });
        let mut all = Self::default();
        for config in configs {
            let speaker = Arc::clone(&speaker);
            match config.json.clone() {
                Some(json) => {
                    let participant = JsonParticipant::new(config, json, tasks.clone())?;
                    all.by_id.insert(participant.id(), Participant::Json(Arc::new(participant)));
                }
                None => {
                    all.insert(Arc::new(Iso8583Participant::new(config, stans.clone(), speaker)));
                }
            }
        }
        Ok(all)
    }

    fn insert(&mut self, participant: Arc<Iso8583Participant>) {
        if let Some(acquirer_id) = participant.config.acquirer_id {
            self.by_acquirer.insert(acquirer_id, Arc::clone(&participant));
        }
        if let Some(certificate) = participant.config.certificate_sha256 {
            self.by_certificate.insert(certificate, Arc::clone(&participant));
        }
        self.by_id.insert(participant.id(), Participant::Iso8583(participant));
    }

    /// By its id.
    pub fn by_id(&self, id: ParticipantId) -> Option<&Participant> {
        self.by_id.get(&id)
    }

    /// One that speaks ISO 8583, by its id.
    pub fn iso8583_by_id(&self, id: ParticipantId) -> Option<&Arc<Iso8583Participant>> {
        match self.by_id(id)? {
            Participant::Iso8583(participant) => Some(participant),
            Participant::Json(_) => None,
        }
    }

    /// One with a JSON API, by its id.
    pub fn json_by_id(&self, id: ParticipantId) -> Option<&Arc<JsonParticipant>> {
        match self.by_id(id)? {
            Participant::Json(participant) => Some(participant),
            Participant::Iso8583(_) => None,
        }
    }

    /// By the DE32 of its sign-on.
    pub fn by_acquirer(&self, acquirer_id: &Text<11>) -> Option<&Arc<Iso8583Participant>> {
        self.by_acquirer.get(acquirer_id)
    }

    /// The one that a client certificate is pinned for, by its fingerprint.
    pub fn by_certificate(&self, fingerprint: &[u8; 32]) -> Option<&Arc<Iso8583Participant>> {
        self.by_certificate.get(fingerprint)
    }

    /// Their ids, by what they speak.
    pub fn names(&self) -> ParticipantNames<'_> {
        let mut names = ParticipantNames::default();
        for (id, participant) in &self.by_id {
            match participant {
                Participant::Iso8583(_) => names.lines.push(id.as_str()),
                Participant::Json(_) => names.json.push(id.as_str()),
            }
        }
        names
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Participant> {
        self.by_id.values()
    }

    /// All that speak ISO 8583.
    pub fn iso8583(&self) -> impl Iterator<Item = &Arc<Iso8583Participant>> {
        self.iter().filter_map(|participant| match participant {
            Participant::Iso8583(participant) => Some(participant),
            Participant::Json(_) => None,
        })
    }
}
