//! Participants with a JSON API over HTTPS: each is described by a dialect, a file.
//!
//! `carry` is what the rest of the switch sees of them: the [`Adapter`](super::Adapter).
//! `exchange` sends one request and believes its answer or does not, `outcome` says what an answer
//! comes to, [`notification`] takes in what a bank tells by itself.

mod carry;
mod exchange;
mod later;
pub mod notification;
mod outcome;
mod signing;
mod values;

use std::sync::Arc;
use std::time::Duration;

use codecs::http_signature::ReplayWindow;
use parking_lot::Mutex;
use router::id::ParticipantId;
use tokio::sync::Semaphore;

use super::Bulkhead;
use super::iso8583::tls::{self, TlsError};
use crate::config::{JsonConfig, ParticipantConfig};
use crate::log::Seldom;
use crate::outbound::{
    AddressRule, ClientSettings, HttpClient, NamePlaces, Sockets, tls_of_machine,
};
use crate::supervise::Tasks;

pub use carry::ReadyRequest;

/// Undoings and inquiries under way at once, beside the payments.
const BESIDE_PAYMENTS_MAX: usize = 256;
/// Messages that are remembered so that a copy is refused; each takes about 100 bytes.
const REPLAY_WINDOW_LEN: usize = 500_000;

/// One participant.
#[derive(Debug)]
pub struct JsonParticipant {
    /// Its configuration, whatever its dialect.
    pub config: ParticipantConfig,
    /// Its API.
    json: Arc<JsonConfig>,
    client: HttpClient,
    timeout: Duration,
    /// Payments that may be asked of it at once.
    places: Arc<Semaphore>,
    /// Its ceilings.
    pub bulkhead: Bulkhead,
    /// Signed messages of it that were taken in lately.
    replays: Mutex<ReplayWindow>,
    /// How often the log tells that it does not answer.
    silence_told: Seldom,
}

/// Sockets and requests that a participant with a JSON API may need at once.
pub fn requests_max(config: &ParticipantConfig) -> usize {
    config.in_flight_max + BESIDE_PAYMENTS_MAX
}

impl JsonParticipant {
    /// A participant that nothing was asked of yet.
    ///
    /// Errors: a file of its TLS cannot be used.
    pub fn new(
        config: ParticipantConfig,
        json: Arc<JsonConfig>,
        tasks: Tasks,
    ) -> Result<Self, TlsError> {
        let timeout = Duration::from_millis(config.response_timeout_ms);
        let in_flight_max = requests_max(&config);
        let settings = ClientSettings {
            // The address stands in the configuration.
            reach: AddressRule::Anywhere,
            names: NamePlaces::Participants,
            connect_timeout: timeout,
            in_flight_max,
            idle_per_host_max: in_flight_max,
            answer_bytes_max: json.answer_bytes_max,
            headers: json.headers.clone(),
            tls: match &json.ca {
                Some(ca) => tls::client_config(ca, json.identity.as_ref())?,
                None => tls_of_machine(),
            },
        };
        let tolerance_s = json.verify.as_ref().map_or(0, |verify| verify.tolerance_s);
        Ok(Self {
            client: HttpClient::new(settings, tasks, Sockets::for_requests(in_flight_max)),
            timeout,
            places: Arc::new(Semaphore::new(config.in_flight_max)),
            bulkhead: Bulkhead::new(config.id, config.requests_max, config.reversals_owed_max),
            replays: Mutex::new(ReplayWindow::new(tolerance_s, REPLAY_WINDOW_LEN)),
            silence_told: Seldom::new(),
            json,
            config,
        })
    }

    /// Its id.
    pub fn id(&self) -> ParticipantId {
        self.config.id
    }

    /// Its payments that are under way.
    pub fn open_requests(&self) -> usize {
        self.config.in_flight_max - self.places.available_permits()
    }
}
