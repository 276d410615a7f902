//! TLS of participants' lines and of the HTTP listener: rustls with aws-lc-rs, nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{Connect, TlsAcceptor, TlsConnector};

use crate::config::{TlsFiles, TlsServerFiles};

/// Why TLS files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file is missing, unreadable or holds nothing of use.
    #[error("{} cannot be used", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate, key and authorities do not go together.
    #[error("certificate, key and authorities do not go together")]
    Rustls(#[from] rustls::Error),
    /// The client authorities cannot be used.
    #[error("client authorities cannot be used")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// The name a certificate must carry is no name.
    #[error("`{0}` is not a server name")]
    ServerName(String),
}

/// A listener's TLS; with client authorities, every client must show a certificate.
fn acceptor(files: &TlsServerFiles) -> Result<TlsAcceptor, TlsError> {
    let builder = ServerConfig::builder();
    let builder = match &files.client_ca {
        Some(file) => {
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots(file)?)).build()?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(chain(&files.certificate)?, key(&files.key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A listener's TLS, which can be read again from its files.
pub struct ListenerTls {
    files: TlsServerFiles,
    acceptor: ArcSwap<TlsAcceptor>,
}

impl ListenerTls {
    /// From files.
    ///
    /// Errors: [`TlsError`].
    pub fn read(files: &TlsServerFiles) -> Result<Arc<Self>, TlsError> {
        let acceptor = ArcSwap::from_pointee(acceptor(files)?);
        Ok(Arc::new(Self { files: files.clone(), acceptor }))
    }

    /// What accepts connections now.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::clone(&self.acceptor.load())
    }

    /// What the files say by now, to be [put in force](Self::put_in_force).
    ///
    /// Errors: [`TlsError`]; what is in force stays.
    pub fn read_again(&self) -> Result<TlsAcceptor, TlsError> {
        acceptor(&self.files)
    }

    /// Connections from now on are accepted with this.
    pub fn put_in_force(&self, acceptor: TlsAcceptor) {
        self.acceptor.store(Arc::new(acceptor));
    }

    /// Its files.
    pub fn files(&self) -> &TlsServerFiles {
        &self.files
    }
}

/// Begins a handshake as a client.
pub fn connect(files: &TlsFiles, socket: TcpStream) -> Result<Connect<TcpStream>, TlsError> {
    let config = client_config(&files.ca, files.identity.as_ref())?;
    let name = ServerName::try_from(files.server_name.clone())
        .map_err(|_| TlsError::ServerName(files.server_name.clone()))?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, socket))
}

/// TLS of connections we open: the authorities of a file, and our certificate and key where we show one.
pub fn client_config(
    authorities: &Path,
    identity: Option<&(PathBuf, PathBuf)>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder().with_root_certificates(roots(authorities)?);
    Ok(match identity {
        Some((certificate, private)) => {
            builder.with_client_auth_cert(chain(certificate)?, key(private)?)?
        }
        None => builder.with_no_client_auth(),
    })
}

/// SHA-256 of the peer's certificate in DER form.
pub fn peer_fingerprint(connection: &ServerConnection) -> Option<[u8; 32]> {
    let certificate = connection.peer_certificates()?.first()?;
    Some(Sha256::digest(certificate.as_ref()).into())
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { file: file.to_owned(), source };
    CertificateDer::pem_file_iter(file).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|source| TlsError::Pem { file: file.to_owned(), source })
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}
