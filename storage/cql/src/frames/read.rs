//! Reading frames back: which rows count, and putting parts together.

use std::collections::VecDeque;

use router::id::Lane;
use scylla::DeserializeRow;
use storage::journal::{Damage, FrameFault, FrameRecords, TailFrame};

use super::{first_of, last_of, segment_of};
use crate::lane::{LaneExtent, known};
use crate::session::{Cql, CqlError, Statement};

/// Segments read at once by a reader that is far behind: some 16 MB each.
const SEGMENTS_AT_ONCE: u64 = 3;

/// Segments before a record's own that its frame may begin in: a frame of a megabyte of the
/// smallest records there are spans two.
const SEGMENTS_BACK_MAX: u64 = 3;

static READ: Statement = Statement::read(
    "frame_read",
    "SELECT first, epoch, part, body FROM lane_frame \
     WHERE lane = ? AND segment = ? AND first >= ? AND first <= ?",
);
static FIND: Statement = Statement::read(
    "frame_find",
    "SELECT first, epoch FROM lane_frame WHERE lane = ? AND segment = ? AND first <= ? \
     ORDER BY first DESC, epoch DESC, part DESC",
);

static ANY: Statement = Statement::read(
    "frame_any",
    "SELECT first FROM lane_frame WHERE lane = ? AND segment = ? LIMIT 1",
);

#[derive(DeserializeRow)]
struct FramePart {
    first: i64,
    epoch: i64,
    #[allow(dead_code, reason = "rows come in this order, and the query names it")]
    part: i32,
    body: Vec<u8>,
}

/// The first record of the frame that holds a record, wherever that is in it.
pub(super) async fn find(
    cql: &Cql,
    reach: &LaneExtent,
    sequence: u64,
) -> Result<Option<u64>, CqlError> {
    let counts = |(first, epoch): (i64, i64)| {
        let (first, epoch) = (first.cast_unsigned(), epoch.cast_unsigned());
        reach.starts.epoch_of(first).is_none_or(|valid| valid == epoch).then_some(first)
    };
    let last = segment_of(sequence);
    for segment in (last.saturating_sub(SEGMENTS_BACK_MAX)..=last).rev() {
        let values = (i32::from(reach.lane.0), segment.cast_signed(), sequence.cast_signed());
        let found = cql.first(&FIND, values, counts).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Frames from one that begins with a record to the head, as far as one call reads: of some
/// segments all that counts.
pub(super) async fn frames(
    cql: &Cql,
    reach: &LaneExtent,
    from: u64,
) -> Result<Result<VecDeque<TailFrame>, Damage>, CqlError> {
    let head = reach.head.sequence;
    let (first, last) = (segment_of(from), segment_of(head));
    let last = last.min(first + SEGMENTS_AT_ONCE - 1);
    let reads = (first..=last).map(|segment| {
        let to = last_of(reach.lane, segment).min(head);
        segment_of_frames(cql, reach, segment, (from, to))
    });
    let segments = futures_util::future::try_join_all(reads).await?;
    let mut frames = VecDeque::new();
    let mut expected = from;
    for parts in segments {
        match assemble(reach, parts, expected) {
            Ok(found) => frames.extend(found),
            Err(damage) => return Ok(Err(damage)),
        }
        expected = frames.back().map_or(expected, |frame: &TailFrame| frame.head().sequence + 1);
    }
    Ok(Ok(frames))
}

/// Frames of a lane from the one that holds a durable record, or from the oldest that is kept behind
/// it, to the end of its segment.
pub(crate) async fn records_from(
    cql: &Cql,
    lane: Lane,
    sequence: u64,
) -> Result<Result<Vec<FrameRecords>, Damage>, CqlError> {
    let reach = LaneExtent::of(&known(cql, lane).await?);
    let from = match find(cql, &reach, sequence).await? {
        Some(first) => first,
        None => oldest(cql, &reach).await?,
    };
    let (segment, head) = (segment_of(from), reach.head.sequence);
    let to = last_of(lane, segment).min(head);
    let parts = segment_of_frames(cql, &reach, segment, (from, to)).await?;
    let records = |frame: TailFrame| {
        let TailFrame { first_sequence, body, .. } = frame;
        FrameRecords { first_sequence, body }
    };
    let frames = assemble(&reach, parts, from);
    Ok(frames.map(|frames| frames.into_iter().map(records).collect()))
}

/// The first record that is still kept of a lane whose frames expire, segment by segment: of the
/// first frame that is whole. One after the head where none is.
pub(super) async fn oldest(cql: &Cql, reach: &LaneExtent) -> Result<u64, CqlError> {
    let head = reach.head.sequence;
    let (mut gone, mut kept) = (0, segment_of(head) + 1);
    while gone < kept {
        let middle = gone + (kept - gone) / 2;
        match is_any(cql, reach, middle).await? {
            true => kept = middle,
            false => gone = middle + 1,
        }
    }
    for segment in kept..=segment_of(head) {
        let from = first_of(reach.lane, segment);
        let parts = segment_of_frames(cql, reach, segment, (from, head)).await?;
        let is_whole = |parts: &&[FramePart]| TailFrame::from_bytes(&valid(reach, parts)).is_ok();
        let first = parts.chunk_by(|one, next| one.first == next.first).find(is_whole);
        if let Some(first) = first.and_then(|parts| parts.first()) {
            return Ok(first.first.cast_unsigned());
        }
    }
    Ok(head + 1)
}

/// Whether any frame begins in a segment.
async fn is_any(cql: &Cql, reach: &LaneExtent, segment: u64) -> Result<bool, CqlError> {
    let values = (i32::from(reach.lane.0), segment.cast_signed());
    Ok(cql.row::<(i64,)>(&ANY, values).await?.is_some())
}

async fn segment_of_frames(
    cql: &Cql,
    reach: &LaneExtent,
    segment: u64,
    (from, to): (u64, u64),
) -> Result<Vec<FramePart>, CqlError> {
    let lane = i32::from(reach.lane.0);
    let values = (lane, segment.cast_signed(), from.cast_signed(), to.cast_signed());
    cql.rows(&READ, values).await
}

/// Frames that follow each other from `expected` on, of those that count; ends before a gap.
fn assemble(
    reach: &LaneExtent,
    parts: Vec<FramePart>,
    mut expected: u64,
) -> Result<Vec<TailFrame>, Damage> {
    let mut frames = Vec::new();
    for parts in parts.chunk_by(|one, next| one.first == next.first) {
        let first = parts[0].first.cast_unsigned();
        if first != expected {
            // Left by a fenced writer, or beyond a gap.
            continue;
        }
        let bytes = valid(reach, parts);
        if bytes.is_empty() {
            return Ok(frames);
        }
        let fault = |fault| Damage::LaneFrame { lane: reach.lane, sequence: first, fault };
        let frame = TailFrame::from_bytes(&bytes).map_err(fault)?;
        if frame.first_sequence != first || frame.count == 0 {
            return Err(fault(FrameFault::Checksum));
        }
        expected = frame.head().sequence + 1;
        frames.push(frame);
    }
    Ok(frames)
}

/// The bytes of the frame that counts, of all parts that were written under one first record.
fn valid(reach: &LaneExtent, parts: &[FramePart]) -> Vec<u8> {
    let Some(last) = parts.last() else { return Vec::new() };
    let epoch = reach.starts.epoch_of(last.first.cast_unsigned());
    let epoch = epoch.map_or(last.epoch, u64::cast_signed);
    let bodies = parts.iter().filter(|part| part.epoch == epoch).map(|part| &*part.body);
    bodies.collect::<Vec<&[u8]>>().concat()
}
