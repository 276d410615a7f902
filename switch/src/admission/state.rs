//! The table of connections, by age and by address.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio_util::sync::CancellationToken;

use super::{Address, Ceilings, Kind};

/// Addresses remembered because a participant signed on from them.
const KNOWN_MAX: usize = 4096;

/// The table of connections.
#[derive(Debug, Default)]
pub(super) struct State {
    connections: HashMap<u64, Connection>,
    /// Idle connections: since when, by a count that only grows, and which.
    idle: BTreeMap<u64, u64>,
    by_address: HashMap<Address, OfAddress>,
    by_kind: HashMap<Kind, usize>,
    known: HashSet<Address>,
    /// Lines that have not signed on.
    unsigned: usize,
    next: u64,
}

#[derive(Debug)]
struct Connection {
    kind: Kind,
    address: Address,
    closed: CancellationToken,
    idle_since: Option<u64>,
    /// Told to end; its socket is there until its place is dropped.
    is_ending: bool,
}

/// What an address has, without connections that are ending.
#[derive(Debug, Default)]
struct OfAddress {
    count: usize,
    /// Its idle connections, oldest first.
    idle: BTreeMap<u64, u64>,
    unsigned: usize,
}

impl State {
    pub fn new(known: impl Iterator<Item = Address>) -> Self {
        Self { known: known.take(KNOWN_MAX).collect(), ..Self::default() }
    }

    /// Connections whose sockets are there.
    pub fn open(&self) -> usize {
        self.connections.len()
    }

    /// Takes a connection and gives its number; none when there is no room to be made.
    pub fn admit(
        &mut self,
        ceilings: &Ceilings,
        kind: Kind,
        address: Address,
        closed: CancellationToken,
    ) -> Option<u64> {
        self.make_room(ceilings, kind, address)?;
        let number = self.tick();
        let connection = Connection { kind, address, closed, idle_since: None, is_ending: false };
        self.connections.insert(number, connection);
        self.by_address.entry(address).or_default().count += 1;
        *self.by_kind.entry(kind).or_default() += 1;
        self.set_idle(number, true);
        Some(number)
    }

    /// None when a ceiling is reached and no connection can be closed for the new one.
    fn make_room(&mut self, ceilings: &Ceilings, kind: Kind, address: Address) -> Option<()> {
        let of_address = self.by_address.get(&address);
        let (count, unsigned) = of_address.map_or((0, 0), |of| (of.count, of.unsigned));
        if count >= ceilings.per_address {
            self.close(self.oldest_of(address, |_| true)?);
        }
        if kind == Kind::Line && unsigned >= ceilings.unsigned_per_address {
            self.close(self.oldest_of(address, |of| of == Kind::Line)?);
        }
        if kind == Kind::Line && self.unsigned >= ceilings.unsigned {
            self.close(self.oldest(|of| of == Kind::Line)?);
        }
        if self.by_kind.get(&kind).copied().unwrap_or(0) >= ceilings.of(kind) {
            self.close(self.oldest(|of| of == kind)?);
        }
        if self.connections.len() >= ceilings.sockets {
            // The socket of what is closed now is there for a moment longer: refuse this one.
            if let Some(oldest) = self.oldest(|of| of == kind) {
                self.close(oldest);
            }
            return None;
        }
        Some(())
    }

    /// The connection of an address that has been idle longest.
    fn oldest_of(&self, address: Address, wanted: impl Fn(Kind) -> bool) -> Option<u64> {
        let mut idle = self.by_address.get(&address)?.idle.values();
        idle.find(|number| wanted(self.connections[number].kind)).copied()
    }

    /// The connection that has been idle longest: a stranger's, if there is one.
    fn oldest(&self, wanted: impl Fn(Kind) -> bool) -> Option<u64> {
        let mut of_known = None;
        for number in self.idle.values() {
            let connection = &self.connections[number];
            if !wanted(connection.kind) {
                continue;
            }
            if !self.known.contains(&connection.address) {
                return Some(*number);
            }
            of_known = of_known.or(Some(*number));
        }
        of_known
    }

    fn close(&mut self, number: u64) {
        self.set_idle(number, false);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.is_ending = true;
        connection.closed.cancel();
        let (kind, address) = (connection.kind, connection.address);
        metrics::counter!("cauce_connections_displaced_total", "kind" => kind.name()).increment(1);
        self.uncount(kind, address);
    }

    pub fn set_idle(&mut self, number: u64, is_idle: bool) {
        let tick = self.tick();
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if connection.is_ending || connection.idle_since.is_some() == is_idle {
            return;
        }
        let of_address = self.by_address.entry(connection.address).or_default();
        let is_line = usize::from(connection.kind == Kind::Line);
        match connection.idle_since.take() {
            Some(since) => {
                self.idle.remove(&since);
                of_address.idle.remove(&since);
                of_address.unsigned -= is_line;
                self.unsigned -= is_line;
            }
            None => {
                connection.idle_since = Some(tick);
                self.idle.insert(tick, number);
                of_address.idle.insert(tick, number);
                of_address.unsigned += is_line;
                self.unsigned += is_line;
            }
        }
    }

    pub fn set_known(&mut self, address: Address) {
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(address);
    }

    pub fn release(&mut self, number: u64) {
        self.set_idle(number, false);
        let Some(connection) = self.connections.remove(&number) else { return };
        if !connection.is_ending {
            self.uncount(connection.kind, connection.address);
        }
    }

    fn uncount(&mut self, kind: Kind, address: Address) {
        if let Some(count) = self.by_kind.get_mut(&kind) {
            *count -= 1;
        }
        if let Some(of_address) = self.by_address.get_mut(&address) {
            of_address.count -= 1;
            if of_address.count == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
