//! Real servers for tests: Redis, Sentinel, Cassandra, PostgreSQL, and a network that can be cut.
//!
//! Everything blocks and nothing is shared unless it says so: a test starts what it needs, breaks
//! it, and drops it. A server dies with the value that stands for it, and with the process of the
//! test however that ends. All ports are on the loopback device.

mod cassandra;
mod clock;
mod dirs;
mod error;
mod ports;
mod postgres;
mod process;
mod proxy;
mod redis;
mod wait;

pub use cassandra::{Cassandra, CassandraOptions, Jit, Paxos, fresh_keyspace, shared_cassandra};
pub use clock::FakeClock;
pub use error::{Error, Result};
pub use postgres::{Postgres, shared_postgres};
pub use proxy::Proxy;
pub use redis::cluster::RedisCluster;
pub use redis::resp::RespValue;
pub use redis::sentinel::Sentinels;
pub use redis::{Redis, RedisOptions};
pub use wait::eventually;
