//! One stream of server-sent events: what happens to a biller's payments, as it happens.

use std::convert::Infallible;
use std::fmt::Write;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use router::id::BillerId;
use storage::StoreError;
use storage::outbox::ReadThrough;
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Api;
use super::event_streams::StreamPlace;
use super::events::told;

/// The media type of such streams.
///
/// Source: WHATWG HTML, section 9.2 (server-sent events).
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Pause between two looks for what has happened since.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Events that are written at once.
const PAGE_LEN: usize = 50;
/// A sign of life, which clients pass over.
const ALIVE: &[u8] = b": alive\n\n";

/// Events of a biller, until the client leaves, its key ends or the switch drains.
pub(super) struct EventStream {
    api: Api,
    /// The key that the stream was opened with: looked at again with each sign of life.
    key: String,
    biller: BillerId,
    /// What the client has been told.
    read: ReadThrough,
    /// When the next sign of life is due.
    sign_at: Instant,
    draining: CancellationToken,
    place: StreamPlace,
}

impl EventStream {
    /// A stream of what happens to a biller's payments behind a cursor.
    pub(super) fn new(
        api: Api,
        place: StreamPlace,
        key: String,
        (biller, read): (BillerId, ReadThrough),
    ) -> Self {
        let draining = api.engine.tasks.stages().draining.clone();
        // The first sign comes at once, so that the client sees that it is heard.
        Self { api, key, biller, read, sign_at: Instant::now(), draining, place }
    }

    /// What is written next; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.draining.is_cancelled() {
            if self.sign_at <= Instant::now() {
                return self.sign_of_life().await;
            }
            let news = match self.api.engine.store.has_records_after(&self.read) {
                true => self.news().await,
                false => Ok(String::new()),
            };
            match news {
                Ok(text) if !text.is_empty() => return Some(text.into()),
                Ok(_) => {}
                Err(error) => {
                    let error = storage::with_causes(&error);
                    tracing::warn!(%error, biller = %self.biller, "a stream of events ends");
                    return None;
                }
            }
            tokio::select! {
                () = self.draining.cancelled() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
        None
    }

    /// Shows that the stream is alive; none where its key has ended. A table of keys that is silent
    /// for the moment ends no stream.
    async fn sign_of_life(&mut self) -> Option<Bytes> {
        if let Ok(None) = self.api.keys.principal(&self.key).await {
            return None;
        }
        self.sign_at = Instant::now() + self.place.heartbeat();
        Some(Bytes::from_static(ALIVE))
    }

    /// What has happened since; empty where nothing has, as far as one look goes.
    async fn news(&mut self) -> Result<String, StoreError> {
        let page = self.api.engine.store.events(self.biller, &self.read, PAGE_LEN).await?;
        let mut text = String::new();
        for owed in &page.rows {
            self.read.pass(owed.sequence);
            if let Some(body) = told(&self.api, owed).await? {
                put_event(&self.read.to_string(), owed.kind.name(), body.get(), &mut text);
            }
        }
        self.read = page.through;
        Ok(text)
    }
}

/// Writes one event; a body of JSON is one line.
fn put_event(id: &str, kind: &str, body: &str, text: &mut String) {
    write!(text, "id: {id}\nevent: {kind}\ndata: {body}\n\n")
        .expect("invariant: writing to a text fails never");
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        let chunks = stream::unfold(self, |mut events| async {
            let chunk = events.next().await?;
            Some((Ok::<_, Infallible>(chunk), events))
        });
        let mut response = Response::new(Body::from_stream(chunks));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
