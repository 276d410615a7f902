//! The gate's servers: a primary and its replica, behind one address that can be pointed at
//! either, and with a cable between them that can be cut.

use std::time::Duration;

use parking_lot::Mutex;
use rig::{Proxy, Redis, RedisOptions, eventually};

const LINK_MAX: Duration = Duration::from_secs(20);

/// A primary and its replica.
pub struct RedisPair {
    servers: [Redis; 2],
    primary: Mutex<usize>,
    /// Faults may overlap, but what each does to the servers is whole.
    one_at_a_time: Mutex<()>,
    /// What the nodes know as Redis.
    pub front: Proxy,
    /// Between the primary and its replica.
    pub replication: Proxy,
}

impl RedisPair {
    /// Starts both.
    pub fn start() -> Self {
        let primary = Redis::start(RedisOptions::default()).expect("a Redis");
        let replica = Redis::start(RedisOptions::default()).expect("a Redis");
        let front = Proxy::start(&primary.address()).expect("a proxy");
        let replication = Proxy::start(&primary.address()).expect("a proxy");
        let (servers, primary) = ([primary, replica], Mutex::new(0));
        let pair = Self { servers, primary, one_at_a_time: Mutex::new(()), front, replication };
        pair.follow();
        pair
    }

    /// Address of what the nodes know.
    pub fn url(&self) -> String {
        format!("redis://{}", self.front.address())
    }

    /// The server in use.
    pub fn primary(&self) -> &Redis {
        &self.servers[*self.primary.lock()]
    }

    /// The other one.
    pub fn replica(&self) -> &Redis {
        &self.servers[1 - *self.primary.lock()]
    }

    /// From now on the replica learns nothing: what the primary grants is the tail to be lost.
    pub fn cut_replication(&self) {
        let _one = self.one_at_a_time.lock();
        self.replication.cut_towards_client();
    }

    /// Makes the replica the primary, with what it has. Connections to the old one stay.
    pub fn promote(&self) {
        let _one = self.one_at_a_time.lock();
        self.promote_replica();
    }

    fn promote_replica(&self) {
        self.replica().promote().expect("a promotion");
        let mut primary = self.primary.lock();
        *primary = 1 - *primary;
        self.front.retarget(&self.servers[*primary].address());
    }

    /// Kills the primary, promotes the replica; the dead one comes back as the replica.
    pub fn fail_over(&self) {
        let _one = self.one_at_a_time.lock();
        self.primary().kill();
        self.promote_replica();
        self.rejoin_replaced();
    }

    /// Wakes whoever sleeps.
    pub fn wake(&self) {
        for server in self.servers.iter().filter(|server| server.is_alive()) {
            server.resume().expect("a signal");
        }
    }

    /// The server that was replaced comes back as the replica; everybody talks to the new one.
    pub fn rejoin(&self) {
        let _one = self.one_at_a_time.lock();
        self.rejoin_replaced();
    }

    fn rejoin_replaced(&self) {
        self.front.drop_connections();
        if !self.replica().is_alive() {
            self.replica().restart().expect("a restart");
        }
        self.follow();
    }

    fn follow(&self) {
        self.replication.heal();
        self.replication.drop_connections();
        self.replication.retarget(&self.primary().address());
        let replica = self.replica();
        let port = self.replication.port().to_string();
        replica.command(&["REPLICAOF", "127.0.0.1", &port]).expect("a replica");
        eventually("the replica's link", LINK_MAX, || {
            match replica.info("replication", "master_link_status")?.as_str() {
                "up" => Ok(()),
                link => Err(std::io::Error::other(format!("the link is {link}")).into()),
            }
        })
        .expect("a replica in sync");
    }

    /// Undoes every cut and pause.
    pub fn heal(&self) {
        self.wake();
        if !self.primary().is_alive() {
            self.primary().restart().expect("a restart");
        }
        self.front.heal();
        self.rejoin();
    }
}
