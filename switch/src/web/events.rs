//! `/v1/events`: what happened to a biller's payments, page by page or as it happens.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use codecs::api::EventPage;
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use router::id::BillerId;
use router::reason::Reason;
use serde_json::value::RawValue;
use storage::StoreError;
use storage::outbox::{ReadThrough, UndeliveredNotice};

use super::answer::{Answer, ApiRefusal};
use super::document::responses::{NotFound, Usual};
use super::event_stream::{EVENT_STREAM, EventStream};
use super::principal::{Permitted, Read, bearer};
use super::query::{FromQuery, Params, QueryOf};
use super::{Api, Shared};
use crate::keys;
use crate::notice::body;

const LAST_EVENT_ID: &str = "last-event-id";
const CURSOR_EXPECTED: &str = "must be a next_cursor, an end_cursor or the id of a stream's event";

/// The query of `GET /v1/events`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// Needed with an operator's key.
    #[param(value_type = Option<String>, min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    biller: Option<BillerId>,
    /// next_cursor or end_cursor of a page, or the id of a stream's event.
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,18}(-[0-9]{1,18})*$")]
    cursor: Option<ReadThrough>,
    /// Items of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: usize,
}

impl FromQuery for EventQuery {
    const KNOWN: &'static [&'static str] = &["biller", "cursor", "limit"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        let cursor = params.parsed("cursor", CURSOR_EXPECTED)?;
        Ok(Self { biller: params.biller()?, cursor, limit: params.limit()? })
    }
}

/// What happened to payments, oldest first
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "listEvents",
    tag = "notices",
    description = "The same bodies as notices have, for billers that would rather ask than be told; \
        no endpoint is needed, and none changes what is here. A page tells what is behind its \
        `cursor`, or all that is kept; it may be short, or empty, while there is a `next_cursor`. \
        With `Accept: text/event-stream` the answer is a stream of server-sent events that goes \
        on: their `id` is a cursor, their `data` the body. It begins behind `Last-Event-ID` or \
        `cursor`, else with what happens from now on. A comment now and then shows that it is \
        alive. It ends when its key does and when the switch stops; a client connects again with \
        the last `id` that it has seen. Each event comes at least once: take each body's `id` once.",
    params(
        EventQuery,
        ("Last-Event-ID" = Option<String>, Header,
            description = "Where a stream begins: the id of the last event that was seen.",
            pattern = "^[0-9]{1,18}(-[0-9]{1,18})*$"),
    ),
    responses(
        (status = 200, description = "One page, or a stream.", content(
            (EventPage = "application/json", examples(("events" = ()))),
            (String = "text/event-stream"),
        )),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    Permitted(principal): Permitted<Read>,
    headers: HeaderMap,
    QueryOf(query): QueryOf<EventQuery>,
) -> Result<Response, ApiRefusal> {
    let biller = principal.listed(query.biller)?;
    let seen = last_event_id(&headers)?;
    if !wants_stream(&headers) {
        return page(&shared.api, biller, query).await.map(IntoResponse::into_response);
    }
    let key = bearer(&headers).unwrap_or_default().to_owned();
    let begin = seen.or(query.cursor);
    let place = shared.streams.admit(keys::id_of_key(&key))?;
    let begin = begin.unwrap_or_else(|| shared.api.engine.store.events_end());
    Ok(EventStream::new(shared.api, place, key, (biller, begin)).into_response())
}

async fn page(
    api: &Api,
    biller: BillerId,
    query: EventQuery,
) -> Result<Answer<EventPage>, ApiRefusal> {
    let after = query.cursor.unwrap_or_default();
    let page = api.engine.store.events(biller, &after, query.limit).await?;
    let mut data = Vec::with_capacity(page.rows.len());
    for owed in &page.rows {
        data.extend(told(api, owed).await?);
    }
    let end_cursor = page.through.to_string();
    let next_cursor = page.is_more.then(|| end_cursor.clone());
    Ok(Answer::new(StatusCode::OK, &EventPage { data, next_cursor, end_cursor }))
}

/// The body that tells of an event, the same as its notice has; none of a payment that is no longer
/// kept.
///
/// Errors: the store's. Cancel-safe.
pub(super) async fn told(
    api: &Api,
    owed: &UndeliveredNotice,
) -> Result<Option<Box<RawValue>>, StoreError> {
    let store = &api.engine.store;
    let Some(payment) = store.payment(owed.payment).await? else { return Ok(None) };
    let body = body::of(&api.engine, payment, owed).await?;
    Ok(Some(serde_json::from_slice(&body).expect("invariant: a notice's body is JSON")))
}

/// Whether a request asks for server-sent events.
fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| {
        range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(EVENT_STREAM))
    })
}

/// Errors: 400 for an id that no stream gives.
fn last_event_id(headers: &HeaderMap) -> Result<Option<ReadThrough>, ApiRefusal> {
    let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let read = id.to_str().ok().and_then(|id| id.parse().ok());
    let wrong = || {
        let refusal = ApiRefusal::new(Reason::FormatError, "query").about("Last-Event-ID");
        refusal.saying(CURSOR_EXPECTED)
    };
    read.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_answered_to_whoever_names_its_media_type() {
        let check = |accept: &'static str, expect: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, http::HeaderValue::from_static(accept));
            assert_eq!(wants_stream(&headers), expect, "{accept}");
        };
        check("text/event-stream", true);
        check("Text/Event-Stream; charset=utf-8", true);
        check("application/json, text/event-stream;q=0.5", true);
        check("*/*", false);
        check("application/json", false);
        assert!(!wants_stream(&HeaderMap::new()));
    }
}
