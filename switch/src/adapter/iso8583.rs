//! Participants that speak ISO 8583: their lines, what is asked of them and what they answer.
//!
//! [`session`](crate::session) reads what comes over a line, `ask` says by which line a request leaves, `carry` is what
//! the rest of the switch sees of it all: the [`Adapter`](super::Adapter).

mod ask;
mod carry;
pub mod common;
pub mod in_flight;
mod later;
pub mod line;
pub mod past;
pub mod pin;
pub mod remote_lines;
pub mod tls;
pub mod verdict;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use router::exchange::{NotSent, RequestTrace};
use router::id::{Folio, ParticipantId};
use router::time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Bulkhead;
use crate::clock;
use crate::config::ParticipantConfig;
pub use ask::LineState;
pub use carry::ReadyFrame;
pub use common::{CommonParts, Speaker};
use in_flight::{Expected, InFlight, RequestKind, StanClaim};
use line::Line;
use past::PastRequests;
use remote_lines::RemoteLines;

/// Late answers of one participant that are being recorded; beyond, its lines are not read on.
const LATE_MAX: usize = 1024;

/// How long after another configuration is in force its lines may end: payments that were decided by
/// the one before have taken their STANs by then.
const RETIRED_AFTER: Duration = Duration::from_millis(200);
/// How much longer than a request may take the lines of a retired configuration are kept.
const RETIRED_GRACE: Duration = Duration::from_secs(1);
/// Pause between two looks whether all its lines have ended.
const RETIRED_LOOK_EVERY: Duration = Duration::from_millis(20);

/// One participant.
#[derive(Debug)]
pub struct Iso8583Participant {
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
    /// Its ceilings.
    pub bulkhead: Bulkhead,
    common: Arc<CommonParts>,
    /// Cancelled when its configuration is in force no more: its lines end when nothing is under way
    /// on them.
    retired: CancellationToken,
    /// Cancelled when its lines and tasks end whatever is under way; with the switch at the latest.
    ending: CancellationToken,
}

impl Iso8583Participant {
    /// A participant with no line yet.
    ///
    /// The STANs of its requests are of a range: see [`InFlight::new`].
    pub fn new(config: ParticipantConfig, common: Arc<CommonParts>) -> Self {
        let timeout = Duration::from_millis(config.response_timeout_ms);
        Self {
            in_flight: InFlight::new(config.in_flight_max, timeout, common.stans.clone()),
            past: PastRequests::default(),
            past_of_others: PastRequests::default(),
            late: Arc::new(Semaphore::new(LATE_MAX)),
            lines: ArcSwap::default(),
            changing: Mutex::new(()),
            next_line: AtomicUsize::new(0),
            bulkhead: Bulkhead::new(config.id, config.requests_max, config.reversals_owed_max),
            retired: CancellationToken::new(),
            ending: common.stages.ending.child_token(),
            common,
            config,
        }
    }

    /// Its id.
    pub fn id(&self) -> ParticipantId {
        self.config.id
    }

    /// How the switch presents itself to it.
    pub fn speaker(&self) -> Guard<Arc<Speaker>> {
        self.common.speaker()
    }

    /// Whether a request could leave for it now.
    pub fn is_signed_on(&self) -> bool {
        self.lines.load().iter().any(|line| line.is_signed_on())
    }

    /// The lines of other nodes, where there are any.
    pub fn remote_lines(&self) -> Option<&Arc<dyn RemoteLines>> {
        self.common.remote_lines()
    }

    /// Cancelled when its lines and tasks end whatever is under way.
    pub fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    /// Cancelled when its configuration is in force no more.
    pub fn retired(&self) -> &CancellationToken {
        &self.retired
    }

    /// Takes it out of service: each of its lines ends when nothing is under way on it, at the latest
    /// when every request to it has been answered or given up.
    ///
    /// Not cancel-safe: a dropped call leaves its tasks to the end of the switch.
    pub async fn retire(&self) {
        tokio::time::sleep(RETIRED_AFTER).await;
        self.retired.cancel();
        let grace = Duration::from_millis(self.config.response_timeout_ms) + RETIRED_GRACE;
        let idle = async {
            while !self.lines.load().is_empty() {
                tokio::time::sleep(RETIRED_LOOK_EVERY).await;
            }
        };
        let is_idle = tokio::time::timeout(grace, idle).await.is_ok();
        self.ending.cancel();
        let participant = self.id();
        tracing::info!(%participant, is_idle, "its earlier configuration is out of service");
    }

    /// Whether a request could leave for it now, here or at another node.
    fn can_be_asked(&self) -> bool {
        self.is_signed_on()
            || self.remote_lines().is_some_and(|remote_lines| remote_lines.is_on(self.id()))
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
    ) -> Result<(StanClaim<'_>, RequestTrace), NotSent> {
        if !self.can_be_asked() {
            return Err(NotSent::SignedOff);
        }
        if kind == RequestKind::Payment && self.bulkhead.owes_too_much() {
            return Err(NotSent::ReversalsPending);
        }
        let transmitted_at = clock::transmission_time(now);
        let expected = Expected { kind, transmitted_at, folio: Some(folio) };
        let claim = self.in_flight.claim(expected).ok_or(NotSent::Congested)?;
        let trace = RequestTrace { stan: claim.stan(), transmitted_at };
        Ok((claim, trace))
    }

    /// Takes the STAN of an earlier attempt again, for a repeat of it.
    ///
    /// Errors: [`NotSent`] when nothing could be sent anyway, or another request has the STAN now.
    pub fn claim_again(
        &self,
        kind: RequestKind,
        folio: Folio,
        trace: &RequestTrace,
    ) -> Result<StanClaim<'_>, NotSent> {
        if !self.can_be_asked() {
            return Err(NotSent::SignedOff);
        }
        let transmitted_at = trace.transmitted_at;
        let expected = Expected { kind, transmitted_at, folio: Some(folio) };
        self.in_flight.claim_as(trace.stan, expected).ok_or(NotSent::Congested)
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
        self.lines.store(Arc::new(lines));
        // The lines of the configuration that is in force now are what is counted.
        if !self.retired.is_cancelled() {
            self.show_lines();
        }
    }

    /// Shows how many lines it has in the metrics.
    pub fn show_lines(&self) {
        let count = u32::try_from(self.lines.load().len()).unwrap_or(u32::MAX);
        show_lines(self.id(), f64::from(count));
    }
}

/// Shows that a participant that is configured no more has no number of lines: 0 would be an alert.
pub fn show_no_lines(participant: ParticipantId) {
    show_lines(participant, f64::NAN);
}

fn show_lines(participant: ParticipantId, count: f64) {
    let id = participant.to_string();
    metrics::gauge!("cauce_participant_lines", "participant" => id).set(count);
}
