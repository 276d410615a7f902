//! The parts of a message that a signature can cover.

use std::str::FromStr;

use http::HeaderName;

use super::{HttpSignatureError, SignedParts};

/// One part. Parameters of parts (`;sf`, `;req` …) are not supported: a signature that has them is
/// refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Component {
    /// `@method`.
    Method,
    /// `@target-uri`.
    TargetUri,
    /// `@authority`.
    Authority,
    /// `@scheme`.
    Scheme,
    /// `@path`.
    Path,
    /// `@query`.
    Query,
    /// `@status`.
    Status,
    /// A header.
    Field(HeaderName),
}

/// A name that no part has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no header, and none of @method, @target-uri, @authority, @scheme, @path, @query, @status"
)]
pub struct NoComponent;

impl FromStr for Component {
    type Err = NoComponent;

    fn from_str(name: &str) -> Result<Self, NoComponent> {
        Ok(match name {
            "@method" => Self::Method,
            "@target-uri" => Self::TargetUri,
            "@authority" => Self::Authority,
            "@scheme" => Self::Scheme,
            "@path" => Self::Path,
            "@query" => Self::Query,
            "@status" => Self::Status,
            name if name.bytes().any(|byte| byte.is_ascii_uppercase()) => return Err(NoComponent),
            name => Self::Field(name.parse().map_err(|_| NoComponent)?),
        })
    }
}

impl Component {
    /// Its name in a signature.
    pub fn name(&self) -> &str {
        match self {
            Self::Method => "@method",
            Self::TargetUri => "@target-uri",
            Self::Authority => "@authority",
            Self::Scheme => "@scheme",
            Self::Path => "@path",
            Self::Query => "@query",
            Self::Status => "@status",
            Self::Field(name) => name.as_str(),
        }
    }

    /// Its value in a message.
    ///
    /// Errors: [`HttpSignatureError::Component`] when the message does not have it.
    /// Source: RFC 9421 sections 2.1 and 2.2.
    pub(super) fn value(&self, parts: SignedParts<'_>) -> Result<String, HttpSignatureError> {
        let value = match (self, parts) {
            (Self::Field(name), parts) => field(name, parts),
            (Self::Status, SignedParts::Answer { status, .. }) => Some(status.as_str().to_owned()),
            (Self::Method, SignedParts::Request { method, .. }) => Some(method.as_str().to_owned()),
            (Self::TargetUri, SignedParts::Request { uri, .. }) => {
                uri.scheme().is_some().then(|| uri.to_string())
            }
            (Self::Authority, SignedParts::Request { uri, .. }) => authority(uri),
            (Self::Scheme, SignedParts::Request { uri, .. }) => uri.scheme_str().map(str::to_owned),
            (Self::Path, SignedParts::Request { uri, .. }) => Some(uri.path().to_owned()),
            (Self::Query, SignedParts::Request { uri, .. }) => {
                Some(format!("?{}", uri.query().unwrap_or_default()))
            }
            (Self::Status, SignedParts::Request { .. })
            | (
                Self::Method
                | Self::TargetUri
                | Self::Authority
                | Self::Scheme
                | Self::Path
                | Self::Query,
                SignedParts::Answer { .. },
            ) => None,
        };
        value.ok_or(HttpSignatureError::Component)
    }
}

/// All values of a header, each without blanks around it.
fn field(name: &HeaderName, parts: SignedParts<'_>) -> Option<String> {
    let values = parts.headers().get_all(name).iter();
    let values: Vec<&str> =
        values.map(|value| value.to_str().ok().map(str::trim)).collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.join(", "))
}

/// The host, and the port where it is not that of the scheme.
fn authority(uri: &http::Uri) -> Option<String> {
    let host = uri.host()?.to_ascii_lowercase();
    let own = match uri.scheme_str() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        Some(_) | None => None,
    };
    Some(match uri.port_u16().filter(|port| Some(*port) != own) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}
