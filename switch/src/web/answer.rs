//! Answers: JSON, or a problem with a code of the decline catalogue.

use std::marker::PhantomData;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use codecs::api::{FieldError, Problem};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use router::reason::{Language, Reason, Retry};
use serde::Serialize;
use storage::StoreError;

/// After this many seconds a request may be repeated that was refused for the moment.
const RETRY_AFTER_S: u32 = 1;

/// An answer whose body shows a `V`.
#[derive(Debug)]
pub(super) struct Answer<V> {
    response: Response,
    shows: PhantomData<fn(V)>,
}

/// What a handler gives: the answer, or why there is none.
pub(super) type Answered<V> = Result<Answer<V>, ApiRefusal>;

impl<V: Serialize> Answer<V> {
    /// JSON with a status.
    pub(super) fn new(status: StatusCode, view: &V) -> Self {
        Self { response: json(status, "application/json", view), shows: PhantomData }
    }
}

impl<V> Answer<V> {
    /// With a header.
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }

    /// The same answer of a route that also shows something else, a problem for one.
    pub(super) fn into_other<W>(self) -> Answer<W> {
        Answer { response: self.response, shows: PhantomData }
    }
}

impl<V: Serialize> Answer<V> {
    /// A problem that is more than a refusal.
    pub(super) fn problem(status: StatusCode, view: &V) -> Self {
        Self { response: json(status, Problem::CONTENT_TYPE, view), shows: PhantomData }
    }
}

impl<V> IntoResponse for Answer<V> {
    fn into_response(self) -> Response {
        self.response
    }
}

/// JSON with a status and a media type.
fn json(status: StatusCode, media_type: &'static str, value: &impl Serialize) -> Response {
    let json = serde_json::to_vec(value).expect("invariant: texts and numbers serialise");
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Why a request was not served. As an answer it is only noted: the problem is written where the
/// language is known, by `guard`.
#[derive(Debug, Clone)]
pub(super) struct ApiRefusal {
    /// Its name in metrics.
    why: &'static str,
    reason: Reason,
    status: StatusCode,
    code: Option<&'static str>,
    detail: Option<String>,
    field: Option<String>,
    retry: Option<u32>,
    allow: Option<Box<str>>,
}

impl ApiRefusal {
    /// A refusal with the status the catalogue gives its reason.
    pub(super) fn new(reason: Reason, why: &'static str) -> Self {
        let info = reason.info();
        let status = status(info.http);
        let may_repeat = info.retry == Retry::SameKey
            && [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        let retry = may_repeat.then_some(RETRY_AFTER_S);
        Self { why, reason, status, code: None, detail: None, field: None, retry, allow: None }
    }

    /// A request that HTTP itself finds fault with.
    pub(super) fn http(status: StatusCode, why: &'static str, detail: impl Into<String>) -> Self {
        Self { status, ..Self::new(Reason::FormatError, why) }.saying(detail)
    }

    /// Something that is not there, or not the caller's: both look the same.
    pub(super) fn not_found(detail: &'static str) -> Self {
        Self::new(Reason::NotFound, "not_found").saying(detail)
    }

    /// An address that the API does not have.
    pub(super) fn path_not_found() -> Self {
        Self::new(Reason::PathNotFound, "path_not_found")
            .saying("GET /openapi.json describes every address there is")
    }

    /// A method that an address does not take; `allowed` are those it takes.
    pub(super) fn method_not_allowed(allowed: &str) -> Self {
        let refusal = Self::new(Reason::MethodNotAllowed, "method");
        let allow = Some(allowed.into());
        Self { allow, ..refusal.saying(format!("this address takes {allowed}")) }
    }

    /// A payment of another node that does not show here yet.
    pub(super) fn not_seen_yet() -> Self {
        Self::new(Reason::GateUnavailable, "gate_unavailable")
            .saying("the payment began at another node a moment ago; ask again")
    }

    /// A payment that is not there, or not the caller's.
    pub(super) fn payment_not_found() -> Self {
        Self::new(Reason::PaymentNotFound, "not_found").saying("there is no such payment")
    }

    /// A payment of a time whose records were removed.
    pub(super) fn payment_no_longer_kept() -> Self {
        let code = Some("payment_no_longer_kept");
        let detail = "payments of that time are no longer kept";
        Self { code, ..Self::new(Reason::PaymentNotFound, "not_found").saying(detail) }
    }

    /// The same key is being worked on.
    pub(super) fn in_progress() -> Self {
        let code = Some("payment_in_progress");
        let (status, retry) = (StatusCode::CONFLICT, Some(RETRY_AFTER_S));
        Self { status, code, retry, ..Self::new(Reason::Pending, "in_progress") }
    }

    /// A change that came too late, or of something that is there already, by a code of its own.
    pub(super) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        let refusal = Self::http(StatusCode::CONFLICT, code, detail);
        Self { code: Some(code), ..refusal }
    }

    /// The back office is not there: what needs it waits, everything else goes on.
    pub(super) fn back_office_unavailable() -> Self {
        let code = Some("back_office_unavailable");
        let refusal = Self::new(Reason::GateUnavailable, "back_office");
        let detail =
            "the back office does not answer at the moment; the same request may be repeated";
        Self { code, ..refusal.saying(detail) }
    }

    /// With what people need beyond the catalogue's text.
    pub(super) fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// With the field to mend.
    pub(super) fn about(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// With another status than the catalogue's.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With the seconds after which the same request may be repeated.
    pub(super) fn after(self, seconds: u32) -> Self {
        Self { retry: Some(seconds), ..self }
    }

    /// The reason of the catalogue.
    pub(super) fn reason(&self) -> Reason {
        self.reason
    }

    /// The code that is told.
    pub(super) fn code(&self) -> &'static str {
        self.code.unwrap_or(self.reason.info().code)
    }

    /// The field to mend.
    pub(super) fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The problem, counted.
    pub(super) fn told(self, language: Language) -> Response {
        metrics::counter!("cauce_http_refused_total", "why" => self.why).increment(1);
        let mut problem = Problem::new(self.reason, language);
        problem.status = self.status.as_u16();
        problem.detail = self.detail;
        problem.field = self.field;
        if let Some(code) = self.code {
            problem.code = code;
            problem.kind = format!("urn:cauce:problem:{code}");
        }
        let mut response = json(self.status, Problem::CONTENT_TYPE, &problem);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(Ok(allow)) = self.allow.as_deref().map(HeaderValue::from_str) {
            headers.insert(ALLOW, allow);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"cauce\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<FieldError> for ApiRefusal {
    fn from(error: FieldError) -> Self {
        let FieldError { field, reason, detail } = error;
        let refusal = Self::new(reason, "body").saying(detail);
        if field.is_empty() { refusal } else { refusal.about(field) }
    }
}

impl From<StoreError> for ApiRefusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Guard(_) | StoreError::Elsewhere { .. } => {
                Self::new(Reason::GateUnavailable, "gate_unavailable")
            }
            StoreError::StaleVersion(_) => {
                let detail = "the endpoint was changed or deleted meanwhile; try again";
                Self::http(StatusCode::CONFLICT, "endpoint_changed", detail)
            }
            StoreError::Overloaded | StoreError::Stalled { .. } => {
                Self::new(Reason::RateLimited, "overloaded")
            }
            StoreError::Failed
            | StoreError::Closed
            | StoreError::Illegal(_)
            | StoreError::EntryDiffers { .. }
            | StoreError::UnknownPayment(_)
            | StoreError::NoticesOfOneBiller { .. }
            | StoreError::NotAppendable { .. }
            | StoreError::UnknownSubject { .. }
            | StoreError::RecordTooLong { .. }
            | StoreError::TooManyWaiters { .. }
            | StoreError::Views { .. } => {
                crate::respond::tell_no_answer(&error);
                Self::new(Reason::SystemError, "store")
            }
        }
    }
}

/// A status of the catalogue.
pub(super) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("invariant: the catalogue gives HTTP statuses")
}
