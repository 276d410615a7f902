//! Measures what a payment that waits costs in memory: `cargo run --release -p storage --example
//! waiting_memory -- [folder] [payments]`. Prints bytes of resident memory each, and fails where they
//! are more than 2 KiB.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use storage::conformance::sample::Sample;
use storage::seal::SealingKey;
use storage::{Admission, Sealer, Settings, Store};

/// The most that one payment may cost.
const BYTES_MAX: u64 = 2_048;
/// Payments that wait before the first look: what the store itself needs is there by then.
const WARM: u64 = 2_000;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().unwrap_or_else(|| "waiting-data".to_owned()));
    let payments: u64 = arguments.next().map_or(100_000, |text| text.parse().unwrap());
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    let sealer = Sealer::new("k1", vec![key]).unwrap();
    let (store, _) = Store::open(Settings::new(&dir), sealer).unwrap();
    wait_for_payers(&store, 0, WARM).await;
    let before = resident();
    wait_for_payers(&store, WARM, payments).await;
    let each = resident().saturating_sub(before) / (payments - WARM);
    println!("{payments} payments wait: {each} bytes of memory each");
    assert_eq!(store.stats().waiting, usize::try_from(payments).unwrap());
    store.close().await;
    fs::remove_dir_all(&dir).unwrap();
    assert!(each <= BYTES_MAX, "more than {BYTES_MAX}");
}

async fn wait_for_payers(store: &Store, from: u64, to: u64) {
    let next = Arc::new(AtomicU64::new(from));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..256 {
        let (store, next) = (store.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= to {
                    break;
                }
                let counter = Some((u128::from(n), 1));
                let sample = Sample { counter, ..Sample::new(n + 1) };
                let admitted = store.admit(sample.intent()).await.unwrap();
                assert!(matches!(admitted, Admission::Granted { .. }));
                store.append(sample.awaiting()).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    store.settled().await.unwrap();
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}
