//! Measures the store on this machine: `cargo run --release -p storage --example throughput --
//! [folder] [callers] [payments]`. Prints records a second through the writer with the follower
//! running, how long the read models took to catch up, and how long a start takes.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use storage::conformance::sample::{self, Sample};
use storage::seal::SealingKey;
use storage::{Admission, Sealer, Settings, Store};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().unwrap_or_else(|| "throughput-data".to_owned()));
    let callers = arguments.next().map_or(512, |text| text.parse().unwrap());
    let payments = arguments.next().map_or(400_000, |text| text.parse().unwrap());
    let settings = Settings::new(&dir);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let began = cpu();
    let (store, _) = Store::open(settings.clone(), sealer()).unwrap();
    runtime.block_on(drive(store, callers, payments));
    println!("cpu {:.2?} in all", cpu() - began);
    let began = Instant::now();
    let (store, recovered) = Store::open(settings.clone(), sealer()).unwrap();
    let took = began.elapsed();
    println!("start: {} records in {took:.2?}", recovered.records_replayed);
    drop(store);
    fs::remove_dir_all(dir.join("views")).unwrap();
    let began = Instant::now();
    drop(Store::open(settings, sealer()).unwrap());
    println!("start with all read models rebuilt: {:.2?}", began.elapsed());
}

async fn drive(store: Store, callers: u64, payments: u64) {
    store.append(sample::endpoint(4)).await.unwrap();
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    // Ids follow time, as those of real payments do.
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..callers {
        let (store, next) = (store.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= payments {
                    break;
                }
                let sample = Sample { counter: Some((u128::from(n), 1)), ..Sample::new(n + 1) };
                let admitted = store.admit(sample.intent()).await.unwrap();
                assert!(matches!(admitted, Admission::Granted { .. }));
                store.append(sample.approved()).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let (took, records) = (began.elapsed(), store.position());
    let rate = u128::from(records) * 1_000_000 / took.as_micros();
    println!("{callers} callers: {records} records in {took:.2?}, {rate} a second");
    let began = Instant::now();
    let mut look = tokio::time::interval(Duration::from_millis(5));
    while store.stats().projected < records {
        look.tick().await;
    }
    println!("read models caught up {:.2?} later", began.elapsed());
    store.close().await;
}

fn sealer() -> Sealer {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    Sealer::new("k1", vec![key]).unwrap()
}

/// Processor time of this process, where the system tells it.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> =
        stat.split_whitespace().skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}
