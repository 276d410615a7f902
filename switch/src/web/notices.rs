//! `/v1/notices`: how the deliveries of notices stand.

use axum::response::Response;
use codecs::api::{NoticeState, NoticeView, Page, Shown};
use http::{StatusCode, Uri};
use router::id::NoticeId;
use router::reason::Reason;
use router::time::Timestamp;
use storage::outbox::{Delivery, LogCursor, NoticeRow};

use super::Api;
use super::answer::{Refusal, json};
use super::asked::Params;
use super::caller::Caller;
use super::endpoints;
use crate::notice::body::happened_at;

/// `GET /v1/notices?endpoint=&cursor=&limit=`, newest first.
pub(super) async fn list(api: &Api, caller: Caller, uri: &Uri) -> Result<Response, Refusal> {
    let params = Params::of(uri, &["endpoint", "cursor", "limit"])?;
    let Some(endpoint) = params.parsed::<String>("endpoint", "must be an endpoint's id")? else {
        let refusal = Refusal::new(Reason::FormatError, "query").about("endpoint");
        return Err(refusal.saying("is missing"));
    };
    let endpoint = endpoints::find(api, caller, &endpoint)?;
    let from: Option<LogCursor> = params.parsed("cursor", "must be a next_cursor")?;
    let limit = params.limit()?;
    let page = api.engine.store.notices(endpoint.id, from.as_ref(), limit).await?;
    let next_cursor = page.next.map(|next| next.to_string());
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        items.push(view(row, happened(api, row).await?));
    }
    Ok(json(StatusCode::OK, &Page { items, next_cursor }))
}

/// `POST /v1/notices/{id}/redeliver?endpoint=`: sends a notice once more, to one endpoint or to
/// all of the biller's that were owed it.
pub(super) async fn redeliver(
    api: &Api,
    caller: Caller,
    id: &str,
    uri: &Uri,
) -> Result<Response, Refusal> {
    let biller = caller.biller()?;
    let missing = || Refusal::not_found("there is no such notice among the newest 20000");
    let notice: NoticeId = id.parse().map_err(|_| missing())?;
    let params = Params::of(uri, &["endpoint"])?;
    let endpoints = match params.parsed::<String>("endpoint", "must be an endpoint's id")? {
        Some(endpoint) => vec![endpoints::find(api, caller, &endpoint)?],
        None => api.notices.of_biller(biller),
    };
    let (mut items, mut failed) = (Vec::new(), None);
    for endpoint in endpoints {
        let Some(row) = api.notices.find(endpoint.id, notice).await? else { continue };
        match api.notices.redeliver(&row).await {
            Ok(()) => items.push(view(&row, happened(api, &row).await?)),
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
    Ok(json(StatusCode::ACCEPTED, &Page { items, next_cursor: None }))
}

async fn happened(api: &Api, row: &NoticeRow) -> Result<Timestamp, Refusal> {
    let payment = api.engine.store.payment(row.owed.payment).await?;
    let received_at = Timestamp(row.owed.payment.unix_ms().saturating_mul(1000));
    Ok(payment.map_or(received_at, |payment| happened_at(&payment, row.owed.kind)))
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
