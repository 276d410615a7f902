//! Merchants' addresses for notices, and what is sent there.

use router::id::{EndpointId, NoticeId, PaymentId};
use router::notice::NoticeType;
use router::reason::Reason;
use router::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema::NoticeTypeName;
use super::view::PaymentView;
use super::{FieldError, Shown, parse, schema};

/// `POST /v1/endpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndpointRequest)]
pub struct EndpointBody {
    /// https, a public address, no user name, no fragment.
    #[schema(format = "uri", max_length = 2048)]
    pub url: String,
    /// Empty means all.
    #[serde(default)]
    #[schema(value_type = Vec<NoticeTypeName>)]
    pub types: Vec<String>,
}

/// `PATCH /v1/endpoints/{id}`; what is not named stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndpointChange)]
pub struct EndpointPatchBody {
    /// https, a public address, no user name, no fragment.
    #[serde(default)]
    #[schema(format = "uri", max_length = 2048)]
    pub url: Option<String>,
    /// Empty means all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<NoticeTypeName>>)]
    pub types: Option<Vec<String>>,
}

/// `POST /v1/endpoints/{id}/recover`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecoveryRequest)]
pub struct RecoveryBody {
    /// From when on, RFC 3339.
    #[schema(format = DateTime)]
    pub since: String,
    /// Count, and send nothing.
    #[serde(default)]
    #[schema(default = false)]
    pub dry_run: bool,
}

/// Reads the body of `POST /v1/endpoints/{id}/recover`.
pub fn parse_recovery(bytes: &[u8]) -> Result<RecoveryBody, FieldError> {
    parse::json(bytes)
}

/// What a recovery found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Recovery)]
pub struct RecoveryView {
    /// From when on.
    #[schema(value_type = String, format = DateTime)]
    pub since: Shown<Timestamp>,
    /// Notices given up since then, before this call.
    pub given_up: usize,
    /// Those of them that are sent once more.
    pub sent_again: usize,
}

/// What came of a test notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EndpointTest)]
pub struct TestView {
    /// The webhook-id.
    #[schema(value_type = String, pattern = "^ntc_")]
    pub id: Shown<NoticeId>,
    /// Where it went.
    #[schema(value_type = String, pattern = "^end_")]
    pub endpoint: Shown<EndpointId>,
    /// Whether the answer was a 2xx.
    pub accepted: bool,
    /// HTTP status of the answer, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::no_answer_cause, required = false)]
    pub why: Option<&'static str>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What a test notice says: the body that is signed and sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestNoticeBody)]
pub struct TestNoticeBody {
    /// `endpoint.test`.
    #[serde(rename = "type")]
    #[schema(schema_with = schema::test_notice_type)]
    pub kind: &'static str,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Shown<Timestamp>,
    /// The webhook-id.
    #[schema(value_type = String, pattern = "^ntc_")]
    pub id: Shown<NoticeId>,
    /// What it is about.
    pub data: TestNoticeData,
}

/// What a test notice is about.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestNoticeData)]
pub struct TestNoticeData {
    /// The endpoint it goes to.
    #[schema(value_type = String, pattern = "^end_")]
    pub endpoint: Shown<EndpointId>,
}

impl TestNoticeBody {
    /// A test of an endpoint.
    pub fn new(id: NoticeId, at: Timestamp, endpoint: EndpointId) -> Self {
        let data = TestNoticeData { endpoint: Shown(endpoint) };
        Self { kind: "endpoint.test", timestamp: Shown(at), id: Shown(id), data }
    }

    /// Its JSON, the very bytes to sign and send.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("invariant: texts serialise")
    }
}

/// Longest address.
const URL_LEN_MAX: usize = 2048;

/// Reads the body of `POST /v1/endpoints`.
pub fn parse_endpoint(bytes: &[u8]) -> Result<EndpointBody, FieldError> {
    parse::json(bytes)
}

/// Reads the body of `PATCH /v1/endpoints/{id}`.
pub fn parse_endpoint_patch(bytes: &[u8]) -> Result<EndpointPatchBody, FieldError> {
    parse::json(bytes)
}

impl EndpointBody {
    /// The address and the types, checked. The address itself is read by the parser of the client
    /// that will connect to it, and by no other.
    ///
    /// Errors: names `url` or the entry of `types`.
    pub fn checked(self) -> Result<(String, Vec<NoticeType>), FieldError> {
        Ok((checked_url(self.url)?, checked_types(&self.types)?))
    }
}

impl EndpointPatchBody {
    /// The address and the types, checked, each where it is named.
    ///
    /// Errors: as [`EndpointBody::checked`].
    pub fn checked(self) -> Result<(Option<String>, Option<Vec<NoticeType>>), FieldError> {
        let types = self.types.as_deref().map(checked_types).transpose()?;
        Ok((self.url.map(checked_url).transpose()?, types))
    }
}

fn checked_url(url: String) -> Result<String, FieldError> {
    if url.len() > URL_LEN_MAX {
        let detail = "must be at most 2048 characters";
        return Err(FieldError::new("url", Reason::FormatError, detail));
    }
    Ok(url)
}

fn checked_types(names: &[String]) -> Result<Vec<NoticeType>, FieldError> {
    let mut types = Vec::new();
    for (position, name) in names.iter().enumerate() {
        let kind = NoticeType::from_name(name).ok_or_else(|| {
            let field = format!("types[{position}]");
            FieldError::new(&field, Reason::FormatError, "not a type of notice")
        })?;
        types.push(kind);
    }
    Ok(types)
}

/// An endpoint as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub struct EndpointView<'a> {
    /// The endpoint.
    #[schema(value_type = String, pattern = "^end_")]
    pub id: Shown<EndpointId>,
    /// Where notices go.
    #[schema(format = "uri")]
    pub url: &'a str,
    /// Types it wants; empty means all.
    #[schema(value_type = Vec<NoticeTypeName>)]
    pub types: Vec<&'static str>,
    /// When it was set.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Shown<Timestamp>,
    /// The endpoint asked for a pause with Retry-After: until then nothing is sent to it. Of many
    /// nodes, the one that serves the endpoint tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paused_until: Option<Shown<Timestamp>>,
    /// `false` where another node serves the endpoint: this one does not know whether it has a pause.
    /// Not there where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_known: Option<bool>,
    /// Until then a secret before this one signs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub old_secret_until: Option<Shown<Timestamp>>,
    /// Told once, when the endpoint is made or its secret is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^whsec_")]
    pub secret: Option<&'a str>,
}

/// The payment as it was when the event happened, in English; the same bytes at every attempt.
///
/// It is the body that is signed and sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NoticeBody)]
pub struct NoticeBody<'a> {
    /// `payment.approved` and the like.
    #[serde(rename = "type")]
    #[schema(value_type = NoticeTypeName)]
    pub kind: &'static str,
    /// When the event happened.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Shown<Timestamp>,
    /// As `webhook-id`.
    #[schema(value_type = String, pattern = "^ntc_")]
    pub id: Shown<NoticeId>,
    /// The payment as it was then.
    pub data: &'a PaymentView<'a>,
}

impl<'a> NoticeBody<'a> {
    /// A notice of an event.
    pub fn new(id: NoticeId, kind: NoticeType, at: Timestamp, data: &'a PaymentView<'a>) -> Self {
        Self { kind: kind.name(), timestamp: Shown(at), id: Shown(id), data }
    }

    /// Its JSON, the very bytes to sign and send.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("invariant: texts and numbers serialise")
    }
}

/// A notice and how its delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Notice)]
pub struct NoticeView {
    /// The webhook-id of every delivery.
    #[schema(value_type = String, pattern = "^ntc_")]
    pub id: Shown<NoticeId>,
    /// `payment.approved` and the like.
    #[serde(rename = "type")]
    #[schema(value_type = NoticeTypeName)]
    pub kind: &'static str,
    /// The payment it tells of.
    #[schema(value_type = String, pattern = "^pay_")]
    pub payment: Shown<PaymentId>,
    /// Where it goes.
    #[schema(value_type = String, pattern = "^end_")]
    pub endpoint: Shown<EndpointId>,
    /// How the delivery stands.
    pub state: NoticeState,
    /// Deliveries tried.
    pub attempts: u32,
    /// When the event happened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Shown<Timestamp>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Shown<Timestamp>>,
    /// What the last delivery came to: an HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
}

/// How the delivery of a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeState)]
pub enum NoticeState {
    /// Owed.
    Pending,
    /// Taken with a 2xx.
    Delivered,
    /// Given up.
    Dead,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expect: Result<usize, &str>) {
        let result = parse_endpoint(json.as_bytes()).and_then(EndpointBody::checked);
        let result = result.map(|(_, types)| types.len()).map_err(|error| error.field);
        assert_eq!(result.as_ref().copied().map_err(String::as_str), expect, "{json}");
    }

    #[test]
    fn an_endpoint_is_a_web_address_and_known_types() {
        check(r#"{"url":"https://shop.example/hook"}"#, Ok(0));
        check(r#"{"url":"http://127.0.0.1:9","types":["payment.approved"]}"#, Ok(1));
        check(r#"{"url":"https://a","types":["payment.approved","x"]}"#, Err("types[1]"));
        check(r#"{"types":[]}"#, Err("url"));
        check(&format!(r#"{{"url":"{}"}}"#, "x".repeat(2049)), Err("url"));
        check(r#"{"url":"https://a","secret":"x"}"#, Err("secret"));
    }

    #[test]
    fn a_test_notice_says_what_it_is_and_which_endpoint_it_tries() {
        let body = TestNoticeBody::new(NoticeId(1), Timestamp(0), EndpointId(2)).to_json();
        let body = String::from_utf8(body).unwrap();
        let ids = (NoticeId(1), EndpointId(2));
        let expected = format!(
            r#"{{"type":"endpoint.test","timestamp":"1970-01-01T00:00:00.000Z","id":"{}","data":{{"endpoint":"{}"}}}}"#,
            ids.0, ids.1
        );
        assert_eq!(body, expected);
    }

    #[test]
    fn a_patch_names_what_changes_and_nothing_else_of_an_endpoint() {
        let check = |json: &str, expect: Result<(Option<&str>, Option<usize>), &str>| {
            let patch = parse_endpoint_patch(json.as_bytes()).and_then(EndpointPatchBody::checked);
            let patch = patch.map(|(url, types)| (url, types.map(|types| types.len())));
            let patch = patch.as_ref().map(|(url, types)| (url.as_deref(), *types));
            assert_eq!(patch.map_err(|error| error.field.as_str()), expect, "{json}");
        };
        check("{}", Ok((None, None)));
        check(r#"{"url":"https://a/b"}"#, Ok((Some("https://a/b"), None)));
        check(r#"{"types":[]}"#, Ok((None, Some(0))));
        check(r#"{"types":["payment.approved"]}"#, Ok((None, Some(1))));
        check(r#"{"types":["payment.approved","x"]}"#, Err("types[1]"));
        check(r#"{"secret":"x"}"#, Err("secret"));
        check(&format!(r#"{{"url":"{}"}}"#, "x".repeat(2049)), Err("url"));
    }
}
