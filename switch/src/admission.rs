//! Connections that are taken: how many at once over all listeners, of one address, and of those
//! that have proved nothing yet. Where there is no room, the connection that has been idle longest
//! is closed for the new one, a stranger's before one of an address that is known.
//!
//! A connection is *idle* while nobody waits on it: a line before its sign-on, an HTTP connection
//! without a request of somebody who has proved who it is. Whatever is under way is never closed to
//! make room.

mod accept;
mod address;
mod rate;
mod state;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

pub use accept::accept;
pub use address::Address;
pub use rate::LogRate;
use state::State;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A participant's line.
    Line,
    /// The JSON API.
    Http,
    /// Another node of the cluster.
    Peer,
}

/// How many connections are taken at once.
#[derive(Debug, Clone, Copy)]
pub struct Ceilings {
    /// Sockets of accepted connections, those on their way out too: what there are descriptors for.
    pub sockets: usize,
    /// Of one address, over all listeners; an IPv6 address counts as its /64 network.
    pub per_address: usize,
    /// Lines, at all addresses they are taken at.
    pub lines: usize,
    /// Lines that have not signed on.
    pub unsigned: usize,
    /// The same, of one address.
    pub unsigned_per_address: usize,
    /// Connections to the JSON API.
    pub http: usize,
    /// Connections of other nodes.
    pub peers: usize,
}

/// Takes connections, or closes others for them. One for the whole process.
#[derive(Debug)]
pub struct Admission {
    ceilings: Ceilings,
    state: Mutex<State>,
    log_rate: LogRate,
    frame_log_rate: LogRate,
}

/// The place of one connection; given back when dropped.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    number: u64,
    address: Address,
    closed: CancellationToken,
}

impl Ceilings {
    /// The same proportions for as many connections as there are descriptors for, an eighth of them
    /// left for those on their way out: no kind can take the places of another.
    #[must_use]
    pub fn within_sockets(self) -> Self {
        let configured = self.lines + self.http + self.peers;
        if configured <= self.sockets {
            return self;
        }
        let room = self.sockets - self.sockets / 8;
        let scaled = |ceiling: usize| (ceiling * room / configured).max(1);
        Self {
            sockets: self.sockets,
            per_address: scaled(self.per_address),
            lines: scaled(self.lines),
            unsigned: scaled(self.unsigned),
            unsigned_per_address: scaled(self.unsigned_per_address),
            http: scaled(self.http),
            peers: if self.peers == 0 { 0 } else { scaled(self.peers) },
        }
    }

    /// How many connections of a kind are taken at once.
    fn of(&self, kind: Kind) -> usize {
        match kind {
            Kind::Line => self.lines,
            Kind::Http => self.http,
            Kind::Peer => self.peers,
        }
    }
}

impl Admission {
    /// Nothing taken; addresses of configured participants are known from the start.
    pub fn new(ceilings: Ceilings, known: impl IntoIterator<Item = IpAddr>) -> Arc<Self> {
        let known = known.into_iter().map(Address::of);
        let state = Mutex::new(State::new(known));
        let (log_rate, frame_log_rate) = (LogRate::each_second(), LogRate::in_bursts());
        Arc::new(Self { ceilings, state, log_rate, frame_log_rate })
    }

    /// Notes the address of a participant that was configured after the start.
    pub fn know(&self, ip: IpAddr) {
        self.state.lock().set_known(Address::of(ip));
    }

    /// Takes a connection, idle at first; none when nothing can be closed for it. Then the caller
    /// closes it.
    pub fn admit(self: &Arc<Self>, kind: Kind, peer: SocketAddr) -> Option<Place> {
        let address = Address::of(peer.ip());
        let closed = CancellationToken::new();
        let taken = self.state.lock().admit(&self.ceilings, kind, address, closed.clone());
        let Some(number) = taken else {
            metrics::counter!("cauce_connections_refused_total", "kind" => kind.name())
                .increment(1);
            return None;
        };
        Some(Place { admission: Arc::clone(self), number, address, closed })
    }

    /// Connections that have a place now.
    pub fn len(&self) -> usize {
        self.state.lock().open()
    }

    /// Whether no connection has a place.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Kind {
    /// The name used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Http => "http",
            Self::Peer => "peer",
        }
    }
}

impl Place {
    /// Cancelled when the connection must end to make room for another.
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// The peer's address, as it is counted.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Whether a log line about this peer may be written now: how many lines about peers were left
    /// out before it. None leaves this one out, too.
    pub fn may_log(&self) -> Option<u64> {
        self.admission.log_rate.may_log(self.address)
    }

    /// The same of a line about what the peer sent, of which each connection causes few.
    pub fn may_log_frame(&self) -> Option<u64> {
        self.admission.frame_log_rate.may_log(self.address)
    }

    /// Notes that somebody waits on the connection now, or nobody any more.
    pub fn set_idle(&self, is_idle: bool) {
        self.admission.state.lock().set_idle(self.number, is_idle);
    }

    /// Notes that the peer has proved who it is: its address is known from now on.
    pub fn set_known(&self) {
        self.admission.state.lock().set_known(self.address);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.state.lock().release(self.number);
    }
}

#[cfg(test)]
mod tests;
