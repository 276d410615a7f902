//! Many nodes: where Redis and the CQL servers are, and what this node is among the others.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use super::read::Section;
use super::service::millis;

/// What a node of many needs to know besides what one machine does.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// This node among the others.
    pub node: NodeConfig,
    /// The gate.
    pub redis: RedisConfig,
    /// The journal's servers.
    pub scylla: ScyllaConfig,
}

/// This node among the others.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Its name; its lanes are known by it, so it must be the same after a restart and no other
    /// node's.
    pub name: String,
    /// Where other nodes call.
    pub listen: SocketAddr,
    /// Where other nodes find that; `host:port`.
    pub advertise: String,
    /// What nodes prove each other by.
    pub secret: SecretText,
    /// A node that is silent for so long is taken for dead.
    pub takeover_after: Duration,
    /// Pause between two signs of life.
    pub beat_every: Duration,
    /// Records of a lane between snapshots of its state.
    pub snapshot_records: u64,
}

/// One Redis, or one of many.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// Addresses: of the server, of Sentinels, or of nodes of a Redis Cluster.
    pub urls: Vec<SecretText>,
    /// Which of the three.
    pub form: RedisForm,
    /// Begins the name of every key.
    pub namespace: String,
    /// Parts that decide on their own, in a Redis Cluster.
    pub groups: u16,
    /// Certificates (PEM) that the servers' are held against; none: those of public authorities.
    pub tls_roots: Option<Box<[u8]>>,
    /// Most time for a connection.
    pub connect_timeout: Duration,
    /// Most time for an answer.
    pub response_timeout: Duration,
}

/// How Redis is made to outlast its servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisForm {
    /// It is not: one server.
    Single,
    /// A primary that Sentinels name.
    Sentinel {
        /// The name.
        master: String,
        /// User, password and TLS of the servers themselves.
        servers: Option<SecretText>,
    },
    /// A Redis Cluster.
    Cluster,
}

/// The CQL servers.
#[derive(Debug, Clone)]
pub struct ScyllaConfig {
    /// `host:port` of some of them.
    pub nodes: Vec<String>,
    /// The keyspace.
    pub keyspace: String,
    /// Copies of everything, where there is one datacentre.
    pub replication_factor: u8,
    /// Copies in each datacentre, where there are more.
    pub datacentres: BTreeMap<String, u8>,
    /// The datacentre asked first.
    pub local_datacentre: Option<String>,
    /// Whether agreement within the local datacentre is enough.
    pub is_local: bool,
    /// User and password.
    pub login: Option<(String, SecretText)>,
    /// Certificates that the servers' are held against.
    pub tls_ca: Option<PathBuf>,
    /// How long one attempt may take.
    pub request_timeout: Duration,
    /// How long rows are kept; zero: for ever.
    pub retention: Duration,
}

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the text.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text, for the wire or a digest.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// Shortest secret that nodes prove each other by, in characters.
const SECRET_LEN_MIN: usize = 32;
const DAY_S: u64 = 86_400;

/// Reads `[cluster]`, `[redis]` and `[scylla]`; their keys are known in either form, and must be
/// set where `is_used`.
pub(super) fn read(root: &mut Section<'_>, use_of: Use) -> Option<ClusterConfig> {
    let node = root.section("cluster", |section| node(section, use_of));
    let redis = root.section("redis", |section| redis(section, use_of));
    let scylla = root.section("scylla", |section| scylla(section, use_of));
    match use_of {
        Use::Needed => Some(ClusterConfig { node: node?, redis: redis?, scylla: scylla? }),
        Use::Unused => None,
    }
}

/// Whether the cluster's keys matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// `storage.mode` is `cluster`.
    Needed,
    /// It is not.
    Unused,
}

impl Use {
    fn needs(self, section: &Section<'_>, name: &str, is_there: bool) {
        if self == Self::Needed && !is_there {
            section.mistake(name, "must be set for storage.mode = \"cluster\"");
        }
    }
}

fn node(section: &mut Section<'_>, use_of: Use) -> Option<NodeConfig> {
    let name = section.text("node");
    let listen = super::service::address(section, "listen", 7700);
    let advertise = section.text("advertise");
    let secret = secret(section, "secret");
    let takeover_after = millis(section, "takeover_after_ms", 5000);
    let beat_every = millis(section, "beat_ms", 500);
    let snapshot_records = section.number("snapshot_records", 1000..=1 << 40, 500_000);
    use_of.needs(section, "node", name.is_some());
    use_of.needs(section, "secret", secret.is_some());
    if let Some(name) = name.as_deref().filter(|name| !is_name(name, 64)) {
        section.mistake("node", format!("`{name}` must be 1 to 64 of A-Z a-z 0-9 . - _"));
    }
    if secret.as_ref().is_some_and(|secret| secret.expose().len() < SECRET_LEN_MIN) {
        section.mistake("secret", format!("must have at least {SECRET_LEN_MIN} characters"));
    }
    if takeover_after < beat_every * 4 {
        section.mistake("takeover_after_ms", "must be at least four times beat_ms");
    }
    if use_of == Use::Needed && listen.ip().is_unspecified() && advertise.is_none() {
        section.mistake("advertise", "must be set, for listen names no address others could call");
    }
    let advertise = advertise.unwrap_or_else(|| listen.to_string());
    let (name, secret) = (name?, secret?);
    Some(NodeConfig {
        name,
        listen,
        advertise,
        secret,
        takeover_after,
        beat_every,
        snapshot_records,
    })
}

fn redis(section: &mut Section<'_>, use_of: Use) -> Option<RedisConfig> {
    let urls = section.texts("urls");
    let form = section
        .choice("form", &[("single", "single"), ("sentinel", "sentinel"), ("cluster", "cluster")]);
    let master = section.text("sentinel_master");
    let servers = secret(section, "sentinel_servers");
    let namespace = section.text("namespace").unwrap_or_else(|| "cauce".to_owned());
    let groups = section.number("groups", 1..=1024, 16);
    let connect_timeout = millis(section, "connect_timeout_ms", 1000);
    let response_timeout = millis(section, "response_timeout_ms", 500);
    let tls_roots = section.text("tls_ca").and_then(|path| pem(section, "tls_ca", &path));
    use_of.needs(section, "urls", !urls.is_empty());
    let is_redis = |url: &String| url.starts_with("redis://") || url.starts_with("rediss://");
    if urls.iter().any(|url| !is_redis(url)) {
        section.mistake("urls", "each must begin with redis:// or rediss://");
    }
    if !is_name(&namespace, 32) || namespace.contains('.') {
        section.mistake("namespace", "must be 1 to 32 of A-Z a-z 0-9 - _");
    }
    // A master's name says that the addresses are Sentinels'.
    let form = match (form, master) {
        ("cluster", None) => RedisForm::Cluster,
        ("single" | "sentinel", Some(master)) => RedisForm::Sentinel { master, servers },
        ("sentinel", None) => {
            section.mistake("sentinel_master", "must be set for form = \"sentinel\"");
            return None;
        }
        ("cluster", Some(_)) => {
            section.mistake("sentinel_master", "a Redis Cluster has no Sentinels");
            return None;
        }
        (_, None) if urls.len() > 1 => {
            section.mistake("urls", "form = \"single\" takes one address");
            return None;
        }
        (_, _) => RedisForm::Single,
    };
    Some(RedisConfig {
        urls: urls.into_iter().map(|url| SecretText(Zeroizing::new(url))).collect(),
        form,
        namespace,
        groups: u16::try_from(groups).expect("invariant: the bounds fit"),
        tls_roots,
        connect_timeout,
        response_timeout,
    })
}

fn scylla(section: &mut Section<'_>, use_of: Use) -> Option<ScyllaConfig> {
    let nodes = section.texts("nodes");
    let keyspace = section.text("keyspace").unwrap_or_else(|| "cauce".to_owned());
    let copies = section.number("replication_factor", 1..=9, 3);
    let datacentres = section.section("datacentres", |datacentres| {
        let names = datacentres.keys();
        let copies = |name: String| {
            let copies = datacentres.number(&name, 1..=9, 3);
            (name, u8::try_from(copies).expect("invariant: the bounds fit"))
        };
        names.into_iter().map(copies).collect::<BTreeMap<_, _>>()
    });
    let local_datacentre = section.text("local_datacentre");
    let is_local = section.choice("consistency", &[("quorum", false), ("local_quorum", true)]);
    let user = section.text("user");
    let password = secret(section, "password");
    let tls_ca = section.text("tls_ca").map(PathBuf::from);
    let request_timeout = millis(section, "request_timeout_ms", 2000);
    let retention_days = section.number("retention_days", 0..=7300, 0);
    use_of.needs(section, "nodes", !nodes.is_empty());
    if user.is_some() != password.is_some() {
        section.mistake("password", "goes with user");
    }
    if is_local && local_datacentre.is_none() {
        section.mistake("local_datacentre", "must be set for consistency = \"local_quorum\"");
    }
    Some(ScyllaConfig {
        nodes,
        keyspace,
        replication_factor: u8::try_from(copies).expect("invariant: the bounds fit"),
        datacentres,
        local_datacentre,
        is_local,
        login: user.zip(password),
        tls_ca,
        request_timeout,
        retention: Duration::from_secs(retention_days * DAY_S),
    })
}

/// A secret in a file or a variable, or – where it is generated for one run – in place.
fn secret(section: &mut Section<'_>, name: &str) -> Option<SecretText> {
    let text = Zeroizing::new(section.text(name)?);
    let read = match text.split_once(':') {
        Some(("file", path)) => std::fs::read_to_string(section.beside(name, path))
            .map_err(|error| format!("`{path}` cannot be read: {error}")),
        Some(("env", variable)) => {
            std::env::var(variable).map_err(|_| format!("there is no variable `{variable}`"))
        }
        _ => return Some(SecretText(text)),
    };
    match read {
        Ok(read) => Some(SecretText(Zeroizing::new(Zeroizing::new(read).trim().to_owned()))),
        Err(problem) => {
            section.mistake(name, problem);
            None
        }
    }
}

fn pem(section: &Section<'_>, name: &str, path: &str) -> Option<Box<[u8]>> {
    match std::fs::read(section.beside(name, path)) {
        Ok(bytes) => Some(bytes.into()),
        Err(error) => {
            section.mistake(name, format!("`{path}` cannot be read: {error}"));
            None
        }
    }
}

fn is_name(name: &str, len_max: usize) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=len_max).contains(&name.len()) && name.bytes().all(is_plain)
}
