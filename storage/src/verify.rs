//! Reading a journal from outside: verification and export, also while the switch runs.

use std::path::{Path, PathBuf};

use router::ledger::Ledger;
use router::record::Record;

use crate::beginning;
use crate::journal::reader::Rest;
use crate::journal::{
    Damage, End, FileTail, FrameFault, Head, SegmentReader, Step, Tail, TailFrame, Torn, Walked,
    dir_of, list, walk,
};
use crate::proof::LedgerProof;
use crate::record::{bodies, decode};
use crate::snapshot;
use crate::state::State;

/// A journal whose every byte is accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyReport {
    /// The last record that was removed since it was older than records are kept; 0 for none.
    pub removed_through: u64,
    /// Segment files.
    pub segments: u64,
    /// Frames: group commits.
    pub frames: u64,
    /// Records.
    pub records: u64,
    /// Last record and the chain over everything.
    pub head: Head,
    /// An unfinished frame at the end, which the next start cuts; also a frame being written
    /// right now.
    pub torn: Option<Torn>,
    /// The head anchor, which the journal reaches or passes.
    pub anchor: Option<Head>,
    /// Accounts whose balances sum to zero in each currency.
    pub accounts: usize,
    /// Snapshots whose balances are those of the records before them.
    pub snapshots: u64,
}

/// Proves a data folder's journal from where it begins: every checksum, the chain, the sequence, every record and its
/// entry, the balances at the end and at every snapshot, and that it reaches its anchor.
///
/// Errors: [`Damage`] names the first thing that is wrong, and where.
pub fn verify(data: &Path) -> Result<VerifyReport, Damage> {
    from_its_beginning(data, |state, begun_after| verify_after(data, state, begun_after))
}

/// Reads a journal from where it begins; reads it again where that was moved meanwhile and something
/// was missed: a switch that runs removes old segments.
fn from_its_beginning<T>(
    data: &Path,
    mut read: impl FnMut(State, Head) -> Result<T, Damage>,
) -> Result<T, Damage> {
    loop {
        let (state, begun_after) = beginning::load_books(data)?;
        match read(state, begun_after) {
            Err(_) if beginning::head(data)? != begun_after => {}
            found => return found,
        }
    }
}

fn verify_after(data: &Path, state: State, begun_after: Head) -> Result<VerifyReport, Damage> {
    let mut proof = LedgerProof::after(state);
    proof.balances(begun_after.sequence)?;
    let mut snapshots = FolderSnapshots::of(data)?;
    let walked = walk(data, begun_after, End::Head, |_, frame| {
        proof.take_records(frame.first_sequence, frame.body)?;
        let counted = u64::try_from(bodies(frame.body).count()).unwrap_or(u64::MAX);
        let sequence = frame.first_sequence + counted;
        if counted != u64::from(frame.count) {
            let source = crate::record::DecodeError::Value { field: "record count", at: 0 };
            return Err(Damage::Record { sequence, source });
        }
        snapshots.prove(sequence - 1, &proof)
    })?;
    let Walked { segments, frames, records, head, torn, anchor, .. } = walked;
    proof.balances(head.sequence)?;
    let (accounts, snapshots) = (proof.ledger().accounts().len(), snapshots.proven);
    let removed_through = begun_after.sequence;
    Ok(VerifyReport {
        removed_through,
        segments,
        frames,
        records,
        head,
        torn,
        anchor,
        accounts,
        snapshots,
    })
}

/// The snapshots of a data folder that are whole, as they are come by.
struct FolderSnapshots<'a> {
    data: &'a Path,
    positions: Vec<u64>,
    proven: u64,
}

impl<'a> FolderSnapshots<'a> {
    fn of(data: &'a Path) -> Result<Self, Damage> {
        Ok(Self { data, positions: snapshot::positions(data)?, proven: 0 })
    }

    /// Holds the snapshot of a position against the balances there, if there is one. One that is
    /// damaged is passed over, as by a start.
    fn prove(&mut self, sequence: u64, proof: &LedgerProof) -> Result<(), Damage> {
        if self.positions.contains(&sequence)
            && let Some((state, _)) = snapshot::load(self.data, sequence)?
        {
            proof.agrees_with(sequence, &state)?;
            self.proven += 1;
        }
        Ok(())
    }
}

/// The balances of every account behind a record of a data folder's journal, or behind its last one;
/// and which record that is.
///
/// Reads the newest snapshot that is not behind it, and the records from there on.
/// Errors: [`Damage::NotReached`] where the journal ends before that record, [`Damage::Removed`]
/// where it begins behind it.
pub fn balances(data: &Path, at: Option<u64>) -> Result<(u64, Ledger), Damage> {
    from_its_beginning(data, |_, begun_after| balances_after(data, begun_after.sequence, at))
}

fn balances_after(
    data: &Path,
    removed_through: u64,
    at: Option<u64>,
) -> Result<(u64, Ledger), Damage> {
    let last = at.unwrap_or(u64::MAX);
    if last < removed_through {
        return Err(Damage::Removed { sequence: last, first: removed_through + 1 });
    }
    let (state, head) = snapshot::load_until(data, last)?;
    let mut proof = LedgerProof::after(state);
    let walked = walk(data, head, End::Head, |_, frame| {
        proof.take_records_until(last, frame.first_sequence, frame.body)
    })?;
    let end = walked.head.sequence;
    match at {
        Some(sequence) if end < sequence => Err(Damage::NotReached { sequence, end }),
        Some(_) | None => Ok((last.min(end), proof.into_ledger())),
    }
}

/// The frames of a data folder whose every byte is accounted for, oldest first.
///
/// Errors: as [`verify`], before the first frame; [`Damage::Removed`] where the first frame is there
/// no longer.
pub fn frames(data: &Path) -> Result<Frames, Damage> {
    let VerifyReport { head, removed_through, .. } = verify(data)?;
    if removed_through > 0 {
        return Err(Damage::Removed { sequence: 1, first: removed_through + 1 });
    }
    Ok(Frames { tail: FileTail::after(data, 0), end: head.sequence })
}

/// Iterator of [`frames`].
pub struct Frames {
    tail: FileTail,
    end: u64,
}

impl Iterator for Frames {
    type Item = Result<TailFrame, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.tail.next_sequence() <= self.end).then(|| self.tail.next_frame())
    }
}

/// The records of a data folder, oldest first, as `(sequence, record)`.
///
/// Reads only; may run beside the switch and then ends where the journal ended. Where the switch
/// removes segments faster than they are read, it goes on with the first record that is kept: the
/// sequences tell. Card numbers are sealed. Ends after the first error.
pub fn records(data: &Path) -> Records {
    let (removed_through, fault) = match beginning::head(data) {
        Ok(head) => (head.sequence, None),
        Err(damage) => (0, Some(damage)),
    };
    Records {
        data: data.to_path_buf(),
        dir: dir_of(data),
        reader: None,
        removed_through,
        fault,
        next_sequence: removed_through + 1,
        waiting: Vec::new().into_iter(),
        is_done: false,
    }
}

/// Iterator of [`records`].
pub struct Records {
    data: PathBuf,
    dir: PathBuf,
    reader: Option<(u64, SegmentReader)>,
    removed_through: u64,
    /// Why the journal's beginning is not known.
    fault: Option<Damage>,
    next_sequence: u64,
    waiting: std::vec::IntoIter<(u64, Record)>,
    is_done: bool,
}

impl Iterator for Records {
    type Item = Result<(u64, Record), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(damage) = self.fault.take() {
            self.is_done = true;
            return Some(Err(damage));
        }
        while !self.is_done {
            if let Some(found) = self.waiting.next() {
                return Some(Ok(found));
            }
            match self.next_frame() {
                Ok(true) => {}
                Ok(false) => self.is_done = true,
                Err(_) if self.begins_anew() => {}
                Err(damage) => {
                    self.is_done = true;
                    return Some(Err(damage));
                }
            }
        }
        None
    }
}

impl Records {
    /// Goes on at the journal's beginning, if that is behind the next record by now: a switch that
    /// runs removed it. Says whether it is.
    fn begins_anew(&mut self) -> bool {
        let removed_through = beginning::head(&self.data).map_or(0, |head| head.sequence);
        if removed_through < self.next_sequence {
            return false;
        }
        self.reader = None;
        self.removed_through = removed_through;
        self.next_sequence = removed_through + 1;
        true
    }

    /// Reads one more frame; false at the end.
    fn next_frame(&mut self) -> Result<bool, Damage> {
        let Some((segment, reader)) = self.reader.as_mut() else {
            return self.next_segment();
        };
        let segment = *segment;
        let offset = reader.offset();
        let frame = match reader.next()? {
            Step::Frame(frame) => frame,
            Step::End => return self.next_segment(),
            Step::Blank => return self.past(segment, FrameFault::NoMagic),
            Step::Bad(fault) => return self.past(segment, fault),
        };
        let (expected, found) = (self.next_sequence, frame.first_sequence);
        if found != expected {
            return Err(Damage::Gap { segment, offset, expected, found });
        }
        let mut records = Vec::new();
        for (sequence, body) in (found..).zip(bodies(frame.body)) {
            let record = body.and_then(decode);
            let record = record.map_err(|source| Damage::Record { sequence, source })?;
            records.push((sequence, record));
        }
        self.next_sequence += records.len() as u64;
        self.waiting = records.into_iter();
        Ok(true)
    }

    /// Goes on where no frame can be read: where the journal is being written, was torn, or has room.
    fn past(&mut self, segment: u64, fault: FrameFault) -> Result<bool, Damage> {
        let Some((_, reader)) = self.reader.as_mut() else { return Ok(false) };
        let offset = reader.offset();
        match reader.rest(fault)? {
            Rest::Whole => Ok(true),
            Rest::Blank => self.next_segment(),
            Rest::Torn(_) => {
                let later = list(&self.dir)?.into_iter().any(|first| first > segment);
                if later { Err(Damage::Frame { segment, offset, fault }) } else { Ok(false) }
            }
            Rest::Damaged => Err(Damage::Frame { segment, offset, fault }),
        }
    }

    fn next_segment(&mut self) -> Result<bool, Damage> {
        let expected = self.next_sequence;
        let read = self.reader.as_ref().map_or(self.removed_through, |(segment, _)| *segment);
        let next = list(&self.dir)?.into_iter().find(|first| *first > read);
        let Some(found) = next else { return Ok(false) };
        if found != expected {
            return Err(Damage::MissingSegment { expected, found });
        }
        let (reader, before) = SegmentReader::open(&self.dir, found)?;
        if before.is_err() {
            return Ok(false);
        }
        self.reader = Some((found, reader));
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
