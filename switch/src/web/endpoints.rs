//! `/v1/endpoints`: merchants' addresses for notices.

use axum::extract::Request;
use axum::response::Response;
use codecs::api::{
    EndpointView, Page, RecoveryView, Shown, TestView, parse_endpoint, parse_endpoint_patch,
    parse_recovery,
};
use http::{StatusCode, Uri};
use router::event::Actor;
use router::id::EndpointId;
use router::notice::NoticeType;
use router::reason::Reason;
use router::record::Endpoint;
use router::time::Timestamp;

use super::answer::{Refusal, json, no_content};
use super::asked::{self, Params};
use super::caller::Caller;
use super::{Api, Limits};
use crate::notice::{EndpointError, EndpointPatch, Recovery, RecoveryMode, Tested};
use crate::{clock, misplaced};

/// `POST /v1/endpoints`: tells the signing secret, this once.
pub(super) async fn create(
    api: &Api,
    (caller, actor): (Caller, Actor),
    limits: Limits,
    request: Request,
) -> Result<Response, Refusal> {
    let biller = caller.biller()?;
    let body = asked::json_body(request, limits.body_bytes_max).await?;
    let (url, types) = parse_endpoint(&body)?.checked()?;
    misplaced::address_without(&url)?;
    let made = api.notices.create(biller, &url, types, actor).await?;
    Ok(json(StatusCode::CREATED, &view(api, &made.endpoint, Some(&made.secret))))
}

/// `GET /v1/endpoints`.
pub(super) fn list(api: &Api, caller: Caller, uri: &Uri) -> Result<Response, Refusal> {
    let params = Params::of(uri, &["biller"])?;
    let endpoints = api.notices.of_biller(caller.listed(&params)?);
    let items = endpoints.iter().map(|endpoint| view(api, endpoint, None)).collect();
    Ok(json(StatusCode::OK, &Page { items, next_cursor: None }))
}

/// `GET /v1/endpoints/{id}`.
pub(super) fn show(api: &Api, caller: Caller, id: &str) -> Result<Response, Refusal> {
    let endpoint = find(api, caller, id)?;
    Ok(json(StatusCode::OK, &view(api, &endpoint, None)))
}

/// `DELETE /v1/endpoints/{id}`.
pub(super) async fn delete(
    api: &Api,
    (caller, actor): (Caller, Actor),
    id: &str,
) -> Result<Response, Refusal> {
    caller.biller()?;
    let endpoint = find(api, caller, id)?;
    api.notices.delete(endpoint.id, actor).await?;
    Ok(no_content())
}

/// `PATCH /v1/endpoints/{id}`: another address, or other types.
pub(super) async fn patch(
    api: &Api,
    (caller, actor): (Caller, Actor),
    id: &str,
    limits: Limits,
    request: Request,
) -> Result<Response, Refusal> {
    caller.biller()?;
    let endpoint = find(api, caller, id)?;
    let body = asked::json_body(request, limits.body_bytes_max).await?;
    let (url, types) = parse_endpoint_patch(&body)?.checked()?;
    if let Some(url) = &url {
        misplaced::address_without(url)?;
    }
    let changed = api.notices.patch(endpoint.id, &EndpointPatch { url, types }, actor).await?;
    Ok(json(StatusCode::OK, &view(api, &changed, None)))
}

/// `POST /v1/endpoints/{id}/rotate-secret`: tells the new signing secret, this once.
pub(super) async fn rotate_secret(
    api: &Api,
    (caller, actor): (Caller, Actor),
    id: &str,
) -> Result<Response, Refusal> {
    caller.biller()?;
    let endpoint = find(api, caller, id)?;
    let made = api.notices.rotate_secret(endpoint.id, actor).await?;
    Ok(json(StatusCode::OK, &view(api, &made.endpoint, Some(&made.secret))))
}

/// `POST /v1/endpoints/{id}/test`: what came of a test notice.
pub(super) async fn test(api: &Api, caller: Caller, id: &str) -> Result<Response, Refusal> {
    caller.biller()?;
    let endpoint = find(api, caller, id)?;
    let Tested { id, result, took } = api.notices.test(&endpoint).await?;
    let view = TestView {
        id: Shown(id),
        endpoint: Shown(endpoint.id),
        accepted: result.is_ok_and(|status| (200..=299).contains(&status)),
        status: result.ok(),
        why: result.err(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(json(StatusCode::OK, &view))
}

/// `POST /v1/endpoints/{id}/recover`: counts what was given up, and sends it once more.
pub(super) async fn recover(
    api: &Api,
    caller: Caller,
    id: &str,
    limits: Limits,
    request: Request,
) -> Result<Response, Refusal> {
    caller.biller()?;
    let endpoint = find(api, caller, id)?;
    let body = asked::json_body(request, limits.body_bytes_max).await?;
    let body = parse_recovery(&body)?;
    let since: jiff::Timestamp = body.since.parse().map_err(|_| {
        let refusal = Refusal::new(Reason::FormatError, "body").about("since");
        refusal.saying("must be a time such as 2026-11-30T19:05:04Z")
    })?;
    let (mode, status) = match body.dry_run {
        true => (RecoveryMode::Count, StatusCode::OK),
        false => (RecoveryMode::Send, StatusCode::ACCEPTED),
    };
    let since = Timestamp(since.as_microsecond());
    let Recovery { given_up, revived } = api.notices.recover(endpoint.id, since, mode).await?;
    Ok(json(status, &RecoveryView { since: Shown(since), given_up, sent_again: revived }))
}

impl From<EndpointError> for Refusal {
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

/// An endpoint that the caller may see.
pub(super) fn find(api: &Api, caller: Caller, id: &str) -> Result<Endpoint, Refusal> {
    let found = id.parse::<EndpointId>().ok().and_then(|id| api.notices.endpoint(id));
    let seen = found.filter(|endpoint| caller.sees(endpoint.biller));
    seen.ok_or_else(|| Refusal::not_found("there is no such endpoint"))
}

fn view<'a>(api: &Api, endpoint: &'a Endpoint, secret: Option<&'a str>) -> EndpointView<'a> {
    let old_secrets = endpoint.old_secrets_at(clock::now());
    EndpointView {
        id: Shown(endpoint.id),
        url: endpoint.url.as_deref().unwrap_or_default(),
        types: endpoint.types.iter().copied().map(NoticeType::name).collect(),
        created_at: Shown(endpoint.created_at()),
        paused_until: api.notices.paused_until(endpoint.id).map(Shown),
        old_secret_until: old_secrets.map(|old| old.ends_at).max().map(Shown),
        secret,
    }
}
