//! How an embedded store is laid out and bounded.

use std::path::PathBuf;
use std::time::Duration;

/// Files of the read models kept open at once.
pub const READ_MODEL_FILES_MAX: usize = 256;
/// Files a store may have open at once: those of the read models, and as many again as merges,
/// the journal's segments, its readers, a snapshot and the lock ever need together.
pub const OPEN_FILES_MAX: usize = READ_MODEL_FILES_MAX + 128;

/// Settings of an embedded store; every queue and buffer has its ceiling here.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder; made when missing. One process at a time may have it open.
    pub dir: PathBuf,
    /// A segment of the journal is closed when it passes this many bytes.
    pub segment_len_max: u64,
    /// Ceilings that every form has.
    pub limits: Limits,
    /// A repeat of an idempotency key is known for at least this long, by elapsed time.
    pub key_retention: Duration,
    /// Segments whose records are all older than this are removed, with the look-ups that lead
    /// there; none keeps them for ever. At least twice `key_retention`, so that every key of a
    /// removed segment is over.
    pub keep_for: Option<Duration>,
    /// Memory for blocks of the read models, in bytes.
    pub view_cache_bytes: u64,
    /// A snapshot of the state is written after this many closed segments; 0 writes none.
    pub snapshot_segments: u32,
    /// An added delay of every sync, for tests and benches of slow disks.
    pub fsync_delay: Duration,
}

/// Ceilings of a store, whatever its form.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Commands that may wait for the writer. New payments are refused when three quarters are
    /// taken; outcomes wait for room.
    pub queue_len_max: usize,
    /// Most records of one group commit.
    pub group_len_max: usize,
    /// Most bytes of records in one group commit.
    pub frame_len_max: usize,
    /// Most durable records the read models may lag behind before the writer waits for them.
    pub view_lag_max: u64,
    /// How often the head anchor is written while there is traffic.
    pub anchor_interval: Duration,
    /// New payments are refused while a frame has waited this long to be durable: nobody is
    /// helped by an answer that comes after everyone has given up.
    pub stall_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_len_max: 16_384,
            group_len_max: 2_048,
            frame_len_max: 1 << 20,
            view_lag_max: 500_000,
            anchor_interval: Duration::from_secs(5),
            stall_max: Duration::from_secs(3),
        }
    }
}

impl Settings {
    /// The defaults, in a folder.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_len_max: 128 << 20,
            limits: Limits::default(),
            key_retention: Duration::from_hours(48),
            keep_for: None,
            view_cache_bytes: 64 << 20,
            snapshot_segments: 8,
            fsync_delay: Duration::ZERO,
        }
    }
}

/// A duration in whole microseconds, as instants are counted.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
