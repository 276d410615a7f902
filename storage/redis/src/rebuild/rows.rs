//! Rows to be loaded into nothing.

use router::early::EarlyReversal;
use router::id::{AccountId, Lane, PaymentId};
use router::message::{Fingerprint, IdempotencyKey};
use router::money::Currency;
use router::reservation::{ClaimOwner, CounterKey, Keep, SlotKey};
use router::time::Timestamp;

use crate::early;
use crate::layout::Layout;
use crate::pack::{self, Held, PackedArray};

/// Rows of one call.
pub(super) const CALL_ROWS: usize = 100;

/// One fact of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// The latest end of a window whose counters may have been forgotten.
    Dropped(Timestamp),
    /// An account in one currency.
    Account {
        /// The account.
        account: AccountId,
        /// The currency.
        currency: Currency,
        /// What it has, in minor units.
        balance: i128,
        /// What open payments hold of it, in minor units.
        held: i128,
    },
    /// A counter.
    Counter {
        /// Its name.
        key: CounterKey,
        /// What it has reached.
        value: i64,
        /// When its window closes.
        window_end: Timestamp,
    },
    /// A slot that is taken.
    Slot {
        /// Its name.
        key: SlotKey,
        /// What has it.
        owner: ClaimOwner,
        /// For how long.
        claimed: Claimed,
    },
    /// What an open payment gives back; accounts, counters and slots count it already.
    Open {
        /// Its lane.
        lane: Lane,
        /// The payment.
        payment: PaymentId,
        /// Accounts, and what it holds of them.
        holds: Vec<(AccountId, Currency, i64)>,
        /// Counters, and what it added.
        counters: Vec<(CounterKey, i64)>,
        /// Slots, and what an approval does to them.
        slots: Vec<(SlotKey, Keep)>,
    },
    /// A key that is known.
    Key {
        /// The key.
        key: IdempotencyKey,
        /// What exactly was asked; the upper half counts.
        fingerprint: Fingerprint,
        /// By which payment.
        payment: PaymentId,
    },
    /// A reversal that came before its original.
    Early(EarlyReversal),
}

/// For how long a slot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// Until its payment has an outcome.
    Open,
    /// Until its payment is reversed.
    Kept,
    /// Until its payment is reversed, or an instant.
    Until(Timestamp),
}

/// The lists that are loaded, each with its group.
pub(super) fn calls(rows: &[Row], layout: &Layout) -> Vec<(usize, Vec<u8>)> {
    let mut calls = Vec::new();
    for group in 0..layout.groups() {
        let rows = rows.iter().filter_map(|row| row.packed(group, layout));
        let rows: Vec<PackedArray> = rows.collect();
        for rows in rows.chunks(CALL_ROWS) {
            let mut list = PackedArray::default();
            rows.iter().for_each(|row| list.list(row));
            calls.push((group, list.packed()));
        }
    }
    calls
}

impl Row {
    /// The row of one group, if it has any.
    fn packed(&self, group: usize, layout: &Layout) -> Option<PackedArray> {
        let mut list = PackedArray::default();
        match self {
            Self::Dropped(at) => {
                list.text(b"dropped");
                list.text(pack::instant(*at).as_bytes());
                return Some(list);
            }
            Self::Account { account, currency, balance, held } => {
                (layout.group_of_account(*account, *currency) == group).then_some(())?;
                list.text(b"account");
                list.text(pack::account_name(*account, *currency).as_bytes());
                list.text(balance.to_string().as_bytes());
                list.text(held.to_string().as_bytes());
            }
            Self::Counter { key, value, window_end } => {
                (layout.group_of_counter(key.0) == group).then_some(())?;
                list.text(b"counter");
                list.text(&pack::counter_name(key.0));
                list.number(*value);
                list.text(pack::instant(*window_end).as_bytes());
            }
            Self::Slot { key, owner, claimed } => {
                (layout.group_of_slot(key.0) == group).then_some(())?;
                list.text(b"slot");
                list.text(&pack::slot_name(key.0));
                list.text(&pack::owner(*owner));
                list.text(claimed.text().as_bytes());
            }
            Self::Open { .. } => return self.packed_open(group, layout),
            Self::Key { key, fingerprint, payment } => {
                (layout.group_of_key(*key) == group).then_some(())?;
                list.text(b"key");
                list.text(&key.0.to_be_bytes());
                list.text(&pack::half(*fingerprint));
                list.text(&pack::payment(*payment));
            }
            Self::Early(early) => {
                let arguments = early::arguments(early)?;
                list.text(b"early");
                arguments.iter().for_each(|argument| list.text(argument));
            }
        }
        Some(list)
    }

    fn packed_open(&self, group: usize, layout: &Layout) -> Option<PackedArray> {
        let Self::Open { lane, payment, holds, counters, slots } = self else { return None };
        let mut held = Held::default();
        for (key, keep) in slots.iter().filter(|it| layout.group_of_slot(it.0.0) == group) {
            held.slot(key.0, *keep);
        }
        for (key, delta) in counters.iter().filter(|it| layout.group_of_counter(it.0.0) == group) {
            held.counter(key.0, *delta);
        }
        for (account, currency, minor) in holds {
            if layout.group_of_account(*account, *currency) == group {
                held.hold(*account, *currency, *minor);
            }
        }
        let held = held.packed();
        (!held.is_empty()).then_some(())?;
        let mut list = PackedArray::default();
        list.text(b"open");
        list.text(&pack::payment(*payment));
        list.text(lane.to_string().as_bytes());
        list.text(&held);
        Some(list)
    }
}

impl Claimed {
    fn text(self) -> String {
        match self {
            Self::Open => "o".to_owned(),
            Self::Kept => pack::keep_text(Keep::WhileApproved),
            Self::Until(until) => pack::keep_text(Keep::Until(until)),
        }
    }
}
