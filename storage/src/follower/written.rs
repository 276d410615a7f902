//! What the writer knows of the records that it has just made durable, so that the follower does not
//! decode them a second time.
//!
//! The journal is the truth all the same: the follower reads each of its frames and holds it against
//! its checksum. It takes from here what the bytes of a record would tell it, and decodes what is not
//! here: the records of before the start, and those that it is too far behind for.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec;

use parking_lot::Mutex;
use router::id::PaymentId;
use router::record::Concluded;

use crate::view::Facts;

/// Records that are kept for the follower, some 250 bytes each.
const KEPT_MAX: usize = 16_384;

/// An intent, as rows need it.
pub(crate) struct WrittenIntent {
    pub sequence: u64,
    pub payment: PaymentId,
    pub facts: Facts,
}

/// An outcome.
pub(crate) struct WrittenOutcome {
    pub sequence: u64,
    pub concluded: Box<Concluded>,
}

/// Records of one durable group, in the order of their positions.
#[derive(Default)]
pub(crate) struct WrittenGroup {
    pub intents: Vec<WrittenIntent>,
    pub outcomes: Vec<WrittenOutcome>,
}

/// Groups that wait for the follower.
#[derive(Default)]
pub(crate) struct WrittenGroups {
    waiting: Mutex<VecDeque<WrittenGroup>>,
    /// Records of groups that wait, or that the follower has taken and not passed.
    kept: AtomicUsize,
}

/// Groups that the follower has taken.
#[derive(Default)]
pub(super) struct TakenGroups {
    groups: VecDeque<TakenGroup>,
}

struct TakenGroup {
    len: usize,
    intents: vec::IntoIter<WrittenIntent>,
    outcomes: vec::IntoIter<WrittenOutcome>,
}

impl WrittenGroup {
    fn len(&self) -> usize {
        self.intents.len() + self.outcomes.len()
    }
}

impl WrittenGroups {
    /// Keeps a group, unless so much is kept that the follower is far behind.
    pub fn put(&self, group: WrittenGroup) {
        let len = group.len();
        if len > 0 && self.kept.load(Ordering::Acquire) + len <= KEPT_MAX {
            self.kept.fetch_add(len, Ordering::AcqRel);
            self.waiting.lock().push_back(group);
        }
    }
}

impl TakenGroups {
    /// Takes what waits.
    pub fn take(&mut self, from: &WrittenGroups) {
        let waiting = std::mem::take(&mut *from.waiting.lock());
        self.groups.extend(waiting.into_iter().map(|group| TakenGroup {
            len: group.len(),
            intents: group.intents.into_iter(),
            outcomes: group.outcomes.into_iter(),
        }));
    }

    /// The intent at a position; none where it must be decoded.
    ///
    /// Shape: no position before one that was asked for.
    pub fn intent(&mut self, sequence: u64, from: &WrittenGroups) -> Option<WrittenIntent> {
        let group = self.group_of(sequence, from)?;
        pass(&mut group.intents, |intent| intent.sequence < sequence);
        let is_it = group.intents.as_slice().first()?.sequence == sequence;
        if is_it { group.intents.next() } else { None }
    }

    /// The outcome at a position, as [`Self::intent`].
    pub fn outcome(&mut self, sequence: u64, from: &WrittenGroups) -> Option<Box<Concluded>> {
        let group = self.group_of(sequence, from)?;
        pass(&mut group.outcomes, |outcome| outcome.sequence < sequence);
        let is_it = group.outcomes.as_slice().first()?.sequence == sequence;
        if is_it { group.outcomes.next().map(|outcome| outcome.concluded) } else { None }
    }

    /// The first group that does not end before a position; those before it are let go.
    fn group_of(&mut self, sequence: u64, from: &WrittenGroups) -> Option<&mut TakenGroup> {
        while self.groups.front().is_some_and(|group| group.ends_before(sequence)) {
            let passed = self.groups.pop_front().map_or(0, |group| group.len);
            from.kept.fetch_sub(passed, Ordering::AcqRel);
        }
        self.groups.front_mut()
    }
}

impl TakenGroup {
    fn ends_before(&self, sequence: u64) -> bool {
        let last_intent = self.intents.as_slice().last().map(|intent| intent.sequence);
        let last_outcome = self.outcomes.as_slice().last().map(|outcome| outcome.sequence);
        last_intent.max(last_outcome).is_none_or(|last| last < sequence)
    }
}

fn pass<T>(records: &mut vec::IntoIter<T>, is_before: impl Fn(&T) -> bool) {
    while records.as_slice().first().is_some_and(&is_before) {
        records.next();
    }
}
