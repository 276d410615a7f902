//! How nodes prove each other: each request carries a keyed digest of its path, time and body, so
//! that who reads along learns no secret and can change nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use router::time::Timestamp;
use sha2::Sha256;

use crate::config::SecretText;

/// Header: when the request was made, in microseconds of Unix time.
pub const AT: &str = "cauce-at";
/// Header: the digest.
pub const MAC: &str = "cauce-mac";

/// How far the clocks of two nodes may be apart. A request that was read on the way can be sent
/// again for so long; what it asks for takes effect once.
const APART_MAX_MICROS: u64 = 300_000_000;

/// The digest of a request.
pub fn of(secret: &SecretText, what: (&str, &str, &[u8])) -> String {
    STANDARD.encode(digest(secret, what).finalize().into_bytes())
}

/// Whether a request is proven, and not old.
pub fn holds(secret: &SecretText, what: (&str, &str, &[u8]), mac: &str, now: Timestamp) -> bool {
    let (_, at, _) = what;
    let is_fresh = at.parse::<i64>().is_ok_and(|at| now.0.abs_diff(at) <= APART_MAX_MICROS);
    let given = STANDARD.decode(mac);
    is_fresh && given.is_ok_and(|given| digest(secret, what).verify_slice(&given).is_ok())
}

fn digest(secret: &SecretText, (path, at, body): (&str, &str, &[u8])) -> Hmac<Sha256> {
    let key = secret.expose().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("invariant: any length is a key");
    mac.update(path.as_bytes());
    mac.update(b"\n");
    mac.update(at.as_bytes());
    mac.update(b"\n");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_as_it_was_made_for_a_while() {
        let (secret, other) = (SecretText::new("a secret"), SecretText::new("another"));
        let (now, at) = (Timestamp(1_000_000_000), "1000000000");
        let what = ("/append", at, b"record".as_slice());
        let mac = of(&secret, what);
        assert!(holds(&secret, what, &mac, now));
        assert!(!holds(&other, what, &mac, now), "another secret");
        assert!(!holds(&secret, ("/append", at, b"recorD"), &mac, now), "another body");
        assert!(!holds(&secret, ("/send/bank", at, b"record"), &mac, now), "another path");
        assert!(!holds(&secret, ("/append", "1000000001", b"record"), &mac, now), "another time");
        assert!(!holds(&secret, what, &mac, now.plus_micros(300_000_001)), "too old");
        assert!(!holds(&secret, what, "no digest", now));
    }
}
