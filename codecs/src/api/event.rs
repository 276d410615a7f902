//! What happened to a biller's payments.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::NoticeBody;

/// What happened to a biller's payments, the oldest first: the same bodies as notices have.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events.
    #[schema(value_type = Vec<NoticeBody<'static>>)]
    pub data: Vec<Box<RawValue>>,
    /// Where the next page begins; absent where nothing more has happened yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9]{1,20}(-[0-9]{1,20})*$")]
    pub next_cursor: Option<String>,
    /// Behind all that this page looked at: asked with later, it gives what has happened since.
    #[schema(pattern = "^[0-9]{1,20}(-[0-9]{1,20})*$")]
    pub end_cursor: String,
}
