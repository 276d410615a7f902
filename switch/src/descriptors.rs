//! File descriptors: the process asks for as many as its configuration may need, keeps those of
//! the journal apart, and takes only as many connections as the rest allows.
//!
//! A write of the journal that finds no descriptor would end the process, so no socket of a
//! stranger may take the last one.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use storage::settings::OPEN_FILES_MAX;

use crate::adapter::json;
use crate::config::Config;
use crate::outbound;

/// What the runtime, the log, signals and the admin port's own thread have open.
const PROCESS_FILES: usize = 64;
/// Sockets that were accepted and are refused, or are on their way out.
const CLOSING_SOCKETS: usize = 64;
/// What Redis and CQL clients of one node have open.
const CLUSTER_FILES: usize = 256;
/// Connections of other nodes at once.
pub const PEERS_MAX: usize = 256;
/// With room for fewer connections than this a start makes no sense.
const SOCKETS_LEAST: usize = 32;

/// Why the process cannot have the descriptors it needs.
#[derive(Debug, thiserror::Error)]
pub enum DescriptorError {
    /// The limit leaves nothing for connections.
    #[error(
        "the limit of open files is {limit} and at least {least} are needed: raise the hard limit \
         (LimitNOFILE={wanted} in the systemd unit, or ulimit -Hn {wanted})"
    )]
    TooFew {
        /// The hard limit.
        limit: usize,
        /// With fewer the switch does not start.
        least: usize,
        /// What the configured ceilings add up to.
        wanted: usize,
    },
    /// The limit could not be raised.
    #[error("the limit of open files cannot be raised to {0}")]
    Raise(usize, #[source] io::Error),
}

/// How many descriptors a configuration may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorNeed {
    /// For everything but accepted connections: journal, read models, connections that we open.
    own: usize,
    /// For accepted connections, by their ceilings.
    sockets: usize,
}

/// What a limit comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The soft limit to be set.
    limit: usize,
    /// Accepted connections there is room for.
    pub sockets: usize,
}

impl DescriptorNeed {
    /// What a configuration may need.
    pub fn of(config: &Config) -> Self {
        let service = &config.service;
        let dialled = config.participants.iter().filter_map(|one| one.reach.as_ref());
        let dialled: usize = dialled.map(|reach| reach.lines).sum();
        let listeners = 4 + config.participants.iter().filter(|one| one.listen.is_some()).count();
        let (cluster, peers) = match service.cluster {
            Some(_) => (CLUSTER_FILES, PEERS_MAX),
            None => (0, 0),
        };
        // The admin port counts its own.
        let admin = service.admin.connections_max + 1;
        let of_json = config.participants.iter().filter(|one| one.json.is_some());
        // As many again wait in the pool for the next request.
        let of_json: usize = of_json.map(|one| json::requests_max(one) * 2).sum();
        let own = OPEN_FILES_MAX + PROCESS_FILES + admin + dialled + of_json + listeners;
        Self {
            own: own + outbound::descriptors_for(service.notices.in_flight_max) + cluster,
            sockets: service.http.connections_max + service.iso8583.connections_max + peers,
        }
    }

    fn wanted(self) -> usize {
        self.own + self.sockets + CLOSING_SOCKETS
    }

    /// What there is room for under a soft and a hard limit.
    ///
    /// Errors: [`DescriptorError::TooFew`].
    fn within(self, soft: usize, hard: usize) -> Result<Room, DescriptorError> {
        let limit = self.wanted().max(soft).min(hard);
        let kept = self.own + CLOSING_SOCKETS;
        let sockets = limit.saturating_sub(kept).min(self.sockets);
        if sockets < SOCKETS_LEAST.min(self.sockets) {
            let least = kept + SOCKETS_LEAST;
            return Err(DescriptorError::TooFew { limit, least, wanted: self.wanted() });
        }
        Ok(Room { limit, sockets })
    }
}

/// Raises the soft limit as far as the configuration needs; gives how many accepted connections
/// there is room for. Where that is less than configured, a warning says so with its numbers.
///
/// Errors: [`DescriptorError`].
pub fn make_room(config: &Config) -> Result<Room, DescriptorError> {
    let need = DescriptorNeed::of(config);
    let limits = getrlimit(Resource::Nofile);
    let size = |limit: Option<u64>| {
        limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
    };
    let soft = size(limits.current);
    let room = need.within(soft, size(limits.maximum))?;
    if room.limit > soft {
        let current = u64::try_from(room.limit).ok();
        setrlimit(Resource::Nofile, Rlimit { current, maximum: limits.maximum })
            .map_err(|error| DescriptorError::Raise(room.limit, error.into()))?;
        tracing::info!(from = soft, to = room.limit, "limit of open files raised");
    }
    if room.sockets < need.sockets {
        tracing::warn!(
            limit = room.limit,
            wanted = need.wanted(),
            connections = room.sockets,
            configured = need.sockets,
            "the hard limit of open files is too low: fewer connections are taken at once than \
             http.connections_max and iso8583.connections_max say; raise it (LimitNOFILE in the \
             systemd unit, ulimit -Hn), or lower these keys"
        );
    }
    Ok(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: DescriptorNeed = DescriptorNeed { own: 800, sockets: 5000 };

    #[test]
    fn the_soft_limit_is_raised_to_what_the_ceilings_need_and_no_further() {
        assert_eq!(NEED.within(1024, 1_000_000).unwrap(), Room { limit: 5864, sockets: 5000 });
        assert_eq!(NEED.within(20_000, 20_000).unwrap(), Room { limit: 20_000, sockets: 5000 });
    }

    #[test]
    fn a_hard_limit_that_is_too_low_lowers_the_ceiling_of_connections_alone() {
        assert_eq!(NEED.within(1024, 4096).unwrap(), Room { limit: 4096, sockets: 3232 });
        assert_eq!(NEED.within(1024, 1024).unwrap(), Room { limit: 1024, sockets: 160 });
    }

    #[test]
    fn a_hard_limit_that_leaves_nothing_for_connections_stops_the_start_with_numbers() {
        let error = NEED.within(256, 256).unwrap_err().to_string();
        assert!(error.contains("is 256 and at least 896"), "{error}");
        assert!(error.contains("LimitNOFILE=5864"), "{error}");
    }
}
