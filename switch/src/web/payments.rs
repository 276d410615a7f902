//! `/v1/payments`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use codecs::api::{Page, PaymentBody, PaymentView, Problem};
use http::{HeaderName, HeaderValue, StatusCode};
use router::id::{BillerId, Folio, PaymentId};
use router::message::{IdempotencyKey, Originator, PaymentRequest, api_key_of, digest128};
use router::notice::NoticeType;
use router::payment::{Payment, PaymentState};
use router::reason::{Language, Reason};
use router::time::{Date, Timestamp};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Instrument;

use super::answer::{Answer, Answered, ApiRefusal};
use super::document::responses::{
    BadRequest, Created, DeclinedPayment, NoPayment, NotFound, OtherProblem, PaymentNow, Pending,
    TooMany, Unauthorised, Usual,
};
use super::extract::{Body, Found, GivenBack, Key, Named, NoFields, Spoken};
use super::payment_answer::{PaymentProblem, declined_of, view, view_of};
use super::principal::{Pay, Permitted, Principal, Read};
use super::query::{FromQuery, Params, QueryOf};
use super::{Api, Shared};
use crate::notice::bill::{bill_at, bill_now};
use crate::notice::body::{as_told, kind_of, original_folio};
use crate::payment::{self, OnRepeat};
use crate::respond::Reply;
use crate::reversal::{PartAmount, PartRequest};
use crate::{clock, misplaced, reversal};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Ask for a payment
#[utoipa::path(
    post,
    path = "/v1/payments",
    operation_id = "createPayment",
    tag = "payments",
    description = "The same key and body give the payment again as it stands then, marked with \
        Idempotent-Replayed: one that was reversed since is already_reversed, never approved. A client that got no answer repeats the request with the same key. \
        Refusals without an `id` made no payment: 400, and a wrong amount, leave the key free for \
        the corrected request.",
    params(("Idempotency-Key" = String, Header,
        description = "Names this payment among those of the biller.",
        min_length = 1, max_length = 255, pattern = "^[ -~]+$")),
    request_body(content = PaymentBody, examples(("accountPayment" = ()), ("cashPayment" = ()))),
    responses(
        (status = 201, response = Created),
        (status = 202, response = Pending),
        (status = 400, response = BadRequest),
        (status = 401, response = Unauthorised),
        (status = 402, response = DeclinedPayment),
        (status = 403, body = PaymentProblem, content_type = "application/problem+json",
            description = "The key may not pay, or the payment was declined: this service, \
                operator or terminal is not allowed.",
            headers(("Idempotent-Replayed")), examples(("readsOnly" = ()))),
        (status = 404, body = PaymentProblem, content_type = "application/problem+json",
            description = "Something the request names is not there, such as the float.",
            headers(("Idempotent-Replayed")), examples(("noSuchThing" = ()))),
        (status = 408, body = PaymentProblem, content_type = "application/problem+json",
            description = "The payer did not answer in time, or the request came too slowly.",
            headers(("Idempotent-Replayed")),
            examples(("payerSilent" = ()), ("bodyTooSlow" = ()))),
        (status = 409, body = PaymentProblem, content_type = "application/problem+json",
            description = "payment_in_progress: the same key is being worked on (with \
                Retry-After); or the payment was declined, as a duplicate or for a bill that is \
                paid.",
            headers(("Idempotent-Replayed"), ("Retry-After")), examples(("inProgress" = ()))),
        (status = 422, body = PaymentProblem, content_type = "application/problem+json",
            description = "idempotency_conflict: the key was used for another body; or an amount \
                that makes no sense; or the payment was declined by a limit or the payer's data.",
            headers(("Idempotent-Replayed")),
            examples(("keyReused" = ()), ("wrongAmount" = ()), ("overLimit" = ()))),
        (status = 429, response = TooMany),
        (status = 503, body = PaymentProblem, content_type = "application/problem+json",
            description = "The bank cannot be reached or nothing can be decided at the moment: \
                nothing was sent, and the same key may be repeated.",
            headers(("Idempotent-Replayed"), ("Retry-After")), examples(("bankOffline" = ()))),
        (status = "default", response = OtherProblem),
    ),
)]
pub(super) async fn create(
    State(Shared { api, limits, .. }): State<Shared>,
    Permitted(biller): Permitted<Pay>,
    Spoken(language): Spoken,
    Key(key): Key,
    Body(body): Body<PaymentBody>,
) -> Answered<PaymentView<'static>> {
    let key = api_key_of(&biller, &key);
    let request = body.to_request(biller, key)?;
    let request = misplaced::request_without(request, api.engine.in_free_fields)?;
    if api.engine.tasks.stages().draining.is_cancelled() {
        return Err(ApiRefusal::new(Reason::IssuerUnavailable, "draining"));
    }
    match in_its_own_task(&api, request, limits.request_timeout).await? {
        Some(reply) => tell(&api, reply, language).await,
        None => still_under_way(&api, key, language).await,
    }
}

/// Runs a payment in a task that a client who hangs up does not end. None when it takes longer
/// than the client is to wait.
async fn in_its_own_task(
    api: &Api,
    request: PaymentRequest,
    request_timeout: Duration,
) -> Result<Option<Reply>, ApiRefusal> {
    let (sender, receiver) = oneshot::channel();
    let engine = Arc::clone(&api.engine);
    let work = async move {
        let reply = payment::process(&engine, Box::new(request), OnRepeat::Tell).await;
        // A client who has hung up asks again with the same key.
        sender.send(reply).ok();
    };
    api.engine.tasks.payment(work.in_current_span());
    // A tenth of the time is kept for the answer.
    let patience = request_timeout.saturating_sub(request_timeout / 10);
    match timeout(patience, receiver).await {
        Ok(Ok(reply)) => Ok(Some(reply)),
        Ok(Err(_)) => Err(ApiRefusal::new(Reason::SystemError, "panic")),
        Err(_) => Ok(None),
    }
}

/// The payment goes on, but its originator has waited long enough: 202, and what is known so far.
async fn still_under_way(
    api: &Api,
    key: IdempotencyKey,
    language: Language,
) -> Answered<PaymentView<'static>> {
    match api.engine.store.payment_by_key(key, None).await? {
        Some(payment) => view(api, StatusCode::ACCEPTED, &payment, language).await,
        None => Err(ApiRefusal::in_progress()),
    }
}

/// Tells the originator what became of a payment: a repeat of the key the same, but for an approval
/// that was reversed or refunded since.
async fn tell(api: &Api, reply: Reply, language: Language) -> Answered<PaymentView<'static>> {
    if reply.is_in_progress {
        return Err(ApiRefusal::in_progress());
    }
    let Some((id, _)) = reply.payment else {
        let refusal = ApiRefusal::new(reply.reason, "not_decided");
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
        return Err(ApiRefusal::new(Reason::SystemError, "store"));
    };
    // What it was when it was concluded; a repeat of an approval is told what became of it since.
    let kind = payment.outcome.as_ref().map(kind_of);
    let kind = kind.filter(|kind| *kind != NoticeType::PaymentApproved || !reply.is_replay);
    let (payment, bill) = match kind {
        Some(kind) => {
            let bill = bill_at(&api.engine, &payment, kind.into()).await;
            (as_told(payment, kind), bill)
        }
        None => {
            let bill = bill_now(&api.engine, &payment).await;
            (payment, bill)
        }
    };
    let answer = match reply.reason {
        Reason::Pending | Reason::OutcomeUnknown => {
            view_of(api, StatusCode::ACCEPTED, &payment, bill, language).await?
        }
        Reason::Approved => view_of(api, StatusCode::CREATED, &payment, bill, language).await?,
        _ => declined_of(api, &reply, &payment, bill, language).await?.into_other(),
    };
    Ok(match reply.is_replay {
        true => answer.with_header(REPLAYED, HeaderValue::from_static("true")),
        false => answer,
    })
}

/// A payment as it stands now
#[utoipa::path(
    get,
    path = "/v1/payments/{id}",
    operation_id = "showPayment",
    tag = "payments",
    params(("id" = String, Path, description = "A payment's id or its folio of twelve digits.")),
    responses((status = 200, response = PaymentNow), (status = 404, response = NoPayment), Usual),
)]
pub(super) async fn show(
    State(api): State<Api>,
    Permitted(_): Permitted<Read>,
    Spoken(language): Spoken,
    Found(payment): Found<Payment>,
    NoFields: NoFields,
) -> Answered<PaymentView<'static>> {
    view(&api, StatusCode::OK, &payment, language).await
}

impl Named for Payment {
    async fn find(api: &Api, principal: Principal, id: &str) -> Result<Self, ApiRefusal> {
        let store = &api.engine.store;
        let found = match (id.parse::<PaymentId>(), id.parse::<Folio>()) {
            (Ok(id), _) => {
                let may_come_up = store.may_come_up(id, clock::now());
                match store.payment(id).await? {
                    None if may_come_up => return Err(ApiRefusal::not_seen_yet()),
                    found => found,
                }
            }
            (Err(_), Ok(folio)) if id.len() == 12 => store.payment_by_folio(folio).await?,
            (Err(_), Ok(_) | Err(_)) => None,
        };
        let seen = found.filter(|payment| principal.sees_payment(payment));
        seen.ok_or_else(|| match is_no_longer_kept(id, store.removed_until()) {
            true => ApiRefusal::payment_no_longer_kept(),
            false => ApiRefusal::payment_not_found(),
        })
    }
}

/// The query of `GET /v1/payments`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PaymentQuery {
    /// Needed with an operator's key.
    #[param(value_type = Option<String>, min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    biller: Option<BillerId>,
    /// The biller's calendar day; today where it is not given.
    #[param(value_type = Option<String>, format = Date)]
    date: Option<Day>,
    /// next_cursor of the page before.
    #[param(value_type = Option<String>, pattern = "^pay_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    cursor: Option<PaymentId>,
    /// Items of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: usize,
}

impl FromQuery for PaymentQuery {
    const KNOWN: &'static [&'static str] = &["biller", "date", "cursor", "limit"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        Ok(Self {
            biller: params.biller()?,
            date: params.parsed("date", "must be a date such as 2026-11-23")?,
            cursor: params.parsed("cursor", "must be a next_cursor")?,
            limit: params.limit()?,
        })
    }
}

/// Payments of one business day, oldest first
#[utoipa::path(
    get,
    path = "/v1/payments",
    operation_id = "listPayments",
    tag = "payments",
    params(PaymentQuery),
    responses(
        (status = 200, description = "One page.", body = Page<PaymentView<'static>>,
            examples(("paymentPage" = ()))),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Permitted(principal): Permitted<Read>,
    Spoken(language): Spoken,
    QueryOf(query): QueryOf<PaymentQuery>,
) -> Answered<Page<PaymentView<'static>>> {
    let biller = principal.listed(query.biller)?;
    let date = match query.date {
        Some(Day(date)) => date,
        None => today(&api, biller),
    };
    let store = &api.engine.store;
    let page = store.payments_of_biller(biller, date, query.cursor, query.limit).await?;
    let mut items = Vec::with_capacity(page.payments.len());
    for payment in &page.payments {
        let original = original_folio(store, payment).await?;
        items.push(PaymentView::new(payment, language, original));
    }
    let next_cursor = page.next.map(|next| next.to_string());
    Ok(Answer::new(StatusCode::OK, &Page { items, next_cursor }))
}

/// A day written as `2026-11-23`.
#[derive(Debug)]
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

/// Have a payment, or a part of it, undone
#[utoipa::path(
    post,
    path = "/v1/payments/{id}/reverse",
    operation_id = "reversePayment",
    tag = "payments",
    description = "Only who asked for a payment may have it undone. Without a body, or with an \
        empty object, all that stands is undone; this may be repeated. With an amount, that much \
        is given back and the rest stands: the state stays approved until nothing stands. Each \
        request with an amount gives back once more, unless it has the Idempotency-Key of an \
        earlier one for this payment. A bank that takes no partial reversals is a 422 \
        partial_reversal_not_supported, more than what stands a 422 reversal_amount_mismatch, a \
        declined payment a 409 nothing_to_reverse; nothing is changed then.",
    params(
        ("id" = String, Path, description = "A payment's id or its folio of twelve digits."),
        ("Idempotency-Key" = Option<String>, Header,
            description = "Names this partial reversal among those of the payment.",
            min_length = 1, max_length = 255, pattern = "^[ -~]+$"),
    ),
    request_body(content = Option<codecs::api::ReversalBody>,
        examples(("wholeReversal" = ()), ("partialReversal" = ()))),
    responses(
        (status = 200, response = PaymentNow),
        (status = 202, response = Pending),
        (status = 404, response = NoPayment),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "payment_in_progress (with Retry-After), nothing_to_reverse, \
                reversal_not_allowed: nothing is changed.",
            headers(("Retry-After")), examples(("nothingToReverse" = ()), ("inProgress" = ()))),
        (status = 422, body = Problem, content_type = "application/problem+json",
            description = "partial_reversal_not_supported, reversal_amount_mismatch, \
                idempotency_conflict: nothing is changed.",
            examples(("partNotTaken" = ()), ("keyReused" = ()))),
        Usual,
    ),
)]
pub(super) async fn reverse(
    State(api): State<Api>,
    Permitted(biller): Permitted<Pay>,
    Spoken(language): Spoken,
    key: Option<Key>,
    Found(payment): Found<Payment>,
    body: Option<Body<GivenBack>>,
) -> Answered<PaymentView<'static>> {
    // The body may have taken its time: what became of the payment meanwhile counts.
    let payment = api.engine.store.payment(payment.id).await?;
    let payment = payment.ok_or_else(ApiRefusal::payment_not_found)?;
    let key =
        key.map(|Key(key)| digest128(&[b"reversal", biller.as_str().as_bytes(), key.as_bytes()]));
    let amount = body.and_then(|Body(GivenBack(amount))| amount).map(PartAmount::GivenBack);
    if payment.request.originator != Originator::Biller(biller) {
        return Err(ApiRefusal::new(Reason::ReversalNotAllowed, "not_originator")
            .saying("only who asked for a payment may have it undone"));
    }
    if payment.state == PaymentState::Sent {
        return Err(ApiRefusal::in_progress());
    }
    let id = payment.id;
    let reply = undone(&api, payment, amount, key).await?;
    if reply.is_in_progress {
        return Err(ApiRefusal::in_progress());
    }
    if reply.reason != Reason::Approved {
        return Err(not_reversed(&reply, language));
    }
    let payment = api.engine.store.payment(id).await?.ok_or_else(ApiRefusal::payment_not_found)?;
    let status = if payment.is_open() { StatusCode::ACCEPTED } else { StatusCode::OK };
    view(&api, status, &payment, language).await
}

/// Has a payment undone, or so much of it given back.
async fn undone(
    api: &Api,
    payment: Payment,
    amount: Option<PartAmount>,
    key: Option<u128>,
) -> Result<Reply, ApiRefusal> {
    match amount {
        Some(amount) => {
            Ok(reversal::part_asked(&api.engine, payment, PartRequest { amount, key }).await?)
        }
        // The key of a part asks for something else now.
        None if key.is_some() && payment.parts.iter().any(|part| part.key == key) => {
            Err(ApiRefusal::new(Reason::IdempotencyConflict, "reversal"))
        }
        None => Ok(reversal::undo_asked(&api.engine, payment).await?),
    }
}

/// Why nothing, or not this much, is given back.
fn not_reversed(reply: &Reply, language: Language) -> ApiRefusal {
    let refusal = ApiRefusal::new(reply.reason, "reversal");
    let refusal = match reply.field {
        Some(field) => refusal.about(field),
        None => refusal,
    };
    match &reply.detail {
        Some(detail) => refusal.saying(detail.text(language)),
        None => refusal,
    }
}

/// Whether an id was made at a time whose records were removed: those until then.
fn is_no_longer_kept(id: &str, removed_until: Option<Timestamp>) -> bool {
    let made = id.parse::<PaymentId>().ok().map(|id| id.unix_ms());
    made.zip(removed_until).is_some_and(|(made_ms, until)| made_ms <= until.millis())
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
