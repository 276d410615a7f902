//! Notices: tells merchants of what became of payments, at least once, in order for each bill.
//!
//! The journal is the outbox: which notices are owed follows from its records alone, so a notice
//! cannot be lost between a payment and its sending. Of many nodes one serves an endpoint: the owner
//! of the lane it was set in. It delivers what any lane owes, so that two payments of one bill keep
//! their order whichever nodes took them; who takes the lane over goes on. Here they are read, signed and posted – one
//! task an endpoint (`worker`), so that a dead endpoint delays nobody else – and what became of
//! each attempt is noted with the store.

mod attempt;
pub mod bill;
pub mod body;
mod change;
mod client;
mod current;
mod gauge;
mod lanes;
mod pause;
mod queue;
mod recovery;
mod schedule;
pub mod sign;
mod test_notice;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use router::endpoint::Endpoint;
use router::event::{Actor, Event, EventKind};
use router::id::{BillerId, EndpointId, NoticeId, SecretId};
use router::notice::NoticeType;
use router::record::Record;
use router::secret::Secret;
use router::time::Timestamp;
use storage::outbox::NoticeRow;
use storage::seal::Sealer;
use storage::store::Redelivery;
use storage::{Store, StoreError};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::attempt::Target;
pub use self::change::EndpointPatch;
use self::client::Poster;
use self::current::CurrentTarget;
use self::lanes::Lanes;
use self::pause::Pause;
pub use self::recovery::{Recovery, RecoveryMode};
pub use self::test_notice::Tested;
use self::worker::Worker;
use crate::clock;
use crate::config::NoticesConfig;
use crate::engine::Engine;
use crate::outbound::{AddressError, AddressRule};

/// Pause between two looks at the list of endpoints, beside those a change asks for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Notices looked through to find one by its id, newest first.
const SEARCH_LEN_MAX: usize = 20_000;
/// Notices read at once in such a search.
const SEARCH_PAGE_LEN: usize = 500;

/// What all endpoints have in common.
pub struct Notices {
    engine: Arc<Engine>,
    /// Of the lane whose endpoints are served: whichever lane owes them notices.
    store: Store,
    sealer: Sealer,
    config: NoticesConfig,
    reach: AddressRule,
    poster: Poster,
    lanes: Lanes,
    workers: Mutex<HashMap<EndpointId, Served>>,
    changed: Notify,
    /// Held from the count of a biller's endpoints until one more is durable.
    making: Arc<tokio::sync::Mutex<()>>,
    /// Held while an endpoint is changed: on this node, one change comes after the other.
    changing: tokio::sync::Mutex<()>,
}

/// An endpoint that is served here.
struct Served {
    /// Ends its worker.
    stop: CancellationToken,
    pause: Arc<Pause>,
    /// The version of the endpoint that cannot be sent to, where it has no worker for that.
    refused: Option<u32>,
}

/// Why an endpoint could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Its address is no good.
    #[error("the address {0}")]
    Address(#[from] AddressError),
    /// The biller has as many as it may have.
    #[error("a biller has at most {max} endpoints")]
    TooMany {
        /// The ceiling.
        max: usize,
    },
    /// Its secret was changed as often as it may be for now.
    #[error(
        "{max} old secrets of the endpoint still sign; its secret can be changed when one ends"
    )]
    TooManySecrets {
        /// The ceiling.
        max: usize,
    },
    /// Nothing can be sent to it.
    #[error("nothing can be sent to the endpoint: its address is not allowed any more")]
    Unusable,
    /// The endpoint is not there, or no more.
    #[error("the endpoint is deleted")]
    Deleted,
    /// The journal gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An endpoint that has a new secret.
pub struct NewEndpoint {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its secret as its owner keeps it; nobody is told again.
    pub secret: String,
}

impl Notices {
    /// The part that all endpoints have in common; [`run`] makes it work.
    ///
    /// A node that holds several lanes has one of these for each store.
    pub fn new(engine: Arc<Engine>, store: Store, sealer: Sealer, config: NoticesConfig) -> Self {
        let reach = match config.dangerous_allow_private_addresses {
            true => AddressRule::Anywhere,
            false => AddressRule::Public,
        };
        let (tasks, sockets) = (engine.tasks.clone(), Arc::clone(&engine.sockets));
        let poster = Poster::new(&config, reach, tasks, sockets);
        let lanes = Lanes::new(config.in_flight_max);
        let (workers, changed) = (Mutex::default(), Notify::new());
        let (making, changing) = Default::default();
        Self {
            engine,
            store,
            sealer,
            config,
            reach,
            poster,
            lanes,
            workers,
            changed,
            making,
            changing,
        }
    }

    /// Makes an endpoint durable and begins to serve it.
    ///
    /// Errors: [`EndpointError`]. Dropping the call may leave the endpoint made.
    pub async fn create(
        &self,
        biller: BillerId,
        url: &str,
        types: Vec<NoticeType>,
        actor: Actor,
    ) -> Result<NewEndpoint, EndpointError> {
        let url = self.reach.check(url)?.to_string();
        let (endpoint, secret) = self.make(biller, url, types, actor).await?;
        let id = endpoint.id;
        self.changed.notify_one();
        tracing::info!(endpoint = %id, %biller, "endpoint set");
        self.known_everywhere().await;
        Ok(NewEndpoint { endpoint, secret: sign::printed(&secret) })
    }

    /// Makes an endpoint durable, if its biller may have one more.
    async fn make(
        &self,
        biller: BillerId,
        url: String,
        types: Vec<NoticeType>,
        actor: Actor,
    ) -> Result<(Endpoint, Secret), EndpointError> {
        // Of many that are asked for at once, each sees those before it.
        let making = Arc::clone(&self.making).lock_owned().await;
        let max = self.config.endpoints_per_biller_max;
        if self.of_biller(biller).len() >= max {
            return Err(EndpointError::TooMany { max });
        }
        let at = clock::now();
        let id = EndpointId::from_parts(at.millis(), rand::random());
        let secret = sign::new_secret();
        let secret_id = SecretId::from_parts(at.millis(), rand::random());
        let endpoint = Endpoint {
            id,
            biller,
            at,
            version: 1,
            url: Some(url.into()),
            secret: self.sealer.seal_secret(&secret, secret_id),
            old_secrets: Vec::new(),
            types,
        };
        let event = Event::of_endpoint(endpoint.clone(), EventKind::Created, actor);
        let (store, record) = (self.store.clone(), Record::Event(Box::new(event)));
        let (answer, appended) = oneshot::channel();
        // Whoever asked may go away: the next is counted after this one all the same.
        self.engine.tasks.service("setting of an endpoint", async move {
            let appended = store.append(record).await;
            drop(making);
            // A caller that went away does not need the answer.
            answer.send(appended).ok();
        });
        appended.await.unwrap_or(Err(StoreError::Closed))?;
        Ok((endpoint, secret))
    }

    /// An endpoint that is set.
    pub fn endpoint(&self, id: EndpointId) -> Option<Endpoint> {
        self.store.endpoint(id)
    }

    /// Whether an endpoint is served here, so that a pause of it would be known.
    pub fn serves(&self, id: EndpointId) -> bool {
        self.store.home_of(id).is_none_or(|home| home == self.store.lane())
    }

    /// Until when an endpoint has the pause it asked for, where it is served here.
    pub fn paused_until(&self, id: EndpointId) -> Option<Timestamp> {
        self.workers.lock().get(&id).and_then(|served| served.pause.until(Instant::now()))
    }

    /// The endpoints of a biller, oldest first.
    pub fn of_biller(&self, biller: BillerId) -> Vec<Endpoint> {
        self.store.endpoints_of(biller)
    }

    /// Finds a notice in the log of an endpoint, among its newest 20,000.
    ///
    /// Errors: the store's. Cancel-safe.
    pub async fn find(
        &self,
        endpoint: EndpointId,
        notice: NoticeId,
    ) -> Result<Option<NoticeRow>, StoreError> {
        let mut from = None;
        for _ in 0..SEARCH_LEN_MAX / SEARCH_PAGE_LEN {
            let page = self.store.notices(endpoint, from.as_ref(), SEARCH_PAGE_LEN).await?;
            if let Some(found) = page.rows.into_iter().find(|row| row.owed.notice_id == notice) {
                return Ok(Some(found));
            }
            if page.next.is_none() {
                return Ok(None);
            }
            from = page.next;
        }
        Ok(None)
    }

    /// Sends a notice once more, whatever became of it: at once, with the whole schedule before it.
    ///
    /// The node that serves the endpoint does it.
    ///
    /// Errors: the store's.
    pub async fn redeliver(&self, row: &NoticeRow) -> Result<(), StoreError> {
        let (endpoint, asked_at) = (row.endpoint, clock::now());
        self.redeliver_all(Redelivery { endpoint, asked_at, sequences: vec![row.owed.sequence] })
            .await
    }

    async fn redeliver_all(&self, redelivery: Redelivery) -> Result<(), StoreError> {
        let endpoint = redelivery.endpoint;
        self.store.redeliver(redelivery).await.inspect_err(|error| {
            let error = storage::with_causes(error);
            tracing::warn!(%endpoint, %error, "the redelivery of notices failed");
        })
    }

    fn stop_workers(&self) {
        self.workers.lock().drain().for_each(|(_, served)| served.stop.cancel());
    }

    /// Starts a worker for each endpoint that is served here and has none; ends those whose endpoint
    /// is gone, or was set at another lane since.
    fn keep_workers(self: &Arc<Self>) {
        let endpoints = self.store.endpoints_here();
        let mut workers = self.workers.lock();
        let set: HashMap<EndpointId, u32> =
            endpoints.iter().map(|endpoint| (endpoint.id, endpoint.version)).collect();
        workers.retain(|id, served| {
            let version = set.get(id);
            if version.is_none() {
                served.stop.cancel();
            }
            version.is_some_and(|version| served.refused.is_none_or(|refused| refused == *version))
        });
        for endpoint in endpoints {
            if workers.contains_key(&endpoint.id) {
                continue;
            }
            let target = Target::of(self, &endpoint);
            let refused = target.is_none().then_some(endpoint.version);
            let (stop, pause) = (CancellationToken::new(), Arc::<Pause>::default());
            let served = Served { stop: stop.clone(), pause: Arc::clone(&pause), refused };
            workers.insert(endpoint.id, served);
            let Some(target) = target else { continue };
            let addressed = Mutex::new(target.uri.clone());
            let current = Arc::new(CurrentTarget::new(&endpoint, Arc::new(target)));
            let (notices, endpoint) = (Arc::clone(self), endpoint.id);
            let redelivery = self.store.redelivery_signal(endpoint);
            let worker = Worker { notices, endpoint, current, addressed, stop, redelivery, pause };
            self.engine.tasks.service("notices of an endpoint", worker.run());
        }
    }
}

/// Serves every endpoint, those to come included. Run as a critical task.
pub async fn run(notices: Arc<Notices>) {
    let ending = notices.engine.tasks.stages().ending.clone();
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut failed = notices.store.failed();
    loop {
        notices.keep_workers();
        tokio::select! {
            () = ending.cancelled() => return,
            // The lane is another node's again, and so are its notices.
            _ = failed.wait_for(|failed| *failed) => return notices.stop_workers(),
            () = notices.changed.notified() => {}
            _ = look.tick() => {}
        }
    }
}
