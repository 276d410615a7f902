//! What a request asks, read with errors of our own.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use codecs::api::parse_no_fields;
use http::header::{ACCEPT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use router::reason::{Language, Reason};

use super::answer::ApiRefusal;
use super::body::BodyTimeout;

/// The header that makes a payment the same one however often it is asked for.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
const IDEMPOTENCY_KEY_LEN_MAX: usize = 255;
/// What is read of a body that is too large before the connection is closed.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// The language of texts for people: the first one asked for that the catalogue has; else English.
pub(super) fn language(headers: &HeaderMap) -> Language {
    let asked = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let known = asked.unwrap_or_default().split(',').find_map(|range| {
        match range.trim().get(..2)?.to_ascii_lowercase().as_str() {
            "es" => Some(Language::Es),
            "ro" => Some(Language::Ro),
            "it" => Some(Language::It),
            "en" => Some(Language::En),
            "pt" => Some(Language::Pt),
            _ => None,
        }
    });
    known.unwrap_or(Language::En)
}

/// A JSON body, at most so many bytes of it.
///
/// Errors: 415 for another media type, 413 for more bytes, 400 when it breaks off.
pub(super) async fn json_body(request: Request, bytes_max: usize) -> Result<Bytes, ApiRefusal> {
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        let detail = "the body must be application/json";
        return Err(ApiRefusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", detail)
            .about("Content-Type"));
    }
    let told = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if told.and_then(|told| told.parse::<usize>().ok()).is_some_and(|told| told > bytes_max) {
        let mut body = body;
        return Err(too_large(&mut body, bytes_max).await);
    }
    read(body, bytes_max).await
}

/// A JSON body, or nothing at all, which is none.
///
/// Errors: as [`json_body`].
pub(super) async fn optional_json_body(
    request: Request,
    bytes_max: usize,
) -> Result<Option<Bytes>, ApiRefusal> {
    if request.body().is_end_stream() {
        return Ok(None);
    }
    let (head, body) = request.into_parts();
    let bytes = read(body, bytes_max).await?;
    match bytes.is_empty() {
        true => Ok(None),
        false => json_body(Request::from_parts(head, Body::from(bytes)), bytes_max).await.map(Some),
    }
}

/// Reads the body of a route that needs no field: nothing, or an object without members.
///
/// Errors: as [`json_body`]; 400 naming the first field.
pub(super) async fn no_fields(request: Request, bytes_max: usize) -> Result<(), ApiRefusal> {
    match optional_json_body(request, bytes_max).await? {
        Some(body) => Ok(parse_no_fields(&body)?),
        None => Ok(()),
    }
}

async fn read(mut body: Body, bytes_max: usize) -> Result<Bytes, ApiRefusal> {
    match Limited::new(&mut body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(&mut body, bytes_max).await),
        Err(error) if is_late(&*error) => {
            let detail = "the body did not come in time";
            Err(ApiRefusal::http(StatusCode::REQUEST_TIMEOUT, "timeout", detail))
        }
        Err(_) => {
            Err(ApiRefusal::http(StatusCode::BAD_REQUEST, "body", "the body could not be read"))
        }
    }
}

/// Whether an error says that a body's time was over.
fn is_late(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.into_iter().any(|cause| cause.is::<BodyTimeout>())
}

/// Reads on for a while, so that a client that only listens once it has sent everything hears why.
async fn too_large(body: &mut Body, bytes_max: usize) -> ApiRefusal {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.data_ref().map_or(0, Bytes::len);
        if discarded > DISCARDED_BYTES_MAX {
            break;
        }
    }
    let detail = format!("at most {bytes_max} bytes are taken");
    ApiRefusal::http(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

/// The key of a payment, as its originator chose it.
///
/// Errors: 400 when it is missing, given twice, or not 1 to 255 printable ASCII characters.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<&str, ApiRefusal> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let refusal = |detail| {
        let refusal = ApiRefusal::new(Reason::FormatError, "idempotency_key");
        Err(refusal.saying(detail).about("Idempotency-Key"))
    };
    let value = match (given.next(), given.next()) {
        (Some(value), None) => value,
        (None, _) => return refusal("the header is missing"),
        (Some(_), Some(_)) => return refusal("the header must be given once"),
    };
    let key = value.as_bytes();
    let is_printable = key.iter().all(|byte| (b' '..=b'~').contains(byte));
    match value.to_str() {
        Ok(text) if is_printable && (1..=IDEMPOTENCY_KEY_LEN_MAX).contains(&key.len()) => Ok(text),
        _ => refusal("must be 1 to 255 printable ASCII characters"),
    }
}

/// The same where a key may be left out.
///
/// Errors: 400 when it is given twice, or not 1 to 255 printable ASCII characters.
pub(super) fn optional_idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiRefusal> {
    let is_given = headers.contains_key(IDEMPOTENCY_KEY);
    is_given.then(|| idempotency_key(headers)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn the_first_language_the_catalogue_has_is_spoken() {
        let check = |value, expect| {
            assert_eq!(language(&headers("accept-language", value)), expect, "{value}");
        };
        check("es-VE,es;q=0.9,en;q=0.8", Language::Es);
        check("de, ro-RO;q=0.5", Language::Ro);
        check("de", Language::En);
        check("", Language::En);
        check("é", Language::En);
    }

    #[test]
    fn a_key_is_one_header_of_printable_characters() {
        let check = |value: &str, is_key: bool| {
            assert_eq!(
                idempotency_key(&headers(IDEMPOTENCY_KEY, value)).is_ok(),
                is_key,
                "{value}"
            );
        };
        check("order 17", true);
        check(&"k".repeat(255), true);
        check(&"k".repeat(256), false);
        check("", false);
        check("llave-ñ", false);
        assert!(idempotency_key(&HeaderMap::new()).is_err());
        let mut twice = headers(IDEMPOTENCY_KEY, "a");
        twice.append(IDEMPOTENCY_KEY, "b".parse().unwrap());
        assert!(idempotency_key(&twice).is_err());
    }
}
