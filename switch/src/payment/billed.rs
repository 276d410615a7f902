//! A payment that names a bill: it is planned on the terms of the register, where it is registered.

use router::message::PaymentRequest;
use router::reason::Reason;

use super::{Prepared, RefusedRequest};
use crate::backoffice::NoTerms;
use crate::clock;
use crate::engine::{Engine, InForce};

/// Asks the register for the bill's terms, then prepares the payment like any other.
///
/// Cancel-safe: it only reads.
pub(super) async fn prepare<'a>(
    engine: &Engine,
    in_force: &'a InForce,
    mut request: Box<PaymentRequest>,
) -> Prepared<'a> {
    let terms = engine.backoffice.terms_of(&mut request, &in_force.policy, &engine.store).await;
    match terms {
        Ok(terms) => super::prepare(engine, in_force, request, terms),
        Err(NoTerms::Unavailable) => Prepared::Unreachable(request, Reason::GateUnavailable),
        Err(NoTerms::Refused(refusal, _)) if refusal.reason.is_fault_of_input() => {
            Prepared::Faulty(request, refusal)
        }
        Err(NoTerms::Refused(refusal, bill)) => match clock::for_admission() {
            Ok(at) => Prepared::Refused(Box::new(RefusedRequest { request, refusal, at, bill })),
            Err(_) => Prepared::Untimed(request),
        },
    }
}
