//! Digests of bodies (RFC 9530).

use http::HeaderMap;
use sfv::{DictSerializer, Dictionary, KeyRef, ListEntry, Parser};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{CONTENT_DIGEST, HttpSignatureError};

/// Value of `Content-Digest` for a body: its SHA-256.
pub fn content_digest(body: &[u8]) -> String {
    let name = KeyRef::from_str("sha-256").expect("invariant: sha-256 is a key");
    let mut dictionary = DictSerializer::new();
    let _ = dictionary.bare_item(name, Sha256::digest(body).as_slice());
    dictionary.finish().expect("invariant: a dictionary of one member")
}

/// Checks the header's digests of the two algorithms that are safe, SHA-256 and SHA-512.
///
/// Errors: [`HttpSignatureError::Digest`] when one is wrong, or the header has none of them.
pub fn check_digest(headers: &HeaderMap, body: &[u8]) -> Result<(), HttpSignatureError> {
    let found = dictionary(headers, CONTENT_DIGEST)?.ok_or(HttpSignatureError::Digest)?;
    let mut is_checked = false;
    for (algorithm, stated) in &found {
        let digest = match algorithm.as_str() {
            "sha-256" => Sha256::digest(body).to_vec(),
            "sha-512" => Sha512::digest(body).to_vec(),
            _ => continue,
        };
        let ListEntry::Item(stated) = stated else { return Err(HttpSignatureError::Digest) };
        let stated = stated.bare_item.as_byte_sequence().ok_or(HttpSignatureError::Digest)?;
        if !bool::from(stated.ct_eq(&digest)) {
            return Err(HttpSignatureError::Digest);
        }
        is_checked = true;
    }
    if is_checked { Ok(()) } else { Err(HttpSignatureError::Digest) }
}

/// A header that is a structured dictionary; none where it is not there.
///
/// Errors: [`HttpSignatureError::Malformed`].
pub(super) fn dictionary(
    headers: &HeaderMap,
    name: &str,
) -> Result<Option<Dictionary>, HttpSignatureError> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    let mut whole = first.as_bytes().to_vec();
    for value in values {
        whole.extend_from_slice(b", ");
        whole.extend_from_slice(value.as_bytes());
    }
    Parser::new(&whole).parse().map(Some).map_err(|_| HttpSignatureError::Malformed)
}
