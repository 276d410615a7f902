//! One attempt to deliver one notice.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use router::endpoint::Endpoint;
use router::id::NoticeId;
use router::time::Timestamp;
use storage::StoreError;
use storage::outbox::UndeliveredNotice;
use tokio::time::Instant;

use super::client::{Answer, Envelope, NoEndpointAnswer};
use super::current::CurrentTarget;
use super::lanes::{BillerPlaces, DeliveryOverdue, Pace};
use super::pause::Pause;
use super::sign::Secrets;
use super::{Notices, body};
use crate::clock;

/// Where an endpoint's notices go, and what signs them.
pub(super) struct Target {
    /// Its address.
    pub uri: Uri,
    /// The version of the endpoint that says so.
    pub version: u32,
    secrets: Secrets,
    /// The places of its biller's endpoints.
    pub share: Arc<BillerPlaces>,
}

/// What became of one attempt.
pub(super) struct AttemptResult {
    /// The notice.
    pub owed: UndeliveredNotice,
    /// Where it was sent; none when it was not, or was broken off.
    pub target: Option<Arc<Target>>,
    /// When it was made.
    pub at: Timestamp,
    /// When the event happened that it tells of.
    pub happened_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What was answered.
    pub result: Result<Answer, NotTried>,
}

/// Why there is no answer.
pub(super) enum NotTried {
    /// It was sent, or that was tried.
    Silent(NoEndpointAnswer),
    /// The endpoint asked for a pause while this notice waited for a place.
    Paused,
    /// The endpoint was changed meanwhile so that nothing can be sent to it.
    Unusable,
    /// The payment could not be read, so nothing was sent.
    Store(StoreError),
    /// The journal does not know the payment.
    UnknownPayment,
}

impl Target {
    /// Opens the endpoint's secret and looks at its address again: the rules may have changed
    /// since it was set. None, with the reason in the log, when it cannot be sent to.
    pub(super) fn of(notices: &Notices, endpoint: &Endpoint) -> Option<Self> {
        let uri = match notices.reach.check(endpoint.url.as_deref()?) {
            Ok(uri) => uri,
            Err(error) => {
                tracing::warn!(endpoint = %endpoint.id, %error, "endpoint's address is not allowed");
                return None;
            }
        };
        let share = notices.lanes.share(endpoint.biller);
        match Secrets::open(&notices.sealer, endpoint) {
            Ok(secrets) => Some(Self { uri, version: endpoint.version, secrets, share }),
            Err(error) => {
                tracing::error!(endpoint = %endpoint.id, %error, "endpoint's secret does not open");
                None
            }
        }
    }
}

impl Target {
    /// A notice, signed at a time.
    pub(super) fn envelope(&self, id: NoticeId, at: Timestamp, body: Vec<u8>) -> Envelope {
        let (id, timestamp) = (id.to_string(), at.0.div_euclid(1_000_000));
        let signature = self.secrets.sign(&id, timestamp, &body, at);
        Envelope { uri: self.uri.clone(), id, timestamp, signature, body: Bytes::from(body) }
    }
}

/// Signs and posts one notice, once there is a place for it: to where the endpoint is then.
pub(super) async fn attempt(
    notices: Arc<Notices>,
    current: Arc<CurrentTarget>,
    owed: UndeliveredNotice,
    (pace, pause): (Arc<Pace>, Arc<Pause>),
) -> AttemptResult {
    let work = async {
        let at = clock::now();
        let started = Instant::now();
        let (result, happened_at, target) = match made(&notices, &owed).await {
            Ok(_) if pause.ends_at(Instant::now()).is_some() => (Err(NotTried::Paused), at, None),
            Ok((body, happened_at)) => match current.of_now(&notices) {
                Some(target) => {
                    let envelope = target.envelope(owed.notice_id, at, body);
                    let answer = notices.poster.post(envelope).await;
                    (answer.map_err(NotTried::Silent), happened_at, Some(target))
                }
                None => (Err(NotTried::Unusable), at, None),
            },
            Err(not_tried) => (Err(not_tried), at, None),
        };
        (at, happened_at, started.elapsed(), result, target)
    };
    let asked = Instant::now();
    let done = notices.lanes.with_place(&current.share, &pace, work).await;
    let (at, happened_at, took, result, target) = done.unwrap_or_else(|DeliveryOverdue| {
        let (at, silent) = (clock::now(), NotTried::Silent(NoEndpointAnswer::Overdue));
        (at, at, asked.elapsed(), Err(silent), None)
    });
    AttemptResult { owed, target, at, happened_at, took, result }
}

/// The body of a notice, and when the event happened that it tells of.
async fn made(
    notices: &Notices,
    owed: &UndeliveredNotice,
) -> Result<(Vec<u8>, Timestamp), NotTried> {
    let store = &notices.engine.store;
    let found = store.payment(owed.payment).await.map_err(NotTried::Store)?;
    let payment = found.ok_or(NotTried::UnknownPayment)?;
    let happened_at = body::happened_at(&payment, owed);
    let body = body::of(&notices.engine, payment, owed).await.map_err(NotTried::Store)?;
    Ok((body, happened_at))
}
