//! What every part of the switch works with: rules, journal, participants, and the few counters
//! that live outside the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use bytes::{Bytes, BytesMut};
use codecs::error::PackError;
use codecs::frame::Framer;
use codecs::iso8583::cauce87::{Asking, Repeat};
use router::id::{Folio, PaymentId};
use router::policy::Policy;
use router::text::Text;
use router::time::Timestamp;
use storage::Store;
use storage::seal::Sealer;

use crate::participant::Participants;
use crate::reversal::Owed;
use crate::supervise::Tasks;

/// Room for an ordinary message of our own.
const MESSAGE_CAPACITY: usize = 256;

/// What every part of the switch works with.
pub struct Engine {
    /// Guard, journal and read models.
    pub store: Store,
    /// Opens what the journal has sealed.
    pub sealer: Sealer,
    /// Network participants.
    pub participants: Participants,
    /// Starts tasks.
    pub tasks: Tasks,
    /// Where payments that must be undone are put.
    pub owed: Owed,
    /// DE32 of what the switch itself sends.
    pub acquirer_id: Text<11>,
    message_len_max: usize,
    policy: ArcSwap<Policy>,
    folio_next: AtomicU64,
}

/// The parts an engine is made of.
pub struct Parts {
    /// Guard, journal and read models.
    pub store: Store,
    /// Opens what the journal has sealed.
    pub sealer: Sealer,
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
    /// How messages are framed on lines that participants open.
    pub framing: Framer,
}

impl Engine {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let own = parts.participants.iter().filter_map(|one| one.config.framing.as_ref());
        let framers = own.chain([&parts.framing]);
        let message_len_max = framers.map(Framer::message_len_max).min();
        Self {
            message_len_max: message_len_max.expect("invariant: there is a listener"),
            store: parts.store,
            sealer: parts.sealer,
            participants: parts.participants,
            tasks: parts.tasks,
            owed: parts.owed,
            acquirer_id: parts.acquirer_id,
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

    /// How the switch presents itself to a participant.
    pub fn asking(&self, repeat: Repeat) -> Asking {
        Asking { acquirer: self.acquirer_id, repeat }
    }

    /// Writes a message of our own that fits a frame of every line.
    ///
    /// Errors: those of the writer.
    pub fn message(
        &self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), PackError>,
    ) -> Result<Bytes, PackError> {
        let mut out = BytesMut::with_capacity(MESSAGE_CAPACITY);
        write(&mut out)?;
        let (have, allowed) = (out.len(), self.message_len_max);
        if have > allowed {
            return Err(PackError::Length { field: 0, have, allowed });
        }
        Ok(out.freeze())
    }

    /// An id and a folio nobody has.
    pub fn new_payment(&self, now: Timestamp) -> (PaymentId, Folio) {
        let id = PaymentId::from_parts(now.millis(), rand::random());
        let number = self.folio_next.fetch_add(1, Ordering::Relaxed);
        let wrapped = (number - 1) % Folio::MAX + 1;
        (id, Folio::new(wrapped).expect("invariant: 1..=MAX"))
    }
}
