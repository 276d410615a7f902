//! The admin port's connections, each with the deadlines of the API's.
//!
//! They are served within one task, on the runtime of this port alone. When there are as many as
//! may be, the oldest makes room: strangers that hold connections keep no probe out.

use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::access::Access;
use crate::supervise::Stages;
use crate::web::connection::{Answers, Connection};

/// Pause after a connection could not be accepted, so that a want of file handles does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What every connection has in common.
#[derive(Clone)]
pub(super) struct Port {
    pub routes: Router,
    pub access: Arc<Access>,
    pub connections_max: usize,
    pub header_timeout: Duration,
}

/// Answers the requests of one connection.
#[derive(Clone)]
struct Guarded {
    routes: Router,
    access: Arc<Access>,
    /// The address that the connection came in on.
    at: IpAddr,
}

impl Answers for Guarded {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        if let Err(stranger) = self.access.check(&request, self.at) {
            return stranger.into_response();
        }
        let routed = self.routes.clone().oneshot(request.map(Body::new));
        match AssertUnwindSafe(routed).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                tracing::error!(
                    "the admin port's handler panicked; this is a defect of the switch"
                );
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

impl Port {
    /// Serves for ever.
    pub(super) async fn run(self, listener: TcpListener) {
        let mut open = FuturesUnordered::new();
        let mut ages: VecDeque<(u64, CancellationToken)> = VecDeque::new();
        let mut number = 0;
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        if ages.len() >= self.connections_max
                            && let Some((_, oldest)) = ages.pop_front()
                        {
                            oldest.cancel();
                        }
                        number += 1;
                        let stop = CancellationToken::new();
                        ages.push_back((number, stop.clone()));
                        open.push(self.serve(socket, stop).map(move |()| number));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection to the admin port could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = open.next() => ages.retain(|(number, _)| *number != ended),
            }
        }
    }

    fn serve(
        &self,
        socket: TcpStream,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let at = socket.local_addr().map(|address| address.ip());
        let (routes, access) = (self.routes.clone(), Arc::clone(&self.access));
        let header_timeout = self.header_timeout;
        async move {
            let Ok(at) = at else { return };
            let guard = Guarded { routes, access, at };
            // The port answers until the process ends, while the switch drains above all.
            let connection =
                Connection { guard, header_timeout, stages: Stages::default(), place: None };
            tokio::select! {
                () = stop.cancelled() => {
                    metrics::counter!("cauce_admin_refused_total", "why" => "crowded").increment(1);
                }
                () = connection.serve(socket, None) => {}
            }
        }
    }
}
