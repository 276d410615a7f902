//! The key under which requests are compared: every node has the same, at every start.
//!
//! On one machine it is made beside the journal at the first start. Many nodes derive it from the
//! secret that they share. A configured key comes first: whoever moves a journal to many nodes
//! configures the old key there. Under another key the repeats of older requests are refused as
//! `idempotency_conflict`: too strict, and never a second payment.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use router::message::FingerprintKey;
use sha2::Sha256;
use storage::private_file;
use zeroize::Zeroizing;

use crate::config::ServiceConfig;
use crate::config::hex_key;
use crate::seal::{KeyError, digits_of};

/// Name of the key, in messages, and of its file in the data folder.
const NAME: &str = "fingerprint";
const FILE: &str = "fingerprint.key";
/// What the key of many nodes is derived for.
const PURPOSE: &[u8] = b"cauce request fingerprint 1";

/// The key of the configuration, of the nodes' secret, or of the data folder.
///
/// Errors: [`KeyError`].
pub fn key(config: &ServiceConfig) -> Result<FingerprintKey, KeyError> {
    let bytes = match (&config.seal.fingerprint_key, &config.cluster) {
        (Some(source), _) => hex_key(NAME, &digits_of(NAME, source)?)?,
        (None, Some(cluster)) => derived(cluster.node.secret.expose().as_bytes()),
        (None, None) => local(&config.data.dir)?,
    };
    Ok(FingerprintKey::new(&bytes))
}

fn derived(secret: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret).expect("invariant: HMAC takes a key of any length");
    mac.update(PURPOSE);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn local(dir: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let path = dir.join(FILE);
    let file = |source| KeyError::File { name: NAME.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(file)?;
    let made = Zeroizing::new(rand::random::<[u8; 32]>());
    // Of several processes that start at once one makes it, and all read what it made.
    private_file::create(&path, Zeroizing::new(hex::encode(*made)).as_bytes()).map_err(file)?;
    let digits = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(file)?;
    Ok(hex_key(NAME, &digits)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_key() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = local(dir.path()).expect("a key");
        assert_eq!(first, local(dir.path()).expect("a key"));
        let other = tempfile::tempdir().expect("a folder");
        assert_ne!(first, local(other.path()).expect("a key"));
    }

    #[test]
    fn a_damaged_key_stops_the_start_and_is_not_shown() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(FILE), "abc").expect("written");
        let error = local(dir.path()).expect_err("refused").to_string();
        assert!(error.contains(NAME) && !error.contains("abc"), "{error}");
    }

    #[test]
    fn nodes_of_one_secret_have_one_key() {
        assert_eq!(derived(b"one secret of the nodes"), derived(b"one secret of the nodes"));
        assert_ne!(derived(b"one secret of the nodes"), derived(b"another one of others"));
    }
}
