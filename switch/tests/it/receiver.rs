//! A merchant's receiver that keeps each request as it came, and answers by a script.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use switch::supervise::Supervisor;
use tokio::sync::Semaphore;

use crate::harness::eventually;

/// A notice as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    /// A header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("an ASCII header"))
    }

    /// The payment it tells of.
    pub fn payment(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).expect("JSON");
        body["data"]["id"].as_str().unwrap_or_default().to_owned()
    }
}

/// Status and `Retry-After` of the answer to the notice of a position.
type Script = dyn Fn(usize) -> (u16, Option<String>) + Send + Sync;

#[derive(Clone)]
struct Shared {
    received: Arc<Mutex<Vec<Received>>>,
    script: Arc<Script>,
    /// Closed where no answer is held back.
    gate: Arc<Semaphore>,
}

/// A receiver; it ends with the test's runtime.
pub struct Receiver {
    pub url: String,
    shared: Shared,
    _supervisor: Supervisor,
}

impl Receiver {
    pub async fn start(
        script: impl Fn(usize) -> (u16, Option<String>) + Send + Sync + 'static,
    ) -> Self {
        let receiver = Self::holding(script).await;
        receiver.release();
        receiver
    }

    /// A receiver that holds its answers back until [`Receiver::release`].
    pub async fn holding(
        script: impl Fn(usize) -> (u16, Option<String>) + Send + Sync + 'static,
    ) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let shared = Shared { received: Arc::default(), script: Arc::new(script), gate };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let url = format!("http://{}/hook", listener.local_addr().expect("its address"));
        let router = Router::new().fallback(take).with_state(shared.clone());
        let supervisor = Supervisor::new();
        supervisor.tasks().service("receiver", async move {
            axum::serve(listener, router).await.expect("a receiver that serves");
        });
        Self { url, shared, _supervisor: supervisor }
    }

    /// Holds no answer back any more.
    pub fn release(&self) {
        self.shared.gate.close();
    }

    /// A receiver that accepts everything.
    pub async fn accepting() -> Self {
        Self::start(|_| (204, None)).await
    }

    /// Everything that came so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    /// The same once there are so many.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} notices"), async || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

/// How long after the first each came.
pub fn since_first(received: &[Received]) -> Vec<Duration> {
    received.iter().map(|notice| notice.at - received[0].at).collect()
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let position = {
        let mut received = shared.received.lock();
        received.push(Received { at: Instant::now(), headers, body });
        received.len() - 1
    };
    // An error is the gate's end.
    shared.gate.acquire().await.ok();
    let (status, retry_after) = (shared.script)(position);
    let status = StatusCode::from_u16(status).expect("a status");
    match retry_after {
        Some(retry_after) => (status, [("retry-after", retry_after)]).into_response(),
        None => status.into_response(),
    }
}
