//! moov-io/iso8583's specifications as JSON documents.
//!
//! Shape:  `{"name", "fields": {"0": field, …}}`; a field is `{"type", "length", "description",
//!         "enc", "prefix", "padding", "tag", "subfields", "bitmap"}`. Its `EBCDIC` is code page 500,
//!         its `EBCDIC1047` says itself.
//! Source: docs/declarative-specs.md of that project, and the sources of its encodings.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{SpecError, mistake, reachable};
use crate::iso8583::spec::raw::{Number, RawField, RawSpec};

mod names;
mod parts;
mod tags;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    name: String,
    fields: BTreeMap<String, Described>,
}

/// A field as it is described there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
    length: Option<u32>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    enc: String,
    #[serde(default)]
    prefix: String,
    padding: Option<Padding>,
    tag: Option<Tag>,
    #[serde(default)]
    subfields: BTreeMap<String, Described>,
    bitmap: Option<Box<Described>>,
    #[serde(default, rename = "disableAutoExpand", alias = "disableautoexpand")]
    disable_auto_expand: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Padding {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    pad: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tag {
    #[serde(default)]
    length: u8,
    #[serde(default)]
    enc: String,
    /// Where tags are filled up when they are written; those that are not defined keep their characters.
    padding: Option<Padding>,
    /// The order they are written in; they keep their own here.
    #[serde(rename = "sort")]
    _sort: Option<String>,
    /// Unknown tags are always kept here.
    #[serde(rename = "skipUnknownTLVTags")]
    _skip_unknown: Option<bool>,
    #[serde(rename = "storeUnknownTLVTags")]
    _store_unknown: Option<bool>,
    /// How long a tag is that is not defined.
    #[serde(rename = "prefUnknownTLV")]
    pref_unknown: Option<String>,
}

/// Reads a document.
pub(super) fn read(json: &str) -> Result<RawSpec, Vec<SpecError>> {
    let document: Document =
        serde_json::from_str(json).map_err(|error| vec![mistake("", error)])?;
    let mut reader = Reader { mistakes: Vec::new(), pages: [false; 2] };
    let raw = reader.spec(&document);
    if reader.mistakes.is_empty() { Ok(raw) } else { Err(reader.mistakes) }
}

struct Reader {
    mistakes: Vec<SpecError>,
    /// Whether `EBCDIC` and whether `EBCDIC1047` is named.
    pages: [bool; 2],
}

impl Reader {
    fn add(&mut self, key: &str, problem: impl ToString) {
        self.mistakes.push(mistake(key, problem));
    }

    fn spec(&mut self, document: &Document) -> RawSpec {
        let name = Some(document.name.trim()).filter(|name| !name.is_empty());
        let mut raw =
            RawSpec { name: name.unwrap_or("moov-import").to_owned(), ..RawSpec::default() };
        match document.fields.get("0") {
            Some(mti) => self.mti(mti, &mut raw),
            None => self.add("fields.0", "field 0, the message type, is needed"),
        }
        for (key, described) in &document.fields {
            let at = format!("fields.{key}");
            match key.parse() {
                Ok(0 | 1) => {}
                Ok(number @ 2..=crate::iso8583::FIELD_MAX) => {
                    if let Some(field) = self.field(&at, described) {
                        raw.fields.insert(Number(number), field);
                    }
                }
                _ => self.add(&at, "a field is a number of 0 to 192"),
            }
        }
        match document.fields.get("1") {
            Some(bitmap) => self.bitmap(bitmap, &mut raw),
            None => self.add("fields.1", "field 1, the bitmap, is needed"),
        }
        raw.code_page = match self.pages {
            [false, false] => None,
            [true, false] => Some("cp500".to_owned()),
            [false, true] => Some("cp1047".to_owned()),
            [true, true] => {
                self.add("fields", "`EBCDIC` and `EBCDIC1047` are two code pages; one is needed");
                None
            }
        };
        raw
    }

    fn mti(&mut self, described: &Described, raw: &mut RawSpec) {
        let Some(encoding) = self.encoding("fields.0.enc", &described.enc) else { return };
        raw.mti = encoding.name.to_owned();
        if described.length != Some(4) {
            self.add("fields.0.length", "the message type is four digits");
        }
    }

    fn bitmap(&mut self, described: &Described, raw: &mut RawSpec) {
        if let Some(encoding) = self.bitmap_encoding("fields.1", described) {
            raw.bitmap = encoding.to_owned();
        }
        // The encoding had this name while the length said nothing: a bitmap was eight bytes, and
        // another where bit 1 was set. So examples/specs/spec87ascii.json of 2022 has it.
        let length = described.length.filter(|_| described.enc != "Hex");
        let bitmaps = match (described.disable_auto_expand, length) {
            // Whoever states sixteen bytes always writes sixteen, and leaves bit 1 alone.
            (false, Some(16)) => Some("always_128"),
            (false, _) => None,
            (true, None | Some(8)) => Some("single"),
            (true, Some(16)) => Some("always_128"),
            (true, Some(_)) => {
                return self
                    .add("fields.1.length", "a bitmap that does not grow has 8 or 16 bytes");
            }
        };
        raw.bitmaps = bitmaps.map(str::to_owned);
        if raw.fields.keys().any(|number| number.0 > 128) {
            raw.third_bitmap = Some("contiguous".to_owned());
        }
    }

    fn field(&mut self, key: &str, described: &Described) -> Option<RawField> {
        let mut raw = RawField { name: described.description.clone(), ..RawField::default() };
        if described.kind == "Composite" {
            raw.encoding = Some("raw".to_owned());
            self.length(key, described, &mut raw)?;
            raw.parts = Some(Box::new(self.composite(key, described)?));
            return Some(raw);
        }
        self.kind_of(key, described);
        let encoding = self.encoding(&format!("{key}.enc"), &described.enc)?;
        raw.encoding = Some(encoding.name.to_owned());
        raw.odd = encoding.odd.map(str::to_owned);
        self.length(key, described, &mut raw)?;
        raw.pad = self.padding(key, described.padding.as_ref());
        Some(raw)
    }

    fn kind_of(&mut self, key: &str, described: &Described) {
        if !names::TYPES.contains(&described.kind.as_str()) {
            let problem = format!("type `{}` is not known here", described.kind);
            self.add(&format!("{key}.type"), problem);
        }
    }

    fn length(&mut self, key: &str, described: &Described, raw: &mut RawField) -> Option<()> {
        let prefix = self.prefix(&format!("{key}.prefix"), &described.prefix)?;
        let key = format!("{key}.length");
        let Some(length) = described.length else {
            self.add(&key, "`length` is needed");
            return None;
        };
        let Some((encoding, digits)) = prefix else {
            raw.length = u16::try_from(length).ok();
            if raw.length.is_none() {
                self.add(&key, "a fixed length is at most 65535");
            }
            return raw.length.map(|_| ());
        };
        let base = match encoding {
            "binary" => 256,
            "hex" => 16,
            _ => 10,
        };
        raw.length_max = Some(reachable(length, digits, base));
        raw.length_digits = Some(digits);
        raw.length_encoding = Some(encoding.to_owned());
        raw.length_counts = Some("units".to_owned());
        Some(())
    }

    fn padding(&mut self, key: &str, padding: Option<&Padding>) -> Option<String> {
        let padding = padding?;
        let name = match (padding.kind.as_str(), padding.pad.as_str()) {
            ("None", _) => return None,
            ("Left", "0") => "left0",
            ("Left", " ") => "left_space",
            ("Right", " ") => "right_space",
            ("Left" | "Right", _) => {
                let problem = "only zeros or spaces in front, or spaces behind, can be said here";
                self.add(&format!("{key}.padding.pad"), problem);
                return None;
            }
            (kind, _) => {
                self.add(&format!("{key}.padding.type"), format!("`{kind}` is not known"));
                return None;
            }
        };
        Some(name.to_owned())
    }
}
