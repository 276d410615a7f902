//! Connections to the pinned instances, and rounds of calls over them.
//!
//! A connection is made here alone, and none is made again in silence: what broke is dropped, and
//! what comes next is checked against the pin anew.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{
    Cmd, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates, Value,
    cmd,
};

use crate::failure::{Failure, Why};
use crate::figures::GateFigures;
use crate::layout::Layout;
use crate::library::{Function, LIBRARY};
use crate::pin::{Pin, ShardPin};
use crate::settings::RedisSettings;

/// One connection.
pub(crate) struct Link {
    connection: Connection,
    pub address: String,
    response_timeout: Duration,
}

/// What an instance says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceIdentity {
    pub run_id: String,
    pub replication_id: String,
}

impl Link {
    /// Connects to an address with the user, password and TLS of a URL.
    pub fn connect(
        url: &str,
        address: Option<&str>,
        settings: &RedisSettings,
    ) -> Result<Self, Failure> {
        let mut info = info_of(url)?;
        if let Some(address) = address {
            info = with_address(info, address)?;
        }
        let address = address_of(&info)?;
        let at = |error: redis::RedisError| Failure::from(error).at(&address);
        let root_cert = settings.tls_roots.as_deref().map(<[u8]>::to_vec);
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let client = match root_cert.filter(|_| is_tls) {
            Some(root_cert) => {
                let roots = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
                redis::Client::build_with_tls(info, roots)
            }
            None => redis::Client::open(info),
        };
        let client = client.map_err(at)?;
        let connection =
            client.get_connection_with_timeout(settings.connect_timeout).map_err(at)?;
        let response_timeout = settings.response_timeout;
        connection.set_read_timeout(Some(response_timeout)).map_err(at)?;
        connection.set_write_timeout(Some(response_timeout)).map_err(at)?;
        Ok(Self { connection, address, response_timeout })
    }

    /// One command, one answer.
    pub fn ask(&mut self, command: &Cmd) -> Result<Value, Failure> {
        let failed = |error| Failure::from(error).at(&self.address);
        self.connection.send_packed_command(&command.get_packed_command()).map_err(failed)?;
        match self.connection.recv_response() {
            Ok(Value::ServerError(error)) => Err(Failure::from(error).at(&self.address)),
            Ok(value) => Ok(value),
            Err(error) => Err(Failure::from(error).at(&self.address)),
        }
    }

    /// Who this is; it must be a primary that never evicts.
    pub fn identify(&mut self) -> Result<InstanceIdentity, Failure> {
        let mut text = String::new();
        for section in ["server", "replication", "memory"] {
            text += &text_of(&self.ask(cmd("INFO").arg(section))?)?;
        }
        let no = |why, detail: &str| Failure::new(why, detail).at(&self.address);
        let field = |name: &str| {
            field(&text, name).map(str::to_owned).ok_or_else(|| no(Why::Other, "INFO is not whole"))
        };
        if field("role")? != "master" {
            return Err(no(Why::NotServing, "is a replica"));
        }
        // What evicts keys forgets them without a trace.
        if field("maxmemory")? != "0" && field("maxmemory_policy")?.starts_with("allkeys") {
            return Err(no(Why::Other, "evicts keys: set maxmemory-policy noeviction"));
        }
        Ok(InstanceIdentity { run_id: field("run_id")?, replication_id: field("master_replid")? })
    }

    /// Makes sure that the functions are there.
    fn load_library(&mut self) -> Result<(), Failure> {
        let mut list = cmd("FUNCTION");
        list.arg("LIST").arg("LIBRARYNAME").arg(&LIBRARY.name);
        // A server whose memory is full would not load what it has already.
        if matches!(self.ask(&list)?, Value::Array(found) if !found.is_empty()) {
            return Ok(());
        }
        match self.ask(cmd("FUNCTION").arg("LOAD").arg(&LIBRARY.code)) {
            Err(failure) if !failure.detail.contains("already exists") => Err(failure),
            _ => Ok(()),
        }
    }

    fn receive(&mut self, deadline: Instant) -> Result<Value, Failure> {
        if Instant::now() > deadline {
            return Err(Failure::new(Why::TimedOut, "no answer in time").at(&self.address));
        }
        match self.connection.recv_response() {
            Ok(Value::ServerError(error)) => Err(Failure::from(error).at(&self.address)),
            Ok(value) => Ok(value),
            Err(error) => Err(Failure::from(error).at(&self.address)),
        }
    }
}

/// Connections to all primaries of a pin, each checked against it.
pub(crate) struct Links {
    links: Vec<(Link, ShardPin)>,
    shard_of: Vec<usize>,
    figures: Arc<GateFigures>,
}

impl Links {
    /// Connects to all primaries of a pin.
    ///
    /// Errors: a primary does not answer, or is not the one that was pinned.
    pub fn connect(
        settings: &RedisSettings,
        figures: &Arc<GateFigures>,
        pin: &Pin,
    ) -> Result<Self, Failure> {
        let groups = settings.groups_in_use();
        let shard_of = pin.shard_of_groups(groups);
        let shard_of = shard_of.ok_or_else(|| {
            Failure::new(Why::OtherInstance, format!("the pin has not all of {groups} groups"))
        })?;
        let connect = |shard: &ShardPin| -> Result<(Link, ShardPin), Failure> {
            let url = settings.form.server_url();
            let mut link = Link::connect(url, Some(&shard.address), settings)?;
            let identity = link.identify().map_err(|failure| match failure.why {
                // It was a primary when it was pinned.
                Why::NotServing => Failure { why: Why::OtherInstance, ..failure },
                _ => failure,
            })?;
            check(&identity, shard)?;
            link.load_library()?;
            Ok((link, shard.clone()))
        };
        let links = pin.shards.iter().map(connect).collect::<Result<_, _>>()?;
        Ok(Self { links, shard_of, figures: Arc::clone(figures) })
    }

    /// The connection to each primary.
    pub fn each(&mut self) -> impl Iterator<Item = &mut Link> {
        self.links.iter_mut().map(|(link, _)| link)
    }

    /// Sends a round and gives its answers in the order of its calls.
    ///
    /// The last answer of every instance says who it is now: an instance that forgot something
    /// while its connections stood (demoted, and promoted again) has another replication id.
    /// After an error the links are of no use: answers may still be on their way.
    pub fn exchange(&mut self, round: Round<'_>) -> Result<Vec<Value>, Failure> {
        let Round { calls, order, .. } = round;
        let began = Instant::now();
        let mut sent = Vec::with_capacity(self.links.len());
        for (shard, mut bytes) in calls.into_iter().enumerate().filter(|(_, it)| !it.is_empty()) {
            cmd("INFO").arg("replication").write_packed_command(&mut bytes);
            let link = &mut self.links[shard].0;
            link.connection
                .send_packed_command(&bytes)
                .map_err(|error| Failure::from(error).at(&link.address))?;
            sent.push(shard);
        }
        let deadline = Instant::now() + self.response_timeout();
        let answers = order.iter().map(|shard| self.links[*shard].0.receive(deadline));
        let answers: Vec<Value> = answers.collect::<Result<_, _>>()?;
        for shard in sent {
            let (link, pinned) = &mut self.links[shard];
            let text = text_of(&link.receive(deadline)?)?;
            is_still(&text, pinned)?;
        }
        self.figures.round_trip(order.len(), began.elapsed());
        Ok(answers)
    }

    /// An empty round over these links.
    pub fn round<'a>(&self, layout: &'a Layout) -> Round<'a> {
        let shard_of = self.shard_of.clone();
        Round { calls: vec![Vec::new(); self.links.len()], order: Vec::new(), shard_of, layout }
    }

    fn response_timeout(&self) -> Duration {
        self.links.first().map_or(Duration::ZERO, |(link, _)| link.response_timeout)
    }
}

/// Calls that go out together.
pub(crate) struct Round<'a> {
    calls: Vec<Vec<u8>>,
    /// The shard of each call.
    order: Vec<usize>,
    shard_of: Vec<usize>,
    layout: &'a Layout,
}

impl Round<'_> {
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Adds a call of a function on the data of a group.
    pub fn call(&mut self, group: usize, function: Function, arguments: &[&[u8]]) {
        let shard = self.shard_of[group];
        let bytes = &mut self.calls[shard];
        let key = self.layout.prefix(group).as_bytes();
        let words = [b"FCALL".as_slice(), LIBRARY.function(function).as_bytes(), b"1", key];
        put_len(b'*', words.len() + arguments.len(), bytes);
        for word in words.iter().chain(arguments) {
            put_len(b'$', word.len(), bytes);
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.order.push(shard);
    }
}

fn put_len(kind: u8, len: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(len.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn check(identity: &InstanceIdentity, pinned: &ShardPin) -> Result<(), Failure> {
    let ShardPin { address, run_id, replication_id, groups: _ } = pinned;
    if (&identity.run_id, &identity.replication_id) == (run_id, replication_id) {
        return Ok(());
    }
    let InstanceIdentity { run_id: other, replication_id: history } = identity;
    let detail = format!("is run {other} of history {history}, not {run_id} of {replication_id}");
    Err(Failure::new(Why::OtherInstance, detail).at(address))
}

fn is_still(info: &str, pinned: &ShardPin) -> Result<(), Failure> {
    let now = (field(info, "role"), field(info, "master_replid"));
    if now == (Some("master"), Some(&pinned.replication_id)) {
        return Ok(());
    }
    let detail = format!("is now {} of another history", now.0.unwrap_or("nothing"));
    Err(Failure::new(Why::OtherInstance, detail).at(&pinned.address))
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

pub(crate) fn text_of(value: &Value) -> Result<String, Failure> {
    match value {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text.clone()),
        Value::Int(number) => Ok(number.to_string()),
        other => Err(Failure::strange(&format!("{other:?}"))),
    }
}

pub(crate) fn info_of(url: &str) -> Result<ConnectionInfo, Failure> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Ok(info.set_redis_settings(settings))
}

/// `host:port` of it.
pub(crate) fn address_of(info: &ConnectionInfo) -> Result<String, Failure> {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Ok(format!("{host}:{port}"))
        }
        _ => Err(Failure::new(Why::Other, "only redis:// and rediss:// are supported")),
    }
}

fn with_address(info: ConnectionInfo, address: &str) -> Result<ConnectionInfo, Failure> {
    let parts = address.rsplit_once(':');
    let parts = parts.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let (host, port) =
        parts.ok_or_else(|| Failure::new(Why::Other, format!("`{address}` is no address")))?;
    let addr = match info.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    Ok(info.set_addr(addr))
}
