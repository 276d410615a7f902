//! How a node's threads are told to stop, and wait meanwhile.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Said once, for ever.
#[derive(Default)]
pub struct Stop {
    is_said: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Says it.
    pub fn say(&self) {
        *self.is_said.lock() = true;
        self.changed.notify_all();
    }

    /// Whether it was said.
    pub fn is_said(&self) -> bool {
        *self.is_said.lock()
    }

    /// Waits so long, or until it is said; tells whether it was.
    pub fn wait(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut is_said = self.is_said.lock();
        while !*is_said {
            if self.changed.wait_until(&mut is_said, deadline).timed_out() {
                break;
            }
        }
        *is_said
    }
}
