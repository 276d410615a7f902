//! `/v1/endpoints`: merchants' addresses for notices.

use axum::extract::State;
use codecs::api::{
    EndpointBody, EndpointPatchBody, EndpointView, Page, Problem, RecoveryBody, RecoveryView,
    Shown, TestView,
};
use http::StatusCode;
use router::endpoint::Endpoint;
use router::id::{BillerId, EndpointId};
use router::notice::NoticeType;
use router::reason::Reason;
use router::time::Timestamp;

use super::Api;
use super::answer::{Answer, Answered, ApiRefusal};
use super::document::responses::{NotFound, Usual};
use super::extract::{Body, Found, Named, NoFields};
use super::principal::{ManageNotices, Permitted, Principal, Read};
use super::query::{FromQuery, Params, QueryOf};
use crate::notice::{EndpointError, EndpointPatch, Recovery, RecoveryMode, Tested};
use crate::{clock, misplaced};

/// Set an address for notices
#[utoipa::path(
    post,
    path = "/v1/endpoints",
    operation_id = "createEndpoint",
    tag = "endpoints",
    description = "Notices are POST requests signed as Standard Webhooks: see `webhooks`. An \
        answer of 2xx accepts one, 410 deletes the endpoint, anything else is tried again.",
    request_body(content = EndpointBody, examples(("newEndpoint" = ()), ("someTypes" = ()))),
    responses(
        (status = 201, description = "The endpoint with its signing secret, told this once.",
            body = EndpointView<'static>, examples(("endpointWithSecret" = ()))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The biller has as many endpoints as it may.",
            examples(("endpointsTooMany" = ()))),
        Usual,
    ),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageNotices>,
    Body(body): Body<EndpointBody>,
) -> Answered<EndpointView<'static>> {
    let (url, types) = body.checked()?;
    misplaced::address_without(&url)?;
    let made = api.notices.create(manager.biller, &url, types, manager.actor).await?;
    Ok(Answer::new(StatusCode::CREATED, &view(&api, &made.endpoint, Some(&made.secret))))
}

/// The query of `GET /v1/endpoints`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EndpointQuery {
    /// Needed with an operator's key.
    #[param(value_type = Option<String>, min_length = 1, max_length = 16, pattern = "^[ -~]+$")]
    biller: Option<BillerId>,
    /// next_cursor of the page before.
    #[param(value_type = Option<String>, pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    cursor: Option<EndpointId>,
    /// Items of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: usize,
}

impl FromQuery for EndpointQuery {
    const KNOWN: &'static [&'static str] = &["biller", "cursor", "limit"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        Ok(Self {
            biller: params.biller()?,
            cursor: params.parsed("cursor", "must be a next_cursor")?,
            limit: params.limit()?,
        })
    }
}

/// Addresses for notices
#[utoipa::path(
    get,
    path = "/v1/endpoints",
    operation_id = "listEndpoints",
    tag = "endpoints",
    params(EndpointQuery),
    responses(
        (status = 200, description = "One page.", body = Page<EndpointView<'static>>,
            examples(("endpoints" = ()))),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Permitted(principal): Permitted<Read>,
    QueryOf(query): QueryOf<EndpointQuery>,
) -> Answered<Page<EndpointView<'static>>> {
    let mut endpoints = api.notices.of_biller(principal.listed(query.biller)?);
    endpoints.sort_unstable_by_key(|endpoint| endpoint.id);
    endpoints.retain(|endpoint| query.cursor.is_none_or(|cursor| cursor < endpoint.id));
    let is_more = endpoints.len() > query.limit;
    endpoints.truncate(query.limit);
    let last = endpoints.last().filter(|_| is_more);
    let next_cursor = last.map(|endpoint| endpoint.id.to_string());
    let items = endpoints.iter().map(|endpoint| view(&api, endpoint, None)).collect();
    Ok(Answer::new(StatusCode::OK, &Page { items, next_cursor }))
}

/// An address for notices
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}",
    operation_id = "showEndpoint",
    tag = "endpoints",
    params(("id" = String, Path, pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    responses(
        (status = 200, description = "The endpoint.", body = EndpointView<'static>,
            examples(("endpoint" = ()))),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn show(
    State(api): State<Api>,
    Permitted(_): Permitted<Read>,
    Found(endpoint): Found<Endpoint>,
    NoFields: NoFields,
) -> Answered<EndpointView<'static>> {
    Ok(Answer::new(StatusCode::OK, &view(&api, &endpoint, None)))
}

/// Delete an address; nothing more is sent to it
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}",
    operation_id = "deleteEndpoint",
    tag = "endpoints",
    params(("id" = String, Path, pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 404, response = NotFound),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The endpoint was changed at the same time at another node; try again.",
            examples(("endpointChanged" = ()))),
        Usual,
    ),
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageNotices>,
    Found(endpoint): Found<Endpoint>,
    NoFields: NoFields,
) -> Result<StatusCode, ApiRefusal> {
    api.notices.delete(endpoint.id, manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change an address, or the types it wants
#[utoipa::path(
    patch,
    path = "/v1/endpoints/{id}",
    operation_id = "changeEndpoint",
    tag = "endpoints",
    description = "What the body does not name stays as it is. Notices that are owed already go \
        to the new address, whatever their types, and those that wait for another attempt go at \
        once; a pause that the old address asked for ends.",
    params(("id" = String, Path, pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    request_body(content = EndpointPatchBody, examples(("endpointChange" = ()))),
    responses(
        (status = 200, description = "The endpoint as it is now.", body = EndpointView<'static>,
            examples(("endpoint" = ()))),
        (status = 404, response = NotFound),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The endpoint was changed at the same time at another node; try again.",
            examples(("endpointChanged" = ()))),
        Usual,
    ),
)]
pub(super) async fn patch(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageNotices>,
    Found(endpoint): Found<Endpoint>,
    Body(body): Body<EndpointPatchBody>,
) -> Answered<EndpointView<'static>> {
    let (url, types) = body.checked()?;
    if let Some(url) = &url {
        misplaced::address_without(url)?;
    }
    let patch = EndpointPatch { url, types };
    let changed = api.notices.patch(endpoint.id, &patch, manager.actor).await?;
    Ok(Answer::new(StatusCode::OK, &view(&api, &changed, None)))
}

/// Give an endpoint a new signing secret
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/rotate-secret",
    operation_id = "rotateEndpointSecret",
    tag = "endpoints",
    description = "Until `old_secret_until` – a day, unless the switch is configured otherwise – \
        notices carry the signatures of both secrets in `webhook-signature`, the new one first. A \
        secret that is changed again before then is kept too, to its own end: ten old secrets at \
        most.",
    params(("id" = String, Path, pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    responses(
        (status = 200, description = "The endpoint with its new secret, told this once.",
            body = EndpointView<'static>, examples(("endpointWithNewSecret" = ()))),
        (status = 404, response = NotFound),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "Ten old secrets sign already, or the endpoint was changed at the same \
                time at another node.",
            examples(("secretsTooMany" = ()), ("endpointChanged" = ()))),
        Usual,
    ),
)]
pub(super) async fn rotate_secret(
    State(api): State<Api>,
    Permitted(manager): Permitted<ManageNotices>,
    Found(endpoint): Found<Endpoint>,
    NoFields: NoFields,
) -> Answered<EndpointView<'static>> {
    let made = api.notices.rotate_secret(endpoint.id, manager.actor).await?;
    Ok(Answer::new(StatusCode::OK, &view(&api, &made.endpoint, Some(&made.secret))))
}

/// Send a test notice, and tell what came of it
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/test",
    operation_id = "testEndpoint",
    tag = "endpoints",
    description = "It is signed as all notices are and has the type `endpoint.test`; see \
        `webhooks`. It is not tried again, and `GET /v1/notices` does not list it.",
    params(("id" = String, Path, pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    responses(
        (status = 200, description = "What came of it.", body = TestView,
            examples(("testAccepted" = ()), ("testSilent" = ()))),
        (status = 404, response = NotFound),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The switch's configuration allows the address no more."),
        Usual,
    ),
)]
pub(super) async fn test(
    State(api): State<Api>,
    Permitted(_): Permitted<ManageNotices>,
    Found(endpoint): Found<Endpoint>,
    NoFields: NoFields,
) -> Answered<TestView> {
    let Tested { id, result, took } = api.notices.test(&endpoint).await?;
    let view = TestView {
        id: Shown(id),
        endpoint: Shown(endpoint.id),
        accepted: result.is_ok_and(|status| (200..=299).contains(&status)),
        status: result.ok(),
        why: result.err(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(Answer::new(StatusCode::OK, &view))
}

/// Send again what was given up since a time
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/recover",
    operation_id = "recoverNotices",
    tag = "endpoints",
    description = "Looks at the newest 20000 notices of the endpoint, and sends those whose last \
        attempt was made since then and that were given up with it: the oldest first, 500 in one \
        call. With `dry_run` it counts them and sends nothing.",
    params(("id" = String, Path, pattern = "^end_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    request_body(content = RecoveryBody, examples(("recoveryCount" = ()))),
    responses(
        (status = 200, description = "The count, with `dry_run`.", body = RecoveryView,
            examples(("recoveryCounted" = ()))),
        (status = 202, description = "They are sent. Where fewer are sent than were given up, ask again.",
            body = RecoveryView, examples(("recoverySent" = ()))),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn recover(
    State(api): State<Api>,
    Permitted(_): Permitted<ManageNotices>,
    Found(endpoint): Found<Endpoint>,
    Body(body): Body<RecoveryBody>,
) -> Answered<RecoveryView> {
    let since: jiff::Timestamp = body.since.parse().map_err(|_| {
        let refusal = ApiRefusal::new(Reason::FormatError, "body").about("since");
        refusal.saying("must be a time such as 2026-11-30T19:05:04Z")
    })?;
    let (mode, status) = match body.dry_run {
        true => (RecoveryMode::Count, StatusCode::OK),
        false => (RecoveryMode::Send, StatusCode::ACCEPTED),
    };
    let since = Timestamp(since.as_microsecond());
    let Recovery { given_up, sent_again } = api.notices.recover(endpoint.id, since, mode).await?;
    Ok(Answer::new(status, &RecoveryView { since: Shown(since), given_up, sent_again }))
}

impl From<EndpointError> for ApiRefusal {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Store(error) => error.into(),
            EndpointError::Deleted => Self::not_found("there is no such endpoint"),
            error @ EndpointError::Address(_) => {
                Self::new(Reason::FormatError, "address").about("url").saying(error.to_string())
            }
            error @ EndpointError::TooMany { .. } => {
                Self::http(StatusCode::CONFLICT, "endpoints", error.to_string())
            }
            error @ EndpointError::TooManySecrets { .. } => {
                Self::http(StatusCode::CONFLICT, "secrets", error.to_string())
            }
            error @ EndpointError::Unusable => {
                Self::http(StatusCode::CONFLICT, "address", error.to_string())
            }
        }
    }
}

impl Named for Endpoint {
    async fn find(api: &Api, principal: Principal, id: &str) -> Result<Self, ApiRefusal> {
        find(api, principal, id)
    }
}

/// An endpoint that a principal may see.
///
/// Errors: 404 where it is not there, or another's.
pub(super) fn find(api: &Api, principal: Principal, id: &str) -> Result<Endpoint, ApiRefusal> {
    let found = id.parse::<EndpointId>().ok().and_then(|id| api.notices.endpoint(id));
    let seen = found.filter(|endpoint| principal.sees(endpoint.biller));
    seen.ok_or_else(|| ApiRefusal::not_found("there is no such endpoint"))
}

fn view<'a>(api: &Api, endpoint: &'a Endpoint, secret: Option<&'a str>) -> EndpointView<'a> {
    let old_secrets = endpoint.old_secrets_at(clock::now());
    EndpointView {
        id: Shown(endpoint.id),
        url: endpoint.url.as_deref().unwrap_or_default(),
        types: endpoint.types.iter().copied().map(NoticeType::name).collect(),
        created_at: Shown(endpoint.created_at()),
        paused_until: api.notices.paused_until(endpoint.id).map(Shown),
        pause_known: (!api.notices.serves(endpoint.id)).then_some(false),
        old_secret_until: old_secrets.map(|old| old.ends_at).max().map(Shown),
        secret,
    }
}
