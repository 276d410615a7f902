//! API keys.

use router::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FieldError, Shown, parse};

/// `POST /v1/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRequest)]
pub struct KeyBody {
    /// What its holder may do.
    pub role: KeyRoleName,
    /// Whose it is: the id of a biller that is served, or an operator's name.
    #[schema(min_length = 1, max_length = 64)]
    pub owner: String,
    /// When it ends, RFC 3339; until it is revoked where this is left out.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

/// The role of a key that is made by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyRole)]
pub enum KeyRoleName {
    /// A merchant: its own payments and endpoints.
    Biller,
    /// A person or tool of the switch's owner: everything, read only.
    Operator,
}

/// Reads the body of `POST /v1/keys`.
pub fn parse_key(bytes: &[u8]) -> Result<KeyBody, FieldError> {
    parse::json(bytes)
}

/// `POST /v1/keys/{id}/rotate`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRotation)]
pub struct KeyRotationBody {
    /// Hours for which the old key counts on, besides the new one; 0 ends it at once.
    #[serde(default = "day")]
    #[schema(minimum = 0, maximum = 8760, default = 24)]
    pub grace_hours: u32,
}

impl Default for KeyRotationBody {
    fn default() -> Self {
        Self { grace_hours: day() }
    }
}

fn day() -> u32 {
    24
}

/// Reads the body of `POST /v1/keys/{id}/rotate`.
pub fn parse_key_rotation(bytes: &[u8]) -> Result<KeyRotationBody, FieldError> {
    parse::json(bytes)
}

/// An API key as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// What names it, which tells nothing of the key.
    #[schema(pattern = "^key_[0-9a-f]{16}$")]
    pub id: String,
    /// `biller`, `operator` or `admin`.
    pub role: String,
    /// Whose it is.
    pub owner: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it ends; absent of one that counts until it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Shown<Timestamp>>,
    /// When it was last used, as far as the node that is asked knows; absent of one that was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Shown<Timestamp>>,
    /// The key itself: only in the answer to the request that made it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^ck_")]
    pub key: Option<String>,
    /// The key that it takes the place of: only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ReplacedKeyView>,
}

/// A key that another took the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReplacedKey)]
pub struct ReplacedKeyView {
    /// What names it.
    #[schema(pattern = "^key_[0-9a-f]{16}$")]
    pub id: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Shown<Timestamp>,
}

/// API keys, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyPage {
    /// The keys.
    pub data: Vec<KeyView>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
