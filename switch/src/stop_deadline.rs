//! Ends the process when its stop hangs.
//!
//! A stop waits for tasks and threads, each for a bounded time. Should one of these waits hang all
//! the same – a runtime whose threads are all blocked keeps no time – this thread ends the process.

use std::io;
use std::process;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::app::{Ended, StopTimes};

/// What a stop may take beyond its times, before it is taken for hanging.
const MARGIN: Duration = Duration::from_secs(1);
/// Exit code of a stop that hung: that of one that was cut short.
const HUNG: i32 = 3;

/// Starts the thread that ends the process when a stop hangs.
///
/// Errors: there is no thread to be had.
pub fn watch(times: &StopTimes, runtime: Handle) -> io::Result<()> {
    let (begun, longest) = (times.begun.clone(), times.longest() + MARGIN);
    #[expect(clippy::disallowed_methods, reason = "a main function that hangs ends nothing")]
    let watch = move || {
        runtime.block_on(begun.cancelled());
        std::thread::sleep(longest);
        tracing::error!(ended = ?Ended::CutShort, "the stop hangs: the process is ended");
        process::exit(HUNG);
    };
    std::thread::Builder::new().name("stop-deadline".to_owned()).spawn(watch).map(drop)
}
