//! What is asked of a JSON API about a payment that it was asked for before: the payer's confirmation,
//! an inquiry, a refund.

use codecs::json_bank::{AwaitedStep, BankReading, BankVerdict, Operation};
use router::exchange::{
    Awaited, Awaiting, Confirmation, InquiryAnswer, InquiryFinding, KnownPayment, NoAnswer,
    NotSent, RefundAsk, Started,
};
use router::outcome::{Decline, Outcome};
use router::text::Text;

use super::values::Named;
use super::{JsonParticipant, outcome};
use crate::clock;

/// How long a step is waited for whose end the participant does not tell: 15 minutes.
const WAIT_DEFAULT_MICROS: i64 = 15 * 60 * 1_000_000;

impl JsonParticipant {
    /// Passes a one-time key on.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    pub(super) async fn pass_on(&self, said: &Confirmation<'_>) -> Result<Started, NoAnswer> {
        let named = Named::known(&said.of);
        let mut values = named.values(&self.json, clock::now());
        values.one_time_key = Some(said.one_time_key);
        let about = said.of.payment.to_string();
        let Some(Ok(request)) = self.written(Operation::Confirm, &values) else {
            return Err(self.unwritable(Operation::Confirm, &about));
        };
        started(&self.exchange(Operation::Confirm, request, &about).await?)
    }

    /// Asks what became of a payment.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    pub(super) async fn ask_about(&self, of: &KnownPayment<'_>) -> Result<InquiryAnswer, NoAnswer> {
        let named = Named::known(of);
        let (values, about) = (named.values(&self.json, clock::now()), of.payment.to_string());
        let Some(Ok(request)) = self.written(Operation::Inquire, &values) else {
            return Err(self.unwritable(Operation::Inquire, &about));
        };
        let reading = self.exchange(Operation::Inquire, request, &about).await?;
        let raw_code = reading.code.as_deref().and_then(|code| Text::new(code).ok());
        let finding = match &reading.verdict {
            BankVerdict::Approved => Some(InquiryFinding::Approved(outcome::approval(&reading))),
            BankVerdict::Declined(reason) => {
                let network_code = outcome::network_code(&reading);
                Some(InquiryFinding::Declined(Decline { reason: *reason, network_code }))
            }
            BankVerdict::NotFound => Some(InquiryFinding::NotFound),
            BankVerdict::Awaiting(_)
            | BankVerdict::Pending
            | BankVerdict::NotProcessed
            | BankVerdict::NotUnderstood(_) => None,
        };
        Ok(InquiryAnswer { finding, raw_code: raw_code.unwrap_or_default() })
    }

    /// Asks for a refund.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    pub(super) async fn ask_refund(&self, refund: &RefundAsk<'_>) -> Result<Outcome, NoAnswer> {
        let named = Named::refunding(refund);
        let (values, about) =
            (named.values(&self.json, clock::now()), refund.of.payment.to_string());
        let Some(Ok(request)) = self.written(Operation::Refund, &values) else {
            return Err(self.unwritable(Operation::Refund, &about));
        };
        outcome::of(&self.exchange(Operation::Refund, request, &about).await?)
    }

    fn unwritable(&self, operation: Operation, about: &str) -> NoAnswer {
        tracing::error!(participant = %self.id(), payment_id = about, operation = operation.name(),
            "the participant's dialect does not have this, or needs something that is not kept");
        NoAnswer::NotSent(NotSent::Unwritable)
    }
}

/// What came of starting a payment, or of confirming it.
///
/// Errors: the participant guarantees that it did nothing.
pub(super) fn started(reading: &BankReading) -> Result<Started, NoAnswer> {
    let BankVerdict::Awaiting(step) = &reading.verdict else {
        return outcome::of(reading).map(Started::Answered);
    };
    let (awaited, until) = match step {
        AwaitedStep::OneTimeKey(until) => (Awaited::OneTimeKey, until),
        AwaitedStep::Redirect(url, until) => (Awaited::Redirect(url.as_str().into()), until),
        AwaitedStep::Confirmation(until) => (Awaited::Confirmation, until),
    };
    let until = until.unwrap_or_else(|| clock::now().plus_micros(WAIT_DEFAULT_MICROS));
    let reference = reading.reference.as_deref().and_then(|it| Text::new(it).ok());
    Ok(Started::Awaiting(Awaiting { awaited, until, reference: reference.unwrap_or_default() }))
}
