//! Keys that participants changed by message (0800, DE70 101), kept over a restart.
//!
//! What is kept is what came: the new key under its key-encrypting key, never the key itself. It is
//! sealed once more under the data folder's sealing key, in `session-keys`, one line a participant.
//! A kept key that cannot be used is told of in the log with its participant, and the configured one
//! is in use until another comes.

use std::io;
use std::path::{Path, PathBuf};

use codecs::security::{CheckValue, KeyName};
use parking_lot::Mutex;
use router::id::{ParticipantId, SecretId};
use router::secret::{SealedSecret, Secret};
use serde::{Deserialize, Serialize};
use storage::private_file;
use storage::seal::{SealError, Sealer};

use crate::clock;

const FILE_NAME: &str = "session-keys";

/// The keys of a data folder.
#[derive(Debug)]
pub struct SessionKeys {
    path: PathBuf,
    sealer: Sealer,
    /// Held while the file is changed.
    writing: Mutex<()>,
}

/// A key that was changed, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    participant: String,
    /// What the ciphertext belongs to.
    id: String,
    sealed_under: String,
    /// Hexadecimal digits.
    ciphertext: String,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    participant: String,
    /// The name of the key that was changed.
    key: String,
    /// The check value of the configured key that was changed first.
    configured: String,
    /// What came, hexadecimal digits.
    material: String,
}

/// Why a kept key is not in use.
#[derive(Debug, thiserror::Error)]
pub enum SessionKeyError {
    /// The file.
    #[error("the file of session keys cannot be used")]
    File(#[from] io::Error),
    /// A line of it.
    #[error("line {line} of session-keys is no kept key")]
    Line {
        /// Its number.
        line: usize,
    },
    /// The sealing key is missing, or another.
    #[error("the kept key cannot be opened")]
    Seal(#[from] SealError),
    /// It belongs to another participant or key.
    #[error("the kept key is another one's")]
    NotItsOwn,
    /// The configured key is another than the one that was changed.
    #[error("the configured key was replaced since; it counts")]
    Replaced,
}

impl SessionKeys {
    /// Of a data folder.
    pub fn new(dir: &Path, sealer: Sealer) -> Self {
        Self { path: dir.join(FILE_NAME), sealer, writing: Mutex::new(()) }
    }

    /// Keeps what a participant sent to change its key, which is `configured` as its check value
    /// says. Blocks.
    ///
    /// Errors: the key before it, if any, is the one that is kept.
    pub fn keep(
        &self,
        participant: ParticipantId,
        (key, configured): (&KeyName, &CheckValue),
        material: &[u8],
    ) -> Result<(), SessionKeyError> {
        let kept = Kept {
            participant: participant.as_str().to_owned(),
            key: key.to_string(),
            configured: configured.to_string(),
            material: hex::encode(material),
        };
        let clear = Secret::new(serde_json::to_vec(&kept).map_err(io::Error::from)?);
        let id = SecretId::from_parts(clock::now().millis(), rand::random());
        let sealed = self.sealer.seal_session_key(&clear, id);
        let line = Line {
            participant: kept.participant,
            id: sealed.id.to_string(),
            sealed_under: sealed.key_name.into(),
            ciphertext: hex::encode(&sealed.ciphertext),
        };
        let _writing = self.writing.lock();
        let mut text = String::new();
        for before in self.read()?.lines() {
            // A line that cannot be read stays: it may be another participant's.
            let is_its_own = serde_json::from_str::<Line>(before)
                .is_ok_and(|before| before.participant == line.participant);
            if !is_its_own {
                text.push_str(before);
                text.push('\n');
            }
        }
        text.push_str(&serde_json::to_string(&line).map_err(io::Error::from)?);
        text.push('\n');
        Ok(private_file::replace(&self.path, text.as_bytes())?)
    }

    /// What is kept of a participant's key, as it came. None where nothing is kept. Blocks.
    ///
    /// Errors: [`SessionKeyError`]; the configured key is the one to use then.
    pub fn kept(
        &self,
        participant: ParticipantId,
        (key, configured): (&KeyName, &CheckValue),
    ) -> Result<Option<Vec<u8>>, SessionKeyError> {
        let Some(line) = self.line_of(participant)? else { return Ok(None) };
        let unreadable = || SessionKeyError::NotItsOwn;
        let id: SecretId = line.id.parse().map_err(|_| unreadable())?;
        let ciphertext = hex::decode(&line.ciphertext).map_err(|_| unreadable())?;
        let key_name = line.sealed_under.into();
        let sealed = SealedSecret { id, key_name, ciphertext: ciphertext.into() };
        let clear = self.sealer.open_session_key(&sealed)?;
        let kept: Kept = serde_json::from_slice(clear.expose()).map_err(|_| unreadable())?;
        if kept.participant != participant.as_str() || kept.key != key.as_str() {
            return Err(SessionKeyError::NotItsOwn);
        }
        if configured.to_string() != kept.configured {
            return Err(SessionKeyError::Replaced);
        }
        hex::decode(&kept.material).map(Some).map_err(|_| unreadable())
    }

    fn read(&self) -> io::Result<String> {
        match std::fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read,
        }
    }

    /// Errors: there is none of the participant, and a line that cannot be read, which may be its.
    fn line_of(&self, participant: ParticipantId) -> Result<Option<Line>, SessionKeyError> {
        let (text, mut unread) = (self.read()?, None);
        for (at, line) in text.lines().enumerate() {
            match serde_json::from_str::<Line>(line) {
                Ok(line) if line.participant == participant.as_str() => return Ok(Some(line)),
                Ok(_) => {}
                Err(_) => unread = unread.or(Some(SessionKeyError::Line { line: at + 1 })),
            }
        }
        unread.map_or(Ok(None), Err)
    }
}

#[cfg(test)]
mod tests {
    use codecs::security::SoftwareKeyStore;
    use codecs::security::{CheckMethod, KeyAlgorithm, KeyStore, KeyUsage, KeyVersion, Parity};
    use storage::seal::SealingKey;
    use zeroize::Zeroizing;

    use super::*;

    const MATERIAL: &[u8] = b"5A59F17457F7ACF4E9DD932D5CAA721A68DD0C";

    fn sealer(name: &str, byte: u8) -> Sealer {
        let key = SealingKey { name: name.into(), bytes: Zeroizing::new([byte; 32]) };
        Sealer::new(name, vec![key]).unwrap()
    }

    fn bank(id: &str) -> ParticipantId {
        ParticipantId::new(id).unwrap()
    }

    fn key() -> KeyName {
        "banco-mac".parse().unwrap()
    }

    fn check_value(byte: u8) -> CheckValue {
        let store = SoftwareKeyStore::default();
        let bytes = [[byte; 8], [byte ^ 0x22; 8]].concat();
        store.insert(&key(), KeyUsage::Mac, KeyAlgorithm::Tdes2, &bytes, Parity::Ignored).unwrap();
        store.check_value(&key(), KeyVersion::Current, CheckMethod::Zeros).unwrap()
    }

    /// The session keys of a folder, beside a configured key.
    struct Beside(SessionKeys, CheckValue);

    impl Beside {
        fn keep(&self, id: &str, material: &[u8]) {
            self.0.keep(bank(id), (&key(), &self.1), material).unwrap();
        }

        fn kept(&self, id: &str, key: &KeyName) -> Result<Option<Vec<u8>>, SessionKeyError> {
            self.0.kept(bank(id), (key, &self.1))
        }
    }

    fn keys(dir: &Path, sealer: Sealer, configured: u8) -> Beside {
        Beside(SessionKeys::new(dir, sealer), check_value(configured))
    }

    #[test]
    fn each_participant_s_last_key_is_kept_and_nothing_of_it_is_in_the_clear() {
        let dir = tempfile::tempdir().unwrap();
        let before = keys(dir.path(), sealer("k1", 1), 0x11);
        for (id, material) in
            [("bank-a", &b"first"[..]), ("bank-b", MATERIAL), ("bank-a", b"second")]
        {
            before.keep(id, material);
        }
        let after = keys(dir.path(), sealer("k1", 1), 0x11);
        assert_eq!(after.kept("bank-a", &key()).unwrap().as_deref(), Some(&b"second"[..]));
        assert_eq!(after.kept("bank-b", &key()).unwrap().as_deref(), Some(MATERIAL));
        assert!(after.kept("bank-c", &key()).unwrap().is_none());
        let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains(&hex::encode(MATERIAL)) && !text.contains("5A59F174"), "{text}");
    }

    #[test]
    fn a_sealing_key_that_is_missing_or_another_is_told_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        keys(dir.path(), sealer("k1", 1), 0x11).keep("bank-b", MATERIAL);
        let told = |sealer| {
            let refused = keys(dir.path(), sealer, 0x11).kept("bank-b", &key());
            storage::with_causes(&refused.unwrap_err()).to_string()
        };
        let missing = told(sealer("k2", 2));
        assert!(missing.contains("no sealing key named `k1` is configured"), "{missing}");
        let other = told(sealer("k1", 2));
        assert!(other.contains("sealed under `k1` does not open"), "{other}");
    }

    #[test]
    fn a_key_that_was_configured_anew_counts_and_so_does_no_other_participant_s() {
        let dir = tempfile::tempdir().unwrap();
        keys(dir.path(), sealer("k1", 1), 0x11).keep("bank-b", MATERIAL);
        let replaced = keys(dir.path(), sealer("k1", 1), 0x33).kept("bank-b", &key());
        assert!(matches!(replaced, Err(SessionKeyError::Replaced)), "{replaced:?}");
        let other: KeyName = "other-mac".parse().unwrap();
        let same = keys(dir.path(), sealer("k1", 1), 0x11);
        assert!(matches!(same.kept("bank-b", &other), Err(SessionKeyError::NotItsOwn)));
        let path = dir.path().join(FILE_NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("bank-b", "bank-a")).unwrap();
        assert!(matches!(same.kept("bank-a", &key()), Err(SessionKeyError::NotItsOwn)));
        std::fs::write(&path, &text[..40]).unwrap();
        assert!(matches!(same.kept("bank-b", &key()), Err(SessionKeyError::Line { line: 1 })));
    }
}
