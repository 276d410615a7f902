//! The data folder that a command is given: one that is not there is never made in silence.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The journal's folder within it.
const JOURNAL: &str = "journal";

/// Why a command does nothing with a folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoFolder {
    /// It is not there.
    #[error("there is no data folder `{0}`; the switch makes it when it starts there")]
    Missing(String),
    /// No switch has written in it.
    #[error("there is no journal in `{0}`; it begins when the switch starts there")]
    NoJournal(String),
    /// It is a file.
    #[error("`{0}` is no folder")]
    NotAFolder(String),
    /// It cannot be made.
    #[error("the data folder `{0}` cannot be made: {1}")]
    NotMade(String, std::io::Error),
}

/// That a folder is there.
///
/// Errors: it is not, or is a file.
pub(super) fn is_there(dir: &Path) -> Result<(), NoFolder> {
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(NoFolder::NotAFolder(dir.display().to_string())),
        Err(_) => Err(NoFolder::Missing(dir.display().to_string())),
    }
}

/// That a folder is there and a journal in it.
///
/// Errors: as [`is_there`], or no switch was ever started there.
pub(super) fn has_journal(dir: &Path) -> Result<(), NoFolder> {
    is_there(dir)?;
    match dir.join(JOURNAL).is_dir() {
        true => Ok(()),
        false => Err(NoFolder::NoJournal(dir.display().to_string())),
    }
}

/// Says that a folder is missing and will be made, where the log is to say less than that.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn tell_if_missing(dir: &Path) {
    let is_logged = tracing::enabled!(target: "storage::folder", tracing::Level::WARN);
    if !is_logged && !dir.exists() {
        eprintln!("note: there is no data folder `{}`; it is made", dir.display());
    }
}

/// Makes a folder where it is missing, but none that it would be in, and says so.
///
/// Errors: it is a file, or cannot be made.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub(super) fn made(dir: &Path) -> Result<(), NoFolder> {
    match is_there(dir) {
        Err(NoFolder::Missing(name)) => {
            match DirBuilder::new().mode(0o700).create(dir) {
                Ok(()) => eprintln!("note: there was no data folder `{name}`; it was made"),
                // Another process has just made it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(NoFolder::NotMade(name, error)),
            }
            Ok(())
        }
        there => there,
    }
}
