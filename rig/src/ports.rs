//! Ports that nothing listens on.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::{Error, Result};

/// Below the range from which the system gives ports to outgoing connections, so that no client
/// takes a server's port while that is down for a restart; and 10,000 below it, because Redis
/// Cluster listens that much higher too.
const FIRST: u16 = 12_000;
const COUNT: u16 = 10_000;
const CLUSTER_BUS_OFFSET: u16 = 10_000;

/// What this process was given already; its owner may be about to listen or down for a restart.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port that is free on 127.0.0.1, never given twice by one process. Another process may still
/// be faster: a server that finds it taken is started again on another.
pub(crate) fn free_port() -> Result<u16> {
    free_port_on(&["127.0.0.1"])
}

/// The same for several addresses, which all use one port.
pub(crate) fn free_port_on(addresses: &[&str]) -> Result<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let random = RandomState::new();
    for attempt in 0_u32..1_000 {
        let drawn = random.hash_one(attempt) % u64::from(COUNT);
        let port = FIRST + u16::try_from(drawn).expect("invariant: drawn below COUNT");
        let is_free = |port: u16| addresses.iter().all(|at| TcpListener::bind((*at, port)).is_ok());
        if !given.contains(&port) && is_free(port) && is_free(port + CLUSTER_BUS_OFFSET) {
            given.insert(port);
            return Ok(port);
        }
    }
    Err(Error::new(format!("no port is free on {}", addresses.join(", "))))
}
