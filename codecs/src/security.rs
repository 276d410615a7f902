//! MACs, PIN blocks and keys, behind a [`KeyStore`]: callers name keys and never hold them.
//!
//! - [`mac`] verifies and seals DE64 and DE128;
//! - [`exchange`] reads and writes the key material of a network management request (0800, DE70
//!   101), which [`KeyStore::import_key`] takes in;
//! - [`SoftwareKeyStore`] holds keys in this process's memory: for tests and small installations.
//!
//! # Where an HSM goes
//!
//! Implement [`KeyStore`] for a client of it, in the crate that may do I/O (`switch`): a
//! [`KeyName`] is then the label of a key token, and no clear key or PIN is ever in this process.
//! The methods are synchronous, for most HSM libraries are; call such a store where blocking is
//! allowed. What it cannot reach is [`KeyErrorKind::Unavailable`].
//!
//! [`SoftwareKeyStore`] is not an HSM: its keys can be read by whoever can read this process's
//! memory, a core dump or swapped pages. It must not hold the PIN keys of a network whose rules ask
//! for a tamper-resistant device, which all rules of card networks do.
//!
//! Out of scope: TR-31 key blocks, DUKPT, PIN verification.

pub mod exchange;
pub mod mac;

mod cipher;
mod key;
mod pin;
mod software;
mod wrap;

use std::fmt;
use std::str::FromStr;

use router::secret::Pan;
use router::text::Text;

pub use key::{CheckMethod, CheckValue, KeyAlgorithm, Parity};
pub use mac::{Mac, MacAlgorithm, Padding};
pub use pin::{EncryptedPin, PinBlockLengthError, PinFill, PinFormat};
pub use software::SoftwareKeyStore;
pub use wrap::{KeyWrap, WrappedKey};

/// Keys by name, and what is done with them. An HSM can implement it.
///
/// Errors: of every method a [`KeyError`] with the key's name; none holds anything of a key, a PIN
///         or a message.
pub trait KeyStore: Send + Sync {
    /// The MAC of `data` under the current generation of a key.
    ///
    /// Errors: `UnknownKey`, `WrongUsage`, `WrongAlgorithm`.
    fn mac(&self, key: &KeyName, algorithm: MacAlgorithm, data: &[u8]) -> Result<Mac, KeyError>;

    /// Checks a MAC under the current generation, then under the previous one where it is kept: a
    /// message may have been on its way when the key changed. Returns the generation that fits.
    ///
    /// Shape:  a claimed code may be the first bytes of the whole alone: as many are compared.
    /// Errors: those of [`KeyStore::mac`], `BadMac`.
    fn verify_mac(
        &self,
        key: &KeyName,
        algorithm: MacAlgorithm,
        data: &[u8],
        claimed: &Mac,
    ) -> Result<Generation, KeyError>;

    /// Takes a PIN out of one encrypted block and puts it into another, for the same card.
    ///
    /// Shape:  formats 0 and 3 under TDES keys, format 4 under AES keys. `fill` is 10 random bytes
    ///         for the new block; an HSM draws its own. The previous generation of `from` must be
    ///         asked for: no format can tell for sure that the wrong key was used.
    /// Errors: `UnknownKey`, `NoSuchVersion`, `WrongUsage`, `WrongAlgorithm`, `BadPinBlock`.
    /// Source: ISO 9564-1:2017, 9.3; the card stays the same, as its translation rules ask.
    fn translate_pin(
        &self,
        block: &EncryptedPin,
        pan: &Pan,
        from: PinKey<'_>,
        to: PinKey<'_>,
        fill: &PinFill,
    ) -> Result<EncryptedPin, KeyError>;

    /// Takes in a key that came encrypted under a key-encrypting key, as the next generation. It is
    /// used from [`KeyStore::activate`] on; another import before that replaces it.
    ///
    /// Errors: `UnknownKey` and `WrongUsage` (of the key-encrypting key or the key), `WeakWrap`,
    ///         `WrongAlgorithm`, `BadWrap`, `Parity`, `BadCheckValue`, `Full`; nothing is changed.
    fn import_key(&self, import: &KeyImport<'_>) -> Result<CheckValue, KeyError>;

    /// Encrypts a key under a key-encrypting key, to be sent away.
    ///
    /// Errors: `UnknownKey`, `NoSuchVersion`, `WrongUsage`, `WeakWrap`, `WrongAlgorithm`.
    fn export_key(
        &self,
        key: &KeyName,
        version: KeyVersion,
        under: &KeyName,
        wrap: KeyWrap,
    ) -> Result<WrappedKey, KeyError>;

    /// Puts the imported generation in use; the one in use so far is kept as the previous.
    ///
    /// Errors: `UnknownKey`, `NoSuchVersion` where nothing was imported.
    fn activate(&self, key: &KeyName) -> Result<Generation, KeyError>;

    /// Forgets the previous generation: no message under it is on its way any more.
    ///
    /// Errors: `UnknownKey`, `NoSuchVersion` where there is none.
    fn retire_previous(&self, key: &KeyName) -> Result<(), KeyError>;

    /// The check value by which two sides compare a key.
    ///
    /// Errors: `UnknownKey`, `NoSuchVersion`, `WrongAlgorithm`.
    fn check_value(
        &self,
        key: &KeyName,
        version: KeyVersion,
        method: CheckMethod,
    ) -> Result<CheckValue, KeyError>;
}

/// The name of a key: 1 to 32 lower-case letters, digits, `.`, `-` and `_`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(Text<{ KeyName::LEN_MAX }>);

impl KeyName {
    /// Longest name.
    pub const LEN_MAX: usize = 32;

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Why a text is no name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's name has 1 to {} lower-case letters, digits, `.`, `-` or `_`", KeyName::LEN_MAX)]
pub struct KeyNameError;

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(KeyNameError);
        }
        Text::new(text).map(Self).map_err(|_| KeyNameError)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// What a key may be used for; a key has one use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUsage {
    /// Message authentication.
    Mac,
    /// PIN blocks.
    Pin,
    /// Other keys.
    KeyEncryption,
}

/// How often a key was changed: 1 for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u32);

/// Which generation of a key is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVersion {
    /// The one in use.
    Current,
    /// The one before, kept for messages on their way.
    Previous,
    /// The one imported and not yet in use.
    Next,
}

/// Under which key a PIN block is encrypted, and in which format.
#[derive(Debug, Clone, Copy)]
pub struct PinKey<'a> {
    /// The key.
    pub key: &'a KeyName,
    /// Its generation.
    pub version: KeyVersion,
    /// The block's format.
    pub format: PinFormat,
}

/// A key that came encrypted.
#[derive(Debug, Clone, Copy)]
pub struct KeyImport<'a> {
    /// The name it gets, or whose next generation it becomes.
    pub key: &'a KeyName,
    /// What it is for; as before where the name is known.
    pub usage: KeyUsage,
    /// Its algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// The key-encrypting key.
    pub under: &'a KeyName,
    /// How it was encrypted.
    pub wrap: KeyWrap,
    /// The encrypted key.
    pub cryptogram: &'a [u8],
    /// How its check value is made.
    pub check_method: CheckMethod,
    /// The check value that came with it: 2 bytes at least, as many as the sender tells.
    pub check_value: &'a [u8],
    /// Whether its parity bits must be right.
    pub parity: Parity,
}

/// Why a key could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key `{key}`: {kind}")]
pub struct KeyError {
    /// What is wrong.
    pub kind: KeyErrorKind,
    /// The key's name.
    pub key: KeyName,
}

/// The kinds of key errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyErrorKind {
    /// There is no key of this name.
    #[error("there is no such key")]
    UnknownKey,
    /// There is already a key of this name.
    #[error("there is already such a key")]
    Exists,
    /// The key has no such generation.
    #[error("there is no such generation of it")]
    NoSuchVersion,
    /// The key is for something else.
    #[error("it is not for this use")]
    WrongUsage,
    /// The key's algorithm or length is not that of the operation.
    #[error("it has another algorithm or length than this needs")]
    WrongAlgorithm,
    /// The bytes are not as many as a key of the algorithm has.
    #[error("its bytes are not as many as its algorithm needs")]
    BadLength,
    /// A byte of the key has even parity.
    #[error("its parity is wrong")]
    Parity,
    /// Parts of the key are equal, which makes it as weak as a shorter one.
    #[error("parts of it are equal")]
    Degenerate,
    /// The encrypted key is of the wrong length, or not encrypted under that key.
    #[error("what came encrypted is no key under its key-encrypting key")]
    BadWrap,
    /// The key-encrypting key is weaker than the key.
    #[error("its key-encrypting key is weaker than itself")]
    WeakWrap,
    /// The check value is another one, or too short to say anything.
    #[error("its check value does not fit")]
    BadCheckValue,
    /// The MAC does not fit.
    #[error("message authentication code does not fit")]
    BadMac,
    /// What was decrypted is no PIN block of the format for this card.
    #[error("PIN block is not of its format")]
    BadPinBlock,
    /// The digits given are no PIN.
    #[error("a PIN has 4 to 12 digits")]
    BadPin,
    /// The store holds as many keys as it may.
    #[error("there is no room for another key")]
    Full,
    /// The store cannot be reached.
    #[error("key store is not available")]
    Unavailable,
}

impl KeyErrorKind {
    /// The name used in metrics and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown_key",
            Self::Exists => "key_exists",
            Self::NoSuchVersion => "no_such_version",
            Self::WrongUsage => "wrong_usage",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::BadLength => "bad_key_length",
            Self::Parity => "parity",
            Self::Degenerate => "degenerate_key",
            Self::BadWrap => "bad_wrap",
            Self::WeakWrap => "weak_wrap",
            Self::BadCheckValue => "bad_check_value",
            Self::BadMac => "bad_mac",
            Self::BadPinBlock => "bad_pin_block",
            Self::BadPin => "bad_pin",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
        }
    }

    /// This kind, of a key.
    pub fn of(self, key: &KeyName) -> KeyError {
        KeyError { kind: self, key: *key }
    }
}
