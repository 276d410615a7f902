//! The block ciphers, by the length of a key. They work in place, so that a clear block is where its
//! owner wipes it and nowhere else.

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

    pub(super) fn encrypt(&self, block: &mut Block8) {
        let block = block.into();
        match self {
            Self::One(cipher) => cipher.encrypt_block(block),
            Self::Two(cipher) => cipher.encrypt_block(block),
            Self::Three(cipher) => cipher.encrypt_block(block),
        }
    }

    pub(super) fn decrypt(&self, block: &mut Block8) {
        let block = block.into();
        match self {
            Self::One(cipher) => cipher.decrypt_block(block),
            Self::Two(cipher) => cipher.decrypt_block(block),
            Self::Three(cipher) => cipher.decrypt_block(block),
        }
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

    pub(super) fn encrypt(&self, block: &mut Block16) {
        let block = block.into();
        match self {
            Self::Bits128(cipher) => cipher.encrypt_block(block),
            Self::Bits192(cipher) => cipher.encrypt_block(block),
            Self::Bits256(cipher) => cipher.encrypt_block(block),
        }
    }

    pub(super) fn decrypt(&self, block: &mut Block16) {
        let block = block.into();
        match self {
            Self::Bits128(cipher) => cipher.decrypt_block(block),
            Self::Bits192(cipher) => cipher.decrypt_block(block),
            Self::Bits256(cipher) => cipher.decrypt_block(block),
        }
    }
}

/// Adds a block to another, bit by bit without carry.
pub(super) fn add<const N: usize>(block: &mut [u8; N], other: &[u8; N]) {
    block.iter_mut().zip(other).for_each(|(block, other)| *block ^= other);
}
