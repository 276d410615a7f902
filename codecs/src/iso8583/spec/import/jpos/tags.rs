//! Fields that jPOS makes of tags.

use super::classes::{Class, TaggedClass};
use super::parts::kind;
use super::xml::Element;
use super::{Reader, Within};
use crate::iso8583::spec::raw::{Number, RawField, RawParts};

/// A part that has a tag.
struct Tag<'a> {
    number: u8,
    element: &'a Element,
    class: TaggedClass,
}

/// What a sequence writes where no tag of its own is meant.
const ANY_TAG: char = '#';

impl Reader {
    /// Parts with tags of their own. Which part a tag is, is a matter of Java where the tag mapper is not
    /// one of jPOS's: tags keep their names.
    pub(super) fn tagged(
        &mut self,
        key: &str,
        element: &Element,
        within: Within,
    ) -> Option<RawParts> {
        let mut parts = kind("tagged");
        let tags = self.behind_head(key, element, within, &mut parts)?;
        let of = |tag: &Tag| (tag.class.tag_len, tag.class.digits);
        let layout = tags.first().map(of);
        if let Some(other) = tags.iter().find(|tag| Some(of(tag)) != layout) {
            let key = format!("{key}.parts.fields.{}", other.number);
            self.add(&key, other.element, "all parts must have a tag, and of one width");
            return None;
        }
        let tag_len: Option<u8> = self.number(element, "tagSize", key);
        let digits: Option<u8> = self.number(element, "lenSize", key);
        let is_swapped = self.boolean(element, "swapTagAndLen", key).unwrap_or(false);
        self.no_header(key, element);
        parts.tag_length = tag_len.or(layout.and_then(|(tag_len, _)| tag_len));
        parts.length_digits = digits.or(layout.map(|(_, digits)| digits));
        parts.order = is_swapped.then(|| "length_first".to_owned());
        parts.encoding = (within == Within::Ebcdic).then(|| "ebcdic".to_owned());
        let all_bytes = tags.iter().all(|tag| tag.class.is_bytes);
        parts.value_encoding = all_bytes.then(|| "raw".to_owned());
        // Beside tags of characters, those of bytes must be told by themselves.
        let is_told = |tag: &&Tag| {
            tag.element.name == "isofieldpackager" || (tag.class.is_bytes && !all_bytes)
        };
        for tag in tags.iter().filter(is_told) {
            let name = self.mapped(key, element, tag, parts.tag_length, is_swapped)?;
            let field = self.tag_field(key, tag, parts.length_digits, within)?;
            parts.tags.insert(name, field);
        }
        Some(parts)
    }

    /// Tags whose characters `token` states, behind a first part without one.
    pub(super) fn tag_sequence(
        &mut self,
        key: &str,
        element: &Element,
        within: Within,
    ) -> Option<RawParts> {
        let mut parts = kind("tagged");
        let tags = self.behind_head(key, element, within, &mut parts)?;
        let tag_len = element.attribute("token").map_or(0, str::len);
        parts.tag_length = u8::try_from(tag_len).ok();
        parts.encoding = (within == Within::Ebcdic).then(|| "ebcdic".to_owned());
        for tag in &tags {
            let token = tag.element.attribute("token").unwrap_or_default();
            let at = format!("{key}.parts.fields.{}", tag.number);
            if tag.class.tag_len.is_some() || token.chars().count() != tag_len || !token.is_ascii()
            {
                let problem = "`token` must have as many characters as that of the field";
                self.add(&at, tag.element, problem);
                return None;
            }
            if token.chars().all(|character| character == ANY_TAG) {
                parts.length_digits = Some(tag.class.digits);
                parts.value_encoding = tag.class.is_bytes.then(|| "raw".to_owned());
                continue;
            }
            let field = self.tag_field(key, tag, None, within)?;
            parts.tags.insert(token.to_owned(), field);
        }
        Some(parts)
    }

    /// Tags of two digits in EBCDIC behind a length that counts them; part 0 is never written.
    pub(super) fn gicc(&mut self, key: &str, element: &Element) -> Option<RawParts> {
        let mut parts = RawParts {
            order: Some("length_first".to_owned()),
            encoding: Some("ebcdic".to_owned()),
            value_encoding: Some("raw".to_owned()),
            tag_length: Some(2),
            length_digits: Some(3),
            length_includes_tag: true,
            ..kind("tagged")
        };
        for (number, child) in self.by_number(&format!("{key}.parts.fields"), element).range(1..) {
            let key = format!("{key}.parts.fields.{number}");
            if child.attribute("class") != Some("org.jpos.iso.IFEP_LLLBINARY") || *number > 99 {
                self.add(&key, child, "parts are `org.jpos.iso.IFEP_LLLBINARY` here, 1 to 99");
                return None;
            }
            if child.name == "isofieldpackager" {
                let name = child.attribute("name").unwrap_or_default().trim().to_owned();
                let encoding = Some("raw".to_owned());
                let mut field = RawField { name, encoding, ..RawField::default() };
                self.composite(&key, child, Within::Bytes, &mut field)?;
                parts.tags.insert(format!("{number:02}"), field);
            }
        }
        Some(parts)
    }

    /// The parts with a tag; those in front of them, of fixed length, go into `fields`.
    fn behind_head<'a>(
        &mut self,
        key: &str,
        element: &'a Element,
        within: Within,
        parts: &mut RawParts,
    ) -> Option<Vec<Tag<'a>>> {
        let mut tags = Vec::new();
        let first: u8 = self.number(element, "firstField", key).unwrap_or(0);
        for (number, child) in self.by_number(&format!("{key}.parts.fields"), element) {
            let key = format!("{key}.parts.fields.{number}");
            match self.class(&key, child)? {
                Class::Tagged(class) => tags.push(Tag { number, element: child, class }),
                Class::Nothing => {}
                Class::Field(_) if number < first => {
                    self.add(&key, child, "a part in front of `firstField` is never written");
                    return None;
                }
                Class::Field(_) if tags.is_empty() => {
                    let part = self.field(&key, child, within)?;
                    parts.fields.insert(Number(number), part);
                }
                Class::Field(_) | Class::Bitmap(_) | Class::Bitmap64 | Class::Inexpressible(_) => {
                    self.add(&key, child, "behind the first tag all parts must have a tag");
                    return None;
                }
            }
        }
        if tags.is_empty() {
            let problem = "no part has a tag, so its width is not told";
            self.add(&format!("{key}.parts"), element, problem);
            return None;
        }
        Some(tags)
    }

    /// The tag of a part, which is its number where jPOS's own mappers make it.
    fn mapped(
        &mut self,
        key: &str,
        element: &Element,
        tag: &Tag,
        tag_len: Option<u8>,
        is_swapped: bool,
    ) -> Option<String> {
        let at = format!("{key}.parts.fields.{}", tag.number);
        let mapper = element.attribute("tagMapper").unwrap_or_default();
        let is_decimal = matches!(
            mapper.strip_prefix("org.jpos.iso.packager."),
            Some("TTDecimalTagMapper" | "TTTDecimalTagMapper")
        );
        if !is_decimal || is_swapped {
            let problem = format!("which tag is written in this way is known to `{mapper}` alone");
            self.add(&at, tag.element, problem);
            return None;
        }
        let width = usize::from(tag_len.unwrap_or(0));
        Some(format!("{:0width$}", tag.number))
    }

    /// What stands behind a tag.
    fn tag_field(
        &mut self,
        key: &str,
        tag: &Tag,
        digits: Option<u8>,
        within: Within,
    ) -> Option<RawField> {
        let key = format!("{key}.parts.fields.{}", tag.number);
        let stated: u32 = self.needed(tag.element, "length", &format!("{key}.length"))?;
        let digits = digits.unwrap_or(tag.class.digits);
        let in_page =
            |name: &str| if within == Within::Ebcdic { "ebcdic" } else { name }.to_owned();
        let mut field = RawField {
            name: tag.element.attribute("name").unwrap_or_default().trim().to_owned(),
            encoding: Some(if tag.class.is_bytes { "raw".to_owned() } else { in_page("ascii") }),
            length_max: Some(super::reachable(stated, digits, 10)),
            length_digits: Some(digits),
            length_encoding: Some(in_page("ascii")),
            length_counts: Some("bytes".to_owned()),
            ..RawField::default()
        };
        if tag.element.name == "isofieldpackager" {
            self.composite(&key, tag.element, within, &mut field)?;
        }
        Some(field)
    }
}
