//! Opening the journal in its form, and what a node of many has besides.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use router::id::Stan;
use storage::folder::FolderLock;
use storage::journal::Head;
use storage::settings::{Limits, Settings};
use storage::{Recovered, Sealer, Store};
use storage_cluster::Node;
use tokio::net::TcpListener;

use super::{StartError, bind};
use crate::admission::Admission;
use crate::cluster;
use crate::config::{ClusterConfig, FloatConfig, NoticesConfig, ServiceConfig};
use crate::engine::{Engine, Numbers};

/// The journal, in whichever form.
pub(super) struct Opened {
    pub store: Store,
    pub recovered: Recovered,
    pub numbers: Numbers,
    /// This process among many nodes; none on one machine.
    pub member: Option<Member>,
    /// Keeps other processes out of the data folder, where the journal itself is not in it.
    pub folder: Option<FolderLock>,
}

/// What a node of many has besides.
pub(super) struct Member {
    pub node: Arc<Node>,
    config: ClusterConfig,
    door: TcpListener,
}

impl Opened {
    /// Opens it as it is configured.
    pub async fn of(service: &ServiceConfig, sealer: &Sealer) -> Result<Self, StartError> {
        let opened = Self::open(service, sealer).await?;
        let recovered = &opened.recovered;
        tracing::info!(
            lane = %opened.store.lane(),
            records = recovered.sequence - Head::of_lane(opened.store.lane()).sequence,
            replayed = recovered.records_replayed,
            open = recovered.open.len(),
            torn_bytes = recovered.torn_bytes,
            took_ms = u64::try_from(recovered.took.as_millis()).unwrap_or(u64::MAX),
            "journal opened"
        );
        Ok(opened)
    }

    /// The STANs of its requests.
    pub fn stans(&self) -> Range<u32> {
        match &self.member {
            Some(_) => cluster::stans(self.store.lane()),
            None => 0..Stan::COUNT,
        }
    }

    async fn open(service: &ServiceConfig, sealer: &Sealer) -> Result<Self, StartError> {
        let Some(config) = &service.cluster else {
            let (store, recovered) = Store::open(settings(service), sealer.clone())?;
            let numbers = Numbers::from(recovered.folio_next);
            return Ok(Self { store, recovered, numbers, member: None, folder: None });
        };
        // Clock and API keys of the node are in its folder.
        let folder = Some(FolderLock::take(&service.data.dir)?);
        let door = bind("cluster.listen", config.node.listen).await?;
        let (node, store, recovered) =
            cluster::start(config, service, sealer.clone(), &door).await?;
        let numbers = Numbers::Blocks(Arc::clone(node.folios()));
        let member = Some(Member { node, config: config.clone(), door });
        Ok(Self { store, recovered, numbers, member, folder })
    }
}

impl Member {
    /// Makes the node one of many: it asks the others and takes over for them.
    pub fn join(
        &self,
        engine: &Arc<Engine>,
        sealer: &Sealer,
        notices: &NoticesConfig,
        floats: &[FloatConfig],
    ) {
        let tasks = &engine.tasks;
        cluster::join(&self.node, &self.config, engine);
        if let Some(taken) = self.node.taken() {
            let work = cluster::take_up(Arc::clone(engine), taken, sealer.clone(), notices.clone());
            tasks.service("lanes taken over", work);
        }
        let (engine, node) = (Arc::clone(engine), Arc::clone(&self.node));
        tasks.clone().service("floats", cluster::open_floats(engine, node, floats.to_vec()));
    }

    /// The node, which tells the others by which rules it decides.
    pub fn node_with(&self, rules_version: u64) -> Arc<Node> {
        self.node.set_config_version(rules_version);
        Arc::clone(&self.node)
    }

    /// Answers what other nodes ask, and waits until the gate serves this one.
    pub async fn answer_and_wait(self, engine: &Arc<Engine>, admission: &Arc<Admission>) {
        let peers = cluster::Door::new(Arc::clone(engine), self.config.node.secret);
        engine.tasks.critical("door for nodes", peers.run(self.door, Arc::clone(admission)));
        cluster::wait_served(&self.node).await;
    }
}

fn settings(service: &ServiceConfig) -> Settings {
    let storage = &service.storage;
    Settings {
        segment_len_max: storage.segment_bytes_max,
        limits: Limits {
            queue_len_max: storage.queue_len_max,
            group_len_max: storage.group_len_max,
            view_lag_max: storage.view_lag_max,
            ..Limits::default()
        },
        key_retention: storage.key_retention,
        keep_for: storage.keep_for,
        snapshot_segments: storage.snapshot_segments,
        fsync_delay: Duration::from_micros(storage.fsync_delay_us),
        ..Settings::new(&service.data.dir)
    }
}
