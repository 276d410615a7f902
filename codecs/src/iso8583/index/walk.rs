//! Walking over fields fast: the lengths that are common, and the checks that take many fields at
//! once. What is not common is left to the full rules.

use crate::iso8583::content::{self, Content};
use crate::iso8583::field::{Bcd, Encoding, Field, Length, Odd, Prefix, PrefixEncoding};

/// A field as the index walks over it: what matters for its length and content in eight bytes.
#[derive(Debug, Clone, Copy)]
#[repr(align(8))]
pub(in crate::iso8583) struct Walk {
    prefix: WalkPrefix,
    /// Whether the length counts half bytes.
    halves: bool,
    pub(super) check: Check,
    /// Whether the prefix, too, holds nothing but bytes of the checked kind.
    pub(super) prefix_joins: bool,
    /// Whether the first half byte fills up an odd number of digits and is zero.
    pub(super) leads_with_zero: bool,
    /// The length of a fixed content, or the greatest one.
    length: u16,
}

/// What stands in front of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WalkPrefix {
    /// Nothing.
    None,
    /// Two ASCII digits.
    Ascii2,
    /// Three ASCII digits.
    Ascii3,
    /// One byte of BCD.
    Bcd1,
    /// Two bytes of BCD.
    Bcd2,
    /// Anything else, or the field is not defined.
    Other,
}

/// How a content is checked. All but the last are checked over neighbouring fields of the same kind
/// at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Digits,
    Printable,
    AlphaNumeric,
    BcdDigits,
    Nothing,
    /// By itself.
    Alone,
}

impl Walk {
    pub(in crate::iso8583) const UNDEFINED: Self = Self {
        prefix: WalkPrefix::Other,
        halves: false,
        check: Check::Nothing,
        prefix_joins: false,
        leads_with_zero: false,
        length: 0,
    };

    pub(in crate::iso8583) fn of(field: &Field) -> Self {
        let check = Check::of(field);
        let walk = Self { check, ..Self::UNDEFINED };
        match field.length {
            Length::Fixed(units) => {
                let leads_with_zero = check == Check::BcdDigits && !units.is_multiple_of(2);
                match u16::try_from(field.wire_len(usize::from(units))) {
                    Ok(length) => Self {
                        prefix: WalkPrefix::None,
                        prefix_joins: true,
                        leads_with_zero,
                        length,
                        ..walk
                    },
                    Err(_) => walk,
                }
            }
            Length::Variable(prefix) => {
                // A sign before packed digits makes neither: three units are two bytes.
                let is_signed = matches!(field.encoding, Encoding::SignedBcd(_));
                let is = |units, bytes| {
                    let counted = usize::try_from(field.counted(prefix, units)).ok();
                    !is_signed && field.wire_len(units) == bytes && counted == Some(units)
                };
                let (whole, halves) = (is(4, 4), is(4, 2) && !field.drops_filler(prefix));
                match (WalkPrefix::of(prefix), u16::try_from(prefix.max)) {
                    (Some(kind), Ok(length)) if whole || halves => {
                        let prefix_joins = kind.joins(check);
                        Self { prefix: kind, halves, prefix_joins, length, ..walk }
                    }
                    _ => walk,
                }
            }
        }
    }
}

impl WalkPrefix {
    fn of(prefix: Prefix) -> Option<Self> {
        match (prefix.encoding, prefix.digits) {
            (_, _) if prefix.own > 0 => None,
            (PrefixEncoding::Ascii, 2) => Some(Self::Ascii2),
            (PrefixEncoding::Ascii, 3) => Some(Self::Ascii3),
            (PrefixEncoding::Bcd, 1 | 2) => Some(Self::Bcd1),
            (PrefixEncoding::Bcd, 3 | 4) => Some(Self::Bcd2),
            _ => None,
        }
    }

    fn joins(self, check: Check) -> bool {
        match self {
            Self::Ascii2 | Self::Ascii3 => {
                matches!(check, Check::Digits | Check::Printable | Check::AlphaNumeric)
            }
            Self::Bcd1 | Self::Bcd2 => check == Check::BcdDigits,
            Self::None => true,
            Self::Other => false,
        }
    }
}

impl Check {
    fn of(field: &Field) -> Self {
        match (field.encoding, field.content) {
            (Encoding::Hex | Encoding::EbcdicHex(_), _) => Self::Alone,
            (Encoding::Raw, _) | (_, Content::Any | Content::Binary) => Self::Nothing,
            (Encoding::Ascii, Content::Numeric) => Self::Digits,
            (Encoding::Ascii, Content::Text) => Self::Printable,
            (Encoding::Ascii, Content::AlphaNumeric) => Self::AlphaNumeric,
            (Encoding::Bcd(bcd), Content::Numeric) if field.is_all_digits(bcd) => Self::BcdDigits,
            (_, _) => Self::Alone,
        }
    }
}

impl Field {
    /// Whether every half byte of a BCD content is a digit, that which fills it up included.
    fn is_all_digits(&self, bcd: Bcd) -> bool {
        match self.length {
            Length::Fixed(digits) => digits.is_multiple_of(2) || bcd.odd == Odd::Left(0),
            // How many digits there are is only known once the prefix is read.
            Length::Variable(_) => false,
        }
    }
}

/// How far a walk has come.
pub(super) struct Walked {
    pub(super) at: usize,
    pub(super) last: u8,
    /// Where the neighbouring contents of one kind begin that are still to be checked, and the kind.
    pub(super) run_start: usize,
    pub(super) run_check: Check,
    /// Whether no content broke its class.
    pub(super) clean: bool,
    /// Whether there was a third bitmap behind the second.
    pub(super) has_third: bool,
}

impl Walked {
    /// Checks the contents up to `at`, and begins anew.
    #[inline]
    pub(super) fn check_run(&mut self, bytes: &[u8], next: Check, next_start: usize) {
        let run = bytes.get(self.run_start..self.at).unwrap_or_default();
        self.clean &= match self.run_check {
            Check::Digits => content::all_digits(run),
            Check::Printable => content::all_printable(run),
            Check::AlphaNumeric => content::all_alphanumeric(run),
            Check::BcdDigits => content::all_bcd(run),
            Check::Nothing | Check::Alone => true,
        };
        (self.run_check, self.run_start) = (next, next_start);
    }
}

/// Start and end of the content of a field that is quickly found and well made.
#[inline]
pub(super) fn find(walk: &Walk, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let (start, value) = match walk.prefix {
        WalkPrefix::None => (at, walk.length),
        WalkPrefix::Ascii2 => {
            let [tens, units] = *bytes.get(at..)?.first_chunk()?;
            (at + 2, digit(tens)? * 10 + digit(units)?)
        }
        WalkPrefix::Ascii3 => {
            let [hundreds, tens, units] = *bytes.get(at..)?.first_chunk()?;
            (at + 3, digit(hundreds)? * 100 + digit(tens)? * 10 + digit(units)?)
        }
        WalkPrefix::Bcd1 => (at + 1, packed(*bytes.get(at)?)?),
        WalkPrefix::Bcd2 => {
            let [high, low] = *bytes.get(at..)?.first_chunk()?;
            (at + 2, packed(high)? * 100 + packed(low)?)
        }
        WalkPrefix::Other => return None,
    };
    let len = if walk.halves { value.div_ceil(2) } else { value };
    let end = start + usize::from(len);
    (value <= walk.length && end <= bytes.len()).then_some((start, end))
}

/// The value of two digits of BCD.
#[inline]
fn packed(byte: u8) -> Option<u16> {
    let (tens, units) = (byte >> 4, byte & 0x0F);
    (tens < 10 && units < 10).then(|| u16::from(tens * 10 + units))
}

#[inline]
fn digit(byte: u8) -> Option<u16> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(u16::from(digit))
}
