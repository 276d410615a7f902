//! Participants, as far as their lines are concerned.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use codecs::frame::Framer;
use codecs::security::{KeyAlgorithm, KeyName, KeyUsage, PinFormat};
use router::id::{ParticipantId, Stan};
use router::message::Acceptor;
use router::text::Text;

use super::json_participant::{self, JsonConfig};
use super::keys::KeysConfig;
use super::message_format::{self, Traffic};
use super::read::Section;
use super::service::millis;
use super::{acceptor, framing};
use crate::line_rules::key_exchange::KeyExchange;
use crate::line_rules::message_format::MessageFormat;
use crate::line_rules::pin::PinRule;
use crate::outbound::Destination;

/// One participant's lines.
#[derive(Debug, Clone)]
pub struct ParticipantConfig {
    /// Its id.
    pub id: ParticipantId,
    /// What it is: `bank`, `aggregator`, `processor`; for people.
    pub kind: String,
    /// DE32 by which it signs on where it connects to us; none means it may not.
    pub acquirer_id: Option<Text<11>>,
    /// Fingerprint of the client certificate it must show, SHA-256 of its DER form.
    pub certificate_sha256: Option<[u8; 32]>,
    /// Where we connect to it; none means we do not.
    pub reach: Option<ConnectConfig>,
    /// The address that is for it alone; none means it calls where everybody does.
    pub listen: Option<SocketAddr>,
    /// How its messages are framed on lines we open and at its own address; none means as at
    /// everybody's.
    pub framing: Option<Framer>,
    /// How its messages differ from the switch's own; none means they do not.
    pub message_format: Option<Arc<MessageFormat>>,
    /// How the key of its authentication codes changes; none means it does not.
    pub key_exchange: Option<Arc<KeyExchange>>,
    /// How its PIN blocks are made; none means they pass as they are.
    pub pin: Option<PinRule>,
    /// Time it has to answer one request, in milliseconds.
    pub response_timeout_ms: u64,
    /// Requests to it that may be open at once.
    pub in_flight_max: usize,
    /// What becomes of a payment whose outcome is unknown.
    pub on_unknown: OnUnknown,
    /// Whether it reads replacement amounts (DE95), so that a part of a payment can be reversed.
    pub partial_reversals: bool,
    /// Requests of its own being worked on at once, over all its lines.
    pub requests_max: usize,
    /// Payments of it that may be unknown or being undone; above it new ones are refused.
    pub reversals_owed_max: usize,
    /// Whether it may sign on by its DE32 alone where anybody can call.
    pub dangerous_unpinned: bool,
    /// Digest of all of this, files that it names included: a participant with another digest is
    /// configured in another way.
    pub digest: u128,
    /// Its JSON API; none means that it speaks ISO 8583 over lines.
    pub json: Option<Arc<JsonConfig>>,
    /// How whoever takes a payment is presented to it, where neither the request nor its biller's
    /// entry says.
    pub acceptor: Acceptor,
}

impl ParticipantConfig {
    /// Whether it may sign on at an address of ours. One that we dial calls only with a certificate
    /// of its own, at an address of its own, or where somebody said that it may: whoever else names
    /// itself so is not the one that we dialled.
    pub fn may_call(&self) -> bool {
        let is_identified = self.certificate_sha256.is_some() || self.listen.is_some();
        self.acquirer_id.is_some()
            && (self.reach.is_none() || is_identified || self.dangerous_unpinned)
    }
}

/// What the rules need of a participant, and its lines do not.
const OF_RULES: [&str; 3] = ["currencies", "status", "net_debit_caps"];

/// What becomes of a participant's payment whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnknown {
    /// It is reversed.
    Reverse,
    /// The participant is asked what became of it. It is reversed where the participant does not know
    /// it, or says nothing of it.
    InquireFirst,
    /// It counts as approved: what the participant says is settled afterwards, outside the switch.
    DeemAccepted,
}

/// Where and how we connect to a participant.
#[derive(Debug, Clone)]
pub struct ConnectConfig {
    /// Its host and port. A name is looked up at each connect.
    pub address: Destination,
    /// Lines to keep open.
    pub lines: usize,
    /// Pause between echo tests (0800, DE70 301) on a quiet line.
    pub echo_interval: Duration,
    /// First pause before connecting again; doubles each time.
    pub reconnect_min: Duration,
    /// Longest pause before connecting again.
    pub reconnect_max: Duration,
    /// TLS; none means plain TCP.
    pub tls: Option<TlsFiles>,
}

/// PEM files of a TLS line we open.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Authorities of the participant's certificate.
    pub ca: PathBuf,
    /// Name its certificate must carry.
    pub server_name: String,
    /// Our certificate chain and key; none means we show none.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The part of a `[[participants]]` entry the rules need, beside its lines.
pub(super) struct ParticipantEntry {
    pub(super) lines: ParticipantConfig,
    pub(super) rules: router::policy::Participant,
}

/// Reads all `[[participants]]`.
///
/// `framing` is that of everybody's address, which holds where a participant says none.
pub(super) fn read_entries(
    root: &mut Section<'_>,
    keys: &KeysConfig,
    framing: &Framer,
) -> Vec<ParticipantEntry> {
    let mut seen: HashSet<ParticipantId> = HashSet::new();
    let mut acquirers: HashSet<Text<11>> = HashSet::new();
    let mut mac_keys: HashSet<KeyName> = HashSet::new();
    let entries = root.tables("participants", |section| {
        let id: Option<ParticipantId> = section.id("id");
        if let Some(id) = id.filter(|id| !seen.insert(*id)) {
            section.mistake("id", format!("there is another participant `{id}`"));
        }
        if id.is_some_and(|id| id.as_str() == UNKNOWN_PARTICIPANT) {
            let problem = "is what logs and metrics call a line without a sign-on";
            section.mistake("id", problem);
        }
        let entry = read_one(section, id, keys, framing);
        if let Some(acquirer_id) = entry.lines.acquirer_id.filter(|id| !acquirers.insert(*id)) {
            section.mistake("acquirer_id", format!("another participant has `{acquirer_id}`"));
        }
        let format = entry.lines.message_format.as_ref();
        let mac_key = format.and_then(|format| format.mac()).map(|rule| rule.key);
        if let Some(key) = mac_key.filter(|key| !mac_keys.insert(*key)) {
            section.mistake("mac", format!("another participant has key `{key}`"));
        }
        id.map(|_| entry)
    });
    entries.into_iter().flatten().collect()
}

fn read_one(
    section: &mut Section<'_>,
    id: Option<ParticipantId>,
    keys: &KeysConfig,
    framing_of_all: &Framer,
) -> ParticipantEntry {
    let id = id.unwrap_or(ParticipantId(Text::EMPTY));
    let files_before = section.files_noted();
    let codec = section.choice("codec", &[("cauce-87", Codec::Lines), ("json", Codec::Json)]);
    let acquirer_id = section.parsed("acquirer_id");
    let (reach, listen, framing) =
        (reach(section), section.socket_address("listen", "0.0.0.0:8601"), framing::read(section));
    if listen.is_some() && !section.has("acquirer_id") {
        section.mistake("listen", "needs acquirer_id, by which it signs on");
    }
    if !section.has("connect") && !section.has("listen") {
        for name in ["framing", "dialect", "mac", "key_exchange"] {
            if section.has(name) {
                section.mistake(name, "needs connect or listen: at everybody's address nobody is known before the sign-on");
            }
        }
    }
    let traffic = Traffic { is_asked: reach.is_some(), signs_on: listen.is_some() };
    let said = message_format::read(section, keys, traffic);
    let framing = match &said.header {
        // What is wrong with a framing was told already.
        Some(_) if framing.is_none() && section.has("framing") => None,
        Some(header) => {
            let said = framing.as_ref().unwrap_or(framing_of_all);
            framing::with_header_of_format(section, header, said)
        }
        None => framing,
    };
    let acceptor = acceptor::read(section, said.message_format.as_deref());
    let json = json(section, codec, acceptor);
    let partial_reversals =
        partial_reversals(section, said.message_format.as_deref(), json.as_deref());
    let lines = ParticipantConfig {
        id,
        kind: section.text("kind").unwrap_or_else(|| "bank".to_owned()),
        acquirer_id,
        certificate_sha256: fingerprint(section),
        reach,
        listen,
        framing,
        message_format: said.message_format,
        key_exchange: said.key_exchange,
        pin: section
            .has("pin")
            .then(|| section.section("pin", |pin| pin_rule(pin, keys)))
            .flatten(),
        response_timeout_ms: section.number("response_timeout_ms", 10..=600_000, 5000),
        in_flight_max: in_flight_max(section, codec),
        on_unknown: section.choice("on_unknown", &ON_UNKNOWN),
        partial_reversals,
        requests_max: section.size("requests_max", 1..=1_000_000, 8192),
        reversals_owed_max: section.size("reversals_owed_max", 1..=10_000_000, 20_000),
        dangerous_unpinned: section.flag("dangerous_unpinned"),
        json,
        acceptor,
        digest: section.digest_without(&OF_RULES, files_before),
    };
    let rules = super::rules::participant(section, id);
    ParticipantEntry { lines, rules }
}

/// The words of `on_unknown`; the first where nothing is said.
/// What a line is called whose participant is not known, in logs, metrics and traces; no participant
/// has this id.
pub const UNKNOWN_PARTICIPANT: &str = "unknown";

const ON_UNKNOWN: [(&str, OnUnknown); 3] = [
    ("reverse", OnUnknown::Reverse),
    ("inquire_first", OnUnknown::InquireFirst),
    ("deem_accepted", OnUnknown::DeemAccepted),
];

/// What a participant speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Lines,
    Json,
}

/// Requests open at once: over lines as many as there are trace numbers for, over HTTP each has a
/// connection of its own.
fn in_flight_max(section: &mut Section<'_>, codec: Codec) -> usize {
    let (most, default) = match codec {
        Codec::Lines => (u64::from(Stan::COUNT) / 2, 20_000),
        Codec::Json => (16_384, 512),
    };
    section.size("in_flight_max", 1..=most, default)
}

/// Keys of lines, which a participant with a JSON API does not have.
const OF_LINES: [&str; 10] = [
    "acquirer_id",
    "certificate_sha256",
    "connect",
    "dialect",
    "framing",
    "key_exchange",
    "listen",
    "mac",
    "pin",
    "tls",
];

fn json(section: &mut Section<'_>, codec: Codec, acceptor: Acceptor) -> Option<Arc<JsonConfig>> {
    let is_there = section.has("json");
    match codec {
        Codec::Lines if is_there => section.mistake("json", "needs codec = \"json\""),
        Codec::Lines => {}
        Codec::Json => {
            for name in OF_LINES.into_iter().filter(|name| section.has(name)) {
                section
                    .mistake(name, "is for lines, which a participant with codec json has none of");
            }
            if !is_there {
                section.mistake("json", "is missing: where its API is, and its dialect");
            }
        }
    }
    section.section(
        "json",
        |table| {
            if is_there { json_participant::read(table, acceptor) } else { None }
        },
    )
}

fn partial_reversals(
    section: &mut Section<'_>,
    message_format: Option<&MessageFormat>,
    json: Option<&JsonConfig>,
) -> bool {
    let is_wanted = section.flag("partial_reversals");
    if is_wanted && json.is_some_and(|json| !json.dialect.reverses_parts()) {
        let problem = "the [reverse] of the participant's dialect has neither {stands.minor} nor \
                       {stands.decimal} in its body";
        section.mistake("partial_reversals", problem);
    }
    if is_wanted
        && message_format
            .is_some_and(|message_format| !message_format.dialect().carries_replacement())
    {
        let problem = "the participant's format has no field 95 of 42 characters";
        section.mistake("partial_reversals", problem);
    }
    is_wanted
}

fn reach(section: &mut Section<'_>) -> Option<ConnectConfig> {
    let address = section.destination("connect", "bank.example:8583 or 192.0.2.10:8583");
    let lines = section.size("lines", 1..=64, 1);
    let echo_interval = millis(section, "echo_interval_ms", 30_000);
    let reconnect_min = millis(section, "reconnect_min_ms", 200);
    let reconnect_max = millis(section, "reconnect_max_ms", 10_000);
    if reconnect_max < reconnect_min {
        section.mistake("reconnect_max_ms", "is below reconnect_min_ms");
    }
    let tls = section.has("tls").then(|| section.section("tls", tls)).flatten();
    let address = address?;
    Some(ConnectConfig { address, lines, echo_interval, reconnect_min, reconnect_max, tls })
}

fn pin_rule(section: &mut Section<'_>, keys: &KeysConfig) -> Option<PinRule> {
    let formats = [("iso0", PinFormat::Iso0), ("iso3", PinFormat::Iso3)];
    let format = section.choice("format", &formats);
    let key: KeyName = section.required("key")?;
    let found = keys.find(&key, KeyUsage::Pin).map(|found| found.algorithm);
    if !matches!(found, Some(KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3)) {
        section.mistake(
            "key",
            format!("there is no key `{key}` with usage pin and algorithm tdes2 or tdes3"),
        );
        return None;
    }
    Some(PinRule { keys: Arc::clone(&keys.store) as _, key, format })
}

fn tls(section: &mut Section<'_>) -> Option<TlsFiles> {
    let ca: Option<PathBuf> = section.required("ca");
    let server_name: Option<String> = section.required("server_name");
    let certificate: Option<PathBuf> = section.parsed("certificate");
    let key: Option<PathBuf> = section.parsed("key");
    if certificate.is_some() != key.is_some() {
        section.mistake("certificate", "certificate and key go together");
    }
    Some(TlsFiles { ca: ca?, server_name: server_name?, identity: certificate.zip(key) })
}

fn fingerprint(section: &mut Section<'_>) -> Option<[u8; 32]> {
    let text = section.text("certificate_sha256")?;
    let mut bytes = [0; 32];
    match hex::decode_to_slice(text.replace(':', ""), &mut bytes) {
        Ok(()) => Some(bytes),
        Err(_) => {
            section.mistake("certificate_sha256", "64 hexadecimal digits are expected");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use codecs::frame::FrameSpec;

    use crate::config::{Layers, load};

    fn check(participant: &str, expect: Result<Option<FrameSpec>, &[&str]>) {
        let text = format!("[[participants]]\nid = \"bank-a\"\n{participant}");
        let layers = Layers::compiled_in().with_text("test.toml", &text).expect("layers");
        match (load(&layers), expect) {
            (Ok(config), Ok(expect)) => {
                let own = &config.participants[0];
                assert_eq!(own.framing.as_ref().map(|framer| *framer.spec()), expect);
            }
            (Err(found), Err(expect)) => {
                let found: Vec<String> = found.iter().map(|mistake| mistake.key.clone()).collect();
                assert_eq!(found, expect);
            }
            (found, _) => panic!("{participant}: {:?}", found.err()),
        }
    }

    #[test]
    fn a_port_of_zero_and_the_name_of_unknown_lines_are_refused() {
        for address in ["127.0.0.1:0", "bank.example:0", "bank.example", "bank example:1", ":1"] {
            check(&format!("connect = \"{address}\"\n"), Err(&["participants[0].connect"]));
        }
        for address in ["bank.example:8583", "localhost:1", "[::1]:8583"] {
            check(&format!("connect = \"{address}\"\n"), Ok(None));
        }
        let text = "[[participants]]\nid = \"unknown\"\n";
        let layers = Layers::compiled_in().with_text("test.toml", text).expect("layers");
        let mistakes = load(&layers).expect_err("refused");
        assert_eq!(mistakes[0].key, "participants[0].id");
    }

    #[test]
    fn a_line_we_open_has_a_framing_of_its_own() {
        let connect = "connect = \"127.0.0.1:1\"\n";
        check(connect, Ok(None));
        check(&format!("{connect}framing = \"vap\""), Ok(Some(FrameSpec::VAP)));
        check(
            &format!("{connect}framing = {{ preset = \"nac\", body_len_max = 512 }}"),
            Ok(Some(FrameSpec { body_len_max: 512, ..FrameSpec::NAC })),
        );
        check(
            &format!("{connect}framing = {{ length = \"ascii\", digit = 4, trailer = \"stx\" }}"),
            Err(&[
                "participants[0].framing.digit",
                "participants[0].framing.trailer",
                "participants[0].framing.digits",
            ]),
        );
        check("framing = \"nac\"", Err(&["participants[0].framing"]));
    }

    #[test]
    fn an_id_is_a_name_that_files_labels_and_addresses_can_hold() {
        for id in ["", "bank a", "../x", ".", "-x", "bank/a", "b\u{e4}nk"] {
            for table in ["participants", "billers"] {
                let text = format!("[[{table}]]\nid = \"{id}\"\nconnect = \"127.0.0.1:1\"\n");
                let text = if table == "billers" { text.replace("connect", "name") } else { text };
                let layers = Layers::compiled_in().with_text("test.toml", &text).expect("layers");
                let found = load(&layers).expect_err(id);
                let is_told = found.iter().any(|it| it.key == format!("{table}[0].id"));
                assert!(is_told, "{id}: {found:?}");
            }
        }
        for id in ["bank-a", "0134", "B_2.ve"] {
            let text = format!("[[participants]]\nid = \"{id}\"\n");
            let layers = Layers::compiled_in().with_text("test.toml", &text).expect("layers");
            assert!(load(&layers).is_ok(), "{id}");
        }
    }

    #[test]
    fn an_address_without_a_port_is_one_mistake_and_tells_what_is_expected() {
        for (key, begins) in [
            (
                "connect",
                "`127.0.0.1` is no host name or IP address with a port of 1 to 65535, such as ",
            ),
            ("listen", "`127.0.0.1` is not an IP address with a port, such as "),
        ] {
            let text = format!(
                "[[participants]]\nid = \"bank-a\"\nacquirer_id = \"1\"\n{key} = \"127.0.0.1\"\n\
                 framing = \"nac\"\n"
            );
            let layers = Layers::compiled_in().with_text("test.toml", &text).expect("layers");
            let found = load(&layers).expect_err("a mistake");
            let [mistake] = &found[..] else { panic!("{found:?}") };
            assert!(mistake.problem.starts_with(begins), "{mistake}");
        }
    }

    #[test]
    fn parts_of_payments_are_reversed_only_where_the_format_has_room_for_replacement_amounts() {
        let parts = "connect = \"127.0.0.1:1\"\npartial_reversals = true\n";
        let spoken = |spec: &str| format!("{parts}[participants.dialect]\nspec = \"{spec}\"");
        check(parts, Ok(None));
        check(&spoken("iso87-ascii"), Ok(None));
        for spec in ["iso93-ascii", "pos-tpdu"] {
            let text = format!("[[participants]]\nid = \"bank-a\"\n{}", spoken(spec));
            let layers = Layers::compiled_in().with_text("test.toml", &text).expect("layers");
            let found = load(&layers).expect_err("mistakes");
            let is_told = found.iter().any(|it| it.key == "participants[0].partial_reversals");
            assert!(is_told, "{spec}: {found:?}");
        }
    }

    #[test]
    fn lines_we_accept_may_have_any_framing_too() {
        let spec = |text: &str| {
            let layers = Layers::compiled_in().with_text("test.toml", text).expect("layers");
            load(&layers).map(|config| *config.service.iso8583.framing.spec()).map_err(|found| {
                found.iter().map(|mistake| mistake.key.clone()).collect::<Vec<String>>()
            })
        };
        assert_eq!(spec(""), Ok(FrameSpec { body_len_max: 4096, ..FrameSpec::BINARY2 }));
        assert_eq!(spec("[iso8583.framing]\npreset = \"vap\""), Ok(FrameSpec::VAP));
        let found = spec("[iso8583.framing]\npreset = \"vap\"\ndigits = 4");
        assert_eq!(found, Err(vec!["iso8583.framing.digits".to_owned()]));
    }
}
