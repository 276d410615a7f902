//! What fields of moov-io/iso8583's specifications are made of.

use super::{Described, Reader};
use crate::iso8583::spec::raw::{Number, RawParts};
use crate::iso8583::tlv;

/// Bytes of a bitmap that grows by need, as long as it does not.
const BITMAP_BYTES: u8 = 8;

impl Reader {
    pub(super) fn composite(&mut self, key: &str, described: &Described) -> Option<RawParts> {
        if let Some(bitmap) = &described.bitmap {
            return self.bitmapped(key, described, bitmap);
        }
        let Some(tag) = &described.tag else {
            self.add(key, "a composite has a `tag` or a `bitmap`");
            return None;
        };
        match tag.enc.as_str() {
            "" if tag.length > 0 => {
                self.add(&format!("{key}.tag.enc"), "a tag with a length needs an `enc`");
                None
            }
            "" => Some(RawParts {
                optional_tail: !described.prefix.ends_with(".Fixed"),
                ..self.numbered(key, described, kind("positional"))
            }),
            "BerTLVTag" => {
                self.ber_tlv(key, described);
                Some(kind("ber_tlv"))
            }
            _ => self.tagged(key, described),
        }
    }

    /// Looks the subfields over that have tags of BER-TLV: their values are bytes whatever they say.
    fn ber_tlv(&mut self, key: &str, described: &Described) {
        for (name, subfield) in &described.subfields {
            let key = format!("{key}.subfields.{name}");
            if hex::decode(name).ok().and_then(|tag| tlv::tag_of(&tag)).is_none() {
                self.add(&key, "this is no tag of BER-TLV");
            }
            if subfield.prefix != "BerTLV" {
                self.add(&format!("{key}.prefix"), "the length behind such a tag is `BerTLV`");
            }
            let is_made_of_tags = subfield.tag.as_ref().is_some_and(|tag| tag.enc == "BerTLVTag");
            match subfield.kind.as_str() {
                "Composite" if is_made_of_tags => self.ber_tlv(&key, subfield),
                "Composite" => self.add(&format!("{key}.tag.enc"), "`BerTLVTag` is needed here"),
                _ => {
                    self.kind_of(&key, subfield);
                    self.encoding(&format!("{key}.enc"), &subfield.enc);
                }
            }
        }
    }

    /// Adds the subfields, by their number.
    fn numbered(&mut self, key: &str, described: &Described, mut parts: RawParts) -> RawParts {
        for (name, subfield) in &described.subfields {
            let key = format!("{key}.subfields.{name}");
            let Ok(number) = name.parse() else {
                self.add(&key, "a subfield without a tag is a number");
                continue;
            };
            if let Some(part) = self.field(&key, subfield) {
                parts.fields.insert(Number(number), part);
            }
        }
        parts
    }

    fn bitmapped(
        &mut self,
        key: &str,
        described: &Described,
        bitmap: &Described,
    ) -> Option<RawParts> {
        let at = format!("{key}.bitmap");
        let encoding = self.bitmap_encoding(&at, bitmap)?;
        let stated = bitmap.length.and_then(|length| u8::try_from(length).ok());
        let bytes = match (bitmap.disable_auto_expand, stated) {
            (true, Some(bytes)) => bytes,
            _ => BITMAP_BYTES,
        };
        let parts = RawParts {
            bitmap: Some(encoding.to_owned()),
            bitmap_bytes: Some(bytes),
            ..kind("bitmapped")
        };
        let parts = self.numbered(key, described, parts);
        let room = u16::from(bytes) * 8;
        if parts.fields.keys().any(|number| u16::from(number.0) > room) {
            self.add(&at, "a bitmap in a field that grows with its fields cannot be said here");
            return None;
        }
        Some(parts)
    }
}

pub(super) fn kind(name: &str) -> RawParts {
    RawParts { kind: name.to_owned(), ..RawParts::default() }
}
