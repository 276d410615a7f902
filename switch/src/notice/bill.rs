//! Where the bill of a payment stands, for the payment's answers and notices.

use codecs::api::BillStandingView;
use router::bill::{BillStanding, BillState, PlannedBill};
use router::message::Rail;
use router::notice::NoticeType;
use router::outcome::Outcome;
use router::payment::Payment;
use router::reason::Reason;
use router::time::Timestamp;
use storage_backoffice::payment_row::REFUND_DONE;

use super::body::{ToldEvent, happened_at};
use crate::backoffice::moment_of;
use crate::clock;
use crate::engine::Engine;

/// The bill of a payment as it stood with the payment's event: the same whatever became of the bill
/// since. Nothing but its names where it is not registered, and as long as the back office has no
/// rows of the event.
///
/// Cancel-safe.
pub async fn bill_at(
    engine: &Engine,
    payment: &Payment,
    event: ToldEvent,
) -> Option<BillStandingView> {
    let named = BillStandingView::named(payment)?;
    let Some(planned) = payment.bill else { return Some(named) };
    let at = happened_at(payment, event);
    let backoffice = &engine.backoffice;
    let paid = backoffice.paid_after(&engine.store, payment.id, step_of(event, at)).await;
    let Some(paid_minor) = paid else { return Some(named) };
    let state = state_at(engine, payment, &planned, (event.kind, at), paid_minor);
    Some(named.standing(state, paid_minor, planned.remaining_minor(paid_minor)))
}

/// The bill of a payment as it stands now. Nothing but its names where it is not registered or the
/// back office does not answer.
///
/// Cancel-safe.
pub async fn bill_now(engine: &Engine, payment: &Payment) -> Option<BillStandingView> {
    let named = BillStandingView::named(payment)?;
    let Some(planned) = payment.bill else { return Some(named) };
    let found = engine.backoffice.bill_and_standing(&engine.store, planned.id).await;
    let Ok(Some((bill, standing))) = found else { return Some(named) };
    let moment = moment_of(&engine.policy(), bill.biller, clock::now());
    let state = bill.terms.state(standing, moment);
    let remaining = bill.terms.remaining(standing, moment.today);
    Some(named.standing(state, standing.paid_minor, remaining.minor))
}

/// The name of the row that an event leads to, and its time where there can be many of the name.
fn step_of(event: ToldEvent, at: Timestamp) -> (&'static str, Option<Timestamp>) {
    match event.kind {
        NoticeType::PaymentApproved => ("approved", None),
        NoticeType::PaymentDeclined => ("declined", None),
        NoticeType::PaymentUnknown => ("unknown", None),
        NoticeType::PaymentReversed => ("reversed", None),
        NoticeType::PaymentExpired => ("expired", None),
        NoticeType::PaymentRefunded => (REFUND_DONE, Some(at)),
    }
}

/// Where a bill stood with an event of a payment of it.
fn state_at(
    engine: &Engine,
    payment: &Payment,
    planned: &PlannedBill,
    (kind, at): (NoticeType, Timestamp),
    paid_minor: i64,
) -> BillState {
    let refused_for = match &payment.outcome {
        Some(Outcome::Declined(decline)) => Some(decline.reason),
        Some(Outcome::Approved(_) | Outcome::Unknown(_)) | None => None,
    };
    let is_in_payment = kind == NoticeType::PaymentUnknown;
    let biller = payment.request.biller;
    let today = biller
        .map_or(payment.business_date, |biller| moment_of(&engine.policy(), biller, at).today);
    match refused_for {
        Some(Reason::BillCancelled) => BillState::Cancelled,
        Some(Reason::BillExpired) => BillState::Expired,
        Some(Reason::BillInProgress) => BillState::InPayment,
        _ => {
            let was_last_external = payment.request.rail == Rail::External;
            let standing = BillStanding {
                paid_minor,
                is_in_payment,
                was_last_external,
                ..BillStanding::default()
            };
            planned.state(standing, today)
        }
    }
}
