//! Configuration: files, environment and `--set` become one checked value, or a list of every
//! mistake in them.

mod acceptor;
mod admin;
mod backoffice;
mod cluster;
mod document;
mod framing;
mod identity;
mod json_participant;
mod keys;
pub mod layers;
mod log;
mod message_format;
mod participant;
pub mod read;
mod retention;
mod rules;
mod rules_version;
mod sealing_key;
mod service;
mod zone;

use std::path::PathBuf;
use std::sync::Arc;

use codecs::security::KeyUsage;
use router::policy::Policy;

pub use admin::AdminConfig;
pub use backoffice::{BackofficeConfig, BatchConfig};
pub use cluster::{ClusterConfig, NodeConfig, RedisConfig, RedisForm, ScyllaConfig, SecretText};
pub use json_participant::{JsonConfig, MessageSigner, SignWith, VerifyConfig, VerifyHow};
pub use keys::{KeyShown, KeysConfig};
pub use layers::{Layers, Mistake};
pub use log::{LogConfig, LogFormat, TraceConfig};
pub use participant::{ConnectConfig, OnUnknown, ParticipantConfig, TlsFiles, UNKNOWN_PARTICIPANT};
pub use retention::ORIGINAL_WITHIN_MICROS;
pub use rules::FloatConfig;
pub use sealing_key::{SealingKeyError, hex_key, sealing_key};
pub use service::{
    ClockConfig, DataConfig, EventStreamConfig, HttpConfig, InFreeFields, Iso8583Config, KeySource,
    NoticesConfig, ReversalsConfig, SealConfig, ServiceConfig, StorageConfig, TlsServerFiles,
};

use read::Section;

/// A configuration that has been checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses, ceilings and time-outs of the service itself.
    pub service: ServiceConfig,
    /// The keys messages are authenticated with.
    pub keys: KeysConfig,
    /// Participants, as far as their lines are concerned.
    pub participants: Vec<ParticipantConfig>,
    /// Floats to open at the first start.
    pub floats: Vec<FloatConfig>,
    /// The rules payments are planned by.
    pub policy: Arc<Policy>,
    /// Digest of everything that all nodes must have in common: participants and rules.
    pub rules_version: u64,
    /// Combinations that work but can hurt.
    pub warnings: Vec<String>,
    /// Files that the configuration names and that are read with it.
    pub files: Vec<PathBuf>,
}

/// Reads and checks everything.
///
/// Errors: every mistake found, each with the place it stands and its key.
pub fn load(layers: &Layers) -> Result<Config, Vec<Mistake>> {
    let mut root = Section::root(layers);
    let service = service::read(&mut root);
    let keys = keys::read(&mut root);
    let entries = participant::read_entries(&mut root, &keys, &service.iso8583.framing);
    let participants = rules::lines_of(&entries);
    let unpinned = identity::check(&root, layers, &service, &entries);
    let (mut policy, floats) = rules::read(&mut root, entries, service.storage.bill_retention);
    let files = root.files().into_iter().map(|file| file.path).collect();
    let mistakes = root.finish();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut warnings = warnings(&service, &keys, &participants);
    warnings.extend(floats_of_nobody(&policy));
    warnings.extend(unpinned);
    let rules_version = rules_version::of(layers);
    policy.version = rules_version;
    let policy = Arc::new(policy);
    Ok(Config { service, keys, participants, floats, policy, rules_version, warnings, files })
}

/// Combinations that work but can hurt.
fn floats_of_nobody(policy: &Policy) -> impl Iterator<Item = String> {
    let of_nobody = policy.floats.iter().filter(|(_, float)| float.owner.is_none());
    of_nobody.map(|(float_ref, _)| {
        format!("float {float_ref} has no owner: set `owner` to the participant or biller whose money it is, nobody else may draw on it")
    })
}

fn warnings(
    service: &ServiceConfig,
    keys: &KeysConfig,
    participants: &[ParticipantConfig],
) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(cluster) = &service.cluster {
        let redis = cluster.redis.urls.iter();
        if redis.clone().any(|url| !url.expose().starts_with("rediss://")) {
            warnings.push("redis.urls has addresses without TLS (redis://): use them on a private network alone".to_owned());
        }
        if cluster.scylla.tls_ca.is_none() {
            warnings.push("scylla.tls_ca is empty: the journal travels in clear".to_owned());
        }
        if service.backoffice.settings.is_none() {
            warnings.push(
                "backoffice.url is empty: bills are not served, for many nodes need one PostgreSQL"
                    .to_owned(),
            );
        }
        if !cluster.node.listen.ip().is_loopback() {
            warnings.push(
                "cluster.listen is not loopback: let the other nodes alone reach it".to_owned(),
            );
        }
    }
    if let Some(pin) = keys.shown.iter().find(|key| key.usage == KeyUsage::Pin) {
        warnings.push(format!("key {} is a PIN key in this process's memory: card networks ask for a tamper-resistant device", pin.name));
    }
    let public = !service.iso8583.listen.ip().is_loopback();
    if public && service.iso8583.tls.is_none() {
        warnings.push("iso8583.listen is not loopback and iso8583.tls_certificate is empty: participants' lines are not encrypted".to_owned());
    }
    if !service.http.listen.ip().is_loopback() && service.http.tls.is_none() {
        warnings.push("http.listen is not loopback and http.tls_certificate is empty: API keys travel in clear".to_owned());
    }
    if !service.admin.listen.ip().is_loopback() {
        warnings.push(
            "admin.listen is not loopback: anyone who reaches it can read the metrics".to_owned(),
        );
    }
    if service.notices.dangerous_allow_private_addresses {
        warnings.push("notices.dangerous_allow_private_addresses is on: an endpoint can reach this network's own machines".to_owned());
    }
    if service.storage.fsync_delay_us != 0 {
        warnings
            .push("storage.dangerous_fsync_delay_us is set: every payment waits for it".to_owned());
    }
    for participant in participants {
        let is_public = participant.listen.is_some_and(|address| !address.ip().is_loopback());
        if is_public && service.iso8583.tls.is_none() {
            warnings.push(format!("listen of participant {} is not loopback and iso8583.tls_certificate is empty: its lines are not encrypted", participant.id));
        }
        let said = participant
            .message_format
            .iter()
            .flat_map(|message_format| message_format::warnings(message_format));
        warnings.extend(said.map(|warning| format!("participant {}: {warning}", participant.id)));
        let slowest = participant.response_timeout_ms;
        if service.http.request_timeout_ms <= slowest {
            warnings.push(format!(
                "http.request_timeout_ms ({}) is not above response_timeout_ms ({slowest}) of participant {}: merchants are cut off before their answer",
                service.http.request_timeout_ms, participant.id
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let layers = Layers::compiled_in().with_text("test.toml", text);
        match layers.and_then(|layers| load(&layers)) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(mistakes(""), Vec::<String>::new());
    }

    #[test]
    fn every_mistake_is_told_at_once_with_file_and_key() {
        let found = mistakes(
            "[http]\nlisten = \"nowhere\"\nport = 1\n[storage]\nmode = \"cloud\"\nqueue_len_max = 0\n\
             [[participants]]\nid = \"bank-a\"\nconnect = \"127.0.0.1:1\"\nresponse_timeout_ms = \"2s\"\n\
             [[routes]]\nto = [\"bank-z\"]\n",
        );
        assert_eq!(
            found,
            [
                "test.toml: http.listen: `nowhere` is not an IP address with a port, such as 127.0.0.1:8080",
                "test.toml: http.port: unknown key",
                "test.toml: storage.mode: `cloud` is not one of embedded, cluster",
                "test.toml: storage.queue_len_max: 0 is outside 1..=1048576",
                "test.toml: participants[0].response_timeout_ms: a whole number is expected, not a string",
                "test.toml: routes[0].to: there is no participant `bank-z`",
            ]
        );
    }

    #[test]
    fn records_are_kept_at_least_as_long_as_something_may_ask_for_them() {
        let of = |text: &str| {
            mistakes(&format!("[clock]\noff_max_days = 1\n[storage]\nkeep_for_days = {text}\n"))
        };
        for good in ["0", "7", "3650", "3\nkey_retention_hours = 12\n[notices]\nage_max_s = 3600"] {
            assert_eq!(of(good), Vec::<String>::new(), "{good}");
        }
        let key = "test.toml: storage.keep_for_days: ";
        let told = |found: Vec<String>, hours: u32, why: &str| {
            let expected = format!("{key}must be at least {hours} hours: {why}");
            assert!(found.contains(&expected), "{expected}: {found:?}");
        };
        let quick = "[notices]\nage_max_s = 3600";
        let keys = "a repeat of a key is known for twice storage.key_retention_hours";
        told(of(&format!("3\n{quick}")), 96, keys);
        let reversals = "a reversal may name its payment for as long";
        told(of(&format!("1\nkey_retention_hours = 1\n{quick}")), 48, reversals);
        let notices =
            "a notice is owed for twice notices.age_max_s, and its payment kept a day longer";
        told(of("6\n[notices]\nage_max_s = 400000"), 247, notices);
        let clock = "the clock may be clock.off_max_days ahead, and keys are known behind that";
        told(mistakes("[storage]\nkeep_for_days = 20\n"), 816, clock);
        let many = of("30\nmode = \"cluster\"");
        let one = "is for one machine; many nodes have scylla.retention_days";
        assert!(many.contains(&format!("{key}{one}")), "{many:?}");
    }

    #[test]
    fn bills_are_remembered_long_enough_that_parts_of_one_are_counted_together() {
        let of = |days: u32| mistakes(&format!("[storage]\nbill_retention_days = {days}\n"));
        for good in [0, 366, 400, 36_500] {
            assert_eq!(of(good), Vec::<String>::new(), "{good}");
        }
        let expected = "test.toml: storage.bill_retention_days: must be 0 or at least 366: parts of \
                        a bill that are paid further apart than this are not counted together, and \
                        a bill may be paid in parts once a year";
        for bad in [1, 365] {
            assert_eq!(of(bad), [expected], "{bad}");
        }
    }

    #[test]
    fn equal_rules_have_one_version_and_others_another() {
        let version = |text: &str| {
            let layers = Layers::compiled_in().with_text("test.toml", text);
            layers.and_then(|layers| load(&layers)).expect("a configuration").rules_version
        };
        let rules = "[[participants]]\nid = \"bank-a\"\nkind = \"bank\"\n";
        let same = "[http]\nlisten = \"127.0.0.1:1\"\n[[participants]]\nkind = \"bank\"\nid = \"bank-a\"\n";
        assert_eq!(version(rules), version(same), "addresses are a node's own");
        for other in [
            rules.replace("bank-a", "bank-b"),
            format!("{rules}[[participants]]\nid = \"bank-b\"\n"),
            format!("{rules}currencies = [\"MXN\", \"VES\"]\n"),
            format!("{rules}response_timeout_ms = 4000\n"),
            format!("{rules}dangerous_unpinned = true\n"),
            format!("{rules}[[billers]]\nid = \"isp\"\n"),
        ] {
            assert_ne!(version(rules), version(&other), "{other}");
        }
        let ordered = format!("{rules}currencies = [\"MXN\", \"VES\"]\n");
        let otherwise = format!("{rules}currencies = [\"VES\", \"MXN\"]\n");
        assert_ne!(version(&ordered), version(&otherwise), "what has an order keeps it");
    }

    #[test]
    fn a_file_that_is_not_toml_is_told_with_its_line() {
        let found = mistakes("[http\nlisten = 1\n");
        assert!(found[0].starts_with("test.toml: line 1"), "{found:?}");
    }

    #[test]
    fn each_element_of_a_list_is_told_with_the_file_that_it_stands_in() {
        let bad = "[[fees]]\nlabel = \"f\"\nbasis_points = 1\nbearer = \"payer\"\n";
        let good = bad.replace("bearer", "borne_by");
        let layers = Layers::compiled_in()
            .with_text("a.toml", &format!("{good}{bad}"))
            .and_then(|layers| layers.with_text("b.toml", &format!("{bad}{good}{bad}")))
            .expect("layers");
        let mistakes = load(&layers).expect_err("mistakes");
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let unknown = ["a.toml: fees[1]", "b.toml: fees[2]", "b.toml: fees[4]"];
        assert_eq!(told, unknown.map(|place| format!("{place}.bearer: unknown key")));
    }

    #[test]
    fn later_layers_win_and_lists_of_tables_add_up() {
        let layers = Layers::compiled_in()
            .with_text("a.toml", "[http]\nlisten = \"127.0.0.1:1\"\n[[participants]]\nid = \"a\"\n")
            .and_then(|layers| layers.with_text("b.toml", "[[participants]]\nid = \"b\"\n"))
            .and_then(|layers| layers.with_set("http.listen=127.0.0.1:2"))
            .and_then(|layers| layers.with_environment([("CAUCE_ADMIN_LISTEN", "127.0.0.1:3")]))
            .expect("layers");
        let config = load(&layers).expect("a valid configuration");
        assert_eq!(config.service.http.listen.port(), 2);
        assert_eq!(config.service.admin.listen.port(), 3);
        assert_eq!(config.participants.len(), 2);
    }
}
