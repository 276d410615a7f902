//! Which message it is: family, variant and version, as in `pacs.008.001.08`.

use std::fmt;

use router::text::Text;

/// The start of every ISO 20022 namespace; the message identifier follows.
pub(super) const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// Namespaces of the Brazilian instant payment system; `pacs.008/1.4` follows.
const SPI: &str = "https://www.bcb.gov.br/pi/";
/// What stands between a message and its version in identifiers of that system.
const SPI_MARK: &str = ".spi.";
/// Business areas of the standard whose messages national namespaces are looked through for.
const AREAS: [&str; 9] = ["acmt", "admi", "auth", "camt", "head", "pacs", "pain", "reda", "remt"];
/// Length of area and number: `pacs.008`.
const CODE_LEN: usize = 8;
/// Length of a whole identifier: `pacs.008.001.08`.
const ID_LEN: usize = 15;

/// A message definition identifier.
///
/// Shape: that of the standard, `pacs.008.001.08`; of a national system `pacs.008.spi.1.4`, or
///        `pacs.008` where its namespace tells no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// What kind of message it is.
    pub family: Family,
    text: Text<24>,
}

/// What a message is for, whatever its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `pacs.008`: a credit transfer between banks.
    CreditTransfer,
    /// `pacs.002`: what became of it.
    PaymentStatus,
    /// `pacs.004`: money sent back.
    PaymentReturn,
    /// `pacs.007`: the sender takes a payment back.
    PaymentReversal,
    /// `pacs.028`: what became of a payment?
    StatusRequest,
    /// `pain.013`: a request to pay.
    RequestToPay,
    /// `pain.014`: what became of it.
    RequestToPayStatus,
    /// `camt.054`: money came or went.
    Notification,
    /// `camt.056`: please cancel a payment.
    CancellationRequest,
    /// `camt.029`: the answer to that.
    Resolution,
    /// `camt.035`: an investigation in a format of its own, used as an acknowledgement.
    Investigation,
    /// `admi.002`: a message could not be understood.
    MessageReject,
    /// `admi.004`: something happened to the system: signed on, signed off, suspended.
    SystemEvent,
    /// `head.001`: the business application header.
    Header,
    /// A message of the standard that is read, but means nothing to the switch.
    Other,
}

impl Family {
    fn of(code: &str) -> Self {
        match code {
            "pacs.008" => Self::CreditTransfer,
            "pacs.002" => Self::PaymentStatus,
            "pacs.004" => Self::PaymentReturn,
            "pacs.007" => Self::PaymentReversal,
            "pacs.028" => Self::StatusRequest,
            "pain.013" => Self::RequestToPay,
            "pain.014" => Self::RequestToPayStatus,
            "camt.054" => Self::Notification,
            "camt.056" => Self::CancellationRequest,
            "camt.029" => Self::Resolution,
            "camt.035" => Self::Investigation,
            "admi.002" => Self::MessageReject,
            "admi.004" => Self::SystemEvent,
            "head.001" => Self::Header,
            _ => Self::Other,
        }
    }
}

impl MessageId {
    /// Stands in while it is not known which message is read.
    pub(super) const NONE: Self = Self { family: Family::Other, text: Text::EMPTY };

    /// Reads an identifier: four letters, three digits, three digits, two digits, dots between.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |(at, byte): (usize, u8)| match at {
            0..=3 => byte.is_ascii_lowercase(),
            4 | 8 | 12 => byte == b'.',
            _ => byte.is_ascii_digit(),
        };
        if text.len() != ID_LEN || !text.bytes().enumerate().all(fits) {
            return None;
        }
        Some(Self { family: Family::of(&text[..8]), text: Text::new(text).ok()? })
    }

    /// Reads an identifier of the Brazilian system: `pacs.008.spi.1.4`.
    fn parse_spi(text: &str) -> Option<Self> {
        let (code, version) = text.split_once(SPI_MARK)?;
        let is_version = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !is_code(code) || version.is_empty() || !is_version {
            return None;
        }
        Some(Self { family: Family::of(code), text: Text::new(text).ok()? })
    }

    /// The identifier in a header, of the standard or of a national system.
    pub(super) fn of_header(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Self::parse_spi(text))
    }

    /// The identifier in a namespace.
    ///
    /// Shape: a namespace of the standard; else one that names a message of it in one of its parts,
    ///        as those of national systems do.
    pub(super) fn of_namespace(uri: &str) -> Option<Self> {
        match uri.strip_prefix(NAMESPACE) {
            // Clearings write `$` in front of the identifier.
            Some(id) => Self::parse(id.strip_prefix('$').unwrap_or(id)),
            None => Self::of_national(uri),
        }
    }

    fn of_national(uri: &str) -> Option<Self> {
        if let Some((code, version)) = uri.strip_prefix(SPI).and_then(|id| id.split_once('/')) {
            return Self::parse_spi(&format!("{code}{SPI_MARK}{version}"));
        }
        let part = uri.split(['/', ':', '$', '#']).find(|part| names_message(part))?;
        if let Some(id) = part.get(..ID_LEN).and_then(Self::parse) {
            return Some(id);
        }
        let code = part.get(..CODE_LEN).filter(|code| *code == part)?;
        Some(Self { family: Family::of(code), text: Text::new(code).ok()? })
    }

    /// Whether it has the form of the standard, and so an exact version.
    pub(super) fn is_standard(&self) -> bool {
        self.text.len() == ID_LEN
    }

    /// Whether elements of its namespace go around header and document.
    pub(super) fn is_envelope(&self) -> bool {
        let is_header = self.as_str().starts_with("head.") && self.family != Family::Header;
        is_header || self.as_str().starts_with("nvlp.")
    }

    /// The identifier, e.g. `pacs.008.001.08`.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// Whether it is a camt message, which may be long.
    pub(super) fn is_report(&self) -> bool {
        self.as_str().starts_with("camt.")
    }
}

/// Whether a text is area and number of a message: `pacs.008`.
fn is_code(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        0..=3 => byte.is_ascii_lowercase(),
        4 => byte == b'.',
        _ => byte.is_ascii_digit(),
    };
    text.len() == CODE_LEN && text.bytes().enumerate().all(fits)
}

fn names_message(part: &str) -> bool {
    part.get(..CODE_LEN).is_some_and(|code| is_code(code) && AREAS.contains(&&code[..4]))
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_read_strictly() {
        let id = MessageId::parse("pacs.008.001.08").expect("an identifier");
        assert_eq!((id.family, id.to_string()), (Family::CreditTransfer, "pacs.008.001.08".into()));
        assert_eq!(MessageId::parse("acmt.022.001.02").expect("one").family, Family::Other);
        for wrong in [
            "pacs.008.spi.1.4",
            "pacs.008.001.8",
            "PACS.008.001.08",
            "pacs.008.001.08 ",
            "pacs-008-001-08",
        ] {
            assert_eq!(MessageId::parse(wrong), None, "{wrong}");
        }
    }
    #[test]
    fn a_national_namespace_names_its_message() {
        let named = |uri| MessageId::of_namespace(uri).map(|id| (id.family, id.to_string()));
        let transfer = |text: &str| Some((Family::CreditTransfer, text.to_owned()));
        // Banco Central do Brasil, catalogue of messages of the SPI.
        assert_eq!(named("https://www.bcb.gov.br/pi/pacs.008/1.4"), transfer("pacs.008.spi.1.4"));
        assert_eq!(named("https://www.bcb.gov.br/pi/pacs.008/1.14"), transfer("pacs.008.spi.1.14"));
        let swiss = "http://www.six-interbank-clearing.com/de/pain.001.001.03.ch.02.xsd";
        assert_eq!(named(swiss), Some((Family::Other, "pain.001.001.03".to_owned())));
        assert_eq!(named("urn:swift:xsd:pacs.008.001.02"), transfer("pacs.008.001.02"));
        let dollar = "urn:iso:std:iso:20022:tech:xsd:$pacs.008.001.02";
        assert_eq!(named(dollar), transfer("pacs.008.001.02"));
        assert_eq!(named("https://clearing.example/pacs.008/2"), transfer("pacs.008"));
        for other in [
            "",
            "urn:x",
            "https://www.bcb.gov.br/pi/pacs.008/",
            "https://www.bcb.gov.br/pi/pacs.008/x",
            "urn:example:abcd.008",
            "urn:example:pacs.0089",
            "urn:example:pacs.008.1",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }

    #[test]
    fn envelopes_of_the_standard_are_told_from_headers_and_messages() {
        let is_envelope = |id| MessageId::parse(id).expect("an identifier").is_envelope();
        assert!(is_envelope("nvlp.001.001.01") && is_envelope("head.002.001.01"));
        assert!(!is_envelope("head.001.001.02") && !is_envelope("pacs.008.001.08"));
    }
}
