//! Takes a changed configuration in while the switch runs: participants and their dialects, listeners'
//! certificates, billers, routes, limits, fees and floats.
//!
//! Nothing is changed by a configuration that cannot be served whole. A participant that is configured
//! as before keeps its lines; of one that is not, new lines are opened first, then payments take those,
//! and the lines before end when nothing is under way on them. What a process is started with needs a
//! restart: addresses of the listeners, storage, keys, ceilings of the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use router::id::ParticipantId;
use storage_cluster::Node;
use tokio_rustls::TlsAcceptor;

use crate::adapter::iso8583::tls::{ListenerTls, TlsError};
use crate::adapter::iso8583::{self, Iso8583Participant, Speaker};
use crate::config::Config;
use crate::engine::{Engine, InForce};
use crate::floats;
use crate::metrics;
use crate::participant::{Changed, ParticipantAdapter};
use crate::session::key_change;
use crate::session::lines::Lines;
use crate::web;

/// How long lines that are opened anew are waited for, before payments are to take them.
const SIGN_ON_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pause between two looks whether they have signed on.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Takes changed configurations in, one after another.
pub struct Reload {
    engine: Arc<Engine>,
    lines: Lines,
    http_tls: Option<Arc<ListenerTls>>,
    node: Option<Arc<Node>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

/// Why a configuration is not taken in; nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// An address of a participant cannot be listened on.
    #[error("participants.listen cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate files of a listener cannot be used.
    #[error("TLS files cannot be used")]
    Tls(#[from] TlsError),
    /// A float that is new could not be opened.
    #[error("the journal cannot be written")]
    Store(#[from] storage::StoreError),
}

/// What a configuration changed among the participants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Those that there were not before.
    pub added: Vec<ParticipantId>,
    /// Those that are configured in another way.
    pub changed: Vec<ParticipantId>,
    /// Those that there are no more.
    pub removed: Vec<ParticipantId>,
}

impl Taken {
    fn of(changed: &Changed) -> Self {
        let ids = |all: &[ParticipantAdapter]| {
            let mut ids: Vec<ParticipantId> = all.iter().map(ParticipantAdapter::id).collect();
            ids.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
            ids
        };
        let (started, retired) = (ids(&changed.started), ids(&changed.retired));
        let (changed, added) = started.iter().copied().partition(|id| retired.contains(id));
        let removed = retired.iter().copied().filter(|id| !started.contains(id)).collect();
        Self { added, changed, removed }
    }
}

impl Reload {
    /// For a switch whose lines are started.
    pub fn new(
        engine: Arc<Engine>,
        lines: Lines,
        http_tls: Option<Arc<ListenerTls>>,
        node: Option<Arc<Node>>,
    ) -> Self {
        Self { engine, lines, http_tls, node, one_at_a_time: tokio::sync::Mutex::default() }
    }

    /// Puts a configuration in force, as far as it can be while the switch runs.
    ///
    /// Errors: [`ReloadError`]. Not cancel-safe.
    pub async fn put_in_force(&self, config: Config) -> Result<Taken, ReloadError> {
        let _turn = self.one_at_a_time.lock().await;
        let engine = &self.engine;
        let certificates = self.read_certificates()?;
        let configs = config.participants.clone();
        let changed = engine.participants().changed(configs, &engine.common, &engine.tasks)?;
        let own = self.lines.take(&config.participants).await;
        let own = own.map_err(|(address, source)| ReloadError::Listen { address, source })?;
        if self.node.is_none() {
            floats::open_all(engine, &config.floats).await?;
        }
        for (tls, acceptor) in certificates {
            tls.put_in_force(acceptor);
        }
        let service = &config.service;
        let (acquirer_id, framing) = (service.acquirer_id, &service.iso8583.framing);
        self.lines.close_others(&config.participants);
        engine.common.set_speaker(Speaker::new(acquirer_id, framing, &config.participants));
        let taken = Taken::of(&changed);
        let is_one_of_many = engine.is_one_of_many();
        metrics::register(&changed.participants.names(), &web::route_names(), is_one_of_many);
        self.start(&changed).await;
        let Changed { participants, retired, .. } = changed;
        let participants = Arc::new(participants);
        let before = engine.put_in_force(InForce { policy: config.policy, participants });
        // Many rules take their time to go, too.
        drop(tokio::task::spawn_blocking(move || drop(before)));
        own.into_iter().for_each(|address| self.lines.listen_for(address));
        for participant in retired {
            // A JSON API has no lines: requests that are under way end by themselves.
            let Some(lines) = participant.lines().cloned() else { continue };
            engine.tasks.service("retired lines", retire(Arc::clone(engine), lines));
        }
        if let Some(node) = &self.node {
            node.set_config_version(config.rules_version);
        }
        Ok(taken)
    }

    /// The certificates of the listeners as their files are now.
    fn read_certificates(&self) -> Result<Vec<(&Arc<ListenerTls>, TlsAcceptor)>, TlsError> {
        let listeners = self.lines.tls().into_iter().chain(&self.http_tls);
        listeners.map(|tls| Ok((tls, tls.read_again()?))).collect()
    }

    /// Starts the lines of those that are new or changed, and waits for those that we dial: payments
    /// go on by the lines and routes there are until then.
    async fn start(&self, changed: &Changed) {
        let started = || changed.started.iter().filter_map(ParticipantAdapter::lines);
        key_change::restore(&self.engine, started());
        started().for_each(|participant| self.lines.start(participant));
        let awaited = started().filter(|one| one.config.reach.is_some());
        let signed_on = async {
            for participant in awaited {
                while !participant.is_signed_on() {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        };
        if tokio::time::timeout(SIGN_ON_WAIT_MAX, signed_on).await.is_err() {
            tracing::warn!(
                waited_s = SIGN_ON_WAIT_MAX.as_secs(),
                "a participant that is new, or configured in another way, has no line yet"
            );
        }
    }
}

/// Ends the lines of a configuration that is in force no more, and has those counted that are.
async fn retire(engine: Arc<Engine>, lines: Arc<Iso8583Participant>) {
    lines.retire().await;
    match engine.participants().iso8583_by_id(lines.id()) {
        Some(in_force) => in_force.show_lines(),
        None => iso8583::show_no_lines(lines.id()),
    }
}
