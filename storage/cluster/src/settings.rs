//! What a node needs to know.

use std::sync::Arc;
use std::time::Duration;

use storage::settings::Limits;
use storage::{Clock, WallClock};

/// Most bytes of records in one frame, unless set otherwise: what one conditional update makes
/// durable travels in parts of 64 KiB, and few of them at once do not overrun a server.
pub const FRAME_LEN_MAX: usize = 256 << 10;

/// Settings of one node among many.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// Its name: the same after a restart, and no other node's.
    pub node: String,
    /// Where other nodes reach it, `host:port`.
    pub address: String,
    /// Version of the program, for people.
    pub version: String,
    /// Ceilings of each lane's store.
    pub limits: Limits,
    /// A repeat of an idempotency key is known for at least this long.
    pub key_retention: Duration,
    /// Pause between two signs of life.
    pub beat_every: Duration,
    /// A node that gave no sign of life for so long, by this node's own clock, is taken for dead.
    pub takeover_after: Duration,
    /// Records of a lane between two snapshots.
    pub snapshot_records: u64,
    /// How long a writer tries to make a frame durable before its node gives up.
    pub give_up_after: Duration,
    /// The journal's servers.
    pub cql: storage_cql::CqlSettings,
    /// The gate's Redis.
    pub gate: storage_redis::RedisSettings,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl ClusterSettings {
    /// Those of a node with the defaults for everything else.
    pub fn new(
        node: &str,
        cql: storage_cql::CqlSettings,
        gate: storage_redis::RedisSettings,
    ) -> Self {
        let limits = Limits { frame_len_max: FRAME_LEN_MAX, ..Limits::default() };
        Self {
            node: node.to_owned(),
            address: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            limits,
            key_retention: gate.key_retention,
            beat_every: Duration::from_millis(500),
            takeover_after: Duration::from_secs(5),
            snapshot_records: 500_000,
            give_up_after: Duration::from_secs(60),
            cql,
            gate,
            clock: Arc::new(WallClock),
        }
    }
}
