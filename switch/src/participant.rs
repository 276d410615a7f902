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

use crate::adapter::iso8583::{CommonParts, Iso8583Participant, ReadyFrame};
use crate::adapter::{Adapter, Bulkhead, ReadyPayment};
use crate::config::{OnUnknown, ParticipantConfig};

/// One participant, by its dialect. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Participant {
    /// It speaks ISO 8583 over lines.
    Iso8583(Arc<Iso8583Participant>),
}

/// A payment as it will be sent to one of them.
#[derive(Debug)]
pub enum Ready<'a> {
    /// In ISO 8583.
    Iso8583(ReadyFrame<'a>),
}

impl Participant {
    /// Its id.
    pub fn id(&self) -> ParticipantId {
        match self {
            Self::Iso8583(participant) => participant.id(),
        }
    }

    /// Its ceilings.
    pub fn bulkhead(&self) -> &Bulkhead {
        match self {
            Self::Iso8583(participant) => &participant.bulkhead,
        }
    }

    /// What it is: `bank`, `aggregator`, `processor`; for people.
    pub fn kind(&self) -> &str {
        match self {
            Self::Iso8583(participant) => &participant.config.kind,
        }
    }

    /// Whether a part of a payment can be reversed there.
    pub fn takes_partial_reversals(&self) -> bool {
        match self {
            Self::Iso8583(participant) => participant.config.partial_reversals,
        }
    }

    /// What becomes of its payments whose outcome is unknown.
    pub fn on_unknown(&self) -> OnUnknown {
        match self {
            Self::Iso8583(participant) => participant.config.on_unknown,
        }
    }

    /// Its requests that are open.
    pub fn open_requests(&self) -> usize {
        match self {
            Self::Iso8583(participant) => participant.in_flight().len(),
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
        }
    }

    async fn undo(&self, undo: &Undo<'_>, own: &mut Option<Attempt>) -> UndoAnswer {
        match self {
            Self::Iso8583(participant) => participant.undo(undo, own).await,
        }
    }

    async fn confirm(&self, confirmation: &Confirmation<'_>) -> Result<Started, NoAnswer> {
        match self {
            Self::Iso8583(participant) => participant.confirm(confirmation).await,
        }
    }

    async fn inquire(&self, of: &KnownPayment<'_>) -> Result<InquiryAnswer, NoAnswer> {
        match self {
            Self::Iso8583(participant) => participant.inquire(of).await,
        }
    }

    fn name_refund(&self, folio: Folio) -> Result<Attempt, NotSent> {
        match self {
            Self::Iso8583(participant) => participant.name_refund(folio),
        }
    }

    async fn refund(&self, refund: &RefundAsk<'_>) -> Result<Outcome, NoAnswer> {
        match self {
            Self::Iso8583(participant) => participant.refund(refund).await,
        }
    }

    fn remember(&self, attempt: &Attempt, folio: Folio) {
        match self {
            Self::Iso8583(participant) => participant.remember(attempt, folio),
        }
    }
}

impl ReadyPayment for Ready<'_> {
    async fn start(self) -> Result<Started, NoAnswer> {
        match self {
            Self::Iso8583(ready) => ready.start().await,
        }
    }
}

/// All participants, by the names they go by.
#[derive(Debug, Default, Clone)]
pub struct Participants {
    by_id: HashMap<ParticipantId, Participant>,
    by_acquirer: HashMap<Text<11>, Arc<Iso8583Participant>>,
    by_certificate: HashMap<[u8; 32], Arc<Iso8583Participant>>,
}

/// How the set of participants changes.
#[derive(Debug)]
pub struct Changed {
    /// All of the new configuration.
    pub participants: Participants,
    /// Those whose lines are to be started: added, or configured in another way.
    pub started: Vec<Arc<Iso8583Participant>>,
    /// Those whose lines are to end: taken out, or configured in another way.
    pub retired: Vec<Arc<Iso8583Participant>>,
}

impl Participants {
    /// From the configuration.
    pub fn new(configs: Vec<ParticipantConfig>, common: &Arc<CommonParts>) -> Self {
        let mut all = Self::default();
        for config in configs {
            all.insert(Arc::new(Iso8583Participant::new(config, Arc::clone(common))));
        }
        all
    }

    /// What a configuration makes of these: those that are configured as before stay as they are, with
    /// all their lines.
    pub fn changed(&self, configs: Vec<ParticipantConfig>, common: &Arc<CommonParts>) -> Changed {
        let (mut participants, mut started) = (Self::default(), Vec::new());
        for config in configs {
            let known = self.iso8583_by_id(config.id);
            match known.filter(|known| known.config.digest == config.digest) {
                Some(same) => participants.insert(Arc::clone(same)),
                None => {
                    let new = Arc::new(Iso8583Participant::new(config, Arc::clone(common)));
                    started.push(Arc::clone(&new));
                    participants.insert(new);
                }
            }
        }
        let is_kept = |known: &&Arc<Iso8583Participant>| {
            let now = participants.iso8583_by_id(known.id());
            now.is_some_and(|now| Arc::ptr_eq(now, known))
        };
        let retired = self.iso8583().filter(|known| !is_kept(known)).cloned().collect();
        Changed { participants, started, retired }
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

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Participant> {
        self.by_id.values()
    }

    /// All that speak ISO 8583.
    pub fn iso8583(&self) -> impl Iterator<Item = &Arc<Iso8583Participant>> {
        self.iter().map(|participant| match participant {
            Participant::Iso8583(participant) => participant,
        })
    }
}
