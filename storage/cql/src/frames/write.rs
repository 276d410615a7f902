//! Writing a frame's parts, and moving the head over it.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use router::id::Lane;
use storage::guard::GateEpoch;
use storage::journal::Head;

use super::{PART_BYTES_MAX, segment_of};
use crate::lane::{LaneRow, read};
use crate::session::{Cql, CqlError, Deadline, Statement};

const IN_FLIGHT_MAX: usize = 16;

static INSERT: Statement = Statement::write(
    "frame_insert",
    "INSERT INTO lane_frame (lane, segment, first, epoch, part, body) VALUES (?, ?, ?, ?, ?, ?)",
);
static MOVE: Statement = Statement::conditional(
    "lane_move",
    "UPDATE lane SET head = ?, chain = ? WHERE lane = ? \
     IF epoch = ? AND guard_epoch = ? AND head = ?",
);

/// Where frames go: a lane, under one of its epochs.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneEpoch {
    pub lane: Lane,
    pub epoch: u64,
}

/// How many parts may be on their way at once: half as many after a time-out, one more after a
/// frame that met none.
#[derive(Debug)]
pub(super) struct Pace {
    in_flight_max: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { in_flight_max: IN_FLIGHT_MAX }
    }
}

/// What became of moving the head.
pub(super) enum Moved {
    /// It stands at the end of the frame.
    There,
    /// The lane trusts another epoch of the guard.
    OtherGuard(LaneRow),
    /// The lane is another's.
    Lost(LaneRow),
}

/// Writes all parts of frames, given each with its first record; returns when a quorum has every
/// part. The bytes must be the same whenever it is tried again.
pub(super) async fn insert(
    cql: &Cql,
    place: LaneEpoch,
    frames: &[(u64, &[u8])],
    (pace, deadline): (&mut Pace, &mut Deadline),
) -> Result<(), CqlError> {
    let mut left: Vec<(u64, i32, &[u8])> = frames.iter().copied().flat_map(parts).collect();
    let mut is_slow = false;
    loop {
        let inserts = left.iter().map(|part| async move { (part, one(cql, place, *part).await) });
        let mut inserts = stream::iter(inserts).buffer_unordered(pace.in_flight_max);
        let (mut again, mut failed) = (Vec::new(), None);
        while let Some((part, inserted)) = inserts.next().await {
            if let Err(error) = inserted {
                again.push(*part);
                failed = Some(error);
            }
        }
        drop(inserts);
        let Some(error) = failed else { break };
        if !error.is_passing() {
            return Err(error);
        }
        let (lane, parts) = (place.lane.0, again.len());
        match is_slow {
            // Told once a frame: it is tried many times while the servers are away.
            true => tracing::debug!(lane, parts, %error, "parts are written again"),
            false => tracing::warn!(lane, parts, %error, "parts are written again"),
        }
        pace.in_flight_max = (pace.in_flight_max / 2).max(1);
        (left, is_slow) = (again, true);
        if !deadline.pause().await {
            return Err(error);
        }
    }
    if !is_slow {
        pace.in_flight_max = (pace.in_flight_max + 1).min(IN_FLIGHT_MAX);
    }
    Ok(())
}

fn parts((first, bytes): (u64, &[u8])) -> impl Iterator<Item = (u64, i32, &[u8])> {
    let parts = (0_i32..).zip(bytes.chunks(PART_BYTES_MAX));
    parts.map(move |(part, body)| (first, part, body))
}

async fn one(
    cql: &Cql,
    place: LaneEpoch,
    (first, part, body): (u64, i32, &[u8]),
) -> Result<(), CqlError> {
    let values = (
        i32::from(place.lane.0),
        segment_of(first).cast_signed(),
        first.cast_signed(),
        place.epoch.cast_signed(),
        part,
        body,
    );
    cql.execute(&INSERT, values).await.map(drop)
}

/// Moves a lane's head, one attempt at a time, until it is known where it stands.
///
/// An attempt that was not answered may still be applied, also after the row was read; it can be
/// applied once only, because the head it asks for is gone then, and not at all once the lane has
/// another epoch or guard.
pub(super) async fn move_head(
    cql: &Cql,
    place: LaneEpoch,
    guard_epoch: GateEpoch,
    (previous, head): (&Head, &Head),
    deadline: &mut Deadline,
) -> Result<Moved, CqlError> {
    let values = (
        head.sequence.cast_signed(),
        &head.chain.0[..],
        i32::from(place.lane.0),
        place.epoch.cast_signed(),
        guard_epoch.0.cast_signed(),
        previous.sequence.cast_signed(),
    );
    loop {
        let failed = match cql.attempt(&MOVE, values).await {
            Ok(true) => return Ok(Moved::There),
            Ok(false) => None,
            Err(error) if error.is_passing() => Some(error),
            Err(error) => return Err(error),
        };
        match read(cql, place.lane).await {
            Ok(Some(row)) if row.epoch != place.epoch => return Ok(Moved::Lost(row)),
            Ok(Some(row)) if row.head == *head => return Ok(Moved::There),
            Ok(Some(row)) if row.head != *previous => {
                let detail = format!("the head is at {}", row.head.sequence);
                return Err(CqlError::row(&MOVE, detail));
            }
            Ok(Some(row)) if row.guard_epoch != guard_epoch => return Ok(Moved::OtherGuard(row)),
            Ok(Some(_)) => {}
            Ok(None) => return Err(CqlError::row(&MOVE, "the lane is missing")),
            Err(error) => tracing::debug!(lane = place.lane.0, %error, "a lane cannot be read"),
        }
        if !deadline.pause().await {
            let (waited, source) = (deadline.waited(), failed.map(Box::new));
            return Err(CqlError::Unsettled { kind: MOVE.kind, waited, source });
        }
    }
}

/// For how long a frame is tried before its writer gives up.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
