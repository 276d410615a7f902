//! A framing as configuration describes it: the name of a preset, or a table of its parts.

use bytes::Bytes;
use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Counts, FrameSpec, Framer, FramingMistake, Header, HeaderKind, KeepAlive, LengthKind, Trailer,
};

/// A framing as it is written in configuration; every key is optional but one of `preset` and
/// `length`. What a preset says holds where no key says otherwise.
///
/// ```toml
/// framing = { length = "ascii", digits = 4, header = "tpdu", counts = "message" }
/// ```
#[derive(Debug, Default, Deserialize)]
pub struct RawFraming {
    /// The preset to start from: a name of [`FrameSpec::PRESETS`].
    pub preset: Option<String>,
    /// `ascii`, `hex4`, `bcd2`, `binary2`, `binary3`, `binary4`, `binary2-little`,
    /// `binary2-zero2`, `zero2-binary2`, or `none`.
    pub length: Option<String>,
    /// Digits of an `ascii` length, 1 to 6.
    pub digits: Option<u8>,
    /// What the length counts, the trailer always included: `message`, `header-and-message`,
    /// `length-and-message`, `all`.
    pub counts: Option<String>,
    /// `none`, `fixed`, `tpdu`, `base1`.
    pub header: Option<String>,
    /// Bytes of a `fixed` header, 1 to 255.
    pub header_len: Option<u8>,
    /// The header of what is sent unasked, in hexadecimal characters.
    pub own_header: Option<String>,
    /// `none`, `etx`.
    pub trailer: Option<String>,
    /// What is done with a frame of nothing: `skip`, `echo`.
    pub keep_alive: Option<String>,
    /// Longest message, in bytes.
    pub body_len_max: Option<usize>,
    /// Keys that mean nothing; each is a mistake.
    #[serde(flatten)]
    pub unknown: Table,
}

impl Framer {
    /// From a value of configuration: the name of a preset, or a table of parts.
    ///
    /// Errors: every mistake, with its key within the value.
    pub fn from_value(value: &Value) -> Result<Self, Vec<FramingMistake>> {
        let raw = match value {
            Value::String(name) => {
                RawFraming { preset: Some(name.clone()), ..RawFraming::default() }
            }
            other => other
                .clone()
                .try_into()
                .map_err(|error| vec![FramingMistake::new("", error.to_string().trim_end())])?,
        };
        Self::from_raw(&raw)
    }

    /// From a description of its parts.
    ///
    /// Errors: every mistake, with its key.
    pub fn from_raw(raw: &RawFraming) -> Result<Self, Vec<FramingMistake>> {
        let mut reader = Reader { raw, mistakes: Vec::new() };
        for key in raw.unknown.keys() {
            reader.mistake(key, "unknown key");
        }
        let spec = reader.spec();
        let own_header = reader.own_header(spec.header);
        let mut mistakes = reader.mistakes;
        match Self::new(spec) {
            Ok(framer) if mistakes.is_empty() => Ok(match own_header {
                Some(header) => framer.with_own_header(header),
                None => framer,
            }),
            Ok(_) => Err(mistakes),
            Err(more) => {
                mistakes.extend(more);
                Err(mistakes)
            }
        }
    }
}

struct Reader<'a> {
    raw: &'a RawFraming,
    mistakes: Vec<FramingMistake>,
}

impl Reader<'_> {
    fn spec(&mut self) -> FrameSpec {
        let raw = self.raw;
        if raw.preset.is_none() && raw.length.is_none() {
            self.mistake("length", "`length`, or a `preset`, is needed");
        }
        let preset = self.choice("preset", raw.preset.as_deref(), &FrameSpec::PRESETS);
        let base = preset.unwrap_or(FrameSpec::BINARY2);
        let counts = self.choice("counts", raw.counts.as_deref(), &COUNTS);
        let trailer = self.choice("trailer", raw.trailer.as_deref(), &TRAILERS);
        let keep_alive = self.choice("keep_alive", raw.keep_alive.as_deref(), &KEEP_ALIVES);
        FrameSpec {
            length: self.length(base.length),
            counts: counts.unwrap_or(base.counts),
            header: self.header(base.header),
            trailer: trailer.unwrap_or(base.trailer),
            keep_alive: keep_alive.unwrap_or(base.keep_alive),
            body_len_max: raw.body_len_max.unwrap_or(base.body_len_max),
        }
    }

    fn length(&mut self, base: LengthKind) -> LengthKind {
        let named = self.choice("length", self.raw.length.as_deref(), &LENGTHS);
        let length = named.unwrap_or(base);
        match (length, self.raw.digits) {
            (LengthKind::Ascii(_), Some(digits)) => LengthKind::Ascii(digits),
            (LengthKind::Ascii(0), None) => {
                self.mistake("digits", "a length in ASCII has 1 to 6 digits; say how many");
                LengthKind::Ascii(4)
            }
            (_, None) => length,
            (_, Some(_)) => {
                self.mistake("digits", "only a length in ASCII has a number of digits");
                length
            }
        }
    }

    fn header(&mut self, base: HeaderKind) -> HeaderKind {
        let named = self.choice("header", self.raw.header.as_deref(), &HEADERS);
        let header = named.unwrap_or(base);
        match (header, self.raw.header_len) {
            (HeaderKind::Fixed(_), Some(len)) => HeaderKind::Fixed(len),
            (HeaderKind::Fixed(_), None) => {
                self.mistake("header_len", "a fixed header has 1 to 255 bytes; say how many");
                HeaderKind::None
            }
            (_, None) => header,
            (_, Some(_)) => {
                self.mistake("header_len", "only a fixed header has a stated length");
                header
            }
        }
    }

    fn own_header(&mut self, kind: HeaderKind) -> Option<Header> {
        let text = self.raw.own_header.as_deref()?;
        let header = hex::decode(text)
            .ok()
            .and_then(|bytes| Header::new(kind, Bytes::from(bytes)).ok())
            .filter(|header| !header.is_rejected());
        if header.is_none() {
            self.mistake("own_header", "these are not the bytes of such a header in hexadecimal");
        }
        header
    }

    fn choice<T: Copy>(
        &mut self,
        key: &str,
        given: Option<&str>,
        known: &[(&str, T)],
    ) -> Option<T> {
        let given = given?;
        let found = known.iter().find(|(name, _)| *name == given);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.mistake(key, &format!("`{given}` is not one of {}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    fn mistake(&mut self, key: &str, problem: &str) {
        self.mistakes.push(FramingMistake::new(key, problem));
    }
}

/// Digits and bytes of 0 stand for "to be said by another key".
const LENGTHS: [(&str, LengthKind); 10] = [
    ("ascii", LengthKind::Ascii(0)),
    ("hex4", LengthKind::Hex4),
    ("bcd2", LengthKind::Bcd2),
    ("binary2", LengthKind::Binary2),
    ("binary3", LengthKind::Binary3),
    ("binary4", LengthKind::Binary4),
    ("binary2-little", LengthKind::Binary2Little),
    ("binary2-zero2", LengthKind::Binary2Zero2),
    ("zero2-binary2", LengthKind::Zero2Binary2),
    ("none", LengthKind::None),
];
const COUNTS: [(&str, Counts); 4] = [
    ("message", Counts::Message),
    ("header-and-message", Counts::HeaderAndMessage),
    ("length-and-message", Counts::LengthAndMessage),
    ("all", Counts::All),
];
const HEADERS: [(&str, HeaderKind); 4] = [
    ("none", HeaderKind::None),
    ("fixed", HeaderKind::Fixed(0)),
    ("tpdu", HeaderKind::Tpdu),
    ("base1", HeaderKind::Base1),
];
const TRAILERS: [(&str, Trailer); 2] = [("none", Trailer::None), ("etx", Trailer::Etx)];
const KEEP_ALIVES: [(&str, KeepAlive); 2] = [("skip", KeepAlive::Skip), ("echo", KeepAlive::Echo)];
