//! Where the servers are and how they are asked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use scylla::client::session::TlsContext;
use scylla::statement;

use super::CqlError;

/// Where the servers are and how they are asked.
#[derive(Debug, Clone)]
pub struct CqlSettings {
    /// `HOST:PORT` of some of them; the others are learnt from these.
    pub nodes: Vec<String>,
    /// The keyspace of the tables: letters, digits and underscores.
    pub keyspace: String,
    /// How many copies a new keyspace keeps; one that exists is left as it is.
    pub replication: Replication,
    /// The datacentre that is asked first.
    pub local_datacentre: Option<String>,
    /// User and password.
    pub login: Option<(String, Password)>,
    /// File of the certificates (PEM) that the servers' are held against; without it, no TLS.
    pub tls_ca: Option<PathBuf>,
    /// Of plain reads and writes.
    pub consistency: Consistency,
    /// Of conditional updates.
    pub serial: Serial,
    /// How long one attempt may take.
    pub request_timeout: Duration,
    /// How long anything but an append is tried again before it fails; see
    /// [`give_up_after`](crate::frames::LaneBackend::give_up_after) for appends.
    pub patience: Duration,
    /// How long rows are kept; zero keeps them for ever. At most 20 years. Takes effect when the
    /// schema is applied, for rows written after that.
    pub retention: Duration,
}

impl CqlSettings {
    /// Of servers at `nodes`, with a keyspace of three copies and everything else as usual.
    pub fn new(nodes: Vec<String>, keyspace: &str) -> Self {
        Self {
            nodes,
            keyspace: keyspace.to_owned(),
            replication: Replication::Everywhere(3),
            local_datacentre: None,
            login: None,
            tls_ca: None,
            consistency: Consistency::Quorum,
            serial: Serial::Serial,
            request_timeout: Duration::from_secs(2),
            patience: Duration::from_secs(10),
            retention: Duration::ZERO,
        }
    }

    pub(super) fn tls_context(&self) -> Result<Option<TlsContext>, CqlError> {
        let Some(path) = &self.tls_ca else { return Ok(None) };
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| CqlError::Tls { source };
        let mut roots = RootCertStore::empty();
        let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.into()))?;
        for certificate in read {
            let certificate = certificate.map_err(|error| failed(error.into()))?;
            roots.add(certificate).map_err(|error| failed(error.into()))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(Arc::new(config).into()))
    }
}

/// How many copies a keyspace keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replication {
    /// So many, wherever the ring puts them; for one datacentre.
    Everywhere(u8),
    /// So many in each datacentre.
    PerDatacentre(BTreeMap<String, u8>),
}

/// Of plain reads and writes. Less than a quorum is not offered: a frame must be found by whoever
/// reads it next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// More than half of all copies.
    #[default]
    Quorum,
    /// More than half of the copies in the local datacentre. All nodes must then be in one.
    LocalQuorum,
}

/// Among whom a conditional update is agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Serial {
    /// All copies.
    #[default]
    Serial,
    /// The copies in the local datacentre. All nodes must then be in one.
    LocalSerial,
}

impl From<Consistency> for statement::Consistency {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Quorum => Self::Quorum,
            Consistency::LocalQuorum => Self::LocalQuorum,
        }
    }
}

impl From<Serial> for statement::SerialConsistency {
    fn from(serial: Serial) -> Self {
        match serial {
            Serial::Serial => Self::Serial,
            Serial::LocalSerial => Self::LocalSerial,
        }
    }
}

impl Serial {
    /// The same for a read.
    pub(crate) fn of_reads(self) -> statement::Consistency {
        match self {
            Self::Serial => statement::Consistency::Serial,
            Self::LocalSerial => statement::Consistency::LocalSerial,
        }
    }
}

/// A password, which is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// From text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> CqlSettings {
        CqlSettings::new(vec!["127.0.0.1:9042".into()], "cauce")
    }

    #[test]
    fn a_password_is_not_printed() {
        let login = Some(("switch".to_owned(), Password::new("correct horse")));
        let printed = format!("{:?}", CqlSettings { login, ..settings() });
        assert!(printed.contains("switch") && !printed.contains("horse"), "{printed}");
    }

    #[test]
    fn without_certificates_there_is_no_tls_and_without_their_file_no_connection() {
        assert!(settings().tls_context().unwrap().is_none());
        let missing = CqlSettings { tls_ca: Some("no-such-file.pem".into()), ..settings() };
        assert!(matches!(missing.tls_context(), Err(CqlError::Tls { .. })));
    }
}
