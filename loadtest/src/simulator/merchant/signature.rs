//! Standard Webhooks signatures, as a receiver checks them.
//!
//! Source: the Standard Webhooks specification, "Signature scheme": HMAC-SHA256 over
//! `id.timestamp.body`, base64, behind `v1,`; the secret is `whsec_` and base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A notice older or newer than this is refused, so that a copied one cannot be replayed.
const TOLERANCE_SECONDS: i64 = 300;

/// A merchant's signing secret.
#[derive(Clone)]
pub struct SigningSecret(Vec<u8>);

/// Why a notice was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The secret is not `whsec_` and base64.
    #[error("signing secret is not `whsec_` followed by base64")]
    Secret,
    /// One of the three headers is missing or not readable.
    #[error("header `{0}` is missing or not readable")]
    Header(&'static str),
    /// The timestamp is too far from now.
    #[error("timestamp is {seconds} s away from now")]
    Timestamp {
        /// How far, negative when it lies in the past.
        seconds: i64,
    },
    /// No signature of the list is the right one.
    #[error("no signature matches")]
    Mismatch,
}

/// The three headers of a signed notice.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`, Unix seconds.
    pub timestamp: &'a str,
    /// `webhook-signature`: a list of `v1,…` parted by spaces.
    pub signatures: &'a str,
}

impl SigningSecret {
    /// Reads a secret as merchants are given it.
    ///
    /// Errors: [`SignatureError::Secret`].
    pub fn new(text: &str) -> Result<Self, SignatureError> {
        let encoded = text.strip_prefix("whsec_").ok_or(SignatureError::Secret)?;
        STANDARD.decode(encoded).map(Self).map_err(|_| SignatureError::Secret)
    }

    /// Checks a notice as it arrived.
    ///
    /// Units:  `now_seconds` is Unix time.
    /// Errors: every [`SignatureError`] but `Secret`.
    pub fn verify(
        &self,
        signed: Signed<'_>,
        body: &[u8],
        now_seconds: i64,
    ) -> Result<(), SignatureError> {
        let sent_at: i64 =
            signed.timestamp.parse().map_err(|_| SignatureError::Header("webhook-timestamp"))?;
        let seconds = sent_at.saturating_sub(now_seconds);
        if seconds.saturating_abs() > TOLERANCE_SECONDS {
            return Err(SignatureError::Timestamp { seconds });
        }
        let matches = |signature: &str| {
            let decoded = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            decoded.is_some_and(|tag| self.mac(signed, body).verify_slice(&tag).is_ok())
        };
        let any = signed.signatures.split(' ').any(matches);
        any.then_some(()).ok_or(SignatureError::Mismatch)
    }

    fn mac(&self, signed: Signed<'_>, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("invariant: any key length fits HMAC");
        mac.update(signed.id.as_bytes());
        mac.update(b".");
        mac.update(signed.timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the Standard Webhooks libraries' own tests.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const EXAMPLE: Signed<'_> = Signed {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: "1614265330",
        signatures: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    const NOW: i64 = 1_614_265_330;

    fn check(signed: Signed<'_>, body: &[u8], now: i64) -> Result<(), SignatureError> {
        SigningSecret::new(SECRET).unwrap().verify(signed, body, now)
    }

    #[test]
    fn the_published_example_is_believed_and_a_changed_one_is_not() {
        assert_eq!(check(EXAMPLE, BODY, NOW), Ok(()));
        assert_eq!(check(EXAMPLE, b"{}", NOW), Err(SignatureError::Mismatch));
        let other_id = Signed { id: "msg_other", ..EXAMPLE };
        assert_eq!(check(other_id, BODY, NOW), Err(SignatureError::Mismatch));
    }

    #[test]
    fn one_good_signature_of_a_rotation_is_enough() {
        let both = format!("v1,{} {}", STANDARD.encode([0; 32]), EXAMPLE.signatures);
        assert_eq!(check(Signed { signatures: &both, ..EXAMPLE }, BODY, NOW), Ok(()));
    }

    #[test]
    fn an_old_notice_is_a_replay() {
        let late = check(EXAMPLE, BODY, NOW + 301);
        assert_eq!(late, Err(SignatureError::Timestamp { seconds: -301 }));
    }
}
