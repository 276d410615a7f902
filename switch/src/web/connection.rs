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

use super::patience::Patience;
use crate::admission::Place;
use crate::supervise::Stages;

/// Header and request line together, in bytes.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// How long the answer in hand may take to be written after the switch has ended its payments.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(1);

/// Answers the requests of a connection, whatever happens.
pub(crate) trait Answers: Clone + Send + Sync + 'static {
    /// Answers one request. Not cancel-safe.
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
        let (guard, place) = (self.guard, self.place.clone());
        let in_hand = Arc::new(AtomicBool::new(false));
        let is_in_hand = Arc::clone(&in_hand);
        let service = service_fn(move |request| {
            let (guard, place, in_hand) = (guard.clone(), place.clone(), Arc::clone(&in_hand));
            async move {
                take_in_hand(place.as_deref(), &in_hand, true);
                let answer = guard.answer(request).await;
                take_in_hand(place.as_deref(), &in_hand, false);
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(HEADER_BYTES_MAX);
        let io = TokioIo::new(Patience::new(socket, self.header_timeout));
        let mut connection = pin!(http.serve_connection(io, service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = displaced(self.place.as_deref()) => {
                refused("displaced");
                connection.as_mut().graceful_shutdown();
                // A request that came at that very moment is still answered.
                if is_in_hand.load(Ordering::Acquire) { connection.await } else { Ok(()) }
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
            tracing::debug!(error = %crate::log::chain(&error), "connection ended");
            if error.is_timeout() {
                refused("header_timeout");
            } else if error.is_parse() {
                refused("not_http");
            }
        }
    }
}

/// Notes that a request is being answered, or that none is.
fn take_in_hand(place: Option<&Place>, in_hand: &AtomicBool, is_taken: bool) {
    in_hand.store(is_taken, Ordering::Release);
    if let Some(place) = place {
        place.set_idle(!is_taken);
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
