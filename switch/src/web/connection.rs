//! One connection: TLS, HTTP/1.1, and an orderly end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::write_deadline::WriteDeadline;
use crate::admission::Place;
use crate::supervise::Stages;

/// Header and request line together, in bytes.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// How long the answer in hand may take to be written after the switch has ended its payments.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(1);

/// Answers the requests of a connection, whatever happens.
pub(crate) trait Answers: Clone + Send + Sync + 'static {
    /// Answers one request, which has a [`BodyHold`] among its extensions. Not cancel-safe.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response> + Send;
}

/// What serves one connection.
pub(crate) struct Connection<A> {
    /// Answers its requests.
    pub guard: A,
    /// Time for a TLS handshake, for a header, between two requests, and for a client to take
    /// what is written to it.
    pub header_timeout: Duration,
    /// The moments of a stop.
    pub stages: Stages,
    /// Its place among the connections; none where they are counted elsewhere.
    pub place: Option<Arc<Place>>,
}

/// What a request has of its connection: once it holds it, the connection is not closed to make
/// room for another, until it is answered. Who has proved nothing yet holds nothing, however slowly
/// its body comes.
#[derive(Debug, Clone)]
pub(crate) struct BodyHold {
    place: Option<Arc<Place>>,
    is_taken: Arc<AtomicBool>,
}

impl BodyHold {
    fn on(place: Option<Arc<Place>>) -> Self {
        Self { place, is_taken: Arc::default() }
    }

    /// Holds the connection: whoever asks has proved who it is.
    pub(crate) fn take(&self) {
        self.set(true);
    }

    /// The same for a peer whose address is known from now on.
    pub(crate) fn take_as_known(&self) {
        self.take();
        if let Some(place) = &self.place {
            place.set_known();
        }
    }

    fn set(&self, is_taken: bool) {
        self.is_taken.store(is_taken, Ordering::Release);
        if let Some(place) = &self.place {
            place.set_idle(!is_taken);
        }
    }
}

/// An answer that is made and not yet written: until then its request holds the connection.
#[derive(Clone)]
struct Answered {
    hold: BodyHold,
    is_unwritten: Arc<AtomicBool>,
}

impl Answered {
    fn of(hold: BodyHold) -> Self {
        Self { hold, is_unwritten: Arc::default() }
    }

    /// Everything is written: the connection is idle if that was an answer.
    fn end(&self) {
        if self.is_unwritten.swap(false, Ordering::AcqRel) {
            self.hold.set(false);
        }
    }
}

impl<A: Answers> Connection<A> {
    /// Serves until the client leaves or the switch stops. Not cancel-safe: a request in hand
    /// gets no answer, though its payment goes on.
    pub(crate) async fn serve(self, socket: TcpStream, tls: Option<TlsAcceptor>) {
        socket.set_nodelay(true).ok();
        let Some(acceptor) = tls else { return self.converse(socket).await };
        let secured = tokio::select! {
            () = displaced(self.place.as_deref()) => return refused("displaced"),
            secured = timeout(self.header_timeout, acceptor.accept(socket)) => secured,
        };
        match secured {
            Ok(Ok(socket)) => self.converse(socket).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake failed");
                refused("tls");
            }
            Err(_) => refused("tls_timeout"),
        }
    }

    async fn converse(self, socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let (guard, hold) = (self.guard, BodyHold::on(self.place.clone()));
        let is_held = Arc::clone(&hold.is_taken);
        let answered = Answered::of(hold.clone());
        let written = answered.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (guard, hold, answered) = (guard.clone(), hold.clone(), answered.clone());
            async move {
                request.extensions_mut().insert(hold);
                let answer = guard.answer(request).await;
                answered.is_unwritten.store(true, Ordering::Release);
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(HEADER_BYTES_MAX);
        let io = TokioIo::new(WriteDeadline::new(socket, self.header_timeout, move || {
            written.end();
        }));
        let mut connection = pin!(http.serve_connection(io, service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = displaced(self.place.as_deref()) => {
                refused("displaced");
                connection.as_mut().graceful_shutdown();
                // A request that took hold at that very moment is still answered.
                if is_held.load(Ordering::Acquire) { connection.await } else { Ok(()) }
            }
            () = self.stages.draining.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let last_moment = async {
                    self.stages.ending.cancelled().await;
                    tokio::time::sleep(LAST_ANSWER_MAX).await;
                };
                tokio::select! {
                    served = connection.as_mut() => served,
                    () = last_moment => Ok(()),
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(error = %storage::with_causes(&error), "connection ended");
            if error.is_timeout() {
                refused("header_timeout");
            } else if error.is_parse() {
                refused("not_http");
            }
        }
    }
}

/// Resolves when the connection's place is needed for another. Cancel-safe.
async fn displaced(place: Option<&Place>) {
    match place {
        Some(place) => place.closed().cancelled().await,
        None => std::future::pending().await,
    }
}

fn refused(why: &'static str) {
    metrics::counter!("cauce_http_refused_total", "why" => why).increment(1);
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::SocketAddr;

    use axum::response::IntoResponse;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;
    use crate::admission::{Admission, Ceilings, Kind};

    /// Bytes of an answer that no buffer between two sockets holds.
    const LONG: usize = 64 << 20;

    /// Never answers, but at length where the path says so; takes hold where the path says that
    /// somebody is known.
    #[derive(Clone)]
    struct Silent(mpsc::Sender<()>);

    impl Answers for Silent {
        async fn answer(&self, request: Request<Incoming>) -> Response {
            if request.uri().path() == "/known" {
                request.extensions().get::<BodyHold>().unwrap().take();
            }
            self.0.send(()).await.unwrap();
            if request.uri().path() == "/long" {
                request.extensions().get::<BodyHold>().unwrap().take();
                return vec![b'a'; LONG].into_response();
            }
            pending().await
        }
    }

    /// One connection, the only one that there is room for.
    struct Only {
        admission: Arc<Admission>,
        peer: SocketAddr,
        client: TcpStream,
        socket: TcpStream,
    }

    impl Only {
        async fn open() -> Self {
            let one = Ceilings {
                sockets: 9,
                per_address: 9,
                lines: 1,
                unsigned: 1,
                unsigned_per_address: 1,
                http: 1,
                peers: 1,
            };
            let admission = Admission::new(one, []);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (socket, peer) = listener.accept().await.unwrap();
            Self { admission, peer, client, socket }
        }
    }

    fn connection(only: &Only) -> (Connection<Silent>, mpsc::Receiver<()>) {
        let (asked, is_asked) = mpsc::channel(1);
        let connection = Connection {
            guard: Silent(asked),
            header_timeout: Duration::from_secs(60),
            stages: Stages::default(),
            place: Some(Arc::new(only.admission.admit(Kind::Peer, only.peer).unwrap())),
        };
        (connection, is_asked)
    }

    /// Whether a connection with such a request under way makes room for another.
    async fn makes_room(path: &str) -> bool {
        let mut only = Only::open().await;
        let (connection, mut is_asked) = connection(&only);
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n");
        only.client.write_all(head.as_bytes()).await.unwrap();
        let mut serving = pin!(connection.serve(only.socket, None));
        tokio::select! {
            () = &mut serving => panic!("the connection has ended"),
            asked = is_asked.recv() => asked.unwrap(),
        }
        let next = only.admission.admit(Kind::Peer, only.peer);
        if next.is_some() {
            timeout(Duration::from_secs(30), serving).await.expect("its socket is closed");
        }
        next.is_some()
    }

    #[tokio::test]
    async fn an_answer_holds_its_connection_until_it_is_written() {
        let mut only = Only::open().await;
        let (connection, _is_asked) = connection(&only);
        only.client.write_all(b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut serving = pin!(connection.serve(only.socket, None));
        let mut answer = vec![0; 1];
        tokio::select! {
            () = &mut serving => panic!("the connection has ended"),
            read = only.client.read_exact(&mut answer) => read.unwrap(),
        };
        assert!(only.admission.admit(Kind::Peer, only.peer).is_none(), "its answer is under way");
        answer.resize(LONG, 0);
        tokio::select! {
            () = &mut serving => panic!("the connection has ended"),
            read = only.client.read_exact(&mut answer) => read.unwrap(),
        };
        // What is left of the body behind the header.
        let rest = async {
            while only.admission.admit(Kind::Peer, only.peer).is_none() {
                let mut some = [0; 256];
                tokio::select! {
                    read = only.client.read(&mut some) => { read.unwrap(); }
                    () = tokio::task::yield_now() => {}
                }
            }
        };
        tokio::select! {
            () = &mut serving => panic!("the connection has ended before another took its place"),
            () = rest => {}
        }
        timeout(Duration::from_secs(30), serving).await.expect("its socket is closed");
    }

    #[tokio::test]
    async fn a_request_holds_its_connection_once_its_sender_is_known() {
        assert!(makes_room("/").await, "a stranger's body that does not come holds nothing");
        assert!(!makes_room("/known").await);
    }
}
