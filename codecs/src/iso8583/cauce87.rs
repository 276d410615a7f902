//! The switch's own profile, `cauce-87`, and the canonical message: which field means what.
//!
//! Inbound, [`read`] indexes and classifies a message and [`to_message`] maps a request;
//! [`participant_answer`] reads what an issuer answered, and [`contradiction`] holds it against what
//! was asked. Outbound, [`answer`] answers a request,
//! [`format_error_answer`] one that could not be understood, and [`payment_request`],
//! [`reversal_advice`] and [`network_request`] ask a participant.

use router::reason::Reason;

pub use router::exchange::Repeat;

use super::index::Index;
use super::spec::Spec;
use crate::error::DecodeError;

mod agreement;
mod answer;
mod ascii;
mod message;
mod participant;
mod private_data;
mod reader;
mod replacement;
mod request;

pub use agreement::contradiction;
pub use answer::{AdditionalAmount, Fault, WireAnswer, answer, format_error_answer};
pub use message::to_message;
pub use participant::{ParticipantAnswer, participant_answer};
pub use private_data::{PrivateData, tag};
pub use request::{
    Asking, ReversalAdvice, inquiry_request, network_request, original_request, payment_request,
    refund_request, request_field, reversal_advice,
};

/// An indexed message and what it is.
#[derive(Debug, Clone)]
pub struct Wire {
    /// Where its fields are.
    pub index: Index,
    /// What it is, by MTI and processing code.
    pub kind: WireKind,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireKind {
    /// 0200, 0201 that moves money (DE3 00, 51).
    PaymentRequest {
        /// Whether it says it was sent before.
        repeat: Repeat,
    },
    /// 0200, 0201 that asks for a payment's state (DE3 32).
    InquiryRequest {
        /// Whether it says it was sent before.
        repeat: Repeat,
    },
    /// 0210.
    PaymentAnswer,
    /// 0220, 0221.
    AdviceRequest {
        /// Whether it says it was sent before.
        repeat: Repeat,
    },
    /// 0230.
    AdviceAnswer,
    /// 0400, 0401, 0420, 0421.
    ReversalRequest {
        /// 042x: the originator has already undone its side.
        is_advice: bool,
        /// Whether it says it was sent before.
        repeat: Repeat,
    },
    /// 0410, 0430.
    ReversalAnswer {
        /// 0430.
        is_advice: bool,
    },
    /// 0800, 0801.
    NetworkRequest,
    /// 0810.
    NetworkAnswer,
    /// A request this profile does not serve: another message type or processing code.
    Unsupported {
        /// Its message type.
        mti: [u8; 4],
        /// What to answer.
        reason: Reason,
    },
}

/// The last digit of the MTI: whether a message says that it was sent before.
fn repeat_digit(repeat: Repeat) -> u8 {
    match repeat {
        Repeat::First => b'0',
        Repeat::Again => b'1',
    }
}

/// Why a well-formed message is no request the switch can take.
///
/// Shape: `field` is the data element to mend, 0 for the message type; `offset` is where its
///        content begins, 0 where the field is not there. `detail` never repeats the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("field {field} at offset {offset}: {detail}")]
pub struct MapError {
    /// What to answer.
    pub reason: Reason,
    /// Where: data element number.
    pub field: u8,
    /// Where: byte offset.
    pub offset: usize,
    /// What is wrong, for people.
    pub detail: &'static str,
}

/// Indexes a message of the profile and says what it is.
pub fn read(bytes: &[u8]) -> Result<Wire, DecodeError> {
    let mut index = Index::default();
    Spec::cauce87().index(bytes, &mut index)?;
    let kind = classify(&index, bytes);
    Ok(Wire { index, kind })
}

fn classify(index: &Index, bytes: &[u8]) -> WireKind {
    use Repeat::{Again, First};
    let mti = index.mti();
    match &mti {
        b"0200" => financial(mti, index, bytes, First),
        b"0201" => financial(mti, index, bytes, Again),
        b"0210" => WireKind::PaymentAnswer,
        b"0220" => WireKind::AdviceRequest { repeat: First },
        b"0221" => WireKind::AdviceRequest { repeat: Again },
        b"0230" => WireKind::AdviceAnswer,
        b"0400" => WireKind::ReversalRequest { is_advice: false, repeat: First },
        b"0401" => WireKind::ReversalRequest { is_advice: false, repeat: Again },
        b"0410" => WireKind::ReversalAnswer { is_advice: false },
        b"0420" => WireKind::ReversalRequest { is_advice: true, repeat: First },
        b"0421" => WireKind::ReversalRequest { is_advice: true, repeat: Again },
        b"0430" => WireKind::ReversalAnswer { is_advice: true },
        b"0800" | b"0801" => WireKind::NetworkRequest,
        b"0810" => WireKind::NetworkAnswer,
        // Message classes of the standard that are not served; anything else is no message type.
        [b'0', b'1'..=b'8', b'0'..=b'4', _] => {
            WireKind::Unsupported { mti, reason: Reason::ServiceNotEnabled }
        }
        _ => WireKind::Unsupported { mti, reason: Reason::FormatError },
    }
}

/// A financial request is told apart by the first two digits of its processing code (DE3); one
/// without any is a payment, whose mapping then says that it is missing.
fn financial(mti: [u8; 4], index: &Index, bytes: &[u8], repeat: Repeat) -> WireKind {
    match index.field(bytes, 3).map(|code| &code[..2]) {
        None | Some(b"00" | b"51") => WireKind::PaymentRequest { repeat },
        Some(b"32") => WireKind::InquiryRequest { repeat },
        Some(_) => WireKind::Unsupported { mti, reason: Reason::ServiceNotEnabled },
    }
}

#[cfg(test)]
mod tests;
