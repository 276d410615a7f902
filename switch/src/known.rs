//! A payment as its participant knows it: what is needed to speak of it again.

use std::borrow::Cow;

use router::exchange::KnownPayment;
use router::message::PaymentRequest;
use router::outcome::Outcome;
use router::payment::Payment;
use router::record::Attempt;
use router::secret::Pan;

use crate::engine::Engine;
use crate::participant::ParticipantAdapter;
use crate::sealed;

/// A payment that was sent, with what was sealed of it opened, and the participant that it was sent
/// to.
pub struct SentPayment<'a> {
    payment: &'a Payment,
    request: Cow<'a, PaymentRequest>,
    card: Option<Pan>,
    attempt: Attempt,
    /// The participant.
    pub participant: ParticipantAdapter,
}

impl<'a> SentPayment<'a> {
    /// None, and an error in the log, where nothing can be said of it: it was never sent, its
    /// participant is no longer configured, or what is sealed does not open.
    pub fn of(engine: &Engine, payment: &'a Payment) -> Option<Self> {
        let attempt = payment.attempt?;
        let participants = engine.participants();
        let Some(participant) = participants.by_id(attempt.participant).cloned() else {
            tracing::error!(participant = attempt.participant.as_str(), payment_id = %payment.id,
                "a payment is under way at a participant that is no longer configured");
            return None;
        };
        let sealer = &engine.sealer;
        let (card, request) = (sealed::card(sealer, payment)?, sealed::request(sealer, payment)?);
        Some(Self { payment, request, card, attempt, participant })
    }

    /// What the participant is told of it.
    pub fn known(&self) -> KnownPayment<'_> {
        let payment = self.payment;
        let approval = match &payment.outcome {
            Some(Outcome::Approved(approval)) => Some(*approval),
            Some(Outcome::Declined(_) | Outcome::Unknown(_)) | None => None,
        };
        KnownPayment {
            payment: payment.id,
            folio: payment.folio,
            request: &self.request,
            business_date: payment.business_date,
            total: payment.total,
            approval,
            original: self.attempt.reference,
            reference: payment.wait.as_ref().map_or("", |wait| wait.reference.as_str()),
            card: self.card.as_ref(),
        }
    }
}
