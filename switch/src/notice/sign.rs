//! Signatures of notices, as Standard Webhooks 1.0 defines them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use router::secret::Secret;
use sha2::Sha256;

/// What a printed secret starts with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret we make; the specification allows 24 to 64.
const SECRET_LEN: usize = 32;

/// A new signing secret.
pub fn new_secret() -> Secret {
    Secret::new(rand::random::<[u8; SECRET_LEN]>())
}

/// A secret as its owner keeps it: `whsec_` and base 64. Shown once.
pub fn printed(secret: &Secret) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret.expose()))
}

/// The value of `webhook-signature`.
///
/// Shape: `id` holds no full stop; `timestamp` is the one sent in `webhook-timestamp`.
/// Units: `timestamp` in whole seconds since 1970.
/// Source: Standard Webhooks 1.0, "Signature scheme", symmetric.
pub fn signature(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose())
        .expect("invariant: HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(printed: &str) -> Secret {
        Secret::new(STANDARD.decode(printed.strip_prefix(PREFIX).unwrap()).unwrap())
    }

    #[test]
    fn the_signature_is_that_of_the_public_test_vectors() {
        let ours = signature(
            &secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(ours, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let ours = signature(
            &secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            br#"{"email":"test@example.com","username":"test_user"}"#,
        );
        assert_eq!(ours, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn a_printed_secret_gives_its_bytes_back() {
        let made = new_secret();
        assert_eq!(secret(&printed(&made)), made);
        assert_ne!(new_secret(), made);
    }
}
