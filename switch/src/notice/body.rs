//! What a notice says: the payment as it was when the event happened, whatever became of it since.
//! So every attempt at one notice carries the same bytes.

use codecs::api::{NoticeBody, PaymentView};
use router::id::{Folio, RefundId};
use router::notice::NoticeType;
use router::outcome::Outcome;
use router::payment::{Payment, PaymentState, RefundEnd};
use router::reason::Language;
use router::time::Timestamp;
use storage::outbox::UndeliveredNotice;
use storage::{Store, StoreError};

use super::bill::bill_at;
use crate::engine::Engine;

/// Language of a notice's texts.
const LANGUAGE: Language = Language::En;

/// The notice an outcome owes, which is also what its originator was told.
pub fn kind_of(outcome: &Outcome) -> NoticeType {
    match outcome {
        Outcome::Approved(_) => NoticeType::PaymentApproved,
        Outcome::Declined(_) => NoticeType::PaymentDeclined,
        Outcome::Unknown(_) => NoticeType::PaymentUnknown,
    }
}

/// What a notice tells of: its type, and which refund, where it tells of one.
#[derive(Debug, Clone, Copy)]
pub struct ToldEvent {
    /// Its type.
    pub kind: NoticeType,
    /// The refund.
    pub refund: Option<RefundId>,
}

impl From<&UndeliveredNotice> for ToldEvent {
    fn from(owed: &UndeliveredNotice) -> Self {
        Self { kind: owed.kind, refund: owed.refund }
    }
}

impl From<NoticeType> for ToldEvent {
    fn from(kind: NoticeType) -> Self {
        Self { kind, refund: None }
    }
}

/// When the event happened.
pub fn happened_at(payment: &Payment, event: impl Into<ToldEvent>) -> Timestamp {
    let ToldEvent { kind, refund } = event.into();
    let concluded_at = payment.concluded_at.unwrap_or(payment.received_at);
    match kind {
        NoticeType::PaymentApproved | NoticeType::PaymentDeclined | NoticeType::PaymentExpired => {
            concluded_at
        }
        NoticeType::PaymentUnknown => payment.given_up.map_or(concluded_at, |it| it.at),
        NoticeType::PaymentReversed => payment.reversed_at.unwrap_or(concluded_at),
        NoticeType::PaymentRefunded => {
            let told = refund.and_then(|id| payment.refund_of(id));
            told.and_then(|(_, refund)| refund.end).map_or(concluded_at, |(at, _)| at)
        }
    }
}

/// The payment as it was when the event happened.
pub fn as_told(mut payment: Payment, event: impl Into<ToldEvent>) -> Payment {
    let event = event.into();
    let kind = event.kind;
    let at = happened_at(&payment, event);
    let is_reversed = kind == NoticeType::PaymentReversed;
    let is_refunded = kind == NoticeType::PaymentRefunded;
    // Of refunds, those that were done by then.
    payment.refunds.retain(|refund| {
        let is_done = matches!(refund.end, Some((end, RefundEnd::Done(_))) if end <= at);
        is_refunded && is_done
    });
    // A part may be reversed before or after the other notices.
    payment.parts.retain(|_| is_reversed || is_refunded);
    payment.state = match kind {
        NoticeType::PaymentApproved => PaymentState::Approved,
        NoticeType::PaymentDeclined => PaymentState::Declined,
        NoticeType::PaymentUnknown => PaymentState::Unknown,
        NoticeType::PaymentReversed => PaymentState::Reversed,
        NoticeType::PaymentExpired => PaymentState::Expired,
        NoticeType::PaymentRefunded => refunded_state(&payment),
    };
    if let Some(given_up) = payment.given_up.filter(|_| kind == NoticeType::PaymentUnknown) {
        // What an inquiry found is told by a notice of its own.
        payment.outcome = Some(Outcome::Unknown(given_up.cause));
        payment.concluded_at = Some(given_up.at);
    }
    payment.reversal_cause = payment.reversal_cause.filter(|_| is_reversed);
    payment.reversed_at = payment.reversed_at.filter(|_| is_reversed);
    // It may come before or after any notice.
    payment.late_answer = None;
    payment
}

/// Where a payment stands after refunds that are done.
fn refunded_state(payment: &Payment) -> PaymentState {
    let done_minor = payment.refund_sums().map_or(0, |sums| sums.done_minor);
    match done_minor == payment.stands_minor() {
        true => PaymentState::Refunded,
        false => PaymentState::Approved,
    }
}

/// The bytes to sign and send.
///
/// Errors: the store's, when the payment it repeats cannot be read. Cancel-safe.
pub async fn of(
    engine: &Engine,
    payment: Payment,
    owed: &UndeliveredNotice,
) -> Result<Vec<u8>, StoreError> {
    let original = original_folio(&engine.store, &payment).await?;
    let at = happened_at(&payment, owed);
    let bill = bill_at(engine, &payment, owed.into()).await;
    let told = as_told(payment, owed);
    let view = PaymentView { bill, ..PaymentView::new(&told, LANGUAGE, original) };
    Ok(NoticeBody::new(owed.notice_id, owed.kind, at, &view).to_json())
}

/// Folio of the payment that a payment repeats, where it repeats one. Cancel-safe.
pub async fn original_folio(store: &Store, payment: &Payment) -> Result<Option<Folio>, StoreError> {
    let Some(original) = payment.original else { return Ok(None) };
    Ok(store.payment(original).await?.map(|original| original.folio))
}
