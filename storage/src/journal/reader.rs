//! Reads the frames of one segment file, front to back, also while it grows.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::frame::{self, HEADER_LEN, MAGIC};
use super::{Chain, Head, segment};

const READ_AHEAD: usize = 1 << 20;
/// Bytes of one read where the writer has overtaken the bytes read ahead: few are there yet.
const READ_FRESH: usize = 64 << 10;

/// The fault of the bytes where a frame should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// The segment's own header is not whole.
    #[error("the segment's header is not whole")]
    SegmentHeader,
    /// No frame begins here.
    #[error("no frame begins there")]
    NoMagic,
    /// The file ends before the frame does.
    #[error("the file ends within the frame")]
    Short,
    /// The checksum differs.
    #[error("the checksum differs")]
    Checksum,
}

/// One frame as it was read; its checksum holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameRead<'a> {
    pub offset: u64,
    pub first_sequence: u64,
    pub count: u32,
    pub chain: Chain,
    pub body: &'a [u8],
}

impl FrameRead<'_> {
    /// The chain it should have after `previous`.
    pub fn chain_after(&self, previous: &Chain) -> Chain {
        previous.next(self.first_sequence, self.count, self.body)
    }
}

/// What stands at the reader's place.
pub(crate) enum Step<'a> {
    Frame(FrameRead<'a>),
    End,
    /// Zeros, where a frame may be written yet.
    Blank,
    Bad(FrameFault),
}

/// What lies behind the last frame that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing but zeros: room written ahead.
    Blank,
    /// Bytes of a frame that was never whole, so many.
    Torn(u64),
    /// A frame stands behind bytes that are none.
    Damaged,
    /// A frame that was being written when it was looked for.
    Whole,
}

/// A segment being read.
pub(crate) struct SegmentReader {
    file: File,
    offset: u64,
    buffer: Vec<u8>,
    filled: usize,
    buffer_at: u64,
    /// How much is read at once.
    read_len: usize,
}

impl SegmentReader {
    /// Opens a segment and reads its header: where the journal stood before it.
    pub fn open(dir: &Path, first_sequence: u64) -> io::Result<(Self, Result<Head, FrameFault>)> {
        let file = File::open(segment::path_of(dir, first_sequence))?;
        let buffer = Vec::new();
        let read_len = READ_AHEAD;
        let mut reader = Self { file, offset: 0, buffer, filled: 0, buffer_at: 0, read_len };
        let header = reader.bytes(0, segment::HEADER_LEN)?;
        let header = <&[u8; segment::HEADER_LEN]>::try_from(header).ok().and_then(segment::parse);
        reader.offset = segment::HEADER_LEN as u64;
        Ok((reader, header.ok_or(FrameFault::SegmentHeader)))
    }

    /// Where the next frame is looked for.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Length of the file now.
    pub fn file_len(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    /// Goes on at an offset where a frame begins.
    pub fn seek(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Reads the next frame; stays where it is unless there is a good one.
    pub fn next(&mut self) -> io::Result<Step<'_>> {
        let offset = self.offset;
        let len = match self.probe_anew(offset)? {
            Probe::Good(len) => len,
            Probe::End => return Ok(Step::End),
            Probe::Blank => return Ok(Step::Blank),
            Probe::Bad(fault) => return Ok(Step::Bad(fault)),
        };
        self.offset += len as u64;
        let bytes = self.bytes(offset, len)?;
        let (header, body) = bytes.split_at(HEADER_LEN);
        let header = <&[u8; HEADER_LEN]>::try_from(header).ok().and_then(frame::parse);
        let header = header.expect("invariant: probed");
        let frame::Header { count, first_sequence, chain, .. } = header;
        Ok(Step::Frame(FrameRead { offset, first_sequence, count, chain, body }))
    }

    /// What stands at the reader's place, where no good frame was found. Frames may be written in
    /// the meantime: what counts is the frame there after all else was read.
    pub fn rest(&mut self, fault: FrameFault) -> io::Result<Rest> {
        let end = match fault {
            FrameFault::Short => self.file_len()?,
            FrameFault::SegmentHeader | FrameFault::NoMagic | FrameFault::Checksum => {
                self.written_end()?
            }
        };
        if end <= self.offset && fault != FrameFault::Short {
            return Ok(Rest::Blank);
        }
        let is_damaged = self.any_frame_after()?;
        self.filled = 0;
        Ok(match self.probe(self.offset)? {
            Probe::Good(_) => Rest::Whole,
            Probe::Bad(_) | Probe::Blank | Probe::End if is_damaged => Rest::Damaged,
            Probe::Bad(_) | Probe::Blank | Probe::End => {
                Rest::Torn(end.saturating_sub(self.offset))
            }
        })
    }

    /// Behind the last byte that is not zero.
    fn written_end(&mut self) -> io::Result<u64> {
        let (mut at, mut end) = (self.offset, self.offset);
        self.filled = 0;
        loop {
            let window = self.bytes(at, READ_AHEAD)?;
            if window.is_empty() {
                return Ok(end);
            }
            if let Some(last) = window.iter().rposition(|byte| *byte != 0) {
                end = at + last as u64 + 1;
            }
            at += window.len() as u64;
        }
    }

    /// Whether a whole frame stands anywhere after the bad bytes at the reader's place.
    fn any_frame_after(&mut self) -> io::Result<bool> {
        let end = self.file_len()?;
        let mut at = self.offset + 1;
        while at < end {
            let window = self.bytes(at, READ_AHEAD)?;
            let found = window.windows(MAGIC.len()).position(|bytes| bytes == MAGIC);
            match found {
                Some(position) => {
                    at += position as u64;
                    if matches!(self.probe(at)?, Probe::Good(_)) {
                        return Ok(true);
                    }
                    at += 1;
                }
                None => at += (window.len().max(MAGIC.len()) - MAGIC.len() + 1) as u64,
            }
        }
        Ok(false)
    }

    /// As [`Self::probe`]; what was read ahead is read again before it counts as no frame, for the
    /// file may have been written since.
    fn probe_anew(&mut self, offset: u64) -> io::Result<Probe> {
        let probed = self.probe(offset)?;
        if matches!(probed, Probe::Good(_)) {
            return Ok(probed);
        }
        (self.filled, self.read_len) = (0, READ_FRESH);
        self.probe(offset)
    }

    fn probe(&mut self, offset: u64) -> io::Result<Probe> {
        let header = self.bytes(offset, HEADER_LEN)?;
        if header.is_empty() {
            return Ok(Probe::End);
        }
        let Ok(header) = <[u8; HEADER_LEN]>::try_from(header) else {
            let is_blank = header.iter().all(|byte| *byte == 0);
            return Ok(if is_blank { Probe::Blank } else { Probe::Bad(FrameFault::Short) });
        };
        let Some(parsed) = frame::parse(&header) else {
            let is_blank = header == [0; HEADER_LEN];
            return Ok(if is_blank { Probe::Blank } else { Probe::Bad(FrameFault::NoMagic) });
        };
        let len = HEADER_LEN + parsed.body_len;
        // A length that was damaged must not make us allocate.
        if !self.holds(offset, len) && offset + len as u64 > self.file_len()? {
            return Ok(Probe::Bad(FrameFault::Short));
        }
        let bytes = self.bytes(offset, len)?;
        if bytes.len() < len {
            return Ok(Probe::Bad(FrameFault::Short));
        }
        let whole = frame::checksum(&header, &bytes[HEADER_LEN..]) == parsed.crc;
        Ok(if whole { Probe::Good(len) } else { Probe::Bad(FrameFault::Checksum) })
    }

    fn holds(&self, offset: u64, len: usize) -> bool {
        let start =
            offset.checked_sub(self.buffer_at).and_then(|start| usize::try_from(start).ok());
        start.is_some_and(|start| start + len <= self.filled)
    }

    /// Up to `len` bytes from an offset; fewer at the end of the file.
    fn bytes(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        if !self.holds(offset, len) {
            self.fill(offset, len.max(self.read_len))?;
            self.read_len = (self.read_len * 2).min(READ_AHEAD);
        }
        let start = usize::try_from(offset - self.buffer_at).expect("invariant: in the buffer");
        let end = self.filled.min(start + len);
        Ok(&self.buffer[start.min(end)..end])
    }

    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        (self.buffer_at, self.filled) = (offset, 0);
        while self.filled < len {
            let rest = &mut self.buffer[self.filled..len];
            match self.file.read_at(rest, offset + self.filled as u64) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

enum Probe {
    Good(usize),
    End,
    Blank,
    Bad(FrameFault),
}
