//! The whole store on a real disk: a payment's intent made durable, then its outcome.

// A person reads the probe beside the figures; tasks of a bench need no names.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use router::record::{Intent, Record};
use storage::conformance::sample::Sample;
use storage::seal::SealingKey;
use storage::{Admission, Sealer, Settings, Store};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const CALLERS: [u64; 3] = [1, 64, 512];

/// One payment: its intent and its approval.
type Steps = (Box<Intent>, Record);

/// `callers` lists of `each` payments. Ids follow time over all lists, as those of real payments
/// do; made beforehand, so that making them is not measured.
fn payments(next: &mut u64, callers: u64, each: u64) -> Vec<Vec<Steps>> {
    let first = *next;
    *next += callers * each;
    let of = |caller| {
        let steps = move |turn| {
            let sample = Sample::new(first + turn * callers + caller);
            (Box::new(sample.intent()), sample.approved())
        };
        (0..each).map(steps).collect()
    };
    (0..callers).map(of).collect()
}

/// Every caller makes its payments one after the other; gives the time until all are done.
async fn make(store: &Store, payments: Vec<Vec<Steps>>) -> Duration {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for own in payments {
        let store = store.clone();
        callers.spawn(async move {
            for (intent, approved) in own {
                let admitted = store.admit(intent).await.expect("the store works");
                assert!(matches!(admitted, Admission::Granted { .. }));
                store.append(approved).await.expect("the store works");
            }
        });
    }
    callers.join_all().await;
    began.elapsed()
}

fn open(dir: &Path) -> Store {
    let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
    let sealer = Sealer::new("k1", vec![key]).expect("a key of its own name");
    Store::open(Settings::new(dir), sealer).expect("an empty folder").0
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// One iteration is one payment of each caller.
fn journal(c: &mut Criterion) {
    let runtime = runtime();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Without this option criterion only tries whether the benches run.
    if std::env::args().any(|argument| argument == "--bench") {
        let probe = benches::disk::probe(target).expect("the target folder can be written");
        println!("{}: {probe}", target.display());
    }
    let mut group = c.benchmark_group("journal/admit and outcome");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for callers in CALLERS {
        let dir = tempfile::tempdir_in(target).expect("the target folder can be written");
        let (store, mut next) = (open(dir.path()), 1);
        group.throughput(Throughput::Elements(callers));
        group.bench_function(format!("{callers} in flight"), |b| {
            b.iter_custom(|each| {
                let payments = payments(&mut next, callers, each);
                runtime.block_on(make(&store, payments))
            });
        });
        runtime.block_on(store.close());
    }
    group.finish();
}

criterion_group!(benches, journal);
criterion_main!(benches);
