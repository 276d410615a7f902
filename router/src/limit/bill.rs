//! What a payment reserves of the bill that it names: a slot until its outcome, and its amount of a
//! counter whose ceiling is what the bill comes to.
//!
//! | what is known of the bill | what its payments may add up to |
//! |---|---|
//! | nothing: no register told its terms | the amount of one payment: the bill is paid once |
//! | its terms, parts allowed | the bill's amount |
//! | its terms, no parts | the bill's amount, in one payment |
//!
//! `remaining_debt` is the originator's word and differs from request to request, so it opens
//! nothing. A payment that names a bill without terms is refused as long as anything stands of
//! another payment of the bill. A reversal lowers the counter by what it gives back.
//!
//! The counter is forgotten a set time after the bill's last payment
//! ([`crate::policy::Policy::bill_retention`]); until then no payment makes it forget. Of two parts that
//! lie further apart the earlier may be forgotten, so the configuration takes no time below a year.

use crate::detail::BrokenLimit;
use crate::message::digest128;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::request_context::RequestContext;
use crate::reservation::{Counter, CounterKey, Keep, Slot, SlotKey};
use crate::time::Timestamp;

/// What a payment reserves of its bill, and what the counter says when it refuses.
pub(crate) struct BillClaim {
    pub(crate) slot: Slot,
    pub(crate) counter: Counter,
    pub(crate) limit: Option<BrokenLimit>,
}

/// What is reserved of the bill that a request names, where it names one.
pub(crate) fn claim(asked: &RequestContext<'_>) -> Option<BillClaim> {
    let bill = asked.request.bill.as_ref()?;
    let payee = asked.payee();
    let kind = payee.kind().as_bytes();
    let name = digest128(&[b"bill", kind, payee.as_str().as_bytes(), bill.as_str().as_bytes()]);
    let slot = Slot {
        key: SlotKey(name),
        keep: Keep::UntilOutcome,
        reason_while_open: Reason::BillInProgress,
        reason_once_kept: Reason::BillAlreadyPaid,
    };
    let paid = Reason::BillAlreadyPaid;
    let (ceiling, reason) = match asked.bill {
        Some(terms) => (terms.amount.minor, Reason::AmountMismatch),
        None => (asked.request.amount.minor, paid),
    };
    let counter = Counter {
        key: CounterKey(name),
        delta: asked.request.amount.minor,
        ceiling,
        window_end: forgotten_at(asked),
        reason,
        reason_once_full: Some(paid).filter(|_| asked.bill.is_some()),
    };
    let limit = asked.bill.map(|terms| BrokenLimit::Bill(terms.amount));
    Some(BillClaim { slot, counter, limit })
}

/// Refuses an amount that the bill's terms rule out whatever was paid of it.
pub(crate) fn check(asked: &RequestContext<'_>) -> Result<(), Refusal> {
    let Some(terms) = asked.bill else { return Ok(()) };
    let amount = asked.request.amount;
    if amount.currency != terms.amount.currency {
        return Err(asked.refuse(Reason::CurrencyNotAllowed, "amount"));
    }
    let fits = if terms.allows_partial {
        amount.minor <= terms.amount.minor
    } else {
        amount.minor == terms.amount.minor
    };
    if fits {
        Ok(())
    } else {
        Err(super::beyond(asked, Reason::AmountMismatch, BrokenLimit::Bill(terms.amount)))
    }
}

/// When the bill is forgotten if this is its last payment.
fn forgotten_at(asked: &RequestContext<'_>) -> Timestamp {
    let never = Timestamp(i64::MAX);
    asked.bill_retention.map_or(never, |retention| {
        i64::try_from(retention.as_micros()).map_or(never, |micros| asked.now.plus_micros(micros))
    })
}

#[cfg(test)]
mod tests;
