//! What a field may be made of.

use super::field::{Field, Prefix};
use super::spec::BitmapEncoding;
use super::value::Value;

/// The parts of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Composite {
    /// Parts one after the other.
    Positional {
        /// In the order of the wire.
        parts: Parts,
        /// Whether a content may end between two parts.
        optional_tail: bool,
    },
    /// A bitmap, then the parts it announces.
    Bitmapped {
        /// Bytes before the bitmap.
        header_len: u8,
        /// How the bitmap is written.
        bitmap: BitmapEncoding,
        /// Bytes of bitmap, 1..=16.
        bitmap_bytes: u8,
        /// What bit 1 announces.
        first_bit: FirstBit,
        /// By the number of their bit; part 0 stands in front of the bitmap.
        parts: Parts,
    },
    /// Tags of BER-TLV, as chip data is (DE55).
    BerTlv {
        /// Tags whose values are secret, ascending; those of every card among them.
        secret_tags: Box<[u32]>,
    },
    /// Tags of fixed width with a length each, as DE48 often is.
    Tagged(Tagged),
    /// Data sets of ISO 8583:2003: an identifier, a length, then BER-TLV or a bitmap and parts.
    DataSets(Box<[DataSet]>),
}

/// What bit 1 of a bitmap in a field announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstBit {
    /// Part 1.
    Part,
    /// Nothing.
    Nothing,
    /// As many bytes of bitmap again, as in a message.
    Bitmap,
}

/// The parts of a composite, ascending by number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts(pub(super) Box<[Part]>);

/// One part of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Position, or number of its bit.
    pub number: u8,
    /// What people call it.
    pub name: Box<str>,
    /// How it is written.
    pub field: Field,
}

/// What a field of tags is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Parts in front of the tags, in the order of the wire.
    pub head: Parts,
    /// How the tags are written.
    pub layout: TagLayout,
    /// The tags whose values are written in a way of their own, ascending.
    pub tags: Box<[TagPart]>,
    /// Tags whose values are secret.
    pub secret_tags: Box<[Box<str>]>,
    /// Whether a content that is no such tags from its first byte to its last is kept as bytes.
    pub or_bytes: bool,
}

impl Tagged {
    /// Whether a content that may be bytes is tags: there is one, and all have printable names and,
    /// unless the format tells how they are written, printable values. Others would look like text
    /// and hide what bytes show, such as a card number in half bytes.
    pub(super) fn are_plain(&self, parts: &[(String, Value)]) -> bool {
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic());
        let is_told = |name: &str| self.tag(name).is_some() || self.head.named(name).is_some();
        let is_plain = |(name, value): &(String, Value)| {
            is_name(name) && (is_told(name) || is_printable(value))
        };
        !parts.is_empty() && parts.iter().all(is_plain)
    }

    /// Whether something in it is secret, so that bytes in place of its tags are.
    pub(super) fn has_secrets(&self) -> bool {
        !self.secret_tags.is_empty()
            || self.tags.iter().any(|tag| tag.field.secret)
            || self.head.iter().any(|part| part.field.secret)
    }

    /// The tag of a name, where its value is written in a way of its own.
    pub fn tag(&self, name: &str) -> Option<&TagPart> {
        self.tags.iter().find(|tag| *tag.tag == *name)
    }
}

fn is_printable(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        Value::Many(many) => many.iter().all(is_printable),
        Value::Parts(_) => false,
    }
}

/// A tag whose value is a field of its own: the tag, then what the field says, its length included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPart {
    /// Its characters, or its bytes in upper-case hexadecimal.
    pub tag: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    /// How it is written behind its tag.
    pub field: Field,
}

impl Parts {
    /// The part of a number.
    pub fn get(&self, number: u8) -> Option<&Part> {
        let at = self.0.binary_search_by_key(&number, |part| part.number).ok()?;
        self.0.get(at)
    }

    /// The part of a name; a number is written in one way only, so that the tag `02` is not part 2.
    pub fn named(&self, name: &str) -> Option<&Part> {
        self.get(number_of(name)?)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Part> {
        self.0.iter()
    }
}

/// The number of a field or part; written in one way only, so that `02` is not taken for `2`.
pub(super) fn number_of(name: &str) -> Option<u8> {
    name.parse().ok().filter(|number: &u8| number.to_string() == name)
}

/// How tags of fixed width are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagLayout {
    /// Characters or bytes of a tag, 1..=4.
    pub tag_len: u8,
    /// How a tag is written.
    pub tag: TagForm,
    /// The length of a value, in bytes; none where every tag that may come is told by itself.
    pub length: Option<Prefix>,
    /// What comes first.
    pub order: TagOrder,
    /// How the values are written that are not told by themselves.
    pub value: TagForm,
}

/// How a tag or its value is written and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagForm {
    /// As characters.
    Characters(Characters),
    /// As bytes, shown in hexadecimal.
    Bytes,
}

/// Whether the tag or the length comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagOrder {
    /// Tag, length, value.
    TagFirst,
    /// Length, tag, value.
    LengthFirst,
}

/// How characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Characters {
    /// ASCII.
    Ascii,
    /// EBCDIC.
    Ebcdic(super::ebcdic::Page),
}

impl Characters {
    /// The ISO 8859-1 character of a byte.
    #[inline]
    pub fn decode(self, byte: u8) -> u8 {
        match self {
            Self::Ascii => byte,
            Self::Ebcdic(page) => page.decode(byte),
        }
    }

    /// The byte of an ISO 8859-1 character.
    #[inline]
    pub fn encode(self, latin1: u8) -> u8 {
        match self {
            Self::Ascii => latin1,
            Self::Ebcdic(page) => page.encode(latin1),
        }
    }
}

/// A data set whose parts are announced by a bitmap. Sets that are not defined keep their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// 0x71..=0xFE; below are data sets of BER-TLV, which need no definition.
    pub id: u8,
    /// By number, as the bitmap announces them.
    pub parts: Parts,
}

/// Whether a byte where the identifier of a data set could stand is none, and fills the field up.
pub(super) fn is_filling(id: u8) -> bool {
    matches!(id, 0x00 | 0xFF)
}

/// The identifier of a data set by its name: two upper-case hexadecimal digits.
pub(super) fn set_id(name: &str) -> Option<u8> {
    let id = u8::from_str_radix(name, 16).ok()?;
    (format!("{id:02X}") == name && !is_filling(id)).then_some(id)
}

/// The greatest identifier of a data set that holds BER-TLV.
///
/// Source: ISO 8583-1:2003, data set identifiers.
pub const TLV_SET_MAX: u8 = 0x70;
