//! What is known of the time from before a start: a file in the data folder, and the last record.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use router::time::Timestamp;
use serde::{Deserialize, Serialize};
use storage::private_file;

use super::trusted::Reading;

/// Name of the file that says what both clocks agreed on last.
const AGREED_FILE: &str = "clock.json";
/// Name of the file by which an operator accepts the wall clock.
const ACCEPTED_FILE: &str = "clock-accepted.json";
/// Where Linux tells one run of the machine from another.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// Both clocks at one moment of one run of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// Which run of the machine.
    pub boot_id: String,
    /// Microseconds since its start.
    pub boot_micros: i64,
    /// The wall clock then, in microseconds of Unix time.
    pub wall_micros: i64,
}

impl Agreed {
    /// A reading of this run of the machine.
    ///
    /// Errors: the run cannot be told from others.
    pub fn of(reading: Reading) -> io::Result<Self> {
        let Reading { wall, boot_micros } = reading;
        Ok(Self { boot_id: boot_id()?, boot_micros, wall_micros: wall.0 })
    }

    /// The wall clock's time at the machine's start, in microseconds of Unix time.
    pub fn offset_micros(&self) -> i64 {
        self.wall_micros.saturating_sub(self.boot_micros)
    }

    /// The wall clock then.
    pub fn wall(&self) -> Timestamp {
        Timestamp(self.wall_micros)
    }
}

/// What tells this run of the machine from others.
///
/// Errors: the kernel does not say.
pub fn boot_id() -> io::Result<String> {
    fs::read_to_string(BOOT_ID_FILE).map(|text| text.trim().to_owned())
}

/// What both clocks agreed on last; none where nothing was written, or nothing readable.
///
/// Errors: the file cannot be read.
pub fn agreed(data: &Path) -> io::Result<Option<Agreed>> {
    read(&data.join(AGREED_FILE))
}

/// Writes what both clocks agree on.
///
/// Errors: the file cannot be written.
pub fn write_agreed(data: &Path, agreed: &Agreed) -> io::Result<()> {
    write(data, AGREED_FILE, agreed)
}

/// What an operator accepted and no switch has taken yet.
///
/// Errors: the file cannot be read.
pub fn accepted(data: &Path) -> io::Result<Option<Agreed>> {
    read(&data.join(ACCEPTED_FILE))
}

/// Writes what an operator accepts.
///
/// Errors: the file cannot be written.
pub fn write_accepted(data: &Path, accepted: &Agreed) -> io::Result<()> {
    write(data, ACCEPTED_FILE, accepted)
}

/// Removes what an operator accepted, once it was taken or refused.
///
/// Errors: the file cannot be removed.
pub fn remove_accepted(data: &Path) -> io::Result<()> {
    match fs::remove_file(data.join(ACCEPTED_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn read(path: &Path) -> io::Result<Option<Agreed>> {
    match fs::read(path) {
        // Half a file is no evidence; it is written anew.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whole or not at all, and readable by the service whoever runs the command.
fn write(data: &Path, name: &str, agreed: &Agreed) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    let bytes = serde_json::to_vec(agreed).map_err(io::Error::other)?;
    private_file::replace(&data.join(name), &bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn what_was_agreed_on_is_read_back_and_half_a_file_is_no_evidence() {
        let data = tempfile::tempdir().expect("a folder");
        assert_eq!(agreed(data.path()).expect("readable"), None);
        let now = Agreed::of(Reading::now()).expect("a boot id");
        write_agreed(data.path(), &now).expect("written");
        assert_eq!(agreed(data.path()).expect("readable"), Some(now));
        fs::write(data.path().join(AGREED_FILE), "{\"boot_id\":").expect("written");
        assert_eq!(agreed(data.path()).expect("readable"), None);
        remove_accepted(data.path()).expect("nothing to remove");
    }

    #[test]
    fn what_an_administrator_accepts_belongs_to_the_owner_of_the_data_folder() {
        let data = tempfile::tempdir().expect("a folder");
        let now = Agreed::of(Reading::now()).expect("a boot id");
        // Only root can give a folder away; anybody else writes what is its own anyway.
        let is_given = std::os::unix::fs::chown(data.path(), Some(10_001), Some(10_001)).is_ok();
        write_accepted(data.path(), &now).expect("written");
        let owned = |path: &Path| fs::metadata(path).map(|file| (file.uid(), file.gid()));
        let (folder, file) = (owned(data.path()), owned(&data.path().join(ACCEPTED_FILE)));
        let (folder, file) = (folder.expect("a folder"), file.expect("a file"));
        assert_eq!(file, folder);
        assert_eq!(is_given, folder == (10_001, 10_001));
        assert_eq!(fs::read_dir(data.path()).expect("a folder").count(), 1, "nothing beside it");
    }
}
