//! Wakes tasks for answers that are given many at a time: each task once, when all of them are given.
//!
//! A task that works on many requests would otherwise be woken by the first answer, look at the few
//! that are there by then, and be woken again and again.

use std::cell::RefCell;
use std::task::Waker;

thread_local! {
    /// The tasks to be woken when all answers are given; none where each is woken at once.
    static WAITING: RefCell<Option<Vec<Waker>>> = const { RefCell::new(None) };
}

/// Wakes a task: where this thread is giving many answers, when it has given them all.
///
/// Shape: called by what wakes a task of many requests, no more than once before the task runs.
pub fn wake(task: Waker) {
    let now = WAITING.with_borrow_mut(|waiting| match waiting {
        Some(waiting) => {
            waiting.push(task);
            None
        }
        None => Some(task),
    });
    now.into_iter().for_each(Waker::wake);
}

/// Gives answers; the tasks that [`wake`] is called for are woken after the last of them.
pub(crate) fn after(give_answers: impl FnOnce()) {
    WAITING.set(Some(Vec::new()));
    let _wake = WakeAll;
    give_answers();
}

/// Wakes what waits when it is dropped, though giving an answer has panicked.
struct WakeAll;

impl Drop for WakeAll {
    fn drop(&mut self) {
        WAITING.take().into_iter().flatten().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_task_is_woken_when_all_answers_are_given_and_at_once_where_there_is_one() {
        let counted = Arc::new(Counted(AtomicUsize::new(0)));
        let woken = || counted.0.load(Ordering::SeqCst);
        let task = Waker::from(Arc::clone(&counted));
        wake(task.clone());
        assert_eq!(woken(), 1);
        after(|| {
            wake(task.clone());
            assert_eq!(woken(), 1);
        });
        assert_eq!(woken(), 2);
        wake(task);
        assert_eq!(woken(), 3);
    }
}
