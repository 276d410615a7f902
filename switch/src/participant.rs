//! Network participants: their lines, what is asked of them and what they answer.

mod ask;
pub mod dial;
pub mod in_flight;
pub mod key_exchange;
pub mod line;
pub mod listen;
pub mod message_format;
pub mod past;
pub mod pin;
pub mod remote_lines;
pub mod session;
pub mod tls;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use router::id::{Folio, ParticipantId};
use router::outcome::Cause;
use router::record::Attempt;
use router::text::Text;
use router::time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::clock;
use crate::config::ParticipantConfig;
use crate::metrics::ParticipantFigures;
pub use ask::{LineChoice, LineState};
use in_flight::{Claim, Expected, InFlight, RequestKind};
use line::Line;
use past::PastRequests;
use remote_lines::RemoteLines;

/// Why a request brought no answer. The two differ in what may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// It certainly never left: another route may be tried.
    NotSent(NotSent),
    /// It may have left: only an inquiry or a reversal can tell.
    MaybeSent(Cause),
}

/// Why a request certainly never left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// No line is signed on.
    SignedOff,
    /// All lines' queues are full, or too many requests are open.
    Congested,
    /// The participant's format cannot say it.
    Unwritable,
    /// Too many reversals are owed by it.
    ReversalsPending,
    /// Its reversal was handed over before it.
    Undone,
}

impl NotSent {
    /// The name used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignedOff => "signed_off",
            Self::Congested => "congested",
            Self::Unwritable => "unwritable",
            Self::ReversalsPending => "reversals_pending",
            Self::Undone => "undone",
        }
    }
}

/// Late answers of one participant that are being recorded; beyond, its lines are not read on.
const LATE_MAX: usize = 1024;

/// Requests of one participant that are decided at once; the next wait for their turn, so that a
/// flood of one participant's does not stand before everybody else's in each queue. A turn lasts
/// until the intent is durable: at 5 ms each, 100,000 requests a second have one.
pub const DECIDED_AT_ONCE_MAX: usize = 512;

/// One participant.
#[derive(Debug)]
pub struct Participant {
    /// Its configuration.
    pub config: ParticipantConfig,
    lines: ArcSwap<Vec<Arc<Line>>>,
    changing: Mutex<()>,
    next_line: AtomicUsize,
    in_flight: InFlight,
    past: PastRequests,
    /// Requests of other nodes that were sent here.
    past_of_others: PastRequests,
    late: Arc<Semaphore>,
    /// Turns of its own requests, over all its lines.
    requests: Arc<Semaphore>,
    /// Turns of those that are being decided.
    decisions: Semaphore,
    /// Payments that are unknown or being undone.
    owed: AtomicUsize,
    /// What it makes of payments.
    pub figures: ParticipantFigures,
    remote_lines: OnceLock<Arc<dyn RemoteLines>>,
}

impl Participant {
    /// A participant with no line yet.
    ///
    /// The STANs of its requests are of a range: see [`InFlight::new`].
    pub fn new(config: ParticipantConfig, stans: Range<u32>) -> Self {
        let timeout = Duration::from_millis(config.response_timeout_ms);
        Self {
            in_flight: InFlight::new(config.in_flight_max, timeout, stans),
            past: PastRequests::default(),
            past_of_others: PastRequests::default(),
            late: Arc::new(Semaphore::new(LATE_MAX)),
            lines: ArcSwap::default(),
            changing: Mutex::new(()),
            next_line: AtomicUsize::new(0),
            requests: Arc::new(Semaphore::new(config.requests_max)),
            decisions: Semaphore::new(DECIDED_AT_ONCE_MAX),
            owed: AtomicUsize::new(0),
            figures: ParticipantFigures::of(config.id.as_str()),
            remote_lines: OnceLock::new(),
            config,
        }
    }

    /// Its id.
    pub fn id(&self) -> ParticipantId {
        self.config.id
    }

    /// Whether a request could leave for it now.
    pub fn is_signed_on(&self) -> bool {
        self.lines.load().iter().any(|line| line.is_signed_on())
    }

    /// Makes the lines of other nodes known, once.
    pub fn share(&self, remote_lines: Arc<dyn RemoteLines>) {
        // Done by who starts the node, before anything is asked.
        let _ = self.remote_lines.set(remote_lines);
    }

    /// The lines of other nodes, where there are any.
    pub fn remote_lines(&self) -> Option<&Arc<dyn RemoteLines>> {
        self.remote_lines.get()
    }

    /// Whether a request could leave for it now, here or at another node.
    fn can_be_asked(&self) -> bool {
        self.is_signed_on()
            || self.remote_lines().is_some_and(|remote_lines| remote_lines.is_on(self.id()))
    }

    /// A turn for a request of its own; none while too many are being worked on.
    pub fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    /// Waits for the turn of a request of its own to be decided. Cancel-safe.
    pub async fn decision_turn(&self) -> SemaphorePermit<'_> {
        let turn = self.decisions.acquire().await;
        turn.expect("invariant: the turns are never closed")
    }

    /// Notes how many of its payments are unknown or being undone.
    pub fn set_owed(&self, count: usize) {
        self.owed.store(count, Ordering::Release);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("cauce_participant_reversals_owed", "participant" => self.id().to_string())
            .set(count);
    }

    /// Notes one more; the next look at the journal counts them anew.
    pub fn owes_one_more(&self) {
        self.owed.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether so many of its payments must be undone that nothing new is sent to it.
    pub fn owes_too_much(&self) -> bool {
        self.owed.load(Ordering::Acquire) >= self.config.reversals_owed_max
    }

    /// Its open requests.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Its requests that are over without an approval.
    pub fn past(&self) -> &PastRequests {
        &self.past
    }

    /// Waits for a place to record a late answer in. Nothing late is dropped: a participant that
    /// sends more of it than can be recorded is read more slowly. Cancel-safe.
    pub async fn late_place(&self) -> OwnedSemaphorePermit {
        let place = Arc::clone(&self.late).acquire_owned().await;
        place.expect("invariant: the places are never closed")
    }

    /// Takes a STAN for a request about a payment that is about to be made durable.
    ///
    /// Errors: [`NotSent`] when nothing could be sent anyway.
    pub fn claim(
        &self,
        kind: RequestKind,
        folio: Folio,
        now: Timestamp,
    ) -> Result<(Claim<'_>, Attempt), NotSent> {
        if !self.can_be_asked() {
            return Err(NotSent::SignedOff);
        }
        if kind == RequestKind::Payment && self.owes_too_much() {
            return Err(NotSent::ReversalsPending);
        }
        let transmitted_at = clock::transmission_time(now);
        let expected = Expected { kind, transmitted_at, folio: Some(folio) };
        let claim = self.in_flight.claim(expected).ok_or(NotSent::Congested)?;
        let attempt = Attempt { participant: self.id(), stan: claim.stan(), transmitted_at };
        Ok((claim, attempt))
    }

    /// Takes the STAN of an earlier attempt again, for a repeat of it.
    ///
    /// Errors: [`NotSent`] when nothing could be sent anyway, or another request has the STAN now.
    pub fn claim_again(
        &self,
        kind: RequestKind,
        folio: Folio,
        attempt: &Attempt,
    ) -> Result<Claim<'_>, NotSent> {
        if !self.can_be_asked() {
            return Err(NotSent::SignedOff);
        }
        let transmitted_at = attempt.transmitted_at;
        let expected = Expected { kind, transmitted_at, folio: Some(folio) };
        self.in_flight.claim_as(attempt.stan, expected).ok_or(NotSent::Congested)
    }

    /// Adds a line that has signed on.
    pub fn attach(&self, line: Arc<Line>) {
        let _changing = self.changing.lock();
        let mut lines = Vec::clone(&self.lines.load());
        lines.push(line);
        self.set(lines);
    }

    /// Removes a line that has ended; what was open on it may have been sent.
    pub fn detach(&self, line: &Line) {
        {
            let _changing = self.changing.lock();
            let mut lines = Vec::clone(&self.lines.load());
            lines.retain(|attached| attached.number() != line.number());
            self.set(lines);
        }
        self.in_flight.fail_line(line.number());
    }

    fn set(&self, lines: Vec<Arc<Line>>) {
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        metrics::gauge!("cauce_participant_lines", "participant" => self.id().to_string())
            .set(count);
        self.lines.store(Arc::new(lines));
    }
}

/// All participants, by the names they go by.
#[derive(Debug, Default)]
pub struct Participants {
    by_id: HashMap<ParticipantId, Arc<Participant>>,
    by_acquirer: HashMap<Text<11>, Arc<Participant>>,
    by_certificate: HashMap<[u8; 32], Arc<Participant>>,
}

impl Participants {
    /// From the configuration; the STANs of all requests are of one range.
    pub fn new(configs: Vec<ParticipantConfig>, stans: &Range<u32>) -> Self {
        let mut all = Self::default();
        for config in configs {
            let participant = Arc::new(Participant::new(config, stans.clone()));
            if let Some(acquirer_id) = participant.config.acquirer_id {
                all.by_acquirer.insert(acquirer_id, Arc::clone(&participant));
            }
            if let Some(certificate) = participant.config.certificate_sha256 {
                all.by_certificate.insert(certificate, Arc::clone(&participant));
            }
            all.by_id.insert(participant.id(), participant);
        }
        all
    }

    /// By its id.
    pub fn by_id(&self, id: ParticipantId) -> Option<&Arc<Participant>> {
        self.by_id.get(&id)
    }

    /// By the DE32 of its sign-on.
    pub fn by_acquirer(&self, acquirer_id: &Text<11>) -> Option<&Arc<Participant>> {
        self.by_acquirer.get(acquirer_id)
    }

    /// The one that a client certificate is pinned for, by its fingerprint.
    pub fn by_certificate(&self, fingerprint: &[u8; 32]) -> Option<&Arc<Participant>> {
        self.by_certificate.get(fingerprint)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Participant>> {
        self.by_id.values()
    }
}
