//! How a line frames its messages, and the framings that go by a name.

use super::{Counts, HeaderKind, LengthKind};

/// Longest message a preset takes, in bytes.
pub const BODY_LEN_DEFAULT: usize = 8192;
/// Longest message any line may be set to take, in bytes.
pub const BODY_LEN_CEILING: usize = 1 << 20;
/// Most digits of a length in ASCII.
const ASCII_DIGITS_MAX: u8 = 6;

/// What ends a frame. A length counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailer {
    /// Nothing.
    None,
    /// One byte 03, end of text.
    Etx,
}

impl Trailer {
    pub(super) fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Etx => 1,
        }
    }
}

/// What is done with a frame of nothing, which keeps a line alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// It is passed over.
    Skip,
    /// The decoder hands it out as [`super::Received::KeepAlive`], so that its reader sends one
    /// back. Two sides that both do so never stop: it is for the side that is polled.
    Echo,
}

/// How a line frames its messages: length, header, message, trailer – in this order.
///
/// Not every combination is a framing; [`super::Framer::new`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSpec {
    /// How the length is written.
    pub length: LengthKind,
    /// What the length counts besides the message and its trailer.
    pub counts: Counts,
    /// What stands between the length and the message.
    pub header: HeaderKind,
    /// What stands behind the message.
    pub trailer: Trailer,
    /// What is done with a frame of nothing.
    pub keep_alive: KeepAlive,
    /// Longest message taken or sent, in bytes, without header and trailer.
    pub body_len_max: usize,
}

/// The presets, after what is known of the channels of those names.
impl FrameSpec {
    /// Two bytes, big-endian.
    pub const BINARY2: Self = Self {
        length: LengthKind::Binary2,
        counts: Counts::HeaderAndMessage,
        header: HeaderKind::None,
        trailer: Trailer::None,
        keep_alive: KeepAlive::Skip,
        body_len_max: BODY_LEN_DEFAULT,
    };
    /// Three bytes, big-endian.
    pub const BINARY3: Self = Self { length: LengthKind::Binary3, ..Self::BINARY2 };
    /// Four bytes, big-endian.
    pub const BINARY4: Self = Self { length: LengthKind::Binary4, ..Self::BINARY2 };
    /// Four ASCII digits.
    pub const ASCII4: Self = Self { length: LengthKind::Ascii(4), ..Self::BINARY2 };
    /// Four hexadecimal characters.
    pub const HEX4: Self = Self { length: LengthKind::Hex4, ..Self::BINARY2 };
    /// Four digits in two bytes of BCD.
    pub const BCD2: Self = Self { length: LengthKind::Bcd2, ..Self::BINARY2 };
    /// A network access controller's: two bytes that count a TPDU, then the TPDU.
    pub const NAC: Self = Self { header: HeaderKind::Tpdu, ..Self::BINARY2 };
    /// Two bytes, big-endian, then 00 00.
    pub const CS: Self = Self { length: LengthKind::Binary2Zero2, ..Self::BINARY2 };
    /// VAP-like: two bytes, then 00 00, then a BASE1-like header, which is counted; frames of
    /// nothing are polls and are sent back.
    pub const VAP: Self =
        Self { header: HeaderKind::Base1, keep_alive: KeepAlive::Echo, ..Self::CS };
    /// GICC-like: 00 00, then two bytes, big-endian.
    pub const GICC: Self = Self { length: LengthKind::Zero2Binary2, ..Self::BINARY2 };
    /// Amex-like: two bytes that count themselves; frames of nothing are polls and are sent back.
    pub const AMEX: Self =
        Self { counts: Counts::LengthAndMessage, keep_alive: KeepAlive::Echo, ..Self::BINARY2 };
    /// BASE24-like over TCP: two bytes that count the message and one ETX behind it.
    pub const BASE24: Self = Self { trailer: Trailer::Etx, ..Self::BINARY2 };
    /// BASE24-like without length: one ETX ends the message.
    pub const ETX: Self = Self {
        length: LengthKind::None,
        counts: Counts::Message,
        trailer: Trailer::Etx,
        ..Self::BINARY2
    };

    /// The presets by the names configuration gives them.
    pub const PRESETS: [(&'static str, Self); 13] = [
        ("binary2", Self::BINARY2),
        ("binary3", Self::BINARY3),
        ("binary4", Self::BINARY4),
        ("ascii4", Self::ASCII4),
        ("hex4", Self::HEX4),
        ("bcd2", Self::BCD2),
        ("nac", Self::NAC),
        ("cs", Self::CS),
        ("vap", Self::VAP),
        ("gicc", Self::GICC),
        ("amex", Self::AMEX),
        ("base24", Self::BASE24),
        ("etx", Self::ETX),
    ];

    /// What keeps this from being a framing: the key to mend, and why.
    pub(super) fn mistakes(&self) -> Vec<FramingMistake> {
        let mut found = Vec::new();
        let mut add = |key, problem: &str| found.push(FramingMistake::new(key, problem));
        if let LengthKind::Ascii(0 | 7..) = self.length {
            add("digits", &format!("1 to {ASCII_DIGITS_MAX} digits are allowed"));
        }
        if self.header == HeaderKind::Fixed(0) {
            add("header_len", "a header of 0 bytes is none");
        }
        if self.body_len_max == 0 || self.body_len_max > BODY_LEN_CEILING {
            add("body_len_max", &format!("1 to {BODY_LEN_CEILING} bytes are allowed"));
        }
        if self.length == LengthKind::None {
            if self.trailer == Trailer::None {
                add("trailer", "without a length only a trailer can end a frame");
            }
            if self.header != HeaderKind::None {
                add("header", "its bytes could be taken for the end of a frame without length");
            }
        }
        found
    }
}

/// What keeps a description from being a framing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct FramingMistake {
    /// The key to mend; empty where it is the description as a whole.
    pub key: String,
    /// Why.
    pub problem: String,
}

impl FramingMistake {
    pub(super) fn new(key: &str, problem: &str) -> Self {
        Self { key: key.to_owned(), problem: problem.to_owned() }
    }
}
