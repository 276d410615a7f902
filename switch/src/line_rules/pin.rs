//! How the PIN blocks of one participant are made.

use std::fmt;
use std::sync::Arc;

use codecs::security::{KeyName, KeyStore, KeyVersion, PinFormat, PinKey};

/// How the PIN blocks of a participant are made.
#[derive(Clone)]
pub struct PinRule {
    /// Where the key is.
    pub keys: Arc<dyn KeyStore>,
    /// Its name.
    pub key: KeyName,
    /// The format: 0 or 3, for DE52 has eight bytes.
    pub format: PinFormat,
}

impl fmt::Debug for PinRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} under {:?}", self.format, self.key)
    }
}

impl PinRule {
    /// The key that is in use now.
    pub fn current(&self) -> PinKey<'_> {
        PinKey { key: &self.key, version: KeyVersion::Current, format: self.format }
    }
}
