//! The backend of one machine: segment files, one write and one fdatasync a frame.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use super::ahead::{self, Room, SegmentsAhead};
use super::anchor::AnchorThread;
use super::segment::{self, path_of, sync_dir};
use super::{Backend, BackendError, Frame, Head};

/// Segment files in the folder of a data folder.
pub(crate) struct Files {
    dir: PathBuf,
    segment_len_max: u64,
    fsync_delay: Duration,
    current: Option<Current>,
    ahead: Option<SegmentsAhead>,
    anchors: AnchorThread,
}

/// The segment that is written.
struct Current {
    file: File,
    /// Where the next frame begins.
    end: u64,
    /// Length of the file; what lies behind `end` is zero.
    file_len: u64,
}

impl Current {
    /// Errors: another writer has added to the segment or cut it. A frame after that would be
    /// damage in the middle of the journal.
    fn is_as_left(&self) -> io::Result<()> {
        let (len, expected) = (self.file.metadata()?.len(), self.file_len);
        if len != expected {
            let told = format!("its segment has {len} bytes, not {expected}: another writes it");
            return Err(io::Error::other(told));
        }
        let mut next = [0; 16];
        let read = self.file.read_at(&mut next, self.end)?;
        if next[..read].iter().any(|byte| *byte != 0) {
            let told = format!("its segment goes on at byte {}: another writes it", self.end);
            return Err(io::Error::other(told));
        }
        Ok(())
    }
}

/// Where the journal's last segment is written on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentEnd {
    /// Its first record.
    pub first_sequence: u64,
    /// Where its last frame ends.
    pub offset: u64,
}

impl Files {
    /// Continues the last segment, if there is one.
    pub fn open(
        data: PathBuf,
        last: Option<SegmentEnd>,
        segment_len_max: u64,
        fsync_delay: Duration,
    ) -> io::Result<Self> {
        let dir = segment::dir_of(&data);
        let current = match last {
            None => None,
            Some(SegmentEnd { first_sequence, offset: end }) => {
                let path = path_of(&dir, first_sequence);
                let file = OpenOptions::new().read(true).write(true).open(path)?;
                file.try_lock()?;
                let file_len = ahead::extend(&file, end, segment_len_max)?;
                Some(Current { file, end, file_len })
            }
        };
        let mut ahead = SegmentsAhead::start(&data, segment_len_max)?;
        if current.is_some() {
            ahead.ask();
        }
        let (ahead, anchors) = (Some(ahead), AnchorThread::start(data)?);
        Ok(Self { dir, segment_len_max, fsync_delay, current, ahead, anchors })
    }

    fn roll(&mut self, previous: &Head) -> Result<(), BackendError> {
        self.current = Some(self.next(previous).map_err(failed("given a new segment"))?);
        if let Some(ahead) = &mut self.ahead {
            ahead.ask();
        }
        if previous.sequence > 0 { self.anchor(previous) } else { Ok(()) }
    }

    /// The segment after `previous`: the file written ahead, or a new one with less room.
    fn next(&mut self, previous: &Head) -> io::Result<Current> {
        let (path, end) = (path_of(&self.dir, previous.sequence + 1), segment::HEADER_LEN as u64);
        let header = segment::header(previous);
        let taken = match &mut self.ahead {
            Some(ahead) => ahead.take(&path, &header)?,
            None => None,
        };
        if let Some(Room { file, len }) = taken {
            sync_dir(&self.dir)?;
            return Ok(Current { file, end, file_len: len });
        }
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.try_lock()?;
        file.write_all_at(&header, 0)?;
        let file_len = ahead::extend(&file, end, self.segment_len_max)?;
        sync_dir(&self.dir)?;
        Ok(Current { file, end, file_len })
    }

    /// Whether a frame goes into the next segment: this one is full, or could only grow while the
    /// next has its room.
    fn is_full(&mut self, frame: &Frame<'_>) -> bool {
        let Some(current) = &self.current else { return true };
        let end = current.end + frame.bytes.len() as u64;
        let outgrows = end > current.file_len;
        let is_empty = current.end == segment::HEADER_LEN as u64;
        let mut is_ready = || self.ahead.as_mut().is_some_and(SegmentsAhead::is_ready);
        !is_empty && (end > self.segment_len_max || outgrows && is_ready())
    }

    /// Cuts off what was written ahead.
    fn cut_rest(&mut self) -> io::Result<()> {
        if let Some(ahead) = self.ahead.take() {
            ahead.close()?;
        }
        match self.current.take() {
            Some(current) if current.end < current.file_len => {
                current.file.set_len(current.end)?;
                current.file.sync_all()
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Backend for Files {
    fn append(&mut self, frame: &Frame<'_>) -> Result<(), BackendError> {
        if self.is_full(frame) {
            self.roll(frame.previous)?;
        }
        let current = self.current.as_mut().expect("invariant: rolled when there was none");
        current.is_as_left().map_err(failed("written"))?;
        current.file.write_all_at(frame.bytes, current.end).map_err(failed("written"))?;
        if !self.fsync_delay.is_zero() {
            std::thread::sleep(self.fsync_delay);
        }
        current.file.sync_data().map_err(failed("synced"))?;
        current.end += frame.bytes.len() as u64;
        current.file_len = current.file_len.max(current.end);
        Ok(())
    }

    /// Written in the background: it may lag, and the journal goes on.
    fn anchor(&mut self, head: &Head) -> Result<(), BackendError> {
        self.anchors.write(head).map_err(failed("anchored"))
    }

    fn close(&mut self, head: &Head) -> Result<(), BackendError> {
        self.cut_rest().map_err(failed("closed"))?;
        self.anchors.close(head).map_err(failed("anchored"))
    }
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> BackendError {
    move |source| BackendError::Io { doing, source }
}
