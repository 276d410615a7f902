//! Answers: JSON, or a problem with a code of the decline catalogue.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use codecs::api::{FieldError, Problem};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use router::reason::{Language, Reason, Retry};
use serde::Serialize;
use storage::StoreError;

/// After this many seconds a request may be repeated that was refused for the moment.
const RETRY_AFTER_S: u32 = 1;

/// JSON with a status.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    typed_json(status, "application/json", value)
}

/// JSON of another media type.
pub(super) fn typed_json(
    status: StatusCode,
    media_type: &'static str,
    value: &impl Serialize,
) -> Response {
    let json = serde_json::to_vec(value).expect("invariant: texts and numbers serialise");
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Why a request was not served.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Its name in metrics.
    why: &'static str,
    reason: Reason,
    status: StatusCode,
    code: Option<&'static str>,
    detail: Option<String>,
    field: Option<String>,
    retry: Option<u32>,
}

impl Refusal {
    /// A refusal with the status the catalogue gives its reason.
    pub(super) fn new(reason: Reason, why: &'static str) -> Self {
        let info = reason.info();
        let status = status(info.http);
        let may_repeat = info.retry == Retry::SameKey
            && [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        let retry = may_repeat.then_some(RETRY_AFTER_S);
        Self { why, reason, status, code: None, detail: None, field: None, retry }
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

    /// The problem, counted.
    pub(super) fn into_response(self, language: Language) -> Response {
        metrics::counter!("cauce_http_refused_total", "why" => self.why).increment(1);
        let mut problem = Problem::new(self.reason, language);
        problem.status = self.status.as_u16();
        problem.detail = self.detail;
        problem.field = self.field;
        if let Some(code) = self.code {
            problem.code = code;
            problem.kind = format!("urn:cauce:problem:{code}");
        }
        let mut response = typed_json(self.status, Problem::CONTENT_TYPE, &problem);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"cauce\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        let FieldError { field, reason, detail } = error;
        let refusal = Self::new(reason, "body").saying(detail);
        if field.is_empty() { refusal } else { refusal.about(field) }
    }
}

impl From<StoreError> for Refusal {
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
            | StoreError::RecordTooLong { .. }
            | StoreError::TooManyWaiters { .. }
            | StoreError::Views { .. } => {
                crate::respond::tell_no_answer(&error);
                Self::new(Reason::SystemError, "store")
            }
        }
    }
}

/// The answer to a method that a path does not know.
pub(super) fn method_not_allowed(language: Language, allowed: &str) -> Response {
    let detail = format!("this address takes {allowed}");
    let refusal = Refusal::new(Reason::MethodNotAllowed, "method").saying(detail);
    let mut response = refusal.into_response(language);
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// A status of the catalogue.
pub(super) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("invariant: the catalogue gives HTTP statuses")
}

/// An answer without a body.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
