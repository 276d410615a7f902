//! The terms of the bill that a payment names.

use router::asked::BillTerms;
use router::bill::{BillMoment, BillRefusal, BillStanding, RegisteredBill};
use router::detail::{BrokenLimit, Detail};
use router::id::{BillId, BillNo, BillerId};
use router::message::{Originator, PaymentRequest};
use router::money::Money;
use router::policy::Policy;
use router::reason::Reason;
use router::refusal::Refusal;
use router::time::{Timestamp, Zone};
use storage::Store;
use storage_backoffice::Backoffice;
use storage_backoffice::bill::BillEntry;

use super::{BackofficeService, NoBackoffice};
use crate::clock;
use crate::engine::Engine;
use crate::log::Seldom;

/// Why a payment of a bill is not planned.
#[derive(Debug, Clone)]
pub enum NoTerms {
    /// The bill rules it out.
    Refused(Refusal),
    /// The register does not answer: nothing is decided.
    Unavailable,
}

impl BackofficeService {
    /// What the guard is to count payments of the bill by that a request names; none where it names
    /// none, or one that nobody registered: then its number is a name and no more. A bill that is
    /// named by its id is named by its number from now on. Cancel-safe.
    pub async fn terms_of(
        &self,
        request: &mut PaymentRequest,
        engine: &Engine,
    ) -> Result<Option<BillTerms>, NoTerms> {
        let (Some(bill), true) = (request.bill, self.is_configured()) else {
            return Ok(None);
        };
        let own = match request.originator {
            Originator::Biller(id) => Some(id),
            Originator::Participant(_) => None,
        };
        let id = bill.as_str().parse::<BillId>().ok();
        let Some(biller) = request.biller.or(own) else { return Ok(None) };
        if id.is_none() && !self.may_have_bills(biller) {
            return Ok(None);
        }
        let found = self.found(biller, bill, id, &engine.store).await.map_err(|error| {
            tell_unavailable(&error);
            NoTerms::Unavailable
        })?;
        let moment = moment_of(&engine.policy(), biller, clock::now());
        let refused = |reason, field, detail| {
            let (field, business_date) = (Some(field), moment.today);
            Err(NoTerms::Refused(Refusal { reason, field, detail, business_date }))
        };
        let Some((entry, standing)) = found else {
            // A bill of another biller is not there.
            return if id.is_some() {
                refused(Reason::BillNotFound, "bill", None)
            } else {
                Ok(None)
            };
        };
        request.bill = Some(entry.bill_no);
        match entry.terms.check(request.amount, standing, moment) {
            Ok(terms) => Ok(Some(terms)),
            Err(BillRefusal { reason, payable_now }) => {
                let limit = match entry.terms.must_leave_minor {
                    Some(least) if reason == Reason::MustLeaveBalance => BrokenLimit::Remaining {
                        least: Money::new(least, payable_now.currency),
                        most: payable_now,
                    },
                    Some(_) | None => BrokenLimit::Bill(payable_now),
                };
                let left = limit.with_left(Some(payable_now.minor));
                refused(reason, "amount", left.map(Detail::Limit))
            }
        }
    }

    async fn found(
        &self,
        biller: BillerId,
        bill_no: BillNo,
        id: Option<BillId>,
        store: &Store,
    ) -> Result<Option<(BillEntry, BillStanding)>, NoBackoffice> {
        let office = self.office()?;
        let entry = match id {
            Some(id) => office.bill(id).await?.filter(|bill| bill.biller == biller),
            None => office.bill_terms(biller, bill_no).await?,
        };
        let Some(entry) = entry else { return Ok(None) };
        if needs_standing(&entry.terms) {
            self.rows_are_current(store).await;
        }
        let standing = standing_of(&office, &entry).await?;
        Ok(Some((entry, standing)))
    }
}

/// An instant and the day that it is on for a biller.
pub fn moment_of(policy: &Policy, biller: BillerId, now: Timestamp) -> BillMoment {
    static UTC: Zone = Zone { offsets: Vec::new() };
    let zone = policy.billers.get(&biller).map_or(&UTC, |biller| &biller.zone);
    BillMoment { now, today: zone.date(now) }
}

/// Whether what was paid decides more than the guard's count does.
fn needs_standing(bill: &RegisteredBill) -> bool {
    bill.allows_partial
}

/// What was paid of a bill, as far as the rows have come.
pub async fn standing_of(
    office: &Backoffice,
    bill: &BillEntry,
) -> Result<BillStanding, NoBackoffice> {
    let standings = office.standings(bill.biller, &[bill.bill_no]).await?;
    Ok(standings.of(bill.bill_no, bill.terms.amount.currency))
}

fn tell_unavailable(error: &NoBackoffice) {
    static UNAVAILABLE: Seldom = Seldom::new();
    if let Some(left_out) = UNAVAILABLE.is_due() {
        let error = storage::with_causes(error);
        tracing::warn!(%error, left_out, "a payment of a bill is not decided");
    }
    metrics::counter!("cauce_payments_not_decided_total", "why" => "back_office").increment(1);
}
