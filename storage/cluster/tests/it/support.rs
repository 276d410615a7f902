//! Nodes for tests: one Cassandra and one Redis for all, a keyspace and a namespace for each.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rig::{Redis, RedisOptions};
use storage::seal::SealingKey;
use storage::{Recovered, Sealer, Store};
use storage_cluster::{ClusterSettings, Node};
use storage_cql::session::Replication;
use storage_redis::Form;

/// How long anything may take before a test has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster of one's own.
pub struct World {
    keyspace: String,
    redis_url: String,
}

pub fn shared_redis() -> &'static Redis {
    static REDIS: OnceLock<Redis> = OnceLock::new();
    REDIS.get_or_init(|| Redis::start(RedisOptions::default()).unwrap())
}

impl World {
    /// Fresh tables, on the Redis that all tests share.
    pub fn fresh() -> Self {
        Self::over(&shared_redis().url())
    }

    /// The same, on a Redis of its own.
    pub fn over(redis_url: &str) -> Self {
        let world = Self { keyspace: rig::fresh_keyspace(), redis_url: redis_url.to_owned() };
        storage_cql::schema::apply(&world.cql(), "test").unwrap();
        world
    }

    pub fn cql(&self) -> storage_cql::CqlSettings {
        let nodes = rig::shared_cassandra().addresses();
        storage_cql::CqlSettings {
            replication: Replication::Everywhere(1),
            request_timeout: Duration::from_secs(5),
            ..storage_cql::CqlSettings::new(nodes, &self.keyspace)
        }
    }

    pub fn settings(&self, node: &str) -> ClusterSettings {
        let form = Form::Single { url: self.redis_url.clone() };
        let gate = storage_redis::RedisSettings::new(form, &self.keyspace);
        ClusterSettings {
            address: "127.0.0.1:1".to_owned(),
            beat_every: Duration::from_millis(100),
            takeover_after: Duration::from_millis(1_500),
            ..ClusterSettings::new(node, self.cql(), gate)
        }
    }

    /// A node that the gate serves.
    pub fn node(&self, name: &str) -> (Arc<Node>, Recovered) {
        // Shown for a test that fails; a second call finds it there.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let (node, recovered) = Node::start(self.settings(name), sealer(), 0).unwrap();
        served(&node);
        (node, recovered)
    }
}

pub fn served(node: &Node) {
    rig::eventually("the gate serves the node", PATIENCE, || {
        let served = node.served();
        served.ok_or_else(|| rig::Error::new("not yet"))
    })
    .unwrap();
}

pub fn sealer() -> Sealer {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    Sealer::new("k1", vec![key]).unwrap()
}

/// Stops a node and closes its store.
pub async fn stop(node: Arc<Node>) {
    let store: Store = node.store().clone();
    tokio::task::spawn_blocking(move || node.stop()).await.unwrap();
    store.close().await;
}
