//! Where the back office is, and its ceilings.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a back office is reached.
#[derive(Debug, Clone)]
pub struct BackofficeSettings {
    /// Where its databases are.
    pub location: BackofficeLocation,
    /// Most connections that read registered data, and as many that read projections.
    pub connections_max: u32,
    /// Longest time for one question or one change, a connection's wait included.
    pub statement_timeout: Duration,
}

/// Where the databases of a back office are.
#[derive(Clone)]
pub enum BackofficeLocation {
    /// SQLite files in this folder.
    Files(PathBuf),
    /// PostgreSQL at an address of the form `postgres://user:password@host:port/database`.
    Server(Box<str>),
}

impl std::fmt::Debug for BackofficeLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files(folder) => write!(f, "files in {}", folder.display()),
            // The address may hold a password.
            Self::Server(_) => f.write_str("a PostgreSQL server"),
        }
    }
}

impl BackofficeSettings {
    /// The files of a data folder, with the usual ceilings.
    pub fn in_folder(data: &Path) -> Self {
        Self::at(BackofficeLocation::Files(data.join("backoffice")))
    }

    /// A back office with the usual ceilings.
    pub fn at(location: BackofficeLocation) -> Self {
        Self { location, connections_max: 4, statement_timeout: Duration::from_secs(5) }
    }
}
