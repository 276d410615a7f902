//! What stands before every route: the request's id, a deadline, a net for panics, and the metrics.
//! What a route refuses is written here, in the language of the request.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use router::reason::Reason;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use tracing::Instrument;

use super::answer::ApiRefusal;
use super::body::TimedBody;
use super::connection::Answers;
use super::request_notes::{REQUEST_ID, RequestNotes};
use super::{Limits, asked, request_notes};

/// The label of requests that no route answered.
pub(super) const NO_ROUTE: &str = "none";

/// Answers requests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    router: Router,
    limits: Limits,
}

impl Guard {
    /// A guard before a router.
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        Self { router, limits }
    }
}

impl Answers for Guard {
    async fn answer(&self, mut request: Request<Incoming>) -> Response {
        let started = Instant::now();
        let language = asked::language(request.headers());
        let id = request_notes::request_id(request.headers());
        let notes = RequestNotes::default();
        request.extensions_mut().insert(notes.clone());
        // Of the highest level, so that warnings and errors carry it whatever is logged.
        let span = tracing::error_span!("http", request_id = id.to_str().unwrap_or_default());
        let mut response = self.routed(request).instrument(span).await;
        if let Some(refusal) = response.extensions_mut().remove::<ApiRefusal>() {
            response = refusal.told(language);
        }
        response.headers_mut().insert(REQUEST_ID, id);
        if let Some(standing) = notes.rate() {
            standing.tell(response.headers_mut());
        }
        let route = notes.route().unwrap_or(NO_ROUTE);
        let status = response.status().as_u16().to_string();
        metrics::counter!("cauce_http_requests_total", "route" => route, "status" => status)
            .increment(1);
        metrics::histogram!("cauce_http_request_seconds", "route" => route)
            .record(started.elapsed());
        response
    }
}

impl Guard {
    /// The answer of a route within the deadline, or a refusal.
    async fn routed(&self, request: Request<Incoming>) -> Response {
        let body_timeout = self.limits.body_timeout;
        let request = request.map(|body| Body::new(TimedBody::new(body, body_timeout)));
        let routed = self.router.clone().oneshot(request);
        let caught = AssertUnwindSafe(timeout(self.limits.request_timeout, routed)).catch_unwind();
        match caught.await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_)) => {
                let detail = "the request took too long";
                ApiRefusal::http(StatusCode::REQUEST_TIMEOUT, "timeout", detail).into_response()
            }
            Err(_) => {
                metrics::counter!("cauce_http_panics_total").increment(1);
                tracing::error!("a request's handler panicked; this is a defect of the switch");
                ApiRefusal::new(Reason::SystemError, "panic").into_response()
            }
        }
    }
}
