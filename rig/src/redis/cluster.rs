//! A Redis Cluster.

use std::time::Duration;

use crate::wait::holds;
use crate::{Redis, RedisOptions, Result, eventually};

const SLOTS: usize = 16_384;
const READY_MAX: Duration = Duration::from_secs(30);

/// A running Redis Cluster; dropped, all its nodes are killed.
pub struct RedisCluster {
    masters: usize,
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts `masters` servers that share the slots evenly, each with `replicas_each` replicas;
    /// returns when every node takes the cluster for whole and every replica is in sync.
    ///
    /// Shape: masters >= 1; Redis itself fails over only with three or more.
    pub fn start(masters: usize, replicas_each: usize) -> Result<Self> {
        let options = RedisOptions::default()
            .set("cluster-enabled", "yes")
            .set("cluster-node-timeout", "1000")
            .set("cluster-replica-validity-factor", "0");
        let count = masters * (1 + replicas_each);
        let start = || Redis::start(options.clone());
        let nodes = (0..count).map(|_| start()).collect::<Result<Vec<_>>>()?;
        let cluster = Self { masters, nodes };
        cluster.share_slots()?;
        cluster.meet()?;
        cluster.attach_replicas()?;
        cluster.wait_ok()?;
        Ok(cluster)
    }

    /// All nodes: the masters of the start first, then the replicas, those of the first master
    /// first.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The nodes that were started as masters.
    pub fn masters(&self) -> &[Redis] {
        &self.nodes[..self.masters]
    }

    /// The nodes that were started as replicas of the given master.
    pub fn replicas_of(&self, master: usize) -> &[Redis] {
        let each = self.nodes.len() / self.masters - 1;
        &self.nodes[self.masters + master * each..][..each]
    }

    /// `redis://127.0.0.1:PORT` of each node.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// Waits until every living node takes the cluster for whole, as after a failover.
    pub fn wait_ok(&self) -> Result<()> {
        eventually("the cluster to be whole", READY_MAX, || {
            let mut living = self.nodes.iter().filter(|node| node.is_alive());
            living.try_for_each(|node| {
                let state = node.command(&["CLUSTER", "INFO"])?.text();
                holds(state.contains("cluster_state:ok"), || state.clone())
            })
        })
    }

    fn share_slots(&self) -> Result<()> {
        for (index, node) in self.masters().iter().enumerate() {
            let first = SLOTS * index / self.masters;
            let last = SLOTS * (index + 1) / self.masters - 1;
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
        }
        // Different epochs from the start, or the nodes take seconds to settle a conflict.
        for (index, node) in self.nodes.iter().enumerate() {
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
        }
        Ok(())
    }

    /// Each is shown to each: gossip alone would take seconds.
    fn meet(&self) -> Result<()> {
        for (index, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[index + 1..] {
                let port = other.port().to_string();
                node.command(&["CLUSTER", "MEET", "127.0.0.1", &port])?;
            }
        }
        let expected = format!("cluster_known_nodes:{}\r", self.nodes.len());
        eventually("the nodes to meet", READY_MAX, || {
            self.nodes.iter().try_for_each(|node| {
                let state = node.command(&["CLUSTER", "INFO"])?.text();
                let handshaking = node.command(&["CLUSTER", "NODES"])?.text().contains("handshake");
                holds(state.contains(&expected) && !handshaking, || state.clone())
            })
        })
    }

    fn attach_replicas(&self) -> Result<()> {
        for (index, master) in self.masters().iter().enumerate() {
            let id = master.command(&["CLUSTER", "MYID"])?.text();
            for replica in self.replicas_of(index) {
                replica.command(&["CLUSTER", "REPLICATE", &id])?;
            }
        }
        for index in 0..self.masters {
            let replicas = self.replicas_of(index);
            replicas.iter().try_for_each(|one| self.masters()[index].wait_replica_in_sync(one))?;
        }
        Ok(())
    }
}
