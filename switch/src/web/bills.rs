//! `/v1/bills`: what billers register that is owed to them.

pub(super) mod batch;
pub(super) mod external;
mod shown;

use axum::extract::State;
use codecs::api::{
    BillBody, BillExists, BillListView, BillPatchBody, BillTimelineView, BillView, Problem, Shown,
};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use router::bill::{BillStanding, BillState};
use router::event::Actor;
use router::id::{BillId, BillerId, ClientRef};
use router::reason::{Language, Reason};
use router::time::Timestamp;
use storage_backoffice::bill::{Amended, BillChange, BillEntry, BillSearch, RegisteredAs};
use storage_backoffice::{Backoffice, BackofficeError};

use self::shown::{draft_of, entry_of, event, view};
use super::Api;
use super::answer::{Answer, Answered, ApiRefusal};
use super::document::responses::{NotFound, Usual};
use super::extract::{Body, Found, Named, NoFields, Spoken};
use super::principal::{ManageBills, Permitted, Principal, Read};
use super::query::{FromQuery, Params, QueryOf};
use crate::backoffice::{NoBackoffice, moment_of, standing_of};
use crate::{clock, misplaced};

/// Register a bill
#[utoipa::path(
    post,
    path = "/v1/bills",
    operation_id = "createBill",
    tag = "bills",
    description = "A bill is registered once: a number that is taken is a 409 bill_exists with the \
        bill that has it, so a client that got no answer asks again. With the back office away \
        this is a 503 back_office_unavailable; payments that name no bill go on.",
    request_body(content = BillBody),
    responses(
        (status = 201, description = "The bill.", body = BillView, headers(("Location"))),
        (status = 409, body = BillExists, content_type = "application/problem+json",
            description = "bill_exists: you have a bill of this number."),
        Usual,
    ),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageBills>,
    Spoken(language): Spoken,
    Body(body): Body<BillBody>,
) -> Answered<BillView> {
    let draft = body.checked(time)?;
    misplaced::bill_without(&draft)?;
    let (biller, backoffice) = (manager.biller, &api.engine.backoffice);
    let office = backoffice.office()?;
    backoffice.expect_bills_of(biller);
    let at = clock::now();
    let id = BillId::from_parts(at.millis(), rand::random());
    let bill = entry_of(draft, id, biller, at);
    match office.register_bill(&bill, &change(&manager.actor, at)).await? {
        RegisteredAs::New => {
            // Its number may have been paid before it was registered.
            let bill = shown(&api, &office, bill).await?;
            let location = HeaderValue::from_str(&format!("/v1/bills/{id}"));
            let location = location.expect("invariant: an id is ASCII");
            Ok(Answer::new(StatusCode::CREATED, &bill).with_header(LOCATION, location))
        }
        RegisteredAs::Repeated => {
            let bill = office.repeated_bill(biller, bill.bill_no).await?;
            let bill = shown(&api, &office, bill).await?;
            Ok(exists(bill, language).into_other())
        }
    }
}

fn exists(bill: BillView, language: Language) -> Answer<BillExists> {
    let code = "bill_exists";
    let mut problem = Problem::new(Reason::DuplicateTransaction, language).with_field("bill_no");
    problem.code = code;
    problem.kind = format!("urn:cauce:problem:{code}");
    problem.status = StatusCode::CONFLICT.as_u16();
    Answer::problem(StatusCode::CONFLICT, &BillExists { problem, bill })
}

/// A bill as it stands now
#[utoipa::path(
    get,
    path = "/v1/bills/{id}",
    operation_id = "showBill",
    tag = "bills",
    params(("id" = String, Path, pattern = "^bil_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    responses(
        (status = 200, description = "The bill.", body = BillView),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn show(
    State(api): State<Api>,
    Permitted(_): Permitted<Read>,
    Found(bill): Found<BillEntry>,
    NoFields: NoFields,
) -> Answered<BillView> {
    let office = api.engine.backoffice.office()?;
    Ok(Answer::new(StatusCode::OK, &shown(&api, &office, bill).await?))
}

/// The query of `GET /v1/bills`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BillQuery {
    /// Needed with an operator's key.
    #[param(value_type = Option<String>, min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    biller: Option<BillerId>,
    /// The bills of one payer alone, by your number of the payer.
    #[param(value_type = Option<String>, min_length = 1, max_length = 28, pattern = "^[ -~]+$")]
    client: Option<ClientRef>,
    /// next_cursor of the page before.
    #[param(value_type = Option<String>, pattern = "^bil_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    cursor: Option<BillId>,
    /// Items of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: usize,
}

impl FromQuery for BillQuery {
    const KNOWN: &'static [&'static str] = &["biller", "client", "cursor", "limit"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        Ok(Self {
            biller: params.biller()?,
            client: params.parsed("client", "must be a payer's number of 1 to 28 characters")?,
            cursor: params.parsed("cursor", "must be a next_cursor")?,
            limit: params.limit()?,
        })
    }
}

/// Bills of a biller, oldest first
#[utoipa::path(
    get,
    path = "/v1/bills",
    operation_id = "listBills",
    tag = "bills",
    description = "What was paid of them is as of `as_of`, which lags behind under load.",
    params(BillQuery),
    responses(
        (status = 200, description = "One page.", body = BillListView),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Permitted(principal): Permitted<Read>,
    QueryOf(query): QueryOf<BillQuery>,
) -> Answered<BillListView> {
    let BillQuery { biller, client, cursor: after, limit } = query;
    let biller = principal.listed(biller)?;
    let backoffice = &api.engine.backoffice;
    let office = backoffice.office()?;
    // One more than is shown tells whether there is another page.
    let most = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let mut bills = office.bills(&BillSearch { biller, client, after, limit: most }).await?;
    let is_more = bills.len() > limit;
    bills.truncate(limit);
    // Before the rows are read: they tell at least as much.
    let as_of = Shown(backoffice.as_of(&api.engine.store));
    let numbers: Vec<_> = bills.iter().map(|bill| bill.bill_no).collect();
    let standings = office.standings(biller, &numbers).await?;
    let next_cursor = bills.last().filter(|_| is_more).map(|bill| bill.id.to_string());
    let moment = moment_of(&api.engine.policy(), biller, clock::now());
    let data = bills.iter().map(|bill| {
        let standing = standings.of(bill.bill_no, bill.terms.amount.currency);
        view(bill, standing, moment)
    });
    let page = BillListView { data: data.collect(), next_cursor, as_of };
    Ok(Answer::new(StatusCode::OK, &page))
}

/// Change a bill
#[utoipa::path(
    patch,
    path = "/v1/bills/{id}",
    operation_id = "changeBill",
    tag = "bills",
    description = "What the body does not name stays; `null` takes away. The number and the \
        currency cannot be changed. A payment under way goes on by the terms it began with.",
    params(("id" = String, Path, pattern = "^bil_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    request_body(content = BillPatchBody),
    responses(
        (status = 200, description = "The bill as it is now.", body = BillView),
        (status = 404, response = NotFound),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "version_conflict: the bill was changed since that version; or \
                bill_already_paid."),
        (status = 410, body = Problem, content_type = "application/problem+json",
            description = "bill_cancelled."),
        Usual,
    ),
)]
pub(super) async fn patch(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageBills>,
    Found(bill): Found<BillEntry>,
    Body(body): Body<BillPatchBody>,
) -> Answered<BillView> {
    if body.version != bill.version {
        return Err(version_conflict(bill.version));
    }
    let office = api.engine.backoffice.office()?;
    let at = clock::now();
    let standing = current_standing(&api, &office, &bill).await?;
    refuse_closed(&bill, standing, &api, at)?;
    let draft = body.amended(draft_of(&bill), time)?;
    misplaced::bill_without(&draft)?;
    let next = entry_of(draft, bill.id, bill.biller, at);
    let next = BillEntry { version: bill.version, created_at: bill.created_at, ..next };
    match office.amend_bill(&next, &change(&manager.actor, at)).await? {
        Amended::Done => changed(&api, &office, bill.id).await,
        Amended::Stale => {
            let now = office.bill(bill.id).await?.map_or(bill.version, |bill| bill.version);
            Err(version_conflict(now))
        }
    }
}

/// Cancel a bill: nothing more is paid of it
#[utoipa::path(
    post,
    path = "/v1/bills/{id}/cancel",
    operation_id = "cancelBill",
    tag = "bills",
    description = "This may be repeated. What was paid in part stays paid.",
    params(("id" = String, Path, pattern = "^bil_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    responses(
        (status = 200, description = "The bill as it is now.", body = BillView),
        (status = 404, response = NotFound),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "bill_already_paid, or bill_in_progress: a payment of it is under way."),
        Usual,
    ),
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageBills>,
    Found(bill): Found<BillEntry>,
    NoFields: NoFields,
) -> Answered<BillView> {
    let office = api.engine.backoffice.office()?;
    let at = clock::now();
    let standing = current_standing(&api, &office, &bill).await?;
    let moment = moment_of(&api.engine.policy(), bill.biller, at);
    match bill.terms.state(standing, moment) {
        BillState::Paid | BillState::PaidExternal => Err(refusal(Reason::BillAlreadyPaid)),
        BillState::InPayment => Err(refusal(Reason::BillInProgress)),
        BillState::Open
        | BillState::PartiallyPaid
        | BillState::Overdue
        | BillState::Cancelled
        | BillState::Expired => {
            office.cancel_bill(bill.id, &change(&manager.actor, at)).await?;
            changed(&api, &office, bill.id).await
        }
    }
}

/// What happened to a bill
#[utoipa::path(
    get,
    path = "/v1/bills/{id}/timeline",
    operation_id = "showBillTimeline",
    tag = "bills",
    description = "The newest 1000 changes of the bill, and as many steps of its payments.",
    params(("id" = String, Path, pattern = "^bil_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    responses(
        (status = 200, description = "Its events, oldest first.", body = BillTimelineView),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn timeline(
    State(api): State<Api>,
    Permitted(_): Permitted<Read>,
    Found(bill): Found<BillEntry>,
    NoFields: NoFields,
) -> Answered<BillTimelineView> {
    let office = api.engine.backoffice.office()?;
    api.engine.backoffice.rows_are_current(&api.engine.store).await;
    let events = office.bill_timeline(bill.id, bill.biller, bill.bill_no).await?;
    let events = events.into_iter().map(event).collect();
    Ok(Answer::new(StatusCode::OK, &BillTimelineView { events }))
}

impl Named for BillEntry {
    async fn find(api: &Api, principal: Principal, id: &str) -> Result<Self, ApiRefusal> {
        let office = api.engine.backoffice.office()?;
        let found = match id.parse::<BillId>() {
            Ok(id) => office.bill(id).await?,
            Err(_) => None,
        };
        let seen = found.filter(|bill| principal.sees(bill.biller));
        seen.ok_or_else(|| refusal(Reason::BillNotFound).saying("there is no such bill"))
    }
}

/// What was paid of a bill, with everything that is durable now where the rows come soon.
async fn current_standing(
    api: &Api,
    office: &Backoffice,
    bill: &BillEntry,
) -> Result<BillStanding, ApiRefusal> {
    api.engine.backoffice.rows_are_current(&api.engine.store).await;
    Ok(standing_of(office, bill).await?)
}

pub(super) async fn shown(
    api: &Api,
    office: &Backoffice,
    bill: BillEntry,
) -> Result<BillView, ApiRefusal> {
    let standing = current_standing(api, office, &bill).await?;
    let moment = moment_of(&api.engine.policy(), bill.biller, clock::now());
    Ok(view(&bill, standing, moment))
}

/// A bill that was changed, as it is now.
async fn changed(api: &Api, office: &Backoffice, id: BillId) -> Answered<BillView> {
    let bill = office.bill(id).await?.ok_or_else(|| refusal(Reason::BillNotFound))?;
    Ok(Answer::new(StatusCode::OK, &shown(api, office, bill).await?))
}

/// Refuses to change what nothing more is paid of.
fn refuse_closed(
    bill: &BillEntry,
    standing: BillStanding,
    api: &Api,
    at: Timestamp,
) -> Result<(), ApiRefusal> {
    let moment = moment_of(&api.engine.policy(), bill.biller, at);
    match bill.terms.state(standing, moment) {
        BillState::Paid | BillState::PaidExternal => Err(refusal(Reason::BillAlreadyPaid)),
        BillState::Cancelled => Err(refusal(Reason::BillCancelled)),
        BillState::Open
        | BillState::InPayment
        | BillState::PartiallyPaid
        | BillState::Overdue
        // Another time of expiry makes it payable again.
        | BillState::Expired => Ok(()),
    }
}

pub(super) fn refusal(reason: Reason) -> ApiRefusal {
    ApiRefusal::new(reason, "bill")
}

fn version_conflict(version: u32) -> ApiRefusal {
    let detail = format!("the bill is at version {version}");
    ApiRefusal::conflict("version_conflict", detail).about("version")
}

fn change(actor: &Actor, at: Timestamp) -> BillChange {
    BillChange { at, actor: actor.to_string().into(), channel: "api", detail: None }
}

/// Reads an instant, RFC 3339.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(|at: jiff::Timestamp| Timestamp(at.as_microsecond()))
}

impl From<NoBackoffice> for ApiRefusal {
    fn from(error: NoBackoffice) -> Self {
        if let NoBackoffice::Failed(error) = &error {
            let error = storage::with_causes(error);
            tracing::warn!(%error, "the back office does not answer");
        }
        Self::back_office_unavailable()
    }
}

impl From<BackofficeError> for ApiRefusal {
    fn from(error: BackofficeError) -> Self {
        NoBackoffice::Failed(error).into()
    }
}
