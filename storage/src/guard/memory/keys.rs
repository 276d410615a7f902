//! Remembered idempotency keys: two generations, so that forgetting costs nothing. They take turns
//! by elapsed time, never by what time it is.
//!
//! Keys whose upper half is the same are requests of one participant with one STAN, terminal and
//! RRN: they are found together, so that a repeat with a DE7 of its own meets its original. Nearly
//! always there is one. One entry is 40 bytes (half of the fingerprint is enough to tell two
//! requests of one key apart) and one control byte; the tables are small, so that none takes long
//! to grow.

use foldhash::{HashMap, HashMapExt};
use router::id::PaymentId;
use router::message::{Fingerprint, IdempotencyKey};

use crate::guard::Sought;

const SHARDS: usize = 256;
/// Keys of one name that are found together. A participant that uses one STAN for everything has
/// more; those are found by the whole key alone.
const OF_NAME_MAX: usize = 16;

/// 128 bits that need no 16-byte alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Wide(u64, u64);

impl Wide {
    fn of(value: u128) -> Self {
        let low = value & u128::from(u64::MAX);
        Self(narrow(value >> 64), narrow(low))
    }

    pub fn value(self) -> u128 {
        u128::from(self.0) << 64 | u128::from(self.1)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct KnownKey {
    /// The lower half of the key.
    rest: u64,
    fingerprint: u64,
    payment: Wide,
}

/// An entry with its whole key.
pub(super) struct KnownKeyRow {
    pub key: u128,
    pub fingerprint: u64,
    pub payment: u128,
}

/// A key that is to be remembered, of a payment that was granted or refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewKey {
    pub key: IdempotencyKey,
    pub fingerprint: Fingerprint,
    pub payment: PaymentId,
    /// Elapsed time at which it came, in microseconds.
    pub elapsed: i64,
}

/// The keys of one generation.
pub(super) struct Generation {
    /// The first key of each name.
    shards: Vec<HashMap<u64, KnownKey>>,
    /// Further keys of a name, as many as are found together.
    more: HashMap<u64, Vec<KnownKey>>,
    /// Any beyond, by the whole key.
    beyond: HashMap<Wide, KnownKey>,
}

pub(super) struct KnownKeys {
    retention_micros: i64,
    /// Elapsed time at which the current generation began, in microseconds; none before the first.
    pub began: Option<i64>,
    pub current: Generation,
    pub previous: Generation,
}

impl KnownKeys {
    pub fn new(retention_micros: i64) -> Self {
        let (current, previous) = (Generation::new(), Generation::new());
        Self { retention_micros, began: None, current, previous }
    }

    pub fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    /// Whether the request asks for the same thing as the payment it repeats, and which that is.
    pub fn find(&self, sought: &Sought) -> Option<(bool, PaymentId)> {
        let fingerprint = half(sought.fingerprint);
        if let Some(entry) = self.entry(sought.key) {
            return Some((same(entry.fingerprint, fingerprint), entry.payment()));
        }
        let began = sought.day_began?;
        let name = sought.key.name();
        let of_name = || self.current.of_name(name).chain(self.previous.of_name(name));
        let of_day = || of_name().filter(|entry| entry.payment().unix_ms() >= began.millis());
        if sought.fingerprint.is_of_repeat() {
            let likely = || of_day().filter(|entry| has_amount_of(entry.fingerprint, fingerprint));
            let mut equal = likely().filter(|entry| same(entry.fingerprint, fingerprint));
            return match (equal.next(), equal.next()) {
                (Some(original), None) => Some((true, original.payment())),
                // Another request, or one of several: not a new one in any case.
                (Some(_), Some(_)) | (None, _) => likely().last().map(|it| (false, it.payment())),
            };
        }
        // A first request may come after its repeat.
        let mut repeats = of_day().filter(|entry| whole(entry.fingerprint).is_of_repeat());
        let found = repeats.find(|entry| same(entry.fingerprint, fingerprint));
        found.map(|entry| (true, entry.payment()))
    }

    pub fn owner(&self, key: IdempotencyKey) -> Option<PaymentId> {
        self.entry(key).map(KnownKey::payment)
    }

    /// Remembers a key.
    pub fn insert(&mut self, new: &NewKey) {
        let NewKey { key, fingerprint, payment, elapsed } = *new;
        let began = *self.began.get_or_insert(elapsed);
        if elapsed >= began.saturating_add(self.retention_micros) {
            self.previous = std::mem::replace(&mut self.current, Generation::new());
            self.began = Some(elapsed);
        }
        self.current.put(key.0, half(fingerprint), payment.0);
    }

    fn entry(&self, key: IdempotencyKey) -> Option<&KnownKey> {
        self.current.entry(key).or_else(|| self.previous.entry(key))
    }
}

impl Generation {
    fn new() -> Self {
        let shards = (0..SHARDS).map(|_| HashMap::new()).collect();
        Self { shards, more: HashMap::new(), beyond: HashMap::new() }
    }

    fn len(&self) -> usize {
        let first: usize = self.shards.iter().map(HashMap::len).sum();
        first + self.more.values().map(Vec::len).sum::<usize>() + self.beyond.len()
    }

    pub fn rows(&self) -> impl Iterator<Item = KnownKeyRow> {
        let row = |name: &u64, entry: &KnownKey| KnownKeyRow {
            key: Wide(*name, entry.rest).value(),
            fingerprint: entry.fingerprint,
            payment: entry.payment.value(),
        };
        let first = self.shards.iter().flatten().map(move |(name, entry)| row(name, entry));
        let more = self.more.iter();
        let more = more.flat_map(move |(name, more)| more.iter().map(move |it| row(name, it)));
        first.chain(more).chain(self.beyond.iter().map(move |(key, entry)| row(&key.0, entry)))
    }

    /// Puts an entry; one with the same key is replaced.
    pub fn put(&mut self, key: u128, fingerprint: u64, payment: u128) {
        let Wide(name, rest) = Wide::of(key);
        let entry = KnownKey { rest, fingerprint, payment: Wide::of(payment) };
        let first = self.shards[shard_of(name)].entry(name).or_insert(entry);
        if first.rest == rest {
            *first = entry;
            return;
        }
        let more = self.more.entry(name).or_default();
        if let Some(known) = more.iter_mut().find(|other| other.rest == rest) {
            *known = entry;
        } else if more.len() + 1 < OF_NAME_MAX {
            more.push(entry);
        } else {
            self.beyond.insert(Wide(name, rest), entry);
        }
    }

    fn of_name(&self, name: u64) -> impl Iterator<Item = &KnownKey> {
        let first = self.shards[shard_of(name)].get(&name);
        first.into_iter().chain(self.more.get(&name).into_iter().flatten())
    }

    fn entry(&self, key: IdempotencyKey) -> Option<&KnownKey> {
        let Wide(name, rest) = Wide::of(key.0);
        let first = self.shards[shard_of(name)].get(&name)?;
        if first.rest == rest {
            return Some(first);
        }
        let more = self.more.get(&name)?;
        let found = more.iter().find(|entry| entry.rest == rest);
        found.or_else(|| self.beyond.get(&Wide(name, rest)))
    }
}

impl KnownKey {
    fn payment(&self) -> PaymentId {
        PaymentId(self.payment.value())
    }
}

/// A name is a digest, so any of its bytes spreads.
fn shard_of(name: u64) -> usize {
    usize::from(name.to_le_bytes()[0])
}

fn half(fingerprint: Fingerprint) -> u64 {
    narrow(fingerprint.0 >> 64)
}

fn whole(half: u64) -> Fingerprint {
    Fingerprint(u128::from(half) << 64)
}

fn same(one: u64, other: u64) -> bool {
    whole(one) == whole(other)
}

fn has_amount_of(one: u64, other: u64) -> bool {
    whole(one).has_amount_of(whole(other))
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).expect("invariant: 64 bits")
}

#[cfg(test)]
mod tests;
