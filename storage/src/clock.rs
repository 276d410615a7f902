//! What time it is, as the process that uses this crate is told.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use router::time::Timestamp;

/// A clock that its process trusts.
pub trait Clock: Debug + Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock, unchecked: for tools that keep nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}
