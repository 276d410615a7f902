//! Versions of the subjects of events, across starts.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use router::endpoint::Endpoint;
use router::event::{Event, EventBody, EventKind, OtherBody, StaleVersion, Subject};
use router::id::EndpointId;
use router::posting::Entry;
use router::record::Record;
use router::text::Text;
use storage::conformance::{rotated, sample, stale};
use storage::record::encode;
use storage::{Settings, Store, StoreError};

use crate::support::{fresh, open, sealer, settings};

async fn append(store: &Store, event: Event) -> Result<(), StoreError> {
    store.append(Record::Event(Box::new(event))).await.map(drop)
}

#[tokio::test]
async fn a_restart_keeps_the_version_of_an_endpoint_and_that_it_was_deleted() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    let first = sample::first_endpoint(4);
    append(&store, sample::set_event(first.clone())).await.unwrap();
    let second = rotated(&first, 2, 2);
    append(&store, second.clone()).await.unwrap();
    store.close().await;

    let (store, _) = open(&settings(&dir));
    assert_eq!(store.endpoint(EndpointId(4)).as_ref(), second.endpoint());
    assert_eq!(store.endpoint_version(EndpointId(4)), Some(2));
    assert_eq!(append(&store, rotated(&first, 2, 4)).await, Err(stale(&first, 3, 2)));
    let deleted = Endpoint { url: None, version: 3, ..first.clone() };
    append(&store, sample::set_event(deleted)).await.unwrap();
    store.close().await;

    let (store, _) = open(&settings(&dir));
    assert_eq!(store.endpoint(EndpointId(4)), None);
    assert_eq!(append(&store, rotated(&first, 4, 6)).await, Err(stale(&first, 1, 4)));
    store.close().await;
}

#[tokio::test]
async fn an_event_whose_entry_does_not_balance_is_refused_before_it_is_written() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    let entry = sample::top_up_entry("float:1", 1_000);
    let event = Event { entry, ..sample::set_event(sample::first_endpoint(4)) };
    let mut sent = Vec::new();
    encode(&Record::Event(Box::new(event)), &sealer(), &mut sent);
    // 1,000 in CBOR (RFC 8949): the debit comes first, so the credit is made one more.
    let mut altered = sent.clone();
    let at = altered.windows(3).rposition(|window| window == [0x19, 0x03, 0xE8]).unwrap();
    altered[at + 2] = 0xE9;
    let Err(StoreError::Elsewhere { detail, .. }) = store.append_encoded(&altered).await else {
        panic!("an entry that does not balance is no record")
    };
    assert!(detail.contains("is off by -1 minor units"), "{detail}");
    assert_eq!(store.position(), 0, "nothing was appended");
    assert_eq!(store.append_encoded(&sent).await.unwrap().sequence, 1);
    store.close().await;
}

/// An event of one of four subjects that this build does not know.
fn of_unknown(number: u8, version: u32, kind: EventKind) -> Event {
    let like = sample::event_of_a_later_build(version);
    let EventBody::Other(body) = like.body else { panic!("another body") };
    let id = Text::new(&format!("srv_{number}")).unwrap();
    let body = EventBody::Other(OtherBody { id, ..body });
    Event { kind, body, entry: Entry::default(), notices: Vec::new(), ..like }
}

#[tokio::test]
async fn whatever_events_come_each_subject_counts_its_versions_one_by_one() {
    let dir = fresh();
    // Small segments, so that starts begin at snapshots.
    let settings = Settings { segment_len_max: 1_000, snapshot_segments: 1, ..settings(&dir) };
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let mut present: HashMap<Subject, u32> = HashMap::new();
    for _start in 0..4 {
        let (store, _) = open(&settings);
        for _ in 0..100 {
            let kind = match chance.random_range(0..8) {
                0 => EventKind::Deleted,
                _ => EventKind::Changed,
            };
            let number = chance.random_range(0..4);
            let subject = of_unknown(number, 1, kind).subject();
            let before = present.get(&subject).copied().unwrap_or(0);
            let found = (before + 2).saturating_sub(chance.random_range(0..3));
            let expected = before + 1;
            let appended = append(&store, of_unknown(number, found, kind)).await;
            if found != expected {
                let stale = StaleVersion { subject, expected, found };
                assert_eq!(appended, Err(stale.into()));
                continue;
            }
            assert_eq!(appended, Ok(()));
            match kind {
                EventKind::Deleted => present.remove(&subject),
                _ => present.insert(subject, found),
            };
        }
        store.close().await;
        storage::snapshot_now(&settings).unwrap();
        let snapshots = std::fs::read_dir(dir.path().join("snapshots")).unwrap();
        assert_ne!(snapshots.count(), 0, "the next start begins at a snapshot");
    }
}
