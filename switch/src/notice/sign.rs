//! Signatures of notices, as Standard Webhooks 1.0 defines them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use router::endpoint::Endpoint;
use router::secret::Secret;
use router::time::Timestamp;
use sha2::Sha256;
use storage::Sealer;
use storage::seal::SealError;

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

/// The secrets of an endpoint, opened: the newest signs, and before it has ended each old one too.
pub struct Secrets {
    newest: Secret,
    /// With when they end, newest first.
    old: Vec<(Secret, Timestamp)>,
}

impl Secrets {
    /// Opens an endpoint's secrets.
    ///
    /// Errors: one of them does not open.
    pub fn open(sealer: &Sealer, endpoint: &Endpoint) -> Result<Self, SealError> {
        let newest = sealer.open_secret(&endpoint.secret)?;
        let old = endpoint.old_secrets.iter();
        let old = old.map(|old| Ok((sealer.open_secret(&old.secret)?, old.ends_at)));
        Ok(Self { newest, old: old.collect::<Result<_, SealError>>()? })
    }

    /// The value of `webhook-signature`: one signature for each secret that signs now, with one
    /// blank between, the newest first.
    ///
    /// Shape, units: as [`signature`].
    /// Source: Standard Webhooks 1.0, "Signature scheme": a list for rotation without a gap.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8], now: Timestamp) -> String {
        let old = self.old.iter().filter(|(_, ends_at)| now < *ends_at).map(|(secret, _)| secret);
        let signatures = std::iter::once(&self.newest).chain(old);
        let signatures: Vec<String> =
            signatures.map(|secret| signature(secret, id, timestamp, body)).collect();
        signatures.join(" ")
    }
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
    fn old_secrets_sign_behind_the_newest_until_they_end_and_no_longer() {
        let [newest, middle, oldest] = [(); 3].map(|()| new_secret());
        let of = |secret: &Secret| signature(secret, "ntc_1", 1, b"{}");
        let (newest_sign, middle_sign, oldest_sign) = (of(&newest), of(&middle), of(&oldest));
        let old = vec![(middle, Timestamp(20)), (oldest, Timestamp(10))];
        let secrets = Secrets { newest, old };
        let check = |now, expect: &[&str]| {
            assert_eq!(secrets.sign("ntc_1", 1, b"{}", Timestamp(now)), expect.join(" "), "{now}");
        };
        check(9, &[&newest_sign, &middle_sign, &oldest_sign]);
        check(10, &[&newest_sign, &middle_sign]);
        check(20, &[&newest_sign]);
    }

    #[test]
    fn a_printed_secret_gives_its_bytes_back() {
        let made = new_secret();
        assert_eq!(secret(&printed(&made)), made);
        assert_ne!(new_secret(), made);
    }
}
