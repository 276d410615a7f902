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

use crate::facts::Facts;

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
pub(crate) struct TakenGroups {
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

    /// The groups that wait, which are let go.
    #[cfg(test)]
    pub fn waiting(&self) -> VecDeque<WrittenGroup> {
        self.kept.store(0, Ordering::Release);
        std::mem::take(&mut *self.waiting.lock())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::Sample;
    use router::record::Record;

    fn intent(sequence: u64) -> WrittenIntent {
        let intent = Sample::new(sequence).intent();
        let facts = Facts::of(intent.folio, intent.plan.business_date, &intent.request);
        WrittenIntent { sequence, payment: intent.payment, facts }
    }

    fn outcome(sequence: u64) -> WrittenOutcome {
        let Record::Outcome(concluded) = Sample::new(sequence).approved() else {
            panic!("an outcome")
        };
        WrittenOutcome { sequence, concluded }
    }

    fn group(intents: &[u64], outcomes: &[u64]) -> WrittenGroup {
        let intents = intents.iter().copied().map(intent).collect();
        WrittenGroup { intents, outcomes: outcomes.iter().copied().map(outcome).collect() }
    }

    #[test]
    fn records_are_found_at_their_positions_and_nothing_is_found_at_others() {
        let (written, mut taken) = (WrittenGroups::default(), TakenGroups::default());
        written.put(group(&[3, 4, 6], &[5]));
        written.put(group(&[], &[8, 9]));
        taken.take(&written);
        // The follower begins behind the first of them, and passes over one.
        assert!(taken.intent(2, &written).is_none());
        let found = taken.intent(4, &written).expect("known");
        assert_eq!((found.sequence, found.payment), (4, Sample::new(4).id()));
        assert_eq!(found.facts, intent(4).facts);
        assert_eq!(taken.outcome(5, &written).expect("known").payment, Sample::new(5).id());
        assert!(taken.outcome(7, &written).is_none() && taken.intent(8, &written).is_none());
        assert!(taken.outcome(9, &written).is_some());
        assert!(taken.outcome(10, &written).is_none());
        assert_eq!(written.kept.load(Ordering::Relaxed), 0, "all are passed");
    }

    #[test]
    fn a_follower_that_is_far_behind_is_kept_no_more_than_the_ceiling() {
        let (written, mut taken) = (WrittenGroups::default(), TakenGroups::default());
        let positions: Vec<u64> = (1..=64).collect();
        let groups = KEPT_MAX / positions.len();
        (0..groups + 10).for_each(|_| written.put(group(&[], &positions)));
        assert_eq!(written.waiting.lock().len(), groups);
        taken.take(&written);
        written.put(group(&[], &[65]));
        assert!(written.waiting.lock().is_empty(), "what was taken counts until it is passed");
        assert!(taken.outcome(66, &written).is_none());
        written.put(group(&[], &[67]));
        taken.take(&written);
        assert!(taken.outcome(67, &written).is_some());
    }
}
