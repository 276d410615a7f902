//! The admin port's section.

use std::net::SocketAddr;
use std::time::Duration;

use super::read::Section;
use super::service::{address, millis};
use crate::outbound::address::Host;

/// The listener of health, readiness, metrics and drain.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Its address.
    pub listen: SocketAddr,
    /// Names it answers to, besides its addresses.
    pub hosts: Vec<Host>,
    /// Connections at once.
    pub connections_max: usize,
    /// Time for a request's header, and between two requests.
    pub header_timeout: Duration,
}

pub(super) fn read(section: &mut Section<'_>) -> AdminConfig {
    AdminConfig {
        listen: address(section, "listen", 9090),
        hosts: section.parsed_list("hosts"),
        connections_max: section.size("connections_max", 1..=10_000, 64),
        header_timeout: millis(section, "header_timeout_ms", 10_000),
    }
}
