//! What the lines of a run share: the plan, the clock, what was measured.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::record::Recorder;
use super::{DriveSettings, Entrance};
use crate::clock;
use crate::conduct::mix;
use crate::workload::schedule::Schedule;

/// A request planned just before the end may leave this much after it; what waits longer is unsent.
const GRACE_NS: u64 = 50_000_000;

/// What the lines of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: DriveSettings,
    pub(super) schedule: Schedule,
    pub(super) run_id: u64,
    /// Owner of the API key, once an answer has told it.
    pub(super) biller: OnceLock<String>,
    pub(super) origin: Instant,
    pub(super) end_ns: u64,
    /// No request leaves after this; earlier once the run is stopped.
    pub(super) last_send_ns: AtomicU64,
    /// Requests planned up to here may leave.
    pub(super) released_ns: AtomicU64,
    pub(super) next: AtomicU64,
    pub(super) lines_busy: AtomicUsize,
    pub(super) line_ended: Notify,
    /// One for each line; one for all connections of the JSON API.
    pub(super) wakers: Vec<Notify>,
    pub(super) recorder: Mutex<Recorder>,
}

impl Shared {
    /// Everything that the lines of a run share; the clock of the run starts here.
    pub(super) fn begin(settings: DriveSettings) -> Self {
        let end_ns = u64::try_from(settings.duration.as_nanos()).unwrap_or(u64::MAX);
        let schedule = Schedule::new(settings.pace, end_ns);
        let grace_ns = if matches!(schedule, Schedule::Max) { 0 } else { GRACE_NS };
        let lines = usize::try_from(settings.connections).unwrap_or(usize::MAX);
        let wakers = match settings.entrance {
            Entrance::Iso8583 { .. } => lines,
            Entrance::Http { .. } => 1,
        };
        let slow_us = u64::try_from(settings.slow_after.as_micros()).unwrap_or(u64::MAX);
        Self {
            run_id: run_id(),
            biller: OnceLock::new(),
            end_ns,
            last_send_ns: AtomicU64::new(end_ns.saturating_add(grace_ns)),
            released_ns: AtomicU64::new(0),
            schedule,
            next: AtomicU64::new(0),
            lines_busy: AtomicUsize::new(lines),
            line_ended: Notify::new(),
            wakers: (0..wakers).map(|_| Notify::new()).collect(),
            recorder: Mutex::new(Recorder::new(settings.keep, slow_us)),
            settings,
            origin: Instant::now(),
        }
    }

    /// Four digits that stand in front of each reference.
    pub(super) fn run_number(&self) -> u64 {
        run_number(self.run_id)
    }

    /// The round of STANs that the run begins with.
    pub(super) fn first_round(&self) -> u32 {
        u32::try_from(mix(self.run_id) % 1_000_000).expect("invariant: below a million")
    }

    pub(super) fn lines(&self) -> usize {
        usize::try_from(self.settings.connections).expect("invariant: lines fit memory")
    }

    pub(super) fn last_send_ns(&self) -> u64 {
        self.last_send_ns.load(Ordering::Relaxed)
    }

    /// Lets no further request leave.
    pub(super) fn stop(&self) -> Duration {
        let now_ns = self.now_ns();
        self.last_send_ns.fetch_min(now_ns, Ordering::Relaxed);
        self.wake_all();
        Duration::from_nanos(now_ns)
    }

    /// Whether no further request will leave.
    pub(super) fn is_over(&self) -> bool {
        let next = self.next.load(Ordering::Relaxed);
        self.now_ns() >= self.last_send_ns() || self.schedule.planned_ns(next).is_none()
    }

    /// Notes that one line has ended.
    pub(super) fn line_ends(&self) {
        self.lines_busy.fetch_sub(1, Ordering::AcqRel);
        self.line_ended.notify_one();
    }

    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request that is due, and when it was planned.
    ///
    /// Requests are released tick by tick, not at the very instant: those of one tick then leave
    /// in one write, and an answer that comes in between does not carry off a single one.
    pub(super) fn take_due(&self, now_ns: u64) -> Option<(u64, u64)> {
        if now_ns >= self.last_send_ns() {
            return None;
        }
        let released_ns = self.released_ns.load(Ordering::Relaxed);
        let mut index = self.next.load(Ordering::Relaxed);
        loop {
            let planned =
                self.schedule.planned_ns(index).filter(|planned| *planned <= released_ns)?;
            let (order, after) = (Ordering::Relaxed, index + 1);
            match self.next.compare_exchange_weak(index, after, order, order) {
                Ok(_) if matches!(self.schedule, Schedule::Max) => return Some((index, now_ns)),
                Ok(_) => return Some((index, planned)),
                Err(now_next) => index = now_next,
            }
        }
    }

    pub(super) fn wake_all(&self) {
        self.wakers.iter().for_each(Notify::notify_one);
    }
}

/// A number that no two runs share, at once or one after the other.
fn run_id() -> u64 {
    let began_us = u64::try_from(clock::now().0).unwrap_or(0);
    mix(began_us ^ mix(std::process::id().into()))
}

/// Four digits that stand in front of each reference (DE37): two runs hardly share them, and no card
/// number begins so. A reference that looked like one would be masked in the journal.
pub(super) fn run_number(run_id: u64) -> u64 {
    match run_id % 3_500 {
        number @ 0..2_000 => number,
        number @ 2_000..3_000 => 5_000 + number,
        number => 6_000 + number,
    }
}

/// The reference (DE37) of payment `index`.
pub(super) fn rrn(run_number: u64, index: u64) -> u64 {
    run_number * 100_000_000 + index % 100_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use router::misplaced::kept_rrn;
    use router::text::Text;

    #[test]
    fn no_reference_looks_like_a_card_number() {
        let card = Text::new("372300000000").unwrap();
        assert!(kept_rrn(&card).is_some(), "one of this kind is masked");
        for run_id in 0..3_500 {
            for index in (0..400_000).step_by(20_011) {
                let reference = format!("{:012}", rrn(run_number(run_id), index));
                assert_eq!(kept_rrn(&Text::new(&reference).unwrap()), None, "{reference}");
            }
        }
    }
}
