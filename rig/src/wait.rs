//! Waiting for the world, with an end.

use std::time::{Duration, Instant};

use crate::{Error, Result};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Asks `probe` again and again until it succeeds.
///
/// Errors: the probe's last error, once `within` has passed; `what` says what was waited for.
pub fn eventually<T>(
    what: &str,
    within: Duration,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match probe() {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if start.elapsed() >= within {
            return Err(error.within(format!("waited {within:?} for {what}")));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// What a probe answers: nothing yet, and why.
pub(crate) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::new(otherwise())) }
}
