//! Reads the frames of one segment file, front to back, also while it grows.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::frame::{self, HEADER_LEN, MAGIC};
use super::{Chain, Head, segment};

const READ_AHEAD: usize = 1 << 20;

/// What is wrong with the bytes where a frame should be.
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
    Bad(FrameFault),
}

/// A segment being read.
pub(crate) struct SegmentReader {
    file: File,
    offset: u64,
    buffer: Vec<u8>,
    filled: usize,
    buffer_at: u64,
}

impl SegmentReader {
    /// Opens a segment and reads its header: where the journal stood before it.
    pub fn open(dir: &Path, first_sequence: u64) -> io::Result<(Self, Result<Head, FrameFault>)> {
        let file = File::open(segment::path_of(dir, first_sequence))?;
        let buffer = Vec::new();
        let mut reader = Self { file, offset: 0, buffer, filled: 0, buffer_at: 0 };
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

    /// Forgets what was read ahead: the file may have grown over it since.
    pub fn forget_ahead(&mut self) {
        self.filled = 0;
    }

    /// Reads the next frame; stays where it is unless there is a good one.
    pub fn next(&mut self) -> io::Result<Step<'_>> {
        let offset = self.offset;
        let len = match self.probe(offset)? {
            Probe::Good(len) => len,
            Probe::End => return Ok(Step::End),
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

    /// Whether a whole frame stands anywhere after the bad bytes at the reader's place.
    pub fn any_frame_after(&mut self) -> io::Result<bool> {
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

    fn probe(&mut self, offset: u64) -> io::Result<Probe> {
        let header = self.bytes(offset, HEADER_LEN)?;
        if header.is_empty() {
            return Ok(Probe::End);
        }
        let Ok(header) = <[u8; HEADER_LEN]>::try_from(header) else {
            return Ok(Probe::Bad(FrameFault::Short));
        };
        let Some(parsed) = frame::parse(&header) else {
            return Ok(Probe::Bad(FrameFault::NoMagic));
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
            self.fill(offset, len.max(READ_AHEAD))?;
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
    Bad(FrameFault),
}
