//! The service's own part: addresses, ceilings, time-outs.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use codecs::frame::{FrameSpec, Framer, HeaderKind};
use router::text::Text;

use super::admin::{self, AdminConfig};
use super::backoffice::{self, BackofficeConfig};
use super::cluster::{self, ClusterConfig, Use};
use super::log::{self, LogConfig, TraceConfig};
use super::read::Section;
use super::retention;
use super::sealing_key::{SealingKeyError, sealing_key};

/// Addresses, ceilings and time-outs of the service itself.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// Where data lives.
    pub data: DataConfig,
    /// Where what companies register is kept.
    pub backoffice: BackofficeConfig,
    /// The JSON API.
    pub http: HttpConfig,
    /// Participants' lines.
    pub iso8583: Iso8583Config,
    /// Connections of one address at once, over all listeners.
    pub connections_per_address_max: usize,
    /// Health, readiness, metrics and drain.
    pub admin: AdminConfig,
    /// The journal.
    pub storage: StorageConfig,
    /// Many nodes; none on one machine.
    pub cluster: Option<ClusterConfig>,
    /// Keys that seal card numbers and secrets.
    pub seal: SealConfig,
    /// What becomes of a request with a card number in a field where none belongs.
    pub in_free_fields: InFreeFields,
    /// Notices to merchants.
    pub notices: NoticesConfig,
    /// Reversals.
    pub reversals: ReversalsConfig,
    /// When the machine's clock is believed.
    pub clock: ClockConfig,
    /// How long a stop waits for payments under way.
    pub drain_grace: Duration,
    /// How long a stop waits after that for the journal to close.
    pub drain_close: Duration,
    /// Pause between two looks whether a file of the configuration has changed; none means that only
    /// SIGHUP has it read again.
    pub watch_every: Option<Duration>,
    /// The log.
    pub log: LogConfig,
    /// The trace of participants' lines.
    pub trace: TraceConfig,
    /// DE32 of what this switch itself sends.
    pub acquirer_id: Text<11>,
}

/// Where data lives.
#[derive(Debug, Clone)]
pub struct DataConfig {
    /// The one folder.
    pub dir: PathBuf,
}

/// The JSON API's listener.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Its address.
    pub listen: SocketAddr,
    /// Connections at once.
    pub connections_max: usize,
    /// Time to send a request's header.
    pub header_timeout: Duration,
    /// Time for a request's body, from its header on.
    pub body_timeout: Duration,
    /// Time for a whole request, in milliseconds.
    pub request_timeout_ms: u64,
    /// Largest body.
    pub body_bytes_max: usize,
    /// Requests of one API key in a second; none means as many as come.
    pub requests_per_second_per_key_max: Option<NonZeroU32>,
    /// Streams of events.
    pub event_streams: EventStreamConfig,
    /// Certificate and key; none means plain HTTP.
    pub tls: Option<TlsServerFiles>,
}

/// Streams of events.
#[derive(Debug, Clone, Copy)]
pub struct EventStreamConfig {
    /// Of one API key at once.
    pub per_key_max: usize,
    /// Of all keys at once.
    pub max: usize,
    /// Pause between two signs of life.
    pub heartbeat: Duration,
}

/// PEM files of a TLS listener.
#[derive(Debug, Clone)]
pub struct TlsServerFiles {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// Authorities of client certificates; set, every client must show one.
    pub client_ca: Option<PathBuf>,
}

/// The listener of participants' lines.
#[derive(Debug, Clone)]
pub struct Iso8583Config {
    /// Its address.
    pub listen: SocketAddr,
    /// Length prefix and header.
    pub framing: Framer,
    /// Lines at once, over all addresses they are taken at.
    pub connections_max: usize,
    /// Lines at once that have not signed on.
    pub unsigned_max: usize,
    /// The same, of one address.
    pub unsigned_per_address_max: usize,
    /// Time to sign on.
    pub sign_on_timeout: Duration,
    /// Longest silence.
    pub idle_timeout: Duration,
    /// Time for a frame that has begun.
    pub partial_frame_timeout: Duration,
    /// Time for a peer to take what we write.
    pub write_timeout: Duration,
    /// Requests of one line being worked on.
    pub in_flight_max: usize,
    /// Bytes of messages that may wait to be written to one line.
    pub queued_bytes_max: usize,
    /// Certificate and key; none means plain TCP.
    pub tls: Option<TlsServerFiles>,
}

/// The journal.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// Requests waiting for the writer.
    pub queue_len_max: usize,
    /// Records per fdatasync.
    pub group_len_max: usize,
    /// Size at which a segment is closed.
    pub segment_bytes_max: u64,
    /// How long a key is remembered.
    pub key_retention: Duration,
    /// How long a bill is remembered after its last payment; none: for ever.
    pub bill_retention: Option<Duration>,
    /// How long records are kept at least; none keeps them for ever.
    pub keep_for: Option<Duration>,
    /// Records the read models may lag.
    pub view_lag_max: u64,
    /// Closed segments between snapshots.
    pub snapshot_segments: u32,
    /// Injected wait at each fdatasync, microseconds.
    pub fsync_delay_us: u64,
}

/// Keys that seal card numbers and secrets.
#[derive(Debug, Clone)]
pub struct SealConfig {
    /// Name of the key in use; none means one is made beside the data.
    pub active: Option<String>,
    /// Where each named key is.
    pub keys: Vec<(String, KeySource)>,
    /// Where the key is under which requests are compared; none means the nodes' secret or, on one
    /// machine, a file beside the data.
    pub fingerprint_key: Option<KeySource>,
}

/// What becomes of a request with a card number in a field where none belongs. What is kept is
/// masked either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InFreeFields {
    /// It is refused with the field's name.
    Refuse,
    /// It is taken.
    Mask,
}

/// Where a key's 64 hexadecimal digits are.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In the configuration itself.
    Inline(String),
    /// In a file.
    File(PathBuf),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("[secret]"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Notices to merchants.
#[derive(Debug, Clone)]
pub struct NoticesConfig {
    /// Time an endpoint has to answer.
    pub timeout: Duration,
    /// Pauses between tries; after the last the notice is given up.
    pub retry_after: Vec<Duration>,
    /// A notice that is owed for longer is given up without one more try.
    pub age_max: Duration,
    /// Deliveries at once to one endpoint.
    pub in_flight_per_endpoint_max: usize,
    /// Deliveries at once in all.
    pub in_flight_max: usize,
    /// Endpoints of one biller.
    pub endpoints_per_biller_max: usize,
    /// How long an old signing secret signs beside its successor.
    pub secret_overlap: Duration,
    /// Whether endpoints may be on loopback and private networks.
    pub dangerous_allow_private_addresses: bool,
}

/// Reversals.
#[derive(Debug, Clone, Copy)]
pub struct ReversalsConfig {
    /// On their way at once.
    pub concurrent_max: usize,
    /// Pause before the first repeat.
    pub retry_min: Duration,
    /// Longest pause.
    pub retry_max: Duration,
    /// How long "not found" is no evidence once the line of the request is gone.
    pub not_found_after: Duration,
    /// How long an original is refused whose reversal came before it.
    pub early_kept: Duration,
}

/// When the machine's wall clock is believed.
#[derive(Debug, Clone, Copy)]
pub struct ClockConfig {
    /// Most difference from the time since the machine's start, and from the clock of Redis.
    pub tolerance: Duration,
    /// How far ahead of the last record the clock may be after a restart of the machine.
    pub off_max: Duration,
}

const MS_MAX: u64 = 86_400_000;

/// Reads the service's sections.
pub(super) fn read(root: &mut Section<'_>) -> ServiceConfig {
    let mut use_of = Use::Unused;
    let (drain_grace, drain_close) = root.section("drain", |drain| {
        (millis(drain, "grace_ms", 15_000), millis(drain, "close_ms", 10_000))
    });
    let data = root.section("data", |data| DataConfig {
        dir: data.text("dir").unwrap_or_else(|| "./data".to_owned()).into(),
    });
    let config = ServiceConfig {
        http: root.section("http", http),
        iso8583: root.section("iso8583", iso8583),
        connections_per_address_max: root.section("connections", |connections| {
            connections.size("per_address_max", 1..=1_000_000, 2048)
        }),
        admin: root.section("admin", admin::read),
        storage: root.section("storage", |section| storage(section, &mut use_of)),
        cluster: cluster::read(root, use_of),
        backoffice: root.section("backoffice", |section| backoffice::read(section, &data, use_of)),
        data,
        seal: root.section("seal", |section| seal(section, use_of)),
        in_free_fields: root.section("card_numbers", |section| {
            let choices = [("refuse", InFreeFields::Refuse), ("mask", InFreeFields::Mask)];
            section.choice("in_free_fields", &choices)
        }),
        notices: root.section("notices", notices),
        reversals: root.section("reversals", |section| ReversalsConfig {
            concurrent_max: section.size("concurrent_max", 1..=100_000, 256),
            retry_min: millis(section, "retry_min_ms", 1000),
            retry_max: millis(section, "retry_max_ms", 60_000),
            not_found_after: millis(section, "not_found_after_ms", 5000),
            early_kept: Duration::from_secs(section.number("early_kept_s", 1..=86_400, 600)),
        }),
        clock: root.section("clock", clock),
        drain_grace,
        drain_close,
        watch_every: root.section("reload", |reload| {
            let pause_ms = reload.number("watch_ms", 0..=3_600_000, 2000);
            (pause_ms != 0).then(|| Duration::from_millis(pause_ms))
        }),
        log: root.section("log", log::read),
        trace: root.section("trace", log::read_trace),
        acquirer_id: root
            .section("switch", |own| own.required("acquirer_id").unwrap_or(Text::EMPTY)),
    };
    retention::check(&config, root);
    config
}

/// A rate; 0 means that there is no limit.
fn requests_per_second(section: &mut Section<'_>) -> Option<NonZeroU32> {
    let name = "requests_per_second_per_key_max";
    NonZeroU32::new(u32::try_from(section.number(name, 0..=1_000_000, 0)).unwrap_or(u32::MAX))
}

fn http(section: &mut Section<'_>) -> HttpConfig {
    HttpConfig {
        listen: address(section, "listen", 8080),
        connections_max: section.size("connections_max", 1..=1_000_000, 4096),
        header_timeout: millis(section, "header_timeout_ms", 10_000),
        body_timeout: millis(section, "body_timeout_ms", 10_000),
        request_timeout_ms: section.number("request_timeout_ms", 1..=MS_MAX, 30_000),
        body_bytes_max: section.size("body_bytes_max", 1024..=67_108_864, 65_536),
        requests_per_second_per_key_max: requests_per_second(section),
        event_streams: EventStreamConfig {
            per_key_max: section.size("event_streams_per_key_max", 1..=10_000, 4),
            max: section.size("event_streams_max", 1..=100_000, 256),
            heartbeat: Duration::from_secs(section.number("event_heartbeat_s", 1..=3600, 15)),
        },
        tls: tls_files(section),
    }
}

fn iso8583(section: &mut Section<'_>) -> Iso8583Config {
    Iso8583Config {
        listen: address(section, "listen", 8583),
        framing: framing(section),
        connections_max: section.size("connections_max", 1..=1_000_000, 1024),
        unsigned_max: section.size("unsigned_max", 1..=100_000, 256),
        unsigned_per_address_max: section.size("unsigned_per_address_max", 1..=100_000, 64),
        sign_on_timeout: millis(section, "sign_on_timeout_ms", 10_000),
        idle_timeout: millis(section, "idle_timeout_ms", 120_000),
        partial_frame_timeout: millis(section, "partial_frame_timeout_ms", 10_000),
        write_timeout: millis(section, "write_timeout_ms", 10_000),
        in_flight_max: section.size("in_flight_max", 1..=1_000_000, 4096),
        queued_bytes_max: section.size("queued_bytes_max", 65_536..=1 << 30, 4 << 20),
        tls: tls_files(section),
    }
}

/// How accepted lines frame: two words and a maximum, or a table that says all of it.
fn framing(section: &mut Section<'_>) -> Framer {
    let header =
        section.choice("header", &[("none", HeaderKind::None), ("tpdu", HeaderKind::Tpdu)]);
    let body_len_max = section.size("frame_bytes_max", 64..=65_535, 4096);
    let spec = match section.value("framing") {
        Some(toml::Value::Table(_)) => match super::framing::read(section) {
            Some(framer) => return framer,
            None => FrameSpec::BINARY2,
        },
        _ => section
            .choice("framing", &[("binary2", FrameSpec::BINARY2), ("ascii4", FrameSpec::ASCII4)]),
    };
    Framer::new(FrameSpec { header, body_len_max, ..spec })
        .expect("invariant: these choices go together")
}

fn storage(section: &mut Section<'_>, use_of: &mut Use) -> StorageConfig {
    *use_of = section.choice("mode", &[("embedded", Use::Unused), ("cluster", Use::Needed)]);
    StorageConfig {
        queue_len_max: section.size("queue_len_max", 1..=1_048_576, 16_384),
        group_len_max: section.size("group_len_max", 1..=65_536, 2048),
        segment_bytes_max: section.number("segment_bytes_max", 65_536..=1 << 40, 128 << 20),
        key_retention: Duration::from_secs(
            section.number("key_retention_hours", 1..=87_600, 48) * 3600,
        ),
        bill_retention: retention::bill_retention(section),
        keep_for: retention::keep_for(section, *use_of),
        view_lag_max: section.number("view_lag_max", 1000..=1 << 40, 500_000),
        snapshot_segments: u32::try_from(section.number("snapshot_segments", 0..=100_000, 8))
            .expect("invariant: the bounds fit"),
        fsync_delay_us: section.number("dangerous_fsync_delay_us", 0..=1_000_000, 0),
    }
}

fn seal(section: &mut Section<'_>, use_of: Use) -> SealConfig {
    let active = section.text("active");
    if active.is_none() && use_of == Use::Needed {
        section.mistake("active", "must be set: all nodes open what one of them sealed");
    }
    let fingerprint_key = key_source(section, "fingerprint_key");
    let keys = section.section("keys", |keys| {
        let names = keys.keys();
        names
            .into_iter()
            .filter_map(|name| Some((name.clone(), key_source(keys, &name)?)))
            .collect()
    });
    let config = SealConfig { active, keys, fingerprint_key };
    if let Some(active) = &config.active
        && !config.keys.iter().any(|(name, _)| name == active)
    {
        section.mistake("active", format!("there is no key `{active}` in seal.keys"));
    }
    config
}

fn key_source(keys: &mut Section<'_>, name: &str) -> Option<KeySource> {
    let text = keys.text(name)?;
    if let Some(path) = text.strip_prefix("file:") {
        return Some(KeySource::File(path.into()));
    }
    match sealing_key(name, &text) {
        Ok(_) => return Some(KeySource::Inline(text)),
        Err(SealingKeyError::Trivial { .. }) => {
            keys.mistake(name, "is a key that anyone would guess")
        }
        Err(SealingKeyError::Digits { .. }) => {
            keys.mistake(name, "64 hexadecimal digits or file:PATH are expected")
        }
    }
    None
}

/// Greatest age that a notice may be given: 90 days.
const NOTICE_AGE_S_MAX: u64 = 7_776_000;
/// Longest time that an old signing secret may sign beside its successor: 30 days.
const SECRET_OVERLAP_S_MAX: u64 = 2_592_000;

fn notices(section: &mut Section<'_>) -> NoticesConfig {
    let retry_after: Vec<Duration> =
        section.numbers("retry_after_s").into_iter().map(Duration::from_secs).collect();
    if retry_after.len() > 32 {
        section.mistake("retry_after_s", "at most 32 pauses are allowed");
    }
    NoticesConfig {
        timeout: millis(section, "timeout_ms", 10_000),
        retry_after,
        age_max: Duration::from_secs(section.number("age_max_s", 1..=NOTICE_AGE_S_MAX, 259_200)),
        in_flight_per_endpoint_max: section.size("in_flight_per_endpoint_max", 1..=10_000, 32),
        in_flight_max: section.size("in_flight_max", 1..=100_000, 512),
        endpoints_per_biller_max: section.size("endpoints_per_biller_max", 1..=1000, 16),
        secret_overlap: Duration::from_secs(section.number(
            "secret_overlap_s",
            0..=SECRET_OVERLAP_S_MAX,
            86_400,
        )),
        dangerous_allow_private_addresses: section.flag("dangerous_allow_private_addresses"),
    }
}

fn clock(section: &mut Section<'_>) -> ClockConfig {
    let days = section.number("off_max_days", 1..=3_650, 30);
    ClockConfig {
        tolerance: Duration::from_millis(section.number("tolerance_ms", 500..=600_000, 5_000)),
        off_max: Duration::from_hours(days * 24),
    }
}

fn tls_files(section: &mut Section<'_>) -> Option<TlsServerFiles> {
    let certificate = section.text("tls_certificate");
    let key = section.text("tls_key");
    let client_ca = if section.has("tls_client_ca") { section.text("tls_client_ca") } else { None };
    for file in [&certificate, &key, &client_ca].into_iter().flatten() {
        section.note_file(Path::new(file), &[]);
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsServerFiles {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: client_ca.map(PathBuf::from),
        }),
        (None, None) => {
            if client_ca.is_some() {
                section.mistake("tls_client_ca", "needs tls_certificate and tls_key");
            }
            None
        }
        (Some(_), None) => {
            section.mistake("tls_key", "is missing beside tls_certificate");
            None
        }
        (None, Some(_)) => {
            section.mistake("tls_certificate", "is missing beside tls_key");
            None
        }
    }
}

/// Reads a time in milliseconds, 1 ms to a day.
pub(super) fn millis(section: &mut Section<'_>, name: &str, default: u64) -> Duration {
    Duration::from_millis(section.number(name, 1..=MS_MAX, default))
}

pub(super) fn address(section: &mut Section<'_>, name: &str, default_port: u16) -> SocketAddr {
    let default = SocketAddr::from(([127, 0, 0, 1], default_port));
    section.socket_address(name, &default.to_string()).unwrap_or(default)
}
