//! Writes elements, checks what goes into them, and escapes it.

use bytes::{BufMut, BytesMut};
use router::money::Money;
use router::time::{Date, Timestamp};
use smallvec::SmallVec;

use super::super::amount;
use super::super::escape::is_xml_char;

/// What is wrong with a value to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteErrorKind {
    /// The message is not written in that version.
    UnsupportedVersion,
    /// The schema demands a value and there is none.
    Missing,
    /// An identifier is longer than its element may be.
    TooLong,
    /// A value breaks the form its element demands.
    BadFormat,
}

impl WriteErrorKind {
    /// The name used in JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnsupportedVersion => "unsupported_version",
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::BadFormat => "bad_format",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::UnsupportedVersion => "message is not written in that version",
            Self::Missing => "needed and there is no value for it",
            Self::TooLong => "value is too long",
            Self::BadFormat => "value breaks the element's form",
        }
    }
}

/// Why a message could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {}", .kind.detail())]
pub struct WriteError {
    /// What is wrong.
    pub kind: WriteErrorKind,
    /// Where: element path.
    pub path: Box<str>,
}

pub(super) type Written = Result<(), WriteError>;

/// Longest identifier, in characters (`Max35Text`).
pub(super) const ID_LEN_MAX: usize = 35;
/// Longest name (`Max140Text`); remittance text, too.
pub(super) const NAME_LEN_MAX: usize = 140;
/// Longest explanation (`Max105Text`).
pub(super) const INFO_LEN_MAX: usize = 105;
/// Longest external code.
pub(super) const CODE_LEN_MAX: usize = 4;
/// Digits an amount may have (`ActiveCurrencyAndAmount`).
const AMOUNT_DIGITS_MAX: usize = 18;

/// Writes a message, element by element.
pub(super) struct Pen<'o> {
    out: &'o mut BytesMut,
    open: SmallVec<[&'static str; 16]>,
}

impl<'o> Pen<'o> {
    pub(super) fn new(out: &'o mut BytesMut) -> Self {
        Self { out, open: SmallVec::new() }
    }

    /// Markup as it is.
    pub(super) fn raw(&mut self, markup: &str) {
        self.out.put_slice(markup.as_bytes());
    }

    pub(super) fn error(&self, kind: WriteErrorKind, tag: &str) -> WriteError {
        let path = self.open.iter().copied().chain([tag]).flat_map(|tag| ["/", tag]).collect();
        WriteError { kind, path }
    }

    /// An element with elements within.
    pub(super) fn element(
        &mut self,
        tag: &'static str,
        within: impl FnOnce(&mut Self) -> Written,
    ) -> Written {
        self.element_in(tag, "", within)
    }

    /// An element that binds the default namespace.
    pub(super) fn element_in(
        &mut self,
        tag: &'static str,
        namespace: &str,
        within: impl FnOnce(&mut Self) -> Written,
    ) -> Written {
        self.raw("<");
        self.raw(tag);
        if !namespace.is_empty() {
            self.raw(" xmlns=\"");
            self.raw(namespace);
            self.raw("\"");
        }
        self.raw(">");
        self.open.push(tag);
        within(self)?;
        self.open.pop();
        self.close(tag);
        Ok(())
    }

    fn close(&mut self, tag: &str) {
        self.raw("</");
        self.raw(tag);
        self.raw(">");
    }

    /// A leaf whose content needs no check.
    pub(super) fn leaf(&mut self, tag: &str, content: &str) {
        self.raw("<");
        self.raw(tag);
        self.raw(">");
        self.escaped(content.chars());
        self.close(tag);
    }

    /// Characters as content. What XML forbids was refused, or cleaned away, before; a carriage
    /// return would be read as a line feed, so it goes as a reference.
    fn escaped(&mut self, content: impl Iterator<Item = char>) {
        for c in content {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&apos;"),
                '\r' => self.raw("&#13;"),
                _ => self.raw(c.encode_utf8(&mut [0; 4])),
            }
        }
    }

    /// An identifier or code: as it is, or not at all.
    ///
    /// Errors: empty, too long, or with a character that XML forbids; an identifier that was
    ///         mended would be another one.
    pub(super) fn exact(&mut self, tag: &str, content: &str, len_max: usize) -> Written {
        let kind = match content.chars().count() {
            0 => Some(WriteErrorKind::Missing),
            len if len > len_max => Some(WriteErrorKind::TooLong),
            _ if !content.chars().all(is_xml_char) => Some(WriteErrorKind::BadFormat),
            _ => None,
        };
        match kind {
            Some(kind) => Err(self.error(kind, tag)),
            None => {
                self.leaf(tag, content);
                Ok(())
            }
        }
    }

    /// An identifier of up to 35 characters.
    pub(super) fn id(&mut self, tag: &str, id: &str) -> Written {
        self.exact(tag, id, ID_LEN_MAX)
    }

    /// The same, where there is one.
    pub(super) fn opt_id(&mut self, tag: &str, id: Option<&str>) -> Written {
        id.map_or(Ok(()), |id| self.id(tag, id))
    }

    /// Text for people: cut where the element ends, `?` for what XML forbids. Nothing where there
    /// is none.
    pub(super) fn text(&mut self, tag: &str, text: Option<&str>, len_max: usize) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        self.raw("<");
        self.raw(tag);
        self.raw(">");
        let clean = |c: char| if is_xml_char(c) { c } else { '?' };
        self.escaped(text.chars().take(len_max).map(clean));
        self.close(tag);
    }

    /// A value of a strict form.
    pub(super) fn formed(&mut self, tag: &str, value: &str, fits: fn(&str) -> bool) -> Written {
        if !fits(value) {
            return Err(self.error(WriteErrorKind::BadFormat, tag));
        }
        self.leaf(tag, value);
        Ok(())
    }

    /// `Cd` for a code of the standard, which has up to four characters, else `Prtry`.
    pub(super) fn coded(&mut self, tag: &'static str, code: Option<&str>) -> Written {
        let Some(code) = code else { return Ok(()) };
        self.element(tag, |pen| match is_code(code) {
            true => pen.exact("Cd", code, CODE_LEN_MAX),
            false => pen.id("Prtry", code),
        })
    }

    /// An amount with its currency's decimals.
    pub(super) fn amount(&mut self, tag: &str, amount: Money) -> Written {
        let digits = amount::digits(amount).filter(|digits| digits.len() <= AMOUNT_DIGITS_MAX);
        let digits = digits.ok_or_else(|| self.error(WriteErrorKind::BadFormat, tag))?;
        self.raw("<");
        self.raw(tag);
        self.raw(" Ccy=\"");
        self.raw(amount.currency.code());
        self.raw("\">");
        self.raw(&digits);
        self.close(tag);
        Ok(())
    }

    /// A day.
    pub(super) fn date(&mut self, tag: &str, date: Date) -> Written {
        let (year, month, day) = date.year_month_day();
        if !(1..=9999).contains(&year) {
            return Err(self.error(WriteErrorKind::BadFormat, tag));
        }
        self.leaf(tag, &format!("{year:04}-{month:02}-{day:02}"));
        Ok(())
    }

    /// An instant, in UTC to the millisecond.
    pub(super) fn time(&mut self, tag: &str, at: Timestamp) -> Written {
        let utc = at.utc();
        if !(1..=9999).contains(&utc.year) {
            return Err(self.error(WriteErrorKind::BadFormat, tag));
        }
        let (year, month, day, millis) = (utc.year, utc.month, utc.day, utc.micros / 1000);
        let (hour, minute, second) = (utc.hour, utc.minute, utc.second);
        let time =
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
        self.leaf(tag, &time);
        Ok(())
    }
}

/// Whether a code could be one of an external list: one to four capitals and digits.
pub(super) fn is_code(code: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (1..=CODE_LEN_MAX).contains(&code.len()) && code.bytes().all(is_part)
}
