//! The decision that needs no state: routes, fees, postings, and what must be reserved.

use smallvec::SmallVec;

use crate::fee::Fees;
use crate::id::{AccountId, ParticipantId};
use crate::message::PaymentRequest;
use crate::money::Money;
use crate::policy::Policy;
use crate::posting::Postings;
use crate::reason::Reason;
use crate::reservation::Reservation;
use crate::time::{Date, Timestamp};

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
    pub postings: Postings,
    /// What must be reserved first.
    pub reservation: Reservation,
}

/// Candidate participants, best first.
pub type Routes = SmallVec<[ParticipantId; 4]>;

/// A payment that breaks a rule which needs no state to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The name of the request field to mend, in JSON terms, where there is one.
    pub field: Option<&'static str>,
    /// What people need beyond the catalogue's text: the highest allowed amount and the like.
    pub detail: Option<Box<str>>,
    /// The business date the refusal is recorded under.
    pub business_date: Date,
}

/// Name of the ledger account for a kind and an owner: `float:58341122`.
///
/// Shape: longer owners are cut at the account's 48 characters.
pub fn account(kind: &str, owner: &str) -> AccountId {
    let mut name = format!("{kind}:{owner}");
    name.truncate(AccountId::LEN_MAX);
    AccountId::new(&name).expect("invariant: kinds and ids are printable ASCII")
}

/// Plans one payment by the rules alone; reads no state.
///
/// Rules are asked in the catalogue's order of precedence: suspended participant, amount and
/// currency, service, product, limits, route. The first that is broken refuses.
pub fn plan(request: &PaymentRequest, policy: &Policy, now: Timestamp) -> Result<Plan, Refusal> {
    let _ = (request, policy, now);
    unimplemented!("router helper: write me")
}
