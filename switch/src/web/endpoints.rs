//! `/v1/endpoints`: merchants' addresses for notices.

use axum::extract::Request;
use axum::response::Response;
use codecs::api::{EndpointView, Page, Shown, parse_endpoint};
use http::{StatusCode, Uri};
use router::id::EndpointId;
use router::notice::NoticeType;
use router::reason::Reason;
use router::record::Endpoint;

use super::answer::{Refusal, json, no_content};
use super::asked::{self, Params};
use super::caller::Caller;
use super::{Api, Limits};
use crate::misplaced;
use crate::notice::EndpointError;

/// `POST /v1/endpoints`: tells the signing secret, this once.
pub(super) async fn create(
    api: &Api,
    caller: Caller,
    limits: Limits,
    request: Request,
) -> Result<Response, Refusal> {
    let biller = caller.biller()?;
    let body = asked::json_body(request, limits.body_bytes_max).await?;
    let (url, types) = parse_endpoint(&body)?.checked()?;
    misplaced::address_without(&url)?;
    let made = match api.notices.create(biller, &url, types).await {
        Ok(made) => made,
        Err(EndpointError::Store(error)) => return Err(error.into()),
        Err(error @ EndpointError::Address(_)) => {
            let refusal = Refusal::new(Reason::FormatError, "address");
            return Err(refusal.about("url").saying(error.to_string()));
        }
        Err(error @ EndpointError::TooMany { .. }) => {
            return Err(Refusal::http(StatusCode::CONFLICT, "endpoints", error.to_string()));
        }
    };
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
pub(super) async fn delete(api: &Api, caller: Caller, id: &str) -> Result<Response, Refusal> {
    caller.biller()?;
    let endpoint = find(api, caller, id)?;
    api.notices.delete(endpoint.id).await?;
    Ok(no_content())
}

/// An endpoint that the caller may see.
pub(super) fn find(api: &Api, caller: Caller, id: &str) -> Result<Endpoint, Refusal> {
    let found = id.parse::<EndpointId>().ok().and_then(|id| api.notices.endpoint(id));
    let seen = found.filter(|endpoint| caller.sees(endpoint.biller));
    seen.ok_or_else(|| Refusal::not_found("there is no such endpoint"))
}

fn view<'a>(api: &Api, endpoint: &'a Endpoint, secret: Option<&'a str>) -> EndpointView<'a> {
    EndpointView {
        id: Shown(endpoint.id),
        url: endpoint.url.as_deref().unwrap_or_default(),
        types: endpoint.types.iter().copied().map(NoticeType::name).collect(),
        created_at: Shown(endpoint.at),
        paused_until: api.notices.paused_until(endpoint.id).map(Shown),
        secret,
    }
}
