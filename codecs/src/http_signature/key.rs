//! Keys of signatures.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, ParsedPublicKey};
use hmac::{Hmac, KeyInit, Mac};
use router::secret::Secret;
use sha2::Sha256;

/// Bytes of a shared secret at least: half of what the hash gives.
const SECRET_LEN_MIN: usize = 16;

/// Signs.
pub enum SigningKey {
    /// EdDSA over curve 25519.
    Ed25519(Box<Ed25519KeyPair>),
    /// HMAC with SHA-256.
    HmacSha256(Secret),
}

/// Checks signatures.
pub enum VerifyingKey {
    /// EdDSA over curve 25519.
    Ed25519(Box<ParsedPublicKey>),
    /// HMAC with SHA-256.
    HmacSha256(Secret),
}

/// Why the contents of a file are no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not a key of Ed25519.
    #[error("is no key of Ed25519 in PKCS #8 (private) or SubjectPublicKeyInfo (public) form")]
    Ed25519,
    /// Too short to be safe.
    #[error("is shorter than {SECRET_LEN_MIN} bytes")]
    TooShort,
}

impl SigningKey {
    /// A private key of Ed25519 in PKCS #8, DER form.
    ///
    /// Errors: [`KeyFileError::Ed25519`].
    pub fn ed25519(pkcs8: &[u8]) -> Result<Self, KeyFileError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8);
        pair.map(|pair| Self::Ed25519(Box::new(pair))).map_err(|_| KeyFileError::Ed25519)
    }

    /// A shared secret.
    ///
    /// Errors: [`KeyFileError::TooShort`].
    pub fn hmac_sha256(secret: Secret) -> Result<Self, KeyFileError> {
        long_enough(secret).map(Self::HmacSha256)
    }

    /// Its name in RFC 9421.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
            Self::HmacSha256(_) => "hmac-sha256",
        }
    }

    pub(super) fn sign(&self, base: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.sign(base).as_ref().to_vec(),
            Self::HmacSha256(secret) => mac(secret, &[base]).finalize().into_bytes().to_vec(),
        }
    }
}

impl VerifyingKey {
    /// A public key of Ed25519: 32 bytes, or SubjectPublicKeyInfo in DER form.
    ///
    /// Errors: [`KeyFileError::Ed25519`].
    pub fn ed25519(public: &[u8]) -> Result<Self, KeyFileError> {
        let key = ParsedPublicKey::new(&ED25519, public).map_err(|_| KeyFileError::Ed25519)?;
        Ok(Self::Ed25519(Box::new(key)))
    }

    /// A shared secret.
    ///
    /// Errors: [`KeyFileError::TooShort`].
    pub fn hmac_sha256(secret: Secret) -> Result<Self, KeyFileError> {
        long_enough(secret).map(Self::HmacSha256)
    }

    /// Its name in RFC 9421.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
            Self::HmacSha256(_) => "hmac-sha256",
        }
    }

    /// Whether the signature is that of the base; takes the same time whatever is wrong.
    pub(super) fn is_right(&self, base: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => key.verify_sig(base, signature).is_ok(),
            Self::HmacSha256(secret) => mac(secret, &[base]).verify_slice(signature).is_ok(),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} key]", self.algorithm())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} key]", self.algorithm())
    }
}

fn long_enough(secret: Secret) -> Result<Secret, KeyFileError> {
    if secret.expose().len() < SECRET_LEN_MIN { Err(KeyFileError::TooShort) } else { Ok(secret) }
}

/// An HMAC over the pieces, one behind the other.
pub(super) fn mac(secret: &Secret, pieces: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose())
        .expect("invariant: HMAC takes a key of any length");
    pieces.iter().for_each(|piece| mac.update(piece));
    mac
}
