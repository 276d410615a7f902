//! What a restart finds is what there was.

use std::fs;
use std::path::Path;

use router::id::EndpointId;
use router::outcome::Cause;
use router::payment::PaymentState;
use router::record::Record;
use router::reservation::Keep;
use storage::conformance::sample::{self, Sample};
use storage::folder::FolderError;
use storage::outbox::{Attempted, Delivery, ReadThrough};
use storage::store::Redelivery;
use storage::verify::{records, verify};
use storage::{Admission, OpenError, Settings, Store};
use tempfile::TempDir;

use crate::support::{fresh, open, sealer, settings};

fn held(n: u64) -> Sample {
    Sample { hold: Some(("float:1", 40)), ..Sample::new(n) }
}

async fn balance(store: &Store) -> (i64, i64) {
    let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
    balance.map(|balance| (balance.balance, balance.held)).unwrap()
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    let second = Store::open(settings(&dir), sealer()).map(drop);
    assert!(matches!(second, Err(OpenError::Folder(FolderError::InUse { .. }))), "{second:?}");
    store.close().await;
    drop(open(&settings(&dir)));
}

#[tokio::test]
async fn keys_money_slots_and_open_payments_survive_a_restart() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    store.append(sample::top_up("float:1", 200)).await.unwrap();
    let slotted = Sample { slot: Some((5, Keep::WhileApproved)), ..held(1) };
    store.admit(slotted.intent()).await.unwrap();
    store.append(slotted.approved()).await.unwrap();
    for n in 2..=4 {
        store.admit(held(n).intent()).await.unwrap();
    }
    store.append(held(3).unknown()).await.unwrap();
    store.append(held(4).declined()).await.unwrap();
    store.append(slotted.reversal_asked()).await.unwrap();
    let before = balance(&store).await;
    store.close().await;

    let (store, recovered) = open(&settings(&dir));
    assert_eq!(balance(&store).await, before);
    assert_eq!(before, (160, 80));
    assert_eq!(recovered.folio_next, 5);
    let mut open: Vec<_> =
        recovered.open.iter().map(|payment| (payment.id, payment.state)).collect();
    open.sort_by_key(|(id, _)| *id);
    let states = [PaymentState::Reversing, PaymentState::Sent, PaymentState::Unknown];
    let expected: Vec<_> = (1..=3).map(|n| held(n).id()).zip(states).collect();
    assert_eq!(open, expected);
    let repeat = Sample { payment: 77, ..held(4) };
    assert!(matches!(store.admit(repeat.intent()).await, Ok(Admission::Replay(_))));
    let taken = Sample { slot: Some((5, Keep::WhileApproved)), ..Sample::new(78) };
    assert!(matches!(store.admit(taken.intent()).await, Ok(Admission::Refused(_))));
    store.append(slotted.approval_reversed(0)).await.unwrap();
    store.append(held(2).approved()).await.unwrap();
    assert_eq!(balance(&store).await, (160, 40));
    assert!(store.append(held(2).unknown()).await.is_err(), "an outcome is told once");
    store.close().await;
}

#[tokio::test]
async fn what_is_paid_of_a_bill_is_the_same_after_a_restart_at_any_point() {
    let part = |n| Sample { bill: Some((5, 200_000)), ..Sample::new(n) };
    for (with_snapshot, name) in [(false, "a replay"), (true, "a snapshot")] {
        let dir = fresh();
        let settings = settings(&dir);
        let again = async |store: Store| {
            store.close().await;
            if with_snapshot {
                storage::snapshot_now(&settings).unwrap();
            }
            open(&settings).0
        };
        let granted = async |store: &Store, n| {
            matches!(store.admit(part(n).intent()).await.unwrap(), Admission::Granted { .. })
        };
        let store = open(&settings).0;
        assert!(granted(&store, 1).await);
        let store = again(store).await;
        assert!(!granted(&store, 2).await, "{name}: its slot is taken until the outcome");
        store.append(part(1).approved()).await.unwrap();
        let store = again(store).await;
        assert!(granted(&store, 3).await, "{name}: the outcome frees the slot");
        store.append(part(3).approved()).await.unwrap();
        store.append(part(1).part_owed(50_000, 20_000)).await.unwrap();
        let store = again(store).await;
        store.append(part(1).part_confirmed(30_000, 20_000)).await.unwrap();
        let store = again(store).await;
        // 70,000 are paid: two parts of 50,000 fit into what is left, and a third does not.
        for n in [4, 5] {
            assert!(granted(&store, n).await, "{name}");
            store.append(part(n).approved()).await.unwrap();
        }
        let store = again(store).await;
        assert!(!granted(&store, 6).await, "{name}: 30,000 are left");
        store.close().await;
    }
}

#[tokio::test]
async fn an_emptied_account_stays_known_over_replay_and_snapshot() {
    let dir = fresh();
    let small = Settings { segment_len_max: 2_000, snapshot_segments: 2, ..settings(&dir) };
    let known = async |store: &Store, name| {
        store.account_is_known(sample::account(name), sample::currency()).await.unwrap()
    };
    let (store, _) = open(&small);
    assert!(!known(&store, "float:1").await);
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    store.append(sample::top_up("float:1", -100)).await.unwrap();
    for n in 1..=20 {
        store.admit(Sample::new(n).intent()).await.unwrap();
    }
    assert!(known(&store, "float:1").await, "empty is not unknown");
    assert!(!known(&store, "float:2").await);
    store.close().await;

    let (store, _) = open(&small);
    assert!(known(&store, "float:1").await, "after a replay");
    store.close().await;
    assert!(storage::snapshot_now(&small).unwrap());
    let (store, _) = open(&small);
    assert!(known(&store, "float:1").await, "after a snapshot");
    assert!(!known(&store, "float:2").await);
    assert_eq!(balance(&store).await, (0, 0));
    store.close().await;
}

#[tokio::test]
async fn a_payment_closed_long_ago_can_be_reversed_across_restarts() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    store.admit(held(1).intent()).await.unwrap();
    store.append(held(1).approved()).await.unwrap();
    store.close().await;
    let (store, recovered) = open(&settings(&dir));
    assert!(recovered.open.is_empty());
    store.append(held(1).reversal_asked()).await.unwrap();
    drop(store);
    let (store, recovered) = open(&settings(&dir));
    assert_eq!(recovered.open.len(), 1);
    assert!(recovered.open[0].request.payer.card.is_some(), "a reversal can be sent");
    store.append(held(1).approval_reversed(0)).await.unwrap();
    assert_eq!(balance(&store).await, (100, 0));
    store.close().await;
    let (store, recovered) = open(&settings(&dir));
    assert!(recovered.open.is_empty());
    assert_eq!(balance(&store).await, (100, 0));
    store.close().await;
}

#[tokio::test]
async fn parts_of_a_payment_are_reversed_across_restarts_and_a_snapshot() {
    let dir = fresh();
    let small = Settings { segment_len_max: 2_000, snapshot_segments: 2, ..settings(&dir) };
    let (store, _) = open(&small);
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    store.admit(held(1).intent()).await.unwrap();
    store.append(held(1).approved()).await.unwrap();
    store.close().await;
    let mut standing = 40;
    for stands in [30, 29, 28, 27] {
        let (store, recovered) = open(&small);
        assert!(recovered.open.is_empty());
        store.append(held(1).part_owed(standing, stands)).await.unwrap();
        store.close().await;
        let (store, recovered) = open(&small);
        let owed: Vec<_> = recovered.open.iter().map(|payment| payment.part_owed()).collect();
        assert_eq!(owed, [Some(stands)], "it is owed after a restart");
        assert_eq!(balance(&store).await, (100 - standing, 0));
        store.append(held(1).part_confirmed(standing - stands, stands)).await.unwrap();
        assert_eq!(balance(&store).await, (100 - stands, 0));
        standing = stands;
        store.close().await;
    }
    assert!(storage::snapshot_now(&small).unwrap(), "enough segments were closed");
    let (store, _) = open(&small);
    assert_eq!(balance(&store).await, (73, 0));
    store.append(held(1).reversal_asked()).await.unwrap();
    store.append(held(1).approval_reversed(13)).await.unwrap();
    assert_eq!(balance(&store).await, (100, 0));
    store.close().await;
}

#[tokio::test]
async fn a_snapshot_and_the_tail_give_what_the_whole_journal_gives() {
    let dir = fresh();
    let small = Settings { segment_len_max: 2_000, snapshot_segments: 2, ..settings(&dir) };
    let (store, _) = open(&small);
    store.append(sample::top_up("float:1", 1_000)).await.unwrap();
    store.append(sample::endpoint(4)).await.unwrap();
    for n in 1..=20 {
        store.admit(held(n).intent()).await.unwrap();
        match n % 4 {
            0 => drop(store.append(held(n).approved()).await.unwrap()),
            1 => drop(store.append(held(n).declined()).await.unwrap()),
            2 => drop(store.append(held(n).unknown()).await.unwrap()),
            _ => {}
        }
    }
    let before = balance(&store).await;
    store.close().await;
    assert!(storage::snapshot_now(&small).unwrap(), "enough segments were closed");
    let whole = verify(dir.path()).unwrap().records;
    let (store, recovered) = open(&small);
    assert!(recovered.records_replayed < whole, "the snapshot spared some records");
    assert_eq!(balance(&store).await, before);
    assert_eq!(recovered.endpoints.len(), 1);
    let open_from_snapshot: Vec<_> = recovered.open.iter().map(|payment| payment.id).collect();
    store.close().await;

    // A damaged snapshot is passed over.
    for entry in fs::read_dir(dir.path().join("snapshots")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let (store, recovered) = open(&small);
    assert_eq!(recovered.records_replayed, whole);
    assert_eq!(balance(&store).await, before);
    let open: Vec<_> = recovered.open.iter().map(|payment| payment.id).collect();
    assert_eq!(open, open_from_snapshot);
    store.close().await;
}

#[tokio::test]
async fn lost_read_models_are_rebuilt_as_they_were() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    store.append(sample::endpoint(4)).await.unwrap();
    for n in 1..=30 {
        store.admit(Sample::new(n).intent()).await.unwrap();
        store.append(Sample::new(n).approved()).await.unwrap();
    }
    store.append(Sample::new(7).reversal_asked()).await.unwrap();
    store.append(Sample::new(7).approval_reversed(0)).await.unwrap();
    let day = Sample::new(1).intent().plan.business_date;
    let list = async |store: &Store| {
        let page = store.payments_of_biller(sample::biller(), day, None, 100).await.unwrap();
        format!("{:?}", page.payments)
    };
    let endpoint = EndpointId(4);
    let before = (
        list(&store).await,
        store.outbox_page(endpoint, &ReadThrough::default(), 100).await.unwrap().rows,
    );
    assert_eq!(before.1.len(), 31);
    store.close().await;
    fs::remove_dir_all(dir.path().join("views")).unwrap();
    let (store, _) = open(&settings(&dir));
    assert_eq!(
        (
            list(&store).await,
            store.outbox_page(endpoint, &ReadThrough::default(), 100).await.unwrap().rows
        ),
        before
    );
    store.close().await;
}

/// A copy of a folder as a crash at this moment would leave it; nothing may be written meanwhile.
fn crashed(dir: &Path) -> TempDir {
    let copy = fresh();
    let output = std::process::Command::new("cp")
        .arg("-a")
        .arg(dir.join("."))
        .arg(copy.path())
        .output()
        .expect("coreutils has `cp`");
    assert!(output.status.success(), "{output:?}");
    copy
}

#[tokio::test]
async fn look_ups_that_were_in_memory_alone_are_there_after_a_crash() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    store.append(sample::endpoint(4)).await.unwrap();
    for n in 1..=30 {
        store.admit(Sample::new(n).intent()).await.unwrap();
        if n > 3 {
            store.append(Sample::new(n).approved()).await.unwrap();
        }
    }
    store.settled().await.unwrap();
    let copy = crashed(dir.path());
    store.close().await;

    let (store, recovered) = open(&settings(&copy));
    assert_eq!(recovered.open.len(), 3);
    for n in 1..=3 {
        store.append(Sample::new(n).approved()).await.unwrap();
    }
    let day = Sample::new(1).intent().plan.business_date;
    let page = store.payments_of_biller(sample::biller(), day, None, 100).await.unwrap();
    assert_eq!(page.payments.len(), 30);
    for payment in page.payments {
        assert_eq!(payment.state, PaymentState::Approved);
        let by_folio = store.payment_by_folio(payment.folio).await.unwrap();
        assert_eq!(by_folio.map(|found| found.id), Some(payment.id));
    }
    let owed = store.outbox_page(EndpointId(4), &ReadThrough::default(), 100).await.unwrap().rows;
    let mut told: Vec<_> = owed.iter().map(|owed| owed.payment).collect();
    told.sort();
    let all: Vec<_> = (1..=30).map(|n| Sample::new(n).id()).collect();
    assert_eq!(told, all, "each is owed once");
    store.close().await;
}

#[tokio::test]
async fn delivered_notices_stay_delivered_over_restarts_and_rebuilds() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    let endpoint = EndpointId(4);
    store.append(sample::endpoint(4)).await.unwrap();
    let mut signal = store.notices_signal();
    for n in 1..=3 {
        store.admit(Sample::new(n).intent()).await.unwrap();
        store.append(Sample::new(n).approved()).await.unwrap();
    }
    let last = store.position();
    signal.wait_for(|at| *at >= last).await.unwrap();
    let owed = store.outbox_page(endpoint, &ReadThrough::default(), 10).await.unwrap().rows;
    assert_eq!(owed.len(), 3);
    let attempted = |attempts| Attempted { at: sample::at(9), status: Some(200), attempts };
    store.notice_done(endpoint, owed[0].sequence, attempted(1)).await.unwrap();
    store.notice_dead(endpoint, owed[1].sequence, attempted(8)).await.unwrap();
    store.notice_retry(endpoint, owed[2].sequence, attempted(2), sample::at(50)).await.unwrap();
    store.close().await;

    let (store, _) = open(&settings(&dir));
    let left = store.outbox_page(endpoint, &ReadThrough::default(), 10).await.unwrap().rows;
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].attempts, left[0].next_at), (2, sample::at(50)));
    let log = store.notices(endpoint, None, 10).await.unwrap().rows;
    let log: Vec<_> = log.iter().map(|row| row.delivery).collect();
    assert_eq!(log, [Delivery::Retrying, Delivery::Dead, Delivery::Delivered]);
    let sequences = vec![owed[1].sequence];
    store.redeliver(Redelivery { endpoint, asked_at: sample::at(60), sequences }).await.unwrap();
    assert_eq!(
        store.outbox_page(endpoint, &ReadThrough::default(), 10).await.unwrap().rows.len(),
        2,
        "a notice that was given up is owed again"
    );
    store.close().await;

    fs::remove_dir_all(dir.path().join("views")).unwrap();
    let (store, _) = open(&settings(&dir));
    let left = store.outbox_page(endpoint, &ReadThrough::default(), 10).await.unwrap().rows;
    let left: Vec<_> = left.iter().map(|owed| owed.sequence).collect();
    assert_eq!(left, [owed[2].sequence], "a rebuild owes nothing up to the mark");
    store.close().await;
}

#[tokio::test]
async fn what_a_late_approval_opened_again_is_open_after_a_restart() {
    let dir = fresh();
    let float = Sample { hold: Some(("float:1", 40)), ..Sample::new(1) };
    let (store, _) = open(&settings(&dir));
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    store.admit(float.intent()).await.unwrap();
    store.append(float.unknown()).await.unwrap();
    store.append(float.reversal_owed_for(Cause::Timeout)).await.unwrap();
    store.append(float.reversal_confirmed()).await.unwrap();
    store.append(float.late()).await.unwrap();
    store.close().await;

    // Neither the memory nor the read models of the first run.
    fs::remove_dir_all(dir.path().join("views")).unwrap();
    let (store, recovered) = open(&settings(&dir));
    let open_again: Vec<_> = recovered.open.iter().map(|one| (one.id, one.is_owed_anew)).collect();
    assert_eq!(open_again, [(float.id(), true)]);
    store.append(float.reversal_owed_anew()).await.unwrap();
    store.append(float.reversal_confirmed()).await.unwrap();
    store.close().await;

    let (store, recovered) = open(&settings(&dir));
    assert!(recovered.open.is_empty());
    let balance = store.account_balance(sample::account("float:1"), sample::currency()).await;
    let balance = balance.unwrap();
    assert_eq!((balance.balance, balance.held), (100, 0), "replay gives back once, too");
    store.close().await;
}

#[tokio::test]
async fn a_payment_that_is_opened_again_and_again_does_not_double_its_records() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    let given_up = Sample::new(1);
    store.admit(given_up.intent()).await.unwrap();
    store.append(given_up.unknown()).await.unwrap();
    store.append(given_up.reversal_owed_for(Cause::Timeout)).await.unwrap();
    store.append(given_up.reversal_confirmed()).await.unwrap();
    for _ in 0..40 {
        store.append(given_up.late()).await.unwrap();
        store.append(given_up.reversal_owed_anew()).await.unwrap();
        store.append(given_up.reversal_confirmed()).await.unwrap();
    }
    store.close().await;
    let bytes: u64 = fs::read_dir(dir.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    // Each of forty carries those before it: some 160 kB. Carried in one another, 2^40 times more.
    assert!(bytes < 1 << 20, "{bytes} bytes");
    let (store, recovered) = open(&settings(&dir));
    assert!(recovered.open.is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_dump_reads_beside_the_running_store() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    store.admit(Sample::new(1).intent()).await.unwrap();
    store.append(Sample::new(1).unknown()).await.unwrap();
    store.append(Sample::new(1).reversal_owed_for(Cause::Timeout)).await.unwrap();
    let dumped: Result<Vec<_>, _> = records(dir.path()).collect();
    let dumped = dumped.unwrap();
    let kinds: Vec<_> = dumped.iter().map(|(at, record)| (*at, Record::kind(record))).collect();
    assert_eq!(kinds, [(1, "intent"), (2, "outcome"), (3, "reversal")]);
    store.close().await;
}

#[tokio::test]
async fn a_segment_that_another_writer_has_added_to_is_not_written_on() {
    use std::io::Write as _;
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    store.append(sample::top_up("float:1", 200)).await.unwrap();
    let mut segments = fs::read_dir(dir.path().join("journal")).unwrap();
    let segment = segments.next().unwrap().unwrap().path();
    let mut other = fs::File::options().append(true).open(&segment).unwrap();
    assert!(other.try_lock().is_err(), "the segment is locked, too");
    other.write_all(b"a frame of another writer").unwrap();
    let len = fs::metadata(&segment).unwrap().len();
    let mut failed = store.failed();
    assert!(store.append(sample::top_up("float:1", 1)).await.is_err());
    failed.wait_for(|failed| *failed).await.unwrap();
    assert_eq!(fs::metadata(&segment).unwrap().len(), len, "nothing was added");
}
