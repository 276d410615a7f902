//! The vectors are those of RFC 9421 appendix B.2.5 and B.2.6, with the keys of B.1.4 and B.1.5.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use proptest::prelude::*;
use router::secret::Secret;

use super::*;

const PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
const PUBLIC: &str = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";
const SHARED: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
const BODY: &[u8] = br#"{"hello": "world"}"#;
const SHA_512: &str = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const CREATED: i64 = 1_618_884_473;

struct Sent {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Sent {
    fn parts(&self) -> SignedParts<'_> {
        let Self { method, uri, headers } = self;
        SignedParts::Request { method, uri, headers }
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }

    fn signed(mut self, headers: &SignatureHeaders) -> Self {
        self.set(SIGNATURE_INPUT, &headers.input);
        self.set(SIGNATURE, &headers.signature);
        self
    }
}

/// The test request of appendix B.2.
fn request() -> Sent {
    let uri = "https://example.com/foo?param=Value&Pet=dog".parse().unwrap();
    let mut sent = Sent { method: Method::POST, uri, headers: HeaderMap::new() };
    sent.set("date", "Tue, 20 Apr 2021 02:07:55 GMT");
    sent.set("content-type", "application/json");
    sent.set("content-digest", SHA_512);
    sent.set("content-length", "18");
    sent
}

fn decode(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

fn components(names: &[&str]) -> Vec<Component> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn parameters(label: &'static str, key_id: &'static str) -> SignatureParameters<'static> {
    SignatureParameters { label, created: at(CREATED), expires_in_s: None, nonce: None, key_id }
}

const COVERED: [&str; 3] = ["@method", "@target-uri", "content-digest"];

fn rules(needs_nonce: bool) -> SignatureRules {
    let ed25519 = VerifyingKey::ed25519(&decode(PUBLIC)).unwrap();
    let shared = VerifyingKey::hmac_sha256(Secret::new(decode(SHARED))).unwrap();
    let keys = [("test-key-ed25519", ed25519), ("test-shared-secret", shared)];
    let keys = keys.map(|(id, key)| TrustedKey { id: id.to_owned(), key });
    SignatureRules { keys: keys.into(), tolerance_s: 300, needs_nonce }
}

fn ed25519() -> SigningKey {
    SigningKey::ed25519(&decode(PRIVATE)).unwrap()
}

fn shared() -> SigningKey {
    SigningKey::hmac_sha256(Secret::new(decode(SHARED))).unwrap()
}

#[test]
fn signatures_are_those_of_the_standard_s_vectors() {
    let covered = ["date", "@method", "@path", "@authority", "content-type", "content-length"];
    let parameters_26 = parameters("sig-b26", "test-key-ed25519");
    let signed =
        sign(request().parts(), &components(&covered), &parameters_26, &ed25519()).unwrap();
    assert_eq!(
        signed.input,
        "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
         \"content-length\");created=1618884473;keyid=\"test-key-ed25519\""
    );
    assert_eq!(
        signed.signature,
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
    );
    let covered = components(&["date", "@authority", "content-type"]);
    let parameters_25 = parameters("sig-b25", "test-shared-secret");
    let signed = sign(request().parts(), &covered, &parameters_25, &shared()).unwrap();
    assert_eq!(
        signed.input,
        "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;\
         keyid=\"test-shared-secret\""
    );
    assert_eq!(signed.signature, "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");
    assert_eq!(check_digest(&request().headers, BODY), Ok(()), "the digest of appendix B.2");
}

#[test]
fn the_digest_is_that_of_the_standard_s_example() {
    // RFC 9530 appendix D: the digest of `{"hello": "world"}` and a line feed.
    assert_eq!(
        content_digest(b"{\"hello\": \"world\"}\n"),
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    );
}

/// What is told of a request that was signed so and then changed.
fn check(change: impl Fn(&mut Sent, &mut SignatureRules), expect: Result<(), HttpSignatureError>) {
    for (key, key_id) in [(ed25519(), "test-key-ed25519"), (shared(), "test-shared-secret")] {
        let parameters = SignatureParameters {
            expires_in_s: Some(60),
            nonce: Some("n-1"),
            ..parameters("sig", key_id)
        };
        let signed = sign(request().parts(), &components(&COVERED), &parameters, &key).unwrap();
        let (mut sent, mut rules) = (request().signed(&signed), rules(true));
        change(&mut sent, &mut rules);
        let told = verify(sent.parts(), BODY, &rules, at(CREATED + 5)).map(|_| ());
        assert_eq!(told, expect, "{key_id}");
    }
}

#[test]
fn a_request_that_was_changed_is_not_believed() {
    use HttpSignatureError::{Digest, Key, Malformed, Mismatch, Missing};
    check(|_, _| {}, Ok(()));
    check(|sent, _| sent.set("date", "Wed, 21 Apr 2021 02:07:55 GMT"), Ok(()));
    check(|sent, _| sent.method = Method::PUT, Err(Mismatch));
    check(|sent, _| sent.uri = "https://example.com/bar".parse().unwrap(), Err(Mismatch));
    check(|sent, _| sent.set("content-digest", &content_digest(b"{}")), Err(Mismatch));
    check(|sent, _| drop(sent.headers.remove(SIGNATURE)), Err(Missing));
    check(|sent, _| sent.set(SIGNATURE_INPUT, "sig=((("), Err(Malformed));
    check(|_, rules| rules.keys.clear(), Err(Key));
    let signed = |sent: &Sent| sent.headers[SIGNATURE_INPUT].to_str().unwrap().to_owned();
    check(
        |sent, _| {
            sent.set(SIGNATURE_INPUT, &signed(sent).replace(";created", ";alg=\"rsa\";created"))
        },
        Err(Key),
    );
    check(|sent, _| sent.set(SIGNATURE_INPUT, &signed(sent).replace("n-1", "n-2")), Err(Mismatch));
    let other = verify(request().signed(&other_body()).parts(), b"{}", &rules(false), at(CREATED));
    assert_eq!(other, Err(Digest), "another body under the digest that was signed");
}

fn other_body() -> SignatureHeaders {
    let parameters = parameters("sig", "test-key-ed25519");
    sign(request().parts(), &components(&COVERED), &parameters, &ed25519()).unwrap()
}

#[test]
fn a_signature_must_cover_method_target_and_body_or_status_and_body() {
    let uncovered = |names: &[&str]| {
        let parameters = parameters("sig", "test-key-ed25519");
        let signed = sign(request().parts(), &components(names), &parameters, &ed25519()).unwrap();
        let sent = request().signed(&signed);
        verify(sent.parts(), BODY, &rules(false), at(CREATED)).map(|_| ())
    };
    assert_eq!(uncovered(&["@method", "@path", "content-digest"]), Ok(()));
    for (names, missing) in [
        (&["@target-uri", "content-digest"][..], RequiredPart::Method),
        (&["@method", "content-digest"], RequiredPart::Target),
        (&["@method", "@path"], RequiredPart::ContentDigest),
    ] {
        assert_eq!(uncovered(names), Err(HttpSignatureError::NotCovered(missing)), "{names:?}");
    }
    let mut headers = HeaderMap::new();
    headers.insert("content-digest", content_digest(b"{}").parse().unwrap());
    let parts = SignedParts::Answer { status: StatusCode::OK, headers: &headers };
    let parameters = parameters("sig", "test-key-ed25519");
    let covered = components(&["@status", "content-digest"]);
    let signed = sign(parts, &covered, &parameters, &ed25519()).unwrap();
    headers.insert(SIGNATURE_INPUT, signed.input.parse().unwrap());
    headers.insert(SIGNATURE, signed.signature.parse().unwrap());
    let answer = |status| {
        let parts = SignedParts::Answer { status, headers: &headers };
        verify(parts, b"{}", &rules(false), at(CREATED)).map(|_| ())
    };
    assert_eq!(answer(StatusCode::OK), Ok(()));
    assert_eq!(answer(StatusCode::CREATED), Err(HttpSignatureError::Mismatch));
}

#[test]
fn a_signature_holds_for_its_time_alone() {
    let parameters =
        SignatureParameters { expires_in_s: Some(60), ..parameters("sig", "test-key-ed25519") };
    let signed = sign(request().parts(), &components(&COVERED), &parameters, &ed25519()).unwrap();
    let sent = request().signed(&signed);
    let told =
        |seconds| verify(sent.parts(), BODY, &rules(false), at(CREATED + seconds)).map(|_| ());
    assert_eq!(told(-300), Ok(()));
    assert_eq!(told(60), Ok(()));
    assert_eq!(told(61), Err(HttpSignatureError::Stale { seconds: -1 }));
    assert_eq!(told(-301), Err(HttpSignatureError::Stale { seconds: 301 }));
    assert_eq!(
        verify(sent.parts(), BODY, &rules(true), at(CREATED)),
        Err(HttpSignatureError::NotCovered(RequiredPart::Nonce))
    );
    let again = verify(sent.parts(), BODY, &rules(false), at(CREATED)).unwrap();
    assert_eq!(verify(sent.parts(), BODY, &rules(false), at(CREATED)), Ok(again), "one id");
}

#[test]
fn a_plain_hmac_is_checked_with_its_time() {
    // RFC 4231 test case 2: HMAC-SHA-256 of "what do ya want for nothing?" under "Jefe".
    let plain = HmacHeader {
        name: http::HeaderName::from_static("x-signature"),
        prefix: "sha256=".to_owned(),
        encoding: HmacEncoding::Hex,
        timestamp: None,
        secret: Secret::new(*b"Jefe"),
    };
    let body = b"what do ya want for nothing?";
    let code = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(plain.sign(body, at(7)), [(plain.name.clone(), code.to_owned())]);
    let timed = HmacHeader {
        timestamp: Some(http::HeaderName::from_static("x-time")),
        encoding: HmacEncoding::Base64,
        ..plain
    };
    let headers: HeaderMap = timed
        .sign(body, at(1_000))
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_str(&value).unwrap()))
        .collect();
    let told = |headers: &HeaderMap, body: &[u8], now| {
        timed.verify(headers, body, 300, at(now)).map(|_| ())
    };
    assert_eq!(told(&headers, body, 1_300), Ok(()));
    let stale = Err(HttpSignatureError::Stale { seconds: -301 });
    assert_eq!(told(&headers, body, 1_301), stale);
    assert_eq!(told(&headers, b"other", 1_000), Err(HttpSignatureError::Mismatch));
    let mut later = headers.clone();
    later.insert("x-time", HeaderValue::from_static("1200"));
    assert_eq!(told(&later, body, 1_200), Err(HttpSignatureError::Mismatch), "the time is signed");
    later.append("x-signature", HeaderValue::from_static("sha256=AAAA"));
    assert_eq!(told(&later, body, 1_200), Err(HttpSignatureError::Malformed), "two codes");
    assert_eq!(told(&HeaderMap::new(), body, 0), Err(HttpSignatureError::Missing));
}

#[test]
fn keys_never_show_themselves_and_short_secrets_are_none() {
    assert_eq!(format!("{:?} {:?}", ed25519(), shared()), "[ed25519 key] [hmac-sha256 key]");
    let short = VerifyingKey::hmac_sha256(Secret::new(*b"0123456789abcde"));
    assert_eq!(short.err(), Some(KeyFileError::TooShort));
    assert_eq!(SigningKey::ed25519(b"no key").err(), Some(KeyFileError::Ed25519));
}

proptest! {
    #[test]
    fn any_headers_are_believed_or_refused(input in "\\PC{0,80}", signature in "[ -~]{0,80}") {
        let mut sent = request();
        for (name, value) in [(SIGNATURE_INPUT, input.as_bytes()), (SIGNATURE, signature.as_bytes())] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                sent.headers.insert(name, value);
            }
        }
        prop_assert!(verify(sent.parts(), BODY, &rules(false), at(CREATED)).is_err());
    }
}
