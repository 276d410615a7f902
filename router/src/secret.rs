//! Values that must not be seen: card numbers and what authenticates a payer.
//!
//! No type here has `Display` or serialisation; `Debug` is masked, memory is wiped on drop.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::SecretId;

/// A primary account number: 12 to 19 digits.
///
/// Its digits leave through [`Pan::expose_for_wire`] (codecs) and [`Pan::expose_for_sealing`]
/// (storage) only.
#[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
pub struct Pan {
    digits: [u8; Pan::LEN_MAX],
    len: u8,
}

/// Why a card number was refused. Never holds the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PanError {
    /// Fewer than 12 or more than 19 digits.
    #[error("card number has {0} characters, 12 to 19 expected")]
    Length(usize),
    /// Something that is not a digit.
    #[error("card number holds a character that is not a digit at position {0}")]
    NotDigit(usize),
}

impl Pan {
    /// Fewest digits of a card number.
    pub const LEN_MIN: usize = 12;
    /// Most digits of a card number (ISO/IEC 7812).
    pub const LEN_MAX: usize = 19;

    /// Takes the digits of a card number. The check digit is the issuer's business.
    pub fn new(digits: &[u8]) -> Result<Self, PanError> {
        if !(Self::LEN_MIN..=Self::LEN_MAX).contains(&digits.len()) {
            return Err(PanError::Length(digits.len()));
        }
        if let Some(at) = digits.iter().position(|byte| !byte.is_ascii_digit()) {
            return Err(PanError::NotDigit(at));
        }
        let mut kept = [0; Self::LEN_MAX];
        kept[..digits.len()].copy_from_slice(digits);
        let len = u8::try_from(digits.len()).expect("invariant: at most 19");
        Ok(Self { digits: kept, len })
    }

    /// The digits, for a message that must carry them. Called in codecs alone.
    pub fn expose_for_wire(&self) -> &[u8] {
        &self.digits[..usize::from(self.len)]
    }

    /// The digits, for encryption. Called where the journal seals them, alone.
    pub fn expose_for_sealing(&self) -> &[u8] {
        self.expose_for_wire()
    }

    /// The digits, for a digest under a secret key. Called where requests are compared, alone.
    pub(crate) fn expose_for_fingerprint(&self) -> &[u8] {
        self.expose_for_wire()
    }

    /// What people may see of it.
    pub fn masked(&self) -> MaskedPan {
        let digits = self.expose_for_wire();
        let mut first = [0; 6];
        first.copy_from_slice(&digits[..6]);
        let mut last = [0; 4];
        last.copy_from_slice(&digits[digits.len() - 4..]);
        MaskedPan { first, last, len: self.len }
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.masked(), f)
    }
}

/// The first six and last four digits of a card number, and how many it has.
///
/// Source: PCI DSS 3.4.1, the most that may be displayed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MaskedPan {
    /// Issuer identification number, six digits.
    pub first: [u8; 6],
    /// Last four digits.
    pub last: [u8; 4],
    /// Digits in the whole number.
    pub len: u8,
}

/// `411111******1111`.
impl fmt::Display for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |digits: &'_ [u8]| String::from_utf8_lossy(digits).into_owned();
        let hidden = usize::from(self.len).saturating_sub(10);
        write!(f, "{}{}{}", text(&self.first), "*".repeat(hidden), text(&self.last))
    }
}

impl fmt::Debug for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A card number as the switch holds it: clear while the payment runs, sealed once it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardNumber {
    /// The number itself.
    Clear(Pan),
    /// Encrypted under a named key; [`SealedPan::masked`] can still be shown.
    Sealed(Box<SealedPan>),
}

impl CardNumber {
    /// What people may see of it.
    pub fn masked(&self) -> MaskedPan {
        match self {
            Self::Clear(pan) => pan.masked(),
            Self::Sealed(sealed) => sealed.masked,
        }
    }
}

/// An encrypted card number, as read back from the journal.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPan {
    /// What people may see of it.
    pub masked: MaskedPan,
    /// Name of the key that sealed it.
    pub key_name: Box<str>,
    /// AES-256-GCM ciphertext and tag.
    pub ciphertext: Box<[u8]>,
}

impl fmt::Debug for SealedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sealed under {}", self.masked, self.key_name)
    }
}

/// Encrypted contents of fields that looked like card numbers, as read back from the journal.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedTexts {
    /// Name of the key that sealed them.
    pub key_name: Box<str>,
    /// AES-256-GCM ciphertext and tag.
    pub ciphertext: Box<[u8]>,
}

impl fmt::Debug for SealedTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "texts sealed under {}", self.key_name)
    }
}

/// An encrypted signing secret, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Which secret; one id seals one secret only.
    pub id: SecretId,
    /// Name of the key that sealed it.
    pub key_name: Box<str>,
    /// AES-256-GCM ciphertext and tag.
    pub ciphertext: Box<[u8]>,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {} sealed under {}", self.id, self.key_name)
    }
}

/// Bytes that authenticate somebody: track data, a PIN block, a one-time key, an API key.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes the bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for a message or a comparison that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_never_shows_itself() {
        let pan = Pan::new(b"4111111111111111").expect("a card number");
        assert_eq!(format!("{pan:?}"), "411111******1111");
        assert_eq!(format!("{:?}", Secret::new(*b"1234")), "[secret]");
        let short = Pan::new(b"123456789012").expect("a card number");
        assert_eq!(format!("{:?}", CardNumber::Clear(short)), "Clear(123456**9012)");
    }

    #[test]
    fn what_is_not_a_card_number_is_refused_without_repeating_it() {
        assert_eq!(Pan::new(b"4111"), Err(PanError::Length(4)));
        assert_eq!(Pan::new(b"41111111111111x1"), Err(PanError::NotDigit(14)));
    }
}
