//! `/v1/notices`: how the deliveries of notices stand.

use axum::extract::State;
use codecs::api::{NoticeState, NoticeView, Page, Shown};
use http::StatusCode;
use router::id::NoticeId;
use router::reason::Reason;
use router::time::Timestamp;
use storage::outbox::{Delivery, LogCursor, NoticeRow};

use super::answer::{Answer, Answered, ApiRefusal};
use super::document::responses::{NotFound, Notices, Usual};
use super::extract::Id;
use super::principal::{ManageNotices, Permitted, Principal, Read};
use super::query::{FromQuery, Params, QueryOf};
use super::{Api, endpoints};
use crate::notice::body::happened_at;

/// The query of `GET /v1/notices`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct NoticeQuery {
    /// The endpoint that the notices are owed to.
    #[param(pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    endpoint: String,
    /// next_cursor of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,18}(-[0-9]{1,18})*$")]
    cursor: Option<LogCursor>,
    /// Items of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: usize,
}

impl FromQuery for NoticeQuery {
    const KNOWN: &'static [&'static str] = &["endpoint", "cursor", "limit"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        let endpoint = params.parsed("endpoint", ENDPOINT_EXPECTED)?.ok_or_else(|| {
            let refusal = ApiRefusal::new(Reason::FormatError, "query").about("endpoint");
            refusal.saying("is missing")
        })?;
        let cursor = params.parsed("cursor", "must be a next_cursor")?;
        Ok(Self { endpoint, cursor, limit: params.limit()? })
    }
}

const ENDPOINT_EXPECTED: &str = "must be an endpoint's id";

/// Notices of an endpoint, newest first
#[utoipa::path(
    get,
    path = "/v1/notices",
    operation_id = "listNotices",
    tag = "notices",
    params(NoticeQuery),
    responses((status = 200, response = Notices), (status = 404, response = NotFound), Usual),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Permitted(principal): Permitted<Read>,
    QueryOf(query): QueryOf<NoticeQuery>,
) -> Answered<Page<NoticeView>> {
    let endpoint = endpoints::find(&api, principal, &query.endpoint)?;
    let page = api.engine.store.notices(endpoint.id, query.cursor.as_ref(), query.limit).await?;
    let next_cursor = page.next.map(|next| next.to_string());
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        items.push(view(row, happened(&api, row).await?));
    }
    Ok(Answer::new(StatusCode::OK, &Page { items, next_cursor }))
}

/// The query of `POST /v1/notices/{id}/redeliver`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RedeliveryQuery {
    /// All of the biller's where it is not given.
    #[param(pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    endpoint: Option<String>,
}

impl FromQuery for RedeliveryQuery {
    const KNOWN: &'static [&'static str] = &["endpoint"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        Ok(Self { endpoint: params.parsed("endpoint", ENDPOINT_EXPECTED)? })
    }
}

/// Send a notice once more, under the same webhook-id
#[utoipa::path(
    post,
    path = "/v1/notices/{id}/redeliver",
    operation_id = "redeliverNotice",
    tag = "notices",
    description = "It goes at once, whatever became of it. A pause that the endpoint asked for \
        with Retry-After ends.",
    params(("id" = String, Path, pattern = "^ntc_[0-7][0-9a-hjkmnp-tv-z]{25}$"), RedeliveryQuery),
    responses((status = 202, response = Notices), (status = 404, response = NotFound), Usual),
)]
pub(super) async fn redeliver(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageNotices>,
    Id(id): Id,
    QueryOf(query): QueryOf<RedeliveryQuery>,
) -> Answered<Page<NoticeView>> {
    let missing = || ApiRefusal::not_found("there is no such notice among the newest 20000");
    let notice: NoticeId = id.parse().map_err(|_| missing())?;
    let endpoints = match query.endpoint {
        Some(endpoint) => {
            vec![endpoints::find(&api, Principal::of_biller(manager.biller), &endpoint)?]
        }
        None => api.notices.of_biller(manager.biller),
    };
    let (mut items, mut failed) = (Vec::new(), None);
    for endpoint in endpoints {
        let Some(row) = api.notices.find(endpoint.id, notice).await? else { continue };
        match api.notices.redeliver(&row).await {
            Ok(()) => items.push(view(&row, happened(&api, &row).await?)),
            // The others are told all the same; who asks again tells them once more.
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    if items.is_empty() {
        return Err(missing());
    }
    Ok(Answer::new(StatusCode::ACCEPTED, &Page { items, next_cursor: None }))
}

async fn happened(api: &Api, row: &NoticeRow) -> Result<Timestamp, ApiRefusal> {
    let payment = api.engine.store.payment(row.owed.payment).await?;
    let received_at = Timestamp(row.owed.payment.unix_ms().saturating_mul(1000));
    Ok(payment.map_or(received_at, |payment| happened_at(&payment, &row.owed)))
}

fn view(row: &NoticeRow, happened_at: Timestamp) -> NoticeView {
    let (state, is_waiting) = match row.delivery {
        Delivery::Queued => (NoticeState::Pending, false),
        Delivery::Retrying => (NoticeState::Pending, true),
        Delivery::Delivered => (NoticeState::Delivered, false),
        Delivery::Dead => (NoticeState::Dead, false),
    };
    NoticeView {
        id: Shown(row.owed.notice_id),
        kind: row.owed.kind.name(),
        payment: Shown(row.owed.payment),
        endpoint: Shown(row.endpoint),
        state,
        attempts: row.owed.attempts,
        created_at: Shown(happened_at),
        next_attempt_at: is_waiting.then_some(Shown(row.owed.next_at)),
        last_status: row.last_status,
    }
}
