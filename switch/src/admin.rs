//! Health, readiness, metrics, drain and the trace of lines, on a thread and runtime of their own:
//! they answer when everything else is busy, and whoever may ask (`access`).

pub mod access;
mod serve;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use storage_cluster::Node;

use self::access::Access;
use self::serve::Port;
use crate::clock;
use crate::config::AdminConfig;
use crate::engine::Engine;

/// How long the file system may take to make the folder of the trace.
const FOLDER_WITHIN: Duration = Duration::from_secs(5);
/// The recorder forgets old samples at this pace.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What the admin port knows.
#[derive(Clone)]
pub struct Admin {
    engine: Arc<Engine>,
    metrics: PrometheusHandle,
    node: Option<Arc<Node>>,
    access: Arc<Access>,
    drain_asked: CancellationToken,
    is_started: Arc<AtomicBool>,
}

impl Admin {
    /// An admin port that says "starting" until [`Admin::set_started`].
    pub fn new(
        engine: Arc<Engine>,
        metrics: PrometheusHandle,
        node: Option<Arc<Node>>,
        access: Access,
    ) -> Self {
        let (access, is_started) = (Arc::new(access), Arc::default());
        Self { engine, metrics, node, access, drain_asked: CancellationToken::new(), is_started }
    }

    /// Everything is up.
    pub fn set_started(&self) {
        self.is_started.store(true, Ordering::Release);
    }

    /// Cancelled when `/drain` was posted to with the token.
    pub fn drain_asked(&self) -> CancellationToken {
        self.drain_asked.clone()
    }

    /// Starts the port's thread; gives the address it listens on.
    ///
    /// Errors: when there is no runtime or thread to be had.
    pub fn start(
        self,
        listener: std::net::TcpListener,
        config: &AdminConfig,
    ) -> io::Result<SocketAddr> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (connections_max, header_timeout) = (config.connections_max, config.header_timeout);
        std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
            let served = self.serve(listener, connections_max, header_timeout);
            if let Err(error) = runtime.block_on(served) {
                tracing::error!(%error, "the admin port has failed");
            }
        })?;
        Ok(address)
    }

    async fn serve(
        self,
        listener: std::net::TcpListener,
        connections_max: usize,
        header_timeout: Duration,
    ) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (metrics, access) = (self.metrics.clone(), Arc::clone(&self.access));
        let routes = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(show_metrics))
            .route("/drain", post(drain))
            .route("/trace-lines/on", post(trace_lines_on))
            .route("/trace-lines/off", post(trace_lines_off))
            .fallback(|| async { (StatusCode::NOT_FOUND, PATHS) })
            .with_state(self);
        let upkeep = async {
            let mut tick = tokio::time::interval(UPKEEP_EVERY);
            loop {
                tick.tick().await;
                metrics.run_upkeep();
            }
        };
        let port = Port { routes, access, connections_max, header_timeout };
        tokio::select! {
            () = port.run(listener) => Ok(()),
            () = upkeep => Ok(()),
        }
    }
}

/// What a path that is none is told.
const PATHS: &str = "there is no such path; there are GET /healthz /readyz /metrics, and POST /drain \
                     /trace-lines/on /trace-lines/off\n";

/// The process lives and its journal works.
async fn healthz(State(admin): State<Admin>) -> impl IntoResponse {
    match admin.engine.store.failure() {
        Some(why) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")),
        None => (StatusCode::OK, "ok\n".to_owned()),
    }
}

/// New payments are welcome.
async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    match readiness(&admin) {
        Ok(()) => (StatusCode::OK, format!("ready\n{}", back_office(&admin))),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

/// How the back office stands, where that is worth a line: payments that name no bill need it not.
fn back_office(admin: &Admin) -> String {
    let Some(health) = admin.engine.backoffice.health(&admin.engine.store) else {
        return String::new();
    };
    match health.failure {
        Some(why) => format!("back office: {why}\n"),
        None if health.lag_records == 0 => String::new(),
        None => {
            let (records, age) = (health.lag_records, health.lag.as_secs());
            format!("back office: {records} records behind, {age} s\n")
        }
    }
}

/// Errors: why new payments are not welcome.
fn readiness(admin: &Admin) -> Result<(), String> {
    let draining = admin.engine.tasks.stages().draining.is_cancelled();
    if draining || admin.drain_asked.is_cancelled() {
        return Err("draining".to_owned());
    }
    if !admin.is_started.load(Ordering::Acquire) {
        return Err("starting".to_owned());
    }
    if let Some(why) = admin.engine.store.failure() {
        return Err(why.to_string());
    }
    if let Some(disagreement) = clock::disagreement() {
        return Err(disagreement.to_string());
    }
    if let Some(why) = admin.node.as_ref().and_then(|node| node.clock_trouble()) {
        return Err(why);
    }
    // Among many nodes, one that the gate does not serve would decline everything.
    if admin.node.as_ref().is_some_and(|node| node.served().is_none()) {
        return Err("the gate is closed".to_owned());
    }
    if admin.node.as_ref().is_some_and(|node| !node.is_furnished()) {
        return Err("floats are not open yet".to_owned());
    }
    Ok(())
}

async fn show_metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let under_way = u32::try_from(admin.engine.tasks.payments_under_way()).unwrap_or(u32::MAX);
    metrics::gauge!("cauce_payments_under_way").set(under_way);
    for participant in admin.engine.participants().iter() {
        let open = u32::try_from(participant.open_requests()).unwrap_or(u32::MAX);
        let id = participant.id().to_string();
        metrics::gauge!("cauce_participant_in_flight", "participant" => id).set(open);
    }
    if let Some(health) = admin.engine.backoffice.health(&admin.engine.store) {
        let is_up = u32::from(health.failure.is_none());
        metrics::gauge!("cauce_backoffice_up").set(is_up);
        let records = u32::try_from(health.lag_records).unwrap_or(u32::MAX);
        metrics::gauge!("cauce_backoffice_lag_records").set(records);
        let age = u32::try_from(health.lag.as_secs()).unwrap_or(u32::MAX);
        metrics::gauge!("cauce_backoffice_lag_age_seconds").set(age);
    }
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, crate::metrics::render(&admin.metrics))
}

/// Begins a stop, as SIGTERM does.
async fn drain(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    if let Err(stranger) = admin.access.may_command(&headers) {
        return stranger.into_response();
    }
    tracing::info!("asked to drain");
    admin.drain_asked.cancel();
    (StatusCode::ACCEPTED, "draining\n").into_response()
}

/// Begins to write down what goes over participants' lines.
async fn trace_lines_on(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    if let Err(stranger) = admin.access.may_command(&headers) {
        return stranger.into_response();
    }
    let trace = &admin.engine.line_trace;
    match trace.switch_on_within(FOLDER_WITHIN).await {
        Ok(()) => (StatusCode::OK, format!("{}\n", trace.dir().display())).into_response(),
        Err(error) => {
            let why = format!("{} cannot be made: {error}\n", trace.dir().display());
            (StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
        }
    }
}

/// Ends that.
async fn trace_lines_off(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    if let Err(stranger) = admin.access.may_command(&headers) {
        return stranger.into_response();
    }
    admin.engine.line_trace.switch_off();
    (StatusCode::OK, "off\n").into_response()
}
