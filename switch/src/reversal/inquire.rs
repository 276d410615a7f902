//! What a participant's rules say of an unknown payment before it is reversed: that the participant is
//! asked first, or that the payment counts as approved.

use router::exchange::{InquiryAnswer, InquiryFinding};
use router::outcome::{Cause, Outcome};
use router::payment::{Payment, PaymentState};
use router::posting::Entry;
use router::record::{Inquiry, Record};
use router::text::Text;
use storage::StoreError;

use crate::adapter::Adapter;
use crate::clock;
use crate::config::OnUnknown;
use crate::engine::Engine;
use crate::known::SentPayment;

/// Inquiries that bring no evidence before the payment is reversed all the same.
const INQUIRIES_MAX: u32 = 5;

/// What is to be done about an unknown payment next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnknownPayment {
    /// It is known now, or its inquiry is to be repeated.
    LookAgain,
    /// It must be reversed.
    Reverse,
}

/// Takes the next step of an unknown payment by the rules of its participant.
///
/// Errors: the journal's. Not cancel-safe: a dropped call may leave an inquiry unanswered, which is
/// sent again.
pub(super) async fn next(
    engine: &Engine,
    payment: &Payment,
    sent: &mut u32,
) -> Result<UnknownPayment, StoreError> {
    if !may_be_known(payment) {
        return Ok(UnknownPayment::Reverse);
    }
    let Some(of) = SentPayment::of(engine, payment) else {
        return Ok(UnknownPayment::Reverse);
    };
    let (finding, raw_code) = match of.participant.on_unknown() {
        OnUnknown::Reverse => return Ok(UnknownPayment::Reverse),
        OnUnknown::DeemAccepted => (InquiryFinding::DeemedApproved, Text::EMPTY),
        OnUnknown::InquireFirst if *sent >= INQUIRIES_MAX => {
            tracing::warn!(payment_id = %payment.id, participant = %of.participant.id(),
                inquiries = *sent, "inquiries brought no evidence; the payment is reversed");
            return Ok(UnknownPayment::Reverse);
        }
        OnUnknown::InquireFirst => {
            *sent += 1;
            match of.participant.inquire(&of.known()).await {
                Ok(InquiryAnswer { finding: Some(finding), raw_code }) => (finding, raw_code),
                Ok(InquiryAnswer { finding: None, .. }) => return Ok(UnknownPayment::LookAgain),
                Err(why) => {
                    tracing::debug!(payment_id = %payment.id, ?why, "inquiry not answered");
                    return Ok(UnknownPayment::LookAgain);
                }
            }
        }
    };
    record(engine, payment, (finding, raw_code)).await?;
    Ok(UnknownPayment::LookAgain)
}

/// Whether what the participant or its rules say may be taken for the payment's outcome: not where it
/// was asked before and does not know it, and not where it has told of another amount.
fn may_be_known(payment: &Payment) -> bool {
    let is_other = payment.given_up.is_some_and(|given_up| match given_up.cause {
        Cause::ContradictsRequest | Cause::PartialApproval => true,
        Cause::Timeout | Cause::LineLost | Cause::Restart | Cause::BadAnswer => false,
    });
    payment.state == PaymentState::Unknown && payment.inquiry.is_none() && !is_other
}

/// Makes what was found durable; that another was first changes nothing.
async fn record(
    engine: &Engine,
    payment: &Payment,
    (finding, raw_code): (InquiryFinding, Text<16>),
) -> Result<(), StoreError> {
    let entry = match finding.outcome() {
        Some(Outcome::Approved(_)) => payment.planned_entry.clone(),
        Some(Outcome::Declined(_) | Outcome::Unknown(_)) | None => Entry::default(),
    };
    let inquiry = Inquiry { payment: payment.id, at: clock::now(), finding, raw_code, entry };
    match engine.store.append(Record::Inquiry(Box::new(inquiry))).await {
        Ok(_) => {
            metrics::counter!("cauce_inquiries_total", "finding" => finding.name()).increment(1);
            tracing::info!(payment_id = %payment.id, finding = finding.name(),
                "what became of an unknown payment");
            Ok(())
        }
        Err(StoreError::Illegal(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
