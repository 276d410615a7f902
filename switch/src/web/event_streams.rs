//! Streams of events that are open: so many for a key, so many in all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use router::reason::Reason;

use super::answer::ApiRefusal;
use crate::config::EventStreamConfig;

/// The streams of this node.
#[derive(Debug)]
pub(super) struct EventStreams {
    config: EventStreamConfig,
    /// Open streams by the id of their key; a key without one is not there.
    open: Mutex<HashMap<String, usize>>,
}

/// A place among the open streams, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamPlace {
    streams: Arc<EventStreams>,
    key_id: String,
}

impl EventStreams {
    /// With ceilings, and none open.
    pub(super) fn new(config: EventStreamConfig) -> Arc<Self> {
        Arc::new(Self { config, open: Mutex::default() })
    }

    /// A place for one more stream of a key.
    ///
    /// Errors: 429 when the key has as many as it may, 503 when there are as many as there may be.
    pub(super) fn admit(self: &Arc<Self>, key_id: String) -> Result<StreamPlace, ApiRefusal> {
        let EventStreamConfig { per_key_max, max, .. } = self.config;
        let mut open = self.open.lock();
        if open.get(&key_id).copied().unwrap_or_default() >= per_key_max {
            let detail = format!("this key may have {per_key_max} streams of events open");
            return Err(ApiRefusal::new(Reason::RateLimited, "event_streams_of_key").saying(detail));
        }
        if open.values().sum::<usize>() >= max {
            let detail = "there are as many streams of events as there may be; try again";
            let full = ApiRefusal::new(Reason::RateLimited, "event_streams").saying(detail);
            return Err(full.with_status(StatusCode::SERVICE_UNAVAILABLE));
        }
        *open.entry(key_id.clone()).or_default() += 1;
        metrics::gauge!("cauce_event_streams").increment(1.0);
        Ok(StreamPlace { streams: Arc::clone(self), key_id })
    }
}

impl StreamPlace {
    /// Pause between two signs of life of a stream.
    pub(super) fn heartbeat(&self) -> Duration {
        self.streams.config.heartbeat
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock();
        if let Some(count) = open.get_mut(&self.key_id) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key_id);
            }
        }
        metrics::gauge!("cauce_event_streams").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn a_key_has_its_share_of_streams_and_all_keys_together_have_theirs() {
        let heartbeat = Duration::from_secs(15);
        let streams = EventStreams::new(EventStreamConfig { per_key_max: 2, max: 3, heartbeat });
        let admit = |key: &str| streams.admit(key.to_owned());
        let status = |refused: Result<StreamPlace, ApiRefusal>| {
            refused.expect_err("no place").into_response().status().as_u16()
        };
        let first = admit("one").unwrap();
        let second = admit("one").unwrap();
        assert_eq!(status(admit("one")), 429);
        let third = admit("two").unwrap();
        assert_eq!(status(admit("two")), 503);
        drop(first);
        let again = admit("two").unwrap();
        drop((second, third, again));
        assert!(streams.open.lock().is_empty());
    }
}
