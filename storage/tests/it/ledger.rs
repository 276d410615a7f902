//! The ledger: it balances at every position, whatever happens and whenever the process dies.

use std::fs;
use std::path::Path;

use storage::conformance::ledger::{LedgerRun, every_position_balances};
use storage::conformance::sample::{self, Sample};
use storage::journal::Damage;
use storage::verify::{balances, frames, verify};
use storage::{Settings, snapshot_now};
use tempfile::TempDir;

use crate::support::{fresh, open, settings};

/// `LEDGER_SEED` in the environment runs one case again; its seed is printed.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("LEDGER_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..count).map(|_| rand::random()).collect(),
    }
}

fn small(dir: &TempDir) -> Settings {
    Settings { segment_len_max: 12_000, snapshot_segments: 2, ..settings(dir) }
}

fn last_segment(data: &Path) -> std::path::PathBuf {
    let entries = fs::read_dir(data.join("journal")).unwrap();
    entries.map(|entry| entry.unwrap().path()).max().unwrap()
}

/// Loses the journal's end as a power cut may: bytes of the last segment are gone, and so is all
/// that was derived from them.
fn crash(data: &Path, run: &mut LedgerRun) {
    let segment = last_segment(data);
    let len = fs::metadata(&segment).unwrap().len();
    let kept = 64 + run.below(len.saturating_sub(63).max(1));
    fs::File::options().write(true).open(&segment).unwrap().set_len(kept.min(len)).unwrap();
    fs::remove_dir_all(data.join("views")).unwrap();
    let _ = fs::remove_file(data.join("head"));
    // A snapshot stands before the last segment.
    let end = verify(data).unwrap().head.sequence;
    for snapshot in fs::read_dir(data.join("snapshots")).into_iter().flatten() {
        let path = snapshot.unwrap().path();
        let position = path.file_stem().unwrap().to_str().unwrap().parse::<u64>();
        assert!(position.is_ok_and(|position| position <= end), "{path:?}");
    }
}

#[tokio::test]
async fn every_position_balances_whatever_happens_and_whenever_the_process_dies() {
    for seed in seeds(3) {
        println!("LEDGER_SEED={seed}");
        let dir = fresh();
        let mut run = LedgerRun::new(seed);
        for _ in 0..4 {
            let (store, _) = open(&small(&dir));
            for _ in 0..60 {
                run.step(&store).await.unwrap();
            }
            let expected = balances_of(&store).await;
            store.close().await;
            snapshot_now(&small(&dir)).unwrap();
            let ledgers = every_position_balances(frames(dir.path()).unwrap());
            let (_, last) = ledgers.last().unwrap();
            for (name, balance) in expected {
                let in_ledger = last.balance(sample::account(name), sample::currency());
                assert_eq!(in_ledger, balance, "{name}");
            }
            for (position, ledger) in ledgers.iter().step_by(7) {
                assert_eq!(&balances(dir.path(), Some(*position)).unwrap().1, ledger);
            }
            crash(dir.path(), &mut run);
        }
        let report = verify(dir.path()).unwrap();
        assert!(report.accounts >= 9 && report.snapshots > 0, "{report:?}");
    }
}

/// What the guard has of each account that it knows.
async fn balances_of(store: &storage::Store) -> Vec<(&'static str, i128)> {
    let mut found = Vec::new();
    for name in ["float:1", "float:2", "cap:bank-a:MXN"] {
        let (account, currency) = (sample::account(name), sample::currency());
        let balance = store.account_balance(account, currency).await.unwrap();
        found.push((name, balance.balance.into()));
    }
    found
}

#[tokio::test]
async fn balances_behind_a_record_are_those_of_the_records_up_to_it() {
    let dir = fresh();
    let (store, _) = open(&settings(&dir));
    let paid = Sample { hold: Some(("float:1", 40)), ..Sample::new(1) };
    store.append(sample::top_up("float:1", 100)).await.unwrap();
    store.admit(paid.intent()).await.unwrap();
    store.append(paid.approved()).await.unwrap();
    store.close().await;
    let printed = |at| {
        let (position, ledger) = balances(dir.path(), at).unwrap();
        let accounts = ledger.accounts().into_iter();
        let printed = accounts.map(|it| format!("{} {}", it.account, it.balance_minor));
        (position, printed.collect::<Vec<_>>())
    };
    let topped_up = vec!["float:1 100".to_owned(), "funding:1 -100".to_owned()];
    assert_eq!(printed(Some(0)), (0, vec![]));
    assert_eq!(printed(Some(2)), (2, topped_up), "an intent moves nothing");
    let paid = ["float:1 60", "funding:1 -100", "payable:isp-ve 40"].map(str::to_owned);
    assert_eq!(printed(None), (3, paid.to_vec()));
    let beyond = balances(dir.path(), Some(4));
    assert!(matches!(beyond, Err(Damage::NotReached { sequence: 4, end: 3 })), "{beyond:?}");
}

#[tokio::test]
async fn a_snapshot_of_other_balances_is_named_by_verify() {
    let (dir, other) = (fresh(), fresh());
    for (dir, minor) in [(&dir, 1_000), (&other, 1_001)] {
        // The store makes no snapshot of its own, at a moment of its own.
        let settings = Settings { snapshot_segments: 0, ..small(dir) };
        let (store, _) = open(&settings);
        store.append(sample::top_up("float:1", minor)).await.unwrap();
        for n in 1..=120 {
            store.admit(Sample::new(n).intent()).await.unwrap();
        }
        store.close().await;
        assert!(snapshot_now(&small(dir)).unwrap());
    }
    assert_eq!(verify(dir.path()).unwrap().snapshots, 1);
    let names = |dir: &TempDir| {
        let found = fs::read_dir(dir.path().join("snapshots")).unwrap();
        found.map(|file| file.unwrap().file_name()).collect::<Vec<_>>()
    };
    assert_eq!(names(&dir), names(&other), "both journals have records of the same lengths");
    let name = names(&dir).remove(0);
    let [to, from] = [&dir, &other].map(|dir| dir.path().join("snapshots").join(&name));
    fs::copy(from, to).unwrap();
    let Err(Damage::Books { source, .. }) = verify(dir.path()) else { panic!("other balances") };
    assert!(source.to_string().contains("float:1 came by 1 minor units"), "{source}");
}
