//! The payments of one shard that somebody has to work on, kept as their records come: finding them
//! costs nothing for the payments that only wait.

use foldhash::{HashMap, HashSet};
use router::id::{ParticipantId, PaymentId};

/// Which payments of a shard need work, and of which kind.
#[derive(Default)]
pub(super) struct WorkLists {
    /// Payments whose reversal is owed, with the participant that each was sent to.
    owed: HashMap<PaymentId, ParticipantId>,
    /// Payments that are being confirmed, or that have a refund without an end.
    under_way: HashSet<PaymentId>,
}

impl WorkLists {
    /// Notes whether a payment's reversal is owed. `participant` is called when this is new.
    pub fn set_owed(
        &mut self,
        id: PaymentId,
        is_owed: bool,
        participant: impl FnOnce() -> Option<ParticipantId>,
    ) {
        if !is_owed {
            if !self.owed.is_empty() {
                self.owed.remove(&id);
            }
        } else if !self.owed.contains_key(&id)
            && let Some(participant) = participant()
        {
            self.owed.insert(id, participant);
        }
    }

    /// Notes whether a payment is being confirmed or refunded.
    pub fn set_under_way(&mut self, id: PaymentId, is_under_way: bool) {
        if is_under_way {
            self.under_way.insert(id);
        } else if !self.under_way.is_empty() {
            self.under_way.remove(&id);
        }
    }

    /// Drops a payment that left the table.
    pub fn remove(&mut self, id: PaymentId) {
        self.set_owed(id, false, || None);
        self.set_under_way(id, false);
    }

    /// The participant that a payment was sent to whose reversal is owed.
    pub fn owed_by(&self, id: PaymentId) -> Option<ParticipantId> {
        self.owed.get(&id).copied()
    }

    pub fn owed(&self) -> impl Iterator<Item = (ParticipantId, PaymentId)> {
        self.owed.iter().map(|(id, participant)| (*participant, *id))
    }

    pub fn under_way(&self) -> impl Iterator<Item = PaymentId> {
        self.under_way.iter().copied()
    }
}
