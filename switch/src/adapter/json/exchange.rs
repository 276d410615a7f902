//! One request and its answer.

use bytes::Bytes;
use codecs::http_signature::SIGNATURE;
use codecs::json_bank::{
    BankReading, BankRequest, BankValues, BankVerdict, MissingValue, Operation,
};
use http::{Request, Uri};
use router::exchange::{NoAnswer, NotSent};
use router::outcome::Cause;
use tokio::time::Instant;

use super::{JsonParticipant, outcome};
use crate::clock;
use crate::outbound::{self, HttpError};

impl JsonParticipant {
    /// The request of an operation; none where the dialect does not have it.
    ///
    /// Errors: the payment lacks something that the participant needs.
    pub(super) fn written(
        &self,
        operation: Operation,
        values: &BankValues<'_>,
    ) -> Option<Result<BankRequest, MissingValue>> {
        self.json.dialect.write(operation, values)
    }

    /// Sends a request, waits for its answer, at most the participant's deadline, and reads it.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    pub(super) async fn exchange(
        &self,
        operation: Operation,
        request: BankRequest,
        about: &str,
    ) -> Result<BankReading, NoAnswer> {
        let deadline = Instant::now() + self.timeout;
        let BankRequest { method, path, headers, body, expected } = request;
        let uri = format!("{}{path}", self.json.url).parse::<Uri>();
        let uri = uri.map_err(|_| NoAnswer::NotSent(NotSent::Unwritable))?;
        let mut request = Request::new(Bytes::from(body.unwrap_or_default()));
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        request.headers_mut().extend(headers);
        if let Err(error) = self.sign(&mut request, clock::now()) {
            tracing::error!(participant = %self.id(), payment_id = about, %error,
                "a request cannot be signed as the participant's entry says");
            return Err(NoAnswer::NotSent(NotSent::Unwritable));
        }
        let answer = self.client.ask(request, deadline).await;
        let answer = answer.map_err(|error| self.no_answer(operation, about, &error))?;
        if let Err(why) = self.check_answer(&answer, clock::now()) {
            outcome::count_not_believed(self.id(), "answer", why.name());
            tracing::warn!(participant = %self.id(), payment_id = about, operation = operation.name(),
                field = SIGNATURE, error = %why, "answer is not believed; the outcome is unknown");
            return Err(NoAnswer::MaybeSent(Cause::BadAnswer));
        }
        let reading = self.json.dialect.read(&expected, answer.status().as_u16(), answer.body());
        if let BankVerdict::NotUnderstood(fault) = &reading.verdict {
            let status = answer.status().as_u16();
            outcome::tell_not_understood(self.id(), operation.name(), about, status, fault);
        }
        Ok(reading)
    }

    fn no_answer(&self, operation: Operation, about: &str, error: &HttpError) -> NoAnswer {
        if let Some(left_out) = self.silence_told.is_due() {
            tracing::warn!(participant = %self.id(), payment_id = about, operation = operation.name(),
                field = outcome::field_of(error), error = %storage::with_causes(error), left_out,
                "no answer from a participant");
        }
        match error {
            HttpError::NotSent { cause: outbound::NotSentCause::NoPlace, .. } => {
                NoAnswer::NotSent(NotSent::Congested)
            }
            HttpError::NotSent {
                cause:
                    outbound::NotSentCause::Timeout
                    | outbound::NotSentCause::NotPublic
                    | outbound::NotSentCause::Connect,
                ..
            } => NoAnswer::NotSent(NotSent::SignedOff),
            HttpError::MaybeSent { cause, .. } => {
                let (problem, cause) = outcome::of_no_answer(*cause);
                outcome::count_not_understood(self.id(), operation.name(), problem);
                NoAnswer::MaybeSent(cause)
            }
        }
    }
}
