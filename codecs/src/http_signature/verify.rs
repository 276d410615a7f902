//! Checking signatures of RFC 9421.

use http::HeaderMap;
use router::time::Timestamp;
use sfv::{BareItem, InnerList, ListEntry};
use sha2::{Digest, Sha256};

use super::base::{self, seconds};
use super::digest::{check_digest, dictionary};
use super::{
    CONTENT_DIGEST, Component, HttpSignatureError, RequiredPart, SIGNATURE, SIGNATURE_INPUT,
    SignedParts, VerifyingKey,
};

/// Signatures of one message that are looked at.
const SIGNATURES_MAX: usize = 8;

/// Which signatures are believed.
#[derive(Debug)]
pub struct SignatureRules {
    /// The keys that may sign.
    pub keys: Vec<TrustedKey>,
    /// How far from now a signature may have been made, in seconds.
    pub tolerance_s: i64,
    /// Whether each signature must have a nonce.
    pub needs_nonce: bool,
}

/// A key that may sign.
#[derive(Debug)]
pub struct TrustedKey {
    /// Its name (`keyid`).
    pub id: String,
    /// The key.
    pub key: VerifyingKey,
}

/// What tells one signature from another: a digest of its key with its nonce, or with the signature
/// itself where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureId(pub [u8; 32]);

/// Checks that one of a message's signatures is right, is fresh, and covers what it must: the method,
/// the target and the body of a request, the status and the body of an answer.
///
/// Errors: [`HttpSignatureError`], that of the last signature looked at. The message may still be a
///         copy of one taken in before: give the id to a [`super::ReplayWindow`].
/// Source: RFC 9421 section 3.2.
pub fn verify(
    parts: SignedParts<'_>,
    body: &[u8],
    rules: &SignatureRules,
    now: Timestamp,
) -> Result<SignatureId, HttpSignatureError> {
    let inputs =
        dictionary(parts.headers(), SIGNATURE_INPUT)?.ok_or(HttpSignatureError::Missing)?;
    let signatures = dictionary(parts.headers(), SIGNATURE)?.ok_or(HttpSignatureError::Missing)?;
    let mut refused = HttpSignatureError::Missing;
    for (label, input) in inputs.iter().take(SIGNATURES_MAX) {
        let ListEntry::InnerList(input) = input else {
            return Err(HttpSignatureError::Malformed);
        };
        let Some(ListEntry::Item(signature)) = signatures.get(label) else { continue };
        let Some(signature) = signature.bare_item.as_byte_sequence() else { continue };
        match verify_one(parts, input, signature, rules, now) {
            Ok(id) => return check_body(parts.headers(), body).map(|()| id),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The digest is covered; so is the body, when it is the digest's.
fn check_body(headers: &HeaderMap, body: &[u8]) -> Result<(), HttpSignatureError> {
    if body.is_empty() && !headers.contains_key(CONTENT_DIGEST) {
        return Ok(());
    }
    check_digest(headers, body)
}

fn verify_one(
    parts: SignedParts<'_>,
    input: &InnerList,
    signature: &[u8],
    rules: &SignatureRules,
    now: Timestamp,
) -> Result<SignatureId, HttpSignatureError> {
    let components = components(input)?;
    check_covered(parts, &components)?;
    let text = |name: &str| input.params.get(name).and_then(BareItem::as_string);
    let key_id = text("keyid").ok_or(HttpSignatureError::Key)?.as_str();
    let trusted = rules.keys.iter().find(|key| key.id == key_id);
    let trusted = trusted.ok_or(HttpSignatureError::Key)?;
    if text("alg").is_some_and(|algorithm| algorithm.as_str() != trusted.key.algorithm()) {
        return Err(HttpSignatureError::Key);
    }
    check_time(input, rules, now)?;
    let nonce = text("nonce").map(|nonce| nonce.as_str());
    if rules.needs_nonce && nonce.is_none() {
        return Err(HttpSignatureError::NotCovered(RequiredPart::Nonce));
    }
    let base = base::of(parts, &components, input)?;
    if !trusted.key.is_right(base.as_bytes(), signature) {
        return Err(HttpSignatureError::Mismatch);
    }
    let own = nonce.map_or(signature, str::as_bytes);
    let id = Sha256::new().chain_update(key_id).chain_update([0]).chain_update(own);
    Ok(SignatureId(id.finalize().into()))
}

fn components(input: &InnerList) -> Result<Vec<Component>, HttpSignatureError> {
    let component = |item: &sfv::Item| {
        let name = item.bare_item.as_string().filter(|_| item.params.is_empty())?;
        name.as_str().parse().ok()
    };
    let components = input.items.iter().map(component);
    components.collect::<Option<_>>().ok_or(HttpSignatureError::Component)
}

fn check_covered(
    parts: SignedParts<'_>,
    components: &[Component],
) -> Result<(), HttpSignatureError> {
    let has = |component: &Component| components.contains(component);
    let covers = |required: RequiredPart| match required {
        RequiredPart::Method => has(&Component::Method),
        RequiredPart::Target => has(&Component::TargetUri) || has(&Component::Path),
        RequiredPart::Status => has(&Component::Status),
        RequiredPart::ContentDigest => {
            components.iter().any(|component| component.name() == CONTENT_DIGEST)
        }
        // Parameters, which are looked at elsewhere.
        RequiredPart::Created | RequiredPart::Nonce => true,
    };
    let required = match parts {
        SignedParts::Request { .. } => {
            &[RequiredPart::Method, RequiredPart::Target, RequiredPart::ContentDigest][..]
        }
        SignedParts::Answer { .. } => &[RequiredPart::Status, RequiredPart::ContentDigest],
    };
    match required.iter().find(|required| !covers(**required)) {
        Some(missing) => Err(HttpSignatureError::NotCovered(*missing)),
        None => Ok(()),
    }
}

fn check_time(
    input: &InnerList,
    rules: &SignatureRules,
    now: Timestamp,
) -> Result<(), HttpSignatureError> {
    let whole = |name: &str| {
        let value = input.params.get(name).and_then(BareItem::as_integer);
        value.map(i64::from)
    };
    let created = whole("created").ok_or(HttpSignatureError::NotCovered(RequiredPart::Created))?;
    check_age(created, rules.tolerance_s, now)?;
    match whole("expires").map(|expires| expires.saturating_sub(seconds(now))) {
        Some(left) if left < 0 => Err(HttpSignatureError::Stale { seconds: left }),
        Some(_) | None => Ok(()),
    }
}

/// Whether a time in seconds is near enough to now.
pub(super) fn check_age(
    created: i64,
    tolerance_s: i64,
    now: Timestamp,
) -> Result<(), HttpSignatureError> {
    let away = created.saturating_sub(seconds(now));
    if away.unsigned_abs() > tolerance_s.unsigned_abs() {
        return Err(HttpSignatureError::Stale { seconds: away });
    }
    Ok(())
}
