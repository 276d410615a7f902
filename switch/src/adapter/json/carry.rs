//! A JSON API behind the seam.

use codecs::json_bank::{BankRequest, BankVerdict, MissingValue, Operation, Placeholder};
use router::exchange::{
    Ask, AttemptRef, Confirmation, InquiryAnswer, KnownPayment, NoAnswer, NotReady, NotSent,
    RefundAsk, Started, Undo, UndoAnswer, UndoOrder,
};
use router::id::Folio;
use router::outcome::{Cause, Outcome};
use router::reason::Reason;
use router::record::Attempt;
use tokio::sync::OwnedSemaphorePermit;

use super::values::{Named, unsayable};
use super::{JsonParticipant, later, outcome};
use crate::adapter::{Adapter, ReadyPayment};
use crate::clock;

/// Response code of what was done.
const DONE: [u8; 2] = *b"00";
/// Response code of a payment that the participant does not know.
const NOT_FOUND: [u8; 2] = *b"25";
/// Response code of an undoing that was refused without a better one.
const REFUSED: [u8; 2] = *b"05";

/// A payment's request with its place among those under way.
#[derive(Debug)]
pub struct ReadyRequest<'a> {
    participant: &'a JsonParticipant,
    payment: String,
    request: BankRequest,
    _place: OwnedSemaphorePermit,
}

impl Adapter for JsonParticipant {
    type Ready<'a> = ReadyRequest<'a>;

    fn ready(&self, ask: &Ask<'_>) -> Result<(Attempt, ReadyRequest<'_>), NotReady> {
        if self.bulkhead.owes_too_much() {
            return Err(NotReady::Away(NotSent::ReversalsPending));
        }
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| NotReady::Away(NotSent::Congested))?;
        let named = Named::starting(ask);
        let written = self.written(Operation::Start, &named.values(&self.json, ask.at));
        let written = written.expect("invariant: every dialect has start");
        let request =
            written.map_err(|MissingValue(missing)| NotReady::Unsayable(unsayable(&missing)))?;
        let attempt = Attempt { participant: self.id(), reference: AttemptRef::Payment };
        let payment = ask.payment.to_string();
        Ok((attempt, ReadyRequest { participant: self, payment, request, _place: place }))
    }

    async fn undo(&self, undo: &Undo<'_>, own: &mut Option<Attempt>) -> UndoAnswer {
        own.get_or_insert(Attempt { participant: self.id(), reference: AttemptRef::Payment });
        // The request of the payment is over, but may still be on its way to the bank's machines.
        UndoAnswer { code: self.reverse(undo).await, order: UndoOrder::WayGone }
    }

    async fn confirm(&self, confirmation: &Confirmation<'_>) -> Result<Started, NoAnswer> {
        self.pass_on(confirmation).await
    }

    async fn inquire(&self, of: &KnownPayment<'_>) -> Result<InquiryAnswer, NoAnswer> {
        self.ask_about(of).await
    }

    fn name_refund(&self, _: Folio) -> Result<Attempt, NotSent> {
        Ok(Attempt { participant: self.id(), reference: AttemptRef::Payment })
    }

    async fn refund(&self, refund: &RefundAsk<'_>) -> Result<Outcome, NoAnswer> {
        self.ask_refund(refund).await
    }

    fn remember(&self, _: &Attempt, _: Folio) {
        // The participant knows a payment by its id, and so does its notification.
    }
}

impl ReadyPayment for ReadyRequest<'_> {
    async fn start(self) -> Result<Started, NoAnswer> {
        let Self { participant, payment, request, _place } = self;
        let reading = participant.exchange(Operation::Start, request, &payment).await?;
        later::started(&reading)
    }
}

impl JsonParticipant {
    /// Errors: there is no answer, or none that says what became of the undoing.
    async fn reverse(&self, undo: &Undo<'_>) -> Result<[u8; 2], NoAnswer> {
        let (named, about) = (Named::undoing(undo), undo.payment.to_string());
        let mut values = named.values(&self.json, clock::now());
        let found;
        let request = match self.written(Operation::Reverse, &values) {
            Some(Err(MissingValue(Placeholder::BankReference))) => {
                // The bank undoes by its own reference, which the answer that did not come had.
                found = match self.bank_reference(&named, &about).await? {
                    Sought::Reference(reference) => reference,
                    Sought::NotFound => return Ok(NOT_FOUND),
                };
                values.bank_reference = Some(&found);
                self.written(Operation::Reverse, &values)
            }
            written => written,
        };
        let Some(Ok(request)) = request else {
            tracing::error!(participant = %self.id(), payment_id = about,
                "the participant's dialect needs something for a reversal that is not kept");
            return Err(NoAnswer::NotSent(NotSent::Unwritable));
        };
        let reading = self.exchange(Operation::Reverse, request, &about).await?;
        match reading.verdict {
            BankVerdict::Approved => Ok(DONE),
            BankVerdict::NotFound => Ok(NOT_FOUND),
            BankVerdict::Declined(reason) => Ok(refusal_code(reason)),
            BankVerdict::NotProcessed => Err(NoAnswer::NotSent(NotSent::NotTaken)),
            BankVerdict::NotUnderstood(fault) => Err(NoAnswer::MaybeSent(outcome::cause(&fault))),
            BankVerdict::Awaiting(_) | BankVerdict::Pending => {
                Err(NoAnswer::MaybeSent(Cause::BadAnswer))
            }
        }
    }

    /// Asks for the bank's own reference of a payment.
    ///
    /// Errors: there is no answer that has it.
    async fn bank_reference(&self, named: &Named<'_>, about: &str) -> Result<Sought, NoAnswer> {
        let values = named.values(&self.json, clock::now());
        let Some(Ok(request)) = self.written(Operation::Inquire, &values) else {
            return Err(NoAnswer::NotSent(NotSent::Unwritable));
        };
        let reading = self.exchange(Operation::Inquire, request, about).await?;
        match (reading.verdict, reading.reference) {
            (BankVerdict::NotFound, _) => Ok(Sought::NotFound),
            (_, Some(reference)) => Ok(Sought::Reference(reference)),
            (_, None) => Err(NoAnswer::MaybeSent(Cause::BadAnswer)),
        }
    }
}

/// What an inquiry for a reference brought.
enum Sought {
    Reference(String),
    NotFound,
}

/// An undoing that was refused, as a response code: "already reversed" and "original not found" have
/// their own.
fn refusal_code(reason: Reason) -> [u8; 2] {
    let code = reason.info().de39.and_then(|code| code.as_bytes().try_into().ok());
    code.filter(|code| *code != DONE).unwrap_or(REFUSED)
}
