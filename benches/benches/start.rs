//! How long a start takes: `cargo bench -p benches --bench start -- FOLDER PAYMENTS`.
//!
//! A process of its own makes a journal of so many payments in the folder, through the whole store,
//! and aborts when the last is answered: a crash. Then are measured, one after the other:
//!
//! 1. the time until the store is ready after that crash;
//! 2. a replay from nothing, without snapshots and look-ups;
//! 3. a start from nothing, which makes the look-ups anew.
//!
//! 10,000,000 payments take some 6 GB of disk and minutes to make; the folder must be empty, and
//! what was made stays there.

// A person reads the figures; tasks of a bench need no names.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use storage::conformance::sample::Sample;
use storage::seal::SealingKey;
use storage::{Admission, Sealer, Settings, Store, replay_now};

/// What tells the process that makes the journal from the one that measures.
const MAKE: &str = "BENCH_START_MAKE";
const CALLERS: u64 = 512;
/// Without `--bench` it is only tried whether the bench runs.
const PAYMENTS_TRIED: u64 = 1_000;
const PAYMENTS: u64 = 1_000_000;

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = tempfile::tempdir_in(target).expect("the target folder can be written");
    let dir = arguments.next().map_or_else(|| made.path().join("data"), PathBuf::from);
    let payments = arguments.next().map(|text| text.parse().expect("a number of payments"));
    let payments = payments.unwrap_or(if is_bench { PAYMENTS } else { PAYMENTS_TRIED });
    if std::env::var_os(MAKE).is_some() {
        make(&dir, payments);
    }
    assert!(!dir.exists(), "{} is there already", dir.display());
    println!("{}", benches::disk::probe(target).expect("the target folder can be written"));
    let own = std::env::current_exe().expect("its own path");
    let began = Instant::now();
    let crash = Command::new(own).env(MAKE, "1").arg(&dir).arg(payments.to_string()).status();
    assert!(!crash.expect("a process").success(), "it ends with a crash");
    println!("{payments} payments made in {:.1?}", began.elapsed());
    print_disk(&dir, payments);
    measure(&dir, payments);
}

/// Makes the journal and ends with a crash.
fn make(dir: &Path, payments: u64) -> ! {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    let (store, _) = Store::open(Settings::new(dir), sealer()).expect("an empty folder");
    let next = Arc::new(AtomicU64::new(1));
    runtime.block_on(async {
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..CALLERS.min(payments) {
            callers.spawn(pay(store.clone(), Arc::clone(&next), payments));
        }
        callers.join_all().await;
    });
    std::process::abort()
}

async fn pay(store: Store, next: Arc<AtomicU64>, last: u64) {
    loop {
        let sample = Sample::new(next.fetch_add(1, Ordering::Relaxed));
        if sample.payment > last {
            return;
        }
        let admitted = store.admit(sample.intent()).await.expect("the store works");
        assert!(matches!(admitted, Admission::Granted { .. }));
        store.append(sample.approved()).await.expect("the store works");
    }
}

fn measure(dir: &Path, payments: u64) {
    let settings = Settings::new(dir);
    let began = Instant::now();
    let (store, recovered) = Store::open(settings.clone(), sealer()).expect("a whole journal");
    let took = began.elapsed();
    println!(
        "ready after the crash in {took:.2?}: {} records replayed",
        recovered.records_replayed
    );
    drop(store);
    remove(&dir.join("snapshots"));
    let replayed = replay_now(&settings).expect("a whole journal");
    print_rate("replayed from nothing", payments, replayed.took);
    remove(&dir.join("views"));
    let began = Instant::now();
    let store = Store::open(settings, sealer()).expect("a whole journal").0;
    print_rate("ready from nothing, look-ups made anew", payments, began.elapsed());
    drop(store);
}

fn print_rate(what: &str, payments: u64, took: Duration) {
    let rate = u128::from(payments) * 1_000_000 / took.as_micros().max(1);
    println!("{what} in {took:.2?}: {rate} payments a second");
}

/// Bytes a payment takes, as they are allocated.
fn print_disk(dir: &Path, payments: u64) {
    for part in ["journal", "views", "snapshots"] {
        let allocated = benches::disk::allocated(&dir.join(part));
        println!("{part}: {} bytes a payment", allocated / payments);
    }
}

fn remove(dir: &Path) {
    if dir.exists() {
        fs::remove_dir_all(dir).expect("a folder of this bench");
    }
}

fn sealer() -> Sealer {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    Sealer::new("k1", vec![key]).expect("a key of its own name")
}
