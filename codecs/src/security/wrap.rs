//! Keys encrypted under key-encrypting keys.

use std::fmt;

use smallvec::SmallVec;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::cipher::{AesCipher, Block16};
use super::key::{KEY_LEN_MAX, Key};
use super::{KeyAlgorithm, KeyErrorKind};

/// Bytes a wrapped key takes at most: the longest key and a block of check.
const WRAPPED_LEN_MAX: usize = KEY_LEN_MAX + 8;
/// What RFC 3394 puts before a key to know it again.
const CHECK_BLOCK: [u8; 8] = [0xA6; 8];
/// How often RFC 3394 goes over all blocks.
const ROUNDS: u64 = 6;

/// How a key is encrypted under another. TR-31 key blocks are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWrap {
    /// A DES key under a TDES key, each block of eight bytes for itself. Nothing but parity and
    /// check value tells that it is whole.
    TdesEcb,
    /// Any key of 16 bytes or more under an AES key: RFC 3394, with the initial value it gives.
    AesKeyWrap,
}

/// A key encrypted under another.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey(SmallVec<[u8; WRAPPED_LEN_MAX]>);

impl WrappedKey {
    /// Its bytes, for a message.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} bytes)", self.0.len())
    }
}

/// The bytes of a clear key on their way into a [`Key`].
pub(super) type ClearBytes = Zeroizing<Vec<u8>>;

impl KeyWrap {
    /// Bytes a key takes when wrapped so.
    pub fn wrapped_len(self, algorithm: KeyAlgorithm) -> usize {
        match self {
            Self::TdesEcb => algorithm.key_len(),
            Self::AesKeyWrap => algorithm.key_len() + CHECK_BLOCK.len(),
        }
    }

    /// Errors: `WeakWrap`, `WrongAlgorithm`.
    fn check(self, under: KeyAlgorithm, key: KeyAlgorithm) -> Result<(), KeyErrorKind> {
        let fits = match self {
            Self::TdesEcb => under.is_des() && under != KeyAlgorithm::Des && key.is_des(),
            Self::AesKeyWrap => !under.is_des() && key != KeyAlgorithm::Des,
        };
        match (fits, strength(under) >= strength(key)) {
            (_, false) => Err(KeyErrorKind::WeakWrap),
            (false, true) => Err(KeyErrorKind::WrongAlgorithm),
            (true, true) => Ok(()),
        }
    }

    /// Errors: `WeakWrap`, `WrongAlgorithm`.
    pub(super) fn wrap(self, under: &Key, key: &Key) -> Result<WrappedKey, KeyErrorKind> {
        self.check(under.algorithm(), key.algorithm())?;
        match self {
            Self::TdesEcb => {
                let cipher = under.des()?;
                let mut wrapped = SmallVec::from_slice(key.bytes());
                wrapped.as_chunks_mut::<8>().0.iter_mut().for_each(|block| cipher.encrypt(block));
                Ok(WrappedKey(wrapped))
            }
            Self::AesKeyWrap => rfc3394_wrap(under, key.bytes()),
        }
    }

    /// Errors: `WeakWrap`, `WrongAlgorithm`; `BadWrap` where these are no bytes of a key.
    pub(super) fn unwrap(
        self,
        under: &Key,
        algorithm: KeyAlgorithm,
        cryptogram: &[u8],
    ) -> Result<ClearBytes, KeyErrorKind> {
        self.check(under.algorithm(), algorithm)?;
        if cryptogram.len() != self.wrapped_len(algorithm) {
            return Err(KeyErrorKind::BadWrap);
        }
        match self {
            Self::TdesEcb => {
                let cipher = under.des()?;
                let mut clear = Zeroizing::new(cryptogram.to_vec());
                clear.as_chunks_mut::<8>().0.iter_mut().for_each(|block| cipher.decrypt(block));
                Ok(clear)
            }
            Self::AesKeyWrap => rfc3394_unwrap(under, cryptogram),
        }
    }
}

/// Algorithms in the order of what it takes to break them.
fn strength(algorithm: KeyAlgorithm) -> u8 {
    match algorithm {
        KeyAlgorithm::Des => 0,
        KeyAlgorithm::Tdes2 => 1,
        KeyAlgorithm::Tdes3 => 2,
        KeyAlgorithm::Aes128 => 3,
        KeyAlgorithm::Aes192 => 4,
        KeyAlgorithm::Aes256 => 5,
    }
}

/// Source: RFC 3394, 2.2.1, as its description by indices has it, in place.
fn rfc3394_wrap(under: &Key, key: &[u8]) -> Result<WrappedKey, KeyErrorKind> {
    let cipher = under.aes()?;
    let mut wrapped: SmallVec<_> = SmallVec::from_slice(&CHECK_BLOCK);
    wrapped.extend_from_slice(key);
    let (check, blocks) = wrapped.split_at_mut(CHECK_BLOCK.len());
    let mut step = 0;
    for _ in 0..ROUNDS {
        for block in blocks.chunks_mut(8) {
            step += 1;
            turn(&cipher, AesCipher::encrypt, check, block);
            count(check, step);
        }
    }
    Ok(WrappedKey(wrapped))
}

/// Source: RFC 3394, 2.2.2, in place.
fn rfc3394_unwrap(under: &Key, cryptogram: &[u8]) -> Result<ClearBytes, KeyErrorKind> {
    let cipher = under.aes()?;
    let mut clear = Zeroizing::new(cryptogram.to_vec());
    let (check, blocks) =
        clear.split_at_mut_checked(CHECK_BLOCK.len()).ok_or(KeyErrorKind::BadWrap)?;
    let block_count = u64::try_from(blocks.len() / 8).expect("invariant: a key has few blocks");
    let mut step = ROUNDS * block_count;
    for _ in 0..ROUNDS {
        for block in blocks.chunks_mut(8).rev() {
            count(check, step);
            turn(&cipher, AesCipher::decrypt, check, block);
            step -= 1;
        }
    }
    if !bool::from(check.ct_eq(&CHECK_BLOCK)) {
        return Err(KeyErrorKind::BadWrap);
    }
    clear.drain(..CHECK_BLOCK.len());
    Ok(clear)
}

/// Puts the check and one block of eight bytes through the cipher together.
fn turn(
    cipher: &AesCipher,
    through: fn(&AesCipher, &mut Block16),
    check: &mut [u8],
    block: &mut [u8],
) {
    let mut both = Zeroizing::new([0; 16]);
    both[..8].copy_from_slice(check);
    both[8..].copy_from_slice(block);
    through(cipher, &mut both);
    check.copy_from_slice(&both[..8]);
    block.copy_from_slice(&both[8..]);
}

/// Adds the number of a step to the check, bit by bit without carry.
fn count(check: &mut [u8], step: u64) {
    check.iter_mut().zip(step.to_be_bytes()).for_each(|(check, step)| *check ^= step);
}

#[cfg(test)]
mod tests {
    use super::super::Parity;
    use super::*;

    fn aes(algorithm: KeyAlgorithm, text: &str) -> Key {
        Key::new(algorithm, &hex::decode(text).expect("hexadecimal"), Parity::Ignored)
            .expect("a key")
    }

    #[test]
    fn keys_are_wrapped_as_rfc_3394_shows() {
        // RFC 3394, 4.1, 4.3 and 4.6.
        for (under, under_text, key, key_text, wrapped) in [
            (
                KeyAlgorithm::Aes128,
                "000102030405060708090A0B0C0D0E0F",
                KeyAlgorithm::Aes128,
                "00112233445566778899AABBCCDDEEFF",
                "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5",
            ),
            (
                KeyAlgorithm::Aes256,
                "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
                KeyAlgorithm::Aes128,
                "00112233445566778899AABBCCDDEEFF",
                "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7",
            ),
            (
                KeyAlgorithm::Aes256,
                "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
                KeyAlgorithm::Aes256,
                "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
                "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
            ),
        ] {
            let (under, clear) = (aes(under, under_text), aes(key, key_text));
            let made = KeyWrap::AesKeyWrap.wrap(&under, &clear).expect("wrapped");
            assert_eq!(hex::encode_upper(made.as_bytes()), wrapped);
            let found = KeyWrap::AesKeyWrap.unwrap(&under, key, made.as_bytes()).expect("a key");
            assert_eq!(hex::encode_upper(&*found), key_text);
            let mut broken = made.as_bytes().to_vec();
            broken[9] ^= 1;
            let error = KeyWrap::AesKeyWrap.unwrap(&under, key, &broken).expect_err("broken");
            assert_eq!(error, KeyErrorKind::BadWrap);
        }
    }

    #[test]
    fn a_key_is_not_wrapped_under_a_weaker_one() {
        use KeyAlgorithm::{Aes128, Aes256, Des, Tdes2, Tdes3};
        let check = |wrap: KeyWrap, under, key| wrap.check(under, key).err();
        assert_eq!(check(KeyWrap::TdesEcb, Tdes2, Tdes3), Some(KeyErrorKind::WeakWrap));
        assert_eq!(check(KeyWrap::AesKeyWrap, Aes128, Aes256), Some(KeyErrorKind::WeakWrap));
        assert_eq!(check(KeyWrap::TdesEcb, Tdes3, Aes128), Some(KeyErrorKind::WeakWrap));
        assert_eq!(check(KeyWrap::TdesEcb, Aes128, Tdes2), Some(KeyErrorKind::WrongAlgorithm));
        assert_eq!(check(KeyWrap::AesKeyWrap, Aes128, Des), Some(KeyErrorKind::WrongAlgorithm));
        assert_eq!(check(KeyWrap::TdesEcb, Tdes2, Des), None);
        assert_eq!(check(KeyWrap::AesKeyWrap, Aes128, Tdes3), None);
    }
}
