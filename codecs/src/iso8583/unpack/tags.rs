//! Tags of fixed width, taken apart.

use super::{Apart, Fields, Place};
use crate::error::{DecodeError, ErrorKind, Step};
use crate::iso8583::composite::{TagForm, TagLayout, TagOrder, Tagged};
use crate::iso8583::field::Field;
use crate::iso8583::index::Found;
use crate::iso8583::value::Value;

impl Apart<'_> {
    /// The parts in front of the tags, then tag by tag; nothing at all where there is no content.
    pub(super) fn tagged(
        self,
        tagged: &Tagged,
        place: Place,
        start: usize,
    ) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let mut at = start;
        if at == self.bytes.len() {
            return Ok(fields);
        }
        for part in tagged.head.iter() {
            let (value, end) = self.part(part, place, at)?;
            fields.push((part.number.to_string(), value));
            at = end;
        }
        while at < self.bytes.len() {
            let (name, value, end) = self.tag(tagged, place, at)?;
            fields.push((name, value));
            at = end;
        }
        Ok(fields)
    }

    /// A tag that begins at `at`, its value, and where that ends. Errors name the tag once it is read.
    fn tag(
        self,
        tagged: &Tagged,
        place: Place,
        at: usize,
    ) -> Result<(String, Value, usize), DecodeError> {
        let layout = tagged.layout;
        let tag_len = usize::from(layout.tag_len);
        let length_len = layout.length.map_or(0, |length| length.width());
        let head = tag_len + length_len;
        let short = |need| self.error(ErrorKind::ShortTlv, place, at, need);
        let (tag_at, length_at) = match layout.order {
            TagOrder::TagFirst => (at, at + tag_len),
            TagOrder::LengthFirst => (at + length_len, at),
        };
        let tag = self.bytes.get(tag_at..tag_at + tag_len).ok_or_else(|| short(head))?;
        let name = layout.tag.text(tag);
        let known = tagged.tag(&name);
        let place_of_tag = place.and(layout.step(tag, &name));
        if let (Some(known), TagOrder::TagFirst) = (known, layout.order) {
            let (value, end) = self.field(&known.field, place_of_tag, at + tag_len)?;
            return Ok((name, value, end));
        }
        let Some(prefix) = layout.length else {
            return Err(self.error(ErrorKind::UndefinedField, place_of_tag, at, 0));
        };
        let written =
            self.bytes.get(length_at..length_at + length_len).ok_or_else(|| short(head))?;
        let length = prefix.read(written).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| {
            let least = prefix.least(written);
            self.error(ErrorKind::BadLength, place_of_tag, length_at, least)
        })?;
        let end = at + head + length;
        let value = self.bytes.get(at + head..end).ok_or_else(|| short(head + length))?;
        let value = match known {
            Some(known) => self.whole(&known.field, place_of_tag, at + head, end)?,
            None => Value::Text(layout.value.text(value)),
        };
        Ok((name, value, end))
    }
}

impl Apart<'_> {
    /// A field that is all of some bytes.
    fn whole(
        self,
        field: &Field,
        place: Place,
        start: usize,
        end: usize,
    ) -> Result<Value, DecodeError> {
        let content = &self.bytes[start..end];
        let units = field.units_of_bytes(content);
        let units = units.ok_or_else(|| self.error(ErrorKind::BadLength, place, start, 0))?;
        if let Some(position) = field.first_violation(content, units) {
            return Err(self.error(ErrorKind::BadContent, place, start + position, 0));
        }
        self.value(field, place, Found { start, end, units })
    }
}

impl TagLayout {
    /// How an error names a tag that the format tells by itself.
    fn step(&self, tag: &[u8], name: &str) -> Step {
        match (self.tag, tag) {
            (TagForm::Bytes, [id]) => Step::DataSet(*id),
            (TagForm::Bytes | TagForm::Characters(_), _) => Step::tag(name),
        }
    }

    /// Characters of a tag's name.
    pub(in crate::iso8583) fn name_len(&self) -> usize {
        match self.tag {
            TagForm::Characters(_) => usize::from(self.tag_len),
            TagForm::Bytes => usize::from(self.tag_len) * 2,
        }
    }

    /// Whether a text can be the name of a tag.
    pub(in crate::iso8583) fn is_name(&self, name: &str) -> bool {
        let is_long_enough = name.chars().count() == self.name_len();
        let is_hex = |name: &str| name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        let is_latin1 = |name: &str| name.chars().all(|character| u32::from(character) < 0x100);
        is_long_enough
            && match self.tag {
                TagForm::Characters(_) => is_latin1(name),
                TagForm::Bytes => is_hex(name),
            }
    }
}

impl TagForm {
    fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::Characters(characters) => {
                bytes.iter().map(|byte| char::from(characters.decode(*byte))).collect()
            }
            Self::Bytes => hex::encode_upper(bytes),
        }
    }
}
