//! Notices that files have changed, by looking at them now and then.
//!
//! A look reads no content, only when each was changed and how long it is, so it also works where a
//! file is replaced by a link to another (as orchestrators do) and on network file systems.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Files that are looked at.
#[derive(Debug)]
pub(super) struct FileWatch {
    files: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
    every: Option<Duration>,
}

/// How a file looks from outside.
type Stamp = (Option<SystemTime>, u64);

impl FileWatch {
    /// Changes of these files from now on will be noticed. To be called before they are read.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { seen: stamps(&files), files, every: None }
    }

    /// Looks so often; never where no pause is given.
    pub fn every(mut self, every: Option<Duration>) -> Self {
        self.every = every;
        self
    }

    /// Looks at these files; of one that was looked at before no change is forgotten.
    pub fn look_at(&mut self, files: Vec<PathBuf>) {
        let mut seen = stamps(&files);
        for (file, stamp) in files.iter().zip(&mut seen) {
            if let Some(known) = self.files.iter().position(|known| known == file) {
                *stamp = self.seen[known];
            }
        }
        (self.files, self.seen) = (files, seen);
    }

    /// The files are about to be read as they are now.
    pub fn note(&mut self) {
        self.seen = stamps(&self.files);
    }

    /// Resolves when a file has changed, and no more changes have come for one pause: whoever writes
    /// several files, or a long one, is done by then. Cancel-safe: a dropped call forgets nothing.
    pub async fn changed(&mut self) {
        let Some(every) = self.every else { return std::future::pending().await };
        loop {
            tokio::time::sleep(every).await;
            let mut now = stamps(&self.files);
            if now == self.seen {
                continue;
            }
            loop {
                tokio::time::sleep(every).await;
                let later = stamps(&self.files);
                if later == now {
                    break;
                }
                now = later;
            }
            self.seen = now;
            return;
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok(), metadata.len()))
    };
    files.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_noticed_once_when_the_file_is_at_rest() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rules.toml");
        std::fs::write(&file, "a = 1").unwrap();
        let files = vec![file.clone(), dir.path().join("not there")];
        let mut watch = FileWatch::new(files.clone()).every(Some(Duration::from_millis(20)));
        let nothing = tokio::time::timeout(Duration::from_millis(200), watch.changed()).await;
        assert!(nothing.is_err(), "nothing has changed");
        std::fs::write(&file, "a = 1\nb = 2").unwrap();
        tokio::time::timeout(Duration::from_secs(30), watch.changed()).await.unwrap();
        let nothing = tokio::time::timeout(Duration::from_millis(200), watch.changed()).await;
        assert!(nothing.is_err(), "it was told");
        std::fs::write(&file, "a = 1\nb = 2\nc = 3").unwrap();
        watch.look_at(files);
        tokio::time::timeout(Duration::from_secs(30), watch.changed()).await.unwrap();
        std::fs::remove_file(&file).unwrap();
        tokio::time::timeout(Duration::from_secs(30), watch.changed()).await.unwrap();
    }
}
