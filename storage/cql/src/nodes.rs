//! The nodes there are: each writes its own row, plainly, and reads the others'.

use parking_lot::Mutex;
use storage::guard::GateEpoch;

use crate::session::{Cql, CqlError, Statement};

/// One node, as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name.
    pub name: Box<str>,
    /// Which of its runs.
    pub incarnation: u64,
    /// Where other nodes reach it.
    pub address: Box<str>,
    /// Version of its program.
    pub version: Box<str>,
    /// Counted up by the node. It lives if this moves, by the watcher's own monotonic clock.
    pub beat: u64,
    /// The gate's epoch that it serves under now; none while it serves under none.
    pub gate_epoch: Option<GateEpoch>,
    /// When it was started, in milliseconds of Unix time by its own clock; for people.
    pub started_at_ms: i64,
    /// Version of its configuration.
    pub config_version: u64,
    /// How far the clock of Redis is ahead of its own, in milliseconds; none before it looked.
    pub redis_clock_ahead_ms: Option<i64>,
    /// What it does, in words.
    pub status: Box<str>,
    /// Whether this run is over, and said so.
    pub has_ended: bool,
    /// Address of a process that was refused this name within the last minute; else empty. Written
    /// by that process, not with the row.
    pub refused: Box<str>,
}

/// The table of nodes.
#[derive(Debug)]
pub struct Nodes {
    cql: Cql,
    /// Whose row was written last, and its stamp.
    last: Mutex<Option<(Box<str>, i64)>>,
}

type Columns = (
    String,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<bool>,
    Option<String>,
);

static BEAT: Statement = Statement::write(
    "node_beat",
    "INSERT INTO node (name, incarnation, address, version, beat, gate_epoch, started_at, \
     config_version, redis_clock_ahead_ms, status, has_ended) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
);
static STAMP: Statement =
    Statement::read("node_stamp", "SELECT WRITETIME(beat) FROM node WHERE name = ?");
static ALL: Statement = Statement::read(
    "node_all",
    "SELECT name, incarnation, address, version, beat, gate_epoch, started_at, config_version, \
     redis_clock_ahead_ms, status, has_ended, refused FROM node",
);
static ONE: Statement = Statement::read(
    "node_one",
    "SELECT name, incarnation, address, version, beat, gate_epoch, started_at, config_version, \
     redis_clock_ahead_ms, status, has_ended, refused FROM node WHERE name = ?",
);
static REFUSED: Statement =
    Statement::write("node_refused", "UPDATE node USING TTL 60 SET refused = ? WHERE name = ?");

impl Nodes {
    /// Over a connection.
    pub fn new(cql: &Cql) -> Self {
        Self { cql: cql.clone(), last: Mutex::default() }
    }

    /// Writes a node's own row. One attempt: the next beat comes soon enough.
    ///
    /// The rows are counted, so that the later counts whatever the servers' clocks say.
    pub fn beat(&self, node: &NodeRow) -> Result<(), CqlError> {
        let mut last = self.last.lock();
        let known = last.as_ref().filter(|(name, _)| *name == node.name).map(|(_, stamp)| *stamp);
        let before = match known {
            Some(stamp) => stamp,
            None => self.stamp(&node.name)?,
        };
        *last = Some((node.name.clone(), before + 1));
        let values = (
            &*node.name,
            node.incarnation.cast_signed(),
            &*node.address,
            &*node.version,
            node.beat.cast_signed(),
            node.gate_epoch.map(|epoch| epoch.0.cast_signed()),
            node.started_at_ms,
            node.config_version.cast_signed(),
            node.redis_clock_ahead_ms,
            &*node.status,
            node.has_ended,
            before + 1,
        );
        self.cql.block_on(self.cql.execute(&BEAT, values)).map(drop)
    }

    fn stamp(&self, name: &str) -> Result<i64, CqlError> {
        let row = self.cql.block_on(self.cql.row::<(Option<i64>,)>(&STAMP, (name,)))?;
        Ok(row.and_then(|(stamp,)| stamp).unwrap_or_default())
    }

    /// One node, if it ever was.
    pub fn node(&self, name: &str) -> Result<Option<NodeRow>, CqlError> {
        Ok(self.cql.block_on(self.cql.row::<Columns>(&ONE, (name,)))?.map(node))
    }

    /// Notes, for a minute, that a process was refused a name that another one uses. One attempt.
    pub fn note_refused(&self, name: &str, address: &str) -> Result<(), CqlError> {
        self.cql.block_on(self.cql.execute(&REFUSED, (address, name))).map(drop)
    }

    /// All nodes that ever were, by name.
    pub fn all(&self) -> Result<Vec<NodeRow>, CqlError> {
        let rows = self.cql.block_on(self.cql.rows::<Columns>(&ALL, ()))?;
        let mut nodes: Vec<NodeRow> = rows.into_iter().map(node).collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(nodes)
    }
}

fn node(columns: Columns) -> NodeRow {
    let (
        name,
        incarnation,
        address,
        version,
        beat,
        gate,
        started_at,
        config,
        ahead,
        status,
        ended,
        refused,
    ) = columns;
    let text = |text: Option<String>| Box::from(text.unwrap_or_default());
    let number = |number: Option<i64>| number.unwrap_or_default().cast_unsigned();
    NodeRow {
        name: name.into(),
        incarnation: number(incarnation),
        address: text(address),
        version: text(version),
        beat: number(beat),
        gate_epoch: gate.map(|epoch| GateEpoch(epoch.cast_unsigned())),
        started_at_ms: started_at.unwrap_or_default(),
        config_version: number(config),
        redis_clock_ahead_ms: ahead,
        status: text(status),
        has_ended: ended.unwrap_or_default(),
        refused: text(refused),
    }
}
