//! From the written form to a [`Spec`], with every mistake reported at once.

use std::collections::BTreeMap;

use super::raw::{Number, RawDefaults, RawField, RawSpec};
use super::{BitmapEncoding, Bitmaps, FIELDS, MtiEncoding, Spec, SpecError, ThirdBitmap, Trailing};
use crate::iso8583::composite::Composite;
use crate::iso8583::content::Content;
use crate::iso8583::ebcdic::Page;
use crate::iso8583::field::{
    Bcd, Counts, Encoding, Field, Length, Odd, Pad, Prefix, PrefixEncoding,
};
use crate::iso8583::index::Walk;

mod parts;
mod tables;

pub(super) fn compile(raw: &RawSpec) -> Result<Spec, Vec<SpecError>> {
    let mut mistakes = Mistakes(Vec::new());
    let page = raw.code_page.as_deref().and_then(|name| {
        mistakes.known("code_page", name, &Page::ALL.map(|page| (page.name(), page)))
    });
    let mut head = Spec {
        name: raw.name.as_str().into(),
        header_len: raw.header_length.unwrap_or(0),
        mti: mti(raw, page, &mut mistakes),
        mti_content: mti_content(raw, &mut mistakes),
        bitmap: bitmap("bitmap", &raw.bitmap, page, &mut mistakes),
        bitmaps: bitmaps(raw, &mut mistakes),
        third: third(raw, &mut mistakes),
        trailing: trailing(raw, &mut mistakes),
        fields: Box::new([None; FIELDS]),
        walks: Box::new([Walk::UNDEFINED; FIELDS]),
        composites: Box::default(),
        names: vec![Box::from(""); FIELDS].into_boxed_slice(),
        framing: raw.framing.as_deref().map(Box::from),
    };
    let mut maker =
        Maker { page, defaults: &raw.defaults, composites: Vec::new(), mistakes: &mut mistakes };
    for (Number(number), field) in &raw.fields {
        let at = usize::from(*number);
        let key = format!("fields.{number}");
        if !(2..FIELDS).contains(&at) {
            maker.mistakes.add(&key, "a field is a number of 2 to 192");
            continue;
        }
        head.names[at] = field.name.as_str().into();
        head.fields[at] = maker.field(&key, field, 0);
        head.walks[at] = head.fields[at].as_ref().map_or(Walk::UNDEFINED, Walk::of);
    }
    head.composites = maker.composites.into_boxed_slice();
    if mistakes.0.is_empty() { Ok(head) } else { Err(mistakes.0) }
}

struct Mistakes(Vec<SpecError>);

impl Mistakes {
    fn add(&mut self, key: &str, problem: impl ToString) {
        self.0.push(SpecError { key: key.to_owned(), problem: problem.to_string() });
    }

    /// The value of a name; a mistake that lists the names where it is none of them.
    fn known<T: Copy>(&mut self, key: &str, name: &str, names: &[(&str, T)]) -> Option<T> {
        let found = names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
            self.add(key, format!("`{name}` is not known; known: {}", known.join(", ")));
        }
        found
    }

    /// The code page, without which nothing can be EBCDIC.
    fn paged(&mut self, key: &str, page: Option<Page>) -> Page {
        page.unwrap_or_else(|| {
            self.add(key, "`ebcdic` needs a `code_page`: cp037, cp500 or cp1047");
            Page::Cp037
        })
    }
}

fn mti(raw: &RawSpec, page: Option<Page>, mistakes: &mut Mistakes) -> MtiEncoding {
    let names = [("ascii", 0), ("bcd", 1), ("ebcdic", 2)];
    match mistakes.known("mti", &raw.mti, &names) {
        Some(1) => MtiEncoding::Bcd,
        Some(2) => MtiEncoding::Ebcdic(mistakes.paged("mti", page)),
        _ => MtiEncoding::Ascii,
    }
}

fn mti_content(raw: &RawSpec, mistakes: &mut Mistakes) -> Content {
    let names = [("n", Content::Numeric), ("any", Content::Any)];
    let name = raw.mti_content.as_deref().unwrap_or("n");
    mistakes.known("mti_content", name, &names).unwrap_or(Content::Numeric)
}

fn bitmap(key: &str, name: &str, page: Option<Page>, mistakes: &mut Mistakes) -> BitmapEncoding {
    let names = [("binary", 0), ("hex", 1), ("ebcdic_hex", 2)];
    match mistakes.known(key, name, &names) {
        Some(1) => BitmapEncoding::Hex,
        Some(2) => BitmapEncoding::EbcdicHex(mistakes.paged(key, page)),
        _ => BitmapEncoding::Binary,
    }
}

fn bitmaps(raw: &RawSpec, mistakes: &mut Mistakes) -> Bitmaps {
    let names =
        [("single", Bitmaps::Single), ("auto", Bitmaps::Auto), ("always_128", Bitmaps::Always128)];
    let name = raw.bitmaps.as_deref().unwrap_or("auto");
    mistakes.known("bitmaps", name, &names).unwrap_or(Bitmaps::Auto)
}

fn third(raw: &RawSpec, mistakes: &mut Mistakes) -> ThirdBitmap {
    let names = [
        ("none", ThirdBitmap::None),
        ("contiguous", ThirdBitmap::Contiguous),
        ("in_field_65", ThirdBitmap::InField65),
    ];
    let name = raw.third_bitmap.as_deref().unwrap_or("none");
    let third = mistakes.known("third_bitmap", name, &names).unwrap_or(ThirdBitmap::None);
    if third != ThirdBitmap::None && raw.bitmaps.as_deref() == Some("single") {
        mistakes.add("third_bitmap", "a third bitmap needs a second one");
    }
    let defines = |number| raw.fields.contains_key(&Number(number));
    if third != ThirdBitmap::None && defines(65) {
        mistakes.add("fields.65", "field 65 announces or is the third bitmap, it is no field");
    }
    if third == ThirdBitmap::None && (129..=super::FIELD_MAX).any(defines) {
        mistakes.add("third_bitmap", "fields above 128 need a third bitmap");
    }
    third
}

fn trailing(raw: &RawSpec, mistakes: &mut Mistakes) -> Trailing {
    let names = [("refused", Trailing::Refused), ("ignored", Trailing::Ignored)];
    let name = raw.trailing_bytes.as_deref().unwrap_or("refused");
    mistakes.known("trailing_bytes", name, &names).unwrap_or(Trailing::Refused)
}

/// Makes fields and the composites they are made of.
struct Maker<'a> {
    page: Option<Page>,
    defaults: &'a BTreeMap<Content, RawDefaults>,
    composites: Vec<Composite>,
    mistakes: &'a mut Mistakes,
}

impl Maker<'_> {
    fn field(&mut self, key: &str, raw: &RawField, depth: usize) -> Option<Field> {
        let defaults = self.defaults.get(&raw.content).cloned().unwrap_or_default();
        let of = |own: &Option<String>, default: Option<String>| own.clone().or(default);
        let encoding = self.encoding(key, raw, &defaults)?;
        let length_encoding = of(&raw.length_encoding, defaults.length_encoding);
        let length_counts = of(&raw.length_counts, defaults.length_counts);
        let length = self.length(key, raw, length_encoding, length_counts, encoding)?;
        let pad = self.pad(key, of(&raw.pad, defaults.pad))?;
        let key_of_parts = format!("{key}.parts");
        let parts = match &raw.parts {
            Some(parts) => Some(self.composite(&key_of_parts, parts, depth)?),
            None if tables::is_so_named(raw, encoding) => {
                Some(self.composite(&key_of_parts, &tables::parts(), depth)?)
            }
            None => None,
        };
        if parts.is_some() && raw.parts.as_ref().is_some_and(|parts| parts.or_bytes) {
            self.bytes_alone(&key_of_parts, raw, encoding);
        }
        if parts.is_some() && matches!(encoding, Encoding::Bcd(_) | Encoding::SignedBcd(_)) {
            let problem = "a field made of parts is written in bytes; let its parts be BCD";
            self.mistakes.add(&format!("{key}.encoding"), problem);
            return None;
        }
        let RawField { content, secret, mac, .. } = *raw;
        let field = Field { length, encoding, content, pad, secret, mac, parts };
        self.parts_add_up(key, &field);
        Some(field)
    }

    /// The parts of a field of fixed length, one after the other, are as long as the field.
    fn parts_add_up(&mut self, key: &str, field: &Field) {
        let composite = field.parts.map(|at| &self.composites[usize::from(at)]);
        let (Length::Fixed(length), Some(Composite::Positional { parts, .. })) =
            (field.length, composite)
        else {
            return;
        };
        let have = match field.encoding {
            Encoding::Hex | Encoding::EbcdicHex(_) => usize::from(length),
            _ => field.wire_len(usize::from(length)),
        };
        let sum = parts.iter().try_fold(0, |sum, part| match part.field.length {
            Length::Fixed(length) => Some(sum + part.field.wire_len(usize::from(length))),
            Length::Variable(_) => None,
        });
        if let Some(sum) = sum.filter(|sum| *sum != have) {
            let problem = format!("the parts add up to {sum} bytes, the field has {have}");
            self.mistakes.add(&format!("{key}.length"), problem);
        }
    }

    /// What a field's encoding is when not stated: ASCII for characters, raw for bytes.
    fn encoding(&mut self, key: &str, raw: &RawField, of: &RawDefaults) -> Option<Encoding> {
        let key = format!("{key}.encoding");
        let stated = raw.encoding.as_deref().or(of.encoding.as_deref());
        let name = stated.unwrap_or(match raw.content {
            Content::Binary => "raw",
            _ => "ascii",
        });
        let names = [
            ("ascii", 0),
            ("ebcdic", 1),
            ("bcd", 2),
            ("signed_bcd", 3),
            ("raw", 4),
            ("hex", 5),
            ("ebcdic_hex", 6),
        ];
        let choice = self.mistakes.known(&key, name, &names)?;
        let encoding = match choice {
            0 => Encoding::Ascii,
            1 => Encoding::Ebcdic(self.mistakes.paged(&key, self.page)),
            2 => Encoding::Bcd(self.bcd(&key, raw, of)?),
            3 => Encoding::SignedBcd(self.bcd(&key, raw, of)?),
            4 => Encoding::Raw,
            5 => Encoding::Hex,
            _ => Encoding::EbcdicHex(self.mistakes.paged(&key, self.page)),
        };
        let fits = match (raw.content, encoding) {
            (Content::Any, _) => true,
            (Content::Binary, encoding) => encoding.is_bytes() || raw.parts.is_some(),
            (Content::SignedNumeric, Encoding::Bcd(_)) => false,
            (content, Encoding::SignedBcd(_)) => content == Content::SignedNumeric,
            (Content::Numeric | Content::Track, Encoding::Bcd(_)) => true,
            (_, Encoding::Ascii | Encoding::Ebcdic(_)) => true,
            (_, _) => false,
        };
        if !fits {
            let class = raw.content.name();
            self.mistakes.add(&key, format!("content `{class}` is not written in `{name}`"));
        }
        fits.then_some(encoding)
    }

    fn bcd(&mut self, key: &str, raw: &RawField, of: &RawDefaults) -> Option<Bcd> {
        let names = [
            ("left0", Odd::Left(0)),
            ("right0", Odd::Right(0)),
            ("leftF", Odd::Left(0xF)),
            ("rightF", Odd::Right(0xF)),
        ];
        let odd = raw.odd.as_deref().or(of.odd.as_deref()).unwrap_or("left0");
        let odd = self.mistakes.known(&key.replace("encoding", "odd"), odd, &names)?;
        let default = if raw.content == Content::Track { "ABC=EF" } else { "ABCDEF" };
        let letters = raw.letters.as_deref().or(of.letters.as_deref()).unwrap_or(default);
        let Ok(letters) = letters.as_bytes().try_into() else {
            let problem = "six characters are needed, for the half bytes A to F";
            self.mistakes.add(&key.replace("encoding", "letters"), problem);
            return None;
        };
        Some(Bcd { odd, letters })
    }

    fn pad(&mut self, key: &str, name: Option<String>) -> Option<Pad> {
        let names = [
            ("none", Pad::None),
            ("left0", Pad::LeftZero),
            ("left_space", Pad::LeftSpace),
            ("right_space", Pad::RightSpace),
        ];
        let name = name.unwrap_or_else(|| "none".to_owned());
        self.mistakes.known(&format!("{key}.pad"), &name, &names)
    }

    fn length(
        &mut self,
        key: &str,
        raw: &RawField,
        encoding_name: Option<String>,
        counts: Option<String>,
        encoding: Encoding,
    ) -> Option<Length> {
        let key_of = |name: &str| format!("{key}.{name}");
        let (max, digits) = match (raw.length, raw.length_max, raw.length_digits) {
            (Some(_), None, None) if raw.length_includes_itself => {
                let problem = "there is no length in front that could count itself";
                self.mistakes.add(&key_of("length_includes_itself"), problem);
                return None;
            }
            (Some(length @ 1..), None, None) => return Some(Length::Fixed(length)),
            (None, Some(max @ 1..), Some(digits @ 1..=6)) => (max, digits),
            (None, Some(1..), Some(_)) => {
                self.mistakes.add(&key_of("length"), "length_digits must be 1 to 6");
                return None;
            }
            (Some(0), ..) | (_, Some(0), _) => {
                self.mistakes.add(&key_of("length"), "a length of 0 holds nothing");
                return None;
            }
            _ => {
                let problem = "either `length`, or `length_max` and `length_digits`, is needed";
                self.mistakes.add(&key_of("length"), problem);
                return None;
            }
        };
        let prefix_encoding = self.prefix_encoding(&key_of("length_encoding"), encoding_name)?;
        let counts = self.counts(&key_of("length_counts"), counts, encoding)?;
        let mut prefix = Prefix { max, digits, encoding: prefix_encoding, counts, own: 0 };
        if raw.length_includes_itself {
            prefix.own = prefix.itself();
        }
        if max.saturating_add(u32::from(prefix.own)) > prefix.capacity() {
            let problem = format!("length_max {max} needs more than {digits} digits");
            self.mistakes.add(&key_of("length"), problem);
            return None;
        }
        Some(Length::Variable(prefix))
    }

    fn prefix_encoding(&mut self, key: &str, name: Option<String>) -> Option<PrefixEncoding> {
        let names = [
            ("ascii", PrefixEncoding::Ascii),
            ("ebcdic", PrefixEncoding::Ebcdic),
            ("bcd", PrefixEncoding::Bcd),
            ("binary", PrefixEncoding::Binary),
            ("hex", PrefixEncoding::Hex),
        ];
        self.mistakes.known(key, name.as_deref().unwrap_or("ascii"), &names)
    }

    /// What a prefix counts. BCD is where the field's users disagree, so there it must be stated.
    fn counts(&mut self, key: &str, name: Option<String>, encoding: Encoding) -> Option<Counts> {
        let names = [
            ("units", Counts::Units),
            ("digits", Counts::Units),
            ("characters", Counts::Units),
            ("bytes", Counts::Bytes),
            ("nibbles", Counts::Nibbles),
        ];
        let is_bcd = matches!(encoding, Encoding::Bcd(_) | Encoding::SignedBcd(_));
        let Some(name) = name else {
            if is_bcd {
                self.mistakes.add(key, "a length in front of BCD counts digits, bytes or nibbles");
            }
            return (!is_bcd).then_some(Counts::Units);
        };
        self.mistakes.known(key, &name, &names)
    }
}
