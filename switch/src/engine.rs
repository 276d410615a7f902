//! What every part of the switch works with: rules, journal, participants, and the few counters
//! that live outside the journal.

mod at_work;
mod early_reversals;
mod owed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use router::id::{Folio, PaymentId};
use router::message::{Fingerprint, FingerprintKey, PaymentRequest, fingerprint};
use router::payment::Payment;
use router::policy::Policy;
use router::time::Timestamp;
use storage::Store;
use storage::seal::Sealer;
use storage_cluster::folios::Folios;
use tokio::sync::Semaphore;

use crate::adapter::iso8583::CommonParts;
use crate::backoffice::BackofficeService;
use crate::config::InFreeFields;
use crate::line_trace::LineTrace;
use crate::outbound::Sockets;
use crate::participant::Participants;
use crate::session_keys::SessionKeys;
use crate::supervise::Tasks;
pub use at_work::{AtWork, GRACE_OF_OTHER_NODES, WorkOn};
pub use early_reversals::EarlyReversals;
pub use owed::{OwedQueue, OwedReversals};

/// Refunds that are asked of participants at once.
const REFUNDS_AT_ONCE_MAX: usize = 1024;

/// What every part of the switch works with.
pub struct Engine {
    /// Guard, journal and read models.
    pub store: Store,
    /// Opens what the journal has sealed.
    pub sealer: Sealer,
    /// What participants that speak ISO 8583 have in common.
    pub common: Arc<CommonParts>,
    /// Starts tasks.
    pub tasks: Tasks,
    /// Places for the sockets that are opened to endpoints.
    pub sockets: Arc<Sockets>,
    /// Where payments that must be undone are put.
    pub owed: OwedReversals,
    /// Reversals that came here before their originals.
    pub early: EarlyReversals,
    /// Payments that this node is confirming or refunding.
    pub at_work: AtWork,
    /// Turns of refunds that are asked of participants.
    pub refunds: Semaphore,
    /// What becomes of a request with a card number in a field where none belongs.
    pub in_free_fields: InFreeFields,
    /// What goes over participants' lines, written down where that is asked for.
    pub line_trace: Arc<LineTrace>,
    /// Keys that participants changed by message.
    pub session_keys: SessionKeys,
    /// What billers register.
    pub backoffice: Arc<BackofficeService>,
    fingerprint_key: FingerprintKey,
    in_force: ArcSwap<InForce>,
    numbers: Numbers,
}

/// What payments are decided by, taken in as one: rules never name a participant of another
/// configuration.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The rules.
    pub policy: Arc<Policy>,
    /// The network participants.
    pub participants: Arc<Participants>,
}

/// Where folios come from.
pub enum Numbers {
    /// One after another, on one machine.
    Own(AtomicU64),
    /// Of blocks, which no two nodes have in common.
    Blocks(Arc<Folios>),
}

/// The parts an engine is made of.
pub struct Parts {
    /// Guard, journal and read models.
    pub store: Store,
    /// Opens what the journal has sealed.
    pub sealer: Sealer,
    /// Where folios come from.
    pub numbers: Numbers,
    /// Network participants.
    pub participants: Participants,
    /// What those that speak ISO 8583 have in common.
    pub common: Arc<CommonParts>,
    /// The rules.
    pub policy: Arc<Policy>,
    /// Starts tasks.
    pub tasks: Tasks,
    /// Places for the sockets that are opened to endpoints.
    pub sockets: Arc<Sockets>,
    /// Where payments that must be undone are put.
    pub owed: OwedReversals,
    /// Reversals that came here before their originals.
    pub early: EarlyReversals,
    /// Under what requests are compared.
    pub fingerprint_key: FingerprintKey,
    /// What becomes of a request with a card number in a field where none belongs.
    pub in_free_fields: InFreeFields,
    /// What goes over participants' lines, written down where that is asked for.
    pub line_trace: Arc<LineTrace>,
    /// Keys that participants changed by message.
    pub session_keys: SessionKeys,
    /// What billers register.
    pub backoffice: Arc<BackofficeService>,
}

impl Engine {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self {
            store: parts.store,
            sealer: parts.sealer,
            common: parts.common,
            tasks: parts.tasks,
            sockets: parts.sockets,
            owed: parts.owed,
            early: parts.early,
            at_work: AtWork::default(),
            refunds: Semaphore::new(REFUNDS_AT_ONCE_MAX),
            line_trace: parts.line_trace,
            session_keys: parts.session_keys,
            backoffice: parts.backoffice,
            fingerprint_key: parts.fingerprint_key,
            in_free_fields: parts.in_free_fields,
            in_force: ArcSwap::from_pointee(InForce {
                policy: parts.policy,
                participants: Arc::new(parts.participants),
            }),
            numbers: parts.numbers,
        }
    }

    /// What payments are decided by now.
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// The rules in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.in_force.load().policy)
    }

    /// The network participants.
    pub fn participants(&self) -> Arc<Participants> {
        Arc::clone(&self.in_force.load().participants)
    }

    /// Puts something else in force, for payments from now on; gives what was.
    pub fn put_in_force(&self, in_force: InForce) -> Arc<InForce> {
        self.in_force.swap(Arc::new(in_force))
    }

    /// What a request asks for, to be compared with its repeats.
    pub fn fingerprint(&self, request: &PaymentRequest) -> Fingerprint {
        fingerprint(request, &self.fingerprint_key)
    }

    /// How long the participant of a payment has for an answer; zero for a participant that is not
    /// configured any more.
    pub fn deadline_of(&self, payment: &Payment) -> Duration {
        let participants = self.participants();
        let participant = payment.attempt.and_then(|at| participants.by_id(at.participant));
        participant.map_or(Duration::ZERO, |participant| {
            Duration::from_millis(participant.config().response_timeout_ms)
        })
    }

    /// Whether other nodes take what this one refuses.
    pub fn is_one_of_many(&self) -> bool {
        matches!(self.numbers, Numbers::Blocks(_))
    }

    /// An id and a folio nobody has; none while no folio can be had.
    pub fn new_payment(&self, now: Timestamp) -> Option<(PaymentId, Folio)> {
        let id = PaymentId::in_lane(now.millis(), self.store.lane(), rand::random());
        Some((id, self.numbers.next()?))
    }
}

impl Numbers {
    /// Of one machine, from one on.
    pub fn from(first: u64) -> Self {
        Self::Own(AtomicU64::new(first.max(1)))
    }

    fn next(&self) -> Option<Folio> {
        match self {
            Self::Own(next) => {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let wrapped = (number - 1) % Folio::MAX + 1;
                Some(Folio::new(wrapped).expect("invariant: 1..=MAX"))
            }
            Self::Blocks(folios) => folios.next(),
        }
    }
}
