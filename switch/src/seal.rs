//! The keys that seal card numbers and secrets, from the configuration.
//!
//! The data folder notes which keys its records need (`sealing-keys`: one name and check value a
//! line). A start without one of them, or with another key of its name, is refused. A key that no
//! record needs any more is forgotten by removing its line.

use std::io;
use std::path::{Path, PathBuf};

use storage::private_file;
use storage::seal::{SealError, Sealer, SealingKey};
use zeroize::Zeroizing;

use crate::config::{KeySource, SealConfig, SealingKeyError, sealing_key};

/// Name and file of the key that is made where none is configured.
const LOCAL_KEY_NAME: &str = "local-1";
const LOCAL_KEY_FILE: &str = "seal-local-1.key";
/// The file that notes which keys the records of a folder need.
const NOTE_FILE: &str = "sealing-keys";
const NOTE_HEAD: &str = "# Keys that records of this folder are sealed under: name, check value\n";

/// Why there is no sealer. Never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key's file cannot be read or written.
    #[error("sealing key `{name}`: its file cannot be used")]
    File {
        /// The key's name.
        name: String,
        /// What is wrong.
        source: io::Error,
    },
    /// What stands for it is no key.
    #[error(transparent)]
    Digits(#[from] SealingKeyError),
    /// Records need a key that is not there.
    #[error(
        "sealing key `{name}` is missing, and records of the data folder are sealed under it: \
         restore {place}"
    )]
    Missing {
        /// The key's name.
        name: String,
        /// Where it is looked for.
        place: String,
    },
    /// Records need another key of this name.
    #[error(
        "sealing key `{name}` is not the one that sealed the records of the data folder: \
         restore that one, and give the new one another name"
    )]
    Other {
        /// The key's name.
        name: String,
    },
    /// The note of the keys that records need cannot be read or written.
    #[error("{} cannot be used", path.display())]
    Note {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The keys do not go together.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The sealer of the configuration; with no key configured, one is made beside the data, unless
/// records need the one that was there.
///
/// Errors: [`KeyError`].
pub fn sealer(config: &SealConfig, dir: &Path) -> Result<Sealer, KeyError> {
    let noted = noted(dir)?;
    let mut keys = Vec::new();
    for (name, source) in &config.keys {
        keys.push(sealing_key(name, &digits_of(name, source)?)?);
    }
    let is_configured = |name: &str| config.keys.iter().any(|(known, _)| known == name);
    for (name, _) in noted.iter().filter(|(name, _)| name != LOCAL_KEY_NAME) {
        if !is_configured(name) {
            return Err(KeyError::Missing {
                name: name.clone(),
                place: format!("seal.keys.{name}"),
            });
        }
    }
    let is_local_needed = noted.iter().any(|(name, _)| name == LOCAL_KEY_NAME);
    if !is_configured(LOCAL_KEY_NAME) && (config.active.is_none() || is_local_needed) {
        let may_make = !is_local_needed && (!noted.is_empty() || !has_records(dir));
        keys.push(local_key(dir, may_make)?);
    }
    let active = config.active.as_deref().unwrap_or(LOCAL_KEY_NAME);
    let sealer = Sealer::new(active, keys)?;
    let is_other = |(name, check_value): &&(String, String)| {
        sealer.check_value(name).map(hex::encode).as_ref() != Some(check_value)
    };
    match noted.iter().find(is_other) {
        Some((name, _)) => Err(KeyError::Other { name: name.clone() }),
        None => Ok(sealer),
    }
}

/// The digits of a configured key.
///
/// Errors: [`KeyError::File`].
pub(crate) fn digits_of(name: &str, source: &KeySource) -> Result<Zeroizing<String>, KeyError> {
    match source {
        KeySource::Inline(digits) => Ok(Zeroizing::new(digits.clone())),
        KeySource::File(path) => read(name, path),
    }
}

/// Notes in the data folder that its records need the key that seals from now on.
///
/// Errors: the note cannot be read or written.
pub fn note_in_use(sealer: &Sealer, dir: &Path) -> Result<(), KeyError> {
    let name = sealer.active_key_name();
    let mut noted = noted(dir)?;
    if noted.iter().any(|(known, _)| known == name) {
        return Ok(());
    }
    let check_value = sealer.check_value(name).map(hex::encode).unwrap_or_default();
    noted.push((name.to_owned(), check_value));
    let lines = noted.iter().map(|(name, check_value)| format!("{name} {check_value}\n"));
    let text: String = std::iter::once(NOTE_HEAD.to_owned()).chain(lines).collect();
    let path = dir.join(NOTE_FILE);
    private_file::replace(&path, text.as_bytes()).map_err(|source| KeyError::Note { path, source })
}

/// Names and check values of the keys that records of the folder need.
fn noted(dir: &Path) -> Result<Vec<(String, String)>, KeyError> {
    let path = dir.join(NOTE_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(KeyError::Note { path, source }),
    };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (name, check_value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), check_value.to_owned()))
    });
    parsed.collect::<Option<_>>().ok_or_else(|| {
        let source = io::Error::other("a line is not a name and a check value");
        KeyError::Note { path, source }
    })
}

/// Whether the folder has a journal with something in it.
fn has_records(dir: &Path) -> bool {
    std::fs::read_dir(dir.join("journal")).is_ok_and(|mut segments| segments.next().is_some())
}

fn local_key(dir: &Path, may_make: bool) -> Result<SealingKey, KeyError> {
    let (name, path) = (LOCAL_KEY_NAME.to_owned(), dir.join(LOCAL_KEY_FILE));
    if !path.exists() {
        if !may_make {
            return Err(KeyError::Missing { name, place: path.display().to_string() });
        }
        let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
        let digits = Zeroizing::new(hex::encode(*bytes));
        let made = private_file::create(&path, digits.as_bytes());
        made.map_err(|source| KeyError::File { name, source })?;
        tracing::warn!(
            path = %path.display(),
            "no sealing key is configured: made one beside the data it protects; set [seal] in production"
        );
    }
    Ok(sealing_key(LOCAL_KEY_NAME, &read(LOCAL_KEY_NAME, &path)?)?)
}

fn read(name: &str, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let file = |source| KeyError::File { name: name.to_owned(), source };
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "8f1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00112233445566aa";

    fn of(active: Option<&str>, keys: &[(&str, &str)]) -> SealConfig {
        let inline = |(name, digits): &(&str, &str)| {
            ((*name).to_owned(), KeySource::Inline((*digits).to_owned()))
        };
        SealConfig {
            active: active.map(str::to_owned),
            keys: keys.iter().map(inline).collect(),
            fingerprint_key: None,
        }
    }

    /// A folder whose records are sealed with this configuration.
    fn used(config: &SealConfig) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let sealer = sealer(config, dir.path()).expect("a sealer");
        std::fs::create_dir(dir.path().join("journal")).expect("a folder");
        std::fs::write(dir.path().join("journal/1.log"), "records").expect("a file");
        note_in_use(&sealer, dir.path()).expect("a note");
        dir
    }

    #[test]
    fn a_local_key_that_records_need_is_not_made_anew() {
        let local = of(None, &[]);
        let dir = used(&local);
        sealer(&local, dir.path()).expect("the same key again");
        std::fs::remove_file(dir.path().join(LOCAL_KEY_FILE)).expect("the key");
        let told = sealer(&local, dir.path()).expect_err("it is gone").to_string();
        assert!(told.contains("`local-1`") && told.contains(LOCAL_KEY_FILE), "{told}");
        std::fs::remove_file(dir.path().join(NOTE_FILE)).expect("the note");
        let refused = sealer(&local, dir.path());
        assert!(matches!(refused, Err(KeyError::Missing { .. })), "without its note too");
        assert!(!dir.path().join(LOCAL_KEY_FILE).exists());
    }

    #[test]
    fn a_configured_key_that_records_need_must_be_there_and_the_same() {
        let dir = used(&of(Some("k1"), &[("k1", DIGITS)]));
        let reversed: String = DIGITS.chars().rev().collect();
        let rotated = of(Some("k2"), &[("k1", DIGITS), ("k2", &reversed)]);
        sealer(&rotated, dir.path()).expect("old and new key");
        for config in [of(Some("k2"), &[("k2", &reversed)]), of(None, &[])] {
            let refused = sealer(&config, dir.path()).map(drop);
            assert!(matches!(&refused, Err(KeyError::Missing { name, .. }) if name == "k1"));
        }
        let other = sealer(&of(Some("k1"), &[("k1", &reversed)]), dir.path()).map(drop);
        assert!(matches!(&other, Err(KeyError::Other { name }) if name == "k1"), "{other:?}");
    }

    #[test]
    fn a_local_key_opens_old_records_after_a_key_was_configured() {
        let dir = used(&of(None, &[]));
        let sealer = sealer(&of(Some("k1"), &[("k1", DIGITS)]), dir.path()).expect("both keys");
        assert_eq!(sealer.active_key_name(), "k1");
        assert!(sealer.check_value(LOCAL_KEY_NAME).is_some());
    }
}
