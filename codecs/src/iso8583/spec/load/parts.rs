//! Composites from their written form.

use std::collections::BTreeMap;

use super::{Maker, bitmap};
use crate::iso8583::composite::{
    Characters, Composite, DataSet, FirstBit, Part, Parts, TLV_SET_MAX, TagForm, TagLayout,
    TagOrder, TagPart, Tagged, set_id,
};
use crate::iso8583::field::{Counts, Field, Prefix};
use crate::iso8583::index::MESSAGE_LEN_MAX;
use crate::iso8583::spec::raw::{Number, RawField, RawParts};
use crate::iso8583::tlv;

/// How deep fields may be made of fields.
const DEPTH_MAX: usize = 4;
/// Composites of one format.
const COMPOSITES_MAX: u16 = 1_000;
/// What the name of a tag must be.
const NAME: &str = "a tag has `tag_length` characters, or bytes in upper-case hexadecimal";

impl Maker<'_> {
    /// Makes a composite and gives its place.
    pub(super) fn composite(&mut self, key: &str, raw: &RawParts, depth: usize) -> Option<u16> {
        if depth == DEPTH_MAX {
            self.mistakes.add(key, format!("parts nest at most {DEPTH_MAX} deep"));
            return None;
        }
        let names =
            [("positional", 0), ("bitmapped", 1), ("ber_tlv", 2), ("tagged", 3), ("data_sets", 4)];
        let kind = self.mistakes.known(&format!("{key}.kind"), &raw.kind, &names)?;
        self.foreign_keys(key, raw);
        let composite = match kind {
            0 => Composite::Positional {
                parts: self.parts(key, &raw.fields, depth),
                optional_tail: raw.optional_tail,
            },
            1 => self.bitmapped(key, raw, depth)?,
            2 => Composite::BerTlv { secret_tags: self.secret_tags(key, raw) },
            3 => self.tagged(key, raw, depth)?,
            _ => self.data_sets(key, raw, depth),
        };
        let place = u16::try_from(self.composites.len()).ok();
        let Some(place) = place.filter(|place| *place < COMPOSITES_MAX) else {
            let problem = format!("at most {COMPOSITES_MAX} fields may be made of parts");
            self.mistakes.add(key, problem);
            return None;
        };
        self.composites.push(composite);
        Some(place)
    }

    /// Keys that say nothing of parts of this kind.
    fn foreign_keys(&mut self, key: &str, raw: &RawParts) {
        for (name, kinds) in raw.stated() {
            if !kinds.contains(&raw.kind.as_str()) {
                let problem = format!("parts of the kind `{}` have no such key", raw.kind);
                self.mistakes.add(&format!("{key}.{name}"), problem);
            }
        }
        if raw.kind != "tagged" || raw.length_digits.is_some() {
            return;
        }
        let without = [
            ("length_encoding", raw.length_encoding.is_some()),
            ("length_includes_itself", raw.length_includes_itself),
            ("length_includes_tag", raw.length_includes_tag),
            ("value_encoding", raw.value_encoding.is_some()),
        ];
        for (name, _) in without.iter().filter(|(_, is_stated)| *is_stated) {
            let problem = "without `length_digits` there are no tags it could be for";
            self.mistakes.add(&format!("{key}.{name}"), problem);
        }
    }

    fn parts(&mut self, key: &str, raw: &BTreeMap<Number, RawField>, depth: usize) -> Parts {
        if raw.is_empty() {
            self.mistakes.add(&format!("{key}.fields"), "there are no parts");
        }
        let made = raw.iter().filter_map(|(Number(number), raw)| {
            let field = self.field(&format!("{key}.fields.{number}"), raw, depth + 1)?;
            Some(Part { number: *number, name: raw.name.as_str().into(), field })
        });
        Parts(made.collect())
    }

    fn bitmapped(&mut self, key: &str, raw: &RawParts, depth: usize) -> Option<Composite> {
        let name = raw.bitmap.as_deref().unwrap_or("binary");
        let bitmap = bitmap(&format!("{key}.bitmap"), name, self.page, self.mistakes);
        let Some(bitmap_bytes @ 1..=16) = raw.bitmap_bytes else {
            self.mistakes.add(&format!("{key}.bitmap_bytes"), "1 to 16 bytes are needed");
            return None;
        };
        let first_bit = self.first_bit(key, raw, bitmap_bytes)?;
        let parts = self.parts(key, &raw.fields, depth);
        let bytes = if first_bit == FirstBit::Bitmap { bitmap_bytes * 2 } else { bitmap_bytes };
        if parts.iter().any(|part| part.number > bytes * 8) {
            let problem = format!("a bitmap of {bytes} bytes announces fewer parts");
            self.mistakes.add(&format!("{key}.fields"), problem);
        }
        if first_bit != FirstBit::Part && parts.get(1).is_some() {
            let problem = "bit 1 announces no part, so there is no part 1";
            self.mistakes.add(&format!("{key}.fields.1"), problem);
        }
        let header_len = raw.header_length.unwrap_or(0);
        Some(Composite::Bitmapped { header_len, bitmap, bitmap_bytes, first_bit, parts })
    }

    fn first_bit(&mut self, key: &str, raw: &RawParts, bitmap_bytes: u8) -> Option<FirstBit> {
        match (raw.skip_first_bit, raw.bitmap_grows) {
            (true, true) => {
                let problem = "bit 1 announces more bitmap, or nothing, not both";
                self.mistakes.add(&format!("{key}.bitmap_grows"), problem);
                None
            }
            (false, true) if bitmap_bytes > 8 => {
                let problem = "a bitmap that grows has at most 8 bytes at first";
                self.mistakes.add(&format!("{key}.bitmap_bytes"), problem);
                None
            }
            (false, true) => Some(FirstBit::Bitmap),
            (true, false) => Some(FirstBit::Nothing),
            (false, false) => Some(FirstBit::Part),
        }
    }

    /// The secret tags of every card, and those the format adds.
    fn secret_tags(&mut self, key: &str, raw: &RawParts) -> Box<[u32]> {
        let mut numbers = tlv::SECRET_TAGS.to_vec();
        for tag in raw.secret_tags.iter().flatten() {
            match hex::decode(tag).ok().and_then(|bytes| tlv::tag_of(&bytes)) {
                Some(number) => numbers.push(number),
                None => {
                    self.mistakes.add(&format!("{key}.secret_tags"), format!("`{tag}` is no tag"));
                }
            }
        }
        numbers.sort_unstable();
        numbers.into()
    }

    fn tagged(&mut self, key: &str, raw: &RawParts, depth: usize) -> Option<Composite> {
        let layout = self.tag_layout(key, raw)?;
        let head = match raw.fields.is_empty() {
            true => Parts::default(),
            false => self.parts(key, &raw.fields, depth),
        };
        let names = |number: u8| number.to_string().len() == layout.name_len();
        if let Some(part) = head.iter().find(|part| names(part.number)) {
            let problem = "this number is as long as a tag, so it could not be told from one";
            self.mistakes.add(&format!("{key}.fields.{}", part.number), problem);
        }
        let tags = self.tags(key, raw, layout, depth);
        let secret = raw.secret_tags.iter().flatten();
        if let Some(tag) = secret.clone().find(|tag| !layout.is_name(tag)) {
            self.mistakes
                .add(&format!("{key}.secret_tags"), format!("`{tag}` is no tag here: {NAME}"));
        }
        let secret_tags = secret.map(|tag| tag.as_str().into()).collect();
        Some(Composite::Tagged(Tagged { head, layout, tags, secret_tags, or_bytes: raw.or_bytes }))
    }

    /// The tags that are told by themselves.
    fn tags(
        &mut self,
        key: &str,
        raw: &RawParts,
        layout: TagLayout,
        depth: usize,
    ) -> Box<[TagPart]> {
        let mut tags = Vec::new();
        for (tag, field) in &raw.tags {
            let key = format!("{key}.tags.{tag}");
            if !layout.is_name(tag) {
                self.mistakes.add(&key, NAME);
            }
            let made = match layout.order {
                TagOrder::TagFirst => self.field(&key, field, depth + 1),
                TagOrder::LengthFirst => self.whole(&key, field, depth + 1),
            };
            if let Some(made) = made {
                let (tag, name) = (tag.as_str().into(), field.name.as_str().into());
                tags.push(TagPart { tag, name, field: made });
            }
        }
        tags.into()
    }

    /// A field that is all of what stands behind a length and a tag, so it has no length of its own.
    fn whole(&mut self, key: &str, raw: &RawField, depth: usize) -> Option<Field> {
        let stated = raw.length.is_some()
            || raw.length_max.is_some()
            || raw.length_digits.is_some()
            || raw.length_encoding.is_some()
            || raw.length_counts.is_some()
            || raw.length_includes_itself;
        if stated {
            let problem =
                "the length stands in front of the tag, so this field has none of its own";
            self.mistakes.add(&format!("{key}.length"), problem);
            return None;
        }
        let whole = RawField {
            length_max: u32::try_from(MESSAGE_LEN_MAX).ok(),
            length_digits: Some(2),
            length_encoding: Some("binary".to_owned()),
            length_counts: Some("bytes".to_owned()),
            ..raw.clone()
        };
        self.field(key, &whole, depth)
    }

    fn tag_layout(&mut self, key: &str, raw: &RawParts) -> Option<TagLayout> {
        let Some(tag_len @ 1..=4) = raw.tag_length else {
            self.mistakes.add(key, "`tag_length` of 1 to 4 is needed");
            return None;
        };
        let orders = [("tag_first", TagOrder::TagFirst), ("length_first", TagOrder::LengthFirst)];
        let order = raw.order.as_deref().unwrap_or("tag_first");
        let order = self.mistakes.known(&format!("{key}.order"), order, &orders)?;
        let stated = raw.encoding.as_deref().unwrap_or("ascii");
        let encoding = format!("{key}.encoding");
        let characters = self.mistakes.known(&encoding, stated, &[("ascii", 0), ("ebcdic", 1)])?;
        let form = |this: &mut Self, name: &str, own: Option<&str>| {
            let key = format!("{key}.{name}");
            let known = [("ascii", 0), ("ebcdic", 1), ("raw", 2)];
            Some(
                match own.map_or(Some(characters), |own| this.mistakes.known(&key, own, &known))? {
                    0 => TagForm::Characters(Characters::Ascii),
                    1 => TagForm::Characters(Characters::Ebcdic(
                        this.mistakes.paged(&key, this.page),
                    )),
                    _ => TagForm::Bytes,
                },
            )
        };
        let tag = form(self, "tag_encoding", raw.tag_encoding.as_deref())?;
        let value = form(self, "value_encoding", raw.value_encoding.as_deref())?;
        let length = self.tag_length(key, raw, stated, tag_len)?;
        if length.is_none() && (raw.tags.is_empty() || order == TagOrder::LengthFirst) {
            self.mistakes.add(key, "`length_digits` of 1 to 6 is needed");
            return None;
        }
        Some(TagLayout { tag_len, tag, length, order, value })
    }

    /// The length of a value whose tag is not told by itself; none in it where there is none.
    fn tag_length(
        &mut self,
        key: &str,
        raw: &RawParts,
        encoding: &str,
        tag_len: u8,
    ) -> Option<Option<Prefix>> {
        let Some(digits) = raw.length_digits else { return Some(None) };
        if !(1..=6).contains(&digits) {
            self.mistakes.add(&format!("{key}.length_digits"), "1 to 6 digits are needed");
            return None;
        }
        let name = raw.length_encoding.clone().or_else(|| Some(encoding.to_owned()));
        let encoding = self.prefix_encoding(&format!("{key}.length_encoding"), name)?;
        let mut prefix = Prefix { max: 0, digits, encoding, counts: Counts::Units, own: 0 };
        let itself = if raw.length_includes_itself { prefix.itself() } else { 0 };
        let tag = if raw.length_includes_tag { tag_len } else { 0 };
        prefix.own = itself + tag;
        prefix.max = prefix.capacity().saturating_sub(u32::from(prefix.own));
        Some(Some(prefix))
    }

    fn data_sets(&mut self, key: &str, raw: &RawParts, depth: usize) -> Composite {
        let mut sets = Vec::new();
        for (name, set) in &raw.sets {
            let key = format!("{key}.sets.{name}");
            let Some(id) = set_id(name).filter(|id| *id > TLV_SET_MAX) else {
                self.mistakes.add(&key, "a data set made of parts is 71 to FE, in hexadecimal");
                continue;
            };
            sets.push(DataSet { id, parts: self.parts(&key, &set.fields, depth) });
        }
        sets.sort_by_key(|set| set.id);
        Composite::DataSets(sets.into())
    }
}
