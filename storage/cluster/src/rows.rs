//! What all lanes together hold of the guard: their folds, merged.
//!
//! Each lane is folded by itself, because lanes have no order among each other: what one lane's
//! payment gave back must not take what another lane's payment took since. Sums add up; of a slot
//! there is at most one claim that still counts, for the gate let no second in.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use router::id::{AccountId, Lane};
use router::reservation::{ClaimOwner, CounterKey, SlotKey};
use router::time::Timestamp;
use storage::guard::{ClaimTerm, MemoryGuard};
use storage_redis::{Claimed, Row};

/// The merged rows.
#[derive(Default)]
pub struct Merged {
    /// The latest end of a window whose counters may have been forgotten.
    dropped: Option<Timestamp>,
    /// By name and numeric currency.
    accounts: BTreeMap<(AccountId, u16), Row>,
    counters: BTreeMap<u128, (i64, Timestamp)>,
    slots: BTreeMap<u128, (ClaimOwner, ClaimTerm)>,
    /// Open payments, keys and early reversals, which are each of one lane.
    own: Vec<Row>,
}

impl Merged {
    /// Adds one lane.
    pub fn add(&mut self, lane: Lane, guard: &MemoryGuard) {
        self.dropped = self.dropped.max(guard.forgotten_windows());
        self.add_accounts(guard);
        for (key, value, window_end) in guard.counters() {
            let (sum, end) = self.counters.entry(key.0).or_insert((0, window_end));
            *sum = sum.saturating_add(value);
            *end = window_end.max(*end);
        }
        for (key, owner, claim) in guard.slots() {
            match self.slots.entry(key.0) {
                Entry::Vacant(free) => {
                    free.insert((owner, claim));
                }
                Entry::Occupied(mut taken) if outlasts(claim, taken.get().1) => {
                    taken.insert((owner, claim));
                }
                Entry::Occupied(_) => {}
            }
        }
        let open = guard.open().map(|(payment, open)| Row::Open {
            lane,
            payment,
            holds: open.holds.to_vec(),
            counters: open.counters.iter().map(|(key, delta)| (CounterKey(*key), *delta)).collect(),
            slots: open.slots.iter().map(|(key, keep)| (SlotKey(*key), *keep)).collect(),
        });
        self.own.extend(open);
        let key = |(key, fingerprint, payment)| Row::Key { key, fingerprint, payment };
        self.own.extend(guard.keys().map(key));
        self.own.extend(guard.early_reversals().copied().map(Row::Early));
    }

    fn add_accounts(&mut self, guard: &MemoryGuard) {
        for (account, currency, more, more_held) in guard.accounts() {
            let fresh = Row::Account { account, currency, balance: 0, held: 0 };
            let row = self.accounts.entry((account, currency.numeric())).or_insert(fresh);
            if let Row::Account { balance, held, .. } = row {
                *balance += more;
                *held += more_held;
            }
        }
    }

    /// All rows.
    pub fn into_rows(self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.dropped.map(Row::Dropped).into_iter().collect();
        rows.extend(self.accounts.into_values());
        let counter = |(key, (value, window_end))| {
            let key = CounterKey(key);
            Row::Counter { key, value, window_end }
        };
        rows.extend(self.counters.into_iter().map(counter));
        let slot = |(key, (owner, claim))| {
            let (key, claimed) = (SlotKey(key), claimed(claim));
            Row::Slot { key, owner, claimed }
        };
        rows.extend(self.slots.into_iter().map(slot));
        rows.extend(self.own);
        rows
    }
}

fn claimed(claim: ClaimTerm) -> Claimed {
    match claim {
        ClaimTerm::Open => Claimed::Open,
        ClaimTerm::Kept => Claimed::Kept,
        ClaimTerm::KeptUntil(until) => Claimed::Until(until),
    }
}

/// Whether a claim counts where another stands: one of the two is over and not swept yet.
fn outlasts(claim: ClaimTerm, other: ClaimTerm) -> bool {
    match (claim, other) {
        (ClaimTerm::KeptUntil(until), ClaimTerm::KeptUntil(other)) => until > other,
        (ClaimTerm::KeptUntil(_), ClaimTerm::Open | ClaimTerm::Kept) => false,
        (ClaimTerm::Open | ClaimTerm::Kept, _) => true,
    }
}
