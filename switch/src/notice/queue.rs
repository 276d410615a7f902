//! What one endpoint is owed, as far as it is held in memory: which notice may go next.
//!
//! Notices with the same order key go one after the other; the next one waits until the one before
//! it was accepted or given up. Other keys do not wait for it. Those of one lane go in its journal's
//! order, those of several in the order they were learnt of.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use router::time::Timestamp;
use storage::journal::Head;
use storage::outbox::{OrderKey, ReadThrough, UndeliveredNotice};

/// Notices of one endpoint held at once; the rest waits in the outbox.
pub const LEN_MAX: usize = 4096;

/// The notices of one endpoint.
#[derive(Debug, Default)]
pub struct Queue {
    owed: BTreeMap<u64, Held>,
    /// Positions of each key, in the order they go; the first one is due or on its way.
    keys: HashMap<OrderKey, VecDeque<u64>>,
    /// The first of each key that is not on its way, by its time.
    due: BTreeSet<Due>,
    /// The same by how long they are owed: since when, and their positions.
    ages: BTreeSet<(Timestamp, u64)>,
    on_their_way: HashMap<OrderKey, u64>,
    read_through: ReadThrough,
    taken_in: u64,
}

#[derive(Debug)]
struct Held {
    notice: UndeliveredNotice,
    /// How many were taken in before: no lane's notices come before all of another's.
    turn: u64,
}

/// When a notice is due, its turn among those due then, its position.
type Due = (Timestamp, u64, u64);

impl Queue {
    /// How many are held.
    pub fn len(&self) -> usize {
        self.owed.len()
    }

    /// How many more may be taken in.
    pub fn room(&self) -> usize {
        LEN_MAX.saturating_sub(self.owed.len())
    }

    /// How far the outbox was read.
    pub fn read_through(&self) -> &ReadThrough {
        &self.read_through
    }

    /// Lets the outbox be read from its start again; what is held stays as it is.
    pub fn rewind(&mut self) {
        self.read_through = ReadThrough::default();
    }

    /// Takes in what the outbox gave after [`Queue::read_through`], and how far that goes.
    pub fn take_in(&mut self, owed: Vec<UndeliveredNotice>, through: ReadThrough) {
        self.read_through = through;
        for notice in owed {
            if self.owed.contains_key(&notice.sequence) {
                self.take_redelivered(&notice);
                continue;
            }
            let (sequence, key) = (notice.sequence, notice.order_key);
            let first = self.keys.get(&key).and_then(|waiting| waiting.front());
            if let Some(first) = first.copied() {
                self.step_back(first);
            }
            enqueue(self.keys.entry(key).or_default(), sequence);
            self.owed.insert(sequence, Held { notice, turn: self.taken_in });
            self.taken_in += 1;
            self.line_up(key);
        }
    }

    /// A notice that is held and waits for its time takes the time it was given meanwhile: somebody
    /// asked for it. What is on its way is as it is.
    fn take_redelivered(&mut self, read: &UndeliveredNotice) {
        let key = read.order_key;
        let is_on_its_way = self.on_their_way.get(&key) == Some(&read.sequence);
        let known = &self.owed[&read.sequence].notice;
        let is_sooner = read.next_at < known.next_at && !is_on_its_way;
        if !is_sooner && read.owed_since <= known.owed_since {
            return;
        }
        let was_first = self.step_back(read.sequence);
        let Some(held) = self.owed.get_mut(&read.sequence) else { return };
        held.notice.owed_since = read.owed_since;
        if is_sooner {
            (held.notice.attempts, held.notice.next_at) = (read.attempts, read.next_at);
        }
        if was_first {
            self.line_up(key);
        }
    }

    /// What waits for its time is due now: it is sent to another address than the one that failed.
    pub fn hurry(&mut self, now: Timestamp) {
        let waiting: Vec<Due> = self.due.iter().filter(|(at, ..)| *at > now).copied().collect();
        for due in waiting {
            let (_, turn, sequence) = due;
            let Some(held) = self.owed.get_mut(&sequence) else { continue };
            held.notice.next_at = now;
            self.due.remove(&due);
            self.due.insert((now, turn, sequence));
        }
    }

    /// Gives a notice whose time has come, and holds its key back.
    pub fn next(&mut self, now: Timestamp) -> Option<UndeliveredNotice> {
        let (_, _, sequence) = self.due.first().copied().filter(|(at, _, _)| *at <= now)?;
        Some(self.take(sequence))
    }

    /// Gives the notice that is owed for the longest time, if that is since before a time, and holds
    /// its key back: whether its own time has come or not.
    pub fn next_owed_since_before(&mut self, time: Timestamp) -> Option<UndeliveredNotice> {
        let (_, sequence) = self.ages.first().copied().filter(|(since, _)| *since < time)?;
        Some(self.take(sequence))
    }

    /// Since when the notice is owed that is owed for the longest time, of those that wait.
    pub fn owed_since(&self) -> Option<Timestamp> {
        self.ages.first().map(|(since, _)| *since)
    }

    fn take(&mut self, sequence: u64) -> UndeliveredNotice {
        self.step_back(sequence);
        let notice = self.owed[&sequence].notice.clone();
        self.on_their_way.insert(notice.order_key, sequence);
        notice
    }

    /// Takes a notice from among those that wait for their time, if it is one of them.
    fn step_back(&mut self, sequence: u64) -> bool {
        self.ages.remove(&(self.owed[&sequence].notice.owed_since, sequence));
        self.due.remove(&self.due_of(sequence))
    }

    /// When the next notice's time comes; none while nothing is waiting for its time.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _, _)| *at)
    }

    /// Whether a notice was asked for once more since it was given to be sent.
    pub fn is_redelivery_asked(&self, sent: &UndeliveredNotice) -> bool {
        let held = self.owed.get(&sent.sequence);
        held.is_some_and(|held| held.notice.owed_since > sent.owed_since)
    }

    /// A notice on its way was accepted or given up: the next of its key may go.
    pub fn settled(&mut self, sequence: u64) {
        let Some(held) = self.owed.remove(&sequence) else { return };
        let key = held.notice.order_key;
        self.on_their_way.remove(&key);
        if let Some(waiting) = self.keys.get_mut(&key) {
            // It is the first, unless the redelivery of an earlier one was asked for meanwhile.
            if let Some(place) = waiting.iter().position(|other| *other == sequence) {
                waiting.remove(place);
            }
            if waiting.is_empty() {
                self.keys.remove(&key);
            }
        }
        self.line_up(key);
    }

    /// A notice on its way is to be tried again.
    pub fn again(&mut self, sequence: u64, attempts: u32, next_at: Timestamp) {
        let Some(held) = self.owed.get_mut(&sequence) else { return };
        (held.notice.attempts, held.notice.next_at) = (attempts, next_at);
        let key = held.notice.order_key;
        self.on_their_way.remove(&key);
        self.line_up(key);
    }

    /// Puts the first of a key among those that wait for their time, unless one is on its way.
    fn line_up(&mut self, key: OrderKey) {
        if self.on_their_way.contains_key(&key) {
            return;
        }
        if let Some(first) = self.keys.get(&key).and_then(|waiting| waiting.front()).copied() {
            self.due.insert(self.due_of(first));
            self.ages.insert((self.owed[&first].notice.owed_since, first));
        }
    }

    fn due_of(&self, sequence: u64) -> Due {
        let held = &self.owed[&sequence];
        (held.notice.next_at, held.turn, sequence)
    }
}

/// Puts a position behind all others of its key, but before later ones of its own lane: those are
/// there first only when its redelivery was asked for.
fn enqueue(waiting: &mut VecDeque<u64>, sequence: u64) {
    let same_lane = |other: &&u64| Head::lane_of(**other) == Head::lane_of(sequence);
    match waiting.iter().rev().find(same_lane) {
        Some(last) if *last > sequence => {
            let later = waiting.iter().position(|other| same_lane(&other) && *other > sequence);
            waiting.insert(later.unwrap_or(waiting.len()), sequence);
        }
        Some(_) | None => waiting.push_back(sequence),
    }
}

#[cfg(test)]
mod tests {
    use router::id::{BillNo, Lane, PaymentId};
    use router::notice::{NoticeType, notice_id};

    use super::*;

    const START: Timestamp = Timestamp(0);

    fn owed(sequence: u64, key: OrderKey) -> UndeliveredNotice {
        let payment = PaymentId(u128::from(sequence));
        let kind = NoticeType::PaymentApproved;
        UndeliveredNotice {
            sequence,
            notice_id: notice_id(payment, kind),
            payment,
            kind,
            refund: None,
            order_key: key,
            attempts: 0,
            next_at: START,
            owed_since: START,
        }
    }

    fn take_in(queue: &mut Queue, owed: Vec<UndeliveredNotice>) {
        queue.take_in(owed, ReadThrough::default());
    }

    fn bill(number: &str) -> OrderKey {
        OrderKey::Bill(BillNo::new(number).unwrap())
    }

    fn sent(queue: &mut Queue, now: Timestamp) -> Vec<u64> {
        std::iter::from_fn(|| queue.next(now)).map(|notice| notice.sequence).collect()
    }

    #[test]
    fn a_redelivery_asked_for_while_the_notice_is_on_its_way_is_seen_when_its_answer_comes() {
        let mut queue = Queue::default();
        take_in(&mut queue, vec![owed(1, bill("A")), owed(2, bill("B"))]);
        let sent: Vec<UndeliveredNotice> = std::iter::from_fn(|| queue.next(START)).collect();
        take_in(
            &mut queue,
            vec![UndeliveredNotice { owed_since: Timestamp(9), ..owed(1, bill("A")) }],
        );
        let asked: Vec<bool> = sent.iter().map(|sent| queue.is_redelivery_asked(sent)).collect();
        assert_eq!(asked, [true, false]);
        queue.again(1, 0, Timestamp(9));
        let again = queue.next(Timestamp(9)).unwrap();
        assert!(!queue.is_redelivery_asked(&again), "it is sent as the redelivery set it");
        assert_eq!(again.owed_since, Timestamp(9));
    }

    #[test]
    fn a_notice_that_fails_holds_back_its_own_bill_and_no_other() {
        let mut queue = Queue::default();
        take_in(&mut queue, vec![owed(1, bill("A")), owed(2, bill("B")), owed(3, bill("A"))]);
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
        assert!(queue.ages.is_empty());
    }

    #[test]
    fn a_later_notice_of_a_bill_waits_for_one_that_is_waiting_for_its_time() {
        let mut queue = Queue::default();
        let retrying =
            UndeliveredNotice { attempts: 2, next_at: Timestamp(90), ..owed(5, bill("A")) };
        take_in(&mut queue, vec![retrying]);
        take_in(&mut queue, vec![owed(6, bill("A")), owed(7, bill("B"))]);
        assert_eq!(sent(&mut queue, START), [7]);
        assert_eq!(sent(&mut queue, Timestamp(90)), [5]);
    }

    #[test]
    fn a_redelivered_notice_goes_before_later_ones_of_its_bill() {
        let mut queue = Queue::default();
        let later = UndeliveredNotice { next_at: Timestamp(10), ..owed(9, bill("A")) };
        take_in(&mut queue, vec![later]);
        queue.rewind();
        take_in(&mut queue, vec![owed(4, bill("A")), owed(9, bill("A"))]);
        assert_eq!(queue.len(), 2);
        assert_eq!(sent(&mut queue, Timestamp(10)), [4]);
        queue.settled(4);
        assert_eq!(sent(&mut queue, Timestamp(10)), [9]);
    }

    #[test]
    fn notices_of_a_bill_from_several_lanes_go_in_the_order_they_were_learnt_of() {
        let lane = |lane: u16, position: u64| Head::of_lane(Lane(lane)).sequence + position;
        let mut queue = Queue::default();
        take_in(&mut queue, vec![owed(lane(7, 3), bill("A")), owed(lane(2, 9), bill("A"))]);
        take_in(&mut queue, vec![owed(lane(2, 11), bill("A")), owed(lane(7, 1), bill("A"))]);
        for expected in [lane(7, 1), lane(7, 3), lane(2, 9), lane(2, 11)] {
            // The redelivered one comes before what followed it in its lane.
            assert_eq!(sent(&mut queue, START), [expected]);
            queue.again(expected, 1, Timestamp(5));
            assert_eq!(sent(&mut queue, START), [0; 0], "the bill waits for it");
            assert_eq!(sent(&mut queue, Timestamp(5)), [expected]);
            queue.settled(expected);
        }
        assert!(queue.keys.is_empty() && queue.on_their_way.is_empty());
    }

    #[test]
    fn no_lane_s_bills_wait_for_all_of_another_s() {
        let lane = |lane: u16, position: u64| Head::of_lane(Lane(lane)).sequence + position;
        let mut queue = Queue::default();
        let order = [lane(4, 1), lane(1, 1), lane(4, 2), lane(1, 2)];
        take_in(&mut queue, order.map(|at| owed(at, bill(&at.to_string()))).into());
        assert_eq!(sent(&mut queue, START), order);
    }

    #[test]
    fn a_waiting_notice_that_was_asked_for_goes_at_once_with_its_schedule_before_it() {
        let mut queue = Queue::default();
        let waiting =
            UndeliveredNotice { attempts: 7, next_at: Timestamp(900), ..owed(3, bill("A")) };
        queue.take_in(vec![waiting.clone(), owed(4, bill("A"))], ReadThrough::default());
        assert_eq!(sent(&mut queue, Timestamp(10)), [0; 0]);
        queue.rewind();
        let asked_for =
            UndeliveredNotice { attempts: 0, next_at: Timestamp(10), ..waiting.clone() };
        queue.take_in(vec![asked_for, owed(4, bill("A"))], ReadThrough::default());
        let next = queue.next(Timestamp(10)).unwrap();
        assert_eq!((next.sequence, next.attempts), (3, 0));
        // One that is on its way stays as it is, whatever the outbox says of it.
        queue
            .take_in(vec![UndeliveredNotice { next_at: START, ..waiting }], ReadThrough::default());
        assert_eq!(sent(&mut queue, Timestamp(10)), [0; 0]);
        queue.again(3, 1, Timestamp(20));
        assert_eq!(sent(&mut queue, Timestamp(20)), [3]);
    }

    #[test]
    fn what_waits_for_its_time_can_be_made_due_and_keeps_the_order_of_its_bill() {
        let mut queue = Queue::default();
        let waiting = |sequence, at| UndeliveredNotice {
            next_at: Timestamp(at),
            ..owed(sequence, bill("A"))
        };
        take_in(&mut queue, vec![waiting(1, 900), owed(2, bill("A")), owed(3, bill("B"))]);
        assert_eq!(sent(&mut queue, Timestamp(10)), [3]);
        queue.again(3, 1, Timestamp(800));
        queue.hurry(Timestamp(10));
        assert_eq!(queue.next_at(), Some(Timestamp(10)));
        assert_eq!(sent(&mut queue, Timestamp(10)), [1, 3]);
        queue.settled(1);
        assert_eq!(sent(&mut queue, Timestamp(10)), [2]);
    }

    #[test]
    fn the_oldest_that_wait_are_given_before_their_time_each_in_the_order_of_its_bill() {
        let mut queue = Queue::default();
        let since = |sequence, at, key| UndeliveredNotice {
            owed_since: Timestamp(at),
            next_at: Timestamp(900),
            ..owed(sequence, key)
        };
        let (one, other) = (bill("A"), bill("B"));
        take_in(&mut queue, vec![since(1, 30, one), since(2, 10, one), since(3, 20, other)]);
        assert_eq!(queue.owed_since(), Some(Timestamp(20)), "the first of each bill count");
        assert_eq!(queue.next_owed_since_before(Timestamp(20)), None);
        let mut oldest = |time| {
            let notice = queue.next_owed_since_before(Timestamp(time))?;
            queue.settled(notice.sequence);
            Some(notice.sequence)
        };
        assert_eq!(
            [oldest(40), oldest(40), oldest(40), oldest(40)],
            [3, 1, 2].map(Some).into_iter().chain([None]).collect::<Vec<_>>()[..]
        );
        assert_eq!((queue.len(), queue.owed_since()), (0, None));
        // One that is on its way is left alone, and so is one that was asked for again.
        take_in(
            &mut queue,
            vec![UndeliveredNotice { next_at: START, ..since(4, 10, one) }, since(5, 10, other)],
        );
        assert_eq!(sent(&mut queue, START), [4]);
        let asked_for = UndeliveredNotice { next_at: Timestamp(50), ..since(5, 50, other) };
        queue.take_in(vec![asked_for], ReadThrough::default());
        assert_eq!(queue.next_owed_since_before(Timestamp(50)), None);
        queue.again(4, 1, Timestamp(900));
        let oldest = queue.next_owed_since_before(Timestamp(50));
        assert_eq!(oldest.map(|notice| notice.sequence), Some(4));
    }

    #[test]
    fn no_more_than_the_ceiling_is_asked_for() {
        let mut queue = Queue::default();
        take_in(&mut queue, (1..=4096).map(|at| owed(at, bill(&at.to_string()))).collect());
        assert_eq!(queue.room(), 0);
        assert_eq!(sent(&mut queue, START).len(), 4096);
        queue.settled(1);
        assert_eq!(queue.room(), 1);
    }
}
