//! Futures that one task polls, each in a slot whose memory is used again.
//!
//! What wakes a future notes its slot, and wakes the task where no other slot of its group was noted
//! since the last turn. A turn polls the futures whose slots were noted, and no others.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;
use storage::waking;
use tokio::task::coop;

/// Slots of one group: one bit each tells which were woken.
const GROUP_LEN: usize = 64;
/// Slots whose memory is kept while they are free; what lies beyond is given back.
const KEPT_LEN: usize = 64;

/// Futures under way. They must not panic.
pub(super) struct FutureSlots<F> {
    slots: Vec<RequestSlot<F>>,
    free: Vec<usize>,
    groups: Vec<Arc<SlotGroup>>,
    task: Arc<AtomicWaker>,
    under_way: usize,
    /// The group that the next turn begins with.
    first_group: usize,
    /// What a turn left for the next: a group, and which of its slots.
    left_over: Option<(usize, u64)>,
}

/// Room for one future.
struct RequestSlot<F> {
    /// None where the memory was given back; empty where the slot is free.
    room: Option<Pin<Box<Option<F>>>>,
    waker: Waker,
}

/// Which slots of a group were woken.
struct SlotGroup {
    woken: AtomicU64,
    task: Arc<AtomicWaker>,
}

/// Wakes one slot.
struct SlotWaker {
    group: Arc<SlotGroup>,
    bit: u64,
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever noted the first slot of the group wakes the task, which then looks at all of them.
        if self.group.woken.fetch_or(self.bit, Ordering::AcqRel) == 0
            && let Some(task) = self.group.task.take()
        {
            waking::wake(task);
        }
    }
}

impl<F: Future<Output = ()>> FutureSlots<F> {
    /// Without a future.
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            groups: Vec::new(),
            task: Arc::default(),
            under_way: 0,
            first_group: 0,
            left_over: None,
        }
    }

    /// Whether no future is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way == 0
    }

    /// Takes a future, which is polled in the next turn.
    pub fn insert(&mut self, future: F) {
        let at = self.free.pop().unwrap_or_else(|| self.add_slot());
        let slot = &mut self.slots[at];
        match &mut slot.room {
            Some(room) => room.as_mut().set(Some(future)),
            None => slot.room = Some(Box::pin(Some(future))),
        }
        self.under_way += 1;
        slot.waker.wake_by_ref();
    }

    fn add_slot(&mut self) -> usize {
        let at = self.slots.len();
        let (group, bit) = (at / GROUP_LEN, 1 << (at % GROUP_LEN));
        if group == self.groups.len() {
            let (woken, task) = (AtomicU64::new(0), Arc::clone(&self.task));
            self.groups.push(Arc::new(SlotGroup { woken, task }));
        }
        let group = Arc::clone(&self.groups[group]);
        self.slots
            .push(RequestSlot { room: None, waker: Arc::new(SlotWaker { group, bit }).into() });
        at
    }

    /// One turn: polls the futures that were woken, as many as the task may poll at a time. The task
    /// of `context` is woken when there is more to do.
    pub fn turn(&mut self, context: &Context<'_>) {
        // Before the looks: whatever is woken behind a look wakes the task again.
        self.task.register(context.waker());
        let left_over = self.left_over.take();
        let mut is_done = left_over.is_none_or(|(group, woken)| self.poll_group(group, woken));
        for _ in 0..self.groups.len() {
            if !is_done {
                return context.waker().wake_by_ref();
            }
            let group = self.first_group % self.groups.len();
            self.first_group = group + 1;
            let woken = self.groups[group].woken.swap(0, Ordering::AcqRel);
            is_done = self.poll_group(group, woken);
        }
        if !is_done {
            context.waker().wake_by_ref();
        }
    }

    /// Polls slots of a group; false when some are left over.
    fn poll_group(&mut self, group: usize, mut woken: u64) -> bool {
        while woken != 0 {
            if !coop::has_budget_remaining() {
                self.left_over = Some((group, woken));
                return false;
            }
            // Fits: it is less than 64.
            self.poll_slot(group * GROUP_LEN + woken.trailing_zeros() as usize);
            woken &= woken - 1;
        }
        true
    }

    fn poll_slot(&mut self, at: usize) {
        let RequestSlot { room, waker } = &mut self.slots[at];
        let Some(room_of_future) = room else { return };
        // A waker of a future that was here before may have woken a free slot.
        let Some(future) = room_of_future.as_mut().as_pin_mut() else { return };
        if future.poll(&mut Context::from_waker(waker)).is_pending() {
            return;
        }
        room_of_future.as_mut().set(None);
        if at >= KEPT_LEN {
            *room = None;
        }
        self.under_way -= 1;
        self.free.push(at);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::task::Poll;

    use tokio::sync::Notify;

    use super::*;

    /// Takes turns until no future is under way.
    async fn finish<F: Future<Output = ()>>(slots: &mut FutureSlots<F>) {
        std::future::poll_fn(|context| {
            slots.turn(context);
            if slots.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[tokio::test]
    async fn a_turn_polls_the_futures_that_were_woken_and_no_others() {
        let wakes: Vec<Notify> = (0..200).map(|_| Notify::new()).collect();
        let polls: Vec<Cell<u32>> = (0..200).map(|_| Cell::new(0)).collect();
        let mut slots = FutureSlots::new();
        for (wake, polls) in wakes.iter().zip(&polls) {
            let mut notified = Box::pin(wake.notified());
            slots.insert(std::future::poll_fn(move |context| {
                polls.set(polls.get() + 1);
                notified.as_mut().poll(context)
            }));
        }
        std::future::poll_fn(|context| {
            slots.turn(context);
            if slots.left_over.is_none() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert!(polls.iter().all(|polls| polls.get() == 1));
        wakes[150].notify_one();
        wakes[3].notify_one();
        std::future::poll_fn(|context| {
            slots.turn(context);
            Poll::Ready(())
        })
        .await;
        let polled = |at: &usize| polls[*at].get() == 2;
        assert_eq!((0..200).filter(polled).collect::<Vec<_>>(), [3, 150]);
        assert_eq!(slots.under_way, 198);
    }

    #[tokio::test]
    async fn a_future_that_wakes_itself_is_polled_until_it_is_done() {
        let mut slots = FutureSlots::new();
        for turns in 0..10 {
            slots.insert(async move {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            });
        }
        finish(&mut slots).await;
        assert_eq!(slots.free.len(), 10);
    }

    #[tokio::test]
    async fn futures_that_are_always_ready_keep_none_from_its_turn() {
        let done = RefCell::new(Vec::new());
        let mut slots = FutureSlots::new();
        for number in 0..300 {
            let done = &done;
            slots.insert(async move {
                // Each takes more than a task may do at a time.
                for _ in 0..200 {
                    coop::consume_budget().await;
                }
                done.borrow_mut().push(number);
            });
        }
        finish(&mut slots).await;
        done.borrow_mut().sort_unstable();
        assert_eq!(*done.borrow(), (0..300).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn memory_of_many_futures_is_given_back_and_that_of_few_used_again() {
        let mut slots = FutureSlots::new();
        (0..1000).for_each(|_| slots.insert(async {}));
        finish(&mut slots).await;
        let kept =
            |slots: &FutureSlots<_>| slots.slots.iter().filter(|slot| slot.room.is_some()).count();
        assert_eq!((slots.slots.len(), kept(&slots)), (1000, KEPT_LEN));
    }

    #[tokio::test]
    async fn a_waker_of_before_wakes_no_future_wrongly() {
        let kept = RefCell::new(None);
        let mut slots = FutureSlots::new();
        let keeps = std::future::poll_fn(|context| {
            *kept.borrow_mut() = Some(context.waker().clone());
            Poll::Ready(())
        });
        slots.insert(Box::pin(keeps) as Pin<Box<dyn Future<Output = ()> + '_>>);
        finish(&mut slots).await;
        kept.borrow().as_ref().expect("a waker").wake_by_ref();
        slots.turn(&Context::from_waker(Waker::noop()));
        slots.insert(Box::pin(tokio::task::yield_now()));
        finish(&mut slots).await;
        assert_eq!(slots.free, [0]);
    }
}
