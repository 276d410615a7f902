//! Merchant-presented codes of EMVCo, and VietQR, which is one with fewer obligations.
//!
//! [`EmvCode::parse`] checks every rule of the specification and of the scheme found in the code,
//! [`EmvCode::read`] those that a reader needs; both keep the objects in the order they came, so that a code is written back as it was but for
//! the letters of its checksum, which become capitals.
//! [`MerchantPresented`] is what it means.
//!
//! Source: EMV QR Code Specification for Payment Systems, Merchant-Presented Mode 1.1.

use router::money::{Currency, Money};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::crc::crc16;
use super::findings::Findings;
use super::tlv::{self, Path};
use super::{QrError, QrErrorKind, Reading};

mod build;
mod rules;
mod view;

/// The longest payload read, in bytes: the most that any QR code holds (version 40, level L).
pub const PAYLOAD_LEN_MAX: usize = 2953;

const CRC: u8 = 63;
/// What stands in front of the four characters of the checksum.
const CRC_HEAD: &str = "6304";

/// Whose rules a code follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// EMVCo merchant-presented mode alone.
    Emvco,
    /// VietQR of NAPAS, which leaves category, name and city out.
    VietQr,
    /// Pix of the Central Bank of Brazil.
    Pix,
}

impl Scheme {
    /// The name used in test vectors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emvco => "emvco-mpm",
            Self::VietQr => "vietqr",
            Self::Pix => "pix",
        }
    }
}

/// One object of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataObject {
    /// Its tag, 0..=99.
    pub tag: u8,
    /// What is in it.
    pub value: Value,
}

/// What is in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// Objects, in the order they came.
    Template(Vec<(u8, String)>),
}

/// A code that keeps the rules it was read by.
///
/// Shape: serializes as an object of tags, nested one level, in the order of the payload, and
///        `warnings` where there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmvCode {
    objects: Vec<DataObject>,
    scheme: Scheme,
    merchant: MerchantPresented,
    warnings: Vec<QrError>,
}

/// What a merchant's code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerchantPresented {
    /// Whether the code is for many payments or for one; `01`.
    pub initiation: Option<Initiation>,
    /// Who is paid, one for each network; `02` to `51`, at least one.
    pub accounts: Vec<DataObject>,
    /// Merchant category code, four digits; `52`, optional for VietQR alone.
    pub category_code: Option<String>,
    /// `53`.
    pub currency: Currency,
    /// `54`; none when the payer states it.
    pub amount: Option<Money>,
    /// `55` to `57`.
    pub tip: Option<Tip>,
    /// ISO 3166 alphabetic code; `58`.
    pub country: String,
    /// At most 25 characters; `59`, optional for VietQR alone.
    pub name: Option<String>,
    /// At most 15 characters; `60`, optional for VietQR alone.
    pub city: Option<String>,
    /// At most 10 characters; `61`.
    pub postal_code: Option<String>,
    /// Bill number `01`, reference label `05` and so on; `62`.
    pub additional: Vec<(u8, String)>,
    /// The merchant in another language; `64`.
    pub language: Option<LanguageTemplate>,
    /// Everything else: `65` to `99`.
    pub others: Vec<DataObject>,
}

/// For how many payments a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiation {
    /// `11`: the same code for more than one payment.
    Static,
    /// `12`: a new code for each payment.
    Dynamic,
}

/// What is paid on top of the amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tip {
    /// `55` is `01`: the payer is asked.
    Asked,
    /// `55` is `02`: a fixed fee, in `56`.
    Fixed(Money),
    /// `55` is `03`: a share, in `57`, in hundredths of one per cent, 1..=9999.
    Share {
        /// Hundredths of one per cent.
        basis_points: u16,
    },
}

/// The merchant in another language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageTemplate {
    /// ISO 639 code of two letters; `00`.
    pub language: String,
    /// `01`.
    pub name: String,
    /// `02`.
    pub city: Option<String>,
}

impl EmvCode {
    /// Reads a payload that keeps all the rules.
    ///
    /// Shape:  the whole text of the code, nothing before or behind it.
    /// Errors: the first rule broken; `BadCrc` before the rules on content.
    pub fn parse(payload: &str) -> Result<Self, QrError> {
        Self::read(payload, Reading::Strict)
    }

    /// Reads a payload as strictly as asked.
    ///
    /// Shape:  as of [`EmvCode::parse`]; read leniently, a value may be longer than its rule, and
    ///         the account of an unknown scheme keeps its data, as text where it is no template.
    /// Errors: as of [`EmvCode::parse`].
    pub fn read(payload: &str, reading: Reading) -> Result<Self, QrError> {
        if payload.len() > PAYLOAD_LEN_MAX {
            let rule = "has at most 2953 bytes";
            return Err(QrError::new(QrErrorKind::TooLong, "", PAYLOAD_LEN_MAX, rule));
        }
        let mut findings = Findings::new(reading);
        let top = tlv::objects(payload, None, 0)?;
        rules::check_frame(payload, &top, &mut findings)?;
        let mut objects = Vec::with_capacity(top.len());
        for object in &top {
            objects.push(rules::check_object(object, &mut findings)?);
        }
        let scheme = rules::scheme(&objects);
        let merchant = view::merchant(&objects, &top, scheme)?;
        let mut code = Self { objects, scheme, merchant, warnings: Vec::new() };
        rules::check_scheme(&code, &top, &mut findings)?;
        code.warnings = findings.warnings;
        Ok(code)
    }

    /// What breaks a rule and was read all the same.
    pub fn warnings(&self) -> &[QrError] {
        &self.warnings
    }

    /// Whose rules it follows.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What it says.
    pub fn merchant(&self) -> &MerchantPresented {
        &self.merchant
    }

    /// Its objects, in the order they came.
    pub fn objects(&self) -> &[DataObject] {
        &self.objects
    }

    /// The text of an object that is no template.
    pub fn text(&self, tag: u8) -> Option<&str> {
        rules::text(&self.objects, tag)
    }

    /// The text of an object within a template.
    pub fn text_in(&self, tag: u8, inner: u8) -> Option<&str> {
        self.objects.iter().find(|object| object.tag == tag)?.inner(inner)
    }

    /// The payload, as it came; the checksum in capitals.
    pub fn to_payload(&self) -> String {
        build::payload(&self.objects).expect("invariant: what was read can be written")
    }
}

impl DataObject {
    /// Text under a tag.
    pub fn text(tag: u8, text: impl Into<String>) -> Self {
        Self { tag, value: Value::Text(text.into()) }
    }

    /// A template under a tag.
    pub fn template<'a>(tag: u8, inner: impl IntoIterator<Item = (u8, &'a str)>) -> Self {
        let inner = inner.into_iter().map(|(tag, text)| (tag, text.to_owned()));
        Self { tag, value: Value::Template(inner.collect()) }
    }

    /// The text of an object within this template.
    pub fn inner(&self, tag: u8) -> Option<&str> {
        match &self.value {
            Value::Text(_) => None,
            Value::Template(inner) => {
                inner.iter().find(|(other, _)| *other == tag).map(|(_, text)| text.as_str())
            }
        }
    }

    /// Whether this template is of a network, whose identifier is not case-sensitive.
    pub(super) fn is_of(&self, identifier: &str) -> bool {
        self.inner(0).is_some_and(|found| found.eq_ignore_ascii_case(identifier))
    }
}

impl Initiation {
    fn code(self) -> &'static str {
        match self {
            Self::Static => "11",
            Self::Dynamic => "12",
        }
    }
}

impl Serialize for EmvCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for object in &self.objects {
            map.serialize_entry(&format!("{:02}", object.tag), &object.value)?;
        }
        if !self.warnings.is_empty() {
            map.serialize_entry("warnings", &self.warnings)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Template(inner) => {
                let entries = inner.iter().map(|(tag, text)| (format!("{tag:02}"), text));
                serializer.collect_map(entries)
            }
        }
    }
}

/// The checksum of a payload that ends in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crc {
    /// The last four characters.
    pub stated: String,
    /// What they should be.
    pub computed: String,
}

impl Crc {
    /// Of a payload whose last four characters are its checksum; none where it has no such end.
    pub fn of(payload: &str) -> Option<Self> {
        let at = payload.len().checked_sub(4)?;
        let (head, stated) = (payload.get(..at)?, payload.get(at..)?);
        let computed = format!("{:04X}", crc16(head.as_bytes()));
        Some(Self { stated: stated.to_owned(), computed })
    }

    /// Whether the payload is as it was made. Lower case is taken, although the rule is upper case.
    pub fn is_ok(&self) -> bool {
        self.stated.eq_ignore_ascii_case(&self.computed)
    }
}

#[cfg(test)]
mod tests;
