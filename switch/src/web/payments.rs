//! `/v1/payments`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use codecs::api::{Page, PaymentView, Problem, parse_payment, parse_reversal};
use http::header::LOCATION;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use router::id::{BillerId, Folio, PaymentId};
use router::message::{IdempotencyKey, Originator, PaymentRequest, api_key_of, digest128};
use router::payment::{Payment, PaymentState};
use router::reason::{Language, Reason};
use router::time::{Date, Timestamp};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::answer::{self, Refusal, json, typed_json};
use super::asked::{self, Params};
use super::caller::Caller;
use super::{Api, Limits};
use crate::notice::body::{as_told, kind_of, original_folio};
use crate::payment::{self, OnRepeat};
use crate::respond::Reply;
use crate::reversal::{PartAmount, PartRequest};
use crate::{clock, misplaced, reversal};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST /v1/payments`.
pub(super) async fn create(
    api: &Api,
    caller: Caller,
    limits: Limits,
    request: Request,
    language: Language,
) -> Result<Response, Refusal> {
    let biller = caller.biller()?;
    let key = api_key_of(&biller, asked::idempotency_key(request.headers())?);
    let body = asked::json_body(request, limits.body_bytes_max).await?;
    let request = parse_payment(&body)?.to_request(biller, key)?;
    let request = misplaced::request_without(request, api.engine.in_free_fields)?;
    if api.engine.tasks.stages().draining.is_cancelled() {
        return Err(Refusal::new(Reason::IssuerUnavailable, "draining"));
    }
    match in_its_own_task(api, request, limits.request_timeout).await? {
        Some(reply) => tell(api, reply, language).await,
        None => still_under_way(api, key, language).await,
    }
}

/// Runs a payment in a task that a client who hangs up does not end. None when it takes longer
/// than the client is to wait.
async fn in_its_own_task(
    api: &Api,
    request: PaymentRequest,
    request_timeout: Duration,
) -> Result<Option<Reply>, Refusal> {
    let (sender, receiver) = oneshot::channel();
    let engine = Arc::clone(&api.engine);
    api.engine.tasks.payment(async move {
        let reply = payment::process(&engine, Box::new(request), OnRepeat::Tell).await;
        // A client who has hung up asks again with the same key.
        sender.send(reply).ok();
    });
    // A tenth of the time is kept for the answer.
    let patience = request_timeout.saturating_sub(request_timeout / 10);
    match timeout(patience, receiver).await {
        Ok(Ok(reply)) => Ok(Some(reply)),
        Ok(Err(_)) => Err(Refusal::new(Reason::SystemError, "panic")),
        Err(_) => Ok(None),
    }
}

/// The payment goes on, but its originator has waited long enough: 202, and what is known so far.
async fn still_under_way(
    api: &Api,
    key: IdempotencyKey,
    language: Language,
) -> Result<Response, Refusal> {
    match api.engine.store.payment_by_key(key, None).await? {
        Some(payment) => view(api, StatusCode::ACCEPTED, &payment, language).await,
        None => Err(Refusal::in_progress()),
    }
}

/// Tells the originator what became of a payment – now and at every repeat of the key the same.
async fn tell(api: &Api, reply: Reply, language: Language) -> Result<Response, Refusal> {
    if reply.is_in_progress {
        return Err(Refusal::in_progress());
    }
    let Some((id, _)) = reply.payment else {
        let refusal = Refusal::new(reply.reason, "not_decided");
        let refusal = match reply.field {
            Some(field) => refusal.about(field),
            None => refusal,
        };
        return Err(match &reply.detail {
            Some(detail) => refusal.saying(detail.text(language)),
            None => refusal,
        });
    };
    let Some(payment) = api.engine.store.payment(id).await? else {
        tracing::error!(payment_id = %id, "a payment that was concluded cannot be read");
        return Err(Refusal::new(Reason::SystemError, "store"));
    };
    let payment = match payment.outcome.as_ref().map(kind_of) {
        Some(kind) => as_told(payment, kind),
        None => payment,
    };
    let mut response = match reply.reason {
        Reason::Approved => view(api, StatusCode::CREATED, &payment, language).await?,
        Reason::OutcomeUnknown => view(api, StatusCode::ACCEPTED, &payment, language).await?,
        _ => declined(api, &reply, &payment, language).await?,
    };
    if reply.is_replay {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// A decline is a problem and a payment at once: whoever reads either finds its members.
#[derive(Serialize)]
struct Declined<'a> {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    payment: PaymentView<'a>,
}

async fn declined(
    api: &Api,
    reply: &Reply,
    payment: &Payment,
    language: Language,
) -> Result<Response, Refusal> {
    let mut problem = Problem::new(reply.reason, language);
    problem.detail = reply.detail.as_ref().map(|detail| detail.text(language).into_owned());
    problem.field = reply.field.map(str::to_owned);
    let status = answer::status(problem.status);
    let original = original_folio(&api.engine.store, payment).await?;
    let both = Declined { problem, payment: PaymentView::new(payment, language, original) };
    Ok(typed_json(status, Problem::CONTENT_TYPE, &both))
}

async fn view(
    api: &Api,
    status: StatusCode,
    payment: &Payment,
    language: Language,
) -> Result<Response, Refusal> {
    let original = original_folio(&api.engine.store, payment).await?;
    let mut response = json(status, &PaymentView::new(payment, language, original));
    if status != StatusCode::OK {
        let location = HeaderValue::from_str(&format!("/v1/payments/{}", payment.id));
        let location = location.expect("invariant: an id is ASCII");
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// `GET /v1/payments/{id}`, by id or folio.
pub(super) async fn show(
    api: &Api,
    caller: Caller,
    id: &str,
    language: Language,
) -> Result<Response, Refusal> {
    let payment = find(api, caller, id).await?;
    view(api, StatusCode::OK, &payment, language).await
}

async fn find(api: &Api, caller: Caller, id: &str) -> Result<Payment, Refusal> {
    let store = &api.engine.store;
    let found = match (id.parse::<PaymentId>(), id.parse::<Folio>()) {
        (Ok(id), _) => store.payment(id).await?,
        (Err(_), Ok(folio)) if id.len() == 12 => store.payment_by_folio(folio).await?,
        (Err(_), Ok(_) | Err(_)) => None,
    };
    let seen = found.filter(|payment| caller.sees_payment(payment));
    seen.ok_or_else(|| match is_no_longer_kept(id, store.removed_until()) {
        true => Refusal::payment_no_longer_kept(),
        false => Refusal::payment_not_found(),
    })
}

/// Whether an id was made at a time whose records were removed: those until then.
fn is_no_longer_kept(id: &str, removed_until: Option<Timestamp>) -> bool {
    let made = id.parse::<PaymentId>().ok().map(|id| id.unix_ms());
    made.zip(removed_until).is_some_and(|(made_ms, until)| made_ms <= until.millis())
}

/// `GET /v1/payments?date=&cursor=&limit=`: a biller's payments of one of its calendar days.
pub(super) async fn list(
    api: &Api,
    caller: Caller,
    uri: &Uri,
    language: Language,
) -> Result<Response, Refusal> {
    let params = Params::of(uri, &["biller", "date", "cursor", "limit"])?;
    let biller = caller.listed(&params)?;
    let date = match params.parsed::<Day>("date", "must be a date such as 2026-11-23")? {
        Some(Day(date)) => date,
        None => today(api, biller),
    };
    let after: Option<PaymentId> = params.parsed("cursor", "must be a next_cursor")?;
    let store = &api.engine.store;
    let page = store.payments_of_biller(biller, date, after, params.limit()?).await?;
    let mut items = Vec::with_capacity(page.payments.len());
    for payment in &page.payments {
        let original = original_folio(store, payment).await?;
        items.push(PaymentView::new(payment, language, original));
    }
    let next_cursor = page.next.map(|next| next.to_string());
    Ok(json(StatusCode::OK, &Page { items, next_cursor }))
}

/// A day written as `2026-11-23`.
struct Day(Date);

impl std::str::FromStr for Day {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let date: jiff::civil::Date = text.parse()?;
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        let year = i32::from(date.year());
        Ok(Self(Date::from_year_month_day(year, u32::from(month), u32::from(day))))
    }
}

fn today(api: &Api, biller: BillerId) -> Date {
    let policy = api.engine.policy();
    let zone = policy.billers.get(&biller).map(|biller| biller.zone.clone());
    zone.unwrap_or_default().date(clock::now())
}

/// `POST /v1/payments/{id}/reverse {amount?}`: 202 while it, or the part, is being undone, 200 once
/// it is.
pub(super) async fn reverse(
    api: &Api,
    caller: Caller,
    id: &str,
    limits: Limits,
    request: Request,
    language: Language,
) -> Result<Response, Refusal> {
    let biller = caller.biller()?;
    let key = asked::optional_idempotency_key(request.headers())?;
    let key = key.map(|key| digest128(&[b"reversal", biller.as_str().as_bytes(), key.as_bytes()]));
    let body = asked::optional_json_body(request, limits.body_bytes_max).await?;
    let amount = body.map_or(Ok(None), |body| parse_reversal(&body))?.map(PartAmount::GivenBack);
    let payment = find(api, caller, id).await?;
    if payment.request.originator != Originator::Biller(biller) {
        return Err(Refusal::new(Reason::ReversalNotAllowed, "not_originator")
            .saying("only who asked for a payment may have it undone"));
    }
    if payment.state == PaymentState::Sent {
        return Err(Refusal::in_progress());
    }
    let id = payment.id;
    let reply = match amount {
        Some(amount) => {
            reversal::part_asked(&api.engine, payment, PartRequest { amount, key }).await?
        }
        // The key of a part asks for something else now.
        None if key.is_some() && payment.parts.iter().any(|part| part.key == key) => {
            return Err(Refusal::new(Reason::IdempotencyConflict, "reversal"));
        }
        None => reversal::undo_asked(&api.engine, payment).await?,
    };
    if reply.is_in_progress {
        return Err(Refusal::in_progress());
    }
    if reply.reason != Reason::Approved {
        return Err(not_reversed(&reply, language));
    }
    let payment = api.engine.store.payment(id).await?.ok_or_else(Refusal::payment_not_found)?;
    let status = if payment.is_open() { StatusCode::ACCEPTED } else { StatusCode::OK };
    view(api, status, &payment, language).await
}

/// Why nothing, or not this much, is given back.
fn not_reversed(reply: &Reply, language: Language) -> Refusal {
    let refusal = Refusal::new(reply.reason, "reversal");
    let refusal = match reply.field {
        Some(field) => refusal.about(field),
        None => refusal,
    };
    match &reply.detail {
        Some(detail) => refusal.saying(detail.text(language)),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_time_whose_records_were_removed_is_told_apart_from_an_unknown_one() {
        let id = |ms| PaymentId::from_parts(ms, 7).to_string();
        let until = Some(Timestamp(5_000_999));
        assert!(is_no_longer_kept(&id(4_999), until));
        assert!(is_no_longer_kept(&id(5_000), until));
        assert!(!is_no_longer_kept(&id(5_001), until));
        assert!(!is_no_longer_kept(&id(1), None), "nothing was removed");
        assert!(!is_no_longer_kept("000000000017", until), "a folio tells no time");
    }
}
