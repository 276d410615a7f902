//! Old segments and delivered notices are removed: the journal grows no further, whatever passes
//! through it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use router::id::EndpointId;
use router::time::Timestamp;
use storage::conformance::sample::{self, Sample};
use storage::outbox::{Attempted, ReadThrough};
use storage::verify::verify;
use storage::{Settings, Store, prune_now};
use tempfile::TempDir;

use crate::support::{fresh, open, sealer, settings};

const SECOND: i64 = 1_000_000;
const ENDPOINT: EndpointId = EndpointId(4);
/// Payments of one round, one a second.
const ROUND: u64 = 2_000;

fn kept(dir: &TempDir) -> Settings {
    Settings {
        segment_len_max: 100_000,
        snapshot_segments: 3,
        key_retention: Duration::from_secs(60),
        keep_for: Some(Duration::from_secs(500)),
        ..settings(dir)
    }
}

fn payment(n: u64) -> Sample {
    Sample { at: i64::try_from(n).unwrap() * SECOND, ..Sample::new(n) }
}

/// Approves payments, many at once.
async fn approve(store: &Store, payments: std::ops::Range<u64>) {
    let numbers: Vec<u64> = payments.collect();
    for some in numbers.chunks(100) {
        let pay = async |n: u64| {
            store.admit(payment(n).intent()).await.unwrap();
            store.append(payment(n).approved()).await.unwrap();
        };
        join_all(some.iter().map(|n| pay(*n))).await;
    }
}

/// Delivers every notice that is owed; gives how many.
async fn deliver(store: &Store) -> usize {
    store.settled().await.unwrap();
    let (mut through, mut delivered) = (ReadThrough::default(), 0);
    loop {
        let page = store.outbox_page(ENDPOINT, &through, 1_000).await.unwrap();
        for owed in &page.rows {
            let attempted = Attempted { at: Timestamp(0), status: Some(200), attempts: 1 };
            store.notice_done(ENDPOINT, owed.sequence, attempted).await.unwrap();
        }
        delivered += page.rows.len();
        through = page.through;
        if !page.is_more {
            return delivered;
        }
    }
}

fn bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let len = |entry: fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => bytes(&entry.path()),
        false => entry.metadata().unwrap().len(),
    };
    entries.map(len).sum()
}

async fn notices(store: &Store) -> usize {
    store.notices(ENDPOINT, None, usize::MAX).await.unwrap().rows.len()
}

#[tokio::test]
async fn a_journal_grows_no_further_once_old_segments_are_removed() {
    let dir = fresh();
    let settings = kept(&dir);
    let mut journal = Vec::new();
    for round in 0..6 {
        let (store, _) = open(&settings);
        if round == 0 {
            store.append(sample::endpoint(ENDPOINT.0)).await.unwrap();
        }
        approve(&store, 1 + round * ROUND..1 + (round + 1) * ROUND).await;
        assert_eq!(deliver(&store).await, usize::try_from(ROUND).unwrap());
        store.close().await;
        let removed = prune_now(&settings, &sealer()).unwrap();
        assert!(removed > 0, "in round {round}");
        journal.push(bytes(&dir.path().join("journal")));
        let (store, _) = open(&settings);
        let log = notices(&store).await;
        assert!(log < 1_000, "{log} notices in round {round}");
        store.close().await;
        verify(dir.path()).unwrap();
    }
    let (most, least) = (journal.iter().max().unwrap(), journal.iter().min().unwrap());
    assert!(*most <= least + 2 * settings.segment_len_max, "{journal:?}");
}

#[tokio::test]
async fn segments_are_removed_while_payments_go_on() {
    let dir = fresh();
    let settings = kept(&dir);
    let (store, _) = open(&settings);
    approve(&store, 1..ROUND).await;
    store.close().await;
    let first = || {
        let names = fs::read_dir(dir.path().join("journal")).unwrap();
        names.map(|entry| entry.unwrap().file_name()).min().unwrap()
    };
    let before = first();
    let (store, _) = open(&settings);
    let (began, mut n) = (Instant::now(), ROUND);
    while first() == before || verify(dir.path()).unwrap().removed_through < ROUND {
        approve(&store, n..n + 10).await;
        n += 10;
        assert!(began.elapsed() < Duration::from_secs(120), "nothing is removed");
    }
    assert!(store.payment(payment(1).id()).await.unwrap().is_none());
    assert!(store.payment(payment(n - 1).id()).await.unwrap().is_some());
    store.close().await;
    verify(dir.path()).unwrap();
}
