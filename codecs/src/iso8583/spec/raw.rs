//! A specification as it is written down: the TOML form, and what foreign formats are read into.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Table;

use super::SpecError;
use crate::iso8583::content::Content;

/// A specification file. `config/iso8583/README.md` describes every key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RawSpec {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// How the messages are usually framed: the name of a framing.
    pub framing: Option<String>,
    /// Bytes in front of the MTI.
    pub header_length: Option<u16>,
    /// `ascii`, `bcd` or `ebcdic`.
    pub mti: String,
    /// `n` (the default): the MTI is four digits; `any`: four of anything.
    pub mti_content: Option<String>,
    /// `binary`, `hex` or `ebcdic_hex`.
    pub bitmap: String,
    /// `single`, `auto` (the default) or `always_128`.
    pub bitmaps: Option<String>,
    /// `none` (the default), `contiguous` or `in_field_65`.
    pub third_bitmap: Option<String>,
    /// `cp037`, `cp500` or `cp1047`; needed where anything is EBCDIC.
    pub code_page: Option<String>,
    /// `refused` (the default) or `ignored`.
    pub trailing_bytes: Option<String>,
    /// What fields of a content class have where they do not say.
    pub defaults: BTreeMap<Content, RawDefaults>,
    /// The fields by number.
    pub fields: BTreeMap<Number, RawField>,
}

/// The same without its fields, which are read one by one so that every mistake is told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    name: String,
    description: Option<String>,
    framing: Option<String>,
    header_length: Option<u16>,
    mti: String,
    mti_content: Option<String>,
    bitmap: String,
    bitmaps: Option<String>,
    third_bitmap: Option<String>,
    code_page: Option<String>,
    trailing_bytes: Option<String>,
    #[serde(default)]
    defaults: BTreeMap<Content, RawDefaults>,
    fields: Table,
}

/// What the fields of a content class have where they do not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDefaults {
    /// See [`RawField`].
    pub encoding: Option<String>,
    /// See [`RawField`].
    pub length_encoding: Option<String>,
    /// See [`RawField`].
    pub length_counts: Option<String>,
    /// See [`RawField`].
    pub odd: Option<String>,
    /// See [`RawField`].
    pub letters: Option<String>,
    /// See [`RawField`].
    pub pad: Option<String>,
}

/// One field or part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawField {
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What it may hold.
    #[serde(default)]
    pub content: Content,
    /// `ascii`, `ebcdic`, `bcd`, `signed_bcd`, `raw`, `hex` or `ebcdic_hex`.
    pub encoding: Option<String>,
    /// Fixed length in characters, digits or bytes.
    pub length: Option<u16>,
    /// The greatest length, in what the prefix counts.
    pub length_max: Option<u32>,
    /// Digits of the length in front; bytes, where it is binary.
    pub length_digits: Option<u8>,
    /// `ascii`, `ebcdic`, `bcd`, `binary` or `hex`.
    pub length_encoding: Option<String>,
    /// `units`, `digits`, `characters`, `bytes` or `nibbles`.
    pub length_counts: Option<String>,
    /// The length in front counts its own bytes too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub length_includes_itself: bool,
    /// `left0`, `right0`, `leftF`, `rightF`: where an odd number of BCD digits is filled up.
    pub odd: Option<String>,
    /// The characters of the half bytes A to F, such as `ABC=EF`.
    pub letters: Option<String>,
    /// `none`, `left0`, `left_space`, `right_space`.
    pub pad: Option<String>,
    /// Never to be printed or stored.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
    /// A message authentication code.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mac: bool,
    /// What it is made of.
    pub parts: Option<Box<RawParts>>,
}

/// What a field is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawParts {
    /// `positional`, `bitmapped`, `ber_tlv`, `tagged` or `data_sets`.
    pub kind: String,
    /// Positional: whether a content may end between two parts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional_tail: bool,
    /// Bitmapped: bytes in front of the bitmap.
    pub header_length: Option<u8>,
    /// Bitmapped: `binary`, `hex` or `ebcdic_hex`.
    pub bitmap: Option<String>,
    /// Bitmapped: bytes of bitmap.
    pub bitmap_bytes: Option<u8>,
    /// Bitmapped: bit 1 announces nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skip_first_bit: bool,
    /// Bitmapped: bit 1 announces as many bytes of bitmap again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bitmap_grows: bool,
    /// BER-TLV: tags whose values are secret besides those of every card, in hexadecimal. Tagged:
    /// tags whose values are secret.
    pub secret_tags: Option<Vec<String>>,
    /// Tagged: characters or bytes of a tag.
    pub tag_length: Option<u8>,
    /// Tagged: digits of a length; bytes, where it is binary.
    pub length_digits: Option<u8>,
    /// Tagged: `ascii`, `ebcdic`, `bcd`, `binary` or `hex`; as `encoding` where absent.
    pub length_encoding: Option<String>,
    /// Tagged: the length counts its own bytes too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub length_includes_itself: bool,
    /// Tagged: the length counts the tag too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub length_includes_tag: bool,
    /// Tagged: `tag_first` (the default) or `length_first`.
    pub order: Option<String>,
    /// Tagged: `ascii` (the default) or `ebcdic`.
    pub encoding: Option<String>,
    /// Tagged: `ascii`, `ebcdic` or `raw`; as `encoding` where absent.
    pub tag_encoding: Option<String>,
    /// Tagged: `ascii`, `ebcdic` or `raw`; as `encoding` where absent.
    pub value_encoding: Option<String>,
    /// Tagged: a content that is no such tags from its first byte to its last is kept as bytes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub or_bytes: bool,
    /// Positional, bitmapped, and in front of tags: the parts by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<Number, RawField>,
    /// Tagged: the tags whose values are written in a way of their own, with their length.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, RawField>,
    /// Data sets: those made of parts, by identifier in hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sets: BTreeMap<String, RawSet>,
}

impl RawParts {
    /// The keys that are there, and the kinds of parts that have them.
    pub(super) fn stated(&self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        const BITMAPPED: &[&str] = &["bitmapped"];
        const TAGGED: &[&str] = &["tagged"];
        let keys: [(&str, bool, &[&str]); 18] = [
            ("optional_tail", self.optional_tail, &["positional"]),
            ("header_length", self.header_length.is_some(), BITMAPPED),
            ("bitmap", self.bitmap.is_some(), BITMAPPED),
            ("bitmap_bytes", self.bitmap_bytes.is_some(), BITMAPPED),
            ("skip_first_bit", self.skip_first_bit, BITMAPPED),
            ("bitmap_grows", self.bitmap_grows, BITMAPPED),
            ("secret_tags", self.secret_tags.is_some(), &["ber_tlv", "tagged"]),
            ("tag_length", self.tag_length.is_some(), TAGGED),
            ("length_digits", self.length_digits.is_some(), TAGGED),
            ("length_encoding", self.length_encoding.is_some(), TAGGED),
            ("length_includes_itself", self.length_includes_itself, TAGGED),
            ("length_includes_tag", self.length_includes_tag, TAGGED),
            ("order", self.order.is_some(), TAGGED),
            ("encoding", self.encoding.is_some(), TAGGED),
            ("tag_encoding", self.tag_encoding.is_some(), TAGGED),
            ("value_encoding", self.value_encoding.is_some(), TAGGED),
            ("or_bytes", self.or_bytes, TAGGED),
            ("tags", !self.tags.is_empty(), TAGGED),
        ];
        let parts: [(&str, bool, &[&str]); 2] = [
            ("fields", !self.fields.is_empty(), &["positional", "bitmapped", "tagged"]),
            ("sets", !self.sets.is_empty(), &["data_sets"]),
        ];
        let stated = keys.into_iter().chain(parts).filter(|(_, is_stated, _)| *is_stated);
        stated.map(|(name, _, kinds)| (name, kinds))
    }

    /// Whether it is a message inside a field, with its type in front of its bitmap.
    pub(super) fn is_message(&self) -> bool {
        self.kind == "bitmapped" && self.fields.contains_key(&Number(0))
    }
}

/// A data set made of parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSet {
    /// The parts by number.
    pub fields: BTreeMap<Number, RawField>,
}

/// A number that is a key: text in the file, and in the order of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub u8);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        let number = key.parse().ok().filter(|number: &u8| number.to_string() == key);
        number.map(Self).ok_or_else(|| {
            D::Error::custom(format_args!("`{key}` is no number of a field or part"))
        })
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl RawSpec {
    /// Reads the TOML form: what could be read of it, and every mistake in its form. What the values
    /// mean is checked when it is compiled.
    pub(super) fn from_toml(text: &str) -> (Option<Self>, Vec<SpecError>) {
        let problem = |key: String, error: toml::de::Error| SpecError {
            key,
            problem: error.to_string().trim_end().to_owned(),
        };
        let head: RawHead = match toml::from_str(text) {
            Ok(head) => head,
            Err(error) => return (None, vec![problem(String::new(), error)]),
        };
        let mut mistakes = Vec::new();
        let mut fields = BTreeMap::new();
        for (key, value) in head.fields {
            let at = format!("fields.{key}");
            let number = key.parse().ok().filter(|number: &u8| number.to_string() == key);
            let Some(number) = number.filter(|number| (2..=super::FIELD_MAX).contains(number))
            else {
                let problem = "a field is a number of 2 to 192".to_owned();
                mistakes.push(SpecError { key: at, problem });
                continue;
            };
            match value.try_into() {
                Ok(field) => drop(fields.insert(Number(number), field)),
                Err(error) => mistakes.push(problem(at, error)),
            }
        }
        let RawHead { name, description, framing, header_length, mti, .. } = head;
        let RawHead { mti_content, bitmap, bitmaps, .. } = head;
        let RawHead { third_bitmap, code_page, trailing_bytes, defaults, .. } = head;
        let raw = Self {
            name,
            description,
            framing,
            header_length,
            mti,
            mti_content,
            bitmap,
            bitmaps,
            third_bitmap,
            code_page,
            trailing_bytes,
            defaults,
            fields,
        };
        (Some(raw), mistakes)
    }
}
