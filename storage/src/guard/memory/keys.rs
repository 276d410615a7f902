//! Remembered idempotency keys: two generations, so that forgetting costs nothing. They take turns
//! by elapsed time, never by what time it is.
//!
//! One entry is 40 bytes (half of the fingerprint is enough to tell two requests of one key
//! apart) and one control byte; the tables are small, so that none takes long to grow.

use foldhash::{HashMap, HashMapExt};
use router::id::PaymentId;
use router::message::{Fingerprint, IdempotencyKey};

const SHARDS: usize = 256;

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
pub(super) struct Entry {
    pub fingerprint: u64,
    pub payment: Wide,
}

type Generation = Vec<HashMap<Wide, Entry>>;

pub(super) struct Keys {
    retention_micros: i64,
    /// Elapsed time at which the current generation began, in microseconds; none before the first.
    pub began: Option<i64>,
    pub current: Generation,
    pub previous: Generation,
}

impl Keys {
    pub fn new(retention_micros: i64) -> Self {
        let (current, previous) = (generation(), generation());
        Self { retention_micros, began: None, current, previous }
    }

    pub fn len(&self) -> usize {
        self.current.iter().chain(&self.previous).map(HashMap::len).sum()
    }

    /// Whether the key was used for the same thing, and by which payment.
    pub fn find(&self, key: IdempotencyKey, fingerprint: Fingerprint) -> Option<(bool, PaymentId)> {
        let entry = self.entry(key)?;
        Some((entry.fingerprint == half(fingerprint), PaymentId(entry.payment.value())))
    }

    pub fn owner(&self, key: IdempotencyKey) -> Option<PaymentId> {
        self.entry(key).map(|entry| PaymentId(entry.payment.value()))
    }

    /// Remembers a key at an elapsed time, in microseconds.
    pub fn insert(
        &mut self,
        key: IdempotencyKey,
        fingerprint: Fingerprint,
        payment: PaymentId,
        elapsed: i64,
    ) {
        let began = *self.began.get_or_insert(elapsed);
        if elapsed >= began.saturating_add(self.retention_micros) {
            self.previous = std::mem::replace(&mut self.current, generation());
            self.began = Some(elapsed);
        }
        let entry = Entry { fingerprint: half(fingerprint), payment: Wide::of(payment.0) };
        put(&mut self.current, key.0, entry);
    }

    fn entry(&self, key: IdempotencyKey) -> Option<&Entry> {
        let (shard, wide) = (shard_of(key.0), Wide::of(key.0));
        self.current[shard].get(&wide).or_else(|| self.previous[shard].get(&wide))
    }
}

/// Puts back an entry of an image.
pub(super) fn restore(generation: &mut Generation, key: u128, fingerprint: u64, payment: u128) {
    put(generation, key, Entry { fingerprint, payment: Wide::of(payment) });
}

fn put(generation: &mut Generation, key: u128, entry: Entry) {
    generation[shard_of(key)].insert(Wide::of(key), entry);
}

fn generation() -> Generation {
    (0..SHARDS).map(|_| HashMap::new()).collect()
}

/// A key is a digest, so any of its bytes spreads.
fn shard_of(key: u128) -> usize {
    usize::from(key.to_le_bytes()[0])
}

fn half(fingerprint: Fingerprint) -> u64 {
    narrow(fingerprint.0 >> 64)
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).expect("invariant: 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_at_most_a_hundred_bytes_even_in_a_table_that_just_grew() {
        let in_table = size_of::<(Wide, Entry)>() + 1;
        // A table doubles when it is 7/8 full, so it is never less than 7/16 full after that.
        assert!(in_table * 16 / 7 <= 100, "{in_table} bytes");
    }

    #[test]
    fn a_key_is_known_for_the_retention_and_forgotten_after_two() {
        let mut keys = Keys::new(100);
        let insert = |keys: &mut Keys, key, at| {
            keys.insert(IdempotencyKey(key), Fingerprint(1 << 64), PaymentId(key), at);
        };
        insert(&mut keys, 1, 0);
        insert(&mut keys, 2, 99);
        insert(&mut keys, 3, 100);
        assert_eq!(keys.owner(IdempotencyKey(2)), Some(PaymentId(2)));
        insert(&mut keys, 4, 200);
        assert_eq!(keys.owner(IdempotencyKey(1)), None);
        assert_eq!(keys.owner(IdempotencyKey(2)), None);
        assert_eq!(keys.owner(IdempotencyKey(3)), Some(PaymentId(3)));
    }

    #[test]
    fn the_fingerprint_tells_a_repeat_from_a_reuse() {
        let mut keys = Keys::new(100);
        keys.insert(IdempotencyKey(1), Fingerprint(7 << 64), PaymentId(1), 0);
        let found = |high: u128| keys.find(IdempotencyKey(1), Fingerprint(high << 64));
        assert_eq!(found(7), Some((true, PaymentId(1))));
        assert_eq!(found(8), Some((false, PaymentId(1))));
    }
}
