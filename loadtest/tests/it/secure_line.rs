//! An acquirer's line under TLS.

use std::sync::Arc;

use loadtest::simulator::acquirer::{Acquirer, AcquirerError, AcquirerSettings};
use loadtest::tasks::Tasks;
use loadtest::wire::{self, Index};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate of its own making, and its key.
fn identity() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["switch.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    (made.cert.der().clone(), key)
}

/// Answers one message of one line with 00.
async fn answer_once(listener: TcpListener, config: ServerConfig) {
    let (stream, _) = listener.accept().await.unwrap();
    let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
    let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut message).await.unwrap();
    let mut index = Index::new();
    index.read(&message).unwrap();
    let mut answer = Vec::new();
    wire::answer(&mut answer, (&index, &message), wire::set(&[11, 70]), &[(39, b"00")]);
    stream.write_all(&answer).await.unwrap();
    stream.flush().await.unwrap();
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest).await);
}

async fn connect(trusted: CertificateDer<'static>) -> Result<Acquirer, AcquirerError> {
    let (certificate, key) = identity();
    let trusted = if trusted.is_empty() { certificate.clone() } else { trusted };
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let tasks = Tasks::new();
    tasks.spawn(answer_once(listener, server));
    let name = ServerName::try_from("switch.test").unwrap();
    Acquirer::connect_tls(addr, AcquirerSettings::new("700001"), name, Arc::new(client)).await
}

#[tokio::test]
async fn a_line_under_tls_signs_on() {
    assert!(connect(CertificateDer::from(Vec::new())).await.is_ok());
}

#[tokio::test]
async fn a_server_nobody_vouches_for_is_refused() {
    let (stranger, _) = identity();
    let refused = connect(stranger).await;
    assert!(matches!(refused, Err(AcquirerError::Line(_))), "{refused:?}");
}
