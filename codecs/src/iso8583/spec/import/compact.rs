//! The compact JSON form: one object with short keys, as test suites of several projects share it.
//!
//! Shape: `{"name", "mti": "ascii|bcd|ebcdic", "bitmap": "binary|hex|ebcdic_hex", "bitmaps": 1..3,
//!        "bitmap_fixed": 2, "header": bytes, "framing": "len2be", "fields": {"2": field, …}}`; a
//!        field is `{"len", "var": digits of length, "lenc": "ascii|bcd|ebcdic|bin", "enc", "odd",
//!        "nib", "bytes", "t2", "map", "pad", "sub"}`. EBCDIC is code page 037 unless `code_page`
//!        says otherwise.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{SpecError, mistake, reachable};
use crate::iso8583::spec::raw::{Number, RawField, RawParts, RawSpec};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compact {
    #[serde(default)]
    name: String,
    #[serde(default)]
    note: Option<String>,
    mti: String,
    bitmap: String,
    bitmaps: Option<u8>,
    bitmap_fixed: Option<u8>,
    code_page: Option<String>,
    #[serde(default)]
    header: u16,
    framing: Option<String>,
    fields: BTreeMap<Number, CompactField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompactField {
    #[serde(default)]
    name: String,
    len: u32,
    #[serde(default)]
    var: u8,
    #[serde(default)]
    lenc: Option<String>,
    lenbytes: Option<u8>,
    #[serde(default)]
    enc: Option<String>,
    odd: Option<String>,
    #[serde(default)]
    nib: bool,
    #[serde(default)]
    bytes: bool,
    #[serde(default)]
    t2: bool,
    #[serde(default)]
    map: BTreeMap<char, char>,
    pad: Option<String>,
    sub: Option<CompactSub>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum CompactSub {
    BerTlv {},
    Positional {
        fields: BTreeMap<Number, CompactField>,
    },
    Bitmapped {
        #[serde(default)]
        header: u8,
        bitmap: String,
        size: u8,
        #[serde(default)]
        skip1: bool,
        fields: BTreeMap<Number, CompactField>,
    },
    Tagged {
        tag: u8,
        len: u8,
    },
}

/// Reads the compact form.
pub(super) fn read(json: &str) -> Result<RawSpec, Vec<SpecError>> {
    let compact: Compact = serde_json::from_str(json).map_err(|error| vec![mistake("", error)])?;
    let (bitmaps, third) = match (compact.bitmap_fixed, compact.bitmaps) {
        (Some(2), None | Some(2)) => ("always_128", None),
        (Some(2), Some(3)) => ("always_128", Some("contiguous")),
        (None, None | Some(2)) => ("auto", None),
        (None, Some(3)) => ("auto", Some("contiguous")),
        (None, Some(1)) => ("single", None),
        (Some(_), _) => return Err(vec![mistake("bitmap_fixed", "only 2 is known")]),
        (None, Some(_)) => return Err(vec![mistake("bitmaps", "1 to 3 are known")]),
    };
    let mut mistakes = Vec::new();
    let fields = fields("fields", compact.fields, &mut mistakes);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(RawSpec {
        name: compact.name,
        description: compact.note,
        // The name that this form has for the preset.
        framing: compact.framing.map(|name| match name.as_str() {
            "len2be" => "binary2".to_owned(),
            _ => name,
        }),
        header_length: Some(compact.header).filter(|length| *length > 0),
        mti: compact.mti,
        mti_content: None,
        bitmap: compact.bitmap,
        bitmaps: Some(bitmaps.to_owned()),
        third_bitmap: third.map(str::to_owned),
        code_page: Some(compact.code_page.unwrap_or_else(|| "cp037".to_owned())),
        trailing_bytes: None,
        defaults: BTreeMap::new(),
        fields,
    })
}

fn fields(
    key: &str,
    compact: BTreeMap<Number, CompactField>,
    mistakes: &mut Vec<SpecError>,
) -> BTreeMap<Number, RawField> {
    let raw = |(number, field): (Number, CompactField)| {
        let raw = field_of(&format!("{key}.{number}"), field, mistakes)?;
        Some((number, raw))
    };
    compact.into_iter().filter_map(raw).collect()
}

fn field_of(key: &str, compact: CompactField, mistakes: &mut Vec<SpecError>) -> Option<RawField> {
    let mut raw = RawField {
        name: compact.name,
        encoding: Some(match compact.enc.as_deref() {
            Some("x_bcd") => "signed_bcd".to_owned(),
            Some(name) => name.to_owned(),
            None => "ascii".to_owned(),
        }),
        odd: compact.odd,
        letters: letters(compact.t2, &compact.map),
        pad: match compact.pad.as_deref() {
            None | Some("none") => None,
            Some("rightsp") => Some("right_space".to_owned()),
            Some("leftsp") => Some("left_space".to_owned()),
            Some(name) => Some(name.to_owned()),
        },
        parts: compact.sub.map(|sub| Box::new(parts(key, sub, mistakes))),
        ..RawField::default()
    };
    if compact.var == 0 {
        let Ok(length) = u16::try_from(compact.len) else {
            mistakes.push(mistake(&format!("{key}.len"), "at most 65535"));
            return None;
        };
        raw.length = Some(length);
        return Some(raw);
    }
    let is_binary = compact.lenc.as_deref() == Some("bin");
    let digits = if is_binary { compact.lenbytes.unwrap_or(1) } else { compact.var };
    raw.length_digits = Some(digits);
    raw.length_max = Some(reachable(compact.len, digits, if is_binary { 256 } else { 10 }));
    raw.length_encoding = if is_binary { Some("binary".to_owned()) } else { compact.lenc };
    raw.length_counts = Some(match (compact.nib, compact.bytes) {
        (true, _) => "nibbles".to_owned(),
        (false, true) => "bytes".to_owned(),
        (false, false) => "units".to_owned(),
    });
    Some(raw)
}

/// The characters of the half bytes A to F.
fn letters(track2: bool, map: &BTreeMap<char, char>) -> Option<String> {
    if !track2 && map.is_empty() {
        return None;
    }
    let letter = |nibble: char| match map.get(&nibble) {
        Some(letter) => *letter,
        None if track2 && nibble == 'D' => '=',
        None => nibble,
    };
    Some(('A'..='F').map(letter).collect())
}

fn parts(key: &str, sub: CompactSub, mistakes: &mut Vec<SpecError>) -> RawParts {
    let key = format!("{key}.sub.fields");
    match sub {
        CompactSub::BerTlv {} => RawParts { kind: "ber_tlv".to_owned(), ..RawParts::default() },
        CompactSub::Positional { fields } => RawParts {
            kind: "positional".to_owned(),
            fields: self::fields(&key, fields, mistakes),
            ..RawParts::default()
        },
        CompactSub::Bitmapped { header, bitmap, size, skip1, mut fields } => {
            if skip1 {
                // Its bit announces nothing, so that it never comes.
                fields.remove(&Number(1));
            }
            RawParts {
                kind: "bitmapped".to_owned(),
                header_length: Some(header).filter(|length| *length > 0),
                bitmap: Some(bitmap),
                bitmap_bytes: Some(size),
                skip_first_bit: skip1,
                fields: self::fields(&key, fields, mistakes),
                ..RawParts::default()
            }
        }
        CompactSub::Tagged { tag, len } => RawParts {
            kind: "tagged".to_owned(),
            tag_length: Some(tag),
            length_digits: Some(len),
            ..RawParts::default()
        },
    }
}
