//! Message authentication codes, and the field that carries one: DE64, or DE128 behind a second
//! bitmap. It is the last field, and covers all before its content.
//!
//! What is covered begins where the slice begins that the caller gives: with the MTI, by the
//! standards. Where a TPDU or another header stands in front of it, take [`MacField::behind`] and
//! the slice behind the header.

use std::fmt;
use std::ops::Range;

use aes::{Aes128, Aes192, Aes256};
use cmac::{Cmac, KeyInit};
use subtle::ConstantTimeEq;

use super::cipher::{Block8, Block16, DesCipher, add};
use super::key::Key;
use super::{Generation, KeyAlgorithm, KeyError, KeyErrorKind, KeyName, KeyStore};

mod form;

pub use form::{Carried, MacForm, ShortMacLen};

/// How a message authentication code is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// ANSI X9.9: CBC with one DES key (ISO 9797-1 algorithm 1). Broken by exhaustive search long
    /// since: for peers that know nothing else.
    X9_9(Padding),
    /// ANSI X9.19, the retail MAC: CBC with the first DES key, the last block through the second
    /// and the first again (ISO 9797-1 algorithm 3). A TDES key of 16 bytes.
    X9_19(Padding),
    /// AES-CMAC (NIST SP 800-38B, RFC 4493), its first 8 bytes.
    AesCmac,
}

/// How the last block of eight bytes is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// With zeros where it is not full: ISO 9797-1 method 1.
    Zeros,
    /// With one bit set and zeros, always: ISO 9797-1 method 2.
    Bit,
}

/// A message authentication code of eight bytes, or its first four or more; comparing takes the
/// same time wherever two differ.
#[derive(Clone, Copy)]
pub struct Mac {
    /// Zeros behind `len`.
    bytes: [u8; Mac::LEN_MAX],
    len: usize,
}

impl Mac {
    /// Fewest bytes of a code.
    pub const LEN_MIN: usize = 4;
    /// Bytes of a whole code.
    pub const LEN_MAX: usize = 8;

    /// Errors: none for fewer than 4 bytes or more than 8.
    pub fn new(code: &[u8]) -> Option<Self> {
        let len = code.len();
        if !(Self::LEN_MIN..=Self::LEN_MAX).contains(&len) {
            return None;
        }
        let mut bytes = [0; Self::LEN_MAX];
        bytes[..len].copy_from_slice(code);
        Some(Self { bytes, len })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whether it begins with a code, which may be a shorter one.
    pub fn begins_with(&self, code: &Mac) -> bool {
        let own = self.as_bytes().get(..code.len);
        own.is_some_and(|own| own.ct_eq(code.as_bytes()).into())
    }
}

impl From<[u8; Mac::LEN_MAX]> for Mac {
    fn from(bytes: [u8; Mac::LEN_MAX]) -> Self {
        Self { bytes, len: Self::LEN_MAX }
    }
}

impl PartialEq for Mac {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.begins_with(other)
    }
}

impl Eq for Mac {}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac")
    }
}

/// Where a message keeps its code.
///
/// Units: bytes from the start of the message; 8 for the binary form, 16 for hexadecimal
///        characters, others for short codes as [`Carried`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacField {
    /// The data element: 64 or 128.
    pub number: u8,
    /// Its content.
    pub at: Range<usize>,
}

/// Why a message could not be verified or sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("field {field} at offset {offset}: {kind}")]
pub struct MacError {
    /// What is wrong.
    pub kind: MacErrorKind,
    /// The data element.
    pub field: u8,
    /// Byte offset of its content from the start of the message.
    pub offset: usize,
}

/// The kinds of errors about a message's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MacErrorKind {
    /// The field does not end the message.
    #[error("message authentication code is not the last field")]
    NotLast,
    /// The field has another length than such a code.
    #[error("message authentication code has another length than was agreed")]
    BadLength,
    /// What is behind a short code is not zero.
    #[error("what is behind the message authentication code is not zero")]
    NotZero,
    /// A character of the field is not hexadecimal.
    #[error("message authentication code is not hexadecimal")]
    NotHex,
    /// The key cannot be used, or the code is another one.
    #[error(transparent)]
    Key(KeyError),
}

impl MacErrorKind {
    /// The name used in metrics and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotLast => "mac_not_last",
            Self::BadLength => "bad_length",
            Self::NotHex | Self::NotZero => "bad_content",
            Self::Key(error) => error.kind.name(),
        }
    }
}

/// Checks the code a message carries, and tells under which generation of the key it fits.
///
/// Shape:  the message from its MTI on; `form` is an algorithm, or a [`MacForm`] of short codes.
/// Errors: as [`MacErrorKind`] says; `BadMac` for a code that does not fit.
pub fn verify(
    message: &[u8],
    field: &MacField,
    store: &dyn KeyStore,
    key: &KeyName,
    form: impl Into<MacForm>,
) -> Result<Generation, MacError> {
    let MacForm { algorithm, carried } = form.into();
    let (covered, content) = field.split(message)?;
    let claimed = carried.read(content).map_err(|kind| field.error(kind))?;
    store.verify_mac(key, algorithm, covered, &claimed).map_err(|error| field.key_error(error))
}

/// Writes the code of a message into the field made for it, in upper-case hexadecimal characters
/// where the field is of such.
///
/// Shape:  as of [`verify`].
/// Errors: as [`MacErrorKind`] says; the message is not changed then.
pub fn seal(
    message: &mut [u8],
    field: &MacField,
    store: &dyn KeyStore,
    key: &KeyName,
    form: impl Into<MacForm>,
) -> Result<(), MacError> {
    let MacForm { algorithm, carried } = form.into();
    let (covered, content) = field.split(message)?;
    carried.check_room(content.len()).map_err(|kind| field.error(kind))?;
    let mac = store.mac(key, algorithm, covered).map_err(|error| field.key_error(error))?;
    carried.write(&mac, &mut message[field.at.clone()]);
    Ok(())
}

impl MacField {
    /// The field as it stands in the message without a header of so many bytes, which no code
    /// covers. Offsets of errors count from there too.
    pub fn behind(&self, header_len: usize) -> Self {
        let of_message = |at: usize| at.saturating_sub(header_len);
        Self { number: self.number, at: of_message(self.at.start)..of_message(self.at.end) }
    }

    /// What the code covers, and the field's content.
    fn split<'a>(&self, message: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), MacError> {
        if self.at.end != message.len() {
            return Err(self.error(MacErrorKind::NotLast));
        }
        message.split_at_checked(self.at.start).ok_or(self.error(MacErrorKind::BadLength))
    }

    fn error(&self, kind: MacErrorKind) -> MacError {
        MacError { kind, field: self.number, offset: self.at.start }
    }

    fn key_error(&self, error: KeyError) -> MacError {
        self.error(MacErrorKind::Key(error))
    }
}

/// The code of `data` under a clear key.
///
/// Errors: `WrongAlgorithm`.
pub(super) fn compute(
    key: &Key,
    algorithm: MacAlgorithm,
    data: &[u8],
) -> Result<Mac, KeyErrorKind> {
    match algorithm {
        MacAlgorithm::X9_9(padding) => x9_9(key, padding, data),
        MacAlgorithm::X9_19(padding) => x9_19(key, padding, data),
        MacAlgorithm::AesCmac => {
            let mut first = [0; Mac::LEN_MAX];
            first.copy_from_slice(&cmac(key, data)?[..Mac::LEN_MAX]);
            Ok(first.into())
        }
    }
}

fn x9_9(key: &Key, padding: Padding, data: &[u8]) -> Result<Mac, KeyErrorKind> {
    match key.algorithm() {
        KeyAlgorithm::Des => Ok(chain(&key.des()?, padding, data).into()),
        _ => Err(KeyErrorKind::WrongAlgorithm),
    }
}

fn x9_19(key: &Key, padding: Padding, data: &[u8]) -> Result<Mac, KeyErrorKind> {
    let (KeyAlgorithm::Tdes2, Some((first, second))) =
        (key.algorithm(), key.bytes().split_at_checked(8))
    else {
        return Err(KeyErrorKind::WrongAlgorithm);
    };
    let one = |half| DesCipher::new(half).ok_or(KeyErrorKind::WrongAlgorithm);
    let (first, second) = (one(first)?, one(second)?);
    let mut mac = chain(&first, padding, data);
    second.decrypt(&mut mac);
    first.encrypt(&mut mac);
    Ok(mac.into())
}

/// The last block of cipher block chaining from an initial block of zeros.
fn chain(cipher: &DesCipher, padding: Padding, data: &[u8]) -> Block8 {
    let (blocks, rest) = data.as_chunks::<8>();
    let mut state = [0; 8];
    for block in blocks {
        add(&mut state, block);
        cipher.encrypt(&mut state);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    match padding {
        Padding::Zeros if rest.is_empty() && !blocks.is_empty() => return state,
        Padding::Zeros => {}
        Padding::Bit => last[rest.len()] = 0x80,
    }
    add(&mut state, &last);
    cipher.encrypt(&mut state);
    state
}

/// The whole AES-CMAC of `data`.
///
/// Errors: `WrongAlgorithm` of a key that is not AES.
pub(super) fn cmac(key: &Key, data: &[u8]) -> Result<Block16, KeyErrorKind> {
    fn of<M: cmac::Mac<OutputSize = aes::cipher::consts::U16> + KeyInit>(
        key: &[u8],
        data: &[u8],
    ) -> Option<Block16> {
        let mut state = <M as KeyInit>::new_from_slice(key).ok()?;
        state.update(data);
        Some(state.finalize().into_bytes().into())
    }
    let mac = match key.algorithm() {
        KeyAlgorithm::Aes128 => of::<Cmac<Aes128>>(key.bytes(), data),
        KeyAlgorithm::Aes192 => of::<Cmac<Aes192>>(key.bytes(), data),
        KeyAlgorithm::Aes256 => of::<Cmac<Aes256>>(key.bytes(), data),
        KeyAlgorithm::Des | KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3 => None,
    };
    mac.ok_or(KeyErrorKind::WrongAlgorithm)
}

#[cfg(test)]
mod tests;
