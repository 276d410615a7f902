//! Key material, and what two sides compare of it.

use std::fmt;

use smallvec::SmallVec;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::KeyErrorKind;
use super::cipher::{AesCipher, DesCipher};
use super::mac;

/// Bytes of the longest key.
pub(super) const KEY_LEN_MAX: usize = 32;
/// Fewest bytes of a check value that say something.
const CHECK_LEN_MIN: usize = 2;

/// A key's algorithm and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// DES, 8 bytes; for ANSI X9.9 alone.
    Des,
    /// Triple DES with two keys, 16 bytes.
    Tdes2,
    /// Triple DES with three keys, 24 bytes.
    Tdes3,
    /// AES, 16 bytes.
    Aes128,
    /// AES, 24 bytes.
    Aes192,
    /// AES, 32 bytes.
    Aes256,
}

impl KeyAlgorithm {
    /// Bytes of such a key.
    pub fn key_len(self) -> usize {
        match self {
            Self::Des => 8,
            Self::Tdes2 | Self::Aes128 => 16,
            Self::Tdes3 | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Whether it is DES in any form.
    pub fn is_des(self) -> bool {
        matches!(self, Self::Des | Self::Tdes2 | Self::Tdes3)
    }
}

/// Whether each byte of a DES key must have an odd number of bits set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// It must, of DES keys.
    Odd,
    /// Some networks do not keep it; DES ignores the bits.
    Ignored,
}

/// How a check value is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckMethod {
    /// The first 3 bytes of a block of zeros encrypted under the key: every DES key's, and what
    /// older systems use for AES keys.
    Zeros,
    /// The first 5 bytes of the AES-CMAC of a block of zeros: ANSI X9.24-1:2017, annex A.
    Cmac,
}

/// What two sides compare to see that they hold the same key; tells nothing about it.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckValue(SmallVec<[u8; 5]>);

impl CheckValue {
    /// Its bytes: 3, or 5 of [`CheckMethod::Cmac`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a check value that came with a key fits: the first bytes of this one, 2 at least.
    pub(super) fn fits(&self, claimed: &[u8]) -> bool {
        claimed.len() >= CHECK_LEN_MIN
            && self.0.get(..claimed.len()).is_some_and(|own| own.ct_eq(claimed).into())
    }
}

impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl fmt::Debug for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckValue({self})")
    }
}

/// A clear key; wiped when dropped, and never shown.
pub(super) struct Key {
    algorithm: KeyAlgorithm,
    bytes: Zeroizing<[u8; KEY_LEN_MAX]>,
}

impl Key {
    /// Takes the bytes of a key.
    ///
    /// Errors: `BadLength`, `Parity`, `Degenerate`.
    pub(super) fn new(
        algorithm: KeyAlgorithm,
        bytes: &[u8],
        parity: Parity,
    ) -> Result<Self, KeyErrorKind> {
        if bytes.len() != algorithm.key_len() {
            return Err(KeyErrorKind::BadLength);
        }
        if algorithm.is_des() {
            let is_odd = bytes.iter().all(|byte| byte.count_ones() % 2 == 1);
            if parity == Parity::Odd && !is_odd {
                return Err(KeyErrorKind::Parity);
            }
            if is_degenerate(bytes) {
                return Err(KeyErrorKind::Degenerate);
            }
        }
        let mut kept = Zeroizing::new([0; KEY_LEN_MAX]);
        kept[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { algorithm, bytes: kept })
    }

    pub(super) fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.key_len()]
    }

    /// Errors: `WrongAlgorithm` of a key that is not DES.
    pub(super) fn des(&self) -> Result<DesCipher, KeyErrorKind> {
        let cipher = if self.algorithm.is_des() { DesCipher::new(self.bytes()) } else { None };
        cipher.ok_or(KeyErrorKind::WrongAlgorithm)
    }

    /// Errors: `WrongAlgorithm` of a key that is not AES.
    pub(super) fn aes(&self) -> Result<AesCipher, KeyErrorKind> {
        let cipher = if self.algorithm.is_des() { None } else { AesCipher::new(self.bytes()) };
        cipher.ok_or(KeyErrorKind::WrongAlgorithm)
    }

    /// Errors: `WrongAlgorithm` of a CMAC check value of a DES key.
    pub(super) fn check_value(&self, method: CheckMethod) -> Result<CheckValue, KeyErrorKind> {
        Ok(CheckValue(match method {
            CheckMethod::Cmac => SmallVec::from_slice(&mac::cmac(self, &[0; 16])?[..5]),
            CheckMethod::Zeros if self.algorithm.is_des() => {
                let mut block = [0; 8];
                self.des()?.encrypt(&mut block);
                SmallVec::from_slice(&block[..3])
            }
            CheckMethod::Zeros => {
                let mut block = [0; 16];
                self.aes()?.encrypt(&mut block);
                SmallVec::from_slice(&block[..3])
            }
        }))
    }
}

/// Whether neighbouring thirds or halves are equal but for parity: two of three encryptions then
/// undo each other.
fn is_degenerate(bytes: &[u8]) -> bool {
    let same = |left: &[u8], right: &[u8]| {
        left.iter().zip(right).all(|(left, right)| left & 0xFE == right & 0xFE)
    };
    let mut parts = bytes.chunks(8);
    let mut before = parts.next();
    parts.any(|part| before.replace(part).is_some_and(|before| same(before, part)))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.check_value(CheckMethod::Zeros) {
            Ok(check) => write!(f, "Key({:?}, check value {check})", self.algorithm),
            Err(_) => write!(f, "Key({:?})", self.algorithm),
        }
    }
}
