//! The block ciphers, by the length of a key.

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use des::{Des, TdesEde2, TdesEde3};

/// A block of DES and TDES.
pub(super) type Block8 = [u8; 8];
/// A block of AES.
pub(super) type Block16 = [u8; 16];

/// DES with one, two or three keys.
pub(super) enum DesCipher {
    One(Des),
    Two(TdesEde2),
    Three(TdesEde3),
}

impl DesCipher {
    /// From 8, 16 or 24 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            8 => Des::new_from_slice(key).ok().map(Self::One),
            16 => TdesEde2::new_from_slice(key).ok().map(Self::Two),
            24 => TdesEde3::new_from_slice(key).ok().map(Self::Three),
            _ => None,
        }
    }

    pub(super) fn encrypt(&self, block: Block8) -> Block8 {
        let mut block = block.into();
        match self {
            Self::One(cipher) => cipher.encrypt_block(&mut block),
            Self::Two(cipher) => cipher.encrypt_block(&mut block),
            Self::Three(cipher) => cipher.encrypt_block(&mut block),
        }
        block.into()
    }

    pub(super) fn decrypt(&self, block: Block8) -> Block8 {
        let mut block = block.into();
        match self {
            Self::One(cipher) => cipher.decrypt_block(&mut block),
            Self::Two(cipher) => cipher.decrypt_block(&mut block),
            Self::Three(cipher) => cipher.decrypt_block(&mut block),
        }
        block.into()
    }
}

/// AES with a key of 128, 192 or 256 bits.
pub(super) enum AesCipher {
    Bits128(Box<Aes128>),
    Bits192(Box<Aes192>),
    Bits256(Box<Aes256>),
}

impl AesCipher {
    /// From 16, 24 or 32 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(Box::new).map(Self::Bits128),
            24 => Aes192::new_from_slice(key).ok().map(Box::new).map(Self::Bits192),
            32 => Aes256::new_from_slice(key).ok().map(Box::new).map(Self::Bits256),
            _ => None,
        }
    }

    pub(super) fn encrypt(&self, block: Block16) -> Block16 {
        let mut block = block.into();
        match self {
            Self::Bits128(cipher) => cipher.encrypt_block(&mut block),
            Self::Bits192(cipher) => cipher.encrypt_block(&mut block),
            Self::Bits256(cipher) => cipher.encrypt_block(&mut block),
        }
        block.into()
    }

    pub(super) fn decrypt(&self, block: Block16) -> Block16 {
        let mut block = block.into();
        match self {
            Self::Bits128(cipher) => cipher.decrypt_block(&mut block),
            Self::Bits192(cipher) => cipher.decrypt_block(&mut block),
            Self::Bits256(cipher) => cipher.decrypt_block(&mut block),
        }
        block.into()
    }
}

/// The sum of two blocks, bit by bit without carry.
pub(super) fn xor<const N: usize>(mut left: [u8; N], right: &[u8; N]) -> [u8; N] {
    left.iter_mut().zip(right).for_each(|(left, right)| *left ^= right);
    left
}
