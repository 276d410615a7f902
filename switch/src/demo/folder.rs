//! The folder of a demonstration: a given one, or one of its own among the temporary files, which
//! is removed or named at the end.

use std::io;
use std::path::{Path, PathBuf};

use super::screen;
use crate::clock;

/// Where a demonstration keeps its data.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    /// Whether the demonstration chose it.
    is_own: bool,
}

impl DataFolder {
    /// The given folder, or a fresh one; it is there then.
    ///
    /// Errors: it cannot be made.
    pub(super) fn new(given: Option<&Path>) -> io::Result<Self> {
        let folder = match given {
            // Absolute: what is told of it counts in another terminal, too.
            Some(path) => Self { path: std::path::absolute(path)?, is_own: false },
            None => {
                let name = format!("cauce-demo-{}-{}", clock::now().millis(), std::process::id());
                Self { path: std::env::temp_dir().join(name), is_own: true }
            }
        };
        std::fs::create_dir_all(&folder.path)?;
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes a folder of the demonstration's own that has had its use, and else names it. A given
    /// folder is left as it is.
    pub(super) fn leave(&self, is_used_up: bool) {
        if !self.is_own {
            return;
        }
        let path = self.path.display();
        let text = match is_used_up.then(|| std::fs::remove_dir_all(&self.path)) {
            Some(Ok(())) => format!("\nIts data folder {path} is removed; --data DIR keeps one."),
            Some(Err(error)) => format!("\nIts data folder {path} cannot be removed: {error}."),
            None => format!("\nIts data is in {path}; --data with this path continues it."),
        };
        screen::wrapped(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_its_own_is_removed_once_it_is_used_up_and_a_given_one_never() {
        let own = DataFolder::new(None).unwrap();
        own.leave(false);
        assert!(own.path().is_dir());
        own.leave(true);
        assert!(!own.path().exists());
        let root = std::env::current_dir().unwrap();
        let parent = tempfile::tempdir_in(&root).unwrap();
        let relative = parent.path().strip_prefix(&root).unwrap();
        assert_eq!(DataFolder::new(Some(relative)).unwrap().path(), parent.path());
        let given = DataFolder::new(Some(&parent.path().join("data"))).unwrap();
        given.leave(true);
        assert!(given.path().is_dir());
    }
}
