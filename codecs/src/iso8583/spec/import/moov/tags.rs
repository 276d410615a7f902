//! Composites of moov-io/iso8583 whose parts have tags.

use super::names::Encoding;
use super::parts::kind;
use super::{Described, Reader, Tag};
use crate::iso8583::spec::raw::RawParts;

impl Reader {
    /// Tags of one width. Where all lengths behind them are written alike, tags that are not defined are
    /// kept; else only if `prefUnknownTLV` says how long they are.
    pub(super) fn tagged(&mut self, key: &str, described: &Described) -> Option<RawParts> {
        let tag = described.tag.as_ref()?;
        let form = self.tag_form(key, tag)?;
        let stated = match &tag.pref_unknown {
            None => None,
            Some(name) => self.prefix(&format!("{key}.tag.prefUnknownTLV"), name)?,
        };
        let mut lengths = Vec::new();
        for (name, subfield) in &described.subfields {
            let key = format!("{key}.subfields.{name}.prefix");
            lengths.push(self.prefix(&key, &subfield.prefix)?);
        }
        let alike = lengths.first().copied().flatten();
        let alike = alike.filter(|alike| lengths.iter().all(|length| *length == Some(*alike)));
        let length = stated.or(alike);
        let in_bytes = form.name == "raw";
        let mut parts = RawParts {
            tag_length: Some(form.length),
            length_digits: length.map(|(_, digits)| digits),
            length_encoding: length.map(|(encoding, _)| encoding.to_owned()),
            encoding: (!in_bytes).then(|| form.name.to_owned()),
            tag_encoding: in_bytes.then(|| "raw".to_owned()),
            value_encoding: (in_bytes && length.is_some()).then(|| "raw".to_owned()),
            ..kind("tagged")
        };
        // As the tags is how a length is written anyway.
        if parts.length_encoding == parts.encoding {
            parts.length_encoding = None;
        }
        for ((name, subfield), own) in described.subfields.iter().zip(&lengths) {
            let key = format!("{key}.subfields.{name}");
            let is_plain = length.is_some() && *own == length && is_plain(subfield, tag, &form);
            let (field, tag) = (self.field(&key, subfield), self.on_wire(&key, tag, &form, name)?);
            if let Some(field) = field.filter(|_| !is_plain) {
                parts.tags.insert(tag, field);
            }
        }
        Some(parts)
    }

    /// How the tags are written, and how long they are there.
    fn tag_form(&mut self, key: &str, tag: &Tag) -> Option<Form> {
        let at = format!("{key}.tag.enc");
        let Encoding { name, .. } = self.encoding(&at, &tag.enc)?;
        match name {
            "ascii" | "ebcdic" | "raw" => Some(Form { name, length: tag.length }),
            "bcd" if tag.length.is_multiple_of(2) => {
                Some(Form { name: "raw", length: tag.length / 2 })
            }
            _ => {
                self.add(&at, format_args!("tags in `{}` cannot be said here", tag.enc));
                None
            }
        }
    }

    /// The tag of a subfield, filled up as it is on the wire.
    fn on_wire(&mut self, key: &str, tag: &Tag, form: &Form, name: &str) -> Option<String> {
        let width = usize::from(form.length) * if form.name == "raw" { 2 } else { 1 };
        let missing = width.saturating_sub(name.chars().count());
        let (kind, filler) = match &tag.padding {
            None => ("None", ""),
            Some(padding) => (padding.kind.as_str(), padding.pad.as_str()),
        };
        let filler = filler.repeat(missing);
        let name = match kind {
            "Left" => format!("{filler}{name}"),
            "Right" => format!("{name}{filler}"),
            "None" | "" => name.to_owned(),
            _ => {
                self.add(&format!("{key}.padding.type"), format_args!("`{kind}` is not known"));
                return None;
            }
        };
        let name = if form.name == "raw" { name.to_uppercase() } else { name };
        if name.chars().count() != width {
            self.add(key, format_args!("a tag here has {width} characters"));
            return None;
        }
        Some(name)
    }
}

struct Form {
    name: &'static str,
    /// Characters or bytes.
    length: u8,
}

/// Whether a subfield's content is written as that of a tag that is not defined.
fn is_plain(subfield: &Described, tag: &Tag, form: &Form) -> bool {
    let is_ascii = |encoding: &str| matches!(encoding, "ASCII" | "LenientASCII");
    let is_alike = match form.name {
        "raw" => matches!(subfield.enc.as_str(), "Binary" | "ASCIIToHex"),
        _ => subfield.enc == tag.enc || (is_ascii(&subfield.enc) && is_ascii(&tag.enc)),
    };
    is_alike && subfield.kind != "Composite"
}
