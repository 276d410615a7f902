//! What jPOS makes fields of: the classes that read the content of a field.

use super::classes::Class;
use super::xml::Element;
use super::{Reader, Within};
use crate::iso8583::composite::TLV_SET_MAX;
use crate::iso8583::spec::raw::{Number, RawField, RawParts, RawSet};

/// Bytes of the greatest bitmap in a field that does not grow with its fields.
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
            "iso.packager.GenericSubFieldPackager" | "iso.packager.Base1SubFieldPackager" => {
                self.sub_fields(key, element, inner)
            }
            "iso.packager.GenericTaggedFieldsPackager" => self.tagged(key, element, inner),
            "iso.packager.DatasetPackager" => self.data_sets(key, element),
            "tlv.packager.bertlv.BERTLVBinaryPackager" => Some(kind("ber_tlv")),
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
        let is_positional = element.attribute("emitBitmap") == Some("false");
        let bitmap_at = self.number(element, "bitmapField", key).unwrap_or(1_u8);
        let mut parts = match is_positional {
            true => RawParts { optional_tail: true, ..kind("positional") },
            false => self.bitmapped(key, element, children.get(&bitmap_at).copied(), within)?,
        };
        let follows_bitmap =
            bitmap_at == 1 && children.get(&1).is_some_and(|first| is_bitmap(first));
        let default = if follows_bitmap { 2 } else { 1 };
        let first = self.number(element, "firstField", key).unwrap_or(default);
        parts.skip_first_bit = !is_positional && first > 1;
        for (number, child) in children.range(first..) {
            if !is_positional && *number == bitmap_at {
                continue;
            }
            let key = format!("{key}.parts.fields.{number}");
            if let Some(part) = self.field(&key, child, within) {
                parts.fields.insert(Number(*number), part);
            }
        }
        let room = u16::from(parts.bitmap_bytes.unwrap_or(u8::MAX)) * 8;
        if parts.fields.keys().any(|number| u16::from(number.0) > room) {
            let problem = "a bitmap in a field that grows with its fields cannot be said here";
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
    ) -> Option<RawParts> {
        let key = format!("{key}.parts.bitmap");
        let Some(bitmap) = bitmap.filter(|bitmap| is_bitmap(bitmap)) else {
            self.add(&key, element, "the part `bitmapField` names, 1 if none, must be a bitmap");
            return None;
        };
        let bytes: u8 = self.number(bitmap, "length", &key)?;
        let encoding = match (self.class(&key, bitmap)?, within) {
            (Class::Bitmap("hex"), Within::Ebcdic) => "ebcdic_hex",
            (Class::Bitmap(encoding), _) => encoding,
            _ => return None,
        };
        let header_length = self.number(element, "headerLength", &key).filter(|len| *len > 0);
        Some(RawParts {
            header_length,
            bitmap: Some(encoding.to_owned()),
            // From 16 bytes on it grows by need; here it has the bytes its first 64 fields need.
            bitmap_bytes: Some(bytes.min(BITMAP_BYTES_MAX)),
            ..kind("bitmapped")
        })
    }

    /// Parts with tags of their own. Which part a tag is, is a matter of Java: tags keep their names.
    fn tagged(&mut self, key: &str, element: &Element, within: Within) -> Option<RawParts> {
        let mut layout = None;
        for (number, child) in self.by_number(&format!("{key}.parts.fields"), element) {
            let key = format!("{key}.parts.fields.{number}");
            let found = match self.class(&key, child)? {
                Class::Tagged(tag, digits) => Some((tag, digits)),
                Class::Nothing => continue,
                _ => None,
            };
            if found.is_none() || layout.is_some_and(|layout| Some(layout) != found) {
                self.add(&key, child, "all parts must have a tag, and of one width");
                return None;
            }
            layout = found;
        }
        let tag: Option<u8> = self.number(element, "tagSize", key);
        let digits: Option<u8> = self.number(element, "lenSize", key);
        let is_swapped = element.attribute("swapTagAndLen") == Some("true");
        Some(RawParts {
            tag_length: tag.or(layout.map(|(tag, _)| tag)),
            length_digits: digits.or(layout.map(|(_, digits)| digits)),
            order: is_swapped.then(|| "length_first".to_owned()),
            encoding: (within == Within::Ebcdic).then(|| "ebcdic".to_owned()),
            ..kind("tagged")
        })
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

fn kind(name: &str) -> RawParts {
    RawParts { kind: name.to_owned(), ..RawParts::default() }
}

fn is_bitmap(element: &Element) -> bool {
    let class = element.attribute("class").and_then(super::classes::class);
    matches!(class, Some(Class::Bitmap(_)))
}

/// The field's bytes are characters of hexadecimal digits: its length counts these characters.
fn in_hexadecimal(raw: &mut RawField, encoding: &str) {
    raw.encoding = Some(encoding.to_owned());
    raw.length = raw.length.map(|characters| characters / 2);
    raw.length_counts = raw.length_counts.as_ref().map(|_| "bytes".to_owned());
}
