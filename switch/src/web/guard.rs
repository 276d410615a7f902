//! What stands before every route: a deadline, a net for panics, and the metrics.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures_util::FutureExt;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use router::reason::Reason;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use super::answer::Refusal;
use super::body::TimedBody;
use super::connection::Answers;
use super::{Limits, asked};

/// The route an answer came from, for metrics: its pattern, never the path itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct RouteName(pub(super) &'static str);

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
    async fn answer(&self, request: Request<Incoming>) -> Response {
        let started = Instant::now();
        let language = asked::language(request.headers());
        let body_timeout = self.limits.body_timeout;
        let request = request.map(|body| Body::new(TimedBody::new(body, body_timeout)));
        let routed = self.router.clone().oneshot(request);
        let caught = AssertUnwindSafe(timeout(self.limits.request_timeout, routed)).catch_unwind();
        let response = match caught.await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_)) => {
                let detail = "the request took too long";
                let refusal = Refusal::http(StatusCode::REQUEST_TIMEOUT, "timeout", detail);
                refusal.into_response(language)
            }
            Err(_) => {
                metrics::counter!("cauce_http_panics_total").increment(1);
                tracing::error!("a request's handler panicked; this is a defect of the switch");
                Refusal::new(Reason::SystemError, "panic").into_response(language)
            }
        };
        let route = response.extensions().get::<RouteName>().map_or(NO_ROUTE, |name| name.0);
        let status = response.status().as_u16().to_string();
        metrics::counter!("cauce_http_requests_total", "route" => route, "status" => status)
            .increment(1);
        metrics::histogram!("cauce_http_request_seconds", "route" => route)
            .record(started.elapsed());
        response
    }
}
