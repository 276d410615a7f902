//! What a lane counts as its own: which frames, and how far.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use router::id::Lane;
use storage::journal::{Head, TailFrame};

use super::LaneRow;

/// Epochs whose first record is remembered.
const STARTS_MAX: usize = 64;
/// Frames the writer keeps for the reader behind it, so that it need not ask the servers.
const RECENT_BYTES_MAX: usize = 8 << 20;

/// The first record of each epoch. An epoch that a later one begins with has written none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starts(BTreeMap<u64, u64>);

impl Starts {
    pub(crate) fn first(sequence: u64) -> Self {
        Self([(1, sequence)].into())
    }

    /// With one more epoch; of too many the oldest is forgotten.
    pub(crate) fn then(&self, epoch: u64, first: u64) -> Self {
        let mut starts = self.0.clone();
        // An epoch that wrote nothing says nothing.
        starts.retain(|_, start| *start != first);
        starts.insert(epoch, first);
        while starts.len() > STARTS_MAX {
            starts.pop_first();
        }
        Self(starts)
    }

    /// The epoch under which the frame that begins with a record counts. None where that is older
    /// than what is remembered: then it is the latest under which there is such a frame, because
    /// whoever was fenced wrote it earlier than who came after.
    pub fn epoch_of(&self, sequence: u64) -> Option<u64> {
        let before = self.0.iter().rev().find(|(_, first)| **first <= sequence);
        before.map(|(epoch, _)| *epoch)
    }

    pub(super) fn of_columns(columns: &BTreeMap<i64, i64>) -> Self {
        let unsigned =
            |(epoch, first): (&i64, &i64)| (epoch.cast_unsigned(), first.cast_unsigned());
        Self(columns.iter().map(unsigned).collect())
    }

    pub(super) fn columns(&self) -> BTreeMap<i64, i64> {
        let signed = |(epoch, first): (&u64, &u64)| (epoch.cast_signed(), first.cast_signed());
        self.0.iter().map(signed).collect()
    }
}

/// How far a lane reaches, as far as is known here.
#[derive(Debug, Clone)]
pub(crate) struct LaneExtent {
    pub lane: Lane,
    pub head: Head,
    pub starts: Starts,
}

impl LaneExtent {
    pub(crate) fn of(row: &LaneRow) -> Self {
        Self { lane: row.lane, head: row.head, starts: row.starts.clone() }
    }
}

/// What a lane's writer tells the reader behind it.
#[derive(Debug, Clone)]
pub(crate) struct LaneSignals(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    reach: LaneExtent,
    /// The last frames appended, one after another, each with its first record.
    recent: VecDeque<(u64, Bytes)>,
    recent_bytes: usize,
}

impl LaneSignals {
    pub(crate) fn new(row: &LaneRow) -> Self {
        let reach = LaneExtent::of(row);
        Self(Arc::new(Mutex::new(Known { reach, recent: VecDeque::new(), recent_bytes: 0 })))
    }

    pub(crate) fn reach(&self) -> LaneExtent {
        self.0.lock().reach.clone()
    }

    pub(crate) fn set_reach(&self, row: &LaneRow) {
        self.0.lock().reach = LaneExtent::of(row);
    }

    /// A frame became durable, and the lane reaches to its end.
    pub(crate) fn appended(&self, first: u64, frame: Bytes, head: Head) {
        let mut known = self.0.lock();
        known.reach.head = head;
        known.recent_bytes += frame.len();
        known.recent.push_back((first, frame));
        while known.recent_bytes > RECENT_BYTES_MAX {
            let Some((_, oldest)) = known.recent.pop_front() else { break };
            known.recent_bytes -= oldest.len();
        }
    }

    /// The frame that holds a record, if it was appended of late.
    pub(crate) fn recent(&self, sequence: u64) -> Option<TailFrame> {
        let known = self.0.lock();
        let after = known.recent.partition_point(|(first, _)| *first <= sequence);
        let (_, bytes) = known.recent.get(after.checked_sub(1)?)?;
        let bytes = bytes.clone();
        let is_within = sequence <= known.reach.head.sequence;
        drop(known);
        // What was appended here was whole.
        is_within.then(|| TailFrame::from_bytes(&bytes).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_under_the_epoch_that_was_in_force_where_it_begins() {
        let starts = Starts::first(1).then(2, 101).then(3, 101).then(4, 151);
        let epochs: Vec<_> = [1, 100, 101, 150, 151, 9_999].map(|at| starts.epoch_of(at)).into();
        assert_eq!(epochs, [1, 1, 3, 3, 4, 4].map(Some));
        assert_eq!(starts.epoch_of(0), None);
    }

    #[test]
    fn the_newest_epochs_are_remembered_and_those_that_wrote_nothing_are_not() {
        let mut starts = Starts::first(1);
        for epoch in 2..=200 {
            starts = starts.then(epoch, 1 + epoch / 2);
        }
        assert_eq!(starts.0.len(), STARTS_MAX);
        assert_eq!(starts.epoch_of(101), Some(200));
        assert_eq!(starts.epoch_of(100), Some(199));
        assert_eq!(starts.epoch_of(37), None, "forgotten");
        assert_eq!(Starts::of_columns(&starts.columns()), starts);
    }
}
