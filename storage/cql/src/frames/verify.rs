//! Proving a lane, and reading its records from outside, also while it is written.

use router::id::Lane;
use router::record::Record;
use storage::journal::{Damage, Head, Tail, TailFrame};
use storage::record::{DecodeError, bodies, decode};

use super::tail::remote;
use super::{LaneTail, segment_of};
use crate::session::{Cql, CqlError};

/// A lane whose every byte is accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneReport {
    /// Which.
    pub lane: Lane,
    /// Its first record that is kept; its first ever, unless rows expire.
    pub first: u64,
    /// Partitions that its frames are in.
    pub segments: u64,
    /// Frames: group commits.
    pub frames: u64,
    /// Records.
    pub records: u64,
    /// Last record, and the chain over everything, which the lane's row has too.
    pub head: Head,
}

/// Proves a lane up to its head as it is now: every checksum, the chain, the sequence, every
/// record, and that it ends with what its head says.
///
/// Where rows expire it begins with the first frame that is kept, and the chain after that.
/// Errors: [`Damage`] names the first thing that is wrong, and where.
pub fn verify(cql: &Cql, lane: Lane) -> Result<LaneReport, Damage> {
    let start = Head::of_lane(lane);
    let mut tail = LaneTail::whole(cql, lane).map_err(remote)?;
    let (end, first) = (tail.head(), tail.next_sequence());
    let mut report = LaneReport { lane, first, segments: 0, frames: 0, records: 0, head: start };
    let mut segment = None;
    while tail.next_sequence() <= end.sequence {
        let frame = tail.next_frame()?;
        let sequence = frame.first_sequence;
        // What the first frame that is kept follows from is not.
        let is_first = report.frames == 0 && first > start.sequence + 1;
        if !is_first && !frame.follows(&report.head) {
            return Err(Damage::LaneChain { lane, sequence });
        }
        report.records += count(&frame)?;
        report.frames += 1;
        let current = segment_of(sequence);
        report.segments += u64::from(segment.replace(current) != Some(current));
        report.head = frame.head();
    }
    let is_empty = report.frames == 0 && first > end.sequence;
    if report.head != end && !is_empty {
        return Err(Damage::LaneChain { lane, sequence: end.sequence });
    }
    Ok(LaneReport { head: end, ..report })
}

fn count(frame: &TailFrame) -> Result<u64, Damage> {
    let mut sequence = frame.first_sequence;
    for body in bodies(&frame.body) {
        let record = body.and_then(decode);
        record.map_err(|source| Damage::Record { sequence, source })?;
        sequence += 1;
    }
    let counted = sequence - frame.first_sequence;
    if counted == u64::from(frame.count) {
        return Ok(counted);
    }
    let source = DecodeError::Value { field: "record count", at: 0 };
    Err(Damage::Record { sequence, source })
}

/// The records of a lane that are kept, oldest first, as `(sequence, record)`, up to its head as it is now.
///
/// Card numbers are sealed. Ends after the first error.
pub fn records(cql: &Cql, lane: Lane) -> Result<LaneRecords, CqlError> {
    let tail = LaneTail::whole(cql, lane)?;
    let end = tail.head().sequence;
    Ok(LaneRecords { tail, end, waiting: Vec::new().into_iter(), is_done: false })
}

/// Iterator of [`records`].
pub struct LaneRecords {
    tail: LaneTail,
    end: u64,
    waiting: std::vec::IntoIter<(u64, Record)>,
    is_done: bool,
}

impl Iterator for LaneRecords {
    type Item = Result<(u64, Record), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.waiting.next() {
                return Some(Ok(found));
            }
            if self.is_done || self.tail.next_sequence() > self.end {
                return None;
            }
            match self.tail.next_frame().and_then(|frame| decoded(&frame)) {
                Ok(records) => self.waiting = records.into_iter(),
                Err(damage) => {
                    self.is_done = true;
                    return Some(Err(damage));
                }
            }
        }
    }
}

fn decoded(frame: &TailFrame) -> Result<Vec<(u64, Record)>, Damage> {
    let records = (frame.first_sequence..).zip(bodies(&frame.body));
    let decoded = records.map(|(sequence, body)| {
        let record = body.and_then(decode);
        record
            .map(|record| (sequence, record))
            .map_err(|source| Damage::Record { sequence, source })
    });
    decoded.collect()
}
