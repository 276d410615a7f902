//! What a bank tells by itself: a payment was carried out, or was not. Signed, it is evidence like an
//! answer that came late.

use codecs::http_signature::{
    HttpSignatureError, ReplayRefusal, SIGNATURE, SignatureId, SignedParts,
};
use codecs::json_bank::{BankVerdict, NotificationFault};
use http::{HeaderMap, Method, Uri};
use router::id::PaymentId;
use router::outcome::Outcome;
use router::payment::Payment;
use storage::StoreError;

use super::values::Named;
use super::{JsonParticipant, outcome};
use crate::clock;

/// The name of notifications in metrics.
const NAME: &str = "notification";

/// The place in a notification that cannot be read.
fn field_of(fault: &NotificationFault) -> &str {
    match fault {
        NotificationFault::None => "body",
        NotificationFault::Answer(fault) => &fault.field,
    }
}

/// A message of a bank, as it came.
#[derive(Debug)]
pub struct BankMessage<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// Why a notification is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotTakenIn {
    /// So many came that a copy of a new one could not be told.
    #[error("too many notifications at once; send it again later")]
    TooMany,
    /// It says nothing that can be understood.
    #[error("the notification is not understood: {0}")]
    NotUnderstood(#[from] NotificationFault),
    /// It is about no payment that this participant was asked for.
    #[error("there is no such payment")]
    NoPayment,
    /// What it says contradicts the payment, or is in no table of the dialect.
    #[error("what it says of the payment cannot be believed: {field}")]
    Contradicts {
        /// Where in the notification.
        field: String,
    },
    /// The journal gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A notification whose signature is right.
#[derive(Debug, Clone, Copy)]
pub struct Believed(SignatureId);

impl JsonParticipant {
    /// Checks the signature of a notification, which must have one.
    ///
    /// Errors: [`HttpSignatureError`].
    pub fn believed(&self, message: &BankMessage<'_>) -> Result<Believed, HttpSignatureError> {
        let target = self.target(message.uri);
        let parts = SignedParts::Request {
            method: message.method,
            uri: target.as_ref().unwrap_or(message.uri),
            headers: message.headers,
        };
        let id = self.signature_id(parts, message.body, clock::now());
        id.map(Believed).inspect_err(|error| {
            outcome::count_not_believed(self.id(), NAME, error.name());
            tracing::warn!(participant = %self.id(), field = SIGNATURE, %error,
                "notification is not believed");
        })
    }

    /// The payment that a notification is about.
    ///
    /// Errors: it cannot be read, or names no payment of ours.
    pub fn notified_payment(&self, body: &[u8]) -> Result<PaymentId, NotTakenIn> {
        let named = self.json.dialect.notified_payment(body).inspect_err(|error| {
            outcome::count_not_understood(self.id(), NAME, "unreadable");
            tracing::warn!(participant = %self.id(), field = field_of(error), %error,
                "notification is not understood");
        })?;
        named.attempt.parse().map_err(|_| self.names_no_payment(None))
    }

    /// Counts and logs a notification about a payment that is not there, or is another participant's.
    pub fn names_no_payment(&self, id: Option<PaymentId>) -> NotTakenIn {
        outcome::count_not_understood(self.id(), NAME, "no_payment");
        let payment_id = id.map(tracing::field::display);
        tracing::warn!(participant = %self.id(), payment_id, field = "attempt",
            "notification names no payment of the participant");
        NotTakenIn::NoPayment
    }

    /// Whether a notification was taken in before: the bank may not have heard that it was.
    pub fn was_taken_in(&self, Believed(id): Believed) -> bool {
        let is_known = self.replays.lock().knows(id);
        if is_known {
            outcome::count_not_believed(self.id(), NAME, ReplayRefusal::Replayed.name());
        }
        is_known
    }

    /// Takes note that a notification was taken in, so that its copies are told from others.
    ///
    /// Errors: [`NotTakenIn::TooMany`].
    pub fn note_taken_in(&self, Believed(id): Believed) -> Result<(), NotTakenIn> {
        match self.replays.lock().admit(id, clock::now()) {
            // A copy that was taken in at the same time recorded nothing new.
            Ok(()) | Err(ReplayRefusal::Replayed) => Ok(()),
            Err(full @ ReplayRefusal::Full) => {
                outcome::count_not_believed(self.id(), NAME, full.name());
                Err(NotTakenIn::TooMany)
            }
        }
    }

    /// The whole address as the bank has it, where the entry says under which one we are reached.
    fn target(&self, uri: &Uri) -> Option<Uri> {
        let base = self.json.verify.as_ref()?.base_url.as_ref()?;
        format!("{base}{uri}").parse().ok()
    }

    /// Whether a payment was asked of this participant.
    pub fn was_asked(&self, payment: &Payment) -> bool {
        payment.attempt.is_some_and(|attempt| attempt.participant == self.id())
    }

    /// What a notification says of its payment; none where the bank is still at it.
    ///
    /// Errors: it contradicts the payment, or is in no table of the dialect.
    pub fn told(&self, payment: &Payment, body: &[u8]) -> Result<Option<Outcome>, NotTakenIn> {
        let named = Named::told_of(payment);
        let values = named.values(&self.json, clock::now());
        let expected = self.json.dialect.expect_notification(&values)?;
        let reading = self.json.dialect.read(&expected, http::StatusCode::OK.as_u16(), body);
        match &reading.verdict {
            BankVerdict::Approved | BankVerdict::Declined(_) => Ok(outcome::of(&reading).ok()),
            BankVerdict::Awaiting(_) | BankVerdict::Pending => Ok(None),
            BankVerdict::NotUnderstood(fault) => {
                let status = http::StatusCode::OK.as_u16();
                let about = payment.id.to_string();
                outcome::tell_not_understood(self.id(), NAME, &about, status, fault);
                Err(NotTakenIn::Contradicts { field: fault.field.clone() })
            }
            BankVerdict::NotFound | BankVerdict::NotProcessed => Ok(None),
        }
    }
}
