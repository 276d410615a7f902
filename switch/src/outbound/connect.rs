//! Opening connections: resolve, look at every socket address, connect, look once more.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::Service;

use super::address::{Destination, Host};
use super::sockets::{Socket, Sockets};
use super::{AddressError, AddressRule};

/// Socket addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// A socket address that is silent for so long does not hold up the next (RFC 8305 section 5).
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Names that are resolved at once; each blocks a thread until the name server answers.
pub const NAMES_MAX: usize = 16;
/// Places for names that are being resolved, in the whole process.
static NAMES: Semaphore = Semaphore::const_new(NAMES_MAX);

/// Names of participants that are resolved at once, beside those of endpoints.
pub const LINE_NAMES_MAX: usize = 16;
static LINE_NAMES: Semaphore = Semaphore::const_new(LINE_NAMES_MAX);

/// Whose places the look-up of a name takes: a merchant's name server that is silent does not hold up
/// the banks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamePlaces {
    /// Those of addresses that merchants register.
    Endpoints,
    /// Those of participants.
    Participants,
}

impl NamePlaces {
    fn places(self) -> &'static Semaphore {
        match self {
            Self::Endpoints => &NAMES,
            Self::Participants => &LINE_NAMES,
        }
    }
}

/// Tries beside the first one of an attempt to reach a participant, over all attempts.
pub const LINE_SPARE_MAX: usize = 16;
static LINE_SPARE: Semaphore = Semaphore::const_new(LINE_SPARE_MAX);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be read in one way alone.
    #[error("the address {0}")]
    Address(#[from] AddressError),
    /// The name has no address now.
    #[error("the name cannot be resolved")]
    Resolve(#[source] io::Error),
    /// It leads nowhere that may be connected to.
    #[error("the address leads to no public network")]
    NotPublic,
    /// No machine answered.
    #[error("no connection")]
    Connect(#[source] io::Error),
}

/// Opens connections over TLS, and in clear where the address says so and may.
pub type Https = Timed<HttpsConnector<Connector>>;

/// A connector for an HTTP client; no connection takes longer than `timeout` to come about, the
/// wait for a place among `sockets` included.
pub fn https(
    reach: AddressRule,
    names: NamePlaces,
    timeout: Duration,
    sockets: Arc<Sockets>,
    tls: ClientConfig,
) -> Https {
    let inner = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(Connector { reach, names, sockets });
    Timed { inner, timeout }
}

/// TLS with the authorities this machine trusts.
pub fn tls_of_machine() -> ClientConfig {
    match ClientConfig::builder().with_native_roots() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            tracing::warn!(%error, "this machine trusts no certificate authority: connections over https will fail");
            ClientConfig::builder()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        }
    }
}

/// Opens TCP connections to where addresses from outside may lead, and to nowhere else.
#[derive(Debug, Clone)]
pub struct Connector {
    reach: AddressRule,
    names: NamePlaces,
    sockets: Arc<Sockets>,
}

impl Connector {
    /// Connects to where a web address leads. Cancel-safe.
    ///
    /// Errors: [`ConnectError`].
    async fn connect(self, uri: Uri) -> Result<Socket, ConnectError> {
        let destination = Destination::of(&uri)?;
        let found =
            resolve(destination, self.names.places()).await.map_err(ConnectError::Resolve)?;
        let mut allowed: Vec<SocketAddr> =
            found.into_iter().filter(|address| self.reach.allows(address.ip())).collect();
        allowed.truncate(ADDRESSES_MAX);
        if allowed.is_empty() {
            return Err(ConnectError::NotPublic);
        }
        let place = self.sockets.place().await.map_err(ConnectError::Connect)?;
        let spare = self.sockets.spare();
        let stream = first_of(allowed, spare).await.map_err(ConnectError::Connect)?;
        self.look_at(&stream)?;
        stream.set_nodelay(true).ok();
        Ok(Socket::new(stream, place))
    }

    /// Looks at both ends of a connection. Equal ends are this machine under one of its public
    /// addresses, where it may answer what it would refuse to others.
    fn look_at(&self, stream: &TcpStream) -> Result<(), ConnectError> {
        let peer = stream.peer_addr().map_err(ConnectError::Connect)?;
        let own = stream.local_addr().map_err(ConnectError::Connect)?;
        if peer == own {
            return Err(ConnectError::Connect(self_connected()));
        }
        let is_own = self.reach == AddressRule::Public && peer.ip() == own.ip();
        if is_own || !self.reach.allows(peer.ip()) { Err(ConnectError::NotPublic) } else { Ok(()) }
    }
}

/// Connects to a host of the configuration, whatever network it is on. Its name is looked up each time;
/// an address of it that is silent does not hold up the next. Cancel-safe.
///
/// Errors: the system's; no address of the host answers, or it has none.
pub async fn to_host(host: &Destination) -> io::Result<TcpStream> {
    let mut addresses = resolve(host.clone(), &LINE_NAMES).await?;
    addresses.truncate(ADDRESSES_MAX);
    let socket = first_of(addresses, &LINE_SPARE).await?;
    if socket.local_addr()? == socket.peer_addr()? {
        return Err(self_connected());
    }
    Ok(socket)
}

/// Where nobody listens on this machine, the system may choose the very port that is called for the
/// calling end, and connect it to itself (RFC 9293, simultaneous open).
fn self_connected() -> io::Error {
    io::ErrorKind::ConnectionRefused.into()
}

async fn resolve(
    destination: Destination,
    places: &'static Semaphore,
) -> io::Result<Vec<SocketAddr>> {
    let port = destination.port;
    match destination.host {
        Host::Ip(ip) => Ok(vec![SocketAddr::new(ip, port)]),
        Host::Name(name) => {
            let look_up = move || Ok((name.as_str(), port).to_socket_addrs()?.collect());
            in_place_of(places, look_up).await
        }
    }
}

/// Does work that blocks and cannot be ended from outside, when there is a place for it. The work
/// keeps its place until it ends, though nobody waits for it any more. Cancel-safe.
async fn in_place_of<T: Send + 'static>(
    places: &'static Semaphore,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let place = places.acquire().await.map_err(io::Error::other)?;
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    done.await.map_err(io::Error::other)?
}

/// The first connection to come about. Beside one try that is silent others are made as long as
/// there are spare places. Cancel-safe.
async fn first_of(addresses: Vec<SocketAddr>, spare: &Semaphore) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter();
    let mut tries = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let place = if tries.is_empty() { None } else { spare.try_acquire().ok() };
        if tries.is_empty() || place.is_some() {
            match addresses.next() {
                Some(address) => tries.push(async move {
                    let _place = place;
                    TcpStream::connect(address).await
                }),
                None if tries.is_empty() => return Err(failure),
                None => {}
            }
        }
        tokio::select! {
            Some(tried) = tries.next() => match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            },
            () = sleep(NEXT_AFTER), if addresses.len() > 0 => {}
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Socket;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A connector with a deadline: a handshake goes on without whoever asked for it, and a server
/// that never ends it must not keep the connection for ever.
#[derive(Debug, Clone)]
pub struct Timed<C> {
    inner: C,
    timeout: Duration,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
    C::Response: 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    type Response = C::Response;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = timeout(self.timeout, self.inner.call(uri));
        Box::pin(async move {
            match connected.await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    fn connector(reach: AddressRule) -> Connector {
        let (names, sockets) = (NamePlaces::Endpoints, Sockets::for_requests(4));
        Connector { reach, names, sockets }
    }

    async fn connect(reach: AddressRule, url: &str) -> Result<SocketAddr, ConnectError> {
        let connected = connector(reach).connect(url.parse().unwrap()).await;
        connected.map(|socket| socket.peer_addr().unwrap())
    }

    #[tokio::test]
    async fn what_is_connected_to_is_looked_at_however_it_is_written() {
        let (listener, port) = listener().await;
        for host in
            ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::]"]
        {
            let refused = connect(AddressRule::Public, &format!("https://{host}:{port}/")).await;
            assert!(matches!(refused, Err(ConnectError::NotPublic)), "{host}");
        }
        for host in ["[127.0.0.1]", "2130706433", "0x7f.1", "127.1"] {
            let Ok(uri) = format!("https://{host}:{port}/").parse::<Uri>() else { continue };
            let refused = connector(AddressRule::Anywhere).connect(uri).await;
            assert!(matches!(refused, Err(ConnectError::Address(AddressError::Host))), "{host}");
        }
        let accepted = futures_util::FutureExt::now_or_never(listener.accept());
        assert!(accepted.is_none(), "somebody connected");
        let reached = connect(AddressRule::Anywhere, &format!("http://localhost:{port}/")).await;
        assert_eq!(reached.unwrap(), listener.local_addr().unwrap());
    }

    #[tokio::test]
    async fn both_ends_of_a_connection_are_looked_at_after_it_came_about() {
        let (listener, _) = listener().await;
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(connector(AddressRule::Public).look_at(&stream).is_err());
        assert!(connector(AddressRule::Anywhere).look_at(&stream).is_ok());
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_hold_up_the_next() {
        let (gone, _) = listener().await;
        let refuses = gone.local_addr().unwrap();
        drop(gone);
        let (listener, _) = listener().await;
        let answers = listener.local_addr().unwrap();
        let stream = first_of(vec![refuses, answers], &Semaphore::new(1)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), answers);
        let refused = first_of(vec![refuses], &Semaphore::new(0)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_handshake_that_never_ends_is_given_up() {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let (_listener, port) = listener().await;
        let (names, sockets) = (NamePlaces::Endpoints, Sockets::for_requests(4));
        let timeout = Duration::from_millis(20);
        let mut connector = https(AddressRule::Anywhere, names, timeout, sockets, tls_of_machine());
        let uri = format!("https://127.0.0.1:{port}/").parse().unwrap();
        let error = connector.call(uri).await.expect_err("no connection");
        let error = error.downcast_ref::<io::Error>().map(io::Error::kind);
        assert_eq!(error, Some(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_name_server_that_is_silent_holds_no_more_threads_than_there_are_places() {
        static PLACES: Semaphore = Semaphore::const_new(1);
        let (answer, silent) = std::sync::mpsc::channel::<()>();
        let (begun, is_begun) = tokio::sync::oneshot::channel();
        let asked = in_place_of(&PLACES, move || {
            begun.send(()).ok();
            silent.recv().ok();
            Ok(())
        });
        // Whoever asked gives up as soon as the thread is at work.
        tokio::select! {
            answered = asked => panic!("{answered:?}"),
            begun = is_begun => begun.unwrap(),
        }
        let next = in_place_of(&PLACES, || Ok(7));
        let next = timeout(Duration::from_millis(50), next).await;
        assert!(next.is_err(), "the place is given back before the name server has answered");
        drop(answer);
        assert_eq!(in_place_of(&PLACES, || Ok(8)).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn a_connection_waits_for_a_place_among_the_sockets() {
        let (listener, port) = listener().await;
        let connector = connector(AddressRule::Anywhere);
        let uri = || format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let mut open = Vec::new();
        for _ in 0..8 {
            open.push(connector.clone().connect(uri()).await.unwrap());
        }
        let kept = open.iter().filter(|socket| socket.is_kept()).count();
        assert_eq!(
            kept, 4,
            "the others are closed after one request, or they would hold all places"
        );
        let mut next = Box::pin(connector.clone().connect(uri()));
        assert!(timeout(Duration::from_millis(50), &mut next).await.is_err(), "port {port}");
        open.pop();
        assert!(next.await.is_ok());
    }
}
