//! Everything a few nodes need around them, and what they share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings, Latency, Profile};
use loadtest::simulator::merchant::{
    BillerEndpoint, Merchant, MerchantHandle, MerchantSettings, Script,
};
use rig::{Cassandra, Proxy, fresh_keyspace, shared_cassandra};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::api::Api;
use crate::cluster::node::{NODE_MAX, Node, run, within};
use crate::harness::{CONFIG, RESPONSE_TIMEOUT_MS};

/// One town at a time: on two cores several would take each other for dead.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What all nodes prove each other by, and what they seal with.
const SHARED: &str = "[storage]\nmode = \"cluster\"\n\
    [cluster]\nlisten = \"127.0.0.1:0\"\nsecret = \"a-secret-of-the-tests-that-nobody-needs\"\n\
    beat_ms = 200\ntakeover_after_ms = 1500\n\
    [seal]\nactive = \"tests\"\n[seal.keys]\n\
    tests = \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n\
    [log]\nlevel = \"info,scylla=off\"\nformat = \"json\"\n";

/// The path notices of a biller come to.
pub fn path_of(biller: &str) -> String {
    format!("/{biller}")
}

/// What a town is made of.
pub struct Plan<'a> {
    /// How many nodes, named `node-1` and so on.
    pub nodes: usize,
    /// The `[redis]` section's addresses, as TOML.
    pub redis: String,
    /// Configuration over that of the harness.
    pub extra: &'a str,
}

/// Nodes, their servers and their neighbours. Nothing runs yet but the neighbours.
pub struct Town {
    pub nodes: Vec<Node>,
    pub issuer: IssuerHandle,
    pub merchant: MerchantHandle,
    pub keyspace: String,
    pub dir: TempDir,
    pub redis: String,
    _alone: MutexGuard<'static, ()>,
}

impl Town {
    /// Builds the town; the schema is applied and no node runs.
    pub async fn build(plan: Plan<'_>) -> Self {
        let town = Self::without_schema(plan).await;
        town.apply_schema().await;
        town
    }

    /// Builds the town and starts all nodes, one after another.
    pub async fn start(plan: Plan<'_>) -> Self {
        let extra = plan.extra.to_owned();
        let town = Self::build(plan).await;
        town.start_nodes(&extra).await;
        town
    }

    /// Starts all nodes, one after another, that were built with `extra` configuration.
    pub async fn start_nodes(&self, extra: &str) {
        for node in &self.nodes {
            node.start().await;
            node.wait_ready().await;
        }
        let floats = format!("{CONFIG}{extra}").matches("[[floats]]").count();
        self.wait_floats(floats).await;
    }

    /// Another process with the configuration and the name of a node, and a folder of its own.
    pub fn twin(&self, node: usize) -> Node {
        let server = tokio::task::block_in_place(cassandra).addresses()[0].clone();
        let original = &self.nodes[node];
        let name = format!("{}-twin", original.name);
        let mut files = original.files.clone();
        let own = std::fs::read_to_string(&files[2]).expect("a file");
        let folder = |name: &str| format!("{}\"", self.dir.path().join(name).display());
        files[2] = self.dir.path().join(format!("{name}-own.toml"));
        let own = own.replace(&folder(&original.name), &folder(&name));
        std::fs::write(&files[2], own).expect("a file");
        let cql = Proxy::start(&server).expect("a proxy");
        Node::new(&name, cql, files, self.dir.path())
    }

    /// Waits until so many floats are open, which is a moment after the first node is ready.
    pub async fn wait_floats(&self, count: usize) {
        within("the floats to be open", NODE_MAX, async || {
            let logs = self.nodes.iter().map(Node::log);
            let opened: usize = logs.map(|log| log.matches("\"float opened\"").count()).sum();
            (count <= opened).then_some(())
        })
        .await;
    }

    /// Builds the town with an empty Cassandra.
    pub async fn without_schema(plan: Plan<'_>) -> Self {
        let alone = ALONE.lock().await;
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let dir = TempDir::new().expect("a folder");
        let issuer = issuer(&dir).await;
        let merchant = merchant().await;
        let keyspace = fresh_keyspace();
        let cassandra = tokio::task::block_in_place(cassandra).addresses()[0].clone();
        let mut nodes = Vec::new();
        for number in 1..=plan.nodes {
            let name = format!("node-{number}");
            let cql = Proxy::start(&cassandra).expect("a proxy");
            let own = format!(
                "[data]\ndir = \"{}\"\n[cluster]\nnode = \"{name}\"\n[redis]\n{}\n\
                 namespace = \"{keyspace}\"\n[scylla]\nnodes = [\"{}\"]\nkeyspace = \"{keyspace}\"\n\
                 replication_factor = 1\n",
                dir.path().join(&name).display(),
                plan.redis,
                cql.address()
            );
            let base = CONFIG
                .replace("@issuer@", &issuer.addr().to_string())
                .replace("[log]\nlevel = \"error\"\n", "");
            let files = [("base", base.as_str()), ("shared", SHARED), ("own", &own)];
            let files = files.into_iter().chain([("extra", plan.extra)]);
            let files: Vec<PathBuf> = files
                .map(|(part, text)| {
                    let file = dir.path().join(format!("{name}-{part}.toml"));
                    std::fs::write(&file, text).expect("a file");
                    file
                })
                .collect();
            nodes.push(Node::new(&name, cql, files, dir.path()));
        }
        let redis = plan.redis;
        Self { nodes, issuer, merchant, keyspace, dir, redis, _alone: alone }
    }

    /// `cauce schema apply`; what it printed.
    pub async fn apply_schema(&self) -> String {
        let ran = self.cauce(&["schema", "apply"]).await;
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    /// Runs a command of the program with the first node's configuration.
    pub async fn cauce(&self, command: &[&str]) -> std::process::Output {
        let command = command.iter().map(|word| (*word).to_owned());
        run(command.chain(self.nodes[0].configured()).collect()).await
    }

    /// Copies the logs of nodes and bank to where they stay; gives that folder.
    pub fn keep_logs(&self) -> PathBuf {
        let kept = std::env::temp_dir().join(&self.keyspace);
        std::fs::create_dir_all(&kept).expect("a folder");
        for entry in std::fs::read_dir(self.dir.path()).expect("a folder").flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                std::fs::copy(entry.path(), kept.join(entry.file_name())).expect("a copy");
            }
        }
        kept
    }

    /// The bank's own log, as far as it is written; its last line may be cut.
    pub async fn bank_log(&self) -> String {
        let log = std::fs::read_to_string(self.dir.path().join("bank-b.jsonl")).expect("a log");
        let whole = log.rfind('\n').map_or(0, |end| end + 1);
        log[..whole].to_owned()
    }

    /// The address of the gate's Redis, where there is one.
    pub fn redis_url(&self) -> String {
        self.redis.split('"').nth(1).expect("an address").to_owned()
    }

    /// An API key of a biller, which all nodes know.
    pub async fn key(&self, biller: &str) -> String {
        let made = self.cauce(&["key", "create", "--role", "biller", "--owner", biller]).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8_lossy(&made.stdout).trim().to_owned()
    }

    /// The API of a node as the holder of a key sees it.
    pub fn api(&self, node: usize, key: &str) -> Api {
        Api::at(self.nodes[node].addresses().expect("a node that listens").http, key)
    }

    /// Has the merchant hear of everything of these billers, through the first node.
    pub async fn endpoints(&self, billers: &[&str]) -> HashMap<String, String> {
        let mut keys = HashMap::new();
        for biller in billers {
            let key = self.key(biller).await;
            let url = self.merchant.url(&path_of(biller));
            let made = self.api(0, &key).post("/v1/endpoints", &json!({ "url": url })).await;
            assert_eq!(made.status, 201, "{}", made.body);
            self.merchant.set_secret(&path_of(biller), made.text("/secret")).expect("a secret");
            // The other nodes read it from the common table a moment later.
            for node in 0..self.nodes.len() {
                within("the endpoint to be known", NODE_MAX, async || {
                    let listed = self.api(node, &key).get("/v1/endpoints").await;
                    listed.body["items"].as_array().is_some_and(|it| !it.is_empty()).then_some(())
                })
                .await;
            }
            keys.insert((*biller).to_owned(), key);
        }
        keys
    }
}

/// The one of this test binary.
pub fn cassandra() -> &'static Cassandra {
    shared_cassandra()
}

/// A bank that takes a few milliseconds, and is late after the switch's time limit.
async fn issuer(dir: &TempDir) -> IssuerHandle {
    let (min, max) = (Duration::from_millis(1), Duration::from_millis(25));
    let settings = IssuerSettings {
        late_after: Duration::from_millis(RESPONSE_TIMEOUT_MS + 300),
        truth: Some(dir.path().join("bank-b.jsonl")),
        profile: Profile { latency: Latency::Uniform { min, max }, ..Profile::default() },
        ..IssuerSettings::new("bank-b")
    };
    Issuer::start(settings).await.expect("an issuer")
}

async fn merchant() -> MerchantHandle {
    let billers = ["isp-ve", "lender-mx"].map(|biller| BillerEndpoint {
        path: path_of(biller),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
        script: Script::Accept,
    });
    let listen = ([127, 0, 0, 1], 0).into();
    let settings = MerchantSettings { listen, log: None, billers: billers.into() };
    Merchant::start(settings).await.expect("a merchant")
}
