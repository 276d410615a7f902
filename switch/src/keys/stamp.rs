//! Whether a file is still as it was read.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

/// A file system may give two writes the same time when they are closer together than this: a tick
/// of the kernel, with room.
const TICK_MAX: Duration = Duration::from_millis(20);

/// What changes with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of a file; none where there is no file. One system call.
    ///
    /// Errors: the folder cannot be looked at.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(file) => Ok(Some(Self {
                file: (file.dev(), file.ino()),
                len: file.len(),
                modified: (file.mtime(), file.mtime_nsec()),
                changed: (file.ctime(), file.ctime_nsec()),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The stamp of a file that was read, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct StampReading {
    stamp: Option<Stamp>,
    /// When the stamp was seen first.
    since: Instant,
    /// When the file was read.
    at: Instant,
}

impl StampReading {
    /// A file with this stamp was read for the first time.
    pub fn first(stamp: Option<Stamp>, now: Instant) -> Self {
        Self { stamp, since: now, at: now }
    }

    /// It was read again. The stamp is the one from before the reading.
    pub fn again(self, stamp: Option<Stamp>, now: Instant) -> Self {
        if stamp == self.stamp { Self { at: now, ..self } } else { Self::first(stamp, now) }
    }

    /// Whether the stamp had not been seen before.
    pub fn is_news(self) -> bool {
        self.since == self.at
    }

    /// Whether the file is as it was read. One that was read within a tick of its change is read
    /// once more afterwards: a second change in that tick has the same stamp.
    pub fn is_still(self, stamp: Option<Stamp>, now: Instant) -> bool {
        let settles = self.since + TICK_MAX;
        stamp == self.stamp && (self.at >= settles || now < settles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_file_is_seen() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("keys");
        let stamp = || Stamp::of(&path).expect("a look");
        let nothing = stamp();
        assert_eq!(nothing, None);
        fs::write(&path, "one").expect("written");
        let one = stamp();
        assert_ne!(one, nothing);
        assert_eq!(stamp(), one);
        fs::write(&path, "longer").expect("written");
        let longer = stamp();
        assert_ne!(longer, one);
        let other = dir.path().join("other");
        fs::write(&other, "LONGER").expect("written");
        fs::rename(&other, &path).expect("renamed");
        assert_ne!(stamp(), longer);
    }

    #[test]
    fn a_file_read_within_a_tick_of_its_change_is_read_once_more() {
        let now = Instant::now();
        let looked = StampReading::first(None, now);
        assert!(looked.is_news() && looked.is_still(None, now));
        assert!(!looked.is_still(None, now + TICK_MAX));
        let settled = looked.again(None, now + TICK_MAX);
        assert!(!settled.is_news());
        assert!(settled.is_still(None, now + TICK_MAX * 1000));
        let early = looked.again(None, now + TICK_MAX / 2);
        assert!(!early.is_still(None, now + TICK_MAX));
    }
}
