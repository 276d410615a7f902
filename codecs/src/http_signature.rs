//! Signatures of HTTP messages: those of RFC 9421 with content digests of RFC 9530, and the plain
//! HMAC in a header that many banks use instead. Pure: what time it is and the nonce are arguments.
//!
//! - [`sign`] and [`verify`] make and check a signature of RFC 9421;
//! - [`HmacHeader`] does both for a plain HMAC-SHA256 over the body;
//! - [`ReplayWindow`] remembers what was taken in, so that a copy is refused.

mod base;
mod component;
mod digest;
mod hmac_header;
mod key;
mod replay;
#[cfg(test)]
mod tests;
mod verify;

use http::{HeaderMap, Method, StatusCode, Uri};
use router::time::Timestamp;
use sfv::{DictSerializer, InnerList, KeyRef, ListEntry};

pub use component::Component;
pub use digest::{check_digest, content_digest};
pub use hmac_header::{HmacEncoding, HmacHeader};
pub use key::{KeyFileError, SigningKey, VerifyingKey};
pub use replay::{ReplayRefusal, ReplayWindow};
pub use verify::{SignatureId, SignatureRules, TrustedKey, verify};

/// Header that lists what a signature covers.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// Header of the signature itself.
pub const SIGNATURE: &str = "signature";
/// Header of the body's digest.
pub const CONTENT_DIGEST: &str = "content-digest";

/// The parts of a message that a signature may cover.
#[derive(Debug, Clone, Copy)]
pub enum SignedParts<'a> {
    /// Of a request.
    Request {
        /// The method.
        method: &'a Method,
        /// The whole address, as the client has it.
        uri: &'a Uri,
        /// The headers.
        headers: &'a HeaderMap,
    },
    /// Of the answer to a request.
    Answer {
        /// The status.
        status: StatusCode,
        /// The headers.
        headers: &'a HeaderMap,
    },
}

impl<'a> SignedParts<'a> {
    fn headers(self) -> &'a HeaderMap {
        match self {
            Self::Request { headers, .. } | Self::Answer { headers, .. } => headers,
        }
    }
}

/// What stands beside the covered parts in a signature.
#[derive(Debug, Clone)]
pub struct SignatureParameters<'a> {
    /// Name of the signature among those of the message.
    pub label: &'a str,
    /// When it is made; whole seconds are written.
    pub created: Timestamp,
    /// How long it holds, in seconds; none means as long as the other side takes it.
    pub expires_in_s: Option<u32>,
    /// A text that no other signature has.
    pub nonce: Option<&'a str>,
    /// Name of the key.
    pub key_id: &'a str,
}

/// The two headers of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// Value of `Signature-Input`.
    pub input: String,
    /// Value of `Signature`.
    pub signature: String,
}

/// Why a message cannot be signed, or is not believed. Never holds a key or a byte of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpSignatureError {
    /// A header of the signature is not there.
    #[error("the message is not signed")]
    Missing,
    /// A header of the signature cannot be read.
    #[error("the signature's headers cannot be read")]
    Malformed,
    /// The message has no such part, or one that is not supported.
    #[error("the signature covers a part that the message does not have")]
    Component,
    /// Something that must be covered is not.
    #[error("the signature does not cover `{}`", .0.name())]
    NotCovered(RequiredPart),
    /// The key is not known, or is of another algorithm.
    #[error("the signature's key is not known")]
    Key,
    /// It was made too long ago, is of the future, or has expired.
    #[error("the signature's time is {seconds} s away from now")]
    Stale {
        /// How far, negative when it lies in the past.
        seconds: i64,
    },
    /// The digest is not that of the body.
    #[error("the digest is not that of the body")]
    Digest,
    /// The signature is not that of the message.
    #[error("the signature is wrong")]
    Mismatch,
}

/// What a signature must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredPart {
    /// The method.
    Method,
    /// Where the request goes: `@target-uri`, or `@path`.
    Target,
    /// The status of an answer.
    Status,
    /// The digest of the body.
    ContentDigest,
    /// When it was made.
    Created,
    /// The nonce.
    Nonce,
}

impl RequiredPart {
    /// Its name in RFC 9421.
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "@method",
            Self::Target => "@target-uri",
            Self::Status => "@status",
            Self::ContentDigest => CONTENT_DIGEST,
            Self::Created => "created",
            Self::Nonce => "nonce",
        }
    }
}

impl HttpSignatureError {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "not_signed",
            Self::Malformed => "malformed",
            Self::Component => "component",
            Self::NotCovered(_) => "not_covered",
            Self::Key => "key",
            Self::Stale { .. } => "stale",
            Self::Digest => "digest",
            Self::Mismatch => "mismatch",
        }
    }
}

/// Signs a message.
///
/// Shape:  `parameters.label` is a key of a structured dictionary (`[a-z*][a-z0-9_.*-]*`); nonce and
///         key id are printable ASCII.
/// Errors: [`HttpSignatureError::Component`] when the message does not have one of the parts;
///         [`HttpSignatureError::Malformed`] for a parameter that cannot be written.
/// Source: RFC 9421 sections 2.5 and 3.1.
pub fn sign(
    parts: SignedParts<'_>,
    components: &[Component],
    parameters: &SignatureParameters<'_>,
    key: &SigningKey,
) -> Result<SignatureHeaders, HttpSignatureError> {
    let input = base::input(components, parameters).ok_or(HttpSignatureError::Malformed)?;
    let base = base::of(parts, components, &input)?;
    let label = KeyRef::from_str(parameters.label).map_err(|_| HttpSignatureError::Malformed)?;
    let mut signature = DictSerializer::new();
    // A serialiser of parameters, of which there are none.
    let _ = signature.bare_item(label, key.sign(base.as_bytes()).as_slice());
    Ok(SignatureHeaders {
        input: dictionary(label, input).ok_or(HttpSignatureError::Malformed)?,
        signature: signature.finish().ok_or(HttpSignatureError::Malformed)?,
    })
}

fn dictionary(label: &KeyRef, input: InnerList) -> Option<String> {
    let mut dictionary = DictSerializer::new();
    dictionary.members([(label, &ListEntry::InnerList(input))]);
    dictionary.finish()
}
