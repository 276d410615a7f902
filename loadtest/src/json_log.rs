//! A file of JSON lines that hot paths may append to: they only copy bytes into memory, and a
//! thread of the log's own writes them out ten times a second.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

/// Lines wait at most this long before they are handed to the file.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// Unwritten bytes above which an appender waits for the disk instead of growing the buffer.
const PENDING_BYTES_MAX: usize = 64 << 20;

/// A file of JSON lines.
#[derive(Debug)]
pub struct JsonLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    is_closed: bool,
}

impl JsonLog {
    /// Creates the file, or continues one that is there.
    ///
    /// Errors: what the system says of opening the file or starting the writer thread.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let shared = Arc::new(Shared::default());
        let writer = std::thread::Builder::new().name("json-log".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || write_out(&shared, file)
        })?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    /// Appends one line.
    pub fn append<T: Serialize>(&self, line: &T) {
        self.append_with(|bytes| {
            serde_json::to_writer(&mut *bytes, line)
                .expect("invariant: a log line has string keys and goes to memory");
            bytes.push(b'\n');
        });
    }

    /// Appends whatever the closure adds to the buffer: whole lines, each ended by a line feed.
    pub fn append_with(&self, add: impl FnOnce(&mut Vec<u8>)) {
        let mut pending = self.shared.lock();
        while pending.bytes.len() > PENDING_BYTES_MAX && !pending.is_closed {
            pending = self.shared.wait(pending);
        }
        if !pending.is_closed {
            add(&mut pending.bytes);
        }
    }

    /// Writes out what is left and closes the file. Later lines are lost.
    ///
    /// Errors: the first failure of a write since the log was opened.
    pub fn close(&self) -> io::Result<()> {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match writer {
            Some(thread) => thread.join().expect("invariant: the log's thread does not panic"),
            None => Ok(()),
        }
    }
}

impl Drop for JsonLog {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "a log of JSON lines is incomplete");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, pending: MutexGuard<'a, Pending>) -> MutexGuard<'a, Pending> {
        let woken = self.changed.wait_timeout(pending, FLUSH_EVERY);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn write_out(shared: &Shared, mut file: File) -> io::Result<()> {
    let mut batch = Vec::new();
    loop {
        let mut pending = shared.lock();
        if !pending.is_closed {
            pending = shared.wait(pending);
        }
        std::mem::swap(&mut batch, &mut pending.bytes);
        let is_closed = pending.is_closed;
        drop(pending);
        shared.changed.notify_all();
        if let Err(error) = file.write_all(&batch) {
            shared.lock().is_closed = true;
            return Err(error);
        }
        batch.clear();
        if is_closed {
            return file.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_the_file_once_the_log_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        let log = JsonLog::open(&path).unwrap();
        for number in 0..1000 {
            log.append(&number);
        }
        log.close().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(lines, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_that_is_there_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        for number in 0..2 {
            let log = JsonLog::open(&path).unwrap();
            log.append(&number);
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), "0\n1\n");
    }
}
