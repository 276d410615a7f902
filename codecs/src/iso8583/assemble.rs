//! A message put together from its tree: the way back from [`Spec::unpack`].

use std::collections::HashSet;

use bytes::{BufMut, BytesMut};

mod sets;
mod tags;

use super::BITMAP;
use super::composite::{Composite, FirstBit, Part, Parts, number_of};
use super::content::Content;
use super::field::{Field, Length, Pad};
use super::index::MESSAGE_LEN_MAX;
use super::pack::Packer;
use super::spec::{BitmapEncoding, Spec};
use super::tlv;
use super::unpack::{FRONT, HEADER};
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
            (Some(Composite::Tagged(tagged)), Value::Text(text)) if tagged.or_bytes => {
                bytes_of(path, text)
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
        if let Some((name, _)) = values.iter().find(|(_, value)| is_empty_list(value)) {
            let problem = Problem::Shape("a list has one value at least");
            return Err(problem.at(&format!("{path}.{name}")));
        }
        match composite {
            Composite::Positional { parts, optional_tail } => {
                each_once(path, values, |_| true)?;
                self.positional(parts, *optional_tail, path, values, out)
            }
            Composite::Bitmapped { header_len, bitmap, bitmap_bytes, first_bit, parts } => {
                each_once(path, values, |_| true)?;
                let layout = (*header_len, *bitmap, *bitmap_bytes, *first_bit);
                self.bitmapped(layout, parts, path, values, out)
            }
            Composite::BerTlv { .. } => ber_tlv(path, values, out),
            Composite::Tagged(tagged) => self.tagged(tagged, path, values, out),
            Composite::DataSets(sets) => self.data_sets(sets, path, values, out),
        }
    }

    fn part(&self, part: &Part, path: &str, value: &Value, out: &mut BytesMut) -> Assembled<()> {
        self.field_in(&part.field, &format!("{path}.{}", part.number), value, out)
    }

    /// A field in a field.
    fn field_in(
        &self,
        field: &Field,
        path: &str,
        value: &Value,
        out: &mut BytesMut,
    ) -> Assembled<()> {
        let content = self.content(field, path, value)?;
        field.check(BITMAP, &content).map_err(|error| of_pack(error).at(path))?;
        field.write(&content, out);
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
        (header_len, bitmap, bitmap_bytes, first_bit): (u8, BitmapEncoding, u8, FirstBit),
        parts: &Parts,
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        if header_len > 0 {
            header(header_len, path, values, out)?;
        }
        if let Some(front) = parts.get(FRONT) {
            let value = value_of(values, &FRONT.to_string()).ok_or_else(|| {
                Problem::Shape("this part is needed").at(&format!("{path}.{FRONT}"))
            })?;
            self.part(front, path, value, out)?;
        }
        let is_given = |part: &&Part| value_of(values, &part.number.to_string()).is_some();
        let mut numbers: Vec<u8> = parts.iter().filter(is_given).map(|part| part.number).collect();
        numbers.retain(|number| *number != FRONT);
        let is_beyond = numbers.iter().any(|number| *number > bitmap_bytes * 8);
        let is_kept = first_bit != FirstBit::Part && is_kept(path, values)?;
        if is_kept || is_beyond {
            numbers.push(BITMAP);
        }
        let grows = first_bit == FirstBit::Bitmap && (is_kept || is_beyond);
        let mut map = vec![0_u8; usize::from(bitmap_bytes) * if grows { 2 } else { 1 }];
        for bit in numbers.iter().map(|number| usize::from(number - 1)) {
            map[bit / 8] |= 0x80 >> (bit % 8);
        }
        let map_at = out.len();
        out.put_bytes(0, bitmap.width(map.len()));
        bitmap.write(&map, &mut out[map_at..]);
        for part in parts.iter().filter(|part| part.number != FRONT) {
            if let Some(value) = value_of(values, &part.number.to_string()) {
                self.part(part, path, value, out)?;
            }
        }
        all_known(path, values, |name| {
            (name == HEADER && header_len > 0)
                || number_of(name).is_some_and(|number| {
                    parts.get(number).is_some() || (is_kept && number == BITMAP)
                })
        })
    }
}

/// The bytes in front of a bitmap.
fn header(len: u8, path: &str, values: &[(String, Value)], out: &mut BytesMut) -> Assembled<()> {
    let path = format!("{path}.{HEADER}");
    let Some(Value::Text(header)) = value_of(values, HEADER) else {
        return Err(Problem::Shape("a text is needed").at(&path));
    };
    let (header, allowed) = (bytes_of(&path, header)?, usize::from(len));
    if header.len() != allowed {
        return Err(Problem::Length { have: header.len(), allowed }.at(&path));
    }
    out.put_slice(&header);
    Ok(())
}

/// Whether bit 1 of a bitmap is set though it announces no part: an empty text under its number.
fn is_kept(path: &str, values: &[(String, Value)]) -> Assembled<bool> {
    match value_of(values, &BITMAP.to_string()) {
        None => Ok(false),
        Some(Value::Text(text)) if text.is_empty() => Ok(true),
        Some(_) => {
            let problem = Problem::Shape("bit 1 announces no part, so it has no content");
            Err(problem.at(&format!("{path}.{BITMAP}")))
        }
    }
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

fn is_empty_list(value: &Value) -> bool {
    matches!(value, Value::Many(many) if many.is_empty())
}

/// Refuses names that are there again; only the first value would be written.
fn each_once(
    path: &str,
    values: &[(String, Value)],
    is_part: impl Fn(&str) -> bool,
) -> Assembled<()> {
    let mut seen = HashSet::new();
    match values.iter().find(|(name, _)| is_part(name) && !seen.insert(name)) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Problem::Shape("this part is there once only").at(&format!("{path}.{name}")))
        }
    }
}

fn value_of<'a>(values: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    values.iter().find(|(present, _)| present == name).map(|(_, value)| value)
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
