//! Tags of fixed width, put together.

use bytes::{BufMut, BytesMut};

use super::{Assembled, Problem, bytes_of, each, each_once, latin1, of_pack, value_of};
use crate::iso8583::BITMAP;
use crate::iso8583::composite::{TagForm, TagLayout, TagOrder, Tagged};
use crate::iso8583::field::Field;
use crate::iso8583::spec::Spec;
use crate::iso8583::value::Value;

impl Spec {
    /// See `Apart::tagged` in `unpack::tags`.
    pub(super) fn tagged(
        &self,
        tagged: &Tagged,
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        let Tagged { head, layout, .. } = tagged;
        if values.is_empty() {
            return Ok(());
        }
        let is_head = |name: &str| head.named(name).is_some();
        each_once(path, values, is_head)?;
        for part in head.iter() {
            let value = value_of(values, &part.number.to_string()).ok_or_else(|| {
                Problem::Shape("this part is needed").at(&format!("{path}.{}", part.number))
            })?;
            self.part(part, path, value, out)?;
        }
        for (name, value) in each(values).filter(|(name, _)| !is_head(name)) {
            let path = format!("{path}.{name}");
            let tag = layout.tag.bytes(&path, name)?;
            if tag.len() != usize::from(layout.tag_len) {
                return Err(Problem::Undefined.at(&path));
            }
            let value = match (tagged.tag(name), layout.order) {
                (Some(known), TagOrder::TagFirst) => {
                    out.put_slice(&tag);
                    self.field_in(&known.field, &path, value, out)?;
                    continue;
                }
                (Some(known), TagOrder::LengthFirst) => self.whole(&known.field, &path, value)?,
                (None, _) => untold(*layout, &path, value)?,
            };
            with_length(*layout, &tag, &path, &value, out)?;
        }
        Ok(())
    }

    /// The bytes of a field that is all of what stands behind a length and a tag.
    fn whole(&self, field: &Field, path: &str, value: &Value) -> Assembled<Vec<u8>> {
        let content = self.content(field, path, value)?;
        field.check(BITMAP, &content).map_err(|error| of_pack(error).at(path))?;
        let mut out = BytesMut::new();
        field.write_bare(&content, &mut out);
        Ok(out.into())
    }
}

/// The value of a tag that is not told by itself.
fn untold(layout: TagLayout, path: &str, value: &Value) -> Assembled<Vec<u8>> {
    match value {
        _ if layout.length.is_none() => Err(Problem::Undefined.at(path)),
        Value::Text(text) => layout.value.bytes(path, text),
        Value::Parts(_) | Value::Many(_) => Err(Problem::Shape("a text is needed").at(path)),
    }
}

fn with_length(
    layout: TagLayout,
    tag: &[u8],
    path: &str,
    value: &[u8],
    out: &mut BytesMut,
) -> Assembled<()> {
    let Some(prefix) = layout.length else { return Err(Problem::Undefined.at(path)) };
    let allowed = usize::try_from(prefix.max).unwrap_or(usize::MAX);
    let length = u32::try_from(value.len()).ok().filter(|length| *length <= prefix.max);
    let length = length.ok_or_else(|| Problem::Length { have: value.len(), allowed }.at(path))?;
    let mut digits = [0; 6];
    let digits = &mut digits[..prefix.width()];
    prefix.write(length, digits);
    let (first, second) = match layout.order {
        TagOrder::TagFirst => (tag, &*digits),
        TagOrder::LengthFirst => (&*digits, tag),
    };
    [first, second, value].into_iter().for_each(|bytes| out.put_slice(bytes));
    Ok(())
}

impl TagForm {
    fn bytes(self, path: &str, text: &str) -> Assembled<Vec<u8>> {
        match self {
            Self::Characters(characters) => {
                let characters_of = latin1(path, text)?;
                Ok(characters_of.into_iter().map(|latin1| characters.encode(latin1)).collect())
            }
            Self::Bytes => bytes_of(path, text),
        }
    }
}
