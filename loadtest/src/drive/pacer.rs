//! The thread that wakes lines when requests fall due. A thread, because the runtime's own timers
//! tick once a millisecond, which would be the largest part of the latency measured.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::shared::Shared;
use crate::workload::schedule::{Pace, Schedule};

/// Lines are woken at least this often, to give up old requests and to notice the end.
const HOUSEKEEPING_NS: u64 = 50_000_000;

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
    let tick_ns = tick_ns(shared.settings.pace);
    let mut line = 0;
    let mut housekeeping_at = HOUSEKEEPING_NS;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_nanos(pause_ns(shared, tick_ns)));
        let now_ns = shared.now_ns();
        shared.released_ns.store(now_ns, Ordering::Relaxed);
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
fn tick_ns(pace: Pace) -> u64 {
    match pace {
        Pace::Constant { per_second } | Pace::Poisson { per_second, .. } => match per_second {
            0..=5_000 => 100_000,
            5_001..=20_000 => 250_000,
            _ => 500_000,
        },
        Pace::Max => 50_000_000,
    }
}

/// One tick, or until the next request falls due, housekeeping not forgotten.
fn pause_ns(shared: &Shared, tick_ns: u64) -> u64 {
    let next = shared.schedule.planned_ns(shared.next.load(Ordering::Relaxed));
    let until_next = next.unwrap_or(u64::MAX).saturating_sub(shared.now_ns());
    until_next.clamp(tick_ns, HOUSEKEEPING_NS.max(tick_ns))
}

/// As few lines as can take what is due.
fn lines_to_wake(shared: &Shared, now_ns: u64) -> usize {
    if matches!(shared.schedule, Schedule::Max) || now_ns >= shared.last_send_ns() {
        return 0;
    }
    let next = shared.next.load(Ordering::Relaxed);
    let enough = (u64::from(shared.settings.in_flight) * 3).div_ceil(4);
    let is_due = |line: &usize| {
        let ahead = u64::try_from(*line).unwrap_or(0) * enough;
        shared.schedule.planned_ns(next + ahead).is_some_and(|planned| planned <= now_ns)
    };
    (0..shared.lines()).take_while(is_due).count()
}
