//! Pages and files for browsers, and the document of the API. All are compiled in, open to all, and
//! under a policy that lets a page load nothing but what is served beside it.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};

use super::Shared;
use super::document::Document;
use super::document::responses::{BadRequest, OtherProblem};
use super::extract::OpenToAll;

/// Scripts, styles and requests of the same origin alone; no frame, no form, no inline code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// How long a browser may keep a file: a new build may have another one at the same address.
const CACHING: &str = "public, max-age=300";

/// A file that is compiled in.
#[derive(Debug, Clone, Copy)]
struct Page {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const PAGES: [Page; 3] = [
    Page {
        path: "/docs",
        media_type: "text/html; charset=utf-8",
        text: include_str!("../../assets/pages/docs.html"),
    },
    Page {
        path: "/assets/docs.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("../../assets/pages/docs.css"),
    },
    Page {
        path: "/assets/docs.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("../../assets/pages/docs.js"),
    },
];

/// The paths of the pages.
pub(super) const PATHS: [&str; PAGES.len()] = [PAGES[0].path, PAGES[1].path, PAGES[2].path];

/// The routes of the pages.
pub(super) fn router() -> Router<Shared> {
    PAGES.into_iter().fold(Router::new(), |router, page| {
        router.route(page.path, get(async move |_: OpenToAll| page))
    })
}

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "showOpenApi",
    tag = "document",
    security(()),
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object),
        (status = 400, response = BadRequest),
        (status = "default", response = OtherProblem),
    ),
)]
pub(super) async fn openapi(_: OpenToAll) -> Response {
    file("application/json", Document::get().json())
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        file(self.media_type, self.text)
    }
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &'static str); 6] = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, CACHING),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = Response::new(Body::from(text));
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
