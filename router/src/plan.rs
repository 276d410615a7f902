//! The decision that needs no state: routes, fees, the entry of an approval, and what must be
//! reserved.

mod external;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use crate::bill::PlannedBill;
use crate::detail::ReservedLimits;
use crate::fee::{self, Fees};
use crate::id::ParticipantId;
use crate::limit;
use crate::message::PaymentRequest;
use crate::money::{Currency, Money};
use crate::policy::{ParticipantStatus, Policy};
use crate::posting::{self, Entry};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::request_context::{BillTerms, RequestContext};
use crate::reservation::Reservation;
use crate::rules::allows;
use crate::time::{Date, Timestamp};

pub use external::{EXTERNAL, plan_external};

/// How a payment is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The biller's calendar day the payment belongs to (UTC without a biller).
    pub business_date: Date,
    /// Participants to try, best first; never empty.
    pub routes: Routes,
    /// Itemised fees.
    pub fees: Fees,
    /// What the payer pays: amount and the payer's fees.
    pub total: Money,
    /// What an approval posts.
    pub entry: Entry,
    /// What must be reserved first.
    pub reservation: Reservation,
    /// From when on an earlier request may be what a repeat with a DE7 of its own repeats:
    /// [`day_began`]. Not recorded.
    pub day_began: Timestamp,
    /// What each counter and hold of the reservation says when it refuses. Not recorded.
    pub limits: ReservedLimits,
    /// Digest of the rules that this was planned by; 0 where it is not known.
    pub rules_version: u64,
    /// What the register said of the bill, where it was asked; whoever asked it fills this in.
    pub bill: Option<PlannedBill>,
}

/// Candidate participants, best first.
pub type Routes = SmallVec<[ParticipantId; 4]>;

/// Plans one payment by the rules alone; reads no state.
///
/// Rules are asked in the catalogue's order of precedence: suspended participant, amount and
/// currency, service, product, limits, route. The first that is broken refuses.
///
/// A merchant that asks without naming a biller is the biller itself. A bill that the request names
/// is paid once, since nothing is known of it.
pub fn plan(request: &PaymentRequest, policy: &Policy, now: Timestamp) -> Result<Plan, Refusal> {
    plan_on_terms(request, None, policy, now)
}

/// Plans one payment of a bill whose terms a register told; as [`plan`] where there are none.
///
/// Errors: `amount_mismatch` for more than the bill comes to, or for a part where parts are not
///         allowed; `currency_not_allowed` for another currency than the bill's. What was paid of
///         the bill before is the guard's to check.
pub fn plan_on_terms(
    request: &PaymentRequest,
    bill: Option<BillTerms>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let asked = RequestContext::new(request, policy, now).on_terms(bill);
    asked.check()?;
    limit::check_bill(&asked)?;
    let attributes = asked.attributes();
    let limits = policy.limits.matching(attributes).collect();
    limit::check(&limits, &asked)?;
    let overflow = |_| asked.refuse(Reason::AmountInvalid, "amount");
    let charge = fee::charge(policy.fees.matching(attributes), request.amount).map_err(overflow)?;
    let (payee, cap) = (asked.payee(), asked.net_debit_cap());
    let capped = cap.map(|(participant, _)| participant);
    let entry = posting::approval(asked.source()?, &payee, request.amount, &charge, capped)
        .map_err(overflow)?;
    let (reservation, limits) = limit::reservation(&limits, &asked, &entry)?;
    let routes = routes(&asked, policy);
    if routes.is_empty() {
        return Err(no_route(&asked, policy));
    }
    let (business_date, fees, total) = (asked.business_date, charge.fees, charge.total);
    let day_began = asked.day_began(now);
    let rules_version = policy.version;
    Ok(Plan {
        business_date,
        routes,
        fees,
        total,
        entry,
        reservation,
        day_began,
        limits,
        rules_version,
        bill: None,
    })
}

/// Tells a rail that nothing here serves from a payer's bank that is not reached.
fn no_route(asked: &RequestContext<'_>, policy: &Policy) -> Refusal {
    let rail = asked.request.rail;
    if policy.routes.is_about(rail) {
        return asked.refuse(Reason::NoRoute, None);
    }
    let detail = format!("the rail {} is not served here", rail.name());
    asked.refuse_saying(Reason::NoRoute, None, detail)
}

/// When the business date of a request received now began, and an hour ago at the latest: a
/// repeat may come after the midnight that followed its original.
pub fn day_began(request: &PaymentRequest, policy: &Policy, now: Timestamp) -> Timestamp {
    RequestContext::new(request, policy, now).day_began(now)
}

/// The participants of every matching route, in order and each once; without those that are
/// unknown, suspended, or not to be asked in the currency.
fn routes(asked: &RequestContext<'_>, policy: &Policy) -> Routes {
    let mut routes = Routes::new();
    let currency = &asked.request.amount.currency;
    for route in policy.routes.matching(asked.attributes()) {
        for candidate in &route.to {
            if !routes.contains(candidate) && may_be_asked(candidate, policy, currency) {
                routes.push(*candidate);
            }
        }
    }
    routes
}

fn may_be_asked(id: &ParticipantId, policy: &Policy, currency: &Currency) -> bool {
    policy.participants.get(id).is_some_and(|participant| {
        participant.status == ParticipantStatus::Active
            && allows(&participant.currencies, Some(currency))
    })
}
