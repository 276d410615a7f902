//! What every part of the switch works with: rules, journal, participants, and the few counters
//! that live outside the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use codecs::frame::{FrameSpec, Framer};
use router::id::{Folio, PaymentId};
use router::policy::Policy;
use router::text::Text;
use router::time::Timestamp;
use storage::Store;

use crate::participant::Participants;
use crate::reversal::Owed;
use crate::supervise::Tasks;

/// What every part of the switch works with.
#[derive(Debug)]
pub struct Engine {
    /// Guard, journal and read models.
    pub store: Store,
    /// Network participants.
    pub participants: Participants,
    /// Starts tasks.
    pub tasks: Tasks,
    /// Where payments that must be undone are put.
    pub owed: Owed,
    /// DE32 of what the switch itself sends.
    pub acquirer_id: Text<11>,
    framer: Framer,
    policy: ArcSwap<Policy>,
    folio_next: AtomicU64,
}

/// The parts an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// Guard, journal and read models.
    pub store: Store,
    /// The first folio to give out.
    pub folio_next: u64,
    /// Network participants.
    pub participants: Participants,
    /// The rules.
    pub policy: Arc<Policy>,
    /// Starts tasks.
    pub tasks: Tasks,
    /// Where payments that must be undone are put.
    pub owed: Owed,
    /// DE32 of what the switch itself sends.
    pub acquirer_id: Text<11>,
    /// Length prefix and header of participants' lines.
    pub framing: FrameSpec,
}

impl Engine {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self {
            store: parts.store,
            participants: parts.participants,
            tasks: parts.tasks,
            owed: parts.owed,
            acquirer_id: parts.acquirer_id,
            framer: Framer::new(parts.framing),
            policy: ArcSwap::new(parts.policy),
            folio_next: AtomicU64::new(parts.folio_next.max(1)),
        }
    }

    /// The rules in force.
    pub fn policy(&self) -> Guard<Arc<Policy>> {
        self.policy.load()
    }

    /// Puts other rules in force, for payments from now on.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        self.policy.store(policy);
    }

    /// Cuts lines' bytes into frames, and frames messages.
    pub fn framer(&self) -> &Framer {
        &self.framer
    }

    /// An id and a folio nobody has.
    pub fn new_payment(&self, now: Timestamp) -> (PaymentId, Folio) {
        let id = PaymentId::from_parts(now.millis(), rand::random());
        let number = self.folio_next.fetch_add(1, Ordering::Relaxed);
        let wrapped = (number - 1) % Folio::MAX + 1;
        (id, Folio::new(wrapped).expect("invariant: 1..=MAX"))
    }
}
