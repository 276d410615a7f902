//! Sealing keys as the configuration and key files write them: 64 hexadecimal digits.

use storage::seal::SealingKey;
use zeroize::Zeroizing;

/// Why digits are no key. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealingKeyError {
    /// Not 64 hexadecimal digits.
    #[error("sealing key `{name}` is not 64 hexadecimal digits")]
    Digits {
        /// The key's name.
        name: String,
    },
    /// Its bytes repeat, as zeros do.
    #[error("sealing key `{name}` is one that anyone would guess: draw it at random")]
    Trivial {
        /// The key's name.
        name: String,
    },
}

/// The key of a name and its 64 hexadecimal digits.
///
/// Errors: other digits, or a key that anyone would guess.
pub fn sealing_key(name: &str, digits: &str) -> Result<SealingKey, SealingKeyError> {
    Ok(SealingKey { name: name.into(), bytes: hex_key(name, digits)? })
}

/// The 32 bytes that 64 hexadecimal digits stand for.
///
/// Errors: as of [`sealing_key`].
pub fn hex_key(name: &str, digits: &str) -> Result<Zeroizing<[u8; 32]>, SealingKeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits.trim(), bytes.as_mut_slice())
        .map_err(|_| SealingKeyError::Digits { name: name.to_owned() })?;
    if is_trivial(&bytes) {
        return Err(SealingKeyError::Trivial { name: name.to_owned() });
    }
    Ok(bytes)
}

/// Whether a key is one pattern over and over, such as all zeros: both halves of it are alike.
fn is_trivial(bytes: &[u8; 32]) -> bool {
    let has_period = |period: usize| bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b);
    (1..=16).any(has_period)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "8f1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00112233445566aa";

    #[test]
    fn keys_that_anyone_would_guess_are_refused() {
        let check = |digits: &str, is_taken: bool| {
            assert_eq!(sealing_key("k", digits).is_ok(), is_taken, "{digits}");
        };
        check(DIGITS, true);
        for pattern in ["0", "F", "01", "deadbeef", "0123456789abcdef", &DIGITS[..32]] {
            check(&pattern.repeat(64 / pattern.len()), false);
        }
        check(&"abc".repeat(22)[..64], false);
    }
}
