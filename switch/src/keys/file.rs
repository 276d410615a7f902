//! The keys of one data folder: `api-keys.jsonl`, one line a key.
//!
//! Lines may be removed by hand. What cannot be read is told with its line, and every other line
//! counts. A change writes the whole file anew, under a lock, and gives it its name last.

use std::io;
use std::path::{Path, PathBuf};

use router::time::Timestamp;
use serde::{Deserialize, Serialize};
use storage::private_file::{self, WriteLock};

use super::{Hash, KeyName, ListedKey, OldKeyEnd, Role, Rotated, hash_of, new_key};
use crate::clock;

const FILE_NAME: &str = "api-keys.jsonl";

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sha256: String,
    role: Role,
    owner: String,
    created_at: String,
    /// When the key ends, where another took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
}

/// A line that is no key, or not only a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: line {line}: {why}", path.display())]
pub struct Fault {
    path: PathBuf,
    line: usize,
    why: String,
}

/// What the file says.
#[derive(Debug, Default)]
pub struct Listed {
    /// Its keys, in its order; those that have ended are not among them.
    pub keys: Vec<ListedKey>,
    /// Lines that could not be read.
    pub faults: Vec<Fault>,
}

/// One line as it was read.
#[derive(Debug)]
enum KeyLine {
    Key(ListedKey),
    /// Kept as it is: somebody may mend it.
    Unread(Vec<u8>),
}

/// The file of a data folder.
pub fn path_of(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

/// The keys of a data folder; none when it has no file. Blocks.
///
/// Errors: when the file is there and cannot be read.
pub fn list(dir: &Path) -> io::Result<Listed> {
    let path = path_of(dir);
    let (entries, faults) = parse(&path, &read(&path)?);
    let key = |entry| match entry {
        KeyLine::Key(key) => Some(key),
        KeyLine::Unread(_) => None,
    };
    let now = clock::now();
    let keys = entries.into_iter().filter_map(key).filter(|key| key.counts_at(now)).collect();
    Ok(Listed { keys, faults })
}

/// Makes a key, notes its hash in the data folder, and gives it – this once. Blocks.
///
/// Errors: when the folder or file cannot be written; there is no such key then.
pub fn create(dir: &Path, role: Role, owner: &str) -> io::Result<String> {
    let key = new_key();
    add(dir, ListedKey::new(hash_of(&key), role, owner))?;
    Ok(key)
}

/// Notes a key in the data folder. Blocks.
///
/// Errors: as [`create`].
pub fn add(dir: &Path, key: ListedKey) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    change(dir, |entries| entries.push(KeyLine::Key(key)))
}

/// Removes a key, and gives what it was; none where there is none of this name. Blocks.
///
/// Errors: when the file cannot be written; the key is as it was.
pub fn revoke(dir: &Path, name: &KeyName) -> io::Result<Option<ListedKey>> {
    change(dir, |entries| {
        let at = entries.iter().position(|entry| entry.is_named(name))?;
        match entries.remove(at) {
            KeyLine::Key(key) => Some(key),
            KeyLine::Unread(_) => None,
        }
    })
}

/// Makes a key in the place of another, which ends now or later. Blocks.
///
/// Errors: when the file cannot be written; both are as they were.
pub fn rotate(dir: &Path, name: &KeyName, ends: OldKeyEnd) -> io::Result<Option<Rotated>> {
    let key = new_key();
    change(dir, |entries| {
        let at = entries.iter().position(|entry| entry.is_named(name))?;
        let KeyLine::Key(old) = entries.remove(at) else { return None };
        let old = old.ending(ends.at(clock::now()));
        let new = ListedKey::new(hash_of(&key), old.role, &old.owner);
        if matches!(ends, OldKeyEnd::After(_)) {
            entries.insert(at, KeyLine::Key(old.clone()));
        }
        entries.push(KeyLine::Key(new.clone()));
        Some(Rotated { key: key.clone(), new, old })
    })
}

/// Changes what the file says, and tells what could not be read of it. What has ended is left out,
/// and so is a last line that was not written to its end: nobody was told its key.
fn change<T>(dir: &Path, work: impl FnOnce(&mut Vec<KeyLine>) -> T) -> io::Result<T> {
    let path = path_of(dir);
    if !dir.try_exists()? {
        return Ok(work(&mut Vec::new()));
    }
    let _lock = WriteLock::of(&path)?;
    let before = read(&path)?;
    let (mut entries, faults) = parse(&path, &before);
    for fault in faults {
        tracing::warn!(%fault, "an API key cannot be read");
    }
    if !before.ends_with(b"\n") && matches!(entries.last(), Some(KeyLine::Unread(_))) {
        entries.pop();
    }
    let now = clock::now();
    entries.retain(|entry| match entry {
        KeyLine::Key(key) => key.counts_at(now),
        KeyLine::Unread(_) => true,
    });
    let given = work(&mut entries);
    let mut bytes = Vec::new();
    for entry in entries {
        match entry {
            KeyLine::Key(key) => serde_json::to_writer(&mut bytes, &Line::from(key))?,
            KeyLine::Unread(line) => bytes.extend(line),
        }
        bytes.push(b'\n');
    }
    if bytes != before {
        private_file::replace(&path, &bytes)?;
    }
    Ok(given)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn parse(path: &Path, bytes: &[u8]) -> (Vec<KeyLine>, Vec<Fault>) {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let mut fault = |why| faults.push(Fault { path: path.to_owned(), line: at + 1, why });
        let key = key(line).or_else(|why| match after_half_a_line(line) {
            Some(key) => {
                fault("half a line stands in front of a key; the key counts".to_owned());
                Ok(key)
            }
            None => {
                fault(why);
                Err(())
            }
        });
        entries.push(key.map_or_else(|()| KeyLine::Unread(line.to_owned()), KeyLine::Key));
    }
    (entries, faults)
}

/// The key that was appended to a line that had no end.
fn after_half_a_line(line: &[u8]) -> Option<ListedKey> {
    let at = line.iter().rposition(|byte| *byte == b'{')?;
    key(&line[at..]).ok()
}

/// Errors: why it is no key.
fn key(line: &[u8]) -> Result<ListedKey, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| match error.is_eof() {
        true => "half a line, whose end was not written".to_owned(),
        false => {
            let told = error.to_string();
            // What follows is the place within this one line, which would be taken for the file's.
            let why = told.split(" at line ").next().unwrap_or_default();
            format!("no API key: {why}")
        }
    })?;
    let mut hash: Hash = [0; 32];
    hex::decode_to_slice(&line.sha256, &mut hash)
        .map_err(|_| "its sha256 is not 64 hexadecimal digits".to_owned())?;
    let ends_at = line.ends_at.map(|text| instant(&text)).transpose()?;
    let (role, created_at) = (line.role, line.created_at.into());
    Ok(ListedKey { hash, role, owner: line.owner.into(), created_at, ends_at })
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    at.map(|at| Timestamp(at.as_microsecond())).map_err(|_| "its ends_at is no time".to_owned())
}

impl From<ListedKey> for Line {
    fn from(key: ListedKey) -> Self {
        Self {
            sha256: hex::encode(key.hash),
            role: key.role,
            owner: key.owner.into(),
            created_at: key.created_at.into(),
            ends_at: key.ends_at.map(|at| at.to_string()),
        }
    }
}

impl KeyLine {
    fn is_named(&self, name: &KeyName) -> bool {
        match self {
            Self::Key(key) => name.is_of(&key.hash),
            Self::Unread(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn owners(dir: &Path) -> Vec<String> {
        let listed = list(dir).expect("a list");
        listed.keys.iter().map(|key| key.owner.to_string()).collect()
    }

    fn faults(dir: &Path) -> Vec<String> {
        let listed = list(dir).expect("a list");
        let path = format!("{}: ", path_of(dir).display());
        listed.faults.iter().map(|fault| fault.to_string().replace(&path, "")).collect()
    }

    fn append(dir: &Path, text: &str) {
        let mut bytes = std::fs::read(path_of(dir)).unwrap_or_default();
        bytes.extend(text.as_bytes());
        std::fs::write(path_of(dir), bytes).expect("written");
    }

    #[test]
    fn half_a_line_is_told_and_gone_after_the_next_write() {
        let dir = tempfile::tempdir().expect("a folder");
        create(dir.path(), Role::Biller, "shop-1").expect("a key");
        append(dir.path(), "{\"sha256\":\"00ab");
        assert_eq!(owners(dir.path()), ["shop-1"]);
        assert_eq!(faults(dir.path()), ["line 2: half a line, whose end was not written"]);
        create(dir.path(), Role::Biller, "shop-2").expect("a key");
        assert_eq!(
            (owners(dir.path()), faults(dir.path())),
            (vec!["shop-1".to_owned(), "shop-2".to_owned()], vec![],)
        );
    }

    #[test]
    fn a_key_behind_half_a_line_counts_and_stands_alone_after_the_next_write() {
        let dir = tempfile::tempdir().expect("a folder");
        create(dir.path(), Role::Biller, "shop-1").expect("a key");
        let whole = std::fs::read_to_string(path_of(dir.path())).expect("the file");
        std::fs::write(path_of(dir.path()), format!("{{\"sha256\":\"00ab{whole}"))
            .expect("written");
        assert_eq!(owners(dir.path()), ["shop-1"]);
        assert_eq!(
            faults(dir.path()),
            ["line 1: half a line stands in front of a key; the key counts",]
        );
        create(dir.path(), Role::Biller, "shop-2").expect("a key");
        assert_eq!(faults(dir.path()), [""; 0]);
    }

    #[test]
    fn a_last_key_without_its_line_s_end_counts_and_the_next_one_has_a_line_of_its_own() {
        let dir = tempfile::tempdir().expect("a folder");
        create(dir.path(), Role::Biller, "shop-1").expect("a key");
        let whole = std::fs::read_to_string(path_of(dir.path())).expect("the file");
        std::fs::write(path_of(dir.path()), whole.trim_end()).expect("written");
        create(dir.path(), Role::Operator, "desk").expect("a key");
        assert_eq!((owners(dir.path()).len(), faults(dir.path()).len()), (2, 0));
    }

    #[test]
    fn a_line_that_was_broken_by_hand_is_told_kept_and_hides_no_other() {
        let dir = tempfile::tempdir().expect("a folder");
        append(
            dir.path(),
            "{\"sha256\":\"00\",\"role\":\"biller\",\"owner\":\"a\",\"created_at\":\"\"}\n",
        );
        append(dir.path(), "{\"sha256\":\"00\",\"role\":\"king\"}\n\n# a note\n");
        create(dir.path(), Role::Biller, "shop-1").expect("a key");
        assert_eq!(owners(dir.path()), ["shop-1"]);
        let told = faults(dir.path());
        assert_eq!(told[0], "line 1: its sha256 is not 64 hexadecimal digits");
        assert!(told[1].starts_with("line 2: no API key: unknown variant `king`"), "{told:?}");
        assert!(told[2].starts_with("line 3: no API key: "), "{told:?}");
    }

    #[test]
    fn a_revoked_key_is_gone_and_a_rotated_one_ends_when_it_was_told_to() {
        let dir = tempfile::tempdir().expect("a folder");
        let key = create(dir.path(), Role::Biller, "shop-1").expect("a key");
        let id = list(dir.path()).expect("a list").keys[0].id();
        assert!(!id.contains(&key[3..]) && !key.contains(&id[4..]));
        let name: KeyName = id.parse().expect("a name");
        let hour = OldKeyEnd::After(Duration::from_secs(3600));
        let rotated = rotate(dir.path(), &name, hour).expect("written").expect("a key");
        assert_eq!(owners(dir.path()), ["shop-1", "shop-1"]);
        let now = clock::now();
        assert!(rotated.old.counts_at(now));
        assert!(!rotated.old.counts_at(now.plus_micros(3_600_000_001)));
        // Told to end later, it still ends when it was told first.
        let later = rotate(dir.path(), &name, OldKeyEnd::After(Duration::from_secs(7200)));
        let later = later.expect("written").expect("a key");
        assert_eq!(later.old.ends_at, rotated.old.ends_at);
        let at_once = rotate(dir.path(), &name, OldKeyEnd::Now).expect("written").expect("a key");
        assert_eq!(list(dir.path()).expect("a list").keys.len(), 3);
        let by_key: KeyName = at_once.key.parse().expect("a name");
        assert_eq!(revoke(dir.path(), &by_key).expect("written"), Some(at_once.new));
        assert_eq!(revoke(dir.path(), &by_key).expect("written"), None);
        assert_eq!(revoke(dir.path(), &name).expect("written"), None);
        assert_eq!(owners(dir.path()).len(), 2);
    }

    #[test]
    fn keys_made_and_revoked_at_once_are_all_kept_and_all_gone() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data");
        let stays = create(&data, Role::Biller, "stays").expect("a key");
        std::thread::scope(|scope| {
            for number in 0..4 {
                let data = &data;
                scope.spawn(move || {
                    for turn in 0..5 {
                        let owner = format!("shop-{number}-{turn}");
                        let key = create(data, Role::Biller, &owner).expect("a key");
                        if turn % 2 == 0 {
                            let name = key.parse().expect("a name");
                            assert!(revoke(data, &name).expect("written").is_some());
                        }
                    }
                });
            }
        });
        let listed = list(&data).expect("a list");
        assert_eq!((listed.keys.len(), listed.faults.len()), (9, 0));
        assert_eq!(listed.keys[0].hash, hash_of(&stays));
    }
}
