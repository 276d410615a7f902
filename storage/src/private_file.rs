//! Small files that hold secrets: whole or not there, readable by their owner alone.
//!
//! A file is written beside its name, synced, and only then given its name; the folder is synced
//! last. So a crash leaves the old file or the new one, and of several processes that make the same
//! file at once one wins and all read what it wrote.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::journal::sync_dir;

/// Whether [`create`] made the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// This call did.
    Now,
    /// It was there already, and is as it was.
    Before,
}

/// The right to replace a file, which one process has at a time. Ends when it is dropped.
#[derive(Debug)]
pub struct WriteLock {
    _held: File,
}

/// Replaces a file, or makes it.
///
/// The new file belongs to the owner of the old one or else of the folder, so that a command run by
/// an administrator leaves a file that the service can read.
///
/// Errors: the file is as it was, unless only the last sync of the folder failed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = Fresh::written(path, bytes)?;
    fs::rename(&fresh.path, path)?;
    sync_dir(folder(path))
}

/// Makes a file unless there is one of its name.
///
/// Errors: as [`replace`].
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<Created> {
    if path.try_exists()? {
        return Ok(Created::Before);
    }
    let fresh = Fresh::written(path, bytes)?;
    // A link, unlike a rename, never takes the place of a file that is there.
    match fs::hard_link(&fresh.path, path) {
        Ok(()) => sync_dir(folder(path)).map(|()| Created::Now),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Before),
        Err(error) => Err(error),
    }
}

impl WriteLock {
    /// Waits until no other process has the lock of this file. Blocks.
    ///
    /// The lock is a file of its own, `NAME.lock`, since a replaced file is another file.
    pub fn of(path: &Path) -> io::Result<Self> {
        let lock_path = beside(path, ".lock");
        loop {
            let held = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&lock_path)?;
            own_as(&held, &owner_of(path)?)?;
            held.lock()?;
            // Somebody may have removed the file while we waited: then its lock locks nothing.
            match fs::metadata(&lock_path) {
                Ok(named) if is_same(&named, &held.metadata()?) => return Ok(Self { _held: held }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A synced file that has no name of its own yet; removed when it is dropped.
struct Fresh {
    path: PathBuf,
}

impl Fresh {
    fn written(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let fresh = Self { path: beside(path, &format!(".{:016x}.new", rand::random::<u64>())) };
        let mut options = OpenOptions::new();
        let mut file = options.create_new(true).write(true).mode(0o600).open(&fresh.path)?;
        own_as(&file, &owner_of(path)?)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(fresh)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        fs::remove_file(&self.path).ok();
    }
}

fn owner_of(path: &Path) -> io::Result<Metadata> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::metadata(folder(path)),
        found => found,
    }
}

fn own_as(file: &File, owner: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    match fchown(file, Some(owner.uid()), Some(owner.gid())) {
        // Not root: the folder lets us write, so its owner meant us to.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.expect("an entry").file_name().into_string().expect("a name")
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_is_its_owner_s_alone_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        fs::write(&path, "an older and longer text").expect("written");
        replace(&path, b"new").expect("replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"new");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["secret"]);
    }

    #[test]
    fn of_many_that_make_a_file_at_once_one_does_and_all_read_the_same() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        let together = Barrier::new(16);
        let read = std::thread::scope(|scope| {
            let make = |number: u8| {
                let (path, together) = (&path, &together);
                scope.spawn(move || {
                    together.wait();
                    let created = create(path, &[number; 4096]).expect("made");
                    (created, fs::read(path).expect("a file"))
                })
            };
            let makers: Vec<_> = (0..16).map(make).collect();
            makers.into_iter().map(|maker| maker.join().expect("an end")).collect::<Vec<_>>()
        });
        assert_eq!(read.iter().filter(|(created, _)| *created == Created::Now).count(), 1);
        assert!(read.iter().all(|(_, bytes)| bytes == &read[0].1 && bytes.len() == 4096));
        assert_eq!(names(dir.path()), ["secret"]);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        fs::create_dir(&path).expect("a folder in its place");
        assert!(replace(&path, b"new").is_err());
        assert_eq!(names(dir.path()), ["secret"]);
        assert!(path.is_dir());
    }

    #[test]
    fn no_change_under_a_lock_is_lost() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("count");
        fs::write(&path, "0").expect("written");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _lock = WriteLock::of(&path).expect("a lock");
                    let count: u32 = fs::read_to_string(&path).expect("read").parse().expect("one");
                    replace(&path, (count + 1).to_string().as_bytes()).expect("replaced");
                });
            }
        });
        assert_eq!(fs::read_to_string(&path).expect("read"), "8");
    }
}
