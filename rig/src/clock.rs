//! A wall clock that a test sets for the processes it starts: libfaketime, loaded before them.
//!
//! Only the wall clock is changed. The time since the machine's start is read past libfaketime, as
//! a machine whose wall clock was set anew has it.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::{Error, Result, dirs};

/// Where Debian's package `libfaketime` has its library, in one folder for each architecture.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
/// A variable that names the library where it is elsewhere.
const LIBRARY_VARIABLE: &str = "FAKETIME_LIB";

/// A wall clock that can be set.
#[derive(Debug)]
pub struct FakeClock {
    library: PathBuf,
    dir: TempDir,
}

impl FakeClock {
    /// One that is right.
    ///
    /// Errors: libfaketime is not on this machine.
    pub fn new() -> Result<Self> {
        let clock = Self { library: library()?, dir: dirs::fresh("clock")? };
        clock.set_ahead(0)?;
        Ok(clock)
    }

    /// Sets it so many seconds ahead of the right time; behind it where that is below zero.
    ///
    /// Errors: its file cannot be written.
    pub fn set_ahead(&self, seconds: i64) -> Result<()> {
        // Whole at once: a process reads it at every look at the clock.
        let fresh = self.dir.path().join("fresh");
        std::fs::write(&fresh, format!("{seconds:+}\n"))?;
        Ok(std::fs::rename(&fresh, self.dir.path().join("ahead"))?)
    }

    /// The variables of a process that has this clock, `NAME=VALUE` each.
    pub fn environment(&self) -> Vec<String> {
        let file = self.dir.path().join("ahead");
        vec![
            // With the C library's own allocator: jemalloc, which Redis has, asks for the time while
            // libfaketime reads its file.
            format!("LD_PRELOAD={}:libc.so.6", self.library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "DONT_FAKE_MONOTONIC=1".to_owned(),
        ]
    }
}

fn library() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(LIBRARY_VARIABLE) {
        return Ok(named.into());
    }
    let folders = std::fs::read_dir(LIBRARIES)?.flatten();
    let mut found = folders.map(|folder| folder.path().join(LIBRARY)).filter(|path| path.exists());
    found.next().ok_or_else(|| {
        Error::new(format!(
            "libfaketime is not on this machine: install Debian's package libfaketime, or name its \
             library in {LIBRARY_VARIABLE}"
        ))
    })
}
