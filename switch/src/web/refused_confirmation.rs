//! The log of confirmations that are refused: by participant and field, never with the key.

use router::id::{BillerId, ParticipantId, PaymentId};
use router::reason::Reason;

use super::Api;
use super::answer::ApiRefusal;

/// The one field of a confirmation.
const ONE_TIME_KEY: &str = "otp";

/// Tells of a confirmation that was refused, of what `id` names in its path. The participant is told of
/// a payment of another biller too: the log is the operator's. Cancel-safe: it only reads.
pub(super) async fn tell(api: &Api, (id, biller): (&str, BillerId), refusal: &ApiRefusal) {
    let payment = id.parse::<PaymentId>().ok();
    let participant = match payment {
        Some(payment) => participant_of(api, payment).await,
        None => None,
    };
    let (payment_id, participant) =
        (payment.map(tracing::field::display), participant.map(tracing::field::display));
    tracing::info!(payment_id, participant, %biller, field = field_of(refusal), why = refusal.code(),
        "confirmation refused");
}

async fn participant_of(api: &Api, payment: PaymentId) -> Option<ParticipantId> {
    let payment = api.engine.store.payment(payment).await.ok().flatten()?;
    payment.attempt.map(|attempt| attempt.participant)
}

/// What is wrong: the state of the payment, its id, the key, or the body around it. No other name of a
/// field is told: a member of the body may be named as the key reads.
fn field_of(refusal: &ApiRefusal) -> &'static str {
    match (refusal.field(), refusal.reason()) {
        (Some(ONE_TIME_KEY), _) => ONE_TIME_KEY,
        (_, Reason::ConfirmationNotAwaited | Reason::Pending) => "state",
        (_, Reason::PaymentNotFound | Reason::RefundNotAllowed) => "id",
        (Some(_), _) | (None, _) => "body",
    }
}
