//! A message put together from its tree: the way back from [`Spec::unpack`].

use bytes::{BufMut, BytesMut};

use super::composite::{Composite, DataSet, Part, Parts, TLV_SET_MAX, TagLayout, TagOrder};
use super::content::Content;
use super::field::{Field, Length, Pad};
use super::index::MESSAGE_LEN_MAX;
use super::pack::Packer;
use super::spec::{BitmapEncoding, Spec};
use super::tlv;
use super::unpack::{HEADER, TLV};
use super::value::{Tree, Value};
use crate::error::PackError;

/// Why a tree is no message of a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field {path}: {problem}")]
pub struct AssembleError {
    /// The field, part or tag: `127.25.3`, `0` for the MTI, `h` for the header.
    pub path: String,
    /// What is wrong with it; never its value.
    pub problem: Problem,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The format has no such field, part or tag.
    #[error("is not defined by the spec")]
    Undefined,
    /// Fields are written in ascending order.
    #[error("stands behind a field of a greater number")]
    OutOfOrder,
    /// It does not fit.
    #[error("has length {have}, {allowed} allowed")]
    Length {
        /// Its length in the field's units.
        have: usize,
        /// The fixed or greatest length.
        allowed: usize,
    },
    /// A character breaks the class or cannot be written.
    #[error("position {at} breaks the class of the field")]
    Content {
        /// The position, from 0.
        at: usize,
    },
    /// The value has another shape than the format.
    #[error("{0}")]
    Shape(&'static str),
}

impl Problem {
    /// The name used in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined_field",
            Self::OutOfOrder => "out_of_order",
            Self::Length { .. } => "bad_length",
            Self::Content { .. } => "bad_content",
            Self::Shape(_) => "bad_value",
        }
    }

    fn at(self, path: &str) -> AssembleError {
        AssembleError { path: path.to_owned(), problem: self }
    }
}

type Assembled<T> = Result<T, AssembleError>;

impl Spec {
    /// Appends the message of a tree.
    ///
    /// Errors: the first field, part or tag that does not fit; nothing is appended then.
    pub fn assemble(&self, tree: &Tree, out: &mut BytesMut) -> Assembled<()> {
        let start = out.len();
        let mti = self.mti_of(tree)?;
        let mut packer = Packer::begin(self, mti, out);
        if let Some(header) = &tree.header {
            let header = bytes_of("h", header)?;
            packer.header(&header).map_err(|error| of_pack(error).at("h"))?;
        }
        for bit in &tree.bits {
            packer.keep_bitmap(*bit).map_err(|error| of_pack(error).at("bits"))?;
        }
        let mut fields: Vec<(u8, &str, &Value)> = Vec::new();
        for (name, value) in &tree.fields {
            let number = number_of(name).ok_or_else(|| Problem::Undefined.at(name))?;
            fields.push((number, name, value));
        }
        fields.sort_by_key(|(number, ..)| *number);
        for (number, path, value) in fields {
            let field = self.field(number).ok_or_else(|| Problem::Undefined.at(path))?;
            let content = self.content(field, path, value)?;
            packer.put(number, &content).map_err(|error| of_pack(error).at(path))?;
        }
        packer.finish();
        let have = out.len() - start;
        if have > MESSAGE_LEN_MAX {
            out.truncate(start);
            return Err(Problem::Length { have, allowed: MESSAGE_LEN_MAX }.at("0"));
        }
        Ok(())
    }

    fn mti_of(&self, tree: &Tree) -> Assembled<[u8; 4]> {
        let mti: Option<[u8; 4]> = latin1("0", &tree.mti)?.try_into().ok();
        let is_sound = |mti: &[u8; 4]| match self.mti_content {
            Content::Any => self.mti.can_write(mti),
            _ => mti.iter().all(u8::is_ascii_digit),
        };
        mti.filter(is_sound).ok_or_else(|| Problem::Shape("four digits are needed").at("0"))
    }

    /// The content of a field as [`Packer::put`] takes it.
    fn content(&self, field: &Field, path: &str, value: &Value) -> Assembled<Vec<u8>> {
        match (self.composite(field), value) {
            (Some(composite), Value::Parts(parts)) => {
                let mut out = BytesMut::new();
                self.composite_content(composite, path, parts, &mut out)?;
                fill_up(field, composite, &mut out);
                Ok(out.into())
            }
            (None, Value::Text(text)) if field.encoding.is_bytes() => bytes_of(path, text),
            (None, Value::Text(text)) => Ok(padded(field, latin1(path, text)?)),
            (Some(_), _) => Err(Problem::Shape("an object of parts is needed").at(path)),
            (None, _) => Err(Problem::Shape("a text is needed").at(path)),
        }
    }

    fn composite_content(
        &self,
        composite: &Composite,
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        match composite {
            Composite::Positional { parts, optional_tail } => {
                self.positional(parts, *optional_tail, path, values, out)
            }
            Composite::Bitmapped { header_len, bitmap, bitmap_bytes, skip_first: _, parts } => {
                let layout = (*header_len, *bitmap, *bitmap_bytes);
                self.bitmapped(layout, parts, path, values, out)
            }
            Composite::BerTlv { .. } => ber_tlv(path, values, out),
            Composite::Tagged { layout, .. } => tagged(*layout, path, values, out),
            Composite::DataSets(sets) => self.data_sets(sets, path, values, out),
        }
    }

    fn part(&self, part: &Part, path: &str, value: &Value, out: &mut BytesMut) -> Assembled<()> {
        let path = format!("{path}.{}", part.number);
        let content = self.content(&part.field, &path, value)?;
        part.field.check(part.number, &content).map_err(|error| of_pack(error).at(&path))?;
        part.field.write(&content, out);
        Ok(())
    }

    fn positional(
        &self,
        parts: &Parts,
        optional_tail: bool,
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        for (written, part) in parts.iter().enumerate() {
            let Some(value) = value_of(values, &part.number.to_string()) else {
                if optional_tail && written == values.len() {
                    break;
                }
                let path = format!("{path}.{}", part.number);
                return Err(Problem::Shape("this part is needed").at(&path));
            };
            self.part(part, path, value, out)?;
        }
        all_known(path, values, |name| number_of(name).is_some_and(|n| parts.get(n).is_some()))
    }

    fn bitmapped(
        &self,
        (header_len, bitmap, bitmap_bytes): (u8, BitmapEncoding, u8),
        parts: &Parts,
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        if header_len > 0 {
            let path = format!("{path}.{HEADER}");
            let Some(Value::Text(header)) = value_of(values, HEADER) else {
                return Err(Problem::Shape("a text is needed").at(&path));
            };
            let (header, allowed) = (bytes_of(&path, header)?, usize::from(header_len));
            if header.len() != allowed {
                return Err(Problem::Length { have: header.len(), allowed }.at(&path));
            }
            out.put_slice(&header);
        }
        let map_at = out.len();
        let mut map = [0_u8; 16];
        let map = &mut map[..usize::from(bitmap_bytes)];
        let width = bitmap.width(map.len());
        out.put_bytes(0, width);
        for part in parts.iter() {
            if let Some(value) = value_of(values, &part.number.to_string()) {
                let bit = usize::from(part.number - 1);
                map[bit / 8] |= 0x80 >> (bit % 8);
                self.part(part, path, value, out)?;
            }
        }
        bitmap.write(map, &mut out[map_at..map_at + width]);
        all_known(path, values, |name| {
            (name == HEADER && header_len > 0)
                || number_of(name).is_some_and(|number| parts.get(number).is_some())
        })
    }

    fn data_sets(
        &self,
        sets: &[DataSet],
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        for (name, value) in each(values) {
            let path = format!("{path}.{name}");
            let id = u8::from_str_radix(name, 16).map_err(|_| Problem::Undefined.at(&path))?;
            let mut content = BytesMut::new();
            let set = sets.iter().find(|set| set.id == id);
            match (set, value) {
                (_, Value::Parts(tags)) if id <= TLV_SET_MAX => {
                    ber_tlv(&path, tags, &mut content)?;
                }
                (Some(set), Value::Parts(parts)) => {
                    self.data_set(&set.parts, &path, parts, &mut content)?;
                }
                (_, Value::Text(data)) => content.put_slice(&bytes_of(&path, data)?),
                (_, _) => return Err(Problem::Undefined.at(&path)),
            }
            let have = content.len();
            let length = u16::try_from(have)
                .map_err(|_| Problem::Length { have, allowed: usize::from(u16::MAX) }.at(&path))?;
            out.put_u8(id);
            out.put_u16(length);
            out.put_slice(&content);
        }
        Ok(())
    }

    /// See `Apart::data_set` in `unpack` for the bitmap.
    fn data_set(
        &self,
        parts: &Parts,
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        let numbers: Vec<u8> = values.iter().filter_map(|(name, _)| number_of(name)).collect();
        let tail = value_of(values, TLV);
        out.put_slice(&set_bitmap(&numbers, tail.is_some()));
        for part in parts.iter() {
            if let Some(value) = value_of(values, &part.number.to_string()) {
                self.part(part, path, value, out)?;
            }
        }
        if let Some(tail) = tail {
            let path = format!("{path}.{TLV}");
            let Value::Parts(tags) = tail else {
                return Err(Problem::Shape("an object of tags is needed").at(&path));
            };
            ber_tlv(&path, tags, out)?;
        }
        all_known(path, values, |name| {
            name == TLV || number_of(name).is_some_and(|number| parts.get(number).is_some())
        })
    }
}

/// The bitmap of a data set: 16 bits, and 8 more as long as a number needs them.
fn set_bitmap(numbers: &[u8], tail: bool) -> Vec<u8> {
    let highest = usize::from(numbers.iter().copied().max().unwrap_or(0));
    // Two bytes hold 14 numbers; each further byte, whose own first bit announces the next, 7.
    let more = highest.saturating_sub(14).div_ceil(7);
    let mut map = vec![0_u8; 2 + more];
    let last_bit = map.len() * 8;
    let mut set = |bit: usize| map[(bit - 1) / 8] |= 0x80 >> ((bit - 1) % 8);
    let announces = |bit: usize| bit == 1 || (bit > 16 && bit % 8 == 1);
    (0..more).for_each(|byte| set(if byte == 0 { 1 } else { 17 + (byte - 1) * 8 }));
    let counted = (1..last_bit).filter(|bit| !announces(*bit));
    for (number, bit) in (1_usize..).zip(counted) {
        if numbers.iter().any(|wanted| usize::from(*wanted) == number) {
            set(bit);
        }
    }
    if tail {
        set(last_bit);
    }
    map
}

/// Data objects that do not fill a field of fixed length are followed by zeros, which mean nothing.
fn fill_up(field: &Field, composite: &Composite, out: &mut BytesMut) {
    let is_filled = matches!(composite, Composite::BerTlv { .. } | Composite::DataSets(_));
    if let (true, Length::Fixed(length)) = (is_filled, field.length) {
        out.resize(out.len().max(usize::from(length)), 0);
    }
}

fn ber_tlv(path: &str, values: &[(String, Value)], out: &mut BytesMut) -> Assembled<()> {
    for (name, value) in each(values) {
        let path = format!("{path}.{name}");
        let Value::Text(text) = value else {
            return Err(Problem::Shape("bytes in hexadecimal are needed").at(&path));
        };
        let tag = hex::decode(name).map_err(|_| Problem::Undefined.at(&path))?;
        if !tlv::write(&tag, &bytes_of(&path, text)?, out) {
            return Err(Problem::Undefined.at(&path));
        }
    }
    Ok(())
}

fn tagged(
    layout: TagLayout,
    path: &str,
    values: &[(String, Value)],
    out: &mut BytesMut,
) -> Assembled<()> {
    let digits = usize::from(layout.length_digits);
    for (name, value) in each(values) {
        let path = format!("{path}.{name}");
        let Value::Text(text) = value else {
            return Err(Problem::Shape("a text is needed").at(&path));
        };
        let (tag, value) = (latin1(&path, name)?, latin1(&path, text)?);
        let length = format!("{:0digits$}", value.len());
        if tag.len() != usize::from(layout.tag_len) {
            return Err(Problem::Undefined.at(&path));
        }
        if length.len() > digits {
            let allowed = 10_usize.pow(u32::from(layout.length_digits)) - 1;
            return Err(Problem::Length { have: value.len(), allowed }.at(&path));
        }
        let (first, second) = match layout.order {
            TagOrder::TagFirst => (&tag[..], length.as_bytes()),
            TagOrder::LengthFirst => (length.as_bytes(), &tag[..]),
        };
        let characters = [first, second, &value].concat();
        out.extend(characters.iter().map(|character| layout.characters.encode(*character)));
    }
    Ok(())
}

/// Tags with their values, one that is there many times as often.
fn each(values: &[(String, Value)]) -> impl Iterator<Item = (&str, &Value)> {
    values.iter().flat_map(|(name, value)| {
        let (many, one) = match value {
            Value::Many(many) => (&many[..], None),
            Value::Text(_) | Value::Parts(_) => (&[][..], Some(value)),
        };
        one.into_iter().chain(many).map(move |value| (name.as_str(), value))
    })
}

fn value_of<'a>(values: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    values.iter().find(|(present, _)| present == name).map(|(_, value)| value)
}

/// The number of a field or part; written in one way only, so that `02` is not taken for `2`.
fn number_of(name: &str) -> Option<u8> {
    name.parse().ok().filter(|number: &u8| number.to_string() == name)
}

fn all_known(
    path: &str,
    values: &[(String, Value)],
    is_known: impl Fn(&str) -> bool,
) -> Assembled<()> {
    match values.iter().find(|(name, _)| !is_known(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Problem::Undefined.at(&format!("{path}.{name}"))),
    }
}

fn bytes_of(path: &str, text: &str) -> Assembled<Vec<u8>> {
    hex::decode(text).map_err(|_| Problem::Shape("bytes in hexadecimal are needed").at(path))
}

/// The bytes of a text whose characters are all of ISO 8859-1.
fn latin1(path: &str, text: &str) -> Assembled<Vec<u8>> {
    let bytes = text.chars().map(|character| u8::try_from(u32::from(character)));
    let found: Result<Vec<u8>, _> = bytes.collect();
    found.map_err(|_| {
        let at = text.chars().position(|character| u32::from(character) > 0xFF).unwrap_or(0);
        Problem::Content { at }.at(path)
    })
}

/// A text filled up to the field's fixed length, where the spec says how.
fn padded(field: &Field, text: Vec<u8>) -> Vec<u8> {
    let Length::Fixed(units) = field.length else { return text };
    let missing = usize::from(units).saturating_sub(text.len());
    let filler = |byte: u8| vec![byte; missing];
    match field.pad {
        Pad::None => text,
        Pad::LeftZero => [filler(b'0'), text].concat(),
        Pad::LeftSpace => [filler(b' '), text].concat(),
        Pad::RightSpace => [text, filler(b' ')].concat(),
    }
}

fn of_pack(error: PackError) -> Problem {
    match error {
        PackError::UndefinedField { .. } => Problem::Undefined,
        PackError::OutOfOrder { .. } => Problem::OutOfOrder,
        PackError::Length { have, allowed, .. } => Problem::Length { have, allowed },
        PackError::Content { at, .. } => Problem::Content { at },
        PackError::Tag { .. }
        | PackError::CardSealed
        | PackError::NotARequest { .. }
        | PackError::Missing { .. } => Problem::Shape("cannot be written"),
    }
}
