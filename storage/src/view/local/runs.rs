//! Sorted rows in memory, few pieces at a time.

use std::ops::RangeInclusive;

/// Rows by key, in pieces that are sorted each and grow like powers of two towards the oldest.
#[derive(Debug)]
pub(super) struct Runs<K, V> {
    /// The oldest first; of two rows of one key the one in the later piece counts.
    pieces: Vec<Vec<(K, V)>>,
}

impl<K, V> Default for Runs<K, V> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<K: Ord + Copy, V: Clone> Runs<K, V> {
    /// Adds rows; of two of one key the later counts, and any before it no more.
    pub fn push(&mut self, rows: Vec<(K, V)>) {
        if rows.is_empty() {
            return;
        }
        self.pieces.push(latest(rows));
        while let [.., older, newer] = self.pieces.as_slice()
            && older.len() <= newer.len() * 2
        {
            let newer = self.pieces.pop().unwrap_or_default();
            let mut merged = self.pieces.pop().unwrap_or_default();
            merged.extend(newer);
            self.pieces.push(latest(merged));
        }
    }

    /// The row of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.pieces.iter().rev().find_map(|piece| {
            let at = piece.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
            Some(&piece[at].1)
        })
    }

    /// The last row up to a key.
    pub fn last_up_to(&self, key: &K) -> Option<(K, V)> {
        let last = |piece: &Vec<(K, V)>| {
            let after = piece.partition_point(|(known, _)| known <= key);
            Some(piece[after.checked_sub(1)?].clone())
        };
        self.pieces.iter().filter_map(last).max_by_key(|(known, _)| *known)
    }

    /// The first keys of a range, each once, ascending.
    pub fn first_keys(&self, range: &RangeInclusive<K>, limit: usize) -> Vec<K> {
        let first = |piece: &[(K, V)]| piece[..piece.len().min(limit)].to_vec();
        self.keys_of(range, first)
    }

    /// The last keys of a range, each once, ascending.
    pub fn last_keys(&self, range: &RangeInclusive<K>, limit: usize) -> Vec<K> {
        let last = |piece: &[(K, V)]| piece[piece.len().saturating_sub(limit)..].to_vec();
        self.keys_of(range, last)
    }

    /// All rows, ascending, each key once.
    pub fn rows(&self) -> Vec<(K, V)> {
        latest(self.pieces.iter().flatten().cloned().collect())
    }

    fn keys_of(
        &self,
        range: &RangeInclusive<K>,
        some: impl Fn(&[(K, V)]) -> Vec<(K, V)>,
    ) -> Vec<K> {
        let within = |piece: &Vec<(K, V)>| {
            let from = piece.partition_point(|(key, _)| key < range.start());
            let to = piece.partition_point(|(key, _)| key <= range.end());
            some(&piece[from..to.max(from)])
        };
        let mut keys: Vec<K> = self.pieces.iter().flat_map(within).map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// Sorted by key, the last row of each key only.
fn latest<K: Ord + Copy, V>(mut rows: Vec<(K, V)>) -> Vec<(K, V)> {
    // Stable: of one key the later stays behind. What is sorted already is merged, not sorted.
    rows.sort_by_key(|(key, _)| *key);
    rows.dedup_by(|(later, value), (kept, kept_value)| {
        let is_same = later == kept;
        if is_same {
            std::mem::swap(value, kept_value);
        }
        is_same
    });
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is pushed, it is what an ordered map holds.
        #[test]
        fn runs_hold_what_an_ordered_map_holds(
            pushed in prop::collection::vec(prop::collection::vec((0..50_u8, any::<u16>()), 0..20), 0..20),
            key in 0..50_u8,
            to in 0..50_u8,
            limit in 0..10_usize,
        ) {
            let (mut runs, mut map) = (Runs::default(), BTreeMap::new());
            for rows in pushed {
                map.extend(rows.iter().copied());
                runs.push(rows);
            }
            prop_assert_eq!(runs.rows(), map.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(runs.get(&key), map.get(&key));
            let last = map.range(..=key).next_back().map(|(key, value)| (*key, *value));
            prop_assert_eq!(runs.last_up_to(&key), last);
            let range = key..=to.max(key);
            let all: Vec<u8> = map.range(range.clone()).map(|(key, _)| *key).collect();
            let first = runs.first_keys(&range, limit);
            prop_assert_eq!(&first[..first.len().min(limit)], &all[..all.len().min(limit)]);
            let last = runs.last_keys(&range, limit);
            let from = |keys: &[u8]| keys[keys.len() - keys.len().min(limit)..].to_vec();
            prop_assert_eq!(from(&last), from(&all));
        }
    }

    #[test]
    fn single_rows_make_few_pieces() {
        let mut runs = Runs::default();
        (0..10_000_u32).for_each(|key| runs.push(vec![(key, ())]));
        assert!(runs.pieces.len() <= 14, "{} pieces", runs.pieces.len());
    }
}
