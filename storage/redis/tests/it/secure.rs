//! Users, passwords and TLS.

use std::net::TcpListener;

use rig::{Redis, RedisOptions};
use storage::guard::Verdict;
use storage_redis::{Form, Gate, RedisSettings};

use crate::support::*;

struct Secure {
    _redis: Redis,
    _files: tempfile::TempDir,
    port: u16,
    roots: Box<[u8]>,
}

/// A Redis where only one user, with a password and over TLS, may do more than look.
fn secure() -> Secure {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = RedisOptions::default()
        .set("tls-port", &port.to_string())
        .set("tls-cert-file", &cert.display().to_string())
        .set("tls-key-file", &key.display().to_string())
        .set("tls-auth-clients", "no")
        .set("user", "default on nopass -@all +ping")
        .set("user", "cauce on >sesame ~* &* +@all");
    let redis = Redis::start(options).unwrap();
    Secure { _redis: redis, _files: files, port, roots: made.cert.pem().into_bytes().into() }
}

impl Secure {
    fn settings(&self, password: &str) -> RedisSettings {
        let url = format!("rediss://cauce:{password}@localhost:{}", self.port);
        let tls_roots = Some(self.roots.clone());
        RedisSettings { tls_roots, ..RedisSettings::new(Form::Single { url }, &namespace()) }
    }
}

#[test]
fn a_gate_opens_with_a_password_over_tls() {
    let secure = secure();
    let gate = open(secure.settings("sesame"));
    assert_eq!(reserve(&mut guard(&gate), 1, &nothing(1)), Ok(Verdict::Granted));
    let pin = gate.discover().unwrap().to_string();
    assert!(pin.starts_with(&format!("localhost:{}|", secure.port)), "{pin}");
}

#[test]
fn a_wrong_password_and_an_unknown_authority_are_refused_and_not_told() {
    let secure = secure();
    let refused = |settings: RedisSettings| Gate::new(settings).unwrap().discover().unwrap_err();
    let wrong = refused(secure.settings("open-sesame"));
    assert!(!format!("{wrong} {wrong:?}").contains("sesame"), "{wrong:?}");
    let unknown = refused(RedisSettings { tls_roots: None, ..secure.settings("sesame") });
    assert!(!format!("{unknown} {unknown:?}").contains("sesame"), "{unknown:?}");
    assert!(unknown.to_string().contains("certificate"), "{unknown}");
}
