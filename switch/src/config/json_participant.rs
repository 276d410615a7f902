//! A participant with a JSON API: its address, its dialect, and how messages are signed.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use codecs::http_signature::{
    Component, HmacEncoding, HmacHeader, SignatureRules, SigningKey, TrustedKey, VerifyingKey,
};
use codecs::json_bank::{JsonDialect, Operation};
use http::{HeaderMap, HeaderName, HeaderValue};
use router::message::Acceptor;
use router::secret::Secret;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use super::read::Section;
use crate::outbound::{AddressRule, Destination, Host};

/// Longest file of a dialect or a key, in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;
/// What our signatures cover unless the entry says otherwise.
const COVERED: [&str; 3] = ["@method", "@target-uri", "content-digest"];

/// A participant's JSON API.
#[derive(Debug)]
pub struct JsonConfig {
    /// Its address, without a slash at its end: what a dialect's paths stand behind.
    pub url: String,
    /// How it is spoken.
    pub dialect: JsonDialect,
    /// Texts for its placeholders, over those of the dialect.
    pub constants: BTreeMap<String, String>,
    /// Who takes a payment, where neither the request nor its biller says.
    pub acceptor: Acceptor,
    /// Headers of each request, marked as secret.
    pub headers: HeaderMap,
    /// Authorities of its certificate; none means those that this machine trusts.
    pub ca: Option<PathBuf>,
    /// Our certificate chain and key; none means we show none.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Bytes of an answer's body; a longer one says nothing.
    pub answer_bytes_max: usize,
    /// How requests are signed; none means they are not.
    pub sign: Option<SignWith>,
    /// How what comes from it is checked; none means that it tells nothing by itself.
    pub verify: Option<VerifyConfig>,
}

/// How requests are signed.
#[derive(Debug)]
pub enum SignWith {
    /// With an HTTP message signature (RFC 9421).
    Message(MessageSigner),
    /// With an HMAC in a header.
    Hmac(HmacHeader),
}

/// An HTTP message signature of ours.
#[derive(Debug)]
pub struct MessageSigner {
    /// The key.
    pub key: SigningKey,
    /// Its name at the participant.
    pub key_id: String,
    /// What is covered.
    pub components: Vec<Component>,
    /// Whether each has a nonce.
    pub has_nonce: bool,
    /// How long each holds, in seconds; none means that it does not say.
    pub expires_in_s: Option<u32>,
}

/// How messages of the participant are checked.
#[derive(Debug)]
pub struct VerifyConfig {
    /// The signatures that are believed.
    pub how: VerifyHow,
    /// How far from now a signature may have been made, in seconds.
    pub tolerance_s: i64,
    /// Whether answers are signed too, and not believed otherwise.
    pub answers: bool,
    /// Under which address the participant reaches the API: for signatures that cover `@target-uri`.
    pub base_url: Option<String>,
}

/// The signatures that are believed.
#[derive(Debug)]
pub enum VerifyHow {
    /// HTTP message signatures (RFC 9421).
    Message(SignatureRules),
    /// An HMAC in a header.
    Hmac(HmacHeader),
}

/// The kinds of signatures, by their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignatureKind {
    Ed25519,
    HmacSha256,
    HmacHeader,
}

const KINDS: [(&str, SignatureKind); 3] = [
    ("ed25519", SignatureKind::Ed25519),
    ("hmac-sha256", SignatureKind::HmacSha256),
    ("hmac-header", SignatureKind::HmacHeader),
];

/// Reads `json` of a participant.
pub(super) fn read(section: &mut Section<'_>, acceptor: Acceptor) -> Option<Arc<JsonConfig>> {
    let url = url(section);
    let constants = texts(section, "constants");
    let dialect = dialect(section, constants.keys().cloned().collect());
    let headers = headers(section);
    let path = |section: &mut Section<'_>, name: &str| {
        let path = section.text(name)?;
        Some(section.beside(name, &path))
    };
    let (ca, certificate) = (path(section, "ca"), path(section, "certificate"));
    let key = path(section, "key");
    if certificate.is_some() != key.is_some() {
        section.mistake("certificate", "certificate and key go together");
    }
    let answer_bytes_max = section.size("answer_bytes_max", 256..=16 << 20, 64 << 10);
    let sign = part(section, "sign", sign);
    let verify = part(section, "verify", verify);
    if let Some(dialect) = &dialect
        && dialect.has_notification()
        && !section.has("verify")
    {
        section
            .mistake("verify", "is missing: the dialect has notifications, which must be signed");
    }
    Some(Arc::new(JsonConfig {
        url: url?,
        dialect: dialect?,
        constants,
        acceptor,
        headers,
        ca,
        identity: certificate.zip(key),
        answer_bytes_max,
        sign,
        verify,
    }))
}

/// A table that may be missing.
fn part<T>(
    section: &mut Section<'_>,
    name: &str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Option<T> {
    let is_there = section.has(name);
    section.section(name, |table| if is_there { read(table) } else { None })
}

fn url(section: &mut Section<'_>) -> Option<String> {
    let may_be_clear = section.flag("dangerous_clear_text");
    let text = section.required::<String>("url")?;
    let uri = match AddressRule::Anywhere.check(&text) {
        Ok(uri) => uri,
        Err(error) => {
            section.mistake("url", format!("the address {error}"));
            return None;
        }
    };
    if uri.query().is_some() {
        section.mistake("url", "has a query: that is for the paths of the dialect");
    }
    let is_own = match Destination::of(&uri).ok().map(|destination| destination.host) {
        Some(Host::Ip(ip)) => ip.is_loopback(),
        Some(Host::Name(name)) => name == "localhost",
        None => false,
    };
    if uri.scheme_str() == Some("http") && !is_own && !may_be_clear {
        let problem = "begins with http: payments would travel in clear. Use https, or set \
                       dangerous_clear_text = true";
        section.mistake("url", problem);
    }
    Some(uri.to_string().trim_end_matches('/').to_owned())
}

/// A table of texts.
fn texts(section: &mut Section<'_>, name: &str) -> BTreeMap<String, String> {
    section.section(name, |table| {
        let names = table.keys();
        names.into_iter().filter_map(|name| Some((name.clone(), table.text(&name)?))).collect()
    })
}

fn dialect(section: &mut Section<'_>, constants: Vec<String>) -> Option<JsonDialect> {
    let path = section.required::<String>("dialect")?;
    let text = file(section, "dialect", &path)?;
    let dialect = match JsonDialect::load(&String::from_utf8_lossy(&text), &constants) {
        Ok(dialect) => dialect,
        Err(mistakes) => {
            for mistake in mistakes {
                section.mistake("dialect", format!("{path}: {mistake}"));
            }
            return None;
        }
    };
    if !dialect.has(Operation::Reverse) {
        let problem = "has no [reverse]: a payment whose outcome is unknown could not be undone";
        section.mistake("dialect", problem);
    }
    Some(dialect)
}

/// Headers of each request. Those that authenticate us are named by files.
fn headers(section: &mut Section<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (table, is_file) in [("headers", false), ("header_files", true)] {
        for (name, text) in texts(section, table) {
            let value = match is_file {
                true => file(section, table, &text),
                false => Some(text.into_bytes()),
            };
            let Some(value) = value else { continue };
            let header: Option<HeaderName> = name.parse().ok();
            let value = HeaderValue::from_bytes(value.trim_ascii()).ok();
            match header.zip(value) {
                Some((header, mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(header, value);
                }
                None => {
                    section.mistake(table, format!("`{name}` is no header, or its value is none"))
                }
            }
        }
    }
    headers
}

fn sign(section: &mut Section<'_>) -> Option<SignWith> {
    let kind = section.choice("kind", &KINDS);
    if kind == SignatureKind::HmacHeader {
        return hmac_header(section).map(SignWith::Hmac);
    }
    let key = match kind {
        SignatureKind::Ed25519 => {
            let key = pem(section, "key_file", PrivatePkcs8KeyDer::from_pem_slice);
            key.map(|key| SigningKey::ed25519(key.secret_pkcs8_der()))
        }
        SignatureKind::HmacSha256 | SignatureKind::HmacHeader => {
            secret(section).map(SigningKey::hmac_sha256)
        }
    };
    let components = components(section);
    let key_id = key_id(section);
    let has_nonce = section.flag("nonce");
    let expires = section.number("expires_s", 0..=86_400, 0);
    let key = checked(section, key?)?;
    let expires_in_s = u32::try_from(expires).ok().filter(|seconds| *seconds > 0);
    Some(SignWith::Message(MessageSigner {
        key,
        key_id: key_id?,
        components,
        has_nonce,
        expires_in_s,
    }))
}

fn components(section: &mut Section<'_>) -> Vec<Component> {
    let named: Vec<Component> = section.parsed_list("components");
    match named.is_empty() {
        true => COVERED.map(|name| name.parse().expect("invariant: COVERED names parts")).into(),
        false => named,
    }
}

fn verify(section: &mut Section<'_>) -> Option<VerifyConfig> {
    let kind = section.choice("kind", &KINDS);
    let tolerance = section.number("tolerance_s", 1..=86_400, 300);
    let tolerance_s = i64::try_from(tolerance).unwrap_or(i64::MAX);
    let answers = section.flag("answers");
    let base_url = section.text("base_url").map(|url| url.trim_end_matches('/').to_owned());
    if let Some(url) = &base_url
        && let Err(error) = AddressRule::Anywhere.check(url)
    {
        section.mistake("base_url", format!("the address {error}"));
    }
    let how = match kind {
        SignatureKind::HmacHeader => VerifyHow::Hmac(hmac_header(section)?),
        SignatureKind::Ed25519 => {
            let key = pem(section, "key_file", SubjectPublicKeyInfoDer::from_pem_slice);
            rules(section, tolerance_s, key.map(|key| VerifyingKey::ed25519(key.as_ref())))?
        }
        SignatureKind::HmacSha256 => {
            let key = secret(section).map(VerifyingKey::hmac_sha256);
            rules(section, tolerance_s, key)?
        }
    };
    Some(VerifyConfig { how, tolerance_s, answers, base_url })
}

fn rules(
    section: &mut Section<'_>,
    tolerance_s: i64,
    key: Option<Result<VerifyingKey, codecs::http_signature::KeyFileError>>,
) -> Option<VerifyHow> {
    let (id, needs_nonce) = (key_id(section), section.flag("nonce"));
    let key = TrustedKey { key: checked(section, key?)?, id: id? };
    Some(VerifyHow::Message(SignatureRules { keys: vec![key], tolerance_s, needs_nonce }))
}

/// The name of a key: it is written into a header.
fn key_id(section: &mut Section<'_>) -> Option<String> {
    let id = section.required::<String>("key_id")?;
    let is_printable = id.bytes().all(|byte| (0x20..=0x7E).contains(&byte));
    if !is_printable {
        section.mistake("key_id", "has a character that is not printable ASCII");
    }
    Some(id)
}

fn hmac_header(section: &mut Section<'_>) -> Option<HmacHeader> {
    let name = section.required::<HeaderName>("header");
    let timestamp = section.parsed::<HeaderName>("timestamp_header");
    let encodings = [("hex", HmacEncoding::Hex), ("base64", HmacEncoding::Base64)];
    let encoding = section.choice("encoding", &encodings);
    let prefix = section.text("prefix").unwrap_or_default();
    if HeaderValue::from_str(&prefix).is_err() {
        section.mistake("prefix", "has a character that no header takes");
    }
    Some(HmacHeader { secret: secret(section)?, name: name?, prefix, encoding, timestamp })
}

fn checked<T>(
    section: &Section<'_>,
    key: Result<T, codecs::http_signature::KeyFileError>,
) -> Option<T> {
    key.inspect_err(|error| section.mistake("key_file", format!("what it names {error}"))).ok()
}

/// A shared secret, in a file of its own: never in the configuration itself, which is printed, mailed
/// and committed.
fn secret(section: &mut Section<'_>) -> Option<Secret> {
    let path = section.required::<String>("key_file")?;
    let bytes = file(section, "key_file", &path)?;
    Some(Secret::new(bytes.trim_ascii()))
}

fn pem<T>(
    section: &mut Section<'_>,
    name: &str,
    read: impl Fn(&[u8]) -> Result<T, rustls::pki_types::pem::Error>,
) -> Option<T> {
    let path = section.required::<String>(name)?;
    let bytes = file(section, name, &path)?;
    let key = read(&bytes);
    key.inspect_err(|error| section.mistake(name, format!("`{path}` cannot be used: {error}"))).ok()
}

/// The bytes of a file named at a key, seen from the folder of the file that names it.
fn file(section: &Section<'_>, name: &str, path: &str) -> Option<Vec<u8>> {
    let whole = section.beside(name, path);
    let read = match std::fs::metadata(&whole) {
        Ok(found) if found.len() > FILE_LEN_MAX => Err("is too long".to_owned()),
        Ok(_) => std::fs::read(&whole).map_err(|error| format!("cannot be read: {error}")),
        Err(error) => Err(format!("cannot be read: {error}")),
    };
    if let Ok(content) = &read {
        section.note_file(&whole, content);
    }
    read.inspect_err(|problem| section.mistake(name, format!("`{path}` {problem}"))).ok()
}
