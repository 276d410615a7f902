//! What jPOS makes fields of: the classes that read the content of a field.

use std::collections::BTreeMap;

use super::classes::Class;
use super::xml::Element;
use super::{Reader, Within};
use crate::iso8583::composite::TLV_SET_MAX;
use crate::iso8583::spec::import::hide_card_data;
use crate::iso8583::spec::raw::{Number, RawField, RawParts, RawSet};

/// Bytes of a bitmap in a field before it grows; jPOS lets one grow that may be longer.
const BITMAP_BYTES_MAX: u8 = 8;

impl Reader {
    /// Adds what a field is made of.
    pub(super) fn composite(
        &mut self,
        key: &str,
        element: &Element,
        within: Within,
        raw: &mut RawField,
    ) -> Option<()> {
        let packager = element.attribute("packager").unwrap_or_default();
        let inner = self.open(key, element, within, raw)?;
        let parts = match packager.strip_prefix("org.jpos.").unwrap_or(packager) {
            "iso.packager.GenericSubFieldPackager" => self.sub_fields(key, element, inner),
            "iso.packager.Base1SubFieldPackager" => self.base1(key, element, inner),
            "iso.packager.GenericPackager" => self.message(key, element, inner),
            "iso.packager.GenericTaggedFieldsPackager" => self.tagged(key, element, inner),
            "iso.packager.GICCSubFieldPackager" => self.gicc(key, element),
            "tlv.packager.TaggedSequencePackager" => self.tag_sequence(key, element, inner),
            "iso.packager.DatasetPackager" => self.data_sets(key, element),
            "tlv.packager.bertlv.BERTLVBinaryPackager" | "iso.packager.ICCDataPackager" => {
                Some(kind("ber_tlv"))
            }
            "tlv.packager.bertlv.BERTLVAsciiHexPackager" => {
                in_hexadecimal(raw, if inner == Within::Ebcdic { "ebcdic_hex" } else { "hex" });
                Some(kind("ber_tlv"))
            }
            "tlv.packager.bertlv.BERTLVEbcdicHexPackager" => {
                in_hexadecimal(raw, "ebcdic_hex");
                Some(kind("ber_tlv"))
            }
            _ => {
                let problem = format_args!("packager `{packager}` is not known");
                self.add(&format!("{key}.packager"), element, problem);
                None
            }
        };
        raw.parts = Some(Box::new(parts?));
        Some(())
    }

    /// Makes the field the bytes its parts are read from.
    fn open(
        &mut self,
        key: &str,
        element: &Element,
        within: Within,
        raw: &mut RawField,
    ) -> Option<Within> {
        raw.pad = None;
        let inner = match raw.encoding.as_deref() {
            Some("hex" | "ebcdic_hex") => return Some(Within::Bytes),
            Some("ascii" | "raw") => within,
            Some("ebcdic") => Within::Ebcdic,
            _ => {
                self.add(&format!("{key}.class"), element, "half bytes are not made of parts");
                return None;
            }
        };
        raw.encoding = Some("raw".to_owned());
        Some(inner)
    }

    fn sub_fields(&mut self, key: &str, element: &Element, within: Within) -> Option<RawParts> {
        let children = self.by_number(&format!("{key}.parts.fields"), element);
        // Without any bitmap jPOS can neither write nor read it; the parts are plainly meant to follow
        // each other.
        if !children.values().any(|child| is_bitmap(child)) {
            let first = self.number(element, "firstField", key);
            let first = first.unwrap_or(if self.emits_bitmap(key, element) { 0 } else { 1 });
            return Some(self.in_order(key, children.range(first..), within));
        }
        if !self.emits_bitmap(key, element) {
            let first =
                self.number(element, "firstField", key).unwrap_or(first_by_default(&children));
            return Some(self.in_order(key, children.range(first..), within));
        }
        let bitmap_at = self.number(element, "bitmapField", key).unwrap_or(1_u8);
        let first = self.number(element, "firstField", key).unwrap_or(first_by_default(&children));
        self.announced(key, element, &children, (bitmap_at, first), within)
    }

    /// A bitmap as part 0, or the parts in their order.
    fn base1(&mut self, key: &str, element: &Element, within: Within) -> Option<RawParts> {
        let children = self.by_number(&format!("{key}.parts.fields"), element);
        match children.get(&0) {
            Some(first) if is_bitmap(first) => {
                self.announced(key, element, &children, (0, 1), within)
            }
            _ => Some(self.in_order(key, children.range(0..), within)),
        }
    }

    /// A message inside a field: part 0 in front of the bitmap, if it is none itself and writes anything.
    fn message(&mut self, key: &str, element: &Element, within: Within) -> Option<RawParts> {
        let children = self.by_number(&format!("{key}.parts.fields"), element);
        let front = children.get(&0).copied();
        let Some(front) = front.filter(|front| front.name == "isofield") else {
            let problem = "a message inside a field begins with part 0, which is not made of parts";
            self.add(&format!("{key}.parts.fields.0"), element, problem);
            return None;
        };
        if element.attribute("thirdBitmapField").is_some_and(|field| field != "-999") {
            let problem = "a third bitmap inside a field cannot be said here";
            self.add(&format!("{key}.parts.bitmap"), element, problem);
            return None;
        }
        let has_front = !is_bitmap(front) && !is_nothing(front);
        let first = self.number(element, "firstField", key).unwrap_or(first_by_default(&children));
        if has_front && first == 0 {
            let problem = "part 0 cannot both stand in front and be announced";
            self.add(&format!("{key}.parts.fields.0"), element, problem);
            return None;
        }
        if !self.emits_bitmap(key, element) {
            let front = (has_front, first);
            return Some(self.without_bitmap(key, element, &children, front, within));
        }
        let bitmap_at = self.number(element, "bitmapField", key).unwrap_or(1_u8);
        let mut parts =
            self.announced(key, element, &children, (bitmap_at, first.max(1)), within)?;
        let header_length = self.number(element, "headerLength", key);
        parts.header_length = header_length.filter(|length| *length > 0);
        if has_front {
            let part = self.field(&format!("{key}.parts.fields.0"), front, within)?;
            parts.fields.insert(Number(0), part);
        }
        hide_card_data(&mut parts.fields);
        Some(parts)
    }

    /// A message inside a field whose parts follow each other.
    fn without_bitmap(
        &mut self,
        key: &str,
        element: &Element,
        children: &BTreeMap<u8, &Element>,
        (has_front, first): (bool, u8),
        within: Within,
    ) -> RawParts {
        self.no_header(key, element);
        let numbers = children.iter().filter(|(n, _)| **n >= first || (has_front && **n == 0));
        let mut parts = self.in_order(key, numbers, within);
        hide_card_data(&mut parts.fields);
        parts
    }

    /// Only a bitmap can have a header in front of it here.
    pub(super) fn no_header(&mut self, key: &str, element: &Element) {
        if self.number::<u16>(element, "headerLength", key).is_some_and(|length| length > 0) {
            let problem = "a header in front of parts without a bitmap cannot be said here";
            self.add(&format!("{key}.parts.header_length"), element, problem);
        }
    }

    fn in_order<'a>(
        &mut self,
        key: &str,
        children: impl Iterator<Item = (&'a u8, &'a &'a Element)>,
        within: Within,
    ) -> RawParts {
        let mut parts = RawParts { optional_tail: true, ..kind("positional") };
        for (number, child) in children {
            let key = format!("{key}.parts.fields.{number}");
            if let Some(part) = self.field(&key, child, within) {
                parts.fields.insert(Number(*number), part);
            }
        }
        parts
    }

    /// A bitmap and the parts from `first` on that it announces.
    fn announced(
        &mut self,
        key: &str,
        element: &Element,
        children: &BTreeMap<u8, &Element>,
        (bitmap_at, first): (u8, u8),
        within: Within,
    ) -> Option<RawParts> {
        let bitmap = children.get(&bitmap_at).copied();
        let (mut parts, length) = self.bitmapped(key, element, bitmap, within)?;
        for (number, child) in children.range(first..) {
            if *number == bitmap_at || *number == 0 {
                continue;
            }
            let key = format!("{key}.parts.fields.{number}");
            if let Some(part) = self.field(&key, child, within) {
                parts.fields.insert(Number(*number), part);
            }
        }
        // Bit 1 announces part 1 where there is one: so jPOS writes it, though it reads more bitmap.
        let has_part_1 = parts.fields.contains_key(&Number(1));
        parts.bitmap_grows = length > u16::from(BITMAP_BYTES_MAX) && !has_part_1;
        parts.skip_first_bit = !parts.bitmap_grows && first > 1;
        let bytes = u16::from(parts.bitmap_bytes.unwrap_or(BITMAP_BYTES_MAX));
        let room = bytes * 8 * if parts.bitmap_grows { 2 } else { 1 };
        if let Some(beyond) = parts.fields.keys().find(|number| u16::from(number.0) > room) {
            let problem = format!("the bitmap announces no part {beyond}");
            self.add(&format!("{key}.parts.bitmap_bytes"), element, problem);
            return None;
        }
        Some(parts)
    }

    fn bitmapped(
        &mut self,
        key: &str,
        element: &Element,
        bitmap: Option<&Element>,
        within: Within,
    ) -> Option<(RawParts, u16)> {
        let key = format!("{key}.parts.bitmap");
        let Some(bitmap) = bitmap.filter(|bitmap| is_bitmap(bitmap)) else {
            self.add(&key, element, "the part `bitmapField` names, 1 if none, must be a bitmap");
            return None;
        };
        let stated: u16 = self.needed(bitmap, "length", &key)?;
        let (encoding, length) = match (self.class(&key, bitmap)?, within) {
            (Class::Bitmap("hex"), Within::Ebcdic) => ("ebcdic_hex", stated),
            (Class::Bitmap(encoding), _) => (encoding, stated),
            (Class::Bitmap64, _) => ("binary", u16::from(BITMAP_BYTES_MAX)),
            (Class::Field(_) | Class::Tagged(_) | Class::Nothing | Class::Inexpressible(_), _) => {
                return None;
            }
        };
        let first = u8::try_from(length.min(u16::from(BITMAP_BYTES_MAX))).ok();
        let parts = RawParts {
            bitmap: Some(encoding.to_owned()),
            bitmap_bytes: first,
            ..kind("bitmapped")
        };
        Some((parts, length))
    }

    /// Data sets of BER-TLV need no definition; all others share the parts that are stated.
    fn data_sets(&mut self, key: &str, element: &Element) -> Option<RawParts> {
        let mut set = RawSet::default();
        for (number, child) in self.by_number(&format!("{key}.parts.fields"), element) {
            let key = format!("{key}.parts.sets.fields.{number}");
            if let Some(part) = self.field(&key, child, Within::Bytes) {
                set.fields.insert(Number(number), part);
            }
        }
        let mut parts = kind("data_sets");
        if !set.fields.is_empty() {
            let ids = TLV_SET_MAX + 1..u8::MAX;
            parts.sets = ids.map(|id| (format!("{id:02X}"), set.clone())).collect();
        }
        Some(parts)
    }
}

pub(super) fn kind(name: &str) -> RawParts {
    RawParts { kind: name.to_owned(), ..RawParts::default() }
}

fn is_bitmap(element: &Element) -> bool {
    let class = element.attribute("class").and_then(super::classes::class);
    matches!(class, Some(Class::Bitmap(_) | Class::Bitmap64))
}

fn is_nothing(element: &Element) -> bool {
    let class = element.attribute("class").and_then(super::classes::class);
    matches!(class, Some(Class::Nothing))
}

/// The first part that is announced where nothing is said: the one behind the bitmap.
fn first_by_default(children: &BTreeMap<u8, &Element>) -> u8 {
    if children.get(&1).is_some_and(|child| is_bitmap(child)) { 2 } else { 1 }
}

/// The field's bytes are characters of hexadecimal digits: its length counts these characters.
fn in_hexadecimal(raw: &mut RawField, encoding: &str) {
    raw.encoding = Some(encoding.to_owned());
    raw.length = raw.length.map(|characters| characters / 2);
    raw.length_counts = raw.length_counts.as_ref().map(|_| "bytes".to_owned());
}
