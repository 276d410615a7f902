//! What tells a participant from anybody else who knows its DE32: a certificate that is pinned for
//! it alone, or an address of its own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use router::id::ParticipantId;

use super::layers::Layers;
use super::participant::{self, ParticipantConfig};
use super::read::Section;
use super::service::ServiceConfig;

/// Notes as mistakes what lets a stranger sign on as a participant; gives what may be meant so, as
/// warnings.
pub(super) fn check(
    root: &Section<'_>,
    layers: &Layers,
    service: &ServiceConfig,
    entries: &[participant::ParticipantEntry],
) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut pinned: HashMap<[u8; 32], ParticipantId> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let (lines, key) = (&entry.lines, format!("participants[{at}]"));
        if let Some(certificate) = lines.certificate_sha256 {
            match pinned.entry(certificate) {
                Entry::Vacant(first) => {
                    first.insert(lines.id);
                }
                Entry::Occupied(twin) => {
                    let twin = twin.get();
                    let problem =
                        format!("the same certificate is pinned for participant `{twin}`");
                    root.mistake(&format!("{key}.certificate_sha256"), problem);
                }
            }
        }
        let source = layers.origin(&key);
        if let Some(unpinned) = unpinned(lines, service) {
            match unpinned {
                Unpinned::Public => root.mistake(&format!("{key}.certificate_sha256"), NEEDED),
                Unpinned::Warned => warnings.push(format!(
                    "{source}: participant {} is known by its DE32 alone: whoever reaches \
                     iso8583.listen may sign on as it; set certificate_sha256, or listen, an \
                     address for it alone",
                    lines.id
                )),
            }
        }
        warnings.extend(cannot_be_shown(lines, service).map(|what| format!("{source}: {what}")));
    }
    warnings
}

const NEEDED: &str = "is missing, and iso8583.listen is not loopback: whoever knows this \
                      participant's DE32 could sign on as it. Pin its certificate here (with \
                      iso8583.tls_client_ca), give it a listen of its own, or set \
                      dangerous_unpinned = true";

/// How a participant that nothing but its DE32 identifies is met.
enum Unpinned {
    /// Anybody may reach the address, and nobody said that this is meant.
    Public,
    /// Only this machine reaches it, or it is meant so.
    Warned,
}

fn unpinned(lines: &ParticipantConfig, service: &ServiceConfig) -> Option<Unpinned> {
    let is_identified = lines.certificate_sha256.is_some() || lines.listen.is_some();
    if is_identified || !lines.may_call() {
        return None;
    }
    let is_public = !service.iso8583.listen.ip().is_loopback();
    match (is_public, lines.dangerous_unpinned) {
        (true, false) => Some(Unpinned::Public),
        (true, true) | (false, false) => Some(Unpinned::Warned),
        (false, true) => None,
    }
}

/// A certificate is asked for by the authorities it must be signed by.
fn cannot_be_shown(lines: &ParticipantConfig, service: &ServiceConfig) -> Option<String> {
    let asks = service.iso8583.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let is_wanted = lines.certificate_sha256.is_some() && lines.may_call();
    (is_wanted && !asks).then(|| {
        format!(
            "participant {} has certificate_sha256, but iso8583.tls_client_ca is empty: no line is \
             asked for a certificate, so it can never sign on",
            lines.id
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{Layers, load};

    const PUBLIC: &str = "[iso8583]\nlisten = \"0.0.0.0:18583\"\ntls_certificate = \"a.pem\"\n\
                          tls_key = \"a.key\"\ntls_client_ca = \"ca.pem\"\n";

    /// What is told of who the participants are: mistakes, else warnings.
    fn told(network: &str, participants: &str) -> Result<Vec<String>, Vec<String>> {
        let layers = Layers::compiled_in()
            .with_text("network.toml", network)
            .and_then(|layers| layers.with_text("banks.toml", participants))
            .expect("layers");
        match load(&layers) {
            Ok(config) => {
                let told = config.warnings.into_iter();
                Ok(told.filter(|warning| warning.contains("certificate_sha256")).collect())
            }
            Err(mistakes) => Err(mistakes.iter().map(ToString::to_string).collect()),
        }
    }

    fn bank(id: &str, more: &str) -> String {
        let acquirer = id.bytes().fold(0_u64, |sum, byte| sum * 31 % 99_999 + u64::from(byte));
        format!("[[participants]]\nid = \"{id}\"\nacquirer_id = \"{acquirer:011}\"\n{more}\n")
    }

    #[test]
    fn a_participant_known_by_its_de32_alone_is_warned_of_with_its_file() {
        let warnings = told("", &bank("bank-a", "")).expect("a configuration");
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        assert!(warning.starts_with("banks.toml: participant bank-a is known by its DE32 alone"));
        let identified = [
            "listen = \"127.0.0.1:18600\"",
            "dangerous_unpinned = true",
            "connect = \"127.0.0.1:1\"",
        ];
        for identified in identified {
            assert_eq!(told("", &bank("bank-a", identified)), Ok(vec![]), "{identified}");
        }
    }

    #[test]
    fn where_anybody_can_call_it_is_a_mistake_unless_it_is_meant() {
        let mistakes = told(PUBLIC, &bank("bank-a", "")).expect_err("a mistake");
        let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
        assert!(mistake.starts_with("banks.toml: participants[0].certificate_sha256: is missing"));
        let meant = told(PUBLIC, &bank("bank-a", "dangerous_unpinned = true"));
        assert_eq!(meant.expect("a configuration").len(), 1, "it is still warned of");
        let pinned = format!("certificate_sha256 = \"{}\"", "ab".repeat(32));
        assert_eq!(told(PUBLIC, &bank("bank-a", &pinned)), Ok(vec![]));
        let warned = told("", &bank("bank-a", &pinned)).expect("a configuration");
        assert!(warned[0].contains("tls_client_ca is empty"), "{warned:?}");
    }

    #[test]
    fn one_certificate_is_pinned_for_one_participant() {
        let pinned = format!("certificate_sha256 = \"{}\"", "ab".repeat(32));
        let twins = bank("bank-a", &pinned) + &bank("bank-c", &pinned);
        let mistakes = told(PUBLIC, &twins).expect_err("a mistake");
        assert_eq!(
            mistakes,
            ["banks.toml: participants[1].certificate_sha256: the same certificate is pinned for \
              participant `bank-a`"]
        );
    }
}
