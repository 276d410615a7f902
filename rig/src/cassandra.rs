//! Apache Cassandra, one node or three: the CQL server that can be had from a registry.

mod archive;
mod config;
mod cql;
mod jars;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

pub use config::{CassandraOptions, Jit, Paxos};

use crate::cassandra::config::NodeConfig;
use crate::cassandra::jars::Java;
use crate::ports::free_port_on;
use crate::process::Process;
use crate::{Error, Result, dirs, eventually};

/// Four to seven seconds are usual; the rest is for a machine that does other things too.
const READY_MAX: Duration = Duration::from_secs(120);
const ATTEMPTS: usize = 3;
/// Several nodes share one port, as drivers take it for given that they do.
const ADDRESSES: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];

/// A running Cassandra; dropped, all its nodes are killed and their data removed.
///
/// An acknowledged write is on disk (`commitlog_sync: batch`). Nodes are counted from 0.
pub struct Cassandra {
    // Before the folder, which they write to until they are dropped.
    nodes: Vec<Node>,
    native_port: u16,
    java: Java,
    dir: TempDir,
}

struct Node {
    address: &'static str,
    dir: PathBuf,
    process: Mutex<Process>,
}

impl Cassandra {
    /// Starts one node, or three that know each other, with the default options.
    pub fn start(nodes: usize) -> Result<Self> {
        Self::start_with(nodes, &CassandraOptions::default())
    }

    /// Starts one node, or three one after another; returns when every node answers and, if there
    /// are three, takes a write at consistency ALL.
    ///
    /// Shape:  `nodes` is 1 to 3.
    /// Errors: no jars or no Java (says which script fetches them); not ready within two minutes
    ///         a node, and then its log is quoted.
    pub fn start_with(nodes: usize, options: &CassandraOptions) -> Result<Self> {
        let java = Java::find()?;
        let archive = archive::of(&java);
        let java = java.with_archive(archive);
        let addresses = ADDRESSES.get(..nodes).filter(|some| !some.is_empty());
        let addresses = addresses.ok_or_else(|| Error::new("one to three nodes, please"))?;
        let mut last = Error::new("never tried");
        for _ in 0..ATTEMPTS {
            match Self::try_start(&java, addresses, options) {
                Ok(cassandra) => return Ok(cassandra),
                Err(error) if is_port_taken(&error) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn try_start(
        java: &Java,
        addresses: &[&'static str],
        options: &CassandraOptions,
    ) -> Result<Self> {
        let (native_port, storage_port) = (free_port_on(addresses)?, free_port_on(addresses)?);
        let dir = dirs::fresh("cassandra")?;
        let mut cassandra = Self { nodes: Vec::new(), native_port, java: java.clone(), dir };
        for (index, address) in addresses.iter().enumerate() {
            let dir = cassandra.dir.path().join(index.to_string());
            let (node, nodes) = (index, addresses.len());
            let config = NodeConfig { dir: &dir, address, native_port, storage_port, node, nodes };
            config.write(options)?;
            let process = Mutex::new(cassandra.run(address, &dir)?);
            cassandra.nodes.push(Node { address, dir, process });
        }
        if addresses.len() > 1 {
            cassandra.wait_all_write()?;
        }
        Ok(cassandra)
    }

    /// `ADDRESS:PORT` of each node, where CQL is spoken.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("{}:{}", node.address, self.native_port)).collect()
    }

    /// Executes one statement that returns no rows, at consistency ALL, over a connection of its
    /// own: for preparing a test; what is tested has its own driver.
    pub fn execute(&self, node: usize, statement: &str) -> Result<()> {
        cql::execute(self.nodes[node].address, self.native_port, statement)
    }

    /// The node's process, which `restart` replaces.
    pub fn pid(&self, node: usize) -> u32 {
        self.process(node).pid()
    }

    /// Whether the node's process runs or is paused.
    pub fn is_alive(&self, node: usize) -> bool {
        self.process(node).is_alive()
    }

    /// SIGKILL; returns when it has ended.
    pub fn kill(&self, node: usize) {
        self.process(node).kill();
    }

    /// SIGSTOP: connections stay open and nothing is answered.
    pub fn pause(&self, node: usize) -> Result<()> {
        self.process(node).pause()
    }

    /// SIGCONT.
    pub fn resume(&self, node: usize) -> Result<()> {
        self.process(node).resume()
    }

    /// Kills the node if it runs and starts it with the same data and ports; returns when it
    /// answers. The other nodes may take it for down a little longer: see `wait_all_write`.
    pub fn restart(&self, node: usize) -> Result<()> {
        let mut process = self.process(node);
        process.kill();
        *process = self.run(self.nodes[node].address, &self.nodes[node].dir)?;
        Ok(())
    }

    /// Waits until every node takes a write at consistency ALL: all see all the others.
    pub fn wait_all_write(&self) -> Result<()> {
        let keyspace = format!(
            "CREATE KEYSPACE IF NOT EXISTS rig_ready WITH replication = \
             {{'class': 'SimpleStrategy', 'replication_factor': {}}}",
            self.nodes.len()
        );
        let table = "CREATE TABLE IF NOT EXISTS rig_ready.a (a int PRIMARY KEY)";
        let write = "INSERT INTO rig_ready.a (a) VALUES (1)";
        eventually("all nodes to see each other", READY_MAX, || {
            self.execute(0, &keyspace)?;
            self.execute(0, table)?;
            (0..self.nodes.len()).try_for_each(|node| self.execute(node, write))
        })
    }

    fn run(&self, address: &str, dir: &Path) -> Result<Process> {
        let port = self.native_port;
        let mut process = Process::start(self.java.program(), &self.java.arguments(dir, &[]), dir)?;
        process.wait_ready(&format!("Cassandra on {address}:{port}"), READY_MAX, || {
            cql::options(address, port)
        })?;
        Ok(process)
    }

    fn process(&self, node: usize) -> MutexGuard<'_, Process> {
        self.nodes[node].process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_port_taken(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("already in use") || text.contains("in use by another process")
}

/// One node for all tests of this process, started by the first that asks and killed when the
/// process ends. Each test takes a `fresh_keyspace` there and breaks nothing.
///
/// # Panics
/// Where it does not start, with its log; at once for every later test.
pub fn shared_cassandra() -> &'static Cassandra {
    static SHARED: OnceLock<Result<Cassandra>> = OnceLock::new();
    match SHARED.get_or_init(|| Cassandra::start(1)) {
        Ok(cassandra) => cassandra,
        Err(error) => panic!("{error}"),
    }
}

/// A name that no other test of this process has been given, in lower case. The keyspace itself is
/// the caller's to create.
pub fn fresh_keyspace() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("rig_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
