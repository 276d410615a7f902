//! Load over ISO 8583 lines or the JSON API, from planned instants: a request that has to wait, for
//! whatever reason, is measured from when it should have been sent.

pub mod api;
mod line;
mod pacer;
pub mod ready;
pub mod record;
mod shared;
pub mod sign_on;
mod template;
pub mod window;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;
use crate::wire::WireError;
use crate::workload::Workload;
use crate::workload::schedule::Pace;
use api::{ApiError, ApiKey};
use record::{ClientAnswer, Recorder, Second};
use shared::{Shared, rrn, run_number};
use sign_on::SignOnError;
use template::Template;

/// Open requests of a whole run; a tenth of the STANs, so that none comes again within a second.
const OPEN_MAX: u32 = 100_000;

/// What a run keeps of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Counts and histograms only.
    Figures,
    /// Every answer too, 24 bytes each, for an audit.
    Answers,
}

/// How payments reach the switch.
#[derive(Debug, Clone)]
pub enum Entrance {
    /// Over ISO 8583 lines.
    Iso8583 {
        /// DE32 of the sign-on and of every request.
        acquirer_id: String,
    },
    /// Over the JSON API, one request at a time on each connection.
    Http {
        /// The key of the biller that asks.
        api_key: ApiKey,
    },
}

/// What a run does.
#[derive(Debug, Clone)]
pub struct DriveSettings {
    /// The switch's ISO 8583 or HTTP address; loopback only.
    pub target: SocketAddr,
    /// What listens there.
    pub entrance: Entrance,
    /// When requests are sent.
    pub pace: Pace,
    /// For how long requests are planned.
    pub duration: Duration,
    /// Lines, or connections of the JSON API.
    pub connections: u32,
    /// Requests open at most on each line; over HTTP always 1.
    pub in_flight: u32,
    /// An approval that comes later than this is counted as slow.
    pub slow_after: Duration,
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
    #[error("no line to {target}")]
    Line {
        /// Which, from 0.
        line: u32,
        /// The switch's address.
        target: SocketAddr,
        /// Why.
        source: SignOnError,
    },
    /// The JSON API did not take a first request.
    #[error("no use of the JSON API at {target}")]
    Api {
        /// The switch's address.
        target: SocketAddr,
        /// Why.
        source: ApiError,
    },
    /// The pacing thread could not be started.
    #[error("the pacing thread could not be started")]
    Pacer(#[source] io::Error),
}

impl DriveError {
    /// Whether trying again cannot help.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Line { source, .. } => source.is_final(),
            Self::Api { source, .. } => source.is_final(),
            Self::NotLoopback(_)
            | Self::TooManyOpen { .. }
            | Self::Template(_)
            | Self::Pacer(_) => true,
        }
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// Everything measured.
    pub recorder: Recorder,
    /// Requests planned, up to the stop where there was one; for a closed loop, sent.
    pub planned: u64,
    /// When the run was stopped, from its start; none where it came to its end.
    pub stopped_after: Option<Duration>,
    /// A number that no other run has.
    pub run_id: u64,
    /// Owner of the API key, as answers told it; none over ISO 8583.
    pub biller: Option<String>,
}

impl Run {
    /// The reference (DE37) given to payment `index`.
    pub fn rrn(&self, index: u64) -> u64 {
        rrn(run_number(self.run_id), index)
    }

    /// The answers kept.
    pub fn answers(&self) -> &[ClientAnswer] {
        self.recorder.answers.as_deref().unwrap_or_default()
    }
}

/// Loads the target and gives what was measured; `progress` hears of each second. A cancelled `stop`
/// ends the run early: nothing more is sent, and open requests come to their end.
///
/// Ends when every planned request was answered, given up or could not be sent by the end.
/// Errors: [`DriveError`], before the first request only; a line that falls later is opened anew.
pub async fn drive(
    settings: DriveSettings,
    stop: &CancellationToken,
    mut progress: impl FnMut(&Second),
) -> Result<Run, DriveError> {
    let settings = checked(settings)?;
    let tasks = Tasks::new();
    let shared = match &settings.entrance {
        Entrance::Iso8583 { acquirer_id } => {
            let acquirer_id = acquirer_id.clone();
            start_lines(settings, &acquirer_id, &tasks).await?
        }
        Entrance::Http { api_key } => {
            let api_key = api_key.clone();
            api::probe(&settings).await?;
            let shared = Arc::new(Shared::begin(settings));
            for _ in 0..shared.settings.connections {
                let client = api::Client::new(Arc::clone(&shared), &api_key, tasks.spawner());
                tasks.spawn(client.run(tasks.token()));
            }
            shared
        }
    };
    let stopped_after = watch(&shared, stop, &mut progress).await?;
    tasks.stop().await;
    Ok(finish(&shared, stopped_after, &mut progress))
}

/// Opens the lines, then starts the clock of the run and the lines' tasks.
async fn start_lines(
    settings: DriveSettings,
    acquirer_id: &str,
    tasks: &Tasks,
) -> Result<Arc<Shared>, DriveError> {
    let template = Arc::new(Template::new(&settings.workload, acquirer_id)?);
    let streams = open_lines(&settings, acquirer_id).await?;
    let shared = Arc::new(Shared::begin(settings));
    for (number, stream) in (0..).zip(streams) {
        let template = Arc::clone(&template);
        let line = line::Line::new(Arc::clone(&shared), template, acquirer_id, number);
        tasks.spawn(line.run(stream, tasks.token()));
    }
    Ok(shared)
}

/// Paces the run until its last request has ended, and gives when it was stopped.
async fn watch(
    shared: &Arc<Shared>,
    stop: &CancellationToken,
    progress: &mut impl FnMut(&Second),
) -> Result<Option<Duration>, DriveError> {
    let pacer = pacer::Pacer::start(Arc::clone(shared)).map_err(DriveError::Pacer)?;
    let mut ticks = tokio::time::interval_at(
        tokio::time::Instant::from_std(shared.origin) + Duration::from_secs(1),
        Duration::from_secs(1),
    );
    let mut stopped_after = None;
    while shared.lines_busy.load(Ordering::Acquire) > 0 {
        tokio::select! {
            _ = ticks.tick() => progress(&shared.recorder().end_second()),
            () = shared.line_ended.notified() => {}
            () = stop.cancelled(), if stopped_after.is_none() => {
                stopped_after = Some(shared.stop());
            }
        }
    }
    drop(pacer);
    Ok(stopped_after.filter(|after| *after < shared.settings.duration))
}

fn checked(settings: DriveSettings) -> Result<DriveSettings, DriveError> {
    if !settings.target.ip().is_loopback() {
        return Err(DriveError::NotLoopback(settings.target));
    }
    let (connections, in_flight) = match settings.entrance {
        Entrance::Iso8583 { .. } => (settings.connections.max(1), settings.in_flight.max(1)),
        Entrance::Http { .. } => (settings.connections.max(1), 1),
    };
    if connections.saturating_mul(in_flight) > OPEN_MAX {
        return Err(DriveError::TooManyOpen { connections, in_flight });
    }
    Ok(DriveSettings { connections, in_flight, ..settings })
}

async fn open_lines(
    settings: &DriveSettings,
    acquirer_id: &str,
) -> Result<Vec<TcpStream>, DriveError> {
    let (target, mut streams) = (settings.target, Vec::new());
    for line in 0..settings.connections {
        let stream = sign_on::open(target, acquirer_id).await;
        streams.push(stream.map_err(|source| DriveError::Line { line, target, source })?);
    }
    Ok(streams)
}

fn finish(
    shared: &Shared,
    stopped_after: Option<Duration>,
    progress: &mut impl FnMut(&Second),
) -> Run {
    let sent = shared.next.load(Ordering::Relaxed);
    let stopped_ns = stopped_after.and_then(|after| u64::try_from(after.as_nanos()).ok());
    let end_ns = stopped_ns.unwrap_or(shared.end_ns);
    let planned = match stopped_ns {
        Some(stopped_ns) => shared.schedule.count_before(stopped_ns).map(|count| count.max(sent)),
        None => shared.schedule.count(),
    };
    let planned = planned.unwrap_or(sent);
    let mut guard = shared.recorder();
    for index in sent..planned {
        guard.unsent(shared.schedule.planned_ns(index).unwrap_or(0), end_ns);
    }
    progress(&guard.end_second());
    let recorder = std::mem::replace(&mut *guard, Recorder::new(Keep::Figures, 0));
    Run {
        recorder,
        planned,
        stopped_after,
        run_id: shared.run_id,
        biller: shared.biller.get().cloned(),
    }
}
