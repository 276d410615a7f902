//! The head anchor: how far the journal reached at some moment, in a file of its own, so that an
//! end that was cut off cleanly shows. It lags; it never leads.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, TrySendError, bounded};
use parking_lot::Mutex;

use super::{Chain, Head, sync_dir};

const MAGIC: &[u8; 8] = b"CAUCEH\r\n";
const LEN: usize = 52;

/// The thread that replaces the anchor, so that the journal does not wait for it.
pub(super) struct AnchorThread {
    data: PathBuf,
    heads: Option<Sender<Head>>,
    failure: Arc<Mutex<Option<io::Error>>>,
    thread: Option<JoinHandle<()>>,
}

impl AnchorThread {
    pub fn start(data: PathBuf) -> io::Result<Self> {
        let (heads, asked) = bounded::<Head>(1);
        let failure = Arc::new(Mutex::new(None));
        let (folder, failed) = (data.clone(), Arc::clone(&failure));
        let thread = std::thread::Builder::new().name("journal-anchor".to_owned());
        let thread = thread.spawn(move || {
            for head in asked {
                if let Err(error) = write_anchor(&folder, &head) {
                    *failed.lock() = Some(error);
                    return;
                }
            }
        })?;
        Ok(Self { data, heads: Some(heads), failure, thread: Some(thread) })
    }

    /// Has the anchor replaced; one that is being replaced already stands for this one.
    ///
    /// Errors: an earlier one could not be written.
    pub fn write(&self, head: &Head) -> io::Result<()> {
        match self.heads.as_ref().map(|heads| heads.try_send(*head)) {
            Some(Ok(()) | Err(TrySendError::Full(_))) => Ok(()),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(self.failure()),
        }
    }

    /// Ends the thread and writes the last anchor; returns when it is durable.
    pub fn close(&mut self, head: &Head) -> io::Result<()> {
        self.heads = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        write_anchor(&self.data, head)
    }

    fn failure(&self) -> io::Error {
        let failure = self.failure.lock().take();
        failure.unwrap_or_else(|| io::Error::other("the thread that writes it is gone"))
    }
}

/// Replaces the anchor, durably.
pub(crate) fn write_anchor(data: &Path, head: &Head) -> io::Result<()> {
    let mut bytes = [0; LEN];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&head.sequence.to_le_bytes());
    bytes[16..48].copy_from_slice(&head.chain.0);
    let crc = crc32c::crc32c(&bytes[..48]);
    bytes[48..].copy_from_slice(&crc.to_le_bytes());
    let fresh = data.join("head.tmp");
    let mut file = File::create(&fresh)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, data.join("head"))?;
    sync_dir(data)
}

/// The anchor; none when it is missing or not whole.
pub(crate) fn read_anchor(data: &Path) -> io::Result<Option<Head>> {
    let bytes = match fs::read(data.join("head")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(bytes) = <[u8; LEN]>::try_from(bytes) else { return Ok(None) };
    if &bytes[..8] != MAGIC || bytes[48..] != crc32c::crc32c(&bytes[..48]).to_le_bytes() {
        return Ok(None);
    }
    let mut sequence = [0; 8];
    sequence.copy_from_slice(&bytes[8..16]);
    let mut chain = [0; 32];
    chain.copy_from_slice(&bytes[16..48]);
    Ok(Some(Head { sequence: u64::from_le_bytes(sequence), chain: Chain(chain) }))
}
