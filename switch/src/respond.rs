//! What an originator is told. One table – the decline catalogue – turns a reason into wire codes, and
//! this is the only place that asks it for them.

use std::borrow::Cow;

use router::detail::Detail;
use router::id::{Folio, PaymentId};
use router::outcome::{Approval, Decline, Outcome};
use router::payment::{Payment, PaymentState};
use router::reason::{Language, Reason};
use router::refusal::Refusal;
use storage::StoreError;

use crate::log::Seldom;

/// What an originator is told of a payment, whatever the dialect.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The payment, where one was made or found.
    pub payment: Option<(PaymentId, Folio)>,
    /// What became of it.
    pub reason: Reason,
    /// The response code of the participant, where it gave one.
    pub network_code: Option<[u8; 2]>,
    /// Authorisation and bank reference of an approval.
    pub approval: Approval,
    /// Folio of the payment it duplicates.
    pub original: Option<Folio>,
    /// Whether this is the stored answer of an earlier request.
    pub is_replay: bool,
    /// Whether the payment is still under way.
    pub is_in_progress: bool,
    /// The request's field to mend.
    pub field: Option<&'static str>,
    /// What people need beyond the reason's text.
    pub detail: Option<Detail>,
    /// What is to stand of an approval that was reversed in part, in minor units, for an inquiry.
    pub stands_minor: Option<i64>,
}

impl Reply {
    /// A refusal of which nothing is kept.
    pub fn refused(reason: Reason) -> Self {
        Self {
            payment: None,
            reason,
            network_code: None,
            approval: Approval::default(),
            original: None,
            is_replay: false,
            is_in_progress: false,
            field: None,
            detail: None,
            stands_minor: None,
        }
    }

    /// A request that makes no sense; nothing of it is kept.
    pub fn faulty(refusal: Refusal) -> Self {
        let Refusal { reason, field, detail, business_date: _ } = refusal;
        Self { field, detail, ..Self::refused(reason) }
    }

    /// An outcome that has just become durable.
    pub fn outcome(payment: PaymentId, folio: Folio, outcome: &Outcome) -> Self {
        let reply = Self { payment: Some((payment, folio)), ..Self::refused(Reason::Approved) };
        match outcome {
            Outcome::Approved(approval) => Self { approval: *approval, ..reply },
            Outcome::Declined(Decline { reason, network_code }) => {
                Self { reason: *reason, network_code: *network_code, ..reply }
            }
            Outcome::Unknown(_) => Self { reason: Reason::OutcomeUnknown, ..reply },
        }
    }

    /// A payment that waits for its payer or for a confirmation.
    pub fn waiting(payment: PaymentId, folio: Folio) -> Self {
        Self { payment: Some((payment, folio)), ..Self::refused(Reason::Pending) }
    }

    /// What the originator of a stored payment is told now: an approval that was reversed since is not
    /// told as one.
    pub fn of(payment: &Payment) -> Self {
        let is_undone = matches!(payment.state, PaymentState::Reversing | PaymentState::Reversed);
        if is_undone && payment.was_approved() {
            let payment = Some((payment.id, payment.folio));
            return Self { payment, ..Self::refused(Reason::AlreadyReversed) };
        }
        match &payment.outcome {
            Some(outcome) => Self {
                detail: payment.detail.clone(),
                ..Self::outcome(payment.id, payment.folio, outcome)
            },
            None if payment.state == PaymentState::AwaitingPayer => {
                Self::waiting(payment.id, payment.folio)
            }
            None => Self {
                payment: Some((payment.id, payment.folio)),
                is_in_progress: true,
                ..Self::refused(Reason::Pending)
            },
        }
    }

    /// Where a stored payment stands now, for an inquiry.
    pub fn standing(payment: &Payment) -> Self {
        let reply = Self::of(payment);
        match payment.state {
            // A decline stays one, though the participant approved behind it and is undone.
            PaymentState::Reversing | PaymentState::Reversed if payment.was_declined() => reply,
            PaymentState::Reversing | PaymentState::Reversed => {
                Self { reason: Reason::AlreadyReversed, network_code: None, ..reply }
            }
            PaymentState::Approved => {
                let stands_minor = payment.standing().map(|standing| standing.owed_minor);
                Self { stands_minor, ..reply }
            }
            PaymentState::Received
            | PaymentState::AwaitingPayer
            | PaymentState::Sent
            | PaymentState::Declined
            | PaymentState::Unknown
            | PaymentState::Expired
            | PaymentState::Settled
            | PaymentState::Refunding
            | PaymentState::Refunded => reply,
        }
    }

    /// A repeat of a payment that is still under way.
    pub fn in_progress(_payment: PaymentId) -> Self {
        Self { is_in_progress: true, ..Self::refused(Reason::Pending) }
    }

    /// The journal gave no answer: whatever the originator does next, it must ask first.
    pub fn not_decided(error: &StoreError) -> Self {
        let why = match error {
            StoreError::Guard(_) => "gate",
            StoreError::Overloaded => "queue",
            StoreError::Stalled { .. } => "stalled",
            StoreError::Elsewhere { .. } => "elsewhere",
            _ => "journal",
        };
        metrics::counter!("cauce_payments_not_decided_total", "why" => why).increment(1);
        match error {
            // The gate itself tells once that it is closed, not with every payment.
            StoreError::Guard(_) => tracing::debug!(%error, "not decided"),
            _ => tell_no_answer(error),
        }
        match error {
            StoreError::Guard(_) | StoreError::Elsewhere { .. } => {
                Self::refused(Reason::GateUnavailable)
            }
            StoreError::Overloaded | StoreError::Stalled { .. } => {
                Self::refused(Reason::RateLimited)
            }
            StoreError::TooManyWaiters { payment, .. } => Self::in_progress(*payment),
            _ => Self::refused(Reason::SystemError),
        }
    }

    /// The refusal of a request that was not decided in time; nothing of it is kept.
    pub fn no_turn() -> Self {
        metrics::counter!("cauce_payments_not_decided_total", "why" => "turn").increment(1);
        Self::refused(Reason::RateLimited)
    }

    /// Marks the stored answer of an earlier request.
    pub fn replayed(self) -> Self {
        Self { is_replay: true, ..self }
    }

    /// Names the field to mend.
    pub fn about(self, field: Option<&'static str>) -> Self {
        Self { field, ..self }
    }

    /// Names the payment it duplicates.
    pub fn repeating(self, original: Option<Folio>) -> Self {
        Self { original, ..self }
    }

    /// DE39: the participant's own code where it gave one, else the catalogue's.
    pub fn de39(&self) -> [u8; 2] {
        self.network_code.unwrap_or_else(|| de39(self.reason))
    }

    /// The text for people: that of the limit that refused, with its own figures, or else the
    /// catalogue's, with the folio of the payment it points at or the field to mend.
    pub fn text(&self, language: Language) -> Cow<'static, str> {
        if let Some(limit) = self.detail.as_ref().and_then(|detail| detail.limit_of(self.reason)) {
            return Cow::Owned(limit.text(language));
        }
        let text = self.reason.info().text(language);
        match (self.original, self.field) {
            (Some(folio), _) => Cow::Owned(format!("{text} (folio {folio})")),
            (None, Some(field)) => Cow::Owned(format!("{text}: {field}")),
            (None, None) => Cow::Borrowed(text),
        }
    }

    /// HTTP status.
    pub fn http_status(&self) -> u16 {
        match (self.is_in_progress, self.is_replay) {
            (true, true) => 409,
            (true, false) => 202,
            (false, _) => self.reason.info().http,
        }
    }
}

/// DE39 of a reason, by the catalogue.
pub fn de39(reason: Reason) -> [u8; 2] {
    let fallback = Reason::SystemError.info().de39;
    let code = reason.info().de39.or(fallback).unwrap_or("96").as_bytes();
    [code[0], code[1]]
}

/// Tells that the journal gave no answer: once in a while, for every request meets it.
pub fn tell_no_answer(error: &StoreError) {
    static NO_ANSWER: Seldom = Seldom::new();
    if let Some(left_out) = NO_ANSWER.is_due() {
        let error = storage::with_causes(error);
        tracing::error!(%error, left_out, "the journal gave no answer");
    }
}
