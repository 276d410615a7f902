//! Proving a lane, and reading its records from outside, also while it is written.

use std::collections::VecDeque;

use router::id::Lane;
use router::ledger::Ledger;
use router::record::Record;
use storage::journal::{Damage, Head, Tail, TailFrame};
use storage::record::{DecodeError, bodies, decode};
use storage::{LedgerProof, State};

use super::tail::remote;
use super::{LaneTail, segment_of};
use crate::session::{Cql, CqlError};
use crate::snapshots::Snapshots;

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
    /// Accounts of its entries, whose balances sum to zero in each currency.
    pub accounts: usize,
    /// Snapshots whose balances are those of the records before them.
    pub snapshots: u64,
}

/// Proves a lane up to its head as it is now: every checksum, the chain, the sequence, every
/// record and its entry, the balances at the end and at each snapshot, and that it ends with what
/// its head says.
///
/// Where rows expire it begins with the first frame that is kept, and the chain after that; balances
/// are those of the oldest snapshot from there on, and what follows it.
/// Errors: [`Damage`] names the first thing that is wrong, and where.
pub fn verify(cql: &Cql, lane: Lane) -> Result<LaneReport, Damage> {
    let start = Head::of_lane(lane);
    let mut tail = LaneTail::whole(cql, lane).map_err(remote)?;
    let (end, first) = (tail.head(), tail.next_sequence());
    let mut books = LaneBooks::new(cql, lane, first)?;
    let (accounts, snapshots) = (0, 0);
    let counts = (0, 0, 0);
    let (segments, frames, records) = counts;
    let mut report =
        LaneReport { lane, first, segments, frames, records, head: start, accounts, snapshots };
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
        books.take(&frame)?;
        report.frames += 1;
        let current = segment_of(sequence);
        report.segments += u64::from(segment.replace(current) != Some(current));
        report.head = frame.head();
    }
    let is_empty = report.frames == 0 && first > end.sequence;
    if report.head != end && !is_empty {
        return Err(Damage::LaneChain { lane, sequence: end.sequence });
    }
    let (accounts, snapshots) = books.close(end.sequence)?;
    Ok(LaneReport { head: end, accounts, snapshots, ..report })
}

/// The balances of every account behind a record of a lane, or behind its last one.
///
/// Reads the newest snapshot that is not behind it, and the records from there on.
/// Errors: [`Damage::NotReached`] where the lane ends before that record, or records before it are
/// no longer kept.
pub fn balances(cql: &Cql, lane: Lane, at: Option<u64>) -> Result<Ledger, Damage> {
    let start = Head::of_lane(lane).sequence;
    let whole = LaneTail::whole(cql, lane).map_err(remote)?;
    let (first, end) = (whole.next_sequence(), whole.head().sequence);
    let last = at.unwrap_or(end);
    let found = snapshots(cql, lane)?.into_iter().rfind(|(position, _)| *position <= last);
    let (position, proof) = match found {
        Some((position, state)) => (position, LedgerProof::after(state)),
        None => (start, LedgerProof::new()),
    };
    if end < last || position + 1 < first {
        return Err(Damage::NotReached { sequence: last, end });
    }
    let mut proof = proof;
    let mut tail = LaneTail::open(cql, lane, position).map_err(remote)?;
    while tail.next_sequence() <= last {
        proof.take_until(last, &tail.next_frame()?)?;
    }
    Ok(proof.into_ledger())
}

/// The snapshots of a lane that are whole, ascending.
fn snapshots(cql: &Cql, lane: Lane) -> Result<Vec<(u64, State)>, Damage> {
    let kept = Snapshots::new(cql).latest(lane).map_err(remote)?;
    let mut found = Vec::new();
    for (sequence, bytes) in kept.into_iter().rev() {
        match State::from_image(&bytes, LedgerProof::KEY_RETENTION) {
            Ok((state, _)) => found.push((sequence, state)),
            Err(error) => tracing::warn!(%lane, sequence, %error, "a snapshot is passed over"),
        }
    }
    Ok(found)
}

/// The balances of a lane, beside its frames.
struct LaneBooks {
    /// None until the records go on from something whose balances are known.
    proof: Option<LedgerProof>,
    /// Not come by yet, ascending.
    snapshots: VecDeque<(u64, State)>,
    proven: u64,
}

impl LaneBooks {
    fn new(cql: &Cql, lane: Lane, first: u64) -> Result<Self, Damage> {
        let is_whole = first <= Head::of_lane(lane).sequence + 1;
        let snapshots = snapshots(cql, lane)?.into();
        Ok(Self { proof: is_whole.then(LedgerProof::new), snapshots, proven: 0 })
    }

    fn take(&mut self, frame: &TailFrame) -> Result<(), Damage> {
        let last = frame.head().sequence;
        if let Some(proof) = &mut self.proof {
            proof.take(frame)?;
        }
        let is_here = |(position, _): &(u64, State)| *position <= last;
        while let Some((position, state)) = self.snapshots.pop_front_if(|it| is_here(it)) {
            match &self.proof {
                Some(proof) if position == last => {
                    proof.agrees_with(position, &state)?;
                    self.proven += 1;
                }
                Some(_) => {}
                None if position == last => self.proof = Some(LedgerProof::after(state)),
                None => {}
            }
        }
        Ok(())
    }

    /// Accounts, and snapshots proven.
    fn close(self, end: u64) -> Result<(usize, u64), Damage> {
        let Some(proof) = self.proof else { return Ok((0, self.proven)) };
        proof.balances(end)?;
        Ok((proof.ledger().accounts().len(), self.proven))
    }
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
