//! When each key was last used, as far as this node knows: in memory, and once a minute in a file
//! beside the keys, which may be lost without harm.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use router::time::Timestamp;
use storage::private_file;

use super::Hash;
use super::listed::short_id;

const FILE_NAME: &str = "api-keys-used";
/// Keys whose last use is remembered; of more, the least recent are forgotten.
const REMEMBERED_MAX: usize = 65_536;

/// The last uses of keys, by what names them.
#[derive(Debug)]
pub(super) struct Uses {
    path: PathBuf,
    last: Mutex<HashMap<[u8; 8], Timestamp>>,
    is_saved: AtomicBool,
}

impl Uses {
    /// As the file of a data folder says; what cannot be read of it is passed over. Blocks.
    pub fn read(dir: &Path) -> Self {
        let path = dir.join(FILE_NAME);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let last = text.lines().filter_map(use_of).collect();
        Self { path, last: Mutex::new(last), is_saved: AtomicBool::new(true) }
    }

    /// A key is used now.
    pub fn note(&self, hash: &Hash, now: Timestamp) {
        self.last.lock().insert(short_id(hash), now);
        self.is_saved.store(false, Ordering::Release);
    }

    /// When a key was last used.
    pub fn of(&self, hash: &Hash) -> Option<Timestamp> {
        self.last.lock().get(&short_id(hash)).copied()
    }

    /// Writes the file, where there is news. Blocks.
    ///
    /// Errors: the file is as it was.
    pub fn save(&self) -> io::Result<()> {
        if self.is_saved.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let mut last: Vec<([u8; 8], Timestamp)> =
            self.last.lock().iter().map(|(id, at)| (*id, *at)).collect();
        last.sort_unstable_by_key(|(id, at)| (std::cmp::Reverse(*at), *id));
        let forgotten = last.split_off(last.len().min(REMEMBERED_MAX));
        if !forgotten.is_empty() {
            let mut known = self.last.lock();
            known.retain(|id, at| !forgotten.contains(&(*id, *at)));
        }
        let line = |(id, at): ([u8; 8], Timestamp)| format!("{} {at}\n", hex::encode(id));
        let text: String = last.into_iter().map(line).collect();
        private_file::replace(&self.path, text.as_bytes())
    }
}

fn use_of(line: &str) -> Option<([u8; 8], Timestamp)> {
    let (id, at) = line.split_once(' ')?;
    let mut key = [0; 8];
    hex::decode_to_slice(id, &mut key).ok()?;
    let at: jiff::Timestamp = at.parse().ok()?;
    Some((key, Timestamp(at.as_microsecond())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_use_of_a_key_outlives_a_restart_and_a_line_that_is_none_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let uses = Uses::read(dir.path());
        let (one, two) = ([1; 32], [2; 32]);
        let at = Timestamp(1_764_000_000_123_000);
        uses.note(&one, Timestamp(at.0 - 5_000));
        uses.note(&one, at);
        assert_eq!((uses.of(&one), uses.of(&two)), (Some(at), None));
        uses.save().unwrap();
        let path = dir.path().join(FILE_NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("half a li\n{text}")).unwrap();
        let again = Uses::read(dir.path());
        assert_eq!((again.of(&one), again.of(&two)), (Some(at), None));
        std::fs::remove_file(&path).unwrap();
        again.save().unwrap();
        assert!(!path.exists(), "there is no news");
    }
}
