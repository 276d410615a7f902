//! How a field carries a code: whole, or its first bytes alone.

use super::{Mac, MacAlgorithm, MacErrorKind};

/// What two sides agree on about the codes of their messages.
///
/// Shape: from an algorithm alone, with the code carried whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacForm {
    /// How the code is computed.
    pub algorithm: MacAlgorithm,
    /// How much of it a field carries, and how.
    pub carried: Carried,
}

impl From<MacAlgorithm> for MacForm {
    fn from(algorithm: MacAlgorithm) -> Self {
        Self { algorithm, carried: Carried::Whole }
    }
}

/// How a field carries a code. Networks that follow ANSI X9.9 often give its left half alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// All eight bytes, or sixteen hexadecimal characters where the field has room for them.
    Whole,
    /// So many of its first bytes; zeros behind them in a field of eight.
    Bytes(ShortMacLen),
    /// So many of its first bytes in hexadecimal characters; the character zero behind them in a
    /// field of sixteen.
    Hex(ShortMacLen),
}

/// Bytes of a code that is not carried whole: 4 to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortMacLen(usize);

impl ShortMacLen {
    /// Errors: none for fewer than 4, which could be guessed, and for more than 7.
    pub fn new(len: usize) -> Option<Self> {
        (Mac::LEN_MIN..Mac::LEN_MAX).contains(&len).then_some(Self(len))
    }
}

impl Carried {
    /// The characters of a field that are the code's, and what one of those behind them must be;
    /// none where such a field has another length.
    fn place(self, room: usize) -> Option<(usize, u8)> {
        let whole = Mac::LEN_MAX;
        match self {
            Self::Whole => (room == whole || room == 2 * whole).then_some((room, 0)),
            Self::Bytes(len) => (room == len.0 || room == whole).then_some((len.0, 0)),
            Self::Hex(len) => {
                let characters = 2 * len.0;
                (room == characters || room == 2 * whole).then_some((characters, b'0'))
            }
        }
    }

    fn is_hex(self, room: usize) -> bool {
        match self {
            Self::Whole => room == 2 * Mac::LEN_MAX,
            Self::Bytes(_) => false,
            Self::Hex(_) => true,
        }
    }

    /// Errors: `BadLength`.
    pub(super) fn check_room(self, room: usize) -> Result<(), MacErrorKind> {
        self.place(room).map(|_| ()).ok_or(MacErrorKind::BadLength)
    }

    /// The code in a field.
    ///
    /// Errors: `BadLength`, `NotHex`, `NotZero`.
    pub(super) fn read(self, content: &[u8]) -> Result<Mac, MacErrorKind> {
        let (len, filling) = self.place(content.len()).ok_or(MacErrorKind::BadLength)?;
        let (code, behind) = content.split_at(len);
        if behind.iter().any(|byte| *byte != filling) {
            return Err(MacErrorKind::NotZero);
        }
        if !self.is_hex(content.len()) {
            return Mac::new(code).ok_or(MacErrorKind::BadLength);
        }
        let mut bytes = [0; Mac::LEN_MAX];
        let bytes = &mut bytes[..len / 2];
        hex::decode_to_slice(code, bytes).map_err(|_| MacErrorKind::NotHex)?;
        Mac::new(bytes).ok_or(MacErrorKind::BadLength)
    }

    /// Writes a whole code into a field that has room for it, in capitals where it is hexadecimal.
    pub(super) fn write(self, mac: &Mac, content: &mut [u8]) {
        let Some((len, filling)) = self.place(content.len()) else { return };
        let is_hex = self.is_hex(content.len());
        let (code, behind) = content.split_at_mut(len);
        behind.fill(filling);
        match is_hex {
            true => code.copy_from_slice(hex::encode_upper(&mac.as_bytes()[..len / 2]).as_bytes()),
            false => code.copy_from_slice(&mac.as_bytes()[..len]),
        }
    }
}
