//! Which rows go into one message.
//!
//! To the servers a message is as many writes as it has partitions, each with its own place in the
//! commit log. So rows of one partition go together, many of them; of several partitions few,
//! because the servers warn of that.

/// Partitions in one message, where it has more than one.
const PARTITIONS_MAX: usize = 10;
/// Bytes of such a message; the servers warn of 5 KiB.
const MIXED_BYTES_MAX: usize = 4_000;
/// Bytes of a message of one partition, unless a single row has more.
const BYTES_MAX: usize = 32 * 1024;
/// What a row without blobs is taken to have: keys, ids and a fingerprint.
const SMALL: usize = 100;

/// Values of a row, and where they go.
pub(super) struct RowValues<P, V> {
    partition: P,
    len: usize,
    values: V,
}

impl<P, V> RowValues<P, V> {
    /// A row of about so many bytes.
    pub fn new(partition: P, len: usize, values: V) -> Self {
        Self { partition, len: len + SMALL, values }
    }

    /// A row of keys and ids.
    pub fn small(partition: P, values: V) -> Self {
        Self::new(partition, 0, values)
    }
}

/// The values, in messages. Rows of one partition keep their order.
pub(super) fn messages<P: Ord, V>(mut rows: Vec<RowValues<P, V>>) -> Vec<Vec<V>> {
    rows.sort_by(|one, other| one.partition.cmp(&other.partition));
    let mut messages = Vec::new();
    let mut open = OpenMessage { values: Vec::new(), partitions: 0, bytes: 0 };
    let mut last = None;
    for RowValues { partition, len, values } in rows {
        let is_new = last.as_ref() != Some(&partition);
        if !open.has_room(is_new, len) {
            messages.push(std::mem::take(&mut open.values));
            open = OpenMessage { values: Vec::new(), partitions: 0, bytes: 0 };
        }
        open.partitions += usize::from(is_new || open.partitions == 0);
        open.bytes += len;
        open.values.push(values);
        last = Some(partition);
    }
    if !open.values.is_empty() {
        messages.push(open.values);
    }
    messages
}

/// A message that is being made.
struct OpenMessage<V> {
    values: Vec<V>,
    partitions: usize,
    bytes: usize,
}

impl<V> OpenMessage<V> {
    fn has_room(&self, is_new: bool, len: usize) -> bool {
        let partitions = self.partitions + usize::from(is_new);
        let bytes_max = if partitions > 1 { MIXED_BYTES_MAX } else { BYTES_MAX };
        let fits = partitions <= PARTITIONS_MAX && self.bytes + len <= bytes_max;
        self.values.is_empty() || fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lens(rows: impl IntoIterator<Item = (u8, usize)>) -> Vec<usize> {
        let rows =
            rows.into_iter().map(|(partition, len)| RowValues { partition, len, values: () });
        messages(rows.collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn many_rows_of_one_partition_go_together_and_few_of_several() {
        assert_eq!(lens([(1, 100); 300]), [300]);
        assert_eq!(lens([(1, 1_000); 70]), [32, 32, 6]);
        assert_eq!(lens((0..25).map(|partition| (partition, 100))), [10, 10, 5]);
        assert_eq!(lens((0..10).map(|partition| (partition, 900))), [4, 4, 2]);
    }

    #[test]
    fn a_message_grown_large_in_one_partition_takes_no_other() {
        assert_eq!(lens([[(1, 100); 50], [(2, 100); 50]].concat()), [50, 50]);
        assert_eq!(lens([(1, 60_000), (1, 100), (2, 60_000)]), [1, 1, 1]);
        assert_eq!(lens([]), [0; 0]);
    }

    #[test]
    fn rows_of_a_partition_meet_whatever_their_order_and_keep_it() {
        let row = |(partition, values)| RowValues { partition, len: 20_000, values };
        let rows = [(2, "a"), (1, "b"), (2, "c"), (1, "d")].map(row);
        assert_eq!(messages(rows.into()), [["b"], ["d"], ["a"], ["c"]]);
    }
}
