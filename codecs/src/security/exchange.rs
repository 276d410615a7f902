//! Key material of a network management request (0800, DE70 101): an encrypted key and its check
//! value, one behind the other.
//!
//! Which data element carries it – DE48, DE53, DE96, DE125 – and what else stands there differs by
//! network: a caller cuts out these bytes, and says how they are written.
//!
//! The order of a change, on the side that is told: [`KeyMaterial::parse`],
//! [`KeyStore::import_key`](super::KeyStore::import_key), the 0810 with code 00, then
//! [`KeyStore::activate`](super::KeyStore::activate). Messages on their way still verify under the
//! previous generation, until
//! [`KeyStore::retire_previous`](super::KeyStore::retire_previous).

use smallvec::SmallVec;

use super::{CheckValue, KeyAlgorithm, KeyWrap, WrappedKey};

/// Bytes of the longest material: a wrapped AES-256 key and a check value.
const MATERIAL_LEN_MAX: usize = 48;

/// How key material is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// As bytes.
    Binary,
    /// In hexadecimal characters, upper-case when written.
    Hex,
}

/// What a field with key material holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLayout {
    /// The key's algorithm.
    pub algorithm: KeyAlgorithm,
    /// How it is encrypted.
    pub wrap: KeyWrap,
    /// How the bytes are written.
    pub form: KeyForm,
    /// Bytes of check value behind the key, 2 to 5.
    pub check_len: usize,
}

/// An encrypted key and its check value.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    bytes: SmallVec<[u8; MATERIAL_LEN_MAX]>,
    key_len: usize,
}

/// Why a field holds no key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyMaterialError {
    /// The field has another length than the layout says.
    #[error("key material has {have} bytes, {need} expected")]
    BadLength {
        /// Bytes expected.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// A character is not hexadecimal.
    #[error("key material is not hexadecimal at position {offset}")]
    NotHex {
        /// Where in the field.
        offset: usize,
    },
    /// A check value of so many bytes is too short to say anything, or longer than there are.
    #[error("check value of {have} bytes, 2 to 5 expected")]
    CheckLength {
        /// Bytes wanted.
        have: usize,
    },
}

impl KeyMaterialError {
    /// The name used in metrics and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BadLength { .. } | Self::CheckLength { .. } => "bad_length",
            Self::NotHex { .. } => "bad_content",
        }
    }
}

impl KeyLayout {
    /// Bytes the field's content takes.
    pub fn content_len(&self) -> usize {
        let bytes = self.wrap.wrapped_len(self.algorithm) + self.check_len;
        match self.form {
            KeyForm::Binary => bytes,
            KeyForm::Hex => 2 * bytes,
        }
    }
}

impl KeyMaterial {
    /// Reads a field's content.
    ///
    /// Errors: `CheckLength`, `BadLength`, `NotHex`.
    pub fn parse(layout: &KeyLayout, content: &[u8]) -> Result<Self, KeyMaterialError> {
        check_len(layout.check_len)?;
        let (need, have) = (layout.content_len(), content.len());
        if need != have {
            return Err(KeyMaterialError::BadLength { need, have });
        }
        let mut bytes = SmallVec::new();
        match layout.form {
            KeyForm::Binary => bytes.extend_from_slice(content),
            KeyForm::Hex => {
                bytes.resize(have / 2, 0);
                hex::decode_to_slice(content, &mut bytes).map_err(|_| {
                    let offset = content.iter().position(|byte| !byte.is_ascii_hexdigit());
                    KeyMaterialError::NotHex { offset: offset.unwrap_or(0) }
                })?;
            }
        }
        Ok(Self { bytes, key_len: layout.wrap.wrapped_len(layout.algorithm) })
    }

    /// A field's content for a key to be sent.
    ///
    /// Errors: `CheckLength`; `BadLength` where the key is not wrapped as the layout says.
    pub fn write(
        layout: &KeyLayout,
        key: &WrappedKey,
        check: &CheckValue,
    ) -> Result<Vec<u8>, KeyMaterialError> {
        check_len(layout.check_len)?;
        let (need, have) = (layout.wrap.wrapped_len(layout.algorithm), key.as_bytes().len());
        if need != have {
            return Err(KeyMaterialError::BadLength { need, have });
        }
        let check = check.as_bytes().get(..layout.check_len);
        let check = check.ok_or(KeyMaterialError::CheckLength { have: layout.check_len })?;
        let bytes = [key.as_bytes(), check].concat();
        Ok(match layout.form {
            KeyForm::Binary => bytes,
            KeyForm::Hex => hex::encode_upper(bytes).into_bytes(),
        })
    }

    /// The encrypted key.
    pub fn cryptogram(&self) -> &[u8] {
        &self.bytes[..self.key_len]
    }

    /// The check value that came with it.
    pub fn check_value(&self) -> &[u8] {
        &self.bytes[self.key_len..]
    }
}

fn check_len(have: usize) -> Result<(), KeyMaterialError> {
    match (2..=5).contains(&have) {
        true => Ok(()),
        false => Err(KeyMaterialError::CheckLength { have }),
    }
}

impl std::fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyMaterial({} bytes)", self.bytes.len())
    }
}
