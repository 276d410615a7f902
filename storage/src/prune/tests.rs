//! What is left when segments are removed, and when that ends between two steps.

use std::collections::BTreeSet;

use router::payment::PaymentState;
use tempfile::TempDir;

use super::*;
use crate::conformance::sample::{self, Sample};
use crate::seal::SealingKey;
use crate::verify::{balances, verify};
use crate::{Admission, Recovered, Store};

mod again;

const SECOND: i64 = 1_000_000;
const PAYMENTS: u64 = 40;
/// Open since the first segment.
const OPEN: u64 = 3;

fn sealer() -> Sealer {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    Sealer::new("k1", vec![key]).unwrap()
}

fn settings(dir: &Path) -> Settings {
    Settings {
        segment_len_max: 2_500,
        snapshot_segments: 3,
        key_retention: Duration::from_secs(2),
        keep_for: Some(Duration::from_secs(10)),
        ..Settings::new(dir)
    }
}

/// One payment a second.
fn payment(n: u64) -> Sample {
    let at = i64::try_from(n).unwrap() * SECOND;
    Sample { at, hold: Some(("float:1", 10)), ..Sample::new(n) }
}

fn open(settings: &Settings) -> (Store, Recovered) {
    Store::open(settings.clone(), sealer()).unwrap()
}

/// A folder with payments, one of which stays open, and an endpoint.
async fn filled() -> (TempDir, Settings) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let (store, _) = open(&settings);
    store.append(sample::top_up("float:1", 1_000)).await.unwrap();
    store.append(sample::endpoint(4)).await.unwrap();
    for n in 1..=PAYMENTS {
        let admitted = store.admit(payment(n).intent()).await.unwrap();
        assert!(matches!(admitted, Admission::Granted { .. }));
        match n == OPEN {
            true => store.append(payment(n).unknown()).await.unwrap(),
            false => store.append(payment(n).approved()).await.unwrap(),
        };
    }
    store.close().await;
    (dir, settings)
}

fn first_segments(settings: &Settings) -> Vec<u64> {
    list(&dir_of(&settings.dir)).unwrap()
}

async fn found(store: &Store, n: u64) -> Option<PaymentState> {
    let by_id = store.payment(payment(n).id()).await.unwrap();
    let by_folio = store.payment_by_folio(payment(n).intent().folio).await.unwrap();
    let [by_id, by_folio] = [by_id, by_folio].map(|found| Some(found?.state));
    assert_eq!(by_id, by_folio, "payment {n}");
    by_id
}

/// All that must be true of a folder whatever was removed: gives the first payment that is kept.
async fn assert_whole(settings: &Settings) -> u64 {
    let report = verify(&settings.dir).unwrap();
    assert_eq!(report.head.sequence, 2 + 2 * PAYMENTS);
    assert_eq!(report.records, report.head.sequence - report.removed_through);
    let (store, recovered) = open(settings);
    let open: Vec<_> = recovered.open.iter().map(|payment| payment.id).collect();
    assert_eq!(open, [payment(OPEN).id()]);
    assert_eq!(recovered.endpoints.len(), 1);
    assert_eq!(store.endpoints().len(), 1);
    let account = sample::account("float:1");
    let balance = store.account_balance(account, sample::currency()).await.unwrap();
    assert_eq!((balance.balance, balance.held), (1_000 - 10 * 39, 10));
    assert_eq!(found(&store, OPEN).await, Some(PaymentState::Unknown), "it is open");
    let mut kept = BTreeSet::new();
    for n in (1..=PAYMENTS).filter(|n| *n != OPEN) {
        if let Some(state) = found(&store, n).await {
            assert_eq!(state, PaymentState::Approved);
            kept.insert(n);
        }
    }
    let first = *kept.first().unwrap();
    assert!((first..=PAYMENTS).filter(|n| *n != OPEN).all(|n| kept.contains(&n)), "{kept:?}");
    let (date, biller) = (payment(1).intent().plan.business_date, sample::biller());
    let page = store.payments_of_biller(biller, date, None, 100).await.unwrap();
    assert_eq!(page.payments.len(), kept.len() + 1);
    store.close().await;
    first
}

#[tokio::test]
async fn old_segments_are_removed_and_what_is_open_carries_on() {
    let (_dir, settings) = filled().await;
    let before = balances(&settings.dir, None).unwrap();
    let segments = first_segments(&settings).len();
    let removed = prune_now(&settings, &sealer()).unwrap();
    assert!(removed > 3, "{removed}");
    let left = first_segments(&settings);
    assert_eq!(left.len(), segments - usize::try_from(removed).unwrap());
    assert_eq!(prune_now(&settings, &sealer()).unwrap(), 0, "no more is due");
    let first = assert_whole(&settings).await;
    // Ten seconds before the newest segment, and what shares a segment with them.
    assert!((PAYMENTS - 20..=PAYMENTS - 10).contains(&first), "{first}");
    assert_eq!(balances(&settings.dir, None).unwrap().1.accounts(), before.1.accounts());

    let refused = balances(&settings.dir, Some(left[0] - 2)).map(drop);
    let expected = (left[0] - 2, left[0]);
    assert!(
        matches!(refused, Err(Damage::Removed { sequence, first }) if (sequence, first) == expected),
        "{refused:?}"
    );
    assert_eq!(balances(&settings.dir, Some(left[0] - 1)).unwrap().0, left[0] - 1);
    let read: Vec<u64> = crate::verify::records(&settings.dir).map(|it| it.unwrap().0).collect();
    assert_eq!(read, (left[0]..=2 + 2 * PAYMENTS).collect::<Vec<_>>());

    let (store, _) = open(&settings);
    store.append(payment(OPEN).reversal_owed_for(router::outcome::Cause::Timeout)).await.unwrap();
    store.append(payment(OPEN).reversal_confirmed()).await.unwrap();
    assert!(store.append(payment(1).reversal_asked()).await.is_err(), "it is kept no longer");
    store.close().await;
    let (store, recovered) = open(&settings);
    assert!(recovered.open.is_empty());
    assert_eq!(found(&store, OPEN).await, Some(PaymentState::Reversed));
    store.close().await;
    verify(&settings.dir).unwrap();
}

#[tokio::test]
async fn a_removal_that_ends_between_two_steps_is_finished_by_the_next() {
    for steps in 0..=4_usize {
        let (_dir, settings) = filled().await;
        let segments = first_segments(&settings);
        let (lock, views) = open_views(&settings, &sealer()).unwrap();
        let views = Arc::new(views);
        let mut pruner = Pruner::of(&settings, Arc::clone(&views)).unwrap();
        if steps >= 1 {
            pruner.begin_before(segments[2]).unwrap();
        }
        if steps >= 2 {
            pruner.remove_look_ups().unwrap();
        }
        let dir = dir_of(&settings.dir);
        for segment in &segments[..steps.saturating_sub(2)] {
            fs::remove_file(path_of(&dir, *segment)).unwrap();
        }
        views.close();
        drop((pruner, views, lock));
        assert_whole(&settings).await;
        prune_now(&settings, &sealer()).unwrap();
        let first = assert_whole(&settings).await;
        assert!((PAYMENTS - 20..=PAYMENTS - 10).contains(&first), "{first} after {steps} steps");
        assert!(first_segments(&settings)[0] > segments[2]);
    }
}

#[tokio::test]
async fn damaged_snapshots_and_lost_look_ups_are_made_good_from_the_beginning() {
    let (_dir, settings) = filled().await;
    assert!(snapshot::snapshot_now(&settings).unwrap());
    prune_now(&settings, &sealer()).unwrap();
    let first = assert_whole(&settings).await;
    fs::remove_dir_all(settings.dir.join("snapshots")).unwrap();
    fs::remove_dir_all(LocalViews::dir_of(&settings.dir)).unwrap();
    assert_eq!(assert_whole(&settings).await, first);
}

#[tokio::test]
async fn a_beginning_that_is_missing_or_was_changed_is_named() {
    let (_dir, settings) = filled().await;
    prune_now(&settings, &sealer()).unwrap();
    let first = first_segments(&settings)[0];
    let path = settings.dir.join("beginning");
    let bytes = fs::read(&path).unwrap();
    for at in [0, 20, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        let proven = verify(&settings.dir).map(drop);
        assert!(matches!(proven, Err(Damage::Beginning { .. })), "{proven:?}");
        assert!(Store::open(settings.clone(), sealer()).is_err());
    }
    fs::remove_file(&path).unwrap();
    let proven = verify(&settings.dir).map(drop);
    let is_first = |found| found == first;
    assert!(matches!(proven, Err(Damage::NoBeginning { first }) if is_first(first)), "{proven:?}");
    assert!(Store::open(settings.clone(), sealer()).is_err());
    fs::write(&path, bytes).unwrap();
    fs::remove_file(path_of(&dir_of(&settings.dir), first)).unwrap();
    let proven = verify(&settings.dir).map(drop);
    assert!(
        matches!(proven, Err(Damage::MissingSegment { expected, .. }) if is_first(expected)),
        "{proven:?}"
    );
}

#[tokio::test]
async fn records_are_kept_for_ever_unless_a_time_is_set() {
    let (_dir, settings) = filled().await;
    let segments = first_segments(&settings);
    let settings = Settings { keep_for: None, ..settings };
    assert_eq!(prune_now(&settings, &sealer()).unwrap(), 0);
    assert_eq!(first_segments(&settings), segments);
}
