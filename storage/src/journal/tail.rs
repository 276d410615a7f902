//! Reads the journal's frames in order, behind the writer.

use std::path::{Path, PathBuf};

use router::record::Record;

use super::frame::{self, HEADER_LEN};
use super::{Chain, Damage, FrameFault, Head, SegmentReader, Step, dir_of, list};
use crate::record::{DecodeError, bodies, decode};

/// The reading end, wherever the frames are.
pub trait Tail: Send {
    /// The record it gives next, once that is durable.
    fn next_sequence(&self) -> u64;

    /// The next frame, which must be durable; begins with records it gave before when it was
    /// made to go on within a frame.
    fn next_frame(&mut self) -> Result<TailFrame, Damage>;
}

/// Reads the frames of a data folder in order, from the one that holds the record after
/// `sequence`, behind the writer of this or another process.
///
/// Whoever reads must know which records are durable: what is behind them is not to be asked for.
pub fn tail_after(data: &Path, sequence: u64) -> Box<dyn Tail> {
    Box::new(FileTail::after(data, sequence))
}

/// One frame, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailFrame {
    /// Its first record.
    pub first_sequence: u64,
    /// How many records it holds.
    pub count: u32,
    /// The chain over everything up to it, as it says.
    pub chain: Chain,
    /// Where it begins in its segment file; none where it stands in no file.
    pub offset: Option<u64>,
    /// The records, one after another.
    pub body: Vec<u8>,
}

impl TailFrame {
    /// Reads a frame from its header and body, and holds it against its checksum.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameFault> {
        let (header, body) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(FrameFault::Short)?;
        let parsed = frame::parse(header).ok_or(FrameFault::NoMagic)?;
        if body.len() != parsed.body_len {
            return Err(FrameFault::Short);
        }
        if frame::checksum(header, body) != parsed.crc {
            return Err(FrameFault::Checksum);
        }
        let frame::Header { count, first_sequence, chain, .. } = parsed;
        Ok(Self { first_sequence, count, chain, offset: None, body: body.to_vec() })
    }

    /// The frame of `count` records, one after another in `body`, that comes after `previous`.
    pub fn after(previous: &Head, count: u32, body: Vec<u8>) -> Self {
        let first_sequence = previous.sequence + 1;
        let chain = previous.chain.next(first_sequence, count, &body);
        Self { first_sequence, count, chain, offset: None, body }
    }

    /// Its header and body, as every form of the journal keeps them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        bytes.extend_from_slice(&self.body);
        let Self { first_sequence, count, chain, .. } = *self;
        frame::put_header((first_sequence, count, chain), &mut bytes);
        bytes
    }

    /// Whether it follows from where the journal stood before.
    pub fn follows(&self, previous: &Head) -> bool {
        self.first_sequence == previous.sequence + 1
            && self.chain == previous.chain.next(self.first_sequence, self.count, &self.body)
    }

    /// Reads every record, to see that each can be read and that all are there.
    pub fn records(&self) -> Result<Vec<(u64, Record)>, Damage> {
        let mut records = Vec::with_capacity(crate::packing::to_usize(self.count));
        for (sequence, body) in (self.first_sequence..).zip(bodies(&self.body)) {
            let record = body.and_then(decode);
            records.push((sequence, record.map_err(|source| Damage::Record { sequence, source })?));
        }
        if records.len() == crate::packing::to_usize(self.count) {
            return Ok(records);
        }
        let source = DecodeError::Value { field: "record count", at: 0 };
        Err(Damage::Record { sequence: self.first_sequence, source })
    }

    /// Where the journal stands with it.
    pub fn head(&self) -> Head {
        let sequence = self.first_sequence + u64::from(self.count) - 1;
        Head { sequence, chain: self.chain }
    }
}

/// Reads segment files, one after another.
pub(crate) struct FileTail {
    dir: PathBuf,
    reader: Option<(u64, SegmentReader)>,
    next_sequence: u64,
}

impl FileTail {
    /// Reads on after a record.
    pub fn after(data: &Path, sequence: u64) -> Self {
        Self { dir: dir_of(data), reader: None, next_sequence: sequence + 1 }
    }

    fn reader(&mut self) -> Result<(u64, &mut SegmentReader), Damage> {
        if self.reader.is_none() {
            let expected = self.next_sequence;
            let segments = list(&self.dir)?;
            let within = segments.iter().copied().rfind(|first| *first <= expected);
            let found = segments.first().copied().unwrap_or(0);
            let segment = within.ok_or(Damage::MissingSegment { expected, found })?;
            self.open(segment)?;
        }
        let (segment, reader) = self.reader.as_mut().expect("invariant: opened above");
        Ok((*segment, reader))
    }

    fn next_segment(&mut self, after: u64) -> Result<(), Damage> {
        let expected = self.next_sequence;
        let next = list(&self.dir)?.into_iter().find(|first| *first > after);
        let found = next.ok_or(Damage::MissingSegment { expected, found: after })?;
        self.open(found)
    }

    fn open(&mut self, segment: u64) -> Result<(), Damage> {
        let (reader, before) = SegmentReader::open(&self.dir, segment)?;
        let fault = |fault: FrameFault| Damage::Frame { segment, offset: 0, fault };
        before.map_err(fault)?;
        self.reader = Some((segment, reader));
        Ok(())
    }
}

impl Tail for FileTail {
    fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    fn next_frame(&mut self) -> Result<TailFrame, Damage> {
        loop {
            let (segment, reader) = self.reader()?;
            let offset = reader.offset();
            match reader.next()? {
                Step::Frame(frame) => {
                    let (first_sequence, count, chain) =
                        (frame.first_sequence, frame.count, frame.chain);
                    let body = frame.body.to_vec();
                    let end = first_sequence + u64::from(count);
                    if end <= self.next_sequence {
                        continue;
                    }
                    self.next_sequence = end;
                    let offset = Some(offset);
                    return Ok(TailFrame { first_sequence, count, chain, offset, body });
                }
                Step::End | Step::Blank => self.next_segment(segment)?,
                Step::Bad(fault) => return Err(Damage::Frame { segment, offset, fault }),
            }
        }
    }
}
