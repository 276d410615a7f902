//! The written form as TOML that people like to read: one line for each simple field.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::raw::{Number, RawDefaults, RawField, RawParts, RawSpec};
use crate::iso8583::content::Content;

impl RawSpec {
    /// The text of a file in the form of `config/iso8583`; reading it gives the same specification.
    ///
    /// Shape: head, defaults by class, fields in order of number; fields made of fields follow in
    ///        tables of their own.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        lines(&mut out, self.head());
        for (content, defaults) in &self.defaults {
            section(&mut out, &format!("defaults.{}", text(content.name())));
            lines(&mut out, of_defaults(defaults));
        }
        fields(&mut out, "fields", numbered(&self.fields));
        out
    }

    fn head(&self) -> Pairs {
        let mut pairs = Pairs::default();
        pairs.text("name", Some(&self.name));
        pairs.text("description", self.description.as_ref());
        pairs.text("framing", self.framing.as_ref());
        pairs.number("header_length", self.header_length);
        pairs.text("mti", Some(&self.mti));
        pairs.text("mti_content", self.mti_content.as_ref());
        pairs.text("bitmap", Some(&self.bitmap));
        pairs.text("bitmaps", self.bitmaps.as_ref());
        pairs.text("third_bitmap", self.third_bitmap.as_ref());
        pairs.text("code_page", self.code_page.as_ref());
        pairs.text("trailing_bytes", self.trailing_bytes.as_ref());
        pairs
    }
}

/// Keys with their values, those that are absent left out.
#[derive(Default)]
struct Pairs(Vec<String>);

impl Pairs {
    fn text(&mut self, key: &str, value: Option<&String>) {
        self.0.extend(value.map(|value| format!("{key} = {}", text(value))));
    }

    fn number(&mut self, key: &str, value: Option<impl Display>) {
        self.0.extend(value.map(|value| format!("{key} = {value}")));
    }

    fn flag(&mut self, key: &str, is_set: bool) {
        self.0.extend(is_set.then(|| format!("{key} = true")));
    }

    /// All of them between braces.
    fn inline(&self) -> String {
        if self.0.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", self.0.join(", ")) }
    }
}

fn of_defaults(defaults: &RawDefaults) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.text("encoding", defaults.encoding.as_ref());
    pairs.text("length_encoding", defaults.length_encoding.as_ref());
    pairs.text("length_counts", defaults.length_counts.as_ref());
    pairs.text("odd", defaults.odd.as_ref());
    pairs.text("letters", defaults.letters.as_ref());
    pairs.text("pad", defaults.pad.as_ref());
    pairs
}

/// Everything of a field but its parts.
fn of_field(field: &RawField) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.text("name", Some(&field.name).filter(|name| !name.is_empty()));
    let content = (field.content != Content::Any).then(|| field.content.name().to_owned());
    pairs.text("content", content.as_ref());
    pairs.text("encoding", field.encoding.as_ref());
    pairs.number("length", field.length);
    pairs.number("length_max", field.length_max);
    pairs.number("length_digits", field.length_digits);
    pairs.text("length_encoding", field.length_encoding.as_ref());
    pairs.text("length_counts", field.length_counts.as_ref());
    pairs.flag("length_includes_itself", field.length_includes_itself);
    pairs.text("odd", field.odd.as_ref());
    pairs.text("letters", field.letters.as_ref());
    pairs.text("pad", field.pad.as_ref());
    pairs.flag("secret", field.secret);
    pairs.flag("mac", field.mac);
    pairs
}

/// Everything of parts but the fields in them.
fn of_parts(parts: &RawParts) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.text("kind", Some(&parts.kind));
    pairs.flag("optional_tail", parts.optional_tail);
    pairs.number("header_length", parts.header_length);
    pairs.text("bitmap", parts.bitmap.as_ref());
    pairs.number("bitmap_bytes", parts.bitmap_bytes);
    pairs.flag("skip_first_bit", parts.skip_first_bit);
    pairs.flag("bitmap_grows", parts.bitmap_grows);
    let tags = parts.secret_tags.as_ref().map(|tags| {
        let tags: Vec<String> = tags.iter().map(|tag| text(tag)).collect();
        format!("[{}]", tags.join(", "))
    });
    pairs.number("secret_tags", tags);
    pairs.number("tag_length", parts.tag_length);
    pairs.number("length_digits", parts.length_digits);
    pairs.text("length_encoding", parts.length_encoding.as_ref());
    pairs.flag("length_includes_itself", parts.length_includes_itself);
    pairs.flag("length_includes_tag", parts.length_includes_tag);
    pairs.text("order", parts.order.as_ref());
    pairs.text("encoding", parts.encoding.as_ref());
    pairs.text("tag_encoding", parts.tag_encoding.as_ref());
    pairs.text("value_encoding", parts.value_encoding.as_ref());
    pairs.flag("or_bytes", parts.or_bytes);
    pairs
}

/// Fields with the keys they have in their table.
type Keyed<'a> = Vec<(String, &'a RawField)>;

fn numbered(fields: &BTreeMap<Number, RawField>) -> Keyed<'_> {
    fields.iter().map(|(number, field)| (number.to_string(), field)).collect()
}

fn named(fields: &BTreeMap<String, RawField>) -> Keyed<'_> {
    fields.iter().map(|(name, field)| (text(name), field)).collect()
}

/// A table of fields: first those that fit on a line, then a table each for the others.
fn fields(out: &mut String, path: &str, fields: Keyed<'_>) {
    section(out, path);
    for (key, field) in &fields {
        let mut pairs = of_field(field);
        match &field.parts {
            Some(parts) if holds_fields(parts) => continue,
            Some(parts) => pairs.number("parts", Some(of_parts(parts).inline())),
            None => {}
        }
        line(out, &format!("{key} = {}", pairs.inline()));
    }
    for (key, field) in &fields {
        if let Some(parts) = field.parts.as_ref().filter(|parts| holds_fields(parts)) {
            section(out, &format!("{path}.{key}"));
            lines(out, of_field(field));
            made_of(out, &format!("{path}.{key}.parts"), parts);
        }
    }
}

fn made_of(out: &mut String, path: &str, parts: &RawParts) {
    section(out, path);
    lines(out, of_parts(parts));
    if !parts.fields.is_empty() {
        fields(out, &format!("{path}.fields"), numbered(&parts.fields));
    }
    if !parts.tags.is_empty() {
        fields(out, &format!("{path}.tags"), named(&parts.tags));
    }
    for (id, set) in &parts.sets {
        fields(out, &format!("{path}.sets.{}.fields", text(id)), numbered(&set.fields));
    }
}

fn holds_fields(parts: &RawParts) -> bool {
    !parts.fields.is_empty() || !parts.tags.is_empty() || !parts.sets.is_empty()
}

fn section(out: &mut String, path: &str) {
    line(out, &format!("\n[{path}]"));
}

fn lines(out: &mut String, pairs: Pairs) {
    pairs.0.iter().for_each(|pair| line(out, pair));
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("invariant: a string takes all that is written");
}

fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = r#"name = "x"
description = "a \"quoted\" thing"
mti = "bcd"
bitmap = "binary"

[defaults."x+n"]
encoding = "signed_bcd"
length_counts = "digits"

[fields]
2 = { name = "PAN", content = "n", encoding = "bcd", length_max = 19, length_digits = 2, length_counts = "digits", secret = true }
55 = { name = "chip", content = "b", length_max = 255, length_digits = 3, parts = { kind = "ber_tlv", secret_tags = ["5A"] } }
64 = { name = "MAC", content = "b", length = 8, mac = true }

[fields.48]
length_max = 999
length_digits = 3

[fields.48.parts]
kind = "bitmapped"
bitmap_bytes = 2

[fields.48.parts.fields]
2 = { name = "city", length = 13 }

[fields.48.parts.fields.3]
length = 4

[fields.48.parts.fields.3.parts]
kind = "positional"

[fields.48.parts.fields.3.parts.fields]
1 = { length = 2 }
2 = { length = 2 }

[fields.63]
length_max = 250
length_digits = 1
length_encoding = "binary"
length_includes_itself = true

[fields.63.parts]
kind = "tagged"
tag_length = 1
length_digits = 2
length_encoding = "binary"
length_includes_tag = true
tag_encoding = "raw"
value_encoding = "raw"

[fields.63.parts.fields]
0 = { length = 1 }

[fields.63.parts.tags]
"02" = { length = 4 }

[fields.63.parts.tags."01"]
length_max = 99
length_digits = 2

[fields.63.parts.tags."01".parts]
kind = "bitmapped"
bitmap_bytes = 8
bitmap_grows = true

[fields.63.parts.tags."01".parts.fields]
2 = { length = 2 }
"#;

    #[test]
    fn a_written_form_is_written_again_as_it_was() {
        let (raw, mistakes) = RawSpec::from_toml(WRITTEN);
        assert_eq!(mistakes, []);
        let raw = raw.expect("read");
        // Strings are quoted as TOML's own writer prefers.
        let plain = |text: &str| text.replace("'a \"quoted\" thing'", "\"a \\\"quoted\\\" thing\"");
        assert_eq!(plain(&raw.to_toml()), WRITTEN);
        assert_eq!(RawSpec::from_toml(&raw.to_toml()), (Some(raw), Vec::new()));
    }
}
