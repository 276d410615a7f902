//! From a TOML file to a [`Spec`], with every mistake reported at once.

use serde::Deserialize;
use toml::Table;

use super::{Bitmap, Encoding, Field, Length, Spec, SpecError};
use crate::iso8583::content::Content;

/// The file, apart from its fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpec {
    name: String,
    mti: String,
    bitmap: String,
    fields: Table,
}

/// One field: `{ name, content, encoding?, length | length_max + length_digits, secret? }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    name: String,
    content: Content,
    encoding: Option<String>,
    length: Option<u16>,
    length_max: Option<u16>,
    length_digits: Option<u8>,
    length_encoding: Option<String>,
    #[serde(default)]
    secret: bool,
}

struct Mistakes(Vec<SpecError>);

impl Mistakes {
    fn add(&mut self, key: &str, problem: impl ToString) {
        self.0.push(SpecError { key: key.to_owned(), problem: problem.to_string() });
    }
}

pub(super) fn from_toml(toml: &str) -> Result<Spec, Vec<SpecError>> {
    let mut mistakes = Mistakes(Vec::new());
    let raw: RawSpec = match toml::from_str(toml) {
        Ok(raw) => raw,
        Err(error) => {
            mistakes.add("", error.to_string().trim_end());
            return Err(mistakes.0);
        }
    };
    if raw.mti != "ascii" {
        mistakes.add("mti", unknown(&raw.mti, "ascii"));
    }
    let bitmap = match raw.bitmap.as_str() {
        "binary" => Bitmap::Binary,
        "hex" => Bitmap::Hex,
        other => {
            mistakes.add("bitmap", unknown(other, "binary, hex"));
            Bitmap::Binary
        }
    };
    let mut spec = Spec::new(raw.name.into_boxed_str(), bitmap);
    for (key, value) in raw.fields {
        let key_path = format!("fields.{key}");
        let Some(number) = key.parse().ok().filter(|number| (2..=128).contains(number)) else {
            mistakes.add(&key_path, "a field is a number of 2 to 128; a third bitmap is not read");
            continue;
        };
        match value.try_into() {
            Ok(raw) => add_field(&mut spec, number, raw, &mut mistakes),
            Err(error) => mistakes.add(&key_path, error.to_string().trim_end()),
        }
    }
    if mistakes.0.is_empty() { Ok(spec) } else { Err(mistakes.0) }
}

fn add_field(spec: &mut Spec, number: u8, raw: RawField, mistakes: &mut Mistakes) {
    let key = |name: &str| format!("fields.{number}.{name}");
    let length = length(&raw);
    let encoding = encoding(&raw);
    if let Some(other) = raw.length_encoding.as_deref().filter(|name| *name != "ascii") {
        mistakes.add(&key("length_encoding"), unknown(other, "ascii"));
    }
    match (length, encoding) {
        (Ok(length), Ok(encoding)) => {
            let Content::Binary = raw.content else {
                if encoding != Encoding::Ascii {
                    mistakes.add(&key("encoding"), "only content `b` is written raw or in hex");
                }
                return define(spec, number, &raw, Field::of(length, encoding, &raw));
            };
            define(spec, number, &raw, Field::of(length, encoding, &raw));
        }
        (length, encoding) => {
            length.err().into_iter().for_each(|problem| mistakes.add(&key("length"), problem));
            encoding.err().into_iter().for_each(|problem| mistakes.add(&key("encoding"), problem));
        }
    }
}

fn define(spec: &mut Spec, number: u8, raw: &RawField, field: Field) {
    spec.define(number, raw.name.as_str().into(), field);
}

impl Field {
    fn of(length: Length, encoding: Encoding, raw: &RawField) -> Self {
        Self { length, encoding, content: raw.content, secret: raw.secret }
    }
}

fn length(raw: &RawField) -> Result<Length, String> {
    match (raw.length, raw.length_max, raw.length_digits) {
        (Some(1..), None, None) => Ok(Length::Fixed(raw.length.unwrap_or(1))),
        (None, Some(max @ 1..), Some(digits @ 1..=4)) => {
            let most = 10_u16.pow(u32::from(digits)) - 1;
            if max > most {
                return Err(format!("length_max {max} needs more than {digits} digits"));
            }
            Ok(Length::Variable { max, digits })
        }
        (None, Some(1..), Some(_)) => Err("length_digits must be 1 to 4".to_owned()),
        (Some(0), ..) | (_, Some(0), _) => Err("a length of 0 holds nothing".to_owned()),
        _ => Err("either `length`, or `length_max` and `length_digits`, is needed".to_owned()),
    }
}

/// What a field's encoding is when not stated: ASCII for characters, raw for bytes.
fn encoding(raw: &RawField) -> Result<Encoding, String> {
    match (raw.encoding.as_deref(), raw.content) {
        (None, Content::Binary) | (Some("raw"), _) => Ok(Encoding::Raw),
        (Some("ascii"), Content::Binary) => Err("content `b` is written raw or in hex".to_owned()),
        (None | Some("ascii"), _) => Ok(Encoding::Ascii),
        (Some("hex"), _) => Ok(Encoding::Hex),
        (Some(other), _) => Err(unknown(other, "ascii, raw, hex")),
    }
}

/// BCD and EBCDIC are known names that this engine does not read yet; others are typing mistakes.
fn unknown(given: &str, allowed: &str) -> String {
    match given {
        "bcd" | "ebcdic" => format!("`{given}` is not supported; supported: {allowed}"),
        _ => format!("`{given}` is not known; known: {allowed}"),
    }
}
