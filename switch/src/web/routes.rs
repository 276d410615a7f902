//! Every route of the API, once. A new operation is a handler with its annotation, and one line
//! here; the document follows.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::map_request;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::ApiRefusal;
use super::document::Document;
use super::event_streams::EventStreams;
use super::rate_limit::RateLimit;
use super::request_notes::RequestNotes;
use super::{
    Api, Limits, bank_notifications, bills, endpoints, events, keys, later, notices, pages,
    payments, statement,
};

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shared {
    /// The engine, the keys and the notices.
    pub api: Api,
    /// The ceilings of one request.
    pub limits: Limits,
    /// How many requests a key may make; none where there is no limit.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// The streams of events that are open.
    pub streams: Arc<EventStreams>,
}

impl axum::extract::FromRef<Shared> for Api {
    fn from_ref(shared: &Shared) -> Self {
        shared.api.clone()
    }
}

/// The operations of the API, added to the frame of the document.
pub(super) fn described(frame: OpenApi) -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(frame)
        .routes(routes!(payments::create, payments::list))
        .routes(routes!(payments::show))
        .routes(routes!(payments::reverse))
        .routes(routes!(later::confirm))
        .routes(routes!(later::refund))
        .routes(routes!(bills::create, bills::list))
        .routes(routes!(bills::show, bills::patch))
        .routes(routes!(bills::cancel))
        .routes(routes!(bills::timeline))
        .routes(routes!(bills::external::register))
        .routes(routes!(bills::external::undo))
        .routes(routes!(statement::show))
        .routes(routes!(bills::batch::create))
        .routes(routes!(bills::batch::show))
        .routes(routes!(endpoints::create, endpoints::list))
        .routes(routes!(endpoints::show, endpoints::patch, endpoints::delete))
        .routes(routes!(endpoints::rotate_secret))
        .routes(routes!(endpoints::test))
        .routes(routes!(endpoints::recover))
        .routes(routes!(notices::list))
        .routes(routes!(notices::redeliver))
        .routes(routes!(events::list))
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(pages::openapi))
}

/// The paths of all routes, each once.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    Document::get().paths().chain(pages::PATHS).chain([bank_notifications::PATH])
}

/// The router of the API and of the pages beside it.
pub(super) fn router(shared: Shared) -> Router {
    described(OpenApi::default())
        .split_for_parts()
        .0
        .merge(pages::router())
        .merge(bank_notifications::router())
        .route_layer(map_request(note_route))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(shared)
}

async fn note_route(path: MatchedPath, request: Request) -> Request {
    let route = paths().find(|route| *route == path.as_str());
    if let (Some(notes), Some(route)) = (request.extensions().get::<RequestNotes>(), route) {
        notes.tell_route(route);
    }
    request
}

async fn no_such_route() -> ApiRefusal {
    ApiRefusal::path_not_found()
}

async fn no_such_method(path: MatchedPath) -> ApiRefusal {
    let described = Document::get().methods(path.as_str());
    let other = if path.as_str() == bank_notifications::PATH { "POST" } else { "GET" };
    ApiRefusal::method_not_allowed(described.as_deref().unwrap_or(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_the_methods_that_the_document_describes() {
        let check = |path: &str, expect: Option<&str>| {
            assert_eq!(Document::get().methods(path).as_deref(), expect, "{path}");
        };
        check("/v1/payments", Some("POST, GET"));
        check("/v1/endpoints/{id}", Some("GET, PATCH, DELETE"));
        check("/v1/nothing", None);
    }

    #[test]
    fn every_route_has_a_name_in_metrics_and_none_has_two() {
        let mut names: Vec<&str> = paths().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.contains(&"/v1/payments") && names.contains(&"/openapi.json"));
    }
}
