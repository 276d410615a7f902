//! Network participants, whatever their dialect.

use std::collections::HashMap;
use std::sync::Arc;

use router::exchange::{
    Ask, Confirmation, InquiryAnswer, KnownPayment, NoAnswer, NotReady, NotSent, RefundAsk,
    Started, Undo, UndoAnswer,
};
use router::id::{Folio, ParticipantId};
use router::outcome::Outcome;
use router::record::Attempt;
use router::text::Text;

use crate::adapter::iso8583::tls::TlsError;
use crate::adapter::iso8583::{CommonParts, Iso8583Participant, ReadyFrame};
use crate::adapter::json::{JsonParticipant, ReadyRequest};
use crate::adapter::{Adapter, Bulkhead, ReadyPayment};
use crate::config::{OnUnknown, ParticipantConfig};
use crate::metrics::ParticipantNames;
use crate::supervise::Tasks;

/// One participant, by its dialect. Cheap to clone.
#[derive(Debug, Clone)]
pub enum ParticipantAdapter {
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

impl ParticipantAdapter {
    /// One of a configuration.
    ///
    /// Errors: a file of its TLS cannot be used.
    pub fn new(
        config: ParticipantConfig,
        common: &Arc<CommonParts>,
        tasks: &Tasks,
    ) -> Result<Self, TlsError> {
        Ok(match config.json.clone() {
            Some(json) => Self::Json(Arc::new(JsonParticipant::new(config, json, tasks.clone())?)),
            None => Self::Iso8583(Arc::new(Iso8583Participant::new(config, Arc::clone(common)))),
        })
    }

    /// Its configuration.
    pub fn config(&self) -> &ParticipantConfig {
        match self {
            Self::Iso8583(participant) => &participant.config,
            Self::Json(participant) => &participant.config,
        }
    }

    /// Whether this is that very one, and not another configuration of it.
    pub fn is(&self, that: &Self) -> bool {
        match (self, that) {
            (Self::Iso8583(this), Self::Iso8583(that)) => Arc::ptr_eq(this, that),
            (Self::Json(this), Self::Json(that)) => Arc::ptr_eq(this, that),
            (Self::Iso8583(_), Self::Json(_)) | (Self::Json(_), Self::Iso8583(_)) => false,
        }
    }

    /// Its lines; none of one that has no lines.
    pub fn lines(&self) -> Option<&Arc<Iso8583Participant>> {
        match self {
            Self::Iso8583(participant) => Some(participant),
            Self::Json(_) => None,
        }
    }

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
        &self.config().kind
    }

    /// Whether a part of a payment can be reversed there.
    pub fn takes_partial_reversals(&self) -> bool {
        self.config().partial_reversals
    }

    /// What becomes of its payments whose outcome is unknown.
    pub fn on_unknown(&self) -> OnUnknown {
        self.config().on_unknown
    }

    /// Its requests that are open.
    pub fn open_requests(&self) -> usize {
        match self {
            Self::Iso8583(participant) => participant.in_flight().len(),
            Self::Json(participant) => participant.open_requests(),
        }
    }
}

impl Adapter for ParticipantAdapter {
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

    async fn confirm(&self, confirmation: &Confirmation<'_>) -> Result<Started, NoAnswer> {
        match self {
            Self::Iso8583(participant) => participant.confirm(confirmation).await,
            Self::Json(participant) => Box::pin(participant.confirm(confirmation)).await,
        }
    }

    async fn inquire(&self, of: &KnownPayment<'_>) -> Result<InquiryAnswer, NoAnswer> {
        match self {
            Self::Iso8583(participant) => participant.inquire(of).await,
            Self::Json(participant) => Box::pin(participant.inquire(of)).await,
        }
    }

    fn name_refund(&self, folio: Folio) -> Result<Attempt, NotSent> {
        match self {
            Self::Iso8583(participant) => participant.name_refund(folio),
            Self::Json(participant) => participant.name_refund(folio),
        }
    }

    async fn refund(&self, refund: &RefundAsk<'_>) -> Result<Outcome, NoAnswer> {
        match self {
            Self::Iso8583(participant) => participant.refund(refund).await,
            Self::Json(participant) => Box::pin(participant.refund(refund)).await,
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
#[derive(Debug, Default, Clone)]
pub struct Participants {
    by_id: HashMap<ParticipantId, ParticipantAdapter>,
    by_acquirer: HashMap<Text<11>, Arc<Iso8583Participant>>,
    by_certificate: HashMap<[u8; 32], Arc<Iso8583Participant>>,
}

/// How the set of participants changes.
#[derive(Debug)]
pub struct Changed {
    /// All of the new configuration.
    pub participants: Participants,
    /// Those whose lines are to be started: added, or configured in another way.
    pub started: Vec<ParticipantAdapter>,
    /// Those whose lines are to end: taken out, or configured in another way.
    pub retired: Vec<ParticipantAdapter>,
}

impl Participants {
    /// From the configuration. Connections of HTTP clients are started with `tasks`.
    ///
    /// Errors: a file of a participant's TLS cannot be used.
    pub fn new(
        configs: Vec<ParticipantConfig>,
        common: &Arc<CommonParts>,
        tasks: &Tasks,
    ) -> Result<Self, TlsError> {
        let mut all = Self::default();
        for config in configs {
            all.insert(ParticipantAdapter::new(config, common, tasks)?);
        }
        Ok(all)
    }

    /// What a configuration makes of these: those that are configured as before stay as they are, with
    /// all their lines.
    ///
    /// Errors: as those of [`Self::new`].
    pub fn changed(
        &self,
        configs: Vec<ParticipantConfig>,
        common: &Arc<CommonParts>,
        tasks: &Tasks,
    ) -> Result<Changed, TlsError> {
        let (mut participants, mut started) = (Self::default(), Vec::new());
        for config in configs {
            let known = self.by_id(config.id);
            match known.filter(|known| known.config().digest == config.digest) {
                Some(same) => participants.insert(same.clone()),
                None => {
                    let new = ParticipantAdapter::new(config, common, tasks)?;
                    if let Some(known) = known {
                        new.bulkhead().take_over(known.bulkhead());
                    }
                    started.push(new.clone());
                    participants.insert(new);
                }
            }
        }
        let is_kept = |known: &&ParticipantAdapter| {
            participants.by_id(known.id()).is_some_and(|now| now.is(known))
        };
        let retired = self.iter().filter(|known| !is_kept(known)).cloned().collect();
        Ok(Changed { participants, started, retired })
    }

    fn insert(&mut self, participant: ParticipantAdapter) {
        match &participant {
            ParticipantAdapter::Iso8583(lines) => {
                if let Some(acquirer_id) = lines.config.acquirer_id {
                    self.by_acquirer.insert(acquirer_id, Arc::clone(lines));
                }
                if let Some(certificate) = lines.config.certificate_sha256 {
                    self.by_certificate.insert(certificate, Arc::clone(lines));
                }
            }
            ParticipantAdapter::Json(_) => {}
        }
        self.by_id.insert(participant.id(), participant);
    }

    /// By its id.
    pub fn by_id(&self, id: ParticipantId) -> Option<&ParticipantAdapter> {
        self.by_id.get(&id)
    }

    /// One that speaks ISO 8583, by its id.
    pub fn iso8583_by_id(&self, id: ParticipantId) -> Option<&Arc<Iso8583Participant>> {
        self.by_id(id)?.lines()
    }

    /// One with a JSON API, by its id.
    pub fn json_by_id(&self, id: ParticipantId) -> Option<&Arc<JsonParticipant>> {
        match self.by_id(id)? {
            ParticipantAdapter::Json(participant) => Some(participant),
            ParticipantAdapter::Iso8583(_) => None,
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
                ParticipantAdapter::Iso8583(_) => names.lines.push(id.as_str()),
                ParticipantAdapter::Json(_) => names.json.push(id.as_str()),
            }
        }
        names
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ParticipantAdapter> {
        self.by_id.values()
    }

    /// All that speak ISO 8583.
    pub fn iso8583(&self) -> impl Iterator<Item = &Arc<Iso8583Participant>> {
        self.iter().filter_map(ParticipantAdapter::lines)
    }
}
