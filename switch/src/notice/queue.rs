//! What one endpoint is owed, as far as it is held in memory: which notice may go next.
//!
//! Notices with the same order key go one after the other, in the journal's order; the next one
//! waits until the one before it was accepted or given up. Other keys do not wait for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use router::time::Timestamp;
use storage::outbox::{OrderKey, Owed};

/// Notices of one endpoint held at once; the rest waits in the outbox.
pub const LEN_MAX: usize = 4096;

/// The notices of one endpoint.
#[derive(Debug, Default)]
pub struct Queue {
    owed: BTreeMap<u64, Owed>,
    /// Positions of each key, oldest first; the first one is due or on its way.
    keys: HashMap<OrderKey, BTreeSet<u64>>,
    /// The first of each key that is not on its way, by its time.
    due: BTreeSet<(Timestamp, u64)>,
    on_their_way: HashMap<OrderKey, u64>,
    read_through: u64,
}

impl Queue {
    /// How many are held.
    pub fn len(&self) -> usize {
        self.owed.len()
    }

    /// How many more may be taken in.
    pub fn room(&self) -> usize {
        LEN_MAX.saturating_sub(self.owed.len())
    }

    /// The position up to which the outbox was read.
    pub fn read_through(&self) -> u64 {
        self.read_through
    }

    /// Lets the outbox be read from its start again; what is held stays as it is.
    pub fn rewind(&mut self) {
        self.read_through = 0;
    }

    /// Notes that nothing else is owed up to a position.
    pub fn looked_through(&mut self, through: u64) {
        self.read_through = self.read_through.max(through);
    }

    /// Takes in what the outbox gave after [`Queue::read_through`].
    pub fn take_in(&mut self, owed: Vec<Owed>) {
        for notice in owed {
            self.read_through = self.read_through.max(notice.sequence);
            if self.owed.contains_key(&notice.sequence) {
                continue;
            }
            let (sequence, key) = (notice.sequence, notice.order_key);
            if let Some(first) = self.keys.get(&key).and_then(|waiting| waiting.first()) {
                self.due.remove(&(self.owed[first].next_at, *first));
            }
            self.keys.entry(key).or_default().insert(sequence);
            self.owed.insert(sequence, notice);
            self.line_up(key);
        }
    }

    /// Gives a notice whose time has come, and holds its key back.
    pub fn next(&mut self, now: Timestamp) -> Option<Owed> {
        let (at, sequence) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, sequence));
        let notice = self.owed[&sequence].clone();
        self.on_their_way.insert(notice.order_key, sequence);
        Some(notice)
    }

    /// When the next notice's time comes; none while nothing is waiting for its time.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A notice on its way was accepted or given up: the next of its key may go.
    pub fn settled(&mut self, sequence: u64) {
        let Some(notice) = self.owed.remove(&sequence) else { return };
        let key = notice.order_key;
        self.on_their_way.remove(&key);
        if let Some(waiting) = self.keys.get_mut(&key) {
            waiting.remove(&sequence);
            if waiting.is_empty() {
                self.keys.remove(&key);
            }
        }
        self.line_up(key);
    }

    /// A notice on its way is to be tried again.
    pub fn again(&mut self, sequence: u64, attempts: u32, next_at: Timestamp) {
        let Some(notice) = self.owed.get_mut(&sequence) else { return };
        (notice.attempts, notice.next_at) = (attempts, next_at);
        let key = notice.order_key;
        self.on_their_way.remove(&key);
        self.line_up(key);
    }

    /// Puts the first of a key among those that wait for their time, unless one is on its way.
    fn line_up(&mut self, key: OrderKey) {
        if self.on_their_way.contains_key(&key) {
            return;
        }
        if let Some(first) = self.keys.get(&key).and_then(|waiting| waiting.first()) {
            self.due.insert((self.owed[first].next_at, *first));
        }
    }
}

#[cfg(test)]
mod tests {
    use router::id::{BillNo, PaymentId};
    use router::notice::{NoticeType, notice_id};

    use super::*;

    const START: Timestamp = Timestamp(0);

    fn owed(sequence: u64, key: OrderKey) -> Owed {
        let payment = PaymentId(u128::from(sequence));
        let kind = NoticeType::PaymentApproved;
        Owed {
            sequence,
            notice_id: notice_id(payment, kind),
            payment,
            kind,
            order_key: key,
            attempts: 0,
            next_at: START,
        }
    }

    fn bill(number: &str) -> OrderKey {
        OrderKey::Bill(BillNo::new(number).unwrap())
    }

    fn sent(queue: &mut Queue, now: Timestamp) -> Vec<u64> {
        std::iter::from_fn(|| queue.next(now)).map(|notice| notice.sequence).collect()
    }

    #[test]
    fn a_notice_that_fails_holds_back_its_own_bill_and_no_other() {
        let mut queue = Queue::default();
        queue.take_in(vec![owed(1, bill("A")), owed(2, bill("B")), owed(3, bill("A"))]);
        assert_eq!(sent(&mut queue, START), [1, 2]);
        queue.again(1, 1, Timestamp(50));
        queue.settled(2);
        assert_eq!(sent(&mut queue, Timestamp(49)), [0; 0]);
        assert_eq!(queue.next_at(), Some(Timestamp(50)));
        assert_eq!(sent(&mut queue, Timestamp(50)), [1]);
        queue.settled(1);
        assert_eq!(sent(&mut queue, Timestamp(50)), [3]);
        queue.settled(3);
        assert_eq!((queue.len(), queue.next_at()), (0, None));
        assert!(queue.keys.is_empty() && queue.on_their_way.is_empty());
    }

    #[test]
    fn a_later_notice_of_a_bill_waits_for_one_that_is_waiting_for_its_time() {
        let mut queue = Queue::default();
        let retrying = Owed { attempts: 2, next_at: Timestamp(90), ..owed(5, bill("A")) };
        queue.take_in(vec![retrying]);
        queue.take_in(vec![owed(6, bill("A")), owed(7, bill("B"))]);
        assert_eq!(sent(&mut queue, START), [7]);
        assert_eq!(sent(&mut queue, Timestamp(90)), [5]);
    }

    #[test]
    fn a_revived_notice_goes_before_later_ones_of_its_bill() {
        let mut queue = Queue::default();
        let later = Owed { next_at: Timestamp(10), ..owed(9, bill("A")) };
        queue.take_in(vec![later]);
        queue.rewind();
        assert_eq!(queue.read_through(), 0);
        queue.take_in(vec![owed(4, bill("A")), owed(9, bill("A"))]);
        assert_eq!((queue.len(), queue.read_through()), (2, 9));
        assert_eq!(sent(&mut queue, Timestamp(10)), [4]);
        queue.settled(4);
        assert_eq!(sent(&mut queue, Timestamp(10)), [9]);
    }

    #[test]
    fn no_more_than_the_ceiling_is_asked_for() {
        let mut queue = Queue::default();
        queue.take_in((1..=4096).map(|at| owed(at, bill(&at.to_string()))).collect());
        assert_eq!(queue.room(), 0);
        assert_eq!(sent(&mut queue, START).len(), 4096);
        queue.settled(1);
        assert_eq!(queue.room(), 1);
    }
}
