//! How the length in front of a frame is written, and what it counts.

use super::FrameError;

/// How the length in front of a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthKind {
    /// This many ASCII digits, 1 to 6.
    Ascii(u8),
    /// Four hexadecimal ASCII characters.
    Hex4,
    /// Four digits in two bytes of BCD.
    Bcd2,
    /// Two bytes, big-endian.
    Binary2,
    /// Three bytes, big-endian.
    Binary3,
    /// Four bytes, big-endian.
    Binary4,
    /// Two bytes, little-endian.
    Binary2Little,
    /// Two bytes, big-endian, and two bytes of zero behind them.
    Binary2Zero2,
    /// Two bytes of zero, and two bytes, big-endian, behind them.
    Zero2Binary2,
    /// No length: the trailer alone ends a frame.
    None,
}

/// What a length counts besides the message and its trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Nothing: the header comes on top.
    Message,
    /// The header.
    HeaderAndMessage,
    /// Its own bytes, not the header.
    LengthAndMessage,
    /// Its own bytes and the header.
    All,
}

impl Counts {
    pub(super) fn itself(self) -> bool {
        matches!(self, Self::LengthAndMessage | Self::All)
    }

    pub(super) fn header(self) -> bool {
        matches!(self, Self::HeaderAndMessage | Self::All)
    }

    /// What is stated for a length of `width` bytes, a header, and `rest` bytes behind it.
    pub(super) fn stated(self, width: usize, header: usize, rest: usize) -> usize {
        let itself = if self.itself() { width } else { 0 };
        let header = if self.header() { header } else { 0 };
        itself + header + rest
    }
}

impl LengthKind {
    /// Bytes of zero before the digits, bytes of digits, bytes of zero behind them.
    fn layout(self) -> (usize, usize, usize) {
        match self {
            Self::Ascii(digits) => (0, digits.into(), 0),
            Self::Hex4 | Self::Binary4 => (0, 4, 0),
            Self::Bcd2 | Self::Binary2 | Self::Binary2Little => (0, 2, 0),
            Self::Binary3 => (0, 3, 0),
            Self::Binary2Zero2 => (0, 2, 2),
            Self::Zero2Binary2 => (2, 2, 0),
            Self::None => (0, 0, 0),
        }
    }

    /// What each byte of digits counts up to.
    fn base(self) -> usize {
        match self {
            Self::Ascii(_) => 10,
            Self::Hex4 => 16,
            Self::Bcd2 => 100,
            Self::Binary2
            | Self::Binary3
            | Self::Binary4
            | Self::Binary2Little
            | Self::Binary2Zero2
            | Self::Zero2Binary2
            | Self::None => 256,
        }
    }

    /// Bytes the length takes.
    pub(super) fn width(self) -> usize {
        let (before, digits, after) = self.layout();
        before + digits + after
    }

    /// The largest length that can be written.
    pub(super) fn capacity(self) -> usize {
        let (_, digits, _) = self.layout();
        match self {
            Self::None => usize::MAX,
            _ => (0..digits).fold(0, |most, _| most * self.base() + (self.base() - 1)),
        }
    }

    /// Reads `width` bytes.
    ///
    /// Errors: `NotDigit`, `NotZero`, with the offset of the byte.
    pub(super) fn read(self, bytes: &[u8]) -> Result<usize, FrameError> {
        let (before, digits, _) = self.layout();
        let is_filling = |at: usize| at < before || at >= before + digits;
        let mut value = 0;
        for (offset, byte) in bytes.iter().enumerate() {
            if is_filling(offset) {
                if *byte != 0 {
                    return Err(FrameError::NotZero { offset });
                }
                continue;
            }
            let digit = self.digit(*byte).ok_or(FrameError::NotDigit { offset })?;
            value = match self {
                Self::Binary2Little => value + (digit << (8 * (offset - before))),
                _ => value * self.base() + digit,
            };
        }
        Ok(value)
    }

    fn digit(self, byte: u8) -> Option<usize> {
        let value = match self {
            Self::Ascii(_) => byte.is_ascii_digit().then(|| byte - b'0')?,
            Self::Hex4 => u8::try_from(char::from(byte).to_digit(16)?).ok()?,
            Self::Bcd2 => {
                let (high, low) = (byte >> 4, byte & 0x0F);
                (high < 10 && low < 10).then(|| high * 10 + low)?
            }
            _ => byte,
        };
        Some(value.into())
    }

    /// Writes a length no greater than the capacity into `width` bytes of zero.
    pub(super) fn write(self, length: usize, out: &mut [u8]) {
        let (before, width, _) = self.layout();
        let digits = &mut out[before..before + width];
        match self {
            Self::Ascii(_) => write_digits(length, 10, digits, |digit| b'0' + digit),
            Self::Hex4 => {
                write_digits(length, 16, digits, |digit| b"0123456789ABCDEF"[usize::from(digit)])
            }
            Self::Bcd2 => {
                write_digits(length, 100, digits, |digit| ((digit / 10) << 4) | (digit % 10));
            }
            Self::Binary2Little => digits.copy_from_slice(&length.to_le_bytes()[..width]),
            Self::Binary2
            | Self::Binary3
            | Self::Binary4
            | Self::Binary2Zero2
            | Self::Zero2Binary2
            | Self::None => {
                let bytes = length.to_be_bytes();
                digits.copy_from_slice(&bytes[bytes.len() - width..]);
            }
        }
    }
}

fn write_digits(length: usize, base: usize, out: &mut [u8], digit: impl Fn(u8) -> u8) {
    let mut rest = length;
    for slot in out.iter_mut().rev() {
        *slot = digit(u8::try_from(rest % base).expect("invariant: bases are below 256"));
        rest /= base;
    }
}
