//! The sandbox's ISO 8583 profile as a neighbour of the switch sees it: 1987 edition, ASCII
//! fields, binary bitmap, 2-byte big-endian length before each message.
//!
//! The harness reads and writes the few shapes it needs here, by its own table, so that it does
//! not share a mistake with the codec it puts to the test.

mod layout;

use layout::{Kind, kind};

/// Bytes of the length prefix.
pub const PREFIX_LEN: usize = 2;
/// Longest message the profile allows, prefix not counted.
pub const MESSAGE_LEN_MAX: usize = 0xFFFF;
const MTI_LEN: usize = 4;
const BITMAP_LEN: usize = 8;

/// Why a message could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The message ends before its type or bitmap does.
    #[error("message ends within its type or bitmap")]
    HeaderTruncated,
    /// A field runs past the end of the message.
    #[error("field {field} runs past the end of the message")]
    FieldTruncated {
        /// The data element.
        field: u8,
    },
    /// A length prefix is not made of digits, or exceeds the field's maximum.
    #[error("length of field {field} is not readable or too large")]
    Length {
        /// The data element.
        field: u8,
    },
    /// Bytes are left after the last field.
    #[error("{count} bytes follow the last field")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// A value has not the length its field has.
    #[error("field {field} cannot hold {len} bytes")]
    ValueLength {
        /// The data element.
        field: u8,
        /// Bytes given.
        len: usize,
    },
}

/// Where each field of one message lies. Made once per line and filled for each message, so
/// reading a message allocates nothing.
#[derive(Debug, Clone)]
pub struct Index {
    present: u128,
    /// Start of the raw field, start of its value, end.
    slots: Box<[(u16, u16, u16); 129]>,
}

/// The bit of a data element in a set of data elements.
pub const fn bit(field: u8) -> u128 {
    1 << (128 - field)
}

/// The set of the data elements listed.
pub const fn set(fields: &[u8]) -> u128 {
    let mut present = 0;
    let mut at = 0;
    while at < fields.len() {
        present |= bit(fields[at]);
        at += 1;
    }
    present
}

/// The data elements of a set, ascending.
fn members(mut present: u128) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let zeros = u8::try_from(present.leading_zeros()).ok().filter(|zeros| *zeros < 128)?;
        present &= !(1 << (127 - zeros));
        Some(zeros + 1)
    })
}

impl Index {
    /// An index of no message.
    pub fn new() -> Self {
        Self { present: 0, slots: Box::new([(0, 0, 0); 129]) }
    }

    /// Reads where the fields of a message lie, the length prefix taken off.
    ///
    /// Errors: [`WireError`]; the index is then of no use until the next message.
    pub fn read(&mut self, message: &[u8]) -> Result<(), WireError> {
        let (present, mut at) = bitmap(message)?;
        self.present = present & !bit(1);
        for field in members(self.present) {
            let start = at;
            let kind = kind(field);
            let (value, end) = match kind {
                Kind::Fixed(len) => (start, start + usize::from(len)),
                Kind::Var { digits, max } => {
                    let value = start + usize::from(digits);
                    let len = message.get(start..value).and_then(decimal);
                    let len = len.filter(|len| *len <= usize::from(max));
                    (value, value + len.ok_or(WireError::Length { field })?)
                }
            };
            if end > message.len() {
                return Err(WireError::FieldTruncated { field });
            }
            self.slots[usize::from(field)] = (short(start), short(value), short(end));
            at = end;
        }
        match message.len() - at {
            0 => Ok(()),
            count => Err(WireError::Trailing { count }),
        }
    }

    /// The data elements the message has.
    pub fn present(&self) -> u128 {
        self.present
    }

    /// A field's value, without its length.
    pub fn value<'a>(&self, message: &'a [u8], field: u8) -> Option<&'a [u8]> {
        let (_, start, end) = self.slot(field)?;
        message.get(usize::from(start)..usize::from(end))
    }

    /// A field as it lies in the message, with its length.
    fn raw<'a>(&self, message: &'a [u8], field: u8) -> Option<&'a [u8]> {
        let (start, _, end) = self.slot(field)?;
        message.get(usize::from(start)..usize::from(end))
    }

    /// Where a field's value lies in the message.
    pub fn range(&self, field: u8) -> Option<std::ops::Range<usize>> {
        self.slot(field).map(|(_, start, end)| usize::from(start)..usize::from(end))
    }

    fn slot(&self, field: u8) -> Option<(u16, u16, u16)> {
        (self.present & bit(field) != 0).then(|| self.slots[usize::from(field)])
    }
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

/// The message type; `None` when the message is shorter than that.
pub fn mti(message: &[u8]) -> Option<[u8; MTI_LEN]> {
    message.first_chunk().copied()
}

/// The type of the answer to a request: `0200` and `0201` give `0210`.
pub fn answer_mti(request: [u8; MTI_LEN]) -> [u8; MTI_LEN] {
    [request[0], request[1], request[2] + 1, b'0']
}

/// The first whole message in the bytes and how many bytes it takes with its prefix.
pub fn first_message(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let prefix = bytes.first_chunk::<PREFIX_LEN>()?;
    let end = PREFIX_LEN + usize::from(u16::from_be_bytes(*prefix));
    bytes.get(PREFIX_LEN..end).map(|message| (message, end))
}

/// Appends an answer: the fields of `kept` that the request has, as they came, and the added ones.
///
/// Shape: `added` holds fixed-length fields only, at their full length, none of them in `kept`.
pub fn answer(out: &mut Vec<u8>, request: (&Index, &[u8]), kept: u128, added: &[(u8, &[u8])]) {
    let (index, message) = request;
    let mut present = index.present & kept;
    for (field, _) in added {
        present |= bit(*field);
    }
    let mti = answer_mti(mti(message).unwrap_or(*b"0000"));
    frame(out, mti, present, |field, out| {
        let own = added.iter().find(|(number, _)| *number == field).map(|(_, value)| *value);
        out.extend_from_slice(own.or_else(|| index.raw(message, field)).unwrap_or_default());
    });
}

/// Appends a message of the given fields, ascending, with its length prefix.
///
/// Errors: [`WireError::ValueLength`] when a value does not fit its field; nothing is appended.
pub fn encode<'a>(
    out: &mut Vec<u8>,
    mti: [u8; MTI_LEN],
    fields: impl Iterator<Item = (u8, &'a [u8])> + Clone,
) -> Result<(), WireError> {
    let mut present = 0;
    for (field, value) in fields.clone() {
        let fits = match kind(field) {
            Kind::Fixed(len) => value.len() == usize::from(len),
            Kind::Var { max, .. } => value.len() <= usize::from(max),
        };
        if !fits {
            return Err(WireError::ValueLength { field, len: value.len() });
        }
        present |= bit(field);
    }
    frame(out, mti, present, |field, out| {
        let value = fields.clone().find(|(number, _)| *number == field).map(|(_, value)| value);
        let value = value.unwrap_or_default();
        if let Kind::Var { digits, .. } = kind(field) {
            let len = format!("{:0width$}", value.len(), width = usize::from(digits));
            out.extend_from_slice(len.as_bytes());
        }
        out.extend_from_slice(value);
    });
    Ok(())
}

fn frame(
    out: &mut Vec<u8>,
    mti: [u8; MTI_LEN],
    present: u128,
    mut put: impl FnMut(u8, &mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_LEN]);
    out.extend_from_slice(&mti);
    let has_second = present << 64 != 0;
    let bitmap = (present | if has_second { bit(1) } else { 0 }).to_be_bytes();
    out.extend_from_slice(&bitmap[..if has_second { 2 * BITMAP_LEN } else { BITMAP_LEN }]);
    for field in members(present) {
        put(field, out);
    }
    let len = u16::try_from(out.len() - start - PREFIX_LEN)
        .expect("invariant: the simulators' messages are far below 64 KiB");
    out[start..start + PREFIX_LEN].copy_from_slice(&len.to_be_bytes());
}

fn bitmap(message: &[u8]) -> Result<(u128, usize), WireError> {
    let part = |at: usize| {
        let bytes = message.get(at..).and_then(<[u8]>::first_chunk::<BITMAP_LEN>);
        bytes.map(|bytes| u128::from(u64::from_be_bytes(*bytes))).ok_or(WireError::HeaderTruncated)
    };
    let primary = part(MTI_LEN)? << 64;
    if primary & bit(1) == 0 {
        return Ok((primary, MTI_LEN + BITMAP_LEN));
    }
    Ok((primary | part(MTI_LEN + BITMAP_LEN)?, MTI_LEN + 2 * BITMAP_LEN))
}

/// A number of digits only; `None` for anything else, and for what does not fit 64 bits.
pub fn number(digits: &[u8]) -> Option<u64> {
    let digit = |value: u64, byte: &u8| {
        let units = byte.is_ascii_digit().then(|| u64::from(*byte - b'0'))?;
        value.checked_mul(10)?.checked_add(units)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, digit) }
}

/// Writes a number into the whole slice as decimal digits, leading zeros included; digits that do
/// not fit are cut off on the left.
pub fn put_number(slot: &mut [u8], mut value: u64) {
    for byte in slot.iter_mut().rev() {
        *byte = b'0' + u8::try_from(value % 10).expect("invariant: a digit is below ten");
        value /= 10;
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    number(digits).and_then(|value| usize::try_from(value).ok())
}

fn short(at: usize) -> u16 {
    u16::try_from(at).expect("invariant: a message is at most 64 KiB long")
}

#[cfg(test)]
mod tests {
    use super::*;

    // An 0200 with DE3, DE4, DE11, DE32 and DE49, put together by hand from the 1987 edition.
    const MESSAGE: &[u8] =
        b"0200\x30\x20\x00\x01\x00\x00\x80\x00000000000000012345000007067001234840";

    #[test]
    fn a_message_written_by_hand_is_read() {
        let mut index = Index::new();
        let message = &MESSAGE[..MESSAGE.len() - 1];
        index.read(message).unwrap();
        assert_eq!(index.value(message, 4), Some(&b"000000012345"[..]));
        assert_eq!(index.value(message, 11), Some(&b"000007"[..]));
        assert_eq!(index.value(message, 32), Some(&b"700123"[..]));
        assert_eq!(index.value(message, 49), Some(&b"484"[..]));
        assert_eq!(index.value(message, 39), None);
        assert_eq!(index.read(MESSAGE), Err(WireError::Trailing { count: 1 }));
        assert_eq!(index.read(&message[..33]), Err(WireError::FieldTruncated { field: 11 }));
    }

    #[test]
    fn what_is_encoded_is_the_message_written_by_hand() {
        let message = &MESSAGE[..MESSAGE.len() - 1];
        let fields: [(u8, &[u8]); 5] =
            [(3, b"000000"), (4, b"000000012345"), (11, b"000007"), (32, b"700123"), (49, b"484")];
        let mut out = Vec::new();
        encode(&mut out, *b"0200", fields.into_iter()).unwrap();
        assert_eq!(first_message(&out), Some((message, out.len())));
        let short: [(u8, &[u8]); 1] = [(4, b"1")];
        let refused = encode(&mut out, *b"0200", short.into_iter());
        assert_eq!(refused, Err(WireError::ValueLength { field: 4, len: 1 }));
    }

    #[test]
    fn an_answer_keeps_what_it_is_told_to_keep() {
        let mut out = Vec::new();
        let request: [(u8, &[u8]); 3] = [(7, b"1123211722"), (11, b"000001"), (70, b"301")];
        encode(&mut out, *b"0800", request.into_iter()).unwrap();
        let (message, _) = first_message(&out).unwrap();
        let mut index = Index::new();
        index.read(message).unwrap();
        let mut reply = Vec::new();
        answer(&mut reply, (&index, message), set(&[11, 70]), &[(39, b"00")]);
        let (reply, _) = first_message(&reply).unwrap();
        let mut read = Index::new();
        read.read(reply).unwrap();
        assert_eq!(mti(reply), Some(*b"0810"));
        assert_eq!(read.present(), set(&[11, 39, 70]));
        assert_eq!(read.value(reply, 70), Some(&b"301"[..]));
    }

    #[test]
    fn no_damage_to_a_message_makes_the_reader_panic_or_point_outside() {
        let seed = 20_261_123;
        let mut index = Index::new();
        for round in 0..200_000_u64 {
            let digest = crate::conduct::mix(seed ^ round);
            let mut message = MESSAGE.to_vec();
            message.truncate(usize::try_from(digest >> 48).unwrap() % (MESSAGE.len() + 1));
            for byte in digest.to_be_bytes().chunks_exact(2).take(2) {
                if let Some(hit) = message.get_mut(usize::from(byte[0]) % MESSAGE.len()) {
                    *hit = byte[1];
                }
            }
            if index.read(&message).is_ok() {
                let whole = (2..=128).all(|field| {
                    let is_there = index.present() & bit(field) != 0;
                    index.value(&message, field).is_some() == is_there
                });
                assert!(whole, "round {round}, seed {seed}");
            }
        }
    }
}
