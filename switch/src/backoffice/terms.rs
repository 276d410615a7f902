//! The terms of the bill that a payment names.

use router::bill::{BillMoment, BillRefusal, BillStanding, PlannedBill, RegisteredBill};
use router::detail::{BrokenLimit, Detail};
use router::id::{BillId, BillNo, BillerId};
use router::message::{Originator, PaymentRequest};
use router::money::Money;
use router::policy::Policy;
use router::reason::Reason;
use router::refusal::Refusal;
use router::request_context::BillTerms;
use router::time::{Timestamp, Zone};
use storage::Store;
use storage_backoffice::Backoffice;
use storage_backoffice::bill::BillEntry;

use super::{BackofficeService, NoBackoffice};
use crate::clock;
use crate::log::Seldom;

/// What the register says of a bill that is to be paid.
#[derive(Debug, Clone, Copy)]
pub struct RegisteredTerms {
    /// What the guard counts payments of it by.
    pub terms: BillTerms,
    /// What the journal keeps of it.
    pub planned: PlannedBill,
}

/// Why a payment of a bill is not planned.
#[derive(Debug, Clone)]
pub enum NoTerms {
    /// The bill rules it out, where there is one.
    Refused(Refusal, Option<PlannedBill>),
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
        policy: &Policy,
        store: &Store,
    ) -> Result<Option<RegisteredTerms>, NoTerms> {
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
        let found = self.found(biller, bill, id, store).await.map_err(|error| {
            tell_unavailable(&error);
            NoTerms::Unavailable
        })?;
        let moment = moment_of(policy, biller, clock::now());
        let Some((entry, standing)) = found else {
            // A bill of another biller is not there.
            let missing = refusal(Reason::BillNotFound, "bill", moment);
            return id.map_or(Ok(None), |_| Err(NoTerms::Refused(missing, None)));
        };
        request.bill = Some(entry.bill_no);
        let planned = entry.terms.planned(entry.id, entry.version, moment.today);
        match entry.terms.check(request.amount, standing, moment) {
            Ok(terms) => Ok(Some(RegisteredTerms { terms, planned })),
            Err(broken) => {
                let detail = detail_of(&entry, broken);
                let refusal = Refusal { detail, ..refusal(broken.reason, "amount", moment) };
                Err(NoTerms::Refused(refusal, Some(planned)))
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

fn refusal(reason: Reason, field: &'static str, moment: BillMoment) -> Refusal {
    Refusal { reason, field: Some(field), detail: None, business_date: moment.today }
}

/// What people need to know of a bill that rules a payment out.
fn detail_of(bill: &BillEntry, broken: BillRefusal) -> Option<Detail> {
    let BillRefusal { reason, payable_now } = broken;
    let limit = match bill.terms.must_leave_minor {
        Some(least) if reason == Reason::MustLeaveBalance => BrokenLimit::Remaining {
            least: Money::new(least, payable_now.currency),
            most: payable_now,
        },
        Some(_) | None => BrokenLimit::Bill(payable_now),
    };
    limit.with_left(Some(payable_now.minor)).map(Detail::Limit)
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
