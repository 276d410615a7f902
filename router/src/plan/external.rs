//! A payment of a bill that was made elsewhere: no participant is asked, no fee is charged, no limit
//! but the bill's own applies, and the ledger has a memorandum of it.

use smallvec::smallvec;

use super::{Plan, Routes};
use crate::detail::ReservedLimits;
use crate::fee::Fees;
use crate::id::ParticipantId;
use crate::limit::bill_claim;
use crate::message::PaymentRequest;
use crate::policy::Policy;
use crate::posting::{self, Entry};
use crate::request_context::{BillTerms, RequestContext};
use crate::reservation::{Counter, Reservation};
use crate::time::{Date, Timestamp};

/// The name that stands for a participant where none was asked.
pub const EXTERNAL: &str = "external";

/// Plans what a biller says was paid elsewhere of one of its bills.
///
/// Shape: the request names its biller and its bill. `terms` are those of the bill; none while a payment of it is under way: what was paid
///        elsewhere was paid, and both stand. What it adds to the guard's count keeps later payments
///        within the bill either way.
///        `paid_on` is the day on which it was paid, to which the payment belongs.
/// Source: research/domain.md U-16, D-20.
pub fn plan_external(
    request: &PaymentRequest,
    terms: Option<BillTerms>,
    paid_on: Date,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let context = RequestContext::new(request, policy, now).on_terms(terms);
    let claim = bill_claim(&context);
    let counters = claim.iter().map(|claim| match terms {
        Some(_) => claim.counter,
        None => Counter { ceiling: i64::MAX, ..claim.counter },
    });
    let reservation = Reservation {
        key: request.key,
        fingerprint: request.fingerprint,
        slots: smallvec![],
        counters: counters.collect(),
        holds: smallvec![],
    };
    let limits = ReservedLimits {
        counters: claim.iter().map(|claim| claim.limit.clone()).collect(),
        ..ReservedLimits::default()
    };
    let name = ParticipantId::new(EXTERNAL).expect("invariant: the name is short ASCII");
    let mut routes = Routes::new();
    routes.push(name);
    Plan {
        business_date: paid_on,
        routes,
        fees: Fees::default(),
        total: request.amount,
        entry: request
            .biller
            .map_or_else(Entry::default, |biller| posting::external(biller, request.amount)),
        reservation,
        day_began: context.day_began(now),
        limits,
        rules_version: policy.version,
        bill: None,
    }
}
