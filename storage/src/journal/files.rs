//! The backend of one machine: segment files, one write and one fdatasync a frame.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::segment::{self, path_of, sync_dir};
use super::{Backend, BackendError, Frame, Head, write_anchor};

/// Segment files in the folder of a data folder.
pub(crate) struct Files {
    data: PathBuf,
    dir: PathBuf,
    segment_len_max: u64,
    fsync_delay: Duration,
    current: Option<Current>,
}

struct Current {
    file: File,
    len: u64,
}

impl Current {
    /// Errors: another writer has added to the segment or cut it. A frame after that would be
    /// damage in the middle of the journal.
    fn is_as_left(&self) -> io::Result<()> {
        match self.file.metadata()?.len() {
            len if len == self.len => Ok(()),
            len => {
                let expected = self.len;
                let told =
                    format!("its segment has {len} bytes, not {expected}: another writes it");
                Err(io::Error::other(told))
            }
        }
    }
}

impl Files {
    /// Continues the segment that begins with `first_sequence`, if there is one.
    pub fn open(
        data: PathBuf,
        first_sequence: Option<u64>,
        segment_len_max: u64,
        fsync_delay: Duration,
    ) -> io::Result<Self> {
        let dir = segment::dir_of(&data);
        let current = match first_sequence {
            None => None,
            Some(first) => {
                let file = OpenOptions::new().append(true).open(path_of(&dir, first))?;
                file.try_lock()?;
                let len = file.metadata()?.len();
                Some(Current { file, len })
            }
        };
        Ok(Self { data, dir, segment_len_max, fsync_delay, current })
    }

    fn roll(&mut self, previous: &Head) -> Result<(), BackendError> {
        let roll = || -> io::Result<Current> {
            let path = path_of(&self.dir, previous.sequence + 1);
            let mut file =
                OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
            file.try_lock()?;
            file.write_all(&segment::header(previous))?;
            file.sync_all()?;
            sync_dir(&self.dir)?;
            Ok(Current { file, len: segment::HEADER_LEN as u64 })
        };
        self.current = Some(roll().map_err(failed("given a new segment"))?);
        if previous.sequence > 0 { self.anchor(previous) } else { Ok(()) }
    }

    fn is_full(&self, frame: &Frame<'_>) -> bool {
        self.current.as_ref().is_none_or(|current| {
            let len = current.len + frame.bytes.len() as u64;
            len > self.segment_len_max && current.len > segment::HEADER_LEN as u64
        })
    }
}

impl Backend for Files {
    fn append(&mut self, frame: &Frame<'_>) -> Result<(), BackendError> {
        if self.is_full(frame) {
            self.roll(frame.previous)?;
        }
        let current = self.current.as_mut().expect("invariant: rolled when there was none");
        current.is_as_left().map_err(failed("written"))?;
        current.file.write_all(frame.bytes).map_err(failed("written"))?;
        if !self.fsync_delay.is_zero() {
            std::thread::sleep(self.fsync_delay);
        }
        current.file.sync_data().map_err(failed("synced"))?;
        current.len += frame.bytes.len() as u64;
        Ok(())
    }

    fn anchor(&mut self, head: &Head) -> Result<(), BackendError> {
        write_anchor(&self.data, head).map_err(failed("anchored"))
    }
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> BackendError {
    move |source| BackendError::Io { doing, source }
}
