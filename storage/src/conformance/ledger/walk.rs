//! Steps of random payments that wait, are inquired about, or are refunded.

use router::exchange::{Awaited, InquiryFinding};
use router::id::RefundId;
use router::outcome::{Approval, Decline};
use router::payment::{Payment, PaymentState};
use router::posting::Entry;
use router::reason::Reason;
use router::record::{
    Confirming, Expired, Inquiry, Record, Refund, RefundBegun, RefundDone, RefundFailed,
    RefundStep, WaitBegun,
};
use router::text::Text;
use router::time::Timestamp;

/// How long they wait, in microseconds.
const WAIT: i64 = 60_000_000;

/// The step of a kind that the payment's turn chooses; none where none may follow.
pub(crate) fn next_of(payment: &Payment, at: Timestamp, turn: u64) -> Option<Record> {
    let id = payment.id;
    match payment.state {
        PaymentState::Sent => Some(Record::Awaiting(Box::new(WaitBegun {
            payment: id,
            at,
            awaited: Awaited::OneTimeKey,
            until: at.plus_micros(WAIT),
            reference: Text::EMPTY,
        }))),
        PaymentState::AwaitingPayer if turn == 0 => {
            let at = payment.waits_until()?;
            Some(Record::Expired(Expired { payment: id, at }))
        }
        PaymentState::AwaitingPayer => {
            let at = payment.waits_until()?.plus_micros(-1);
            Some(Record::Confirming(Confirming { payment: id, at }))
        }
        PaymentState::Unknown => {
            let finding = match turn {
                0 => InquiryFinding::NotFound,
                1 => InquiryFinding::Declined(Decline::ours(Reason::CardDeclined)),
                2 => InquiryFinding::DeemedApproved,
                _ => InquiryFinding::Approved(Approval::default()),
            };
            let (raw_code, entry) = (Text::EMPTY, Entry::default());
            let inquiry = Inquiry { payment: id, at, finding, raw_code, entry };
            Some(Record::Inquiry(Box::new(inquiry)))
        }
        PaymentState::Approved | PaymentState::Refunding => refund(payment, at, turn),
        PaymentState::Received
        | PaymentState::Declined
        | PaymentState::Reversing
        | PaymentState::Reversed
        | PaymentState::Expired
        | PaymentState::Settled
        | PaymentState::Refunded => None,
    }
}

/// The end of a refund that is pending, or one more refund of a half of what may be refunded.
fn refund(payment: &Payment, at: Timestamp, turn: u64) -> Option<Record> {
    let mut pending = (0..).zip(&payment.refunds).filter(|(_, refund)| refund.end.is_none());
    let step_of = |refund, step| {
        Some(Record::Refund(Box::new(Refund { payment: payment.id, at, refund, step })))
    };
    match (pending.next(), turn) {
        (Some((place, refund)), 0) => {
            let (amount_minor, decline) =
                (refund.amount_minor, Decline::ours(Reason::IssuerUnavailable));
            step_of(refund.id, RefundStep::Failed(RefundFailed { place, amount_minor, decline }))
        }
        (Some((place, refund)), 1 | 2) => {
            let (amount_minor, entry) = (refund.amount_minor, Entry::default());
            let done = RefundDone { place, amount_minor, approval: Approval::default(), entry };
            step_of(refund.id, RefundStep::Done(Box::new(done)))
        }
        (Some(_) | None, _) => {
            let left_minor = payment.refundable_minor().filter(|left| *left > 0)?;
            let key = u128::try_from(payment.refunds.len()).ok()?;
            let begun = RefundBegun {
                paid_minor: payment.request.amount.minor,
                amount_minor: (left_minor + 1) / 2,
                fingerprint: key,
                reason: "".into(),
                attempt: payment.attempt?,
            };
            step_of(RefundId::of(payment.id, key), RefundStep::Begun(begun))
        }
    }
}
