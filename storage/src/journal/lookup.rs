//! Reads single records by their positions.
//!
//! A position is a record's number in the journal. A segment's name tells which positions it holds;
//! a place tells where in the segment to begin looking for one. Whole frames are read, for each is
//! held against its checksum, and the last ones read stay in memory.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::frame::{self, HEADER_LEN};
use super::segment::{self, dir_of, list, path_of};
use super::{Damage, FrameFault};
use crate::record::{DecodeError, bodies};

/// Bytes between two places that are noted: so much is passed over to find a record.
pub(crate) const PLACE_EVERY: u64 = 16 << 10;
/// Segments kept open.
const FILES_MAX: usize = 8;

/// Where a frame begins in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FramePlace {
    pub first_sequence: u64,
    pub offset: u64,
}

/// Reads the records of a data folder's journal; shared by all readers.
pub(crate) struct RecordReader {
    dir: PathBuf,
    /// First sequences of the segments, as they were listed last.
    segments: Mutex<Vec<u64>>,
    files: Mutex<VecDeque<(u64, Arc<File>)>>,
    frames: Mutex<FrameCache>,
}

/// The frames read last.
struct FrameCache {
    frames: BTreeMap<u64, Arc<CachedFrame>>,
    /// By age, the oldest first.
    order: VecDeque<u64>,
    len: usize,
    len_max: usize,
}

/// The records of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameRecords {
    /// Its first record.
    pub first_sequence: u64,
    /// The records, one after another.
    pub body: Vec<u8>,
}

struct CachedFrame {
    first_sequence: u64,
    count: u32,
    body: Vec<u8>,
}

/// What a walk through a segment came to.
enum SegmentWalk {
    Found(CachedFrame),
    /// Nothing is written from this offset on.
    End(u64),
}

impl RecordReader {
    /// Reads the journal of a data folder, and keeps at most so many bytes of frames in memory.
    pub fn new(data: &Path, cache_bytes: usize) -> Self {
        let (frames, order) = (BTreeMap::new(), VecDeque::new());
        let frames = FrameCache { frames, order, len: 0, len_max: cache_bytes };
        Self {
            dir: dir_of(data),
            segments: Mutex::default(),
            files: Mutex::default(),
            frames: Mutex::new(frames),
        }
    }

    /// The body of a durable record; none where its segment is there no more. `place` gives the
    /// last place that is noted at or before it; without one the whole segment is looked through.
    ///
    /// Errors: [`Damage`] where the record should be; what `place` fails with.
    pub fn body<E: From<Damage>>(
        &self,
        sequence: u64,
        place: impl FnOnce() -> Result<Option<FramePlace>, E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let cached = self.frames.lock().get(sequence);
        let frame = match cached {
            Some(frame) => frame,
            None => {
                let Some(read) = self.read(sequence, place()?)? else { return Ok(None) };
                self.frames.lock().put(read)
            }
        };
        Ok(Some(frame.body_of(sequence)?))
    }

    /// The records of the frame that holds a durable record; none where its segment is there no
    /// more. `place` is as for [`RecordReader::body`].
    ///
    /// Errors: as [`RecordReader::body`].
    pub fn frame<E: From<Damage>>(
        &self,
        sequence: u64,
        place: impl FnOnce() -> Result<Option<FramePlace>, E>,
    ) -> Result<Option<FrameRecords>, E> {
        let cached = self.frames.lock().get(sequence);
        let frame = match cached {
            Some(frame) => frame,
            None => {
                let Some(read) = self.read(sequence, place()?)? else { return Ok(None) };
                self.frames.lock().put(read)
            }
        };
        let (first_sequence, body) = (frame.first_sequence, frame.body.clone());
        Ok(Some(FrameRecords { first_sequence, body }))
    }

    /// The first record of the oldest segment that is there.
    pub fn oldest(&self) -> Result<Option<u64>, Damage> {
        let mut segments = self.segments.lock();
        *segments = list(&self.dir)?;
        Ok(segments.first().copied())
    }

    /// Lets go of everything before a segment: files that were removed take no room then.
    pub fn forget_before(&self, segment: u64) {
        self.segments.lock().retain(|first| *first >= segment);
        self.files.lock().retain(|(first, _)| *first >= segment);
        self.frames.lock().remove_before(segment);
    }

    fn read(
        &self,
        sequence: u64,
        place: Option<FramePlace>,
    ) -> Result<Option<CachedFrame>, Damage> {
        let mut end = None;
        // A segment may be newer than the list of them, or be pruned since.
        for is_listed in [true, false] {
            let Some(segment) = self.segment_of(sequence, is_listed)? else { continue };
            let Some(file) = self.file(segment)? else { continue };
            let within = place.filter(|place| place.first_sequence >= segment);
            let offset = within.map_or(segment::HEADER_LEN as u64, |place| place.offset);
            let walked = find(&file, sequence, offset);
            match walked.map_err(|error| error.at(segment))? {
                SegmentWalk::Found(frame) => return Ok(Some(frame)),
                SegmentWalk::End(offset) => end = Some((segment, offset)),
            }
        }
        match end {
            None => Ok(None),
            Some((segment, offset)) => {
                Err(Damage::Frame { segment, offset, fault: FrameFault::NoMagic })
            }
        }
    }

    /// The segment that a position is in, by the list that is known or by a new one.
    fn segment_of(&self, sequence: u64, is_listed: bool) -> io::Result<Option<u64>> {
        let mut segments = self.segments.lock();
        if !is_listed {
            *segments = list(&self.dir)?;
        }
        let after = segments.partition_point(|first| *first <= sequence);
        Ok(after.checked_sub(1).map(|at| segments[at]))
    }

    /// An open segment; none where it was removed.
    fn file(&self, segment: u64) -> io::Result<Option<Arc<File>>> {
        let mut files = self.files.lock();
        if let Some((_, file)) = files.iter().find(|(first, _)| *first == segment) {
            return Ok(Some(Arc::clone(file)));
        }
        let file = match File::open(path_of(&self.dir, segment)) {
            Ok(file) => Arc::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if files.len() >= FILES_MAX {
            files.pop_front();
        }
        files.push_back((segment, Arc::clone(&file)));
        Ok(Some(file))
    }
}

/// The fault at an offset of a segment.
enum WalkError {
    Fault(u64, FrameFault),
    Io(io::Error),
}

impl WalkError {
    fn at(self, segment: u64) -> Damage {
        match self {
            Self::Fault(offset, fault) => Damage::Frame { segment, offset, fault },
            Self::Io(error) => Damage::Io(error),
        }
    }
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Passes over the frames from an offset on, up to the one that holds a record.
fn find(file: &File, sequence: u64, mut offset: u64) -> Result<SegmentWalk, WalkError> {
    let mut header = [0; HEADER_LEN];
    loop {
        match file.read_exact_at(&mut header, offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(SegmentWalk::End(offset));
            }
            Err(error) => return Err(error.into()),
        }
        let Some(parsed) = frame::parse(&header) else { return Ok(SegmentWalk::End(offset)) };
        let frame::Header { first_sequence, count, body_len, .. } = parsed;
        let end = first_sequence.saturating_add(u64::from(count));
        if (first_sequence..end).contains(&sequence) {
            let body = whole_body(file, offset, &header, &parsed)?;
            return Ok(SegmentWalk::Found(CachedFrame { first_sequence, count, body }));
        }
        offset += (HEADER_LEN + body_len) as u64;
    }
}

/// The body of a frame whose checksum holds.
fn whole_body(
    file: &File,
    offset: u64,
    header: &[u8; HEADER_LEN],
    parsed: &frame::Header,
) -> Result<Vec<u8>, WalkError> {
    let len = (HEADER_LEN + parsed.body_len) as u64;
    // A length that was damaged must not make us allocate.
    if offset + len > file.metadata()?.len() {
        return Err(WalkError::Fault(offset, FrameFault::Short));
    }
    let mut body = vec![0; parsed.body_len];
    file.read_exact_at(&mut body, offset + HEADER_LEN as u64)?;
    if frame::checksum(header, &body) != parsed.crc {
        return Err(WalkError::Fault(offset, FrameFault::Checksum));
    }
    Ok(body)
}

impl CachedFrame {
    fn body_of(&self, sequence: u64) -> Result<Vec<u8>, Damage> {
        let unreadable = |source| Damage::Record { sequence, source };
        let mut records = (self.first_sequence..).zip(bodies(&self.body));
        let found = records.find(|(at, body)| *at == sequence || body.is_err());
        let missing = DecodeError::Truncated { at: self.body.len() };
        let (_, body) = found.ok_or(unreadable(missing))?;
        body.map(<[u8]>::to_vec).map_err(unreadable)
    }
}

impl FrameCache {
    fn remove_before(&mut self, sequence: u64) {
        let kept = self.frames.split_off(&sequence);
        let removed = std::mem::replace(&mut self.frames, kept);
        self.len -= removed.values().map(|frame| frame.body.len()).sum::<usize>();
        self.order.retain(|first| *first >= sequence);
    }

    fn get(&self, sequence: u64) -> Option<Arc<CachedFrame>> {
        let (_, frame) = self.frames.range(..=sequence).next_back()?;
        let holds = sequence - frame.first_sequence < u64::from(frame.count);
        holds.then(|| Arc::clone(frame))
    }

    fn put(&mut self, read: CachedFrame) -> Arc<CachedFrame> {
        let frame = Arc::new(read);
        if self.frames.insert(frame.first_sequence, Arc::clone(&frame)).is_some() {
            return frame;
        }
        self.len += frame.body.len();
        self.order.push_back(frame.first_sequence);
        while self.len > self.len_max {
            let Some(oldest) = self.order.pop_front() else { break };
            let gone = self.frames.remove(&oldest);
            self.len -= gone.map_or(0, |gone| gone.body.len());
        }
        frame
    }
}

#[cfg(test)]
mod tests;
