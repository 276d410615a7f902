//! Load over ISO 8583 lines, from planned instants: a request that has to wait, for whatever
//! reason, is measured from when it should have been sent.

mod line;
mod pacer;
pub mod record;
mod template;
pub mod window;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::clock;
use crate::tasks::Tasks;
use crate::wire::WireError;
use crate::workload::Workload;
use crate::workload::schedule::{Pace, Schedule};
use record::{ClientAnswer, Recorder, Second};
use template::Template;

/// Open requests of a whole run; a tenth of the STANs, so that none comes again within a second.
const OPEN_MAX: u32 = 100_000;

/// A request planned just before the end may leave this much after it; what waits longer is unsent.
const GRACE_NS: u64 = 50_000_000;

/// What a run keeps of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Counts and histograms only.
    Figures,
    /// Every answer too, 24 bytes each, for an audit.
    Answers,
}

/// What a run does.
#[derive(Debug, Clone)]
pub struct DriveSettings {
    /// The switch's ISO 8583 address; loopback only.
    pub target: SocketAddr,
    /// DE32 of the sign-on and of every request.
    pub acquirer_id: String,
    /// When requests are sent.
    pub pace: Pace,
    /// For how long requests are planned.
    pub duration: Duration,
    /// Lines.
    pub connections: u32,
    /// Requests open at most on each line.
    pub in_flight: u32,
    /// When the client gives a request up; should lie after the switch's own deadline.
    pub answer_deadline: Duration,
    /// What is asked.
    pub workload: Workload,
    /// What is kept.
    pub keep: Keep,
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The target is not on this machine.
    #[error("{0} is not a loopback address; the harness loads nothing but this machine")]
    NotLoopback(SocketAddr),
    /// More open requests than there are STANs to tell them apart within a second.
    #[error(
        "{connections} connections of {in_flight} open requests need more STANs than there are"
    )]
    TooManyOpen {
        /// Lines.
        connections: u32,
        /// Requests a line.
        in_flight: u32,
    },
    /// A setting does not fit the wire.
    #[error("a setting does not fit its field")]
    Template(#[from] WireError),
    /// A line could not be opened or signed on when the run began.
    #[error("line {line} could not be opened or signed on")]
    Line {
        /// Which, from 0.
        line: u32,
        /// Why.
        source: io::Error,
    },
    /// The pacing thread could not be started.
    #[error("the pacing thread could not be started")]
    Pacer(#[source] io::Error),
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// Everything measured.
    pub recorder: Recorder,
    /// Requests planned; for a closed loop, sent.
    pub planned: u64,
    /// Four digits that stand in front of each reference (DE37), so that runs do not collide.
    pub run_number: u64,
}

impl Run {
    /// The reference (DE37) given to payment `index`.
    pub fn rrn(&self, index: u64) -> u64 {
        rrn(self.run_number, index)
    }

    /// The answers kept.
    pub fn answers(&self) -> &[ClientAnswer] {
        self.recorder.answers.as_deref().unwrap_or_default()
    }
}

fn rrn(run_number: u64, index: u64) -> u64 {
    run_number * 100_000_000 + index % 100_000_000
}

#[derive(Debug)]
struct Shared {
    settings: DriveSettings,
    template: Template,
    schedule: Schedule,
    run_number: u64,
    origin: Instant,
    end_ns: u64,
    /// No request leaves after this.
    last_send_ns: u64,
    /// Requests planned up to here may leave.
    released_ns: AtomicU64,
    next: AtomicU64,
    lines_busy: AtomicUsize,
    line_ended: Notify,
    wakers: Vec<Notify>,
    recorder: Mutex<Recorder>,
}

impl Shared {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request that is due, and when it was planned.
    ///
    /// Requests are released tick by tick, not at the very instant: those of one tick then leave
    /// in one write, and an answer that comes in between does not carry off a single one.
    fn take_due(&self, now_ns: u64) -> Option<(u64, u64)> {
        if now_ns >= self.last_send_ns {
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

    fn wake_all(&self) {
        self.wakers.iter().for_each(Notify::notify_one);
    }
}

/// Loads the target and gives what was measured; `progress` hears of each second.
///
/// Ends when every planned request was answered, given up or could not be sent by the end.
/// Errors: [`DriveError`], before the first request only; a line that falls later is opened anew.
pub async fn drive(
    settings: DriveSettings,
    mut progress: impl FnMut(&Second),
) -> Result<Run, DriveError> {
    let settings = checked(settings)?;
    let template = Template::new(&settings)?;
    let streams = open_lines(&settings).await?;
    let shared = Arc::new(begin(settings, template));
    let tasks = Tasks::new();
    for (number, stream) in (0..).zip(streams) {
        let line = line::Line::new(Arc::clone(&shared), number);
        tasks.spawn(line.run(stream, tasks.token()));
    }
    let pacer = pacer::Pacer::start(Arc::clone(&shared)).map_err(DriveError::Pacer)?;
    let mut ticks = tokio::time::interval_at(
        tokio::time::Instant::from_std(shared.origin) + Duration::from_secs(1),
        Duration::from_secs(1),
    );
    while shared.lines_busy.load(Ordering::Acquire) > 0 {
        tokio::select! {
            _ = ticks.tick() => progress(&shared.recorder().end_second()),
            () = shared.line_ended.notified() => {}
        }
    }
    drop(pacer);
    tasks.stop().await;
    Ok(finish(&shared, &mut progress))
}

fn checked(settings: DriveSettings) -> Result<DriveSettings, DriveError> {
    if !settings.target.ip().is_loopback() {
        return Err(DriveError::NotLoopback(settings.target));
    }
    let (connections, in_flight) = (settings.connections.max(1), settings.in_flight.max(1));
    if connections.saturating_mul(in_flight) > OPEN_MAX {
        return Err(DriveError::TooManyOpen { connections, in_flight });
    }
    Ok(DriveSettings { connections, in_flight, ..settings })
}

async fn open_lines(settings: &DriveSettings) -> Result<Vec<TcpStream>, DriveError> {
    let mut streams = Vec::new();
    for line in 0..settings.connections {
        let stream = line::open(settings).await;
        streams.push(stream.map_err(|source| DriveError::Line { line, source })?);
    }
    Ok(streams)
}

/// Everything the lines share; the clock of the run starts here.
fn begin(settings: DriveSettings, template: Template) -> Shared {
    let end_ns = u64::try_from(settings.duration.as_nanos()).unwrap_or(u64::MAX);
    let epoch_seconds = u64::try_from(clock::now().millis() / 1000).unwrap_or(0);
    let schedule = Schedule::new(settings.pace, end_ns);
    let lines = settings.connections;
    Shared {
        template,
        run_number: epoch_seconds % 10_000,
        end_ns,
        last_send_ns: if matches!(schedule, Schedule::Max) { end_ns } else { end_ns + GRACE_NS },
        released_ns: AtomicU64::new(0),
        schedule,
        next: AtomicU64::new(0),
        lines_busy: AtomicUsize::new(usize::try_from(lines).unwrap_or(usize::MAX)),
        line_ended: Notify::new(),
        wakers: (0..lines).map(|_| Notify::new()).collect(),
        recorder: Mutex::new(Recorder::new(settings.keep)),
        settings,
        origin: Instant::now(),
    }
}

fn finish(shared: &Shared, progress: &mut impl FnMut(&Second)) -> Run {
    let sent = shared.next.load(Ordering::Relaxed);
    let planned = shared.schedule.count().unwrap_or(sent);
    let mut guard = shared.recorder();
    for index in sent..planned {
        guard.unsent(shared.schedule.planned_ns(index).unwrap_or(0), shared.end_ns);
    }
    progress(&guard.end_second());
    let recorder = std::mem::replace(&mut *guard, Recorder::new(Keep::Figures));
    Run { recorder, planned, run_number: shared.run_number }
}
