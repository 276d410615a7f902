//! What a notice says: the payment as it was when the event happened, whatever became of it since.
//! So every attempt at one notice carries the same bytes.

use codecs::api::{NoticeBody, PaymentView};
use router::id::Folio;
use router::notice::{NoticeType, notice_id};
use router::outcome::Outcome;
use router::payment::{Payment, PaymentState};
use router::reason::Language;
use router::time::Timestamp;
use storage::{Store, StoreError};

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

/// When the event happened.
pub fn happened_at(payment: &Payment, kind: NoticeType) -> Timestamp {
    let concluded_at = payment.concluded_at.unwrap_or(payment.received_at);
    match kind {
        NoticeType::PaymentApproved | NoticeType::PaymentDeclined | NoticeType::PaymentUnknown => {
            concluded_at
        }
        NoticeType::PaymentReversed => payment.reversed_at.unwrap_or(concluded_at),
    }
}

/// The payment as it was when the event happened.
pub fn as_told(mut payment: Payment, kind: NoticeType) -> Payment {
    let is_reversed = kind == NoticeType::PaymentReversed;
    payment.state = match kind {
        NoticeType::PaymentApproved => PaymentState::Approved,
        NoticeType::PaymentDeclined => PaymentState::Declined,
        NoticeType::PaymentUnknown => PaymentState::Unknown,
        NoticeType::PaymentReversed => PaymentState::Reversed,
    };
    payment.reversal_cause = payment.reversal_cause.filter(|_| is_reversed);
    payment.reversed_at = payment.reversed_at.filter(|_| is_reversed);
    // A part may be reversed before or after the other notices.
    payment.parts.retain(|_| is_reversed);
    // It may come before or after any notice.
    payment.late_answer = None;
    payment
}

/// The bytes to sign and send.
///
/// Errors: the store's, when the payment it repeats cannot be read. Cancel-safe.
pub async fn of(store: &Store, payment: Payment, kind: NoticeType) -> Result<Vec<u8>, StoreError> {
    let original = original_folio(store, &payment).await?;
    let at = happened_at(&payment, kind);
    let id = notice_id(payment.id, kind);
    let told = as_told(payment, kind);
    let view = PaymentView::new(&told, LANGUAGE, original);
    Ok(NoticeBody::new(id, kind, at, &view).to_json())
}

/// Folio of the payment that a payment repeats, where it repeats one. Cancel-safe.
pub async fn original_folio(store: &Store, payment: &Payment) -> Result<Option<Folio>, StoreError> {
    let Some(original) = payment.original else { return Ok(None) };
    Ok(store.payment(original).await?.map(|original| original.folio))
}
