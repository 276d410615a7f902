//! Refuses requests with a card number in a field where none belongs, where the configuration says
//! so (`[card_numbers] in_free_fields`).
//!
//! What is taken is kept masked, whatever the configuration says: the journal's encoding sees to
//! that. [`router::misplaced::FreeField`] has the fields and what happens to each.

use codecs::api::FieldError;
use codecs::iso8583::cauce87::{MapError, Wire};
use router::message::{Message, PaymentRequest};
use router::misplaced::{self, Finding, FreeField};
use router::reason::Reason;

use crate::config::InFreeFields;

const DETAIL: &str = "holds a card number";

/// A merchant's request, if no field of it has to be refused.
///
/// Errors: the field's path in the body.
pub fn request_without(
    request: PaymentRequest,
    in_free_fields: InFreeFields,
) -> Result<PaymentRequest, FieldError> {
    match refused(&request, in_free_fields) {
        None => Ok(request),
        Some(field) => Err(FieldError::new(field.json_path(), Reason::FormatError, DETAIL)),
    }
}

/// A participant's message, if no field of it has to be refused.
///
/// Errors: the data element and where its content begins; the tag in words.
pub fn message_without(
    message: Message,
    wire: &Wire,
    in_free_fields: InFreeFields,
) -> Result<Message, MapError> {
    let refused = match &message {
        Message::Payment(request) => refused(request, in_free_fields),
        // Nothing is kept of what these say in free fields.
        Message::Reversal(_) | Message::Inquiry(_) | Message::Network(_) => None,
    };
    let Some(refused) = refused else { return Ok(message) };
    let (field, detail) = refused.data_element();
    let offset = wire.index.offset_of(field).unwrap_or(0);
    Err(MapError { reason: Reason::FormatError, field, offset, detail })
}

/// An endpoint's address, which is kept and used as it is and so never masked.
///
/// Errors: it holds a card number, whatever the configuration says.
pub fn address_without(url: &str) -> Result<(), FieldError> {
    match misplaced::find(url) {
        Some(Finding::CardNumber) => Err(FieldError::new("url", Reason::FormatError, DETAIL)),
        Some(Finding::Lookalike) | None => Ok(()),
    }
}

fn refused(request: &PaymentRequest, in_free_fields: InFreeFields) -> Option<FreeField> {
    match in_free_fields {
        InFreeFields::Refuse => misplaced::refused_field(request),
        InFreeFields::Mask => None,
    }
}
