//! A plain HMAC-SHA256 of the body in a header.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use http::{HeaderMap, HeaderName};
use router::secret::Secret;
use router::time::Timestamp;
use sha2::{Digest, Sha256};

use super::base::seconds;
use super::key::mac;
use super::verify::check_age;
use super::{HttpSignatureError, RequiredPart, SignatureId};

/// How the bytes of an HMAC are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacEncoding {
    /// Lower-case hexadecimal digits; either case is read.
    Hex,
    /// Base 64 with filling.
    Base64,
}

/// A header with an HMAC-SHA256 over the body, and over a time where another header has one:
/// `{time}.{body}`.
#[derive(Debug)]
pub struct HmacHeader {
    /// The header.
    pub name: HeaderName,
    /// What stands before the code, e.g. `sha256=`.
    pub prefix: String,
    /// How the code is written.
    pub encoding: HmacEncoding,
    /// The header of the time, in whole seconds since 1970; none means that no time is signed.
    pub timestamp: Option<HeaderName>,
    /// The shared secret.
    pub secret: Secret,
}

impl HmacHeader {
    /// The headers of a message with this body.
    ///
    /// Units: `now` is written in whole seconds.
    pub fn sign(&self, body: &[u8], now: Timestamp) -> Vec<(HeaderName, String)> {
        let time = self.timestamp.as_ref().map(|_| seconds(now).to_string());
        let code = self.code(time.as_deref(), body).finalize().into_bytes();
        let code = match self.encoding {
            HmacEncoding::Hex => hex::encode(code),
            HmacEncoding::Base64 => STANDARD.encode(code),
        };
        let own = (self.name.clone(), format!("{}{code}", self.prefix));
        self.timestamp.clone().zip(time).into_iter().chain([own]).collect()
    }

    /// Checks the headers of a message, in the same time whatever is wrong with the code.
    ///
    /// Units:  `tolerance_s` in seconds, where a time is signed.
    /// Errors: [`HttpSignatureError`].
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        tolerance_s: i64,
        now: Timestamp,
    ) -> Result<SignatureId, HttpSignatureError> {
        let code = self.stated_code(headers)?;
        let time = self.timestamp.as_ref().map(|name| one(headers, name)).transpose();
        let time = time.map_err(|_| HttpSignatureError::NotCovered(RequiredPart::Created))?;
        if self.code(time, body).verify_slice(&code).is_err() {
            return Err(HttpSignatureError::Mismatch);
        }
        if let Some(time) = time {
            let created = time.parse().map_err(|_| HttpSignatureError::Malformed)?;
            check_age(created, tolerance_s, now)?;
        }
        Ok(SignatureId(Sha256::digest(&code).into()))
    }

    fn code(&self, time: Option<&str>, body: &[u8]) -> hmac::Hmac<Sha256> {
        match time {
            Some(time) => mac(&self.secret, &[time.as_bytes(), b".", body]),
            None => mac(&self.secret, &[body]),
        }
    }

    fn stated_code(&self, headers: &HeaderMap) -> Result<Vec<u8>, HttpSignatureError> {
        let stated = one(headers, &self.name)?;
        let stated = stated.strip_prefix(&self.prefix).ok_or(HttpSignatureError::Malformed)?;
        match self.encoding {
            HmacEncoding::Hex => hex::decode(stated).map_err(|_| HttpSignatureError::Malformed),
            HmacEncoding::Base64 => {
                STANDARD.decode(stated).map_err(|_| HttpSignatureError::Malformed)
            }
        }
    }
}

/// The value of a header that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, HttpSignatureError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(HttpSignatureError::Missing),
        (Some(value), None) => value.to_str().map_err(|_| HttpSignatureError::Malformed),
        (Some(_), Some(_)) => Err(HttpSignatureError::Malformed),
    }
}
