//! PIN blocks of ISO 9564-1: a PIN, tied to a card number, encrypted.
//!
//! A clear PIN lives in this module and in a store's memory, as long as one call takes.

use std::fmt;

use router::secret::Pan;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::cipher::{Block8, Block16, add};
use super::key::Key;
use super::{KeyAlgorithm, KeyErrorKind};

/// Fewest digits of a PIN.
const PIN_LEN_MIN: usize = 4;
/// Most digits of a PIN.
const PIN_LEN_MAX: usize = 12;
/// Digits that fit a field of eight bytes behind control and length.
const FIELD_DIGITS: usize = 14;
/// Digits of a card number that formats 0 and 3 take.
const PAN_PART_DIGITS: usize = 12;

/// The format of a PIN block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinFormat {
    /// Format 0: filled with F, tied to the card by addition; TDES.
    Iso0,
    /// Format 3: filled at random with A to F, tied to the card by addition; TDES.
    Iso3,
    /// Format 4: filled with A and random bytes, tied to the card between two encryptions; AES.
    Iso4,
}

/// Ten random bytes that fill a new block; formats take what they need of them. Draw new ones for
/// each block.
#[derive(Clone, Copy)]
pub struct PinFill(pub [u8; 10]);

/// An encrypted PIN block of 8 bytes (formats 0 and 3) or 16 (format 4). Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EncryptedPin {
    bytes: [u8; 16],
    len: usize,
}

/// Why bytes are no encrypted PIN block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIN block has 8 or 16 bytes, {have} given")]
pub struct PinBlockLengthError {
    /// Bytes given.
    pub have: usize,
}

impl EncryptedPin {
    /// Its bytes, for a message.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Errors: `BadPinBlock` of a block of another length.
    fn of_len(&self, len: usize) -> Result<&[u8], KeyErrorKind> {
        Some(self.as_bytes()).filter(|bytes| bytes.len() == len).ok_or(KeyErrorKind::BadPinBlock)
    }
}

impl TryFrom<&[u8]> for EncryptedPin {
    type Error = PinBlockLengthError;

    fn try_from(content: &[u8]) -> Result<Self, PinBlockLengthError> {
        let len = content.len();
        if ![8, 16].contains(&len) {
            return Err(PinBlockLengthError { have: len });
        }
        let mut bytes = [0; 16];
        bytes[..len].copy_from_slice(content);
        Ok(Self { bytes, len })
    }
}

impl fmt::Debug for EncryptedPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedPin({} bytes)", self.len)
    }
}

impl fmt::Debug for PinFill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinFill")
    }
}

/// A clear PIN; wiped when dropped, and without `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Pin {
    digits: [u8; PIN_LEN_MAX],
    len: usize,
}

impl Pin {
    /// From ASCII digits.
    ///
    /// Errors: `BadPin`.
    pub(super) fn new(digits: &[u8]) -> Result<Self, KeyErrorKind> {
        let is_pin = (PIN_LEN_MIN..=PIN_LEN_MAX).contains(&digits.len())
            && digits.iter().all(u8::is_ascii_digit);
        if !is_pin {
            return Err(KeyErrorKind::BadPin);
        }
        let mut pin = Self { digits: [0; PIN_LEN_MAX], len: digits.len() };
        pin.digits.iter_mut().zip(digits).for_each(|(kept, digit)| *kept = digit - b'0');
        Ok(pin)
    }

    /// Control, length, digits and fill, four bits each.
    fn field(&self, control: u64, fill: impl Fn(usize) -> u8) -> Zeroizing<u64> {
        let head = Zeroizing::new((control << 4) | len_nibble(self.len));
        let digits = &self.digits[..self.len];
        Zeroizing::new((0..FIELD_DIGITS).fold(*head, |field, at| {
            let nibble = digits.get(at).copied().unwrap_or_else(|| fill(at - digits.len()));
            (field << 4) | u64::from(nibble)
        }))
    }

    /// Reads what [`Pin::field`] wrote.
    ///
    /// Errors: `BadPinBlock`, whatever is wrong: a wrong key, card or format look alike.
    fn of_field(
        field: &Block8,
        control: u64,
        is_fill: impl Fn(u8) -> bool,
    ) -> Result<Self, KeyErrorKind> {
        let nibble = |at: usize| field[at / 2] >> (4 * (1 - at % 2)) & 0x0F;
        let len = usize::from(nibble(1));
        let is_block = u64::from(nibble(0)) == control
            && (PIN_LEN_MIN..=PIN_LEN_MAX).contains(&len)
            && (0..FIELD_DIGITS).all(|at| match at < len {
                true => nibble(2 + at) < 10,
                false => is_fill(nibble(2 + at)),
            });
        if !is_block {
            return Err(KeyErrorKind::BadPinBlock);
        }
        let mut pin = Self { digits: [0; PIN_LEN_MAX], len };
        pin.digits[..len].iter_mut().enumerate().for_each(|(at, digit)| *digit = nibble(2 + at));
        Ok(pin)
    }
}

fn len_nibble(len: usize) -> u64 {
    u64::try_from(len).expect("invariant: a PIN has at most 12 digits")
}

impl PinFormat {
    fn control(self) -> u64 {
        match self {
            Self::Iso0 => 0,
            Self::Iso3 => 3,
            Self::Iso4 => 4,
        }
    }

    /// The digit that fills a field at a position behind the PIN.
    fn fill(self, fill: &PinFill, at: usize) -> u8 {
        match self {
            Self::Iso0 => 0xF,
            Self::Iso3 => 0xA + fill.0[at] % 6,
            Self::Iso4 => 0xA,
        }
    }

    fn is_fill(self, nibble: u8) -> bool {
        match self {
            Self::Iso0 => nibble == 0xF,
            Self::Iso3 => nibble >= 0xA,
            Self::Iso4 => nibble == 0xA,
        }
    }

    /// Whether a key may encrypt blocks of this format.
    fn takes(self, algorithm: KeyAlgorithm) -> bool {
        match algorithm {
            KeyAlgorithm::Des => false,
            KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3 => self != Self::Iso4,
            KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => {
                self == Self::Iso4
            }
        }
    }

    /// The encrypted block of a PIN.
    ///
    /// Errors: `WrongAlgorithm`.
    pub(super) fn encrypt(
        self,
        key: &Key,
        pin: &Pin,
        pan: &Pan,
        fill: &PinFill,
    ) -> Result<EncryptedPin, KeyErrorKind> {
        if !self.takes(key.algorithm()) {
            return Err(KeyErrorKind::WrongAlgorithm);
        }
        let field = pin.field(self.control(), |at| self.fill(fill, at));
        let mut out = EncryptedPin { bytes: [0; 16], len: 8 };
        match self {
            Self::Iso0 | Self::Iso3 => {
                let mut block = Zeroizing::new((*field ^ pan_part(pan)).to_be_bytes());
                key.des()?.encrypt(&mut block);
                out.bytes[..8].copy_from_slice(&*block);
            }
            Self::Iso4 => {
                let cipher = key.aes()?;
                let mut block = Zeroizing::new([0; 16]);
                block[..8].copy_from_slice(&*Zeroizing::new(field.to_be_bytes()));
                block[8..].copy_from_slice(&fill.0[..8]);
                cipher.encrypt(&mut block);
                add(&mut block, &pan_field(pan));
                cipher.encrypt(&mut block);
                out.bytes = *block;
                out.len = 16;
            }
        }
        Ok(out)
    }

    /// The PIN of an encrypted block.
    ///
    /// Errors: `WrongAlgorithm`, `BadPinBlock`.
    pub(super) fn decrypt(
        self,
        key: &Key,
        block: &EncryptedPin,
        pan: &Pan,
    ) -> Result<Pin, KeyErrorKind> {
        if !self.takes(key.algorithm()) {
            return Err(KeyErrorKind::WrongAlgorithm);
        }
        let mut field = Zeroizing::new([0; 8]);
        match self {
            Self::Iso0 | Self::Iso3 => {
                let cipher = key.des()?;
                field.copy_from_slice(block.of_len(8)?);
                cipher.decrypt(&mut field);
                add(&mut field, &pan_part(pan).to_be_bytes());
            }
            Self::Iso4 => {
                let cipher = key.aes()?;
                let mut clear = Zeroizing::new([0; 16]);
                clear.copy_from_slice(block.of_len(16)?);
                cipher.decrypt(&mut clear);
                add(&mut clear, &pan_field(pan));
                cipher.decrypt(&mut clear);
                field.copy_from_slice(&clear[..8]);
            }
        }
        Pin::of_field(&field, self.control(), |nibble| self.is_fill(nibble))
    }
}

/// The account number field of formats 0 and 3: the twelve rightmost digits without the check
/// digit, zeros before them.
fn pan_part(pan: &Pan) -> u64 {
    let digits = pan.expose_for_wire();
    let unchecked = &digits[..digits.len() - 1];
    let part = &unchecked[unchecked.len().saturating_sub(PAN_PART_DIGITS)..];
    part.iter().fold(0, |field, digit| (field << 4) | u64::from(digit - b'0'))
}

/// The account number field of format 4: how many digits there are above 12, all digits, zeros.
fn pan_field(pan: &Pan) -> Block16 {
    let digits = pan.expose_for_wire();
    let above = u8::try_from(digits.len() - Pan::LEN_MIN).expect("invariant: 12 to 19 digits");
    let mut field = [0; 16];
    let nibbles = std::iter::once(above).chain(digits.iter().map(|digit| digit - b'0'));
    for (at, nibble) in nibbles.enumerate() {
        field[at / 2] |= if at % 2 == 0 { nibble << 4 } else { nibble };
    }
    field
}

#[cfg(test)]
mod tests;
