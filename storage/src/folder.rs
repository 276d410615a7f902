//! The data folder: its owner's alone, and one process's at a time.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bits of a mode that let others in.
const OTHERS: u32 = 0o077;
/// The bit of a folder in which several users keep files, such as `/tmp`.
const STICKY: u32 = 0o1000;
/// Mode of the folder and of those within it.
const FOLDER_MODE: u32 = 0o700;
/// Folders within it that are the switch's own.
const OWN_FOLDERS: [&str; 4] = ["backoffice", "journal", "snapshots", "views"];
/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 8;
/// The file with the process id of the lock's holder.
const LOCK_FILE: &str = "lock";

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it open.
    #[error("the data folder {} is in use by another process{}", dir.display(), told(*pid))]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The process, where it is known.
        pid: Option<u32>,
    },
    /// It belongs to another user.
    #[error(
        "the data folder {} belongs to user {owner}, and this process runs as user {user}: \
         give it a folder of its own",
        dir.display()
    )]
    Foreign {
        /// The folder.
        dir: PathBuf,
        /// Its owner.
        owner: u32,
        /// The process's user.
        user: u32,
    },
    /// Several users keep files in it.
    #[error("the data folder {} is shared by all users: name a folder within it", dir.display())]
    Shared {
        /// The folder.
        dir: PathBuf,
    },
    /// The system refused.
    #[error("the data folder {} cannot be {doing}", dir.display())]
    Io {
        /// The folder.
        dir: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn told(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(", {pid}"))
}

/// Makes the folder where it is missing, and takes the rights of others away from it and from what
/// the switch keeps in it. The log says where there were any, and that the folder was missing.
///
/// Shape:  the folder 0700, the folders and files within it no more than 0700 and 0600.
/// Errors: it is another user's, or one that all users share, or the system refuses.
pub fn prepare(dir: &Path) -> Result<(), FolderError> {
    let failed = |doing| move |source| FolderError::Io { dir: dir.to_owned(), doing, source };
    let is_there = dir.exists();
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(dir);
    made.map_err(failed("made"))?;
    if !is_there {
        tracing::warn!(folder = %dir.display(), "there was no data folder: it was made");
    }
    let metadata = fs::metadata(dir).map_err(failed("looked at"))?;
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user && user != 0 {
        return Err(FolderError::Foreign { dir: dir.to_owned(), owner, user });
    }
    if metadata.mode() & STICKY != 0 {
        return Err(FolderError::Shared { dir: dir.to_owned() });
    }
    let tightened = tighten(dir, &metadata).and_then(|is_tightened| {
        let within = tighten_within(dir, 0)?;
        Ok(within + u64::from(is_tightened))
    });
    match tightened.map_err(failed("closed to others"))? {
        0 => {}
        count => tracing::warn!(folder = %dir.display(), count,
            "the data folder or files in it were open to other users and are no longer"),
    }
    Ok(())
}

/// How many files and folders were open to others. One that has just been removed is none.
fn tighten_within(dir: &Path, depth: usize) -> io::Result<u64> {
    let mut count = 0;
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && depth > 0 => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let is_own = depth > 0 || OWN_FOLDERS.iter().any(|own| entry.file_name() == **own);
        if metadata.is_file() || metadata.is_dir() && is_own {
            count += u64::from(tighten(&entry.path(), &metadata)?);
        }
        if metadata.is_dir() && is_own && depth < DEPTH_MAX {
            count += tighten_within(&entry.path(), depth + 1)?;
        }
    }
    Ok(count)
}

fn tighten(path: &Path, metadata: &fs::Metadata) -> io::Result<bool> {
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(false);
    }
    match fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Keeps every other process out of a folder until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    /// The lock is on the folder itself: a file can be removed and made anew beside its lock.
    _folder: File,
}

impl FolderLock {
    /// Locks a folder that [`prepare`] has made.
    ///
    /// Errors: another process has it, or the system refuses.
    pub fn take(dir: &Path) -> Result<Self, FolderError> {
        let failed = |source| FolderError::Io { dir: dir.to_owned(), doing: "locked", source };
        let folder = File::open(dir).map_err(failed)?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(dir.join(LOCK_FILE)).ok();
                let pid = pid.and_then(|text| text.trim().parse().ok());
                return Err(FolderError::InUse { dir: dir.to_owned(), pid });
            }
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut told = private(&dir.join(LOCK_FILE)).map_err(failed)?;
        writeln!(told, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _folder: folder })
    }
}

fn private(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_folder_that_is_made_and_one_that_was_open_are_its_owner_s_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("new").join("data");
        prepare(&dir).unwrap();
        assert_eq!(mode(&dir), 0o700);
        let (journal, foreign) = (dir.join("journal"), dir.join("lost+found"));
        for folder in [&journal, &foreign] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("1.log"), "").unwrap();
            for path in [folder.join("1.log"), folder.clone(), dir.clone()] {
                fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
            }
        }
        prepare(&dir).unwrap();
        assert_eq!([mode(&dir), mode(&journal), mode(&journal.join("1.log"))], [0o700; 3]);
        assert_eq!(mode(&foreign.join("1.log")), 0o755, "not the switch's");
    }

    #[test]
    fn a_folder_that_all_users_share_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(matches!(prepare(dir.path()), Err(FolderError::Shared { .. })));
    }

    #[test]
    fn the_lock_holds_although_its_file_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(dir.path()).unwrap();
        let told = FolderLock::take(dir.path()).expect_err("locked").to_string();
        assert!(told.ends_with(&format!("another process, {}", std::process::id())), "{told}");
        fs::remove_file(dir.path().join(LOCK_FILE)).unwrap();
        let refused = FolderLock::take(dir.path());
        assert!(matches!(refused, Err(FolderError::InUse { pid: None, .. })), "{refused:?}");
        drop(lock);
        FolderLock::take(dir.path()).unwrap();
    }
}
