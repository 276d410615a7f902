//! Refuses requests with a card number in a field where none belongs, where the configuration says
//! so (`[card_numbers] in_free_fields`).
//!
//! What is taken is kept masked, whatever the configuration says: the journal's encoding sees to
//! that. [`router::misplaced::FreeField`] has the fields and what happens to each.

use codecs::api::{BillDraft, FieldError};
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

/// A bill, whose texts are kept and shown as they are and so never masked.
///
/// Errors: the field that holds a card number, whatever the configuration says.
pub fn bill_without(bill: &BillDraft) -> Result<(), FieldError> {
    let contact = &bill.contact;
    let own = |text: &Option<Box<str>>| text.clone().unwrap_or_default();
    let texts = [
        ("bill_no", bill.bill_no.to_string().into()),
        ("client_id", bill.client_id.to_string().into()),
        ("contract_no", own(&bill.contract_no)),
        ("client.name", own(&contact.name)),
        ("client.phone", own(&contact.phone)),
        ("client.email", own(&contact.email)),
        ("client.doc", own(&contact.doc)),
        ("metadata", own(&bill.metadata)),
    ];
    let lines = bill.lines.iter().map(|line| ("lines.text", line.text.clone()));
    let found = texts
        .into_iter()
        .chain(lines)
        .find(|(_, text)| matches!(misplaced::find(text), Some(Finding::CardNumber)));
    match found {
        Some((field, _)) => Err(FieldError::new(field, Reason::FormatError, DETAIL)),
        None => Ok(()),
    }
}

fn refused(request: &PaymentRequest, in_free_fields: InFreeFields) -> Option<FreeField> {
    match in_free_fields {
        InFreeFields::Refuse => misplaced::refused_field(request),
        InFreeFields::Mask => None,
    }
}
