//! Classes that Java has loaded once already, kept in a file (class data sharing).
//!
//! A node spends most of its start on loading eight thousand classes. The first test of a build
//! that needs a node starts one for this alone, which takes some fifteen seconds once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::cassandra::config::{CassandraOptions, NodeConfig};
use crate::cassandra::jars::Java;
use crate::cassandra::{ADDRESSES, READY_MAX, cql};
use crate::ports::free_port;
use crate::process::Process;
use crate::{Error, Result, dirs};

const WRITTEN_MAX: Duration = Duration::from_secs(60);

/// The archive for these jars and this Java, made where there is none. Nothing depends on it but
/// speed, so where it cannot be had, and while another process makes it, there is none.
pub(super) fn of(java: &Java) -> Option<PathBuf> {
    static ARCHIVE: OnceLock<Option<PathBuf>> = OnceLock::new();
    ARCHIVE.get_or_init(|| find_or_make(java).ok()).clone()
}

fn find_or_make(java: &Java) -> Result<PathBuf> {
    let home = dirs::home()?;
    let name = format!("classes-{:016x}", java.fingerprint());
    let archive = home.join(format!("{name}.jsa"));
    let lock = File::create(home.join(format!("{name}.lock")))?;
    if archive.exists() {
        return Ok(archive);
    }
    lock.try_lock().map_err(|_| Error::new("another process makes it"))?;
    // By now another process may have.
    if !archive.exists() {
        let dir = dirs::fresh("classes")?;
        let fresh = dir.path().join("classes.jsa");
        make(java, dir.path(), &fresh)?;
        std::fs::rename(fresh, &archive)?;
    }
    Ok(archive)
}

/// Starts a node, has it do a little of everything, and ends it in order: then Java writes.
fn make(java: &Java, dir: &Path, archive: &Path) -> Result<()> {
    let [address, ..] = ADDRESSES;
    let (native_port, storage_port) = (free_port()?, free_port()?);
    let config = NodeConfig { dir, address, native_port, storage_port, node: 0, nodes: 1 };
    config.write(&CassandraOptions::default())?;
    let option = format!("-XX:ArchiveClassesAtExit={}", archive.display());
    let mut process = Process::start(java.program(), &java.arguments(dir, &[option]), dir)?;
    process.wait_ready("Cassandra, to learn its classes", READY_MAX, || {
        cql::options(address, native_port)
    })?;
    for statement in [
        "CREATE KEYSPACE a WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE a.a (a int PRIMARY KEY, b int)",
        "INSERT INTO a.a (a, b) VALUES (1, 1)",
        "INSERT INTO a.a (a, b) VALUES (2, 1) IF NOT EXISTS",
        "UPDATE a.a SET b = 2 WHERE a = 2 IF b = 1",
        "SELECT * FROM a.a",
    ] {
        cql::execute(address, native_port, statement)?;
    }
    process.terminate(WRITTEN_MAX)
}
