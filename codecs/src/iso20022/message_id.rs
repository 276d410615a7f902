//! Which message it is: family, variant and version, as in `pacs.008.001.08`.

use std::fmt;

use router::text::Text;

/// The start of every ISO 20022 namespace; the message identifier follows.
pub(super) const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// A message definition identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// What kind of message it is.
    pub family: Family,
    text: Text<15>,
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
        if text.len() != 15 || !text.bytes().enumerate().all(fits) {
            return None;
        }
        Some(Self { family: Family::of(&text[..8]), text: Text::new(text).ok()? })
    }

    /// The identifier in a namespace.
    pub(super) fn of_namespace(uri: &str) -> Option<Self> {
        uri.strip_prefix(NAMESPACE).and_then(Self::parse)
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
        for wrong in ["pacs.008.001.8", "PACS.008.001.08", "pacs.008.001.08 ", "pacs-008-001-08"] {
            assert_eq!(MessageId::parse(wrong), None, "{wrong}");
        }
    }
}
