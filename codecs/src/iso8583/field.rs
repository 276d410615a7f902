//! How one field is written: length, encoding, padding – and the arithmetic between the three.

use super::content::{self, Content};
use super::ebcdic::Page;

/// How one field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Fixed or variable length.
    pub length: Length,
    /// How the content is written.
    pub encoding: Encoding,
    /// What the content may hold.
    pub content: Content,
    /// How a content that is too short is filled up when it is packed from text.
    pub pad: Pad,
    /// Never to be printed or stored.
    pub secret: bool,
    /// A message authentication code: the last field of its bitmap, over all that precedes it.
    pub mac: bool,
    /// What it is made of; an index into the composites of its spec.
    pub(super) parts: Option<u16>,
}

/// A field's length, in its units: characters, digits of BCD, or bytes of raw and hexadecimal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Always this many units.
    Fixed(u16),
    /// As many as the prefix says.
    Variable(Prefix),
}

/// A length in front of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The greatest value it may have, in what it counts.
    pub max: u32,
    /// Digits it has; bytes, when it is binary. 1..=6.
    pub digits: u8,
    /// How it is written.
    pub encoding: PrefixEncoding,
    /// What it counts.
    pub counts: Counts,
    /// What it counts besides, in the same measure: its own bytes, or a tag's.
    pub own: u8,
}

/// How a length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixEncoding {
    /// ASCII digits.
    Ascii,
    /// EBCDIC digits, the same in every code page.
    Ebcdic,
    /// Two digits a byte; an odd number of digits has a zero in front.
    Bcd,
    /// A big-endian number.
    Binary,
    /// A hexadecimal number in ASCII characters.
    Hex,
}

/// What a length prefix counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// The field's units: characters, digits of BCD, bytes of raw and hexadecimal data.
    Units,
    /// Bytes on the wire.
    Bytes,
    /// Half bytes on the wire.
    Nibbles,
}

/// How a field's content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One ASCII character each.
    Ascii,
    /// One EBCDIC character each.
    Ebcdic(Page),
    /// Two digits a byte.
    Bcd(Bcd),
    /// `C` or `D` as an ASCII character, then digits as BCD.
    SignedBcd(Bcd),
    /// Bytes as they are.
    Raw,
    /// Each byte as two hexadecimal ASCII characters.
    Hex,
    /// Each byte as two hexadecimal EBCDIC characters.
    EbcdicHex(Page),
}

/// The details of BCD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bcd {
    /// Where an odd number of digits is filled up, and with which half byte.
    pub odd: Odd,
    /// The characters of the half bytes A to F, such as `=` for D in track 2.
    pub letters: [u8; 6],
}

/// Where an odd number of BCD digits is filled up to whole bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// In front, with this half byte.
    Left(u8),
    /// Behind, with this half byte.
    Right(u8),
}

/// How a content that is too short is filled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    /// Not at all: it is refused.
    None,
    /// Zeros in front.
    LeftZero,
    /// Spaces in front.
    LeftSpace,
    /// Spaces behind.
    RightSpace,
}

impl Prefix {
    /// Bytes it takes.
    pub fn width(self) -> usize {
        let digits = usize::from(self.digits);
        match self.encoding {
            PrefixEncoding::Bcd => digits.div_ceil(2),
            PrefixEncoding::Ascii
            | PrefixEncoding::Ebcdic
            | PrefixEncoding::Binary
            | PrefixEncoding::Hex => digits,
        }
    }

    /// What its own bytes are in what it counts.
    pub(super) fn itself(self) -> u8 {
        let width = u8::try_from(self.width()).unwrap_or(u8::MAX);
        match self.counts {
            Counts::Units | Counts::Bytes => width,
            Counts::Nibbles => width * 2,
        }
    }

    /// The greatest value it can be written with.
    pub fn capacity(self) -> u32 {
        let base: u32 = match self.encoding {
            PrefixEncoding::Ascii | PrefixEncoding::Ebcdic | PrefixEncoding::Bcd => 10,
            PrefixEncoding::Hex => 16,
            PrefixEncoding::Binary => 256,
        };
        base.checked_pow(u32::from(self.digits)).map_or(u32::MAX, |end| end - 1)
    }

    /// Its value, less what it counts besides the content; none when a byte is no digit, or the value is
    /// less than that.
    ///
    /// Shape: `bytes` has the prefix's width.
    #[inline]
    pub(super) fn read(self, bytes: &[u8]) -> Option<u32> {
        self.value(bytes)?.checked_sub(u32::from(self.own))
    }

    /// The least value it may have, where a value that cannot be read is a number and less than that; 0
    /// where it is none. So errors tell the two apart.
    pub(super) fn least(self, bytes: &[u8]) -> usize {
        match self.value(bytes) {
            Some(value) if value < u32::from(self.own) => usize::from(self.own),
            Some(_) | None => 0,
        }
    }

    #[inline]
    fn value(self, bytes: &[u8]) -> Option<u32> {
        bytes.iter().try_fold(0_u32, |value, byte| {
            let (base, digit) = match self.encoding {
                PrefixEncoding::Ascii => (10, ascii_digit(*byte)?),
                PrefixEncoding::Ebcdic => (10, Some(byte & 0x0F).filter(|_| byte >> 4 == 0xF)?),
                PrefixEncoding::Bcd => (100, (byte >> 4) * 10 + (byte & 0x0F)),
                PrefixEncoding::Binary => (256, *byte),
                PrefixEncoding::Hex => (16, content::hex_value(*byte)?),
            };
            let is_digit = match self.encoding {
                PrefixEncoding::Bcd => byte >> 4 < 10 && byte & 0x0F < 10,
                PrefixEncoding::Ebcdic => byte & 0x0F < 10,
                PrefixEncoding::Ascii | PrefixEncoding::Binary | PrefixEncoding::Hex => true,
            };
            let more = value.checked_mul(base)?.checked_add(u32::from(digit))?;
            is_digit.then_some(more)
        })
    }

    /// Writes a value over `out`, which has the prefix's width.
    ///
    /// Shape: `value` and what the prefix counts besides are no greater than its capacity.
    pub(super) fn write(self, value: u32, out: &mut [u8]) {
        let mut rest = value + u32::from(self.own);
        for slot in out.iter_mut().rev() {
            let base = match self.encoding {
                PrefixEncoding::Ascii | PrefixEncoding::Ebcdic => 10,
                PrefixEncoding::Bcd => 100,
                PrefixEncoding::Hex => 16,
                PrefixEncoding::Binary => 256,
            };
            let digit = u8::try_from(rest % base).expect("invariant: bases are at most 256");
            *slot = match self.encoding {
                PrefixEncoding::Ascii => b'0' + digit,
                PrefixEncoding::Ebcdic => 0xF0 + digit,
                PrefixEncoding::Bcd => ((digit / 10) << 4) | (digit % 10),
                PrefixEncoding::Hex => content::HEX_DIGITS[usize::from(digit)],
                PrefixEncoding::Binary => digit,
            };
            rest /= base;
        }
    }
}

#[inline]
fn ascii_digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}

impl Encoding {
    /// Bytes on the wire for a number of units.
    #[inline]
    pub(super) fn wire_len(self, units: usize) -> usize {
        match self {
            Self::Ascii | Self::Ebcdic(_) | Self::Raw => units,
            Self::Hex | Self::EbcdicHex(_) => units * 2,
            Self::Bcd(_) => units.div_ceil(2),
            Self::SignedBcd(_) => 1 + units.saturating_sub(1).div_ceil(2),
        }
    }

    /// Whether the content is bytes, shown in hexadecimal, rather than text.
    pub fn is_bytes(self) -> bool {
        match self {
            Self::Raw | Self::Hex | Self::EbcdicHex(_) => true,
            Self::Ascii | Self::Ebcdic(_) | Self::Bcd(_) | Self::SignedBcd(_) => false,
        }
    }

    /// The units that a number of half bytes on the wire holds; none where it is half a unit.
    fn units_of_nibbles(self, nibbles: usize) -> Option<usize> {
        let whole =
            |nibbles: usize, each: usize| nibbles.is_multiple_of(each).then_some(nibbles / each);
        match self {
            Self::Ascii | Self::Ebcdic(_) | Self::Raw => whole(nibbles, 2),
            Self::Hex | Self::EbcdicHex(_) => whole(nibbles, 4),
            Self::Bcd(_) => Some(nibbles),
            // The sign is a character.
            Self::SignedBcd(_) => match nibbles {
                0 => Some(0),
                1 => None,
                more => Some(1 + (more - 2)),
            },
        }
    }

    /// Half bytes on the wire for a number of units, without what fills them up.
    fn nibbles_of_units(self, units: usize) -> usize {
        match self {
            Self::Bcd(_) => units,
            Self::SignedBcd(_) => units + usize::from(units > 0),
            Self::Ascii | Self::Ebcdic(_) | Self::Raw | Self::Hex | Self::EbcdicHex(_) => {
                self.wire_len(units) * 2
            }
        }
    }
}

impl Field {
    /// A field of a length in an encoding, of any content.
    pub fn new(length: Length, encoding: Encoding) -> Self {
        let (content, pad) = (Content::Any, Pad::None);
        Self { length, encoding, content, pad, secret: false, mac: false, parts: None }
    }

    /// The units a prefix's value stands for; none where it is no whole number of units.
    #[inline]
    pub(super) fn units(&self, prefix: Prefix, value: u32) -> Option<usize> {
        let value = usize::try_from(value).ok()?;
        match prefix.counts {
            Counts::Units => Some(value),
            Counts::Bytes => self.encoding.units_of_nibbles(value.checked_mul(2)?),
            Counts::Nibbles => self.encoding.units_of_nibbles(value),
        }
    }

    /// Whether an odd number of digits is told from an even one by what fills it up alone, because
    /// the prefix counts bytes and the filler is no digit.
    pub(super) fn drops_filler(&self, prefix: Prefix) -> bool {
        let is_bcd = |bcd: Bcd| prefix.counts == Counts::Bytes && bcd.filler() > 9;
        matches!(self.encoding, Encoding::Bcd(bcd) if is_bcd(bcd))
    }

    /// The units of a content, less the filler where that is told by the content alone.
    #[inline]
    pub(super) fn units_of(&self, prefix: Prefix, units: usize, content: &[u8]) -> usize {
        let Encoding::Bcd(bcd) = self.encoding else { return units };
        let filler = match bcd.odd {
            Odd::Left(_) => content.first().map(|byte| byte >> 4),
            Odd::Right(_) => content.last().map(|byte| byte & 0x0F),
        };
        let is_filled = self.drops_filler(prefix) && filler == Some(bcd.filler());
        units - usize::from(is_filled && units > 0)
    }

    /// The units of a content of variable length, by its bytes; none where they are no whole number.
    pub(super) fn units_of_bytes(&self, content: &[u8]) -> Option<usize> {
        let Length::Variable(prefix) = self.length else { return None };
        let bytes = u32::try_from(content.len()).ok()?;
        let prefix = Prefix { counts: Counts::Bytes, ..prefix };
        Some(self.units_of(prefix, self.units(prefix, bytes)?, content))
    }

    /// What a prefix says of a number of units.
    pub(super) fn counted(&self, prefix: Prefix, units: usize) -> u32 {
        let counted = match prefix.counts {
            Counts::Units => units,
            Counts::Bytes => self.encoding.wire_len(units),
            Counts::Nibbles => self.encoding.nibbles_of_units(units),
        };
        u32::try_from(counted).unwrap_or(u32::MAX)
    }

    /// Bytes on the wire for a number of units.
    #[inline]
    pub(super) fn wire_len(&self, units: usize) -> usize {
        self.encoding.wire_len(units)
    }

    /// The position of the first byte that breaks the encoding or the class.
    ///
    /// Shape: `bytes` is the content on the wire, of `units` units.
    pub(super) fn first_violation(&self, bytes: &[u8], units: usize) -> Option<usize> {
        match self.encoding {
            Encoding::Ascii => self.content.first_violation(bytes),
            Encoding::Ebcdic(page) => self.content.first_violation_ebcdic(bytes, page),
            Encoding::Raw => None,
            Encoding::Hex => content::first_not_hex(bytes),
            Encoding::EbcdicHex(page) => {
                bytes.iter().position(|byte| content::hex_value(page.decode(*byte)).is_none())
            }
            Encoding::Bcd(bcd) => bcd.first_violation(self.content, bytes, units),
            Encoding::SignedBcd(bcd) => {
                let (sign, digits) = bytes.split_first()?;
                let sign_is_good = self.content == Content::Any || matches!(sign, b'C' | b'D');
                if !sign_is_good {
                    return Some(0);
                }
                let digits = bcd.first_violation(self.content, digits, units.saturating_sub(1));
                digits.map(|position| position + 1)
            }
        }
    }
}

impl Default for Bcd {
    /// Odd numbers of digits have a zero in front; A to F are themselves.
    fn default() -> Self {
        Self { odd: Odd::Left(0), letters: *b"ABCDEF" }
    }
}

impl Bcd {
    /// The half byte that fills up an odd number of digits.
    pub(super) fn filler(self) -> u8 {
        match self.odd {
            Odd::Left(filler) | Odd::Right(filler) => filler,
        }
    }

    /// The character of a half byte.
    #[inline]
    pub(super) fn character(self, nibble: u8) -> u8 {
        match nibble {
            0..=9 => b'0' + nibble,
            _ => self.letters[usize::from(nibble - 10) % 6],
        }
    }

    /// The half byte of a character.
    #[inline]
    pub(super) fn nibble(self, character: u8) -> Option<u8> {
        if let Some(digit) = ascii_digit(character) {
            return Some(digit);
        }
        let at = self.letters.iter().position(|letter| *letter == character)?;
        u8::try_from(at + 10).ok()
    }

    /// Whether the half byte at a position fills up an odd number of `digits`.
    fn is_filler(self, position: usize, digits: usize) -> bool {
        !digits.is_multiple_of(2)
            && match self.odd {
                Odd::Left(_) => position == 0,
                Odd::Right(_) => position == digits,
            }
    }

    /// The digits of a content as characters, without what fills them up.
    pub(super) fn characters(self, bytes: &[u8], digits: usize) -> impl Iterator<Item = u8> {
        let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).enumerate();
        nibbles
            .filter(move |(position, _)| !self.is_filler(*position, digits))
            .map(move |(_, nibble)| self.character(nibble))
    }

    /// Whether all half bytes are digits, but for the one that fills up an odd number of them.
    fn is_number(self, bytes: &[u8], digits: usize) -> bool {
        let is_odd = !digits.is_multiple_of(2);
        let filled = match (self.odd, bytes) {
            _ if !is_odd => Some((bytes, 0)),
            (Odd::Left(filler), [first, rest @ ..]) => {
                (first >> 4 == filler).then_some((rest, first & 0x0F))
            }
            (Odd::Right(filler), [rest @ .., last]) => {
                (last & 0x0F == filler).then_some((rest, last >> 4))
            }
            (_, []) => None,
        };
        filled.is_some_and(|(whole, digit)| digit < 10 && content::all_bcd(whole))
    }

    /// The position of the first byte with a half byte that breaks the class, or that is filled up
    /// with something else than the spec states.
    fn first_violation(self, content: Content, bytes: &[u8], digits: usize) -> Option<usize> {
        if content == Content::Any || (content == Content::Numeric && self.is_number(bytes, digits))
        {
            return None;
        }
        let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).enumerate();
        let mut bad = nibbles.filter(|(position, nibble)| {
            if self.is_filler(*position, digits) {
                return *nibble != self.filler();
            }
            match content {
                Content::Track => !Content::Track.allows(self.character(*nibble)),
                _ => *nibble > 9,
            }
        });
        bad.next().map(|(position, _)| position / 2)
    }
}

#[cfg(test)]
mod tests;
