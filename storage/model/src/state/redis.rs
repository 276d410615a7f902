//! One instance of Redis: a gate value and what was taken under it.

use super::{Frame, LANES, Outcome, PAYMENTS, Record};
use crate::{Cluster, Plant};

/// The value that every call is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gate {
    /// The gate epoch that owns this instance.
    pub epoch: u8,
    /// Whether reservations are admitted, or a rebuild is going on.
    pub open: bool,
}

/// What an instance knows of one payment. Each of these keeps the payment's key taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Room on the account is held, on behalf of the lane as it was in this lane epoch.
    Held {
        /// The lane epoch of the node that reserved.
        epoch: u8,
    },
    /// The room is used up for good.
    Posted,
    /// The room was given back; the key stays taken, since the answer is known.
    Released,
}

/// The content of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Redis {
    /// Missing where the instance is empty.
    pub gate: Option<Gate>,
    /// What is known of each payment.
    pub entries: [Option<Entry>; PAYMENTS],
    /// How far each lane is reflected here: the key `applied`.
    pub marks: [u8; LANES],
    /// Payments whose key is no longer known, since time is said to have passed.
    pub forgotten: [bool; PAYMENTS],
    /// Payments that were counted on an account which is forgotten by now, and count no more.
    pub dropped: [bool; PAYMENTS],
    /// By account: what was given back of a count that was forgotten before. Only where that is
    /// planted.
    pub lowered: [u8; PAYMENTS],
    /// Whether the clock of its machine has jumped ahead.
    pub ahead: bool,
}

impl Redis {
    /// Whether the payment's key is taken.
    pub fn knows_key(&self, payment: usize) -> bool {
        self.entries[payment].is_some() && !self.forgotten[payment]
    }

    /// Forgets the keys of all that it knows.
    pub fn forget_keys(&mut self) {
        self.forgotten = self.entries.map(|entry| entry.is_some());
    }

    /// The same machine with nothing in the instance.
    pub fn emptied(&self) -> Redis {
        Redis { ahead: self.ahead, ..Redis::default() }
    }

    /// Whether the payment takes room on its account.
    pub fn takes_room(&self, payment: usize) -> bool {
        matches!(self.entries[payment], Some(Entry::Held { .. } | Entry::Posted))
            && !self.dropped[payment]
    }

    /// Reflects one record of the journal; doing so again changes nothing.
    ///
    /// What is reversed of an account that was forgotten is not given back: newer payments may count
    /// under its name by now.
    pub fn reflect(&mut self, cluster: &Cluster, over: &[bool; PAYMENTS], frame: &Frame) {
        let payment = frame.record.payment();
        let entry = &mut self.entries[payment];
        match frame.record {
            Record::Intent(_) => *entry = entry.or(Some(Entry::Held { epoch: frame.epoch })),
            Record::Reversed(_) if !over[payment] => *entry = Some(Entry::Released),
            Record::Reversed(_) if cluster.is_planted(Plant::GivenBackOfForgottenBill) => {
                let asked = &cluster.payments[payment];
                self.lowered[usize::from(asked.account)] += asked.amount;
            }
            Record::Reversed(_) => {}
            Record::Outcome(_, Outcome::Approved) => *entry = Some(Entry::Posted),
            Record::Outcome(_, Outcome::Declined) => *entry = Some(Entry::Released),
            Record::Outcome(_, Outcome::Unknown) => {}
        }
    }
}
