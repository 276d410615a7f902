//! Segments written ahead: a thread of its own makes the file of the next segment, full of zeros
//! and durable.
//!
//! An append to such a file changes neither its length nor the blocks it has, so its fdatasync waits
//! for the bytes alone, and not for the file system's own journal. What is still zero at the end of a
//! segment is no part of the journal. A file that is not ready in time, or for which the disk has no
//! room to spare, is done without: the segment then grows with each append.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// Room that a segment gets at once where no file was written ahead, in bytes. The first file
/// written ahead is [`GROWTH`] times as long, and so on up to the longest segment: a store that takes
/// little keeps little.
const FIRST_LEN: u64 = 1 << 20;
const GROWTH: u64 = 4;
/// Zeros written before they are synced.
const CHUNK_LEN: usize = 1 << 20;
/// The file while it is being made, in the data folder.
const NAME: &str = "segment.tmp";

/// A file of zeros, durable.
pub(super) struct Room {
    pub file: File,
    pub len: u64,
}

/// The thread that makes the next file, and that file once it is there.
pub(super) struct SegmentsAhead {
    path: PathBuf,
    asked: Sender<u64>,
    made: Receiver<io::Result<Room>>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
    is_asked: bool,
    room: Option<Room>,
    next_len: u64,
    len_max: u64,
}

impl SegmentsAhead {
    /// Starts the thread, and removes what an earlier process left.
    pub fn start(data: &Path, len_max: u64) -> io::Result<Self> {
        let path = data.join(NAME);
        remove(&path)?;
        let (asked, lens) = bounded(1);
        let (ready, made) = bounded(1);
        let (stop, stopped) = bounded(0);
        let making = path.clone();
        let thread =
            std::thread::Builder::new().name("journal-ahead".to_owned()).spawn(move || {
                for len in lens {
                    if ready.send(make(&making, len, &stopped)).is_err() {
                        return;
                    }
                }
            })?;
        let next_len = (FIRST_LEN * GROWTH).min(len_max);
        let (is_asked, room) = (false, None);
        Ok(Self { path, asked, made, stop, thread, is_asked, room, next_len, len_max })
    }

    /// Has the next file made, unless one is there or being made.
    pub fn ask(&mut self) {
        if self.is_asked || self.room.is_some() {
            return;
        }
        // A thread that is gone makes none, which the journal can do without.
        self.is_asked = self.asked.try_send(self.next_len).is_ok();
        self.next_len = self.next_len.saturating_mul(GROWTH).min(self.len_max);
    }

    /// Whether a file is there.
    pub fn is_ready(&mut self) -> bool {
        if let Ok(made) = self.made.try_recv() {
            self.is_asked = false;
            match made {
                Ok(room) => self.room = Some(room),
                Err(error) => tracing::warn!(%error, "no segment could be written ahead"),
            }
        }
        self.room.is_some()
    }

    /// Gives the file the name of a segment; none when no file is there. The name is durable once
    /// the folder is synced.
    pub fn take(&mut self, as_segment: &Path, header: &[u8]) -> io::Result<Option<Room>> {
        if !self.is_ready() {
            return Ok(None);
        }
        let Some(room) = self.room.take() else { return Ok(None) };
        room.file.try_lock()?;
        room.file.write_all_at(header, 0)?;
        room.file.sync_data()?;
        fs::rename(&self.path, as_segment)?;
        Ok(Some(room))
    }

    /// Ends the thread and removes the file that was not used.
    pub fn close(self) -> io::Result<()> {
        let Self { path, asked, made, stop, thread, .. } = self;
        drop((asked, made, stop));
        // A thread that panicked has said so.
        let _ = thread.join();
        remove(&path)
    }
}

/// Makes a file of zeros. Between its chunks it rests as long as each took, so that the disk has
/// time for the journal.
fn make(path: &Path, len: u64, stopped: &Receiver<()>) -> io::Result<Room> {
    let made = || {
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        if !has_room(&file, len)? {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is nearly full"));
        }
        let mut at = 0;
        while at < len {
            let began = Instant::now();
            at = fill(&file, at, len)?;
            file.sync_data()?;
            match stopped.recv_timeout(began.elapsed()) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the store is being closed"));
                }
            }
        }
        file.sync_all()?;
        Ok(Room { file, len })
    };
    // A file that was made in part takes room that the journal may need.
    made().inspect_err(|_| drop(remove(path)))
}

/// Whether so many bytes are no more than a quarter of what the file's disk has free: the rest is for
/// what must be written.
fn has_room(file: &File, len: u64) -> io::Result<bool> {
    let disk = rustix::fs::fstatvfs(file)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize) / 4 >= len)
}

/// Writes a chunk of zeros at an offset, up to `end`; gives where it ends.
fn fill(file: &File, at: u64, end: u64) -> io::Result<u64> {
    static ZEROS: [u8; CHUNK_LEN] = [0; CHUNK_LEN];
    let len = usize::try_from(end - at).unwrap_or(usize::MAX).min(CHUNK_LEN);
    file.write_all_at(&ZEROS[..len], at)?;
    Ok(at + len as u64)
}

/// Gives a segment that ends at `end` some room, and gives the length of its file then; less where
/// the disk is nearly full.
///
/// Errors: the file cannot be asked or synced.
pub(super) fn extend(file: &File, end: u64, len_max: u64) -> io::Result<u64> {
    let wanted = end.saturating_add(FIRST_LEN).min(len_max);
    let mut at = file.metadata()?.len();
    let is_given = has_room(file, wanted.saturating_sub(at))?;
    while at < wanted && is_given {
        match fill(file, at, wanted) {
            Ok(filled) => at = filled,
            Err(error) => {
                tracing::warn!(%error, "the journal's segment gets no room ahead");
                break;
            }
        }
    }
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
