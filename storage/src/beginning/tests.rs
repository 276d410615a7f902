use super::*;
use crate::conformance::sample::Sample;
use crate::record::encode;
use crate::seal::{Sealer, SealingKey};

const RETENTION: Duration = Duration::from_secs(60);

fn history(n: u64) -> (PaymentId, History) {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    let sealer = Sealer::new("k1", vec![key]).unwrap();
    let (sample, mut body) = (Sample::new(n), Vec::new());
    encode(&sample.unknown(), &sealer, &mut body);
    (sample.id(), History::new(n, &body))
}

fn head() -> Head {
    Head { sequence: 70, ..Head::ZERO }
}

/// The bytes with another version, and the checksum that goes with it.
fn of_version(version: u64, bytes: &[u8]) -> Vec<u8> {
    let mut other = bytes[..bytes.len() - 4].to_vec();
    other.splice(MAGIC.len()..MAGIC.len() + 8, version.to_le_bytes());
    let crc = crc32c::crc32c(&other);
    other.extend_from_slice(&crc.to_le_bytes());
    other
}

#[test]
fn a_beginning_tells_where_it_stands_and_which_payments_ended() {
    let ended = [history(1), history(2)];
    let bytes = bytes(&head(), &State::new(RETENTION), &ended);
    let read = parse(&bytes, RETENTION).unwrap();
    assert_eq!((read.head, read.ended), (head(), ended.to_vec()));
}

#[test]
fn a_beginning_of_a_later_version_is_refused_with_both_versions() {
    let later = of_version(VERSION + 1, &bytes(&head(), &State::new(RETENTION), &[]));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(NAME), later).unwrap();
    let Err(Damage::Beginning { source }) = read(dir.path(), RETENTION) else {
        panic!("it is of no version that this build knows")
    };
    assert_eq!(source.to_string(), "its version is 2, and this build reads versions up to 1");
}

/// A new version of snapshots must not make a journal unreadable whose first segments are gone.
#[test]
fn a_beginning_is_no_snapshot_and_has_a_version_of_its_own() {
    let state = State::new(RETENTION);
    let (own, snapshot) = (bytes(&head(), &state, &[]), state.image(&head()));
    assert_ne!(own[..MAGIC.len()], snapshot[..MAGIC.len()]);
    assert_eq!(own[MAGIC.len()..MAGIC.len() + 8], VERSION.to_le_bytes());
    assert!(parse(&snapshot, RETENTION).is_err() && State::from_image(&own, RETENTION).is_err());
}
