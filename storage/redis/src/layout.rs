//! Which group decides what, and how the names of a group begin.
//!
//! A group is what one function call can see: all its keys have one hash tag, so they are on one
//! primary. In the form of one Redis there is one group, and every decision is one call.

use std::collections::BTreeMap;

use router::id::AccountId;
use router::message::IdempotencyKey;
use router::money::Currency;
use router::posting::Entry;
use router::reservation::{Counter, Hold, Reservation, Slot};

use crate::pack::{self, Held, PackedArray};

/// Changes with the shape of the rows, so that versions that would misread each other do not meet.
const FORMAT: u32 = 3;
const HASH_SLOTS: u16 = 16_384;

#[derive(Debug)]
pub(crate) struct Layout {
    prefixes: Vec<String>,
}

/// What one group decides of a reservation.
#[derive(Debug)]
pub(crate) struct GroupShare {
    pub group: usize,
    pub has_key: bool,
    /// What it holds; nothing, where the key alone is here.
    pub held: Vec<u8>,
    /// The same and its limits, as a decision takes them: how many of each kind, the names of all,
    /// and for each counter delta, ceiling and window end, for each hold amount and floor.
    pub wants: Vec<Vec<u8>>,
    slots: Vec<usize>,
    counters: Vec<usize>,
    holds: Vec<usize>,
}

/// What of a reservation was refused, by its place in the reservation; orders as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RefusedPlace {
    /// The request itself: its reversal came first.
    Whole,
    Slot(usize),
    Counter(usize),
    Hold(usize),
}

impl Layout {
    pub fn new(namespace: &str, groups: u16) -> Self {
        let prefix = |group| format!("{{{namespace}:{group}}}v{FORMAT}:");
        Self { prefixes: (0..groups).map(prefix).collect() }
    }

    pub fn groups(&self) -> usize {
        self.prefixes.len()
    }

    pub fn prefix(&self, group: usize) -> &str {
        &self.prefixes[group]
    }

    /// The hash slot of a group in a Redis Cluster.
    pub fn hash_slot(&self, group: usize) -> u16 {
        let tag = self.prefixes[group].trim_start_matches('{').split('}').next();
        crc16(tag.unwrap_or_default().as_bytes()) % HASH_SLOTS
    }

    /// By the name of the key: a repeat with a DE7 of its own is decided beside its original.
    pub fn group_of_key(&self, key: IdempotencyKey) -> usize {
        self.group_of(b'k', &key.name().to_be_bytes())
    }

    pub fn group_of_account(&self, account: AccountId, currency: Currency) -> usize {
        self.group_of(b'a', pack::account_name(account, currency).as_bytes())
    }

    pub fn group_of_counter(&self, key: u128) -> usize {
        self.group_of(b'c', &key.to_be_bytes())
    }

    pub fn group_of_slot(&self, key: u128) -> usize {
        self.group_of(b's', &key.to_be_bytes())
    }

    /// The same in every version and on every machine: FNV-1a, mixed.
    fn group_of(&self, kind: u8, name: &[u8]) -> usize {
        if self.prefixes.len() == 1 {
            return 0;
        }
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        let hash = [kind].iter().chain(name).fold(0xcbf2_9ce4_8422_2325, step);
        // Its lower bits know little of the upper ones: mixed, so that every bit counts.
        let mixed = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let groups = self.prefixes.len() as u64;
        usize::try_from((mixed ^ mixed >> 33) % groups).expect("invariant: less than the groups")
    }

    /// How an entry moves the accounts of each group that has any of them: names and gains.
    pub fn moves(&self, entry: &Entry) -> BTreeMap<usize, PackedArray> {
        let mut moves: BTreeMap<usize, PackedArray> = BTreeMap::new();
        for (account, gained) in entry.guarded_moves() {
            let list = moves.entry(self.group_of_account(account, gained.currency)).or_default();
            list.text(pack::account_name(account, gained.currency).as_bytes());
            list.number(gained.minor);
        }
        moves
    }

    /// What an entry takes from the accounts of each group, as it is withheld.
    pub fn withheld(&self, entry: &Entry) -> BTreeMap<usize, Vec<u8>> {
        let mut held: BTreeMap<usize, Held> = BTreeMap::new();
        for (account, taken) in entry.guarded_debits() {
            let group = self.group_of_account(account, taken.currency);
            let of_group = held.entry(group).or_insert_with(Held::withheld);
            of_group.hold(account, taken.currency, taken.minor);
        }
        held.into_iter().map(|(group, held)| (group, held.packed())).collect()
    }

    /// The parts of a reservation: that of its key first, then the others in ascending order.
    pub fn parts(&self, reservation: &Reservation) -> Vec<GroupShare> {
        let Reservation { key, fingerprint: _, slots, counters, holds } = reservation;
        let of_slot: Vec<usize> = slots.iter().map(|it| self.group_of_slot(it.key.0)).collect();
        let of_counter: Vec<usize> =
            counters.iter().map(|it| self.group_of_counter(it.key.0)).collect();
        let group_of_hold = |it: &Hold| self.group_of_account(it.account, it.amount.currency);
        let of_hold: Vec<usize> = holds.iter().map(group_of_hold).collect();
        let first = self.group_of_key(*key);
        let mut groups: Vec<usize> =
            of_slot.iter().chain(&of_counter).chain(&of_hold).copied().collect();
        groups.sort_unstable();
        groups.dedup();
        groups.retain(|group| *group != first);
        groups.insert(0, first);
        let part = |group: usize| {
            let places = |of: &[usize]| (0..of.len()).filter(|at| of[*at] == group).collect();
            let places = (places(&of_slot), places(&of_counter), places(&of_hold));
            GroupShare::new(reservation, group, group == first, places)
        };
        groups.into_iter().map(part).collect()
    }
}

type Places = (Vec<usize>, Vec<usize>, Vec<usize>);

impl GroupShare {
    fn new(reservation: &Reservation, group: usize, has_key: bool, places: Places) -> Self {
        let (slots, counters, holds) = places;
        let (mut held, mut names, mut values) = (Held::default(), Vec::new(), Vec::new());
        for Slot { key, keep, .. } in slots.iter().map(|at| &reservation.slots[*at]) {
            held.slot(key.0, *keep);
            names.push(pack::slot_name(key.0).to_vec());
        }
        for counter in counters.iter().map(|at| &reservation.counters[*at]) {
            let Counter { key, delta, ceiling, window_end, .. } = counter;
            held.counter(key.0, *delta);
            names.push(pack::counter_name(key.0).to_vec());
            values.extend([delta.to_string(), ceiling.to_string(), pack::instant(*window_end)]);
        }
        for hold in holds.iter().map(|at| &reservation.holds[*at]) {
            let Hold { account, amount, floor_minor, reason: _ } = hold;
            held.hold(*account, amount.currency, amount.minor);
            names.push(pack::account_name(*account, amount.currency).into_bytes());
            values.extend([amount.minor.to_string(), floor_minor.to_string()]);
        }
        let counts = [slots.len(), counters.len(), holds.len()].map(|len| len.to_string());
        let counts = counts.into_iter().map(String::into_bytes);
        let wants = counts.chain(names).chain(values.into_iter().map(String::into_bytes));
        let (held, wants) = (held.packed(), wants.collect());
        Self { group, has_key, held, wants, slots, counters, holds }
    }

    /// The key alone.
    pub fn of_key(group: usize) -> Self {
        let (held, wants) = (Vec::new(), Vec::new());
        let (slots, counters, holds) = (Vec::new(), Vec::new(), Vec::new());
        Self { group, has_key: true, held, wants, slots, counters, holds }
    }

    /// Where in the reservation an element of this part stands.
    pub fn place(&self, kind: u8, index: usize) -> Option<RefusedPlace> {
        match kind {
            b's' => self.slots.get(index).copied().map(RefusedPlace::Slot),
            b'c' => self.counters.get(index).copied().map(RefusedPlace::Counter),
            b'h' => self.holds.get(index).copied().map(RefusedPlace::Hold),
            _ => None,
        }
    }
}

/// CRC-16/XMODEM, by which a Redis Cluster places keys.
fn crc16(bytes: &[u8]) -> u16 {
    let step = |crc: u16, _: u8| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ u16::from(*byte) << 8, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_slots_are_those_of_redis() {
        // The check value that the specification of Redis Cluster gives.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(Layout::new("n", 2).hash_slot(1), crc16(b"n:1") % HASH_SLOTS);
    }

    #[test]
    fn resources_spread_over_the_groups() {
        let layout = Layout::new("n", 16);
        let mut seen = [0; 16];
        (0..1_600).for_each(|name: u128| seen[layout.group_of_counter(name)] += 1);
        assert!(seen.iter().all(|count| (50..200).contains(count)), "{seen:?}");
    }
}
