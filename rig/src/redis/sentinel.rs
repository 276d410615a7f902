//! Three Sentinels, which watch one primary and promote a replica when it is down.

use std::time::Duration;

use crate::redis::resp::{self, RespValue};
use crate::wait::holds;
use crate::{Error, Redis, Result, eventually};

const COUNT: usize = 3;
const READY_MAX: Duration = Duration::from_secs(20);

/// Three running Sentinels; dropped, they are killed. A primary is taken for down after a second.
pub struct Sentinels {
    name: String,
    servers: Vec<Redis>,
}

impl Sentinels {
    /// Starts three that watch `primary` under `name`; `quorum` of them must agree that it is
    /// down. Returns when they know each other and the replicas that `primary` has.
    pub fn start(primary: &Redis, name: &str, quorum: usize) -> Result<Self> {
        let start =
            || Redis::launch("redis-sentinel", &[], |port| config(port, primary, name, quorum));
        let servers = (0..COUNT).map(|_| start()).collect::<Result<Vec<_>>>()?;
        let sentinels = Self { name: name.to_owned(), servers };
        sentinels.hurry()?;
        let replicas = primary.info("replication", "connected_slaves")?;
        eventually("the Sentinels to find each other", READY_MAX, || {
            sentinels.servers.iter().try_for_each(|one| sentinels.knows_all(one, &replicas))
        })?;
        Ok(sentinels)
    }

    /// The name of the primary that they watch.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `127.0.0.1:PORT` of each.
    pub fn addresses(&self) -> Vec<String> {
        self.servers.iter().map(Redis::address).collect()
    }

    /// `redis://127.0.0.1:PORT` of each.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(Redis::url).collect()
    }

    /// The servers themselves, to be killed or paused.
    pub fn servers(&self) -> &[Redis] {
        &self.servers
    }

    /// The port of the primary that a living Sentinel names.
    pub fn current_primary(&self) -> Result<u16> {
        let mut last = Error::new("no Sentinel");
        for server in &self.servers {
            match resp::call(server.port(), &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &self.name]) {
                Ok(reply) => return port_of(&reply),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Waits until they all name another primary than the one on `old_port`, and that it has
    /// become one; returns its port.
    pub fn wait_failover_from(&self, old_port: u16) -> Result<u16> {
        eventually("a failover", READY_MAX, || {
            let port = self.current_primary()?;
            holds(port != old_port, || format!("the primary is still {old_port}"))?;
            let role = resp::call(port, &["ROLE"])?;
            holds(role.items().first() == Some(&RespValue::Text("master".into())), || {
                format!("{port} is no primary yet: {role:?}")
            })?;
            Ok(port)
        })
    }

    /// Orders a failover without anything being down.
    pub fn fail_over(&self) -> Result<()> {
        self.servers[0].command(&["SENTINEL", "FAILOVER", &self.name]).map(drop)
    }

    /// Makes them talk more often than in earnest, so that they find each other at once.
    fn hurry(&self) -> Result<()> {
        for server in &self.servers {
            server.command(&[
                "SENTINEL",
                "DEBUG",
                "publish-period",
                "100",
                "info-period",
                "200",
            ])?;
        }
        Ok(())
    }

    fn knows_all(&self, sentinel: &Redis, replicas: &str) -> Result<()> {
        let state = sentinel.command(&["SENTINEL", "MASTER", &self.name])?;
        let field = |name: &str| {
            let mut pairs = state.items().chunks_exact(2);
            pairs.find(|pair| pair[0].text() == name).map(|pair| pair[1].text())
        };
        let others = field("num-other-sentinels").unwrap_or_default();
        let found = field("num-slaves").unwrap_or_default();
        holds(others == (COUNT - 1).to_string() && found == replicas, || {
            format!("it knows {others} others, and {found} of {replicas} replicas")
        })
    }
}

fn config(port: u16, primary: &Redis, name: &str, quorum: usize) -> String {
    format!(
        "port {port}\nbind 127.0.0.1\nprotected-mode no\n\
         sentinel monitor {name} 127.0.0.1 {} {quorum}\n\
         sentinel down-after-milliseconds {name} 1000\n\
         sentinel failover-timeout {name} 3000\n",
        primary.port()
    )
}

fn port_of(reply: &RespValue) -> Result<u16> {
    let port = reply.items().get(1).and_then(RespValue::integer);
    let port = port.and_then(|port| u16::try_from(port).ok());
    port.ok_or_else(|| Error::new(format!("no primary: {reply:?}")))
}
