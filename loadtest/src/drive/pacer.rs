//! The thread that wakes lines when requests fall due. A thread, because the runtime's own timers
//! tick once a millisecond, which would be the largest part of the latency measured.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Shared;
use crate::workload::schedule::{Pace, Schedule};

/// Lines are woken at least this often, to give up old requests and to notice the end.
const HOUSEKEEPING_NS: u64 = 100_000_000;

/// A running pacer; it stops when dropped.
#[derive(Debug)]
pub(super) struct Pacer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// Starts the thread.
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("pacer".to_owned())
            .spawn(move || pace(&shared, &seen))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            debug_assert!(joined.is_ok(), "the pacer does not panic");
        }
    }
}

fn pace(shared: &Shared, stop: &AtomicBool) {
    let tick = tick(shared.settings.pace);
    let mut line = 0;
    let mut housekeeping_at = HOUSEKEEPING_NS;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(tick);
        let now_ns = shared.now_ns();
        if now_ns >= housekeeping_at {
            housekeeping_at = now_ns + HOUSEKEEPING_NS;
            shared.wake_all();
            continue;
        }
        for _ in 0..lines_to_wake(shared, now_ns) {
            line = (line + 1) % shared.wakers.len();
            shared.wakers[line].notify_one();
        }
    }
}

/// Often at low rates, where each request stands alone; less often at high ones, where requests
/// that go out together save more than they lose.
fn tick(pace: Pace) -> Duration {
    match pace {
        Pace::Constant { per_second } | Pace::Poisson { per_second, .. }
            if per_second <= 20_000 =>
        {
            Duration::from_micros(100)
        }
        Pace::Constant { .. } | Pace::Poisson { .. } => Duration::from_micros(400),
        Pace::Max => Duration::from_millis(50),
    }
}

/// As few lines as can take what is due.
fn lines_to_wake(shared: &Shared, now_ns: u64) -> usize {
    let next = shared.next.load(Ordering::Relaxed);
    let enough = u64::from(shared.settings.in_flight).div_ceil(2);
    let lines = shared.wakers.len();
    if matches!(shared.schedule, Schedule::Max) || now_ns >= shared.end_ns {
        return 0;
    }
    let is_due = |line: &usize| {
        let ahead = u64::try_from(*line).unwrap_or(0) * enough;
        shared.schedule.planned_ns(next + ahead).is_some_and(|planned| planned <= now_ns)
    };
    (0..lines).take_while(is_due).count()
}
