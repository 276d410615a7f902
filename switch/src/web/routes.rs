//! Every route of the API, once. `assets/openapi.json` describes exactly these.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use hyper::body::Body as _;
use router::reason::{Language, Reason};

use super::answer::{self, Refusal};
use super::asked;
use super::caller::{self, Caller};
use super::connection::Hold;
use super::guard::RouteName;
use super::{Api, Limits, endpoints, notices, payments};

static OPENAPI: &str = include_str!("../../assets/openapi.json");

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    CreatePayment,
    ListPayments,
    ShowPayment,
    ReversePayment,
    CreateEndpoint,
    ListEndpoints,
    ShowEndpoint,
    PatchEndpoint,
    DeleteEndpoint,
    RotateSecret,
    TestEndpoint,
    RecoverNotices,
    ListNotices,
    RedeliverNotice,
    ShowOpenApi,
}

/// One route.
#[derive(Debug, Clone, Copy)]
struct Route {
    method: Verb,
    path: &'static str,
    call: Call,
}

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

const ROUTES: [Route; 15] = [
    Route { method: Verb::Post, path: "/v1/payments", call: Call::CreatePayment },
    Route { method: Verb::Get, path: "/v1/payments", call: Call::ListPayments },
    Route { method: Verb::Get, path: "/v1/payments/{id}", call: Call::ShowPayment },
    Route { method: Verb::Post, path: "/v1/payments/{id}/reverse", call: Call::ReversePayment },
    Route { method: Verb::Post, path: "/v1/endpoints", call: Call::CreateEndpoint },
    Route { method: Verb::Get, path: "/v1/endpoints", call: Call::ListEndpoints },
    Route { method: Verb::Get, path: "/v1/endpoints/{id}", call: Call::ShowEndpoint },
    Route { method: Verb::Patch, path: "/v1/endpoints/{id}", call: Call::PatchEndpoint },
    Route { method: Verb::Delete, path: "/v1/endpoints/{id}", call: Call::DeleteEndpoint },
    Route {
        method: Verb::Post,
        path: "/v1/endpoints/{id}/rotate-secret",
        call: Call::RotateSecret,
    },
    Route { method: Verb::Post, path: "/v1/endpoints/{id}/test", call: Call::TestEndpoint },
    Route { method: Verb::Post, path: "/v1/endpoints/{id}/recover", call: Call::RecoverNotices },
    Route { method: Verb::Get, path: "/v1/notices", call: Call::ListNotices },
    Route { method: Verb::Post, path: "/v1/notices/{id}/redeliver", call: Call::RedeliverNotice },
    Route { method: Verb::Get, path: "/openapi.json", call: Call::ShowOpenApi },
];

/// Position of `{id}` in a path cut at its slashes.
const ID_POSITION: usize = 3;

impl Call {
    /// Whether its body may have members. No call passes over a body.
    fn takes_fields(self) -> bool {
        match self {
            Self::CreatePayment
            | Self::ReversePayment
            | Self::CreateEndpoint
            | Self::PatchEndpoint
            | Self::RecoverNotices => true,
            Self::ListPayments
            | Self::ShowPayment
            | Self::ListEndpoints
            | Self::ShowEndpoint
            | Self::DeleteEndpoint
            | Self::RotateSecret
            | Self::TestEndpoint
            | Self::ListNotices
            | Self::RedeliverNotice
            | Self::ShowOpenApi => false,
        }
    }
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

#[derive(Clone)]
struct Shared {
    api: Api,
    limits: Limits,
}

/// The paths of all routes, each once.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    let is_first = |at: usize| ROUTES[..at].iter().all(|route| route.path != ROUTES[at].path);
    (0..ROUTES.len()).filter(move |at| is_first(*at)).map(|at| ROUTES[at].path)
}

/// The router of the API.
pub(super) fn router(api: Api, limits: Limits) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let handler = move |State(shared): State<Shared>, request: Request| async move {
            answer(&shared, route, request).await
        };
        router = router.route(route.path, on(route.method.filter(), handler));
    }
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(Shared { api, limits })
}

async fn answer(shared: &Shared, route: Route, request: Request) -> Response {
    let language = asked::language(request.headers());
    let mut response = match serve(shared, route.call, request, language).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(language),
    };
    response.extensions_mut().insert(RouteName(route.path));
    response
}

async fn serve(
    shared: &Shared,
    call: Call,
    request: Request,
    language: Language,
) -> Result<Response, Refusal> {
    let Shared { api, limits } = shared;
    if call == Call::ShowOpenApi {
        // Nobody has proved anything here: no byte of a body is waited for.
        return match request.body().is_end_stream() {
            true => Ok(openapi()),
            false => {
                Err(Refusal::new(Reason::FormatError, "body").saying("this address takes no body"))
            }
        };
    }
    let caller = Caller::of(api, request.headers()).await?;
    let asker = (caller, caller::actor(request.headers()));
    if let Some(hold) = request.extensions().get::<Hold>() {
        hold.take();
    }
    let uri = request.uri().clone();
    let request = match call.takes_fields() {
        true => request,
        false => {
            asked::no_fields(request, limits.body_bytes_max).await?;
            Request::default()
        }
    };
    let id = uri.path().split('/').nth(ID_POSITION).unwrap_or_default();
    match call {
        Call::CreatePayment => payments::create(api, caller, *limits, request, language).await,
        Call::ListPayments => payments::list(api, caller, &uri, language).await,
        Call::ShowPayment => payments::show(api, caller, id, language).await,
        Call::ReversePayment => {
            payments::reverse(api, caller, id, *limits, request, language).await
        }
        Call::CreateEndpoint => endpoints::create(api, asker, *limits, request).await,
        Call::ListEndpoints => endpoints::list(api, caller, &uri),
        Call::ShowEndpoint => endpoints::show(api, caller, id),
        Call::PatchEndpoint => endpoints::patch(api, asker, id, *limits, request).await,
        Call::DeleteEndpoint => endpoints::delete(api, asker, id).await,
        Call::RotateSecret => endpoints::rotate_secret(api, asker, id).await,
        Call::TestEndpoint => endpoints::test(api, caller, id).await,
        Call::RecoverNotices => endpoints::recover(api, caller, id, *limits, request).await,
        Call::ListNotices => notices::list(api, caller, &uri).await,
        Call::RedeliverNotice => notices::redeliver(api, caller, id, &uri).await,
        Call::ShowOpenApi => Ok(openapi()),
    }
}

fn openapi() -> Response {
    let mut response = Response::new(OPENAPI.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn no_such_route(request: Request) -> Response {
    let language = asked::language(request.headers());
    Refusal::path_not_found().into_response(language)
}

async fn no_such_method(request: Request) -> Response {
    let language = asked::language(request.headers());
    let path = request.uri().path();
    let allowed: Vec<&str> = ROUTES
        .iter()
        .filter(|route| matches(route.path, path))
        .map(|route| route.method.name())
        .collect();
    answer::method_not_allowed(language, &allowed.join(", "))
}

/// Whether a path is one of a pattern's.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("{id}"), Some(_)) => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_describes_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let described: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, calls)| {
                let methods = calls.as_object().unwrap().keys();
                methods
                    .filter(|name| *name != "parameters")
                    .map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let served: BTreeSet<String> =
            ROUTES.iter().map(|route| format!("{} {}", route.method.name(), route.path)).collect();
        assert_eq!(described, served);
    }

    #[test]
    fn the_document_lists_every_code_of_the_catalogue() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let problem = &document["components"]["schemas"]["Problem"]["properties"];
        let listed = problem["code"]["x-extensible-enum"].as_array().unwrap();
        let listed: BTreeSet<&str> = listed.iter().map(|code| code.as_str().unwrap()).collect();
        let failures = Reason::ALL.iter().filter(|reason| **reason != Reason::Approved);
        let mut known: BTreeSet<&str> = failures.map(|reason| reason.info().code).collect();
        known.extend(["payment_in_progress", "payment_no_longer_kept"]);
        assert_eq!(listed, known);
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let mut seen = 0;
        for reference in OPENAPI.split("\"$ref\": \"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            seen += 1;
        }
        assert!(seen > 10);
    }

    #[test]
    fn a_pattern_matches_its_own_paths() {
        assert!(matches("/v1/payments/{id}", "/v1/payments/pay_x"));
        assert!(!matches("/v1/payments/{id}", "/v1/payments"));
        assert!(!matches("/v1/payments", "/v1/payments/pay_x"));
    }
}
