//! Lines: who may speak, sign-on and sign-off, TLS with client certificates.

use std::sync::Arc;

use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::harness::{
    ACQUIRER, CONFIG, House, PATIENCE, card_order, eventually, issuer, start_text,
};

#[tokio::test(flavor = "multi_thread")]
async fn before_sign_on_everything_is_refused() {
    let house = House::start().await;
    let line = house.stranger().await;
    let (_, answer) = line.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "63");
    assert_eq!(line.echo().await.expect("an answer").response_code(), "63");
    line.sign_on().await.expect("a sign-on");
    let (_, answer) = line.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    line.sign_off().await.expect("a sign-off");
    let (_, answer) = line.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "63");
    assert_eq!(house.issuer.counts().payments, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_acquirer_is_not_signed_on_and_a_line_keeps_its_participant() {
    let house = House::start().await;
    let stranger =
        Acquirer::connect(house.app.addresses.iso8583, AcquirerSettings::new("00000099999"));
    assert!(stranger.await.is_err());
    let bank = house.bank().await;
    let other = bank.traced(loadtest::simulator::acquirer::Fields::new());
    let other = other.with(70, "001").with(32, "00000000013");
    let kept = other.iter().filter(|(field, _)| [7, 11, 32, 70].contains(field));
    let kept = kept.fold(loadtest::simulator::acquirer::Fields::new(), |all, (field, value)| {
        all.with(field, value)
    });
    let answer = bank.request("0800", &kept).await.expect("an answer");
    assert_eq!(answer.response_code(), "63");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_does_not_sign_on_in_time_is_closed() {
    let house = House::start_with("[iso8583]\nsign_on_timeout_ms = 100\n").await;
    assert!(house.stranger().await.closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_is_called_by_its_host_s_name_and_localhost_is_listened_at() {
    let (dir, issuer) = (TempDir::new().expect("a folder"), issuer().await);
    let rules = CONFIG.replace("@issuer@", &format!("localhost:{}", issuer.addr().port()));
    let app = start_text(dir.path(), &rules, "[iso8583]\nlisten = \"localhost:0\"\n").await;
    let house = House { app, issuer, dir };
    let (_, answer) = house.bank().await.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_and_cut_over_are_answered_and_key_change_is_refused() {
    let house = House::start().await;
    let bank = house.bank().await;
    for (code, answer) in [("301", "00"), ("201", "00"), ("101", "58")] {
        assert_eq!(bank.network(code).await.expect("an answer").response_code(), answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_line_asked_before_it_closed_comes_to_its_end() {
    let house = House::start().await;
    let (line, other) = (house.bank().await, house.bank().await);
    // …69 takes the whole time limit.
    let request = line.payment(&card_order(15_069));
    let tasks = &house.engine().tasks;
    let asked = eventually("the payment to be under way", async || {
        (0 < tasks.payments_under_way()).then_some(())
    });
    tokio::select! {
        _ = line.request("0200", &request) => panic!("answered before the time limit"),
        () = asked => {}
    }
    drop(line);
    eventually("the payment's end", async || (tasks.payments_under_way() == 0).then_some(())).await;
    let repeat = other.repeat("0200", &request).await.expect("an answer");
    assert_eq!((repeat.response_code(), repeat.fields.text(44)), ("68", "6002"));
}

/// Authority, server and two clients, as PEM files in a folder.
struct Certificates {
    dir: TempDir,
    ca_pem: String,
    clients: Vec<(rcgen::Certificate, KeyPair)>,
}

impl Certificates {
    fn make() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let dir = tempfile::tempdir().expect("a folder");
        let signed = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
            (params.signed_by(&key, &ca).expect("a certificate"), key)
        };
        let (server, server_key) = signed("switch.example");
        std::fs::write(dir.path().join("server.pem"), server.pem()).expect("a file");
        std::fs::write(dir.path().join("server.key"), server_key.serialize_pem()).expect("a file");
        let ca_pem = ca.pem();
        std::fs::write(dir.path().join("ca.pem"), &ca_pem).expect("a file");
        let clients = vec![signed("bank-a.example"), signed("other.example")];
        Self { dir, ca_pem, clients }
    }

    fn config(&self) -> String {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        format!(
            "[iso8583]\ntls_certificate = \"{}\"\ntls_key = \"{}\"\ntls_client_ca = \"{}\"\n\
             [[participants]]\nid = \"bank-tls\"\nacquirer_id = \"00000000015\"\n\
             certificate_sha256 = \"{}\"\n",
            path("server.pem"),
            path("server.key"),
            path("ca.pem"),
            hex::encode(Sha256::digest(self.clients[0].0.der()))
        )
    }

    fn client(&self, which: Option<usize>) -> Arc<ClientConfig> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).expect("a certificate");
        roots.add(ca).expect("an authority");
        let builder = ClientConfig::builder().with_root_certificates(roots);
        Arc::new(match which {
            None => builder.with_no_client_auth(),
            Some(which) => {
                let (certificate, key) = &self.clients[which];
                let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
                let chain = vec![certificate.der().clone()];
                builder.with_client_auth_cert(chain, key).expect("an identity")
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_a_participant_is_who_its_certificate_says() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let certificates = Certificates::make();
    let house = House::start_with(&certificates.config()).await;
    let name = ServerName::try_from("switch.example").expect("a name");
    let connect = async |acquirer: &str, which| {
        let settings = AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(acquirer) };
        let config = certificates.client(which);
        Acquirer::connect_tls(house.app.addresses.iso8583, settings, name.clone(), config).await
    };
    let bank = connect("00000000015", Some(0)).await.expect("the right certificate");
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    assert!(connect("00000000015", Some(1)).await.is_err(), "another participant's certificate");
    assert!(connect(ACQUIRER, Some(1)).await.is_ok(), "no certificate is asked of bank-a by name");
    assert!(connect(ACQUIRER, Some(0)).await.is_err(), "a certificate that is bank-tls's alone");
    assert!(connect(ACQUIRER, None).await.is_err(), "no certificate at all");
}
