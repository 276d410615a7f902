//! A TCP proxy whose cable can be cut, in both directions or in one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ports::free_port;
use crate::{Error, Result};

const CONNECT_MAX: Duration = Duration::from_secs(5);
const CHUNK_BYTES: usize = 16 * 1024;
const ATTEMPTS: usize = 5;

/// A running proxy on 127.0.0.1, in front of one address; dropped, it and its connections end.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Direction {
    TowardsServer,
    TowardsClient,
}

struct Shared {
    network: Mutex<Network>,
    /// Tells that `network` has changed.
    changed: Condvar,
}

struct Network {
    target: String,
    refuses: bool,
    swallows_towards_server: bool,
    swallows_towards_client: bool,
    delay: Duration,
    is_over: bool,
    /// Both ends of each connection; those that ended are weeded out when another comes.
    connections: Vec<(TcpStream, TcpStream)>,
}

impl Proxy {
    /// Starts one in front of `target`, `ADDRESS:PORT`, which need not listen yet.
    pub fn start(target: &str) -> Result<Self> {
        let network = Network {
            target: target.to_owned(),
            refuses: false,
            swallows_towards_server: false,
            swallows_towards_client: false,
            delay: Duration::ZERO,
            is_over: false,
            connections: Vec::new(),
        };
        let shared = Arc::new(Shared { network: Mutex::new(network), changed: Condvar::new() });
        let (listener, port) = listen()?;
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { port, shared })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends all connections, and every new one as soon as it is made.
    pub fn cut(&self) {
        self.change(|network| {
            network.refuses = true;
            network.drop_connections();
        });
    }

    /// Swallows what clients send; connections stay, answers under way still arrive.
    pub fn cut_towards_server(&self) {
        self.change(|network| network.swallows_towards_server = true);
    }

    /// Swallows what the server answers: it has done what was asked, and nobody learns of it.
    pub fn cut_towards_client(&self) {
        self.change(|network| network.swallows_towards_client = true);
    }

    /// Holds every chunk back for so long, in each direction; later chunks wait behind it.
    pub fn delay(&self, delay: Duration) {
        self.change(|network| network.delay = delay);
    }

    /// Undoes all cuts and the delay. After a cut of one direction it ends all connections: what was
    /// swallowed is lost, and a stream with a hole in it must not go on.
    pub fn heal(&self) {
        self.change(|network| {
            if network.swallows_towards_server || network.swallows_towards_client {
                network.drop_connections();
            }
            network.refuses = false;
            network.swallows_towards_server = false;
            network.swallows_towards_client = false;
            network.delay = Duration::ZERO;
        });
    }

    /// Sends new connections to another address; those that exist stay.
    pub fn retarget(&self, target: &str) {
        self.change(|network| network.target = target.to_owned());
    }

    /// Ends all connections; new ones are taken.
    pub fn drop_connections(&self) {
        self.change(Network::drop_connections);
    }

    fn change(&self, change: impl FnOnce(&mut Network)) {
        change(&mut self.shared.lock());
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.change(|network| {
            network.is_over = true;
            network.drop_connections();
        });
        // Wakes the thread that accepts, which then sees that it is over.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Network {
    fn drop_connections(&mut self) {
        for (client, server) in self.connections.drain(..) {
            // Fails only where the other end has closed it already.
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    fn swallows(&self, direction: Direction) -> bool {
        match direction {
            Direction::TowardsServer => self.swallows_towards_server,
            Direction::TowardsClient => self.swallows_towards_client,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as the delay is at the time, and says whether the bytes are to be passed on.
    fn passes(&self, direction: Direction) -> bool {
        let arrived = Instant::now();
        let mut network = self.lock();
        loop {
            let waited = arrived.elapsed();
            if network.is_over || waited >= network.delay {
                return !network.swallows(direction);
            }
            let left = network.delay - waited;
            let woken = self.changed.wait_timeout(network, left);
            network = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn listen() -> Result<(TcpListener, u16)> {
    let mut last = Error::new("never tried");
    for _ in 0..ATTEMPTS {
        let port = free_port()?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Ok((listener, port)),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        let (target, refuses) = {
            let network = shared.lock();
            if network.is_over {
                return;
            }
            (network.target.clone(), network.refuses)
        };
        if !refuses {
            let shared = Arc::clone(shared);
            std::thread::spawn(move || connect(client, &target, &shared));
        }
    }
}

/// Connects a client through, or ends its connection where the server takes none.
fn connect(client: TcpStream, target: &str, shared: &Arc<Shared>) {
    let connected = || -> std::io::Result<[TcpStream; 5]> {
        let address = target.parse().map_err(std::io::Error::other)?;
        let server = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        let clone = |stream: &TcpStream| stream.try_clone();
        Ok([clone(&client)?, clone(&server)?, clone(&client)?, clone(&server)?, server])
    };
    let Ok([kept_client, kept_server, to_client, from_server, server]) = connected() else {
        return;
    };
    {
        let mut network = shared.lock();
        network.connections.retain(|(client, _)| client.peer_addr().is_ok());
        network.connections.push((kept_client, kept_server));
        // What was cut meanwhile must not get through.
        if network.refuses || network.is_over {
            return network.drop_connections();
        }
    }
    let answering = Arc::clone(shared);
    std::thread::spawn(move || pump(from_server, to_client, Direction::TowardsClient, &answering));
    pump(client, server, Direction::TowardsServer, shared);
}

/// Passes bytes on until either side ends, and then ends the other side.
fn pump(mut from: TcpStream, mut to: TcpStream, direction: Direction, shared: &Shared) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(len @ 1..) = from.read(&mut chunk) {
        if shared.passes(direction) && to.write_all(&chunk[..len]).is_err() {
            break;
        }
    }
    // An end is swallowed too: where nothing gets through, neither does a FIN.
    if !shared.lock().swallows(direction) {
        let _ = to.shutdown(Shutdown::Write);
    }
    let _ = from.shutdown(Shutdown::Read);
}
